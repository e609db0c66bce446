// SPDX-License-Identifier: Apache-2.0
// Programs of contractions: tiles of rows x cols x depth, operands loaded when their tile changes.
#include <algorithm>
#include <numeric>

#include "sim/mapping/build_program.hpp"

namespace prelude::sim {

using models::Node;
using models::ValueId;

namespace {

constexpr std::int16_t kOutputSlot = 2, kResidualSlot = 4, kTermsSlot = 2, kTableSlot = 4;

bool is_table(const Node& node) {
    return std::holds_alternative<models::Gelu>(node.op) || std::holds_alternative<models::Relu>(node.op);
}

/// Walks the tiles in loop order and appends the commands that each step needs.
class ProductBuilder {
  public:
    ProductBuilder(const BuildContext& context, const Segment& segment)
        : context_(context), segment_(segment), node_(context.graph.node(segment.main)) {}

    Program build() {
        describe();
        choose_mapping(context_, shape_, program_);
        if (context_.shapes_only || !program_.mapping.infeasible.empty()) return std::move(program_);
        auto& product = program_.products[0];
        product.weight_stationary = program_.mapping.weight_stationary;
        product.swap = program_.mapping.swap;
        make_tokens();
        walk();
        return std::move(program_);
    }

  private:
    int bits_of(ValueId value) const { return context_.plan.format(context_.graph.value(value).name).bits; }

    void describe() {
        const auto& graph = context_.graph;
        const auto& contraction = context_.plan.contraction(node_.name);
        using Access = AddressMap::Access;
        const auto* product = std::get_if<models::MatMul>(&node_.op);
        const auto* conv = std::get_if<models::Conv>(&node_.op);
        const auto access = conv                                                      ? Access::patches
                            : std::holds_alternative<models::ConvTranspose>(node_.op) ? Access::pixels
                                                                                      : Access::rows;
        auto left = std::make_shared<AddressMap>(context_.layout, node_.inputs[0], access, conv);

        shape_.form = product_form(context_, node_);
        shape_.batch = product ? left->batches() : 1;
        shape_.rows = product ? left->rows() : left->rows() * left->batches();
        shape_.depth = left->depth();
        shape_.dynamic_right = product != nullptr;
        shape_.accumulator_bits = contraction.accumulator_bits;
        shape_.output_bits = bits_of(segment_.output);
        if (segment_.residual >= 0) shape_.residual_bits = bits_of(segment_.residual);
        if (conv && conv->kernel > 1) shape_.depth_unit = conv->kernel * conv->kernel;
        if (context_.plan.is_floating()) shape_.depth_unit = std::min(std::lcm(shape_.depth_unit, std::int64_t{context_.plan.float_block}), shape_.depth);
        if (left->overlaps()) shape_.left_reload = 1.5 / static_cast<double>(conv->kernel * conv->kernel);
        for (auto id : segment_.post) shape_.table |= is_table(graph.node(id));

        program_.operands.push_back({.map = left, .bits = contraction.left_bits, .value = node_.inputs[0]});
        if (product) {
            auto right =
                std::make_shared<AddressMap>(context_.layout, node_.inputs[1], product->transpose_right ? Access::rows : Access::columns);
            shape_.cols = right->rows();
            program_.operands.push_back({.map = right, .bits = contraction.right_bits, .value = node_.inputs[1]});
        } else {
            const auto up = std::get_if<models::ConvTranspose>(&node_.op);
            const auto& out = graph.value(node_.output);
            shape_.cols = up ? up->out_channels * up->kernel * up->kernel : row_length(out);
            program_.operands.push_back({.kind = OperandSource::Kind::weights,
                                         .bits = contraction.right_bits,
                                         .row_words = shape_.depth,
                                         .node = segment_.main,
                                         .resident = context_.hardware.weights_resident});
        }
        if (segment_.residual >= 0) {
            const bool image = graph.value(segment_.residual).shape.rank() == 4;
            program_.operands.push_back(
                {.map = std::make_shared<AddressMap>(context_.layout, segment_.residual, image ? Access::pixels : Access::rows),
                 .bits = shape_.residual_bits,
                 .value = segment_.residual});
        }
        program_.products.push_back({.form = shape_.form, .node = segment_.main});
        if (segment_.relative >= 0) {
            const auto& relative = graph.node(segment_.relative);
            const auto& op = std::get<models::RelativePosition>(relative.op);
            shape_.needs_whole_rows_outer = true;
            shape_.depth_unit = shape_.depth;  // the tables meet whole query rows
            shape_.extra_rows_bits = (op.height + op.width) * 32;
            program_.products.push_back({.form = product_form(context_, relative), .node = segment_.relative});
            table_operand_ = static_cast<std::int8_t>(program_.operands.size());
            program_.operands.push_back({.kind = OperandSource::Kind::tables,
                                         .bits = context_.plan.contraction(relative.name).right_bits,
                                         .row_words = op.head_dim,
                                         .node = segment_.relative,
                                         .resident = context_.hardware.weights_resident});
            program_.table_rows = 2 * op.height - 1 + 2 * op.width - 1;
        }
        program_.batch = shape_.batch, program_.rows = shape_.rows, program_.cols = shape_.cols, program_.depth = shape_.depth;
        program_.table_in_post = shape_.table;
        program_.output = std::make_shared<OutputMap>(context_.layout, node_, segment_.output);
    }

