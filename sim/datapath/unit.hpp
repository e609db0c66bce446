// SPDX-License-Identifier: Apache-2.0
#pragma once

// What every command-driven unit has in common: it fetches its next command from the controller, waits for the tokens the
// command needs, works, and gives the tokens it promises.
//
//   controller ──command_out──► [ fetch | acquire tokens | work ] ──tile_out[buffer]──► buffers
//
// Counters    commands, busy cycles, stall cycles by cause

#include <tlm_utils/simple_initiator_socket.h>

#include <array>
#include <functional>
#include <memory>
#include <systemc>
#include <tlm>

#include "sim/datapath/context.hpp"
#include "sim/datapath/tile.hpp"

namespace prelude::sim {

class Unit : public sc_core::sc_module {
  public:
    tlm_utils::simple_initiator_socket<Unit> command_out{"command_out"};  ///< 1 cycle a command
    tlm_utils::simple_initiator_socket<Unit> weight_out{"weight_out"}, activation_out{"activation_out"}, partial_sum_out{"partial_sum_out"},
        score_out{"score_out"};

    Unit(const sc_core::sc_module_name& name, UnitId id, Run& run);
    ~Unit() override { payload_.clear_extension(&extension_); }
    [[nodiscard]] const UnitStats& stats() const noexcept { return stats_; }
    void reset() { stats_ = {}; }
    [[nodiscard]] UnitId id() const noexcept { return id_; }

    static constexpr TokenId kNothing = -1;
    /// The token whose unit is still to be given, while the unit waits for one.
    [[nodiscard]] TokenId waits_for() const noexcept { return waits_for_; }

    /// Starts the thread on the current program; `done` is called with the cycle the last result is there.
    sc_core::sc_event start;
    std::function<void(Cycle)> done;

  protected:
    /// Returned by a unit that cannot foresee when the results of a command are there: finish() says it, now or later.
    static constexpr Cycle kLater = -1;
    /// Carries out a command: blocks as long as the unit is taken and returns the cycle at which its results can be used.
    virtual Cycle execute(const Command& command) = 0;
    /// The results of a command can be used from `at` on.
    void finish(const Command& command, Cycle at);

    /// One buffer access; returns the cycle it ends. `tile` receives the slot's words in functional mode.
    Cycle access(const Slot& slot, bool write, std::int64_t bits, Tile** tile = nullptr);
    /// Blocks until `end` at the earliest `cycles` from now; returns the cycle reached.
    Cycle occupy(Cycle cycles, Cycle end = 0);
    [[nodiscard]] const Program& program() const noexcept { return *run_.program; }
    [[nodiscard]] bool functional() const noexcept { return run_.functional != nullptr; }
    template <class Operation>
    [[nodiscard]] const Operation& operation(models::NodeId node) const {
        return std::get<Operation>(run_.functional->quantized->operation(run_.graph->node(node).name));
    }

    Run& run_;

  private:
    void work();
    const Command* fetch();
    void record(bool waits, std::uint8_t what, Cycle begin);

    UnitId id_;
    UnitStats stats_;
    Cycle last_ = 0;              ///< when the last result is there
    std::int64_t num_open_ = 0;   ///< commands whose results are still to come
    bool draining_ = false;       ///< no command is left, results are
    TokenId waits_for_ = kNothing;
    sc_core::sc_event finished_;
    tlm::tlm_generic_payload payload_, fetch_payload_;
    TileExtension extension_;
};

}  // namespace prelude::sim
