// SPDX-License-Identifier: Apache-2.0
#pragma once

// Times and geometry of memory parts, from public specifications: what a DRAM channel (sim/datapath/dram.hpp) is resolved with.

#include <cstdint>
#include <string_view>

namespace prelude::sim {

/// One channel (of HBM2 a pseudo channel) of a kind of memory.
struct DramTiming {
    std::string_view kind;           ///< as device files say it: ddr3, ddr4, lpddr4, hbm2
    double activate_ns = 0;          ///< tRCD
    double precharge_ns = 0;         ///< tRP
    double row_active_ns = 0;        ///< tRAS
    double activate_gap_ns = 0;      ///< tRRD, to another bank (group)
    double four_activates_ns = 0;    ///< tFAW
    double turnaround_ns = 0;        ///< between writes and reads: tWTR and the bus
    double refresh_ns = 0;           ///< tRFC
    double refresh_interval_ns = 0;  ///< tREFI
    int num_banks = 16;
    std::int64_t row_bytes = 8192;   ///< of all devices of the rank
    int granule_bytes = 64;          ///< a burst of the part's length
    std::string_view source;
};

/// Source    JESD79-3, JESD79-4, JESD209-4, JESD235 as DRAMSys' memory specifications give them (tukl-msd/DRAMSys at d227212d)
/// Limits    DDR3 and DDR4: a rank of 64 bits; an unknown kind is DDR4
[[nodiscard]] const DramTiming& dram_timing(std::string_view kind) noexcept;

}  // namespace prelude::sim
