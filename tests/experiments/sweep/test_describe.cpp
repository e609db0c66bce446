// SPDX-License-Identifier: Apache-2.0
// What a sweep says of itself.
#include <catch2/catch.hpp>

#include "experiments/sweep/describe.hpp"
#include "tests/paths.hpp"

using namespace prelude::experiments;

TEST_CASE("Without weights there is no accuracy to maximise, unless somebody asks for it") {
    const auto maximised = [](const char* file, std::vector<std::string> sets) {
        const auto configuration = read_configuration(std::string(PRELUDE_SOURCE_DIR "/arch_configs/") + file, sets, PRELUDE_SOURCE_DIR "/arch_configs");
        return info_of(configuration, Grid(configuration), TaskSet{}).maximize;
    };
    using List = std::vector<std::string>;
    CHECK(maximised("sam_b_zcu102.yaml", {}) == List{});
    CHECK(maximised("sam_b_zcu102.yaml", {"sweep.objectives.max=[gops]"}) == List{"gops"});
    CHECK(maximised("sam_b_zcu102.yaml", {"sweep.objectives.max=[miou]"}) == List{"miou"});
    CHECK(maximised("isolation.yaml", {}) == List{"miou"});
    CHECK(maximised("isolation.yaml", {"sweep.axes={\"model.stress.condition\": [1, 2]}"}) == List{"miou"});
}
