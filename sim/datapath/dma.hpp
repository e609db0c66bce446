// SPDX-License-Identifier: Apache-2.0
#pragma once

// A DMA engine: turns tiles into bursts. Loads gather through address maps (windows, heads, convolution patches, channel groups),
// stores scatter.
//
//   controller ──► [ tile -> contiguous runs -> bursts ] ──burst_out──► AXI ports          [ tile ] ──► buffer
//
// Ports       burst_out (blocking while no outstanding entry is free); one burst a cycle leaves
// Timing      A tile is there when its last burst has completed and passed the buffer's write port; the engine starts its next
//             tile as soon as
//             the last burst has left, so latency is hidden by as many tiles as the buffer has slots.
// Counters    those of a unit; bytes are counted at the ports
// Layout      weights lie in DRAM in tile order (one run per tile); an activation whose channels are grouped lies in group order (its
//             producer
//             writes it so); every other value in its physical layout (mapping/address_map.hpp)
// Limits      words that share a byte with the neighbouring tile travel with the tile that owns the byte's last bit (stores)
//             or twice (loads)

#include "sim/datapath/local_time.hpp"
#include "sim/datapath/memory_unit.hpp"

namespace prelude::sim {

class Dma final : public MemoryUnit {
  public:
    Dma(const sc_core::sc_module_name& name, UnitId id, Run& run) : MemoryUnit(name, id, run) { burst_.set_extension(&time_); }
    ~Dma() override { burst_.clear_extension(&time_); }

  protected:
    Cycle execute(const Command& command) override;

  private:
    /// Sends the runs as bursts; returns the cycle of the last completion.
    Cycle transfer(bool write);

    std::vector<ByteRun> runs_;
    tlm::tlm_generic_payload burst_;
    LocalTime time_;
};

}  // namespace prelude::sim
