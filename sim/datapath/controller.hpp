// SPDX-License-Identifier: Apache-2.0
#pragma once

// Walks the tile schedule: hands every unit its next command, starts a segment, and knows when it is drained.
//
//   program ──► [ one command queue per unit ] ──command_in (one target, address = unit)──► units
//
// Ports       command_in (multi): a command costs its unit one cycle; an empty queue answers with no command
// Counters    none; a segment's cycles are those from its start to the last completion of any unit

#include <tlm_utils/multi_passthrough_target_socket.h>

#include <array>
#include <systemc>
#include <tlm>

#include "sim/datapath/unit.hpp"

namespace prelude::sim {

class Controller final : public sc_core::sc_module {
  public:
    tlm_utils::multi_passthrough_target_socket<Controller> command_in{"command_in"};

    Controller(const sc_core::sc_module_name& name, Run& run);
    void attach(Unit& unit);
    /// Runs the current program to its end; returns its cycles. To be called from a thread.
    Cycle run_segment();

  private:
    void transport(int, tlm::tlm_generic_payload& payload, sc_core::sc_time& delay);

    Run& run_;
    std::vector<Unit*> units_;
    std::array<std::size_t, kNumUnits> next_{};
    std::size_t num_running_ = 0;
    Cycle last_ = 0;
    sc_core::sc_event drained_;
};

}  // namespace prelude::sim
