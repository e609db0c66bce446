// SPDX-License-Identifier: Apache-2.0
#pragma once

// A hostile file must cost its reader little: less than a second of processor time and 200 MB, each file in a process of its own.

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <vector>

/// `is_refused(file)` runs in the child; anything but an ordinary refusal fails (a crash, an uncaught exception, acceptance).
template <class Refused>
void check_cheap_refusals(const std::vector<std::filesystem::path>& files, Refused is_refused) {
    for (const auto& file : files) {
        INFO(file.filename().string());
        const auto child = ::fork();
        REQUIRE(child >= 0);
        if (child == 0) ::_exit(is_refused(file) ? 0 : 1);
        int status = 0;
        rusage usage{};
        REQUIRE(::wait4(child, &status, 0, &usage) == child);
        CHECK((WIFEXITED(status) && WEXITSTATUS(status) == 0));
        CHECK(usage.ru_maxrss < 200 * 1024);
        CHECK(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec < 1);
    }
}
