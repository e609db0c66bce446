// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "experiments/output/csv.hpp"

using namespace prelude::experiments;

TEST_CASE("A field is quoted when it holds a comma, a quote or a line end, and only then") {
    CHECK(csv_field("").empty());
    CHECK(csv_field("plain text; 2^(1/4)") == "plain text; 2^(1/4)");
    CHECK(csv_field("a,b") == "\"a,b\"");
    CHECK(csv_field("say \"4\"") == "\"say \"\"4\"\"\"");
    CHECK(csv_field("two\nlines") == "\"two\nlines\"");
    CHECK(csv_field("two\r\nlines") == "\"two\r\nlines\"");
    CHECK(csv_field("\"") == "\"\"\"\"");
}

TEST_CASE("A line ends with CR LF, and an empty cell is empty") {
    CHECK(csv_line(std::vector<std::string>{"0", "", "a,b"}) == "0,,\"a,b\"\r\n");
    CHECK(csv_line(std::vector<std::string>{}) == "\r\n");
}
