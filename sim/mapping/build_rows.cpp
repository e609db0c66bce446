// SPDX-License-Identifier: Apache-2.0
// Programs of row-wise segments: LayerNorm, softmax, additions, requantizations, tables, resizing, prompt features.
#include <algorithm>
#include <bit>

#include "quant/arithmetic/elementwise.hpp"
#include "sim/mapping/build_program.hpp"
#include "sim/mapping/channel_gather.hpp"

namespace prelude::sim {

namespace {

constexpr std::int16_t kSecondSlot = 2, kOutputSlot = 4;
using Access = AddressMap::Access;

class RowsBuilder {
  public:
    RowsBuilder(const BuildContext& context, const Segment& segment)
        : context_(context), segment_(segment), node_(context.graph.node(segment.main)) {}

    Program build() {
        const auto& graph = context_.graph;
        const auto& output = graph.value(segment_.output);
        const bool softmax = segment_.kind == SegmentKind::softmax, resize = segment_.kind == SegmentKind::resize;
        output_cols_ = row_length(output);
        lines_per_row_ = resize ? output.shape[3] : 1;
        rows_ = output.shape.num_elements() / output_cols_ / lines_per_row_;
        buffer_ = softmax ? BufferId::score : BufferId::activation;

        auto row_bits = output_cols_ * lines_per_row_ * bits_of(segment_.output);
        for (std::size_t i = 0; i < node_.inputs.size(); ++i) {
            const auto& input = graph.value(node_.inputs[i]);
            const bool second = i > 0 && segment_.kind == SegmentKind::elementwise;
            auto access = input.shape.rank() == 4 ? Access::pixels : Access::rows;
            if (second && !(input.shape == output.shape)) access = Access::broadcast;
            auto map = std::make_shared<AddressMap>(context_.layout, node_.inputs[i], access, nullptr, &output.shape);
            // A resized line needs two source lines.
            row_bits += map->depth() * (resize ? 2 * input.shape[3] : 1) * bits_of(node_.inputs[i]);
            program_.operands.push_back({.map = map, .bits = bits_of(node_.inputs[i]), .value = node_.inputs[i]});
        }
        if (gathers_channels()) {
            const auto lanes = segment_.kind == SegmentKind::layer_norm ? context_.hardware.layernorm_lanes : context_.hardware.pe.post_lanes();
            program_.gather_conflicts = gather_conflicts(context_.plan.format(output.name), output_cols_, lanes);
        }
        program_.rows = rows_, program_.cols = output_cols_ * lines_per_row_;
        if (softmax) program_.softmax = softmax_stages(context_.plan.format(output.name));
        choose_mapping(context_, RowsShape{rows_, row_bits, buffer_}, program_);
        if (context_.shapes_only || !program_.mapping.infeasible.empty()) return std::move(program_);
        program_.output = std::make_shared<OutputMap>(context_.layout, node_, segment_.output);
        walk();
        return std::move(program_);
    }

  private:
    int bits_of(models::ValueId value) const { return context_.plan.format(context_.graph.value(value).name).bits; }

    void walk() {
        const auto slots = program_.mapping.slots;
        const auto first_ready = program_.new_token(0, StallCause::activations),
                   first_space = program_.new_token(slots, StallCause::buffer_space);
        const auto second_ready = program_.new_token(0, StallCause::operands),
                   second_space = program_.new_token(slots, StallCause::buffer_space);
        const auto output_ready = program_.new_token(0, StallCause::outputs),
                   output_space = program_.new_token(slots, StallCause::buffer_space);
        const auto constants_ready = program_.new_token(0, StallCause::weights);
        const bool constants = load_constants(constants_ready);
        const bool two = program_.operands.size() > 1 && program_.operands[1].map;
        std::int64_t tile = 0;
        for (std::int64_t r = 0; r < rows_; r += program_.mapping.tile_rows, ++tile) {
            const Range rows{r, std::min(rows_, r + program_.mapping.tile_rows)};
            const auto slot = static_cast<std::int16_t>(tile % slots);
            const Slot first{buffer_, slot}, second{buffer_, static_cast<std::int16_t>(kSecondSlot + slot)},
                output{buffer_, static_cast<std::int16_t>(kOutputSlot + slot)};
            add_load(UnitId::activation_dma, 0, rows, first, first_space, first_ready);
            if (two) add_load(UnitId::operand_dma, 1, rows, second, second_space, second_ready);

            Command work{.rows = rows, .cols = {0, program_.cols}, .left = first, .right = two ? second : Slot{}, .target = output};
            work.opcode = segment_.kind == SegmentKind::layer_norm ? Opcode::layer_norm
                          : segment_.kind == SegmentKind::softmax  ? Opcode::softmax
                                                                   : Opcode::elementwise;
            const auto unit = work.opcode == Opcode::layer_norm ? UnitId::layernorm_unit
                              : work.opcode == Opcode::softmax  ? UnitId::softmax_unit
                                                                : UnitId::post_unit;
            work.acquire.add(first_ready);
            work.release.add(first_space);
            if (two) {
                work.acquire.add(second_ready);
                work.release.add(second_space);
            }
            if (constants && tile == 0) work.acquire.add(constants_ready);
            work.acquire.add(output_space);
            work.release.add(output_ready);
            program_.stream(unit).push_back(work);

            Command store{.opcode = Opcode::store,
                          .rows = {rows.begin * lines_per_row_, rows.end * lines_per_row_},
                          .cols = {0, output_cols_},
                          .left = output};
            store.acquire.add(output_ready);
            store.release.add(output_space);
            program_.stream(UnitId::store_dma).push_back(store);
        }
    }

