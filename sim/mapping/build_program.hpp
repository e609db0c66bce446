// SPDX-License-Identifier: Apache-2.0
#pragma once

// From segment to command streams: shapes from the graph, widths from the plan, tiles from the mapper.

#include <type_traits>

#include "quant/format_plan.hpp"
#include "sim/mapping/hardware.hpp"
#include "sim/mapping/program.hpp"

namespace prelude::sim {

struct BuildContext {
    const models::Graph& graph;
    const quant::FormatPlan& plan;
    const Hardware& hardware;
    const Layout& layout;
    const Mapping* pinned = nullptr;  ///< used as given, if the hardware can
    std::int64_t max_batches = 0;     ///< of a product or attention core, only the first so many; 0: all
    bool shapes_only = false;         ///< operands, products and extents; no mapping but a pinned one, no commands
};

/// Gives a program the pinned mapping, with what is wrong with it, or the best by estimate and its alternatives.
template <class Shape>
void choose_mapping(const BuildContext& context, const Shape& shape, Program& program) {
    if (context.pinned) {
        program.mapping = *context.pinned;
        program.mapping_problems = problems(context.hardware, shape, program.mapping);
        for (const auto& problem : program.mapping_problems) program.mapping.infeasible += (program.mapping.infeasible.empty() ? "hw.mapping: " : "; ") + problem.text;
        if constexpr (requires { estimated_cycles(context.hardware, shape, program.mapping); }) {
            if (program.mapping_problems.empty()) program.mapping.estimated_cycles = estimated_cycles(context.hardware, shape, program.mapping);
        }
        return;
    }
    if (context.shapes_only && !std::is_same_v<Shape, RowsShape>) return;  // rows have one mapping, known without a search
    program.alternatives = candidates(context.hardware, shape);
    program.mapping = std::move(program.alternatives.front());
    program.alternatives.erase(program.alternatives.begin());
}

/// The program of a segment; `mapping.infeasible` names the reason when there is none.
[[nodiscard]] Program build_program(const BuildContext& context, const Segment& segment);

/// `hw.layer_overlap`: the first constants of this segment were fetched by the one before, those of `next` (if any) are fetched behind
/// this segment's own, into the slot its last weight tile leaves free.
void overlap(Program& program, bool has_predecessor, const Program* next);

/// Bits of all constants that products of `parts` read.
[[nodiscard]] std::int64_t weight_bits_of(const models::Graph& graph, const quant::FormatPlan& plan,
                                          const std::vector<models::Part>& parts);

/// Segments of equal keys take equal cycles on equal hardware.
[[nodiscard]] std::string segment_key(const models::Graph& graph, const quant::FormatPlan& plan, const Segment& segment);

/// Shapes the mapper sees; exposed for the choice between attention forms and for printing.
[[nodiscard]] ProductForm product_form(const BuildContext& context, const models::Node& node);
[[nodiscard]] AttentionShape attention_shape(const BuildContext& context, const Segment& segment);

// One builder per family.
[[nodiscard]] Program build_product(const BuildContext& context, const Segment& segment);
[[nodiscard]] Program build_attention(const BuildContext& context, const Segment& segment);
[[nodiscard]] Program build_rows(const BuildContext& context, const Segment& segment);

/// Stages of the softmax unit: maximum, then codes; with a sum in between unless codes compare scores directly.
[[nodiscard]] SoftmaxStages softmax_stages(const quant::Format& probabilities) noexcept;

/// Bytes of the constants of one output channel: those of a rescale; floating point: a bias, or gamma and beta of a norm.
[[nodiscard]] std::int64_t channel_constant_bytes(const quant::FormatPlan& plan, bool is_norm) noexcept;

/// Vector work per element on a post lane, in cycles.
inline constexpr std::int64_t kResizeCyclesPerElement = 4;  ///< four taps through one multiplier
inline constexpr std::int64_t kPromptCyclesPerElement = 2;  ///< two coordinates

}  // namespace prelude::sim
