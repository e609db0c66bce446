// SPDX-License-Identifier: Apache-2.0
#pragma once

// Texts kept in files beside the tests. scripts/update_expected_texts.sh rewrites them; the commit explains the difference.

#include <catch2/catch.hpp>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

inline void check_expected_text(const std::filesystem::path& file, const std::string& text) {
    INFO(file.string() << " (scripts/update_expected_texts.sh rewrites it)");
    if (const char* update = std::getenv("PRELUDE_UPDATE_EXPECTED"); update != nullptr && *update == '1') {
        std::filesystem::create_directories(file.parent_path());
        std::ofstream(file, std::ios::binary) << text;
    }
    std::ifstream stream(file, std::ios::binary);
    REQUIRE(stream);
    const std::string expected{std::istreambuf_iterator<char>(stream), {}};
    CHECK(text == expected);
}

/// What differs from machine to machine or run to run, such as a folder, by a name.
inline std::string with_placeholder(std::string text, const std::string& what, const std::string& placeholder) {
    for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + placeholder.size()))
        text.replace(at, what.size(), placeholder);
    return text;
}
