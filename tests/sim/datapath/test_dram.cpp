// SPDX-License-Identifier: Apache-2.0
// DRAM channels against the bounds of their specifications.
#include <catch2/catch.hpp>

#include "tests/support/dram_efficiency.hpp"

using namespace prelude::sim;
using namespace prelude::sim::testing;

TEST_CASE("No stream of reads gets more of a channel than its specification allows, and none much less", "[sim]") {
    for (const auto& [kind, gb_per_s] : kKindsOfMemory) {
        const auto hardware = channel_of(kind, gb_per_s);
        const auto row = hardware.row_bytes, round = row * hardware.num_banks;
        for (const std::int64_t bytes : {32, 64, 128, 256, 512, 1024}) {
            for (const std::int64_t stride : {bytes, row, 3 * row, round, 5 * round}) {
                const AccessStream stream{.bytes = bytes, .stride = stride};
                const double got = efficiency(hardware, stream), most = allowed(hardware, stream);
                INFO(kind << ": " << bytes << " bytes every " << stride << ": " << got << " of the bandwidth, " << most << " allowed");
                CHECK(got <= most * 1.01);  // a transfer that a refresh meets still ends
                CHECK(got >= most * 0.97);
            }
        }
    }
}

TEST_CASE("Every kind of memory a device may have has its own times", "[sim]") {
    for (const auto& [kind, gb_per_s] : kKindsOfMemory) {
        const auto& timing = dram_timing(kind);
        CHECK(timing.kind == kind);
        CHECK(timing.four_activates_ns >= 4 * timing.activate_gap_ns * 0.99);
        CHECK(timing.row_active_ns > timing.activate_ns);
        CHECK(!timing.source.empty());
    }
}
