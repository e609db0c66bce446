// SPDX-License-Identifier: Apache-2.0
#include "experiments/output/text_table.hpp"

#include <catch2/catch.hpp>

using namespace prelude::experiments;

TEST_CASE("Columns of a small table are as wide as their widest cell, and bars do not break Markdown") {
    TextTable table({{"name", false}, {"value"}});
    table.add({"a", "1.25"});
    table.add({"long|er", ""});
    CHECK(table.print("  ") == "  name     value\n  a         1.25\n  long|er\n");
    CHECK(table.markdown() ==
          "| name     | value |\n"
          "| :---     |  ---: |\n"
          "| a        |  1.25 |\n"
          "| long\\|er |       |\n");
}
