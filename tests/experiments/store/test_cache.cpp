// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "experiments/hash.hpp"
#include "experiments/store/cache.hpp"
#include "tests/support/program.hpp"

using namespace prelude::experiments;
using namespace prelude::testing;
namespace fs = std::filesystem;

TEST_CASE("A sealed file gives back its bytes, or nothing when it was cut, grown, changed or is not there") {
    const TemporaryFolder folder;
    const auto file = folder / "part.bin";
    for (const auto& bytes : {std::string(), std::string("x"), std::string(100'000, '\0')}) {
        write_sealed(file, bytes);
        CHECK(read_sealed(file) == bytes);
    }
    const auto whole = read_file(file);
    for (const std::size_t length : {std::size_t{0}, std::size_t{1}, std::size_t{98}, whole.size() - 1}) {
        write_file(file, whole.substr(0, length));
        CHECK_FALSE(read_sealed(file));
    }
    write_file(file, whole + "x");
    CHECK_FALSE(read_sealed(file));
    auto changed = whole;
    changed[50'000] = 'y';
    write_file(file, changed);
    CHECK_FALSE(read_sealed(file));
    fs::remove(file);
    CHECK_FALSE(read_sealed(file));
}

TEST_CASE("A writer that fails leaves neither the file nor a temporary one") {
    const TemporaryFolder folder;
    const auto file = folder / "part.bin";
    CHECK_THROWS(write_atomically_with(file, [](const fs::path& temporary) {
        write_file(temporary, "half");
        throw std::runtime_error("no space");
    }));
    CHECK(fs::is_empty(folder.path()));
}

TEST_CASE("The files of a key are found and checked, names outside the cache are not") {
    const TemporaryFolder folder;
    const auto key = sha256("a"), other = sha256("b");
    write_file(folder / (key + ".logits"), "logits");
    write_file(folder / (key + ".ranges"), "ranges");
    write_file(folder / (other + ".ranges"), "other");
    auto files = files_of(folder.path(), key);
    REQUIRE(files.size() == 2);
    CHECK(files[0] == CachedFile{key + ".logits", 6, sha256("logits")});
    CHECK(is_intact(folder.path(), files[0]));
    write_file(folder / (key + ".logits"), "logitz");
    CHECK_FALSE(is_intact(folder.path(), files[0]));
    files[1].name = "../" + folder.path().filename().string() + "/" + key + ".ranges";
    CHECK_FALSE(is_intact(folder.path(), files[1]));
    forget(folder.path(), files[1]);
    CHECK(fs::exists(folder / (key + ".ranges")));
}

TEST_CASE("What a killed writer left is removed when it is old enough, other hidden files are not") {
    const TemporaryFolder folder;
    for (const auto* name : {".results.csv.77.0.prelude.tmp", ".mine.tmp", "results.csv"}) write_file(folder / name, "x");
    remove_leftovers(folder.path(), std::chrono::hours(1));
    CHECK(fs::exists(folder / ".results.csv.77.0.prelude.tmp"));
    remove_leftovers(folder.path(), std::chrono::seconds(0));
    CHECK_FALSE(fs::exists(folder / ".results.csv.77.0.prelude.tmp"));
    CHECK(fs::exists(folder / ".mine.tmp"));
    CHECK(fs::exists(folder / "results.csv"));
}

TEST_CASE("Clearing the cache removes the files named by a key and nothing else") {
    const TemporaryFolder folder;
    const auto key = sha256("a");
    for (const auto& name : {key + ".logits", "." + key + ".logits.77.0.tmp"}) write_file(folder / name, "x");
    write_file(folder / "notes.txt", "x");
    clear_cache(folder.path());
    CHECK_FALSE(fs::exists(folder / (key + ".logits")));
    CHECK_FALSE(fs::exists(folder / ("." + key + ".logits.77.0.tmp")));
    CHECK_FALSE(fs::exists(folder / ("." + key + ".logits.77.0.tmp")));
    CHECK(fs::exists(folder / "notes.txt"));
}
