// SPDX-License-Identifier: Apache-2.0
#pragma once

// One DRAM channel: banks with open rows behind one data bus, served in order of arrival.
//
//   memory controller ──access_in──► [ bank: precharge, activate ] ──► data bus
//
// Parameters  bandwidth (exact ratio of bytes per cycle), granule, banks, row size, tRCD, tRP, tRAS, tRRD, tFAW, turnaround, refresh (mapping/hardware.hpp)
// Ports       access_in (blocking, never waits: the completion is the returned delay; latency_cycles are pipelined behind the transfer)
// Counters    bytes on the bus, row hits and misses, turnarounds, refreshes
// Timing      A burst of g granules takes g * granule / bandwidth on the bus. A miss activates its row as soon as the burst arrives and
//             its bank is free, beside other transfers; a row stays open for tRAS, activations follow each other by tRRD, five of them take tFAW. The controller
//             gathers writes: one in kWriteBatch changes of direction turns the bus, which costs turnaround_cycles. Every
//             refresh_interval all rows close, and the bus pauses for a precharge and refresh_cycles.
// Limits      no reordering; one rank

#include <tlm_utils/simple_target_socket.h>

#include <array>
#include <systemc>
#include <tlm>

#include "sim/datapath/context.hpp"

namespace prelude::sim {

class DramChannel final : public sc_core::sc_module {
  public:
    static constexpr int kWriteBatch = 16;  ///< assumed depth of the write queue
    tlm_utils::simple_target_socket<DramChannel> access_in{"access_in"};

    DramChannel(const sc_core::sc_module_name& name, const Hardware& hardware);
    /// Closes all rows, drains the bus and starts counting anew.
    void reset();
    [[nodiscard]] const DramStats& stats() const noexcept { return stats_; }

  private:
    static constexpr std::int64_t kLongAgo = -(std::int64_t{1} << 60);
    struct Bank {
        std::int64_t open_row = -1;
        std::int64_t free = 0;  ///< in sub-cycle units
        std::int64_t activated = kLongAgo;
    };
    void transport(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay);
    /// When a row of the bank may be activated whose request is there at `arrival`, in sub-cycle units.
    [[nodiscard]] std::int64_t activation(const Bank& bank, std::int64_t arrival) const noexcept;

    const Hardware& hardware_;
    std::int64_t unit_;  ///< sub-cycle units per cycle: the bandwidth's numerator
    std::vector<Bank> banks_;
    std::array<std::int64_t, 4> last_activations_{};  ///< oldest first
    std::int64_t bus_free_ = 0, next_refresh_ = 0, refreshed_ = 0;
    bool last_was_write_ = false, idle_ = true;
    int changes_ = 0;
    DramStats stats_;
};

}  // namespace prelude::sim
