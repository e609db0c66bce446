// SPDX-License-Identifier: Apache-2.0
#include "experiments/store/store.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace prelude::experiments {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

constexpr std::int64_t kApplicationId = 0x50524C44;  // "PRLD", in the header of every store
constexpr std::array<char, 16> kSqliteMark = {'S', 'Q', 'L', 'i', 't', 'e', ' ', 'f', 'o', 'r', 'm', 'a', 't', ' ', '3', '\0'};

constexpr std::string_view kEmptyIt = "\n    allowed   another --out; --fresh empties it";

constexpr std::array<Migration, 1> kMigrations = {
    R"(CREATE TABLE info(name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
       CREATE TABLE tasks(key TEXT PRIMARY KEY, kind TEXT NOT NULL, ok INTEGER NOT NULL, reason TEXT NOT NULL, value TEXT NOT NULL,
                          files TEXT NOT NULL, seconds REAL NOT NULL) WITHOUT ROWID;
       CREATE TABLE rows(point INTEGER PRIMARY KEY, status TEXT NOT NULL, keys TEXT NOT NULL, cells TEXT NOT NULL, layers TEXT NOT NULL);)",
};

std::string dump(const json& value) {
    return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

/// A value that another program damaged is no value.
json parsed(const std::string& text) {
    return json::parse(text, nullptr, false);
}

template <typename T>
std::optional<T> as(const json& value) {
    try {
        return value.get<T>();
    } catch (const json::exception&) {
        return std::nullopt;
    }
}

json to_json(const SweepInfo& info) {
    return {{"source", info.source},
            {"resolved_yaml", info.resolved_yaml},
            {"num_points", info.num_points},
            {"swept", info.swept},
            {"layer_columns", info.layer_columns},
            {"maximize", info.maximize},
            {"minimize", info.minimize},
            {"constraints", info.constraints},
            {"compare", info.compare},
            {"table", std::vector{info.table_rows, info.table_columns, info.table_cell}},
            {"warnings", info.warnings},
            {"seeds", info.seeds},
            {"device", info.device},
            {"devices", info.devices}};
}

std::optional<SweepInfo> info_of(const json& value) {
    try {
        SweepInfo info;
        value.at("source").get_to(info.source);
        value.at("resolved_yaml").get_to(info.resolved_yaml);
        value.at("num_points").get_to(info.num_points);
        value.at("swept").get_to(info.swept);
        value.at("layer_columns").get_to(info.layer_columns);
        value.at("maximize").get_to(info.maximize);
        value.at("minimize").get_to(info.minimize);
        value.at("constraints").get_to(info.constraints);
        // Sweeps of earlier versions asked for neither.
        info.compare = value.value("compare", "");
        if (const auto table = value.value("table", std::vector<std::string>{}); table.size() == 3) {
            info.table_rows = table[0];
            info.table_columns = table[1];
            info.table_cell = table[2];
        }
        value.at("warnings").get_to(info.warnings);
        value.at("seeds").get_to(info.seeds);
        value.at("device").get_to(info.device);
        value.at("devices").get_to(info.devices);
        return info;
    } catch (const json::exception&) {
        return std::nullopt;
    }
}

json to_json(const std::vector<CachedFile>& files) {
    auto list = json::array();
    for (const auto& file : files) list.push_back({{"name", file.name}, {"bytes", file.num_bytes}, {"sha256", file.sha256}});
    return list;
}

std::optional<std::vector<CachedFile>> files_in(const json& list) {
    try {
        std::vector<CachedFile> files;
        for (const auto& file : list)
            files.push_back(
                {file.at("name").get<std::string>(), file.at("bytes").get<std::uint64_t>(), file.at("sha256").get<std::string>()});
        return files;
    } catch (const json::exception&) {
        return std::nullopt;
    }
}

Row row_of(std::int64_t point, const std::string& cells, const std::string& layers) {
    Row row{point, {}, {}};
    if (auto read = as<std::map<std::string, std::string>>(parsed(cells))) row.cells = {read->begin(), read->end()};
    if (auto read = as<std::vector<std::vector<std::string>>>(parsed(layers))) row.layers = *std::move(read);
    return row;
}

/// What the first bytes of a file say.
enum class Content { empty, ours, foreign };

Content content_of(int descriptor) {
    std::array<char, 100> header{};
    const auto length = ::pread(descriptor, header.data(), header.size(), 0);
    if (length == 0) return Content::empty;
    if (length < static_cast<ssize_t>(header.size()) || std::memcmp(header.data(), kSqliteMark.data(), kSqliteMark.size()) != 0)
        return Content::foreign;
    std::int64_t id = 0;
    for (std::size_t i = 68; i < 72; ++i) id = id << 8 | static_cast<std::uint8_t>(header[i]);
    return id == kApplicationId ? Content::ours : Content::foreign;
}

void empty_file(const fs::path& file, int descriptor) {
    // The journal first: SQLite would play it back into the new store.
    for (const auto* ending : {"-journal", "-wal", "-shm"}) {
        std::error_code ignored;
        fs::remove(file.string() + ending, ignored);
    }
    if (::ftruncate(descriptor, 0) != 0) throw StoreError(fmt::format("{}: cannot be emptied: {}", file.string(), std::strerror(errno)));
}

Descriptor lock_file(const fs::path& file, bool create) {
    Descriptor descriptor(::open(file.c_str(), O_RDWR | O_CLOEXEC | (create ? O_CREAT : 0), 0666));
    if (!descriptor) throw StoreError(fmt::format("{}: cannot be opened for writing: {}", file.string(), std::strerror(errno)));
    if (::flock(descriptor.get(), LOCK_EX | LOCK_NB) != 0) {
        if (errno == EWOULDBLOCK)
            throw StoreError(
                fmt::format("{}: another explore is writing here\n    allowed   one writer per store: wait for it, or choose another --out",
                            file.string()));
        throw StoreError(fmt::format("{}: cannot be locked: {}", file.string(), std::strerror(errno)));
    }
    return descriptor;
}

}  // namespace

