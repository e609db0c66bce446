// SPDX-License-Identifier: Apache-2.0
#include "experiments/config/located_yaml.hpp"

#include <catch2/catch.hpp>

using namespace prelude::experiments;

namespace {

struct Parsed {
    Node root;
    Problems problems;
};

Parsed parse(std::string_view text) {
    Parsed parsed;
    parsed.root = parse_yaml(text, "f", parsed.problems);
    return parsed;
}

/// The first problem as "line:column message", or "none".
std::string first_problem(std::string_view text) {
    const auto parsed = parse(text);
    if (parsed.problems.empty()) return "none";
    const auto& problem = parsed.problems.items().front();
    return std::to_string(problem.where.line) + ":" + std::to_string(problem.where.column) + " " + problem.message;
}

}  // namespace

TEST_CASE("Every value knows its line and column, counted from one") {
    const auto [root, problems] = parse("a: 1\nb:\n  c: [x, \"y\"]\n");
    REQUIRE(problems.empty());
    CHECK(root.find("a")->where == Location{"f", 1, 4});
    const auto& list = *root.find("b")->find("c");
    CHECK(list.where == Location{"f", 3, 6});
    REQUIRE(list.items.size() == 2);
    CHECK(list.items[0].where == Location{"f", 3, 7});
    CHECK_FALSE(list.items[0].quoted);
    CHECK(list.items[1].quoted);
    CHECK(root.find("z") == nullptr);
}

TEST_CASE("Positions hold in files with CRLF lines, a byte-order mark and text beyond ASCII") {
    CHECK(parse("a: 1\r\nb: 2\r\n").root.find("b")->where == Location{"f", 2, 4});
    CHECK(parse("\xEF\xBB\xBF"
                "a: 1\n")
              .root.find("a")
              ->where == Location{"f", 1, 4});
    CHECK(parse("a: \"\xC3\xA9\"\nb: 2\n").root.find("b")->where == Location{"f", 2, 4});
}

TEST_CASE("Mappings keep the order of the file") {
    const auto root = parse("z: 1\na: 2\nm: 3\n").root;
    REQUIRE(root.members.size() == 3);
    CHECK(root.members[0].name == "z");
    CHECK(root.members[2].name == "m");
}

TEST_CASE("What YAML allows but a configuration never needs is refused with its place") {
    CHECK(first_problem("a: 1\na: 2\n") == "2:1 key 'a' is given twice; the first is at 1:1");
    CHECK(first_problem("a: &x 1\n") == "1:4 anchors (&x) are not allowed; write the value out");
    CHECK(parse("a: &x 1\nb: [*x, *x]\n").problems.size() == 2);  // the first anchor and the first alias
    CHECK(first_problem("a: !!int 3\n") == "1:4 tags (tag:yaml.org,2002:int) are not allowed");
    CHECK(first_problem("a: 1\n---\nb: 2\n") == "3:1 a second document; one file is one configuration");
    CHECK(first_problem("? [a]\n: 1\n") == "1:3 a key must be a plain name, not a list");
    CHECK(first_problem("a:\n\tb: 1\n") == "2:1 tab in the indentation; YAML indents with spaces");
}

TEST_CASE("A quoted text that is never closed is found although the parser accepts it") {
    CHECK(first_problem("a: \"x\nb: 1\n") == "1:4 a quoted text must end on its line");
    CHECK(first_problem("a: 'x\n") == "1:4 a quoted text must end on its line");
    CHECK(first_problem("a: \"x\\\"\" \nb: 'it''s'\n") == "none");
}

TEST_CASE("Bytes that are no text are refused before the parser sees them") {
    using namespace std::string_view_literals;
    CHECK(first_problem("a: \0\n"sv) == "1:4 NUL byte; a configuration is UTF-8 text");
    CHECK(first_problem("a: 1\nb: \xFF\n") == "2:4 byte 0xff is not UTF-8");
    CHECK(first_problem("a: \xC0\xAF\n") == "1:4 byte 0xc0 is not UTF-8");          // overlong
    CHECK(first_problem("a: \xED\xA0\x80\n") == "1:4 byte 0xed is not UTF-8");      // surrogate
    CHECK(first_problem("a: \xF4\x90\x80\x80\n") == "1:4 byte 0xf4 is not UTF-8");  // beyond U+10FFFF
    CHECK(first_problem("a: \x07\n") == "1:4 control byte 0x07");
    CHECK(first_problem("a: \xF0\x9F\x9A\x80\n") == "none");
}

TEST_CASE("Depth, size and number of values are limited exactly") {
    std::string deep;
    for (int i = 0; i < YamlLimits::kMaxDepth; ++i) deep += std::string(static_cast<std::size_t>(i), ' ') + "a:\n";
    CHECK(first_problem(deep) == "none");
    deep += std::string(static_cast<std::size_t>(YamlLimits::kMaxDepth), ' ') + "a:\n";
    CHECK(first_problem(deep) == "17:17 nested deeper than 16 levels");

    const auto list = [](std::size_t n) {
        std::string text = "a: [1";
        for (std::size_t i = 1; i < n; ++i) text += ",1";
        return text + "]";
    };
    const auto others = std::size_t{3};  // the mapping, its key, the list
    CHECK(first_problem(list(YamlLimits::kMaxNodes - others)) == "none");
    CHECK(first_problem(list(YamlLimits::kMaxNodes - others + 1)).ends_with("more than 20000 values"));

    CHECK(first_problem("#" + std::string(YamlLimits::kMaxBytes - 1, 'x')) == "none");
    CHECK(first_problem("#" + std::string(YamlLimits::kMaxBytes, 'x')) == "0:0 larger than 256 KiB; a configuration is small");
}

TEST_CASE("A key whose name is too long to be meant is refused") {
    CHECK(first_problem(std::string(YamlLimits::kMaxKeyBytes, 'k') + ": 1\n") == "none");
    CHECK(first_problem(std::string(YamlLimits::kMaxKeyBytes + 1, 'k') + ": 1\n") == "1:1 a key of 257 bytes; at most 256");
}

TEST_CASE("Found text is shown shortened and escaped, UTF-8 characters whole") {
    CHECK(shown("plain") == "plain");
    CHECK(shown("a\nb\x01") == "a\\nb\\x01");
    CHECK(shown(std::string(70, 'x')) == std::string(60, 'x') + "... (70 characters)");
    CHECK(shown(std::string(59, 'x') + "\xC3\xA9\xC3\xA9") == std::string(59, 'x') + "... (63 characters)");
}