    void make_tokens() {
        const auto slots = program_.mapping.slots;
        left_ready_ = program_.new_token(0, StallCause::activations), left_space_ = program_.new_token(slots, StallCause::buffer_space);
        right_ready_ = program_.new_token(0, StallCause::weights), right_space_ = program_.new_token(slots, StallCause::buffer_space);
        sums_ready_ = program_.new_token(0, StallCause::partial_sums), sums_space_ = program_.new_token(slots, StallCause::buffer_space);
        output_ready_ = program_.new_token(0, StallCause::outputs), output_space_ = program_.new_token(slots, StallCause::buffer_space);
        residual_ready_ = program_.new_token(0, StallCause::operands),
        residual_space_ = program_.new_token(slots, StallCause::buffer_space);
        tables_ready_ = program_.new_token(0, StallCause::weights);
    }

    void walk() {
        const auto& map = program_.mapping;
        if (table_operand_ >= 0) {
            Command load{.opcode = Opcode::load,
                         .operand = table_operand_,
                         .rows = {0, program_.table_rows},
                         .depth = {0, program_.operands[table_operand_].row_words},
                         .target = {BufferId::weight, kTableSlot}};
            load.release.add(tables_ready_);
            program_.stream(UnitId::weight_dma).push_back(load);
        }
        for (std::int64_t b = 0; b < (context_.max_batches > 0 ? context_.max_batches : shape_.batch); ++b) {
            const auto outer = map.order == LoopOrder::rows_outer ? Range{0, shape_.rows} : Range{0, shape_.cols};
            const auto inner = map.order == LoopOrder::rows_outer ? Range{0, shape_.cols} : Range{0, shape_.rows};
            const auto outer_tile = map.order == LoopOrder::rows_outer ? map.tile_rows : map.tile_cols;
            const auto inner_tile = map.order == LoopOrder::rows_outer ? map.tile_cols : map.tile_rows;
            for (auto o = outer.begin; o < outer.end; o += outer_tile) {
                for (auto i = inner.begin; i < inner.end; i += inner_tile) {
                    const Range first{o, std::min(outer.end, o + outer_tile)}, second{i, std::min(inner.end, i + inner_tile)};
                    if (map.order == LoopOrder::rows_outer)
                        output_tile(b, first, second);
                    else
                        output_tile(b, second, first);
                }
            }
        }
        end_use(left_, left_space_);
        end_use(right_, right_space_);
    }

    /// A tile of one operand that several steps may share.
    struct Held {
        std::array<std::int64_t, 4> identity{-1, -1, -1, -1};
        std::int16_t slot = -1;
        std::size_t last_user = 0;
    };

    void end_use(Held& held, TokenId space) {
        if (held.slot >= 0) program_.stream(UnitId::pe_array)[held.last_user].release.add(space);
    }

    /// Loads the tile unless it is the one already there; the step waits for it on first use.
    void use(Held& held, UnitId dma, Command load, std::array<std::int64_t, 4> identity, TokenId ready, TokenId space, Command& step) {
        if (held.identity != identity) {
            end_use(held, space);
            held.identity = identity;
            held.slot = static_cast<std::int16_t>((held.slot + 1) % program_.mapping.slots);
            load.target.index = held.slot;
            load.acquire.add(space);
            load.release.add(ready);
            program_.stream(dma).push_back(load);
            step.acquire.add(ready);
        }
        held.last_user = program_.stream(UnitId::pe_array).size();
    }

    void output_tile(std::int64_t batch, Range rows, Range cols) {
        const auto& map = program_.mapping;
        if (segment_.relative >= 0 && cols.begin == 0) relative_terms(batch, rows);
        sums_slot_ = static_cast<std::int16_t>((sums_slot_ + 1) % map.slots);
        const Slot sums{BufferId::partial_sum, sums_slot_};
        for (std::int64_t k = 0; k < shape_.depth; k += map.tile_depth) {
            const Range depth{k, std::min(shape_.depth, k + map.tile_depth)};
            Command step{.opcode = Opcode::multiply,
                         .product = 0,
                         .first = depth.begin == 0,
                         .last = depth.end == shape_.depth,
                         .batch = batch,
                         .rows = rows,
                         .cols = cols,
                         .depth = depth,
                         .target = sums};
            load_left(batch, rows, depth, step);
            const auto right_batch = shape_.dynamic_right ? batch : 0;
            Command load{
                .opcode = Opcode::load, .operand = 1, .batch = right_batch, .rows = cols, .depth = depth, .target = {right_buffer(), 0}};
            if (!shape_.dynamic_right && depth.begin == 0) load.extra_bytes = cols.size() * channel_constant_bytes(context_.plan, false);
            use(right_, UnitId::weight_dma, load, {right_batch, cols.begin, depth.begin, cols.end}, right_ready_, right_space_, step);
            step.left = {left_buffer(), left_.slot};
            step.right = {right_buffer(), right_.slot};
            if (step.first) step.acquire.add(sums_space_);
            if (step.last) step.release.add(sums_ready_);
            program_.stream(UnitId::pe_array).push_back(step);
        }
        finish_tile(batch, rows, cols, sums);
    }

