// SPDX-License-Identifier: Apache-2.0
#include "experiments/output/short_names.hpp"

#include <catch2/catch.hpp>

using namespace prelude::experiments;

TEST_CASE("Keys are named by the shortest endings that tell them apart") {
    CHECK(short_names({"quant.weight_bits", "quant.activation_bits"}) == std::vector<std::string>{"weight_bits", "activation_bits"});
    CHECK(short_names({"hw.softmax.lanes", "hw.gelu.lanes", "hw.device"}) ==
          std::vector<std::string>{"softmax.lanes", "gelu.lanes", "device"});
    CHECK(short_names({"device"}) == std::vector<std::string>{"device"});
}
