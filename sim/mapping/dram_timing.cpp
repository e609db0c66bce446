// SPDX-License-Identifier: Apache-2.0
#include "sim/mapping/dram_timing.hpp"

#include <algorithm>
#include <array>

namespace prelude::sim {

namespace {

constexpr DramTiming kDdr4{.kind = "ddr4",
                           .activate_ns = 14.17,
                           .precharge_ns = 14.17,
                           .row_active_ns = 32.5,
                           .activate_gap_ns = 3.33,
                           .four_activates_ns = 21.7,
                           .turnaround_ns = 10,
                           .refresh_ns = 350,
                           .refresh_interval_ns = 7800,
                           .num_banks = 16,
                           .row_bytes = 8192,
                           .granule_bytes = 64,
                           .source = "DDR4-2400 17-17-17, 8 devices of 8 Gb x 8 with pages of 1 KiB: JESD79-4"};

constexpr std::array kParts{
    kDdr4,
    DramTiming{.kind = "ddr3",
               .activate_ns = 13.13,
               .precharge_ns = 13.13,
               .row_active_ns = 37.5,
               .activate_gap_ns = 7.5,
               .four_activates_ns = 37.5,
               .turnaround_ns = 7.5,
               .refresh_ns = 260,
               .refresh_interval_ns = 7800,
               .num_banks = 8,
               .row_bytes = 8192,
               .granule_bytes = 64,
               .source = "DDR3-1066 7-7-7, 8 devices of 4 Gb x 8 with pages of 1 KiB: JESD79-3"},
    DramTiming{.kind = "lpddr4",
               .activate_ns = 18.13,
               .precharge_ns = 18.13,
               .row_active_ns = 42.5,
               .activate_gap_ns = 10,
               .four_activates_ns = 40,
               .turnaround_ns = 10,
               .refresh_ns = 280,
               .refresh_interval_ns = 3904,
               .num_banks = 8,
               .row_bytes = 2048,
               .granule_bytes = 32,
               .source = "LPDDR4-3200, a channel of 16 bits of an 8 Gb die: JESD209-4"},
    DramTiming{.kind = "hbm2",
               .activate_ns = 12,
               .precharge_ns = 14,
               .row_active_ns = 28,
               .activate_gap_ns = 4,
               .four_activates_ns = 16,
               .turnaround_ns = 9,
               .refresh_ns = 220,
               .refresh_interval_ns = 3900,
               .num_banks = 16,
               .row_bytes = 1024,
               .granule_bytes = 32,
               .source = "HBM2 at 1 GHz, a pseudo channel of 64 bits: JESD235"}};

}  // namespace

const DramTiming& dram_timing(std::string_view kind) noexcept {
    const auto found = std::ranges::find(kParts, kind, &DramTiming::kind);
    return found == kParts.end() ? kParts.front() : *found;
}

}  // namespace prelude::sim