    /// Whether words leave in the order of their channel groups: the input is read through a stored permutation.
    [[nodiscard]] bool gathers_channels() const {
        const auto& format = context_.plan.format(context_.graph.value(segment_.output).name);
        return (segment_.kind == SegmentKind::layer_norm || std::holds_alternative<models::Requantize>(node_.op)) && format.num_groups() > 1 &&
               format.num_groups() < output_cols_;
    }

    /// Per-channel constants of LayerNorm and requantization, and the permutation, once.
    bool load_constants(TokenId ready) {
        if (segment_.kind != SegmentKind::layer_norm && !std::holds_alternative<models::Requantize>(node_.op)) return false;
        program_.operands.push_back(
            {.kind = OperandSource::Kind::weights, .node = segment_.main, .resident = context_.hardware.weights_resident});
        Command load{.opcode = Opcode::load,
                     .operand = static_cast<std::int8_t>(program_.operands.size() - 1),
                     .target = {BufferId::weight, 0},
                     .extra_bytes = output_cols_ * channel_constant_bytes(context_.plan, segment_.kind == SegmentKind::layer_norm)};
        if (gathers_channels()) load.extra_bytes += (output_cols_ * static_cast<std::int64_t>(std::bit_width(static_cast<std::uint64_t>(output_cols_ - 1))) + 7) / 8;
        load.release.add(ready);
        program_.stream(UnitId::weight_dma).push_back(load);
        return true;
    }

    void add_load(UnitId dma, std::int8_t operand, Range rows, Slot target, TokenId space, TokenId ready) {
        const auto& map = *program_.operands[static_cast<std::size_t>(operand)].map;
        if (const auto* op = std::get_if<models::Resize>(&node_.op)) rows = source_pixels(*op, rows);
        Command load{.opcode = Opcode::load, .operand = operand, .rows = rows, .depth = {0, map.depth()}, .target = target};
        if (segment_.kind == SegmentKind::prompt && map.rows() * map.batches() != rows_)
            load.rows = {0, 1}, load.depth = rows;  // labels: one row
        load.acquire.add(space);
        load.release.add(ready);
        program_.stream(dma).push_back(load);
    }

    /// Pixels of the source lines that output lines [begin, end) of a resize blend.
    Range source_pixels(const models::Resize& op, Range lines) const {
        const auto &in = context_.graph.value(node_.inputs[0]).shape, &out = context_.graph.value(segment_.output).shape;
        const auto source = [&](std::int64_t line, bool second) {
            const auto taps = quant::tap(line % out[2], in[2], op.height);
            return line / out[2] * in[2] + (second ? taps.second : taps.first);
        };
        return {source(lines.begin, false) * in[3], (source(lines.end - 1, true) + 1) * in[3]};
    }

    const BuildContext& context_;
    const Segment& segment_;
    const models::Node& node_;
    Program program_;
    BufferId buffer_ = BufferId::activation;
    std::int64_t rows_ = 0, output_cols_ = 0, lines_per_row_ = 1;
};

}  // namespace

Program build_rows(const BuildContext& context, const Segment& segment) {
    return RowsBuilder(context, segment).build();
}

}  // namespace prelude::sim
