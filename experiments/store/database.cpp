// SPDX-License-Identifier: Apache-2.0
#include "experiments/store/database.hpp"

#include <fmt/format.h>
#include <sqlite3.h>

namespace prelude::experiments {

bool DatabaseError::is_damage() const noexcept {
    return (code_ & 0xFF) == SQLITE_CORRUPT || (code_ & 0xFF) == SQLITE_NOTADB;
}

Statement::Statement(sqlite3_stmt* statement) : statement_(statement, &sqlite3_finalize) {}

void Statement::check(int code) const {
    if (code == SQLITE_OK || code == SQLITE_DONE || code == SQLITE_ROW) return;
    auto* database = sqlite3_db_handle(statement_.get());
    throw DatabaseError(sqlite3_errmsg(database), sqlite3_extended_errcode(database));
}

Statement& Statement::bind(int index, std::string_view text) {
    check(sqlite3_bind_text64(statement_.get(), index, text.data(), text.size(), SQLITE_TRANSIENT, SQLITE_UTF8));
    return *this;
}

Statement& Statement::bind(int index, std::int64_t number) {
    check(sqlite3_bind_int64(statement_.get(), index, number));
    return *this;
}

Statement& Statement::bind(int index, double number) {
    check(sqlite3_bind_double(statement_.get(), index, number));
    return *this;
}

bool Statement::step() {
    const int code = sqlite3_step(statement_.get());
    if (code == SQLITE_ROW) return true;
    if (code != SQLITE_DONE) check(code);
    sqlite3_reset(statement_.get());
    return false;
}

void Statement::run() {
    while (step()) {
    }
}

std::string Statement::text(int column) const {
    const auto* bytes = sqlite3_column_text(statement_.get(), column);
    const auto length = static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column));
    return bytes == nullptr ? std::string() : std::string(reinterpret_cast<const char*>(bytes), length);
}

std::int64_t Statement::integer(int column) const {
    return sqlite3_column_int64(statement_.get(), column);
}

double Statement::real(int column) const {
    return sqlite3_column_double(statement_.get(), column);
}

Database::Database(const std::filesystem::path& file) : database_(nullptr, &sqlite3_close) {
    sqlite3* raw = nullptr;
    const int code = sqlite3_open_v2(file.c_str(), &raw, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
    database_.reset(raw);
    if (code != SQLITE_OK) throw DatabaseError(raw == nullptr ? "out of memory" : sqlite3_errmsg(raw), code);
    sqlite3_extended_result_codes(raw, 1);
    sqlite3_busy_timeout(raw, 5'000);
}

Statement Database::prepare(std::string_view sql) const {
    sqlite3_stmt* raw = nullptr;
    if (const int code = sqlite3_prepare_v2(database_.get(), sql.data(), static_cast<int>(sql.size()), &raw, nullptr); code != SQLITE_OK)
        throw DatabaseError(sqlite3_errmsg(database_.get()), code);
    return Statement(raw);
}

void Database::execute(std::string_view sql) const {
    if (const int code = sqlite3_exec(database_.get(), std::string(sql).c_str(), nullptr, nullptr, nullptr); code != SQLITE_OK)
        throw DatabaseError(sqlite3_errmsg(database_.get()), code);
}

std::int64_t Database::pragma(std::string_view name) const {
    auto statement = prepare(fmt::format("PRAGMA {}", name));
    return statement.step() ? statement.integer(0) : 0;
}

Transaction::Transaction(const Database& database) : database_(&database) {
    database.execute("BEGIN IMMEDIATE");
}

Transaction::~Transaction() {
    if (!open_) return;
    try {
        database_->execute("ROLLBACK");
    } catch (const DatabaseError&) {  // already rolled back by SQLite after a failed write
    }
}

void Transaction::commit() {
    database_->execute("COMMIT");
    open_ = false;
}

}  // namespace prelude::experiments
