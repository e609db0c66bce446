// SPDX-License-Identifier: Apache-2.0
#pragma once

// From segment to command streams: shapes from the graph, widths from the plan, tiles from the mapper.

#include "quant/format_plan.hpp"
#include "sim/mapping/hardware.hpp"
#include "sim/mapping/program.hpp"

namespace prelude::sim {

struct BuildContext {
    const models::Graph& graph;
    const quant::FormatPlan& plan;
    const Hardware& hardware;
    const Layout& layout;
    const Mapping* pinned = nullptr;  ///< replayed instead of chosen
};

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

/// Makes a pinned mapping infeasible that cuts a floating-point sum inside a block: it would be another sum.
void refuse_split_blocks(const quant::FormatPlan& plan, std::int64_t tile, std::int64_t whole, Mapping& mapping);

/// Stages of the softmax unit: maximum, then codes; with a sum in between unless codes compare scores directly.
[[nodiscard]] SoftmaxStages softmax_stages(const quant::Format& probabilities) noexcept;

/// Bytes of the constants of one output channel: those of a rescale; floating point: a bias, or gamma and beta of a norm.
[[nodiscard]] std::int64_t channel_constant_bytes(const quant::FormatPlan& plan, bool is_norm) noexcept;

/// Vector work per element on a post lane, in cycles.
inline constexpr std::int64_t kResizeCyclesPerElement = 4;  ///< four taps through one multiplier
inline constexpr std::int64_t kPromptCyclesPerElement = 2;  ///< two coordinates

}  // namespace prelude::sim
