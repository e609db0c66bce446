// SPDX-License-Identifier: Apache-2.0
#pragma once

// Table lookups (GELU, ReLU) with the requantization in the table: `lanes` words a cycle, in the stream behind the post unit.
//
//   post unit ──words_in──► [ table lookup | linear segment ] ──► back to the post unit's output
//
// Ports       words_in (data_length = words; the returned delay is the time to pass them)
// Timing      ceil(words / lanes) cycles; latency 2
// Counters    busy cycles

#include <tlm_utils/simple_target_socket.h>

#include <systemc>
#include <tlm>

#include "sim/datapath/context.hpp"

namespace prelude::sim {

class ActivationUnit final : public sc_core::sc_module {
  public:
    static constexpr Cycle kLatency = 2;
    tlm_utils::simple_target_socket<ActivationUnit> words_in{"words_in"};

    ActivationUnit(const sc_core::sc_module_name& name, int lanes) : sc_module(name), lanes_(lanes) {
        words_in.register_b_transport(this, &ActivationUnit::transport);
    }
    void reset() { busy_ = 0; }
    [[nodiscard]] Cycle busy_cycles() const noexcept { return busy_; }

  private:
    void transport(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
        const Cycle cycles = (static_cast<Cycle>(payload.get_data_length()) + lanes_ - 1) / lanes_;
        busy_ += cycles;
        delay += ticks(cycles);
        payload.set_response_status(tlm::TLM_OK_RESPONSE);
    }

    int lanes_;
    Cycle busy_ = 0;
};

}  // namespace prelude::sim