std::span<const Migration> migrations() {
    return kMigrations;
}

Store::Store(const fs::path& file, Opening opening, std::span<const Migration> steps) : file_(file) {
    std::error_code failure;
    if (file.has_parent_path()) fs::create_directories(file.parent_path(), failure);
    if (failure) throw StoreError(fmt::format("{}: cannot be created: {}", file.parent_path().string(), failure.message()));
    lock_ = lock_file(file, true);
    const auto content = content_of(lock_.get());
    if (content == Content::foreign)
        throw StoreError(
            fmt::format("{}: this is not a store of Prelude, or its beginning is damaged\n    allowed   another --out, or remove the file",
                        file.string()));
    if (opening == Opening::fresh) empty_file(file, lock_.get());
    connect(steps);
}

Store::Store(fs::path file, Descriptor lock) : file_(std::move(file)), lock_(std::move(lock)) {}

Store Store::open_existing(const fs::path& file, bool lock) {
    std::error_code failure;
    if (!fs::is_regular_file(file, failure)) throw StoreError(fmt::format("{}: no such store", file.string()));
    Store store(file, lock ? lock_file(file, false) : Descriptor());
    {
        const Descriptor beginning(::open(file.c_str(), O_RDONLY | O_CLOEXEC));  // closed before SQLite takes its locks
        if (!beginning) throw StoreError(fmt::format("{}: cannot be read: {}", file.string(), std::strerror(errno)));
        if (content_of(beginning.get()) != Content::ours)
            throw StoreError(fmt::format("{}: this is not a store of Prelude, or its beginning is damaged", file.string()));
    }
    store.connect(migrations());
    return store;
}

void Store::connect(std::span<const Migration> steps) {
    try {
        database_ = std::make_unique<Database>(file_);
        database_->execute(
            "PRAGMA journal_mode = DELETE; PRAGMA synchronous = FULL; PRAGMA trusted_schema = OFF; PRAGMA foreign_keys = OFF");
        auto check = database_->prepare("PRAGMA quick_check(1)");
        if (check.step() && check.text(0) != "ok")
            throw StoreError(fmt::format("{}: damaged: {}{}", file_.string(), check.text(0), kEmptyIt));
        migrate(steps);
    } catch (const DatabaseError& error) {
        throw StoreError(fmt::format("{}: {}{}", file_.string(), error.what(), error.is_damage() ? kEmptyIt : ""));
    }
}

void Store::migrate(std::span<const Migration> steps) {
    const auto version = database_->pragma("user_version");
    const auto newest = static_cast<std::int64_t>(steps.size());
    if (version > newest)
        throw StoreError(
            fmt::format("{}: written by a newer Prelude (version {} of the store; this program knows {})\n    allowed   another --out, or "
                        "the newer program",
                        file_.string(), version, newest));
    if (version == newest) return;
    Transaction change(*database_);
    // Another reader may have been faster.
    for (auto step = database_->pragma("user_version"); step < newest; ++step) database_->execute(steps[static_cast<std::size_t>(step)]);
    database_->execute(fmt::format("PRAGMA user_version = {}; PRAGMA application_id = {}", newest, kApplicationId));
    change.commit();
}

void Store::begin(const SweepInfo& info, std::span<const PendingPoint> points) {
    database_->execute("DELETE FROM rows");
    database_->prepare("INSERT OR REPLACE INTO info VALUES('sweep', ?)").bind(1, dump(to_json(info))).run();
    auto insert = database_->prepare("INSERT INTO rows VALUES(?, 'cancelled', '[]', ?, '[]')");
    for (const auto& point : points) {
        json cells = {{"point", std::to_string(point.point)}, {"status", "cancelled"}, {"reason", "not evaluated"}};
        for (std::size_t k = 0; k < info.swept.size() && k < point.swept.size(); ++k) cells[info.swept[k]] = point.swept[k];
        insert.bind(1, point.point).bind(2, dump(cells)).run();
    }
}