    /// Swapped operands exchange their buffers, and with them the ports of the array.
    BufferId left_buffer() const { return program_.mapping.swap ? BufferId::weight : BufferId::activation; }
    BufferId right_buffer() const { return program_.mapping.swap ? BufferId::activation : BufferId::weight; }

    void load_left(std::int64_t batch, Range rows, Range depth, Command& step) {
        const Command load{
            .opcode = Opcode::load, .operand = 0, .batch = batch, .rows = rows, .depth = depth, .target = {left_buffer(), 0}};
        use(left_, UnitId::activation_dma, load, {batch, rows.begin, depth.begin, rows.end}, left_ready_, left_space_, step);
    }

    /// Before the first scores of a query tile: its products with both tables, rescaled by the post unit.
    void relative_terms(std::int64_t batch, Range rows) {
        sums_slot_ = static_cast<std::int16_t>((sums_slot_ + 1) % program_.mapping.slots);
        Command step{.opcode = Opcode::relative,
                     .product = 1,
                     .first = true,
                     .last = true,
                     .batch = batch,
                     .rows = rows,
                     .cols = {0, program_.table_rows},
                     .depth = {0, shape_.depth},
                     .target = {BufferId::partial_sum, sums_slot_}};
        load_left(batch, rows, {0, shape_.depth}, step);
        if (!tables_used_) step.acquire.add(tables_ready_);
        tables_used_ = true;
        step.left = {BufferId::activation, left_.slot};
        step.right = {BufferId::weight, kTableSlot};
        step.acquire.add(sums_space_);
        step.release.add(sums_ready_);
        program_.stream(UnitId::pe_array).push_back(step);
        Command post{.opcode = Opcode::add_relative,
                     .product = 1,
                     .batch = batch,
                     .rows = rows,
                     .cols = {0, program_.table_rows},
                     .left = step.target,
                     .target = {BufferId::score, kTermsSlot}};
        post.acquire.add(sums_ready_);
        post.release.add(sums_space_);
        program_.stream(UnitId::post_unit).push_back(post);
    }

    void finish_tile(std::int64_t batch, Range rows, Range cols, Slot sums) {
        const auto index = static_cast<std::int16_t>(num_outputs_++ % program_.mapping.slots);
        const Slot output{BufferId::partial_sum, static_cast<std::int16_t>(kOutputSlot + index)};
        Command post{.opcode = Opcode::rescale, .product = 0, .batch = batch, .rows = rows, .cols = cols, .left = sums, .target = output};
        post.acquire.add(sums_ready_);
        post.acquire.add(output_space_);
        post.release.add(sums_space_);
        post.release.add(output_ready_);
        if (segment_.residual >= 0) {
            post.extra = {BufferId::partial_sum, static_cast<std::int16_t>(kResidualSlot + index)};
            Command load{.opcode = Opcode::load, .operand = 2, .batch = batch, .rows = rows, .cols = cols, .target = post.extra};
            load.acquire.add(residual_space_);
            load.release.add(residual_ready_);
            program_.stream(UnitId::operand_dma).push_back(load);
            post.acquire.add(residual_ready_);
            post.release.add(residual_space_);
        }
        if (segment_.relative >= 0) post.extra = {BufferId::score, kTermsSlot};
        program_.stream(UnitId::post_unit).push_back(post);
        Command store{.opcode = Opcode::store, .batch = batch, .rows = rows, .cols = cols, .left = output};
        store.acquire.add(output_ready_);
        store.release.add(output_space_);
        program_.stream(UnitId::store_dma).push_back(store);
    }

    const BuildContext& context_;
    const Segment& segment_;
    const Node& node_;
    ProductShape shape_;
    Program program_;
    Held left_, right_;
    std::int16_t sums_slot_ = -1;
    std::int64_t num_outputs_ = 0;
    std::int8_t table_operand_ = -1;
    bool tables_used_ = false;
    TokenId left_ready_{}, left_space_{}, right_ready_{}, right_space_{}, sums_ready_{}, sums_space_{}, output_ready_{}, output_space_{},
        residual_ready_{}, residual_space_{}, tables_ready_{};
};

}  // namespace

Program build_product(const BuildContext& context, const Segment& segment) {
    return ProductBuilder(context, segment).build();
}

}  // namespace prelude::sim
