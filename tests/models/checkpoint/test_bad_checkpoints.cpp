// SPDX-License-Identifier: Apache-2.0
// Every file in tests/data/bad/checkpoints must be refused with exactly the message beside it. The files come from
// tests/data/bad/make_checkpoints.py; a new one is found by itself and fails until its message is written.

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <fstream>

#include "models/checkpoint/sam_checkpoint.hpp"
#include "support.hpp"

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

std::string expected_message(const std::filesystem::path& path) {
    auto beside = path;
    std::ifstream stream(beside.replace_extension(".expected"));
    std::string text{std::istreambuf_iterator<char>(stream), {}};
    while (!text.empty() && text.back() == '\n') text.pop_back();
    const std::string placeholder = "{file}";
    for (auto at = text.find(placeholder); at != std::string::npos; at = text.find(placeholder, at)) {
        text.replace(at, placeholder.size(), path.string());
        at += path.string().size();
    }
    return text;
}

}  // namespace

TEST_CASE("every broken checkpoint is refused with the message beside it") {
    const auto files = bad_files();
    CHECK(files.size() >= 100);
    for (const auto& path : files) {
        INFO(path.filename().string());
        CHECK(message_of(path) == expected_message(path));
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
    for (const auto& path : bad_files()) {
        INFO(path.filename().string());
        const auto child = ::fork();
        REQUIRE(child >= 0);
        if (child == 0) {
            const bool refused = message_of(path) != "accepted";
            ::_exit(refused ? 0 : 1);
        }
        int status = 0;
        rusage usage{};
        REQUIRE(::wait4(child, &status, 0, &usage) == child);
        CHECK((WIFEXITED(status) && WEXITSTATUS(status) == 0));
        CHECK(usage.ru_maxrss < 200 * 1024);
        CHECK(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec < 1);
    }
}
#endif
