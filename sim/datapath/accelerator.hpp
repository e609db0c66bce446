// SPDX-License-Identifier: Apache-2.0
#pragma once

// The wires: DRAM channels, memory controller, four DMA engines, four buffers, PE array, post, activation, LayerNorm and softmax
// units, controller. Runs programs one after the other, each from the same drained state.

#include <array>
#include <functional>
#include <memory>
#include <systemc>

#include "sim/datapath/activation_unit.hpp"
#include "sim/datapath/buffer.hpp"
#include "sim/datapath/controller.hpp"
#include "sim/datapath/dma.hpp"
#include "sim/datapath/dram.hpp"
#include "sim/datapath/layernorm_unit.hpp"
#include "sim/datapath/memory_controller.hpp"
#include "sim/datapath/pe_array.hpp"
#include "sim/datapath/post_unit.hpp"
#include "sim/datapath/softmax_unit.hpp"

namespace prelude::sim {

/// Other models of units that stand in for the datapath's own; empty: its own.
struct Substitutes {
    std::function<std::unique_ptr<MemoryUnit>(const char* name, UnitId, Run&)> dma;
    std::function<std::unique_ptr<Unit>(const char* name, Run&)> pe_array;
};

class Accelerator final : public sc_core::sc_module {
  public:
    Accelerator(const sc_core::sc_module_name& name, Run& run, const Substitutes& substitutes = {});

    /// Resets every module and runs the program of `run` to its end; fills its stats. Call from outside the kernel, as often as needed.
    /// Throws    SimulationError when units wait for each other; the accelerator can then only be left alone
    void run_segment();

  private:
    void work();
    /// Who waits for whom when nothing happens any more.
    [[nodiscard]] std::string deadlock() const;
    void place_values();
    void collect(Cycle cycles);

    Run& run_;
    Controller controller_;
    MemoryController memory_;
    std::vector<std::unique_ptr<DramChannel>> channels_;
    std::vector<std::unique_ptr<Buffer>> buffers_;
    std::vector<std::unique_ptr<MemoryUnit>> dmas_;
    std::unique_ptr<Unit> pe_array_;
    PostUnit post_unit_;
    ActivationUnit activation_unit_;
    LayerNormUnit layernorm_unit_;
    SoftmaxUnit softmax_unit_;
    std::vector<Unit*> units_;
    sc_core::sc_event go_;
    bool finished_ = false;
};

}  // namespace prelude::sim
