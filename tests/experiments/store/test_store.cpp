// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "experiments/store/store.hpp"
#include "tests/support/program.hpp"

using namespace prelude::experiments;
using namespace prelude::testing;
using Catch::Contains;
namespace fs = std::filesystem;

namespace {

SweepInfo some_info() {
    SweepInfo info;
    info.source = "a.yaml";
    info.resolved_yaml = "model:\n";
    info.num_points = 2;
    info.swept = {"quant.groups"};
    info.layer_columns = {"layer", "cycles"};
    info.devices = {{"zcu102", {{"lut", {274080, 0.7}}}}};
    info.seeds = {{"data.seed", "1"}};
    info.compare = "quant.groups";
    info.table_rows = "quant.groups";
    info.table_columns = "quant.method";
    info.table_cell = "ap";
    return info;
}

void begin(Store& store, const SweepInfo& info) {
    auto transaction = store.transaction();
    const std::vector<Store::PendingPoint> points{{0, {"1"}}, {1, {"4"}}};
    store.begin(info, points);
    transaction.commit();
}

std::string message_of(const std::function<void()>& action) {
    try {
        action();
    } catch (const StoreError& error) {
        return error.what();
    }
    return "no error";
}

void set_version(const fs::path& file, int version) {
    Database(file).execute("PRAGMA user_version = " + std::to_string(version));
}

}  // namespace

TEST_CASE("Tasks and rows survive closing the store") {
    const TemporaryFolder folder;
    const auto file = folder / "results.db";
    const StoredTask task{{true, {}, {{"miou", 0.75}}}, "accuracy", {{"abc.bin", 3, "f00"}}, 1.5};
    const Row row{1, {{"status", "ok"}, {"miou", "0.75"}, {"reason", "quotes \" and, \u00e9 \xff"}}, {{"qkv", "17"}, {"proj", "4"}}};
    {
        Store store(file);
        begin(store, some_info());
        store.put_task("key", task);
        store.put_row(row, std::vector<std::string>{"key"});
    }
    const auto store = Store::open_existing(file, true);
    CHECK(store.info() == some_info());
    const auto read = store.task("key");
    REQUIRE(read);
    CHECK(read->result.value == task.result.value);
    CHECK(read->files == task.files);
    CHECK(read->seconds == 1.5);
    CHECK(store.finished_keys() == std::vector<std::string>{"key"});
    CHECK(store.keys_behind(1) == std::vector<std::string>{"key"});
    CHECK(store.keys_behind(0).empty());
    const auto rows = store.rows(true);
    REQUIRE(rows.size() == 2);
    CHECK(rows[0].cells.at("status") == "cancelled");
    CHECK(rows[0].cells.at("quant.groups") == "1");
    CHECK(rows[1].cells.at("miou") == "0.75");
    CHECK(rows[1].layers == row.layers);
    CHECK_FALSE(store.row(2));
}

TEST_CASE("A sweep of before comparisons and tables is read as one that asks for neither") {
    const TemporaryFolder folder;
    const auto file = folder / "results.db";
    {
        Store store(file);
        begin(store, some_info());
    }
    Database(file).execute("UPDATE info SET value = json_remove(value, '$.compare', '$.table') WHERE name = 'sweep'");
    const auto info = Store::open_existing(file, true).info();
    REQUIRE(info);
    CHECK((info->compare.empty() && info->table_rows.empty() && info->swept == some_info().swept));
}

TEST_CASE("Another configuration drops the rows and keeps the tasks") {
    const TemporaryFolder folder;
    Store store(folder / "results.db");
    begin(store, some_info());
    store.put_task("key", {{true, {}, 1}, "timing", {}, 0});
    store.put_row({1, {{"status", "ok"}}, {}}, {});
    auto other = some_info();
    other.resolved_yaml = "model: other\n";
    begin(store, other);
    CHECK(store.rows(false)[1].cells.at("status") == "cancelled");
    CHECK(store.task("key"));
}

TEST_CASE("A second writer is refused while the first one lives, and a reader is not") {
    const TemporaryFolder folder;
    const auto file = folder / "results.db";
    {
        const Store store(file);
        CHECK_THAT(message_of([&] { Store second(file); }), Contains("another explore is writing here") && Contains(file.string()));
        CHECK_THAT(message_of([&] { Store second(file, Store::Opening::fresh); }), Contains("another explore is writing here"));
        CHECK_NOTHROW(Store::open_existing(file, false));
    }
    CHECK_NOTHROW(Store(file));
}

