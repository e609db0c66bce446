// SPDX-License-Identifier: Apache-2.0
#pragma once

// AXI ports and memory controller: bursts of every DMA enter through ports, leave to DRAM channels in order of arrival.
//
//   DMA ──burst_in──► port, in turn (read channel | write channel, `outstanding` each) ──access_out[c]──► DRAM channel
//
// Parameters  ports, bytes per beat, outstanding bursts per port and direction, channels (interleaved by burst)
// Ports       burst_in (multi; blocks its caller until the port has a free outstanding entry; the completion is the returned delay; a
//             LocalTime on the burst waits in the caller's stead)
// Counters    bursts, beats, bytes read and written
// Arbitration first come, first served; bursts of the same cycle in the order the kernel runs their engines, which is the same in every run
// Limits      bursts never cross a stripe (the DMA cuts them)

#include <tlm_utils/multi_passthrough_initiator_socket.h>
#include <tlm_utils/multi_passthrough_target_socket.h>

#include <deque>
#include <systemc>
#include <tlm>

#include "sim/datapath/context.hpp"

namespace prelude::sim {

class MemoryController final : public sc_core::sc_module {
  public:
    tlm_utils::multi_passthrough_target_socket<MemoryController> burst_in{"burst_in"};
    tlm_utils::multi_passthrough_initiator_socket<MemoryController> access_out{"access_out"};

    MemoryController(const sc_core::sc_module_name& name, const Hardware& hardware);
    void reset();
    [[nodiscard]] const DramStats& stats() const noexcept { return stats_; }

  private:
    struct Channel {
        Cycle free = 0;                 ///< data beats
        std::deque<Cycle> outstanding;  ///< completions of bursts under way
    };
    struct Port {
        Channel read, write;
    };
    void transport(int, tlm::tlm_generic_payload& payload, sc_core::sc_time& delay);

    const Hardware& hardware_;
    std::vector<Port> ports_;
    std::size_t next_port_ = 0;
    DramStats stats_;
};

}  // namespace prelude::sim
