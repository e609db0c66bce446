// SPDX-License-Identifier: Apache-2.0
// Every file in tests/data/bad/checkpoints must be refused with exactly the message beside it. The files come from
// tests/data/bad/make_checkpoints.py; a new one is found by itself and fails until its message is written.

#include <algorithm>
#include <catch2/catch.hpp>

#include "models/checkpoint/sam_checkpoint.hpp"
#include "support.hpp"
#include "tests/support/cheap_refusal.hpp"
#include "tests/support/expected_text.hpp"

using namespace prelude::models;
using namespace prelude::models::test;

namespace {

std::vector<std::filesystem::path> bad_files() {
    std::vector<std::filesystem::path> files;
    for (const auto& entry : std::filesystem::directory_iterator(data("bad/checkpoints"))) {
        if (entry.path().extension() != ".expected") files.push_back(entry.path());
    }
    std::sort(files.begin(), files.end());
    return files;
}

std::string message_of(const std::filesystem::path& path) {
    try {
        (void)open_sam(path);
    } catch (const CheckpointError& error) {
        return error.what();
    }
    return "accepted";
}

}  // namespace

TEST_CASE("every broken checkpoint is refused with the message beside it", "[expected]") {
    const auto files = bad_files();
    CHECK(files.size() >= 100);
    for (const auto& path : files) {
        INFO(path.filename().string());
        auto beside = path;
        const auto message = with_placeholder(message_of(path), path.string(), "{file}");
        CHECK(message != "accepted");
        check_expected_text(beside.replace_extension(".expected"), message + "\n");
    }
}

TEST_CASE("every message stands beside a broken checkpoint") {
    for (const auto& entry : std::filesystem::directory_iterator(data("bad/checkpoints"))) {
        if (entry.path().extension() != ".expected") continue;
        INFO(entry.path().filename().string());
        auto safetensors = entry.path(), pth = entry.path();
        CHECK((std::filesystem::exists(safetensors.replace_extension(".safetensors")) !=
               std::filesystem::exists(pth.replace_extension(".pth"))));
    }
}

TEST_CASE("reading a broken checkpoint writes and executes nothing") {
    const auto marker = std::filesystem::path("/tmp/prelude-executed-a-pickle");  // what the hostile pickles would create
    std::filesystem::remove(marker);
    std::filesystem::remove("/tmp/prelude-owned");
    for (const auto& path : bad_files()) (void)message_of(path);
    CHECK_FALSE(std::filesystem::exists(marker));
    CHECK_FALSE(std::filesystem::exists("/tmp/prelude-owned"));
}

// The sanitizers' own memory and time would be measured.
#if !defined(__SANITIZE_ADDRESS__)
TEST_CASE("every broken checkpoint is refused within a second of processor time and 200 MB") {
    check_cheap_refusals(bad_files(), [](const auto& path) { return message_of(path) != "accepted"; });
}
#endif