TEST_CASE("A store of a newer version is refused, and --fresh empties it") {
    const TemporaryFolder folder;
    const auto file = folder / "results.db";
    begin(*std::make_unique<Store>(file), some_info());
    set_version(file, 99);
    CHECK_THAT(message_of([&] { Store store(file); }),
               Contains("written by a newer Prelude (version 99 of the store; this program knows 1)"));
    CHECK_THAT(message_of([&] { static_cast<void>(Store::open_existing(file, false)); }), Contains("newer Prelude"));
    CHECK_FALSE(Store(file, Store::Opening::fresh).info());
}

TEST_CASE("A store of an older version is migrated and keeps what it holds") {
    const TemporaryFolder folder;
    const auto file = folder / "results.db";
    {
        Store store(file);
        begin(store, some_info());
        store.put_task("key", {{true, {}, 1}, "timing", {}, 0});
    }
    std::vector<Migration> steps(migrations().begin(), migrations().end());
    steps.emplace_back("ALTER TABLE tasks ADD COLUMN host TEXT NOT NULL DEFAULT 'unknown'");
    {
        const Store store(file, Store::Opening::resume, steps);
        CHECK(store.info() == some_info());
        CHECK(store.task("key"));
    }
    CHECK(Database(file).pragma("user_version") == static_cast<std::int64_t>(steps.size()));

    // A step that fails changes nothing.
    steps.emplace_back("CREATE TABLE half(x); ALTER TABLE missing ADD COLUMN y");
    CHECK(message_of([&] { Store store(file, Store::Opening::resume, steps); }) != "no error");
    CHECK(Database(file).pragma("user_version") == static_cast<std::int64_t>(steps.size()) - 1);
    CHECK_THROWS_AS(Database(file).execute("SELECT * FROM half"), DatabaseError);
}

TEST_CASE("A file that is no store of ours is refused and never touched") {
    const TemporaryFolder folder;
    const auto file = folder / "results.db";
    write_file(file, "my notes, not a database, and longer than the header of a database would be: more than one hundred bytes");
    const auto notes = read_file(file);
    for (const auto opening : {Store::Opening::resume, Store::Opening::fresh})
        CHECK_THAT(message_of([&] { Store store(file, opening); }), Contains("not a store of Prelude"));
    CHECK(read_file(file) == notes);
    fs::remove(file);
    Database(file).execute("CREATE TABLE theirs(x)");
    const auto theirs = read_file(file);
    for (const auto opening : {Store::Opening::resume, Store::Opening::fresh})
        CHECK_THAT(message_of([&] { Store store(file, opening); }), Contains("not a store of Prelude"));
    CHECK(read_file(file) == theirs);
}

TEST_CASE("A store damaged inside is refused with advice, and --fresh empties it") {
    const TemporaryFolder folder;
    const auto file = folder / "results.db";
    {
        Store store(file);
        begin(store, some_info());
    }
    auto bytes = read_file(file);
    for (std::size_t i = 100; i < 4096 && i < bytes.size(); ++i) bytes[i] = static_cast<char>(0xA5);
    write_file(file, bytes);
    CHECK_THAT(message_of([&] {
                   Store store(file);
                   static_cast<void>(store.info());
               }),
               Contains("--fresh"));
    CHECK_FALSE(Store(file, Store::Opening::fresh).info());
}

TEST_CASE("A value that was damaged in the store is not a result") {
    const TemporaryFolder folder;
    const auto file = folder / "results.db";
    {
        Store store(file);
        begin(store, some_info());
        store.put_task("good", {{true, {}, 1}, "timing", {}, 0});
        store.put_task("bad", {{true, {}, 1}, "timing", {}, 0});
        store.put_task("failed", {{false, "because", nullptr}, "timing", {}, 0});
    }
    Database(file).execute("UPDATE tasks SET value = '{\"miou\": 0.' WHERE key = 'bad'");
    const auto store = Store::open_existing(file, true);
    CHECK(store.finished_keys() == std::vector<std::string>{"good"});
    CHECK_FALSE(store.task("bad"));
    CHECK(store.task("failed")->result.reason == "because");
}

TEST_CASE("A folder that cannot be written to is said to be so") {
    const TemporaryFolder folder;
    write_file(folder / "file", "");
    CHECK_THAT(message_of([&] { Store store(folder / "file/results.db"); }), Contains("file"));
    CHECK_THAT(message_of([&] { static_cast<void>(Store::open_existing(folder / "nothing.db", false)); }), Contains("no such store"));
}
