// SPDX-License-Identifier: Apache-2.0
#pragma once

// A unit that reaches DRAM: the datapath's DMA, or another model of one.

#include "sim/datapath/unit.hpp"

namespace prelude::sim {

class MemoryUnit : public Unit {
  public:
    tlm_utils::simple_initiator_socket<MemoryUnit> burst_out{"burst_out"};
    using Unit::Unit;
};

/// Bytes of DRAM, half-open.
struct ByteRun {
    std::int64_t begin = 0, end = 0;
    [[nodiscard]] std::int64_t size() const noexcept { return end - begin; }
    friend bool operator==(const ByteRun&, const ByteRun&) = default;
};

/// What a load reads, in the order of its tile, neighbours merged: appended to `runs`. Nothing for constants that are on chip already.
void load_runs(const Run& run, const Command& load, std::vector<ByteRun>& runs);
/// What a store writes: a byte belongs to the tile that holds its last word.
void store_runs(const Run& run, const Command& store, std::vector<ByteRun>& runs);
/// What a loaded or stored tile takes in its buffer.
[[nodiscard]] std::int64_t tile_bits(const Run& run, const Command& command);

}  // namespace prelude::sim