std::optional<SweepInfo> Store::info() const {
    auto query = database_->prepare("SELECT value FROM info WHERE name = 'sweep'");
    if (!query.step()) return std::nullopt;
    return info_of(parsed(query.text(0)));
}

std::optional<StoredTask> Store::task(const std::string& key) const {
    auto query = database_->prepare("SELECT kind, ok, reason, value, files, seconds FROM tasks WHERE key = ?");
    if (!query.bind(1, key).step()) return std::nullopt;
    StoredTask task;
    task.kind = query.text(0);
    task.result.ok = query.integer(1) != 0;
    task.result.reason = query.text(2);
    task.result.value = parsed(query.text(3));
    auto files = files_in(parsed(query.text(4)));
    if (task.result.value.is_discarded() || !files) return std::nullopt;
    task.files = *std::move(files);
    task.seconds = query.real(5);
    return task;
}

std::vector<std::string> Store::finished_keys() const {
    std::vector<std::string> keys;
    auto query = database_->prepare("SELECT key FROM tasks WHERE ok = 1 AND json_valid(value) AND json_valid(files)");
    while (query.step()) keys.push_back(query.text(0));
    return keys;
}

void Store::put_task(const std::string& key, const StoredTask& task) {
    database_->prepare("INSERT OR REPLACE INTO tasks VALUES(?, ?, ?, ?, ?, ?, ?)")
        .bind(1, key)
        .bind(2, task.kind)
        .bind(3, std::int64_t{task.result.ok})
        .bind(4, task.result.reason)
        .bind(5, dump(task.result.value))
        .bind(6, dump(to_json(task.files)))
        .bind(7, task.seconds)
        .run();
}

void Store::drop_task(const std::string& key) {
    database_->prepare("DELETE FROM tasks WHERE key = ?").bind(1, key).run();
}

void Store::put_row(const Row& row, std::span<const std::string> keys) {
    const auto status = row.cells.find("status");
    database_->prepare("INSERT OR REPLACE INTO rows VALUES(?, ?, ?, ?, ?)")
        .bind(1, row.point)
        .bind(2, status == row.cells.end() ? std::string_view() : std::string_view(status->second))
        .bind(3, dump(json(std::vector<std::string>(keys.begin(), keys.end()))))
        .bind(4, dump(json(row.cells)))
        .bind(5, dump(json(row.layers)))
        .run();
}

void Store::each_row(const std::function<void(Row&&)>& visit, bool with_layers) const {
    auto query = database_->prepare(with_layers ? "SELECT point, cells, layers FROM rows ORDER BY point"
                                                : "SELECT point, cells, '[]' FROM rows ORDER BY point");
    while (query.step()) visit(row_of(query.integer(0), query.text(1), query.text(2)));
}

std::vector<Row> Store::rows(bool with_layers) const {
    std::vector<Row> rows;
    each_row([&](Row&& row) { rows.push_back(std::move(row)); }, with_layers);
    return rows;
}

std::optional<Row> Store::row(std::int64_t point) const {
    auto query = database_->prepare("SELECT point, cells, layers FROM rows WHERE point = ?");
    if (!query.bind(1, point).step()) return std::nullopt;
    return row_of(query.integer(0), query.text(1), query.text(2));
}

std::vector<std::string> Store::keys_behind(std::int64_t point) const {
    std::vector<std::string> keys;
    auto query = database_->prepare("SELECT json_each.value FROM rows, json_each(rows.keys) WHERE point = ? AND json_valid(rows.keys)");
    query.bind(1, point);
    while (query.step()) keys.push_back(query.text(0));
    return keys;
}

void Store::absorb(const Store& other) {
    auto tasks = other.database_->prepare("SELECT key, kind, ok, reason, value, files, seconds FROM tasks ORDER BY key");
    // A success is never replaced by a failure of another shard.
    auto put_task = database_->prepare(
        "INSERT INTO tasks VALUES(?, ?, ?, ?, ?, ?, ?) ON CONFLICT(key) DO UPDATE SET "
        "ok = excluded.ok, reason = excluded.reason, value = excluded.value, files = excluded.files, seconds = excluded.seconds WHERE "
        "excluded.ok >= tasks.ok");
    while (tasks.step()) {
        put_task.bind(1, tasks.text(0)).bind(2, tasks.text(1)).bind(3, tasks.integer(2));
        put_task.bind(4, tasks.text(3)).bind(5, tasks.text(4)).bind(6, tasks.text(5)).bind(7, tasks.real(6)).run();
    }
    auto rows = other.database_->prepare("SELECT point, status, keys, cells, layers FROM rows ORDER BY point");
    auto put_row = database_->prepare("INSERT OR REPLACE INTO rows VALUES(?, ?, ?, ?, ?)");
    while (rows.step())
        put_row.bind(1, rows.integer(0)).bind(2, rows.text(1)).bind(3, rows.text(2)).bind(4, rows.text(3)).bind(5, rows.text(4)).run();
}

}  // namespace prelude::experiments
