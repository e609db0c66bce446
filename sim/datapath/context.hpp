// SPDX-License-Identifier: Apache-2.0
#pragma once

// What the units of one accelerator share while a segment runs: time, tokens, the program, and in functional mode the words.

#include <deque>
#include <map>
#include <systemc>
#include <vector>

#include "quant/quantized_graph.hpp"
#include "sim/mapping/hardware.hpp"
#include "sim/mapping/program.hpp"

namespace prelude::sim {

/// One SystemC tick is one datapath cycle.
[[nodiscard]] inline Cycle now() noexcept {
    return static_cast<Cycle>(sc_core::sc_time_stamp().value());
}
[[nodiscard]] inline sc_core::sc_time ticks(Cycle cycles) {
    return sc_core::sc_time::from_value(static_cast<sc_dt::uint64>(cycles));
}

/// A counting semaphore whose units become available at known cycles. One consumer.
///
/// Contract
///  - take() blocks until the oldest unit is available and returns the cycles waited.
///  - give(at) may name a cycle in the future; units become available in the order they were given.
class Token {
  public:
    explicit Token(const TokenSpec& spec) : cause_(spec.cause), available_(static_cast<std::size_t>(spec.initial), 0) {}

    Cycle take() {
        const auto begin = now();
        while (available_.empty()) sc_core::wait(given_);
        const auto at = available_.front();
        available_.pop_front();
        if (at > now()) sc_core::wait(ticks(at - now()));
        return now() - begin;
    }
    void give(Cycle at) {
        if (!available_.empty()) at = std::max(at, available_.back());
        available_.push_back(at);
        given_.notify(sc_core::SC_ZERO_TIME);
    }
    [[nodiscard]] StallCause cause() const noexcept { return cause_; }

  private:
    StallCause cause_;
    std::deque<Cycle> available_;
    sc_core::sc_event given_;
};

/// Words of a stored value, in logical order.
using Memory = std::map<models::ValueId, models::IntTensor>;

/// Payloads of functional mode; absent in timing mode.
struct Functional {
    const quant::QuantizedGraph* quantized = nullptr;
    Memory* memory = nullptr;
    const std::vector<models::ValueId>* wanted = nullptr;  ///< fused intermediate values to be kept as well
    Memory* captured = nullptr;
};

/// State of the running segment.
struct Run {
    const Layout* layout = nullptr;
    const models::Graph* graph = nullptr;
    const quant::FormatPlan* plan = nullptr;
    const Hardware* hardware = nullptr;
    const Program* program = nullptr;
    const Functional* functional = nullptr;  ///< null: timing mode
    std::deque<Token> tokens;
    std::map<models::ValueId, std::int64_t> regions;  ///< DRAM base address by stored value
    std::int64_t constants_base = 0;
    std::int64_t next_constant = 0;
    SegmentStats* stats = nullptr;
    std::vector<TraceEvent>* trace = nullptr;  ///< null: none is kept
    Cycle begin = 0;                           ///< of the segment

    void count(const char* kind, int left_bits, int right_bits, std::int64_t operations) const {
        stats->operations[{kind, left_bits, right_bits}] += operations;
    }
    [[nodiscard]] int bits_of(models::ValueId value) const { return plan->format(graph->value(value).name).bits; }
};

}  // namespace prelude::sim
