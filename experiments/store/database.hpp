// SPDX-License-Identifier: Apache-2.0
#pragma once

// SQLite with ownership and exceptions.

#include <cstdint>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

struct sqlite3;
struct sqlite3_stmt;

namespace prelude::experiments {

class DatabaseError final : public std::runtime_error {
  public:
    DatabaseError(const std::string& message, int code) : std::runtime_error(message), code_(code) {}
    /// The file is not a database, or damaged.
    [[nodiscard]] bool is_damage() const noexcept;

  private:
    int code_;
};

/// One prepared statement. Values are bound from 1, columns read from 0.
class Statement {
  public:
    Statement& bind(int index, std::string_view text);
    Statement& bind(int index, std::int64_t number);
    Statement& bind(int index, double number);
    /// Whether there is a row to read; the statement is ready for new values after the last one.
    bool step();
    /// A statement without rows.
    void run();
    [[nodiscard]] std::string text(int column) const;
    [[nodiscard]] std::int64_t integer(int column) const;
    [[nodiscard]] double real(int column) const;

  private:
    friend class Database;
    explicit Statement(sqlite3_stmt* statement);
    void check(int code) const;
    std::unique_ptr<sqlite3_stmt, int (*)(sqlite3_stmt*)> statement_;
};

class Database {
  public:
    explicit Database(const std::filesystem::path& file);
    [[nodiscard]] Statement prepare(std::string_view sql) const;
    void execute(std::string_view sql) const;
    [[nodiscard]] std::int64_t pragma(std::string_view name) const;

  private:
    std::unique_ptr<sqlite3, int (*)(sqlite3*)> database_;
};

/// All or nothing: rolled back unless committed.
class Transaction {
  public:
    explicit Transaction(const Database& database);
    Transaction(const Transaction&) = delete;
    Transaction& operator=(const Transaction&) = delete;
    ~Transaction();
    void commit();

  private:
    const Database* database_;
    bool open_ = true;
};

}  // namespace prelude::experiments
