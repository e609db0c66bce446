// SPDX-License-Identifier: Apache-2.0
#pragma once

// One DRAM channel: banks with open rows behind one data bus, served in order of arrival.
//
//   memory controller ──access_in──► [ bank: precharge, activate ] ──► data bus
//
// Parameters  bandwidth (exact ratio of bytes per cycle), granule, banks, row size, tRCD, tRP, turnaround, refresh (mapping/hardware.hpp)
// Ports       access_in (blocking, never waits: the completion is the returned delay; latency_cycles are pipelined behind the transfer)
// Counters    bytes on the bus, row hits and misses, turnarounds, refreshes
// Timing      A burst of g granules takes g * granule / bandwidth on the bus. A miss activates its row as soon as the burst arrives and
//             its bank is free, beside other transfers. The controller
//             gathers writes: one in kWriteBatch changes of direction turns the bus, which costs turnaround_cycles. Every
//             refresh_interval the bus pauses refresh_cycles and all rows close.
// Limits      no reordering; one rank; activations are not limited by tFAW

#include <tlm_utils/simple_target_socket.h>

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
    struct Bank {
        std::int64_t open_row = -1;
        std::int64_t free = 0;  ///< in sub-cycle units
    };
    void transport(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay);

    const Hardware& hardware_;
    std::int64_t unit_;  ///< sub-cycle units per cycle: the bandwidth's numerator
    std::vector<Bank> banks_;
    std::int64_t bus_free_ = 0, next_refresh_ = 0;
    bool last_was_write_ = false, idle_ = true;
    int changes_ = 0;
    DramStats stats_;
};

}  // namespace prelude::sim
