// SPDX-License-Identifier: Apache-2.0
#include "sim/datapath/session.hpp"

#include <cstdlib>
#include <utility>

#include "quant/float/words.hpp"
#include "quant/value_classes.hpp"
#include "sim/datapath/accelerator.hpp"

namespace prelude::sim {

struct Session::State {
    Run run;
    Functional functional;
    Memory memory, captured;
    std::vector<TraceEvent> trace;
    std::unique_ptr<Accelerator> accelerator;
};

Session::Session(const Layout& layout, const quant::FormatPlan& plan, const Hardware& hardware, const FunctionalInput* input, bool trace,
                 const Substitutes* substitutes)
    : state_(std::make_unique<State>()) {
    ::setenv("SYSTEMC_DISABLE_COPYRIGHT_MESSAGE", "1", 1);
    auto& s = *state_;
    const auto& graph = layout.graph;
    s.run.layout = &layout;
    s.run.graph = &graph, s.run.plan = &plan, s.run.hardware = &hardware;
    if (trace) s.run.trace = &s.trace;
    if (input) {
        s.memory = input->inputs;
        for (const auto& node : graph.nodes()) {  // constants lie in DRAM from the start
            if (input->floats) {
                if (const auto* constant = std::get_if<quant::FloatConstant>(&input->floats->operation(node.name))) s.memory[node.output] = quant::float_words(plan.format(graph.value(node.output).name), constant->values);
                continue;
            }
            const auto found = input->quantized->operations.find(node.name);
            if (found == input->quantized->operations.end()) continue;
            if (const auto* constant = std::get_if<quant::ConstantOp>(&found->second)) s.memory[node.output] = constant->values;
        }
        s.functional = {.quantized = input->quantized, .floats = input->floats, .memory = &s.memory, .wanted = &input->wanted, .captured = &s.captured};
        s.run.functional = &s.functional;
    }
    s.accelerator = std::make_unique<Accelerator>("accelerator", s.run, substitutes ? *substitutes : Substitutes{});
    sc_core::sc_start(sc_core::SC_ZERO_TIME);  // elaborate; every thread waits for its start
}

Session::~Session() = default;

void Session::run(const Program& program, SegmentStats& stats, Words words) {
    auto& run = state_->run;
    const auto functional = run.functional;
    const auto trace = run.trace;
    if (words == Words::none) run.functional = nullptr, run.trace = nullptr;
    run.program = &program;
    run.stats = &stats;
    state_->accelerator->run_segment();
    run.functional = functional, run.trace = trace;
}

std::vector<TraceEvent> Session::take_trace() { return std::exchange(state_->trace, {}); }

models::IntTensor Session::words(models::ValueId value) const {
    const auto& s = *state_;
    if (const auto found = s.memory.find(value); found != s.memory.end()) return found->second;
    if (const auto found = s.captured.find(value); found != s.captured.end()) return found->second;
    const auto& shape = s.run.graph->value(value).shape;
    const AddressMap map(*s.run.layout, value, shape.rank() == 4 ? AddressMap::Access::pixels : AddressMap::Access::rows);
    models::IntTensor words(shape);
    for (std::int64_t row = 0; row < map.rows() * map.batches(); ++row) {
        for (std::int64_t k = 0; k < map.depth(); ++k) {
            const auto place = map.locate(0, row, k);
            auto& word = words[static_cast<std::size_t>(to_logical(shape, row * map.depth() + k))];
            if (place.value < 0) {
                for (auto id : map.movement()) {
                    const auto& node = s.run.graph->node(id);
                    if (!std::holds_alternative<models::WindowPartition>(node.op) || s.functional.floats) continue;
                    word = std::get<quant::MoveOp>(s.functional.quantized->operation(node.name)).padding[static_cast<std::size_t>(k)];
                }
                continue;
            }
            auto source = s.memory.find(place.value);
            if (source == s.memory.end()) source = s.captured.find(place.value);
            models::check(source != s.captured.end(), "no words for " + s.run.graph->value(value).name);
            word = source->second[static_cast<std::size_t>(to_logical(source->second.shape(), place.index))];
        }
    }
    return words;
}

}  // namespace prelude::sim

/// The SystemC library has a main() that calls this; every program here has its own main().
int sc_main(int, char**) {
    return 0;
}
