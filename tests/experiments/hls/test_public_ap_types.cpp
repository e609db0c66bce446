// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>
#include <cstdlib>
#include <string>

#include "tests/paths.hpp"
#include "tests/support/program.hpp"

namespace prelude::experiments {

TEST_CASE("the public headers of the arbitrary-precision types pass what the stand-in passes", "[hls]") {
    const char* folder = std::getenv("PRELUDE_AP_TYPES");
    if (folder == nullptr) {
        WARN("skipped: PRELUDE_AP_TYPES names no folder with ap_int.h and ap_fixed.h");
        return;
    }
    const testing::TemporaryFolder out;
    const std::string root = PRELUDE_SOURCE_DIR, program = (out / "test").string();
    const auto built = testing::run({"g++", "-std=c++20", "-w", "-I" + root, "-I" + std::string(folder),
                                     root + "/tests/experiments/hls/test_ap_types.cpp", "-o", program, "-lCatch2WithMain"});
    INFO(built.err);
    REQUIRE(built.code == 0);
    const auto ended = testing::run({program});
    INFO(ended.out);
    CHECK(ended.code == 0);
}

}  // namespace prelude::experiments
