// SPDX-License-Identifier: Apache-2.0
// Programs of fused attention: per query tile QK^T over all keys into score rows on chip, softmax in place, PV. Or, where scores are made again,
// tile of keys by tile of keys: a walk over the keys for each stage of the softmax, and PV along the last.
#include <algorithm>

#include "sim/mapping/build_program.hpp"

namespace prelude::sim {

namespace {

constexpr std::int16_t kOutputSlot = 2, kWeightedSlot = 4, kTermsSlot = kMaxScoreSlots, kValueSlot = 2, kTableSlot = 4;

class AttentionBuilder {
  public:
    AttentionBuilder(const BuildContext& context, const Segment& segment)
        : context_(context), segment_(segment), shape_(attention_shape(context, segment)) {}

    Program build() {
        describe();
        choose_mapping(context_, shape_, program_);
        if (context_.shapes_only || !program_.mapping.infeasible.empty()) return std::move(program_);
        program_.mapping.keys_resident = program_.mapping.tile_cols == shape_.keys && !shape_.recompute;
        make_tokens();
        load_tables();
        shape_.recompute ? walk_pieces() : walk();
        return std::move(program_);
    }

  private:
    void describe() {
        const auto& graph = context_.graph;
        const auto &qk = graph.node(segment_.main), &pv = graph.node(segment_.weighted);
        using Access = AddressMap::Access;
        const auto operand = [&](models::ValueId value, Access access, int bits) {
            program_.operands.push_back(
                {.map = std::make_shared<AddressMap>(context_.layout, value, access), .bits = bits, .value = value});
        };
        operand(qk.inputs[0], Access::rows, shape_.scores.left_bits);
        operand(qk.inputs[1], Access::rows, shape_.scores.right_bits);
        operand(pv.inputs[1], std::get<models::MatMul>(pv.op).transpose_right ? Access::rows : Access::columns, shape_.weighted.right_bits);
        program_.products.push_back({.form = shape_.scores, .node = segment_.main});
        program_.products.push_back({.form = shape_.weighted, .node = segment_.weighted});
        if (shape_.relative) {
            program_.products.push_back({.form = product_form(context_, graph.node(segment_.relative)), .node = segment_.relative});
            program_.operands.push_back({.kind = OperandSource::Kind::tables,
                                         .bits = shape_.table_bits,
                                         .row_words = shape_.head_dim,
                                         .node = segment_.relative,
                                         .resident = context_.hardware.weights_resident});
        }
        program_.output = std::make_shared<OutputMap>(context_.layout, pv, segment_.output);
        program_.batch = shape_.batch, program_.rows = shape_.queries, program_.cols = shape_.keys, program_.depth = shape_.head_dim;
        program_.softmax = shape_.softmax;
        program_.table_rows = shape_.table_rows();
    }

    void make_tokens() {
        const auto& map = program_.mapping;
        query_ready_ = program_.new_token(0, StallCause::activations),
        query_space_ = program_.new_token(map.slots, StallCause::buffer_space);
        key_ready_ = program_.new_token(0, StallCause::weights), key_space_ = program_.new_token(map.key_slots, StallCause::buffer_space);
        value_ready_ = program_.new_token(0, StallCause::weights),
        value_space_ = program_.new_token(map.key_slots, StallCause::buffer_space);
        sums_ready_ = program_.new_token(0, StallCause::partial_sums),
        sums_space_ = program_.new_token(map.slots, StallCause::buffer_space);
        scores_ready_ = program_.new_token(0, StallCause::scores),
        scores_space_ = program_.new_token(map.score_slots, StallCause::buffer_space);
        codes_ready_ = program_.new_token(0, StallCause::probabilities);
        output_ready_ = program_.new_token(0, StallCause::outputs), output_space_ = program_.new_token(map.slots, StallCause::buffer_space);
        tables_ready_ = program_.new_token(0, StallCause::weights);
        weighted_ready_ = program_.new_token(0, StallCause::partial_sums), weighted_space_ = program_.new_token(1, StallCause::buffer_space);
    }

    void load_tables() {
        if (!shape_.relative) return;
        Command load{.opcode = Opcode::load,
                     .operand = 3,
                     .rows = {0, program_.table_rows},
                     .depth = {0, shape_.head_dim},
                     .target = {BufferId::weight, kTableSlot}};
        load.release.add(tables_ready_);
        program_.stream(UnitId::weight_dma).push_back(load);
    }

    struct QueryTile {
        std::int64_t batch = 0;
        Range rows;
        std::int16_t score_slot = 0;
        bool first_of_batch = false, last_of_batch = false;
    };

    [[nodiscard]] std::vector<QueryTile> query_tiles() const {
        std::vector<QueryTile> tiles;
        for (std::int64_t b = 0; b < (context_.max_batches > 0 ? context_.max_batches : shape_.batch); ++b) {
            for (std::int64_t q = 0; q < shape_.queries; q += program_.mapping.tile_rows) {
                const Range rows{q, std::min(shape_.queries, q + program_.mapping.tile_rows)};
                tiles.push_back({b, rows, static_cast<std::int16_t>(static_cast<std::int64_t>(tiles.size()) % program_.mapping.score_slots),
                                 q == 0, rows.end == shape_.queries});
            }
        }
        return tiles;
    }
    [[nodiscard]] Range keys_from(std::int64_t begin) const { return {begin, std::min(shape_.keys, begin + program_.mapping.tile_cols)}; }

    /// With n score slots the array computes the scores of the next n - 1 query tiles while softmax unit and post unit work on this one.
    void walk() {
        const auto tiles = query_tiles();
        const auto ahead = static_cast<std::size_t>(program_.mapping.score_slots - 1);
        for (std::size_t i = 0; i < tiles.size() + ahead; ++i) {
            if (i < tiles.size()) score_tile(tiles[i]);
            if (i >= ahead) weighted_tile(tiles[i - ahead]);
        }
    }

    std::vector<Command>& array() { return program_.stream(UnitId::pe_array); }
    Slot next_sums() {
        sums_slot_ = static_cast<std::int16_t>((sums_slot_ + 1) % program_.mapping.slots);
        return {BufferId::partial_sum, sums_slot_};
    }

    /// Keys or values [begin, end) of a head in the weight buffer: loaded per head when resident, else per query tile.
    void load_keys(const QueryTile& tile, std::int8_t operand, Range keys, std::int16_t& slot, std::int16_t base, TokenId ready,
                   TokenId space, Command& step) {
        const bool load = !program_.mapping.keys_resident || tile.first_of_batch;
        if (load) {
            slot = static_cast<std::int16_t>((slot + 1) % program_.mapping.key_slots);
            Command command{.opcode = Opcode::load,
                            .operand = operand,
                            .batch = tile.batch,
                            .rows = operand == 1 ? keys : Range{0, shape_.head_dim},
                            .depth = operand == 1 ? Range{0, shape_.head_dim} : keys,
                            .target = {BufferId::weight, static_cast<std::int16_t>(base + slot)}};
            command.acquire.add(space);
            command.release.add(ready);
            program_.stream(UnitId::weight_dma).push_back(command);
            step.acquire.add(ready);
        }
        if (!program_.mapping.keys_resident || tile.last_of_batch) step.release.add(space);
        step.right = {BufferId::weight, static_cast<std::int16_t>(base + slot)};
    }

    /// Loads a query tile and, with relative positions, makes its terms.
    void begin_queries(const QueryTile& tile) {
        query_slot_ = static_cast<std::int16_t>((query_slot_ + 1) % program_.mapping.slots);
        Command load{.opcode = Opcode::load,
                     .operand = 0,
                     .batch = tile.batch,
                     .rows = tile.rows,
                     .depth = {0, shape_.head_dim},
                     .target = {BufferId::activation, query_slot_}};
        load.acquire.add(query_space_);
        load.release.add(query_ready_);
        program_.stream(UnitId::activation_dma).push_back(load);
        waits_for_query_ = true;
        if (shape_.relative) relative_terms(tile);
    }

    /// Scores of a tile of keys. `begins`, `ends`: the first and the last command that touches this slot's scores; `done`: the queries are not read again.
    void make_scores(const QueryTile& tile, Range keys, Slot scores, int pass, bool begins, bool ends, bool done) {
        Command step{.opcode = Opcode::multiply,
                     .product = 0,
                     .first = true,
                     .last = true,
                     .pass = static_cast<std::int8_t>(pass),
                     .batch = tile.batch,
                     .rows = tile.rows,
                     .cols = keys,
                     .depth = {0, shape_.head_dim},
                     .left = {BufferId::activation, query_slot_},
                     .target = next_sums()};
        if (waits_for_query_) step.acquire.add(query_ready_);
        waits_for_query_ = false;
        load_keys(tile, 1, keys, key_slot_, 0, key_ready_, key_space_, step);
        step.acquire.add(sums_space_);
        step.release.add(sums_ready_);
        if (done) step.release.add(query_space_);
        array().push_back(step);
        Command post{.opcode = Opcode::rescale,
                     .product = 0,
                     .pass = static_cast<std::int8_t>(pass),
                     .batch = tile.batch,
                     .rows = tile.rows,
                     .cols = keys,
                     .left = step.target,
                     .target = scores};
        post.first = begins;
        if (shape_.relative) post.extra = {BufferId::score, kTermsSlot};
        post.acquire.add(sums_ready_);
        if (begins) post.acquire.add(scores_space_);
        post.release.add(sums_space_);
        if (ends) post.release.add(scores_ready_);
        program_.stream(UnitId::post_unit).push_back(post);
    }

    void score_tile(const QueryTile& tile) {
        begin_queries(tile);
        const Slot scores{BufferId::score, tile.score_slot};
        for (std::int64_t k = 0; k < shape_.keys; k += program_.mapping.tile_cols) {
            const auto keys = keys_from(k);
            make_scores(tile, keys, scores, 0, k == 0, keys.end == shape_.keys, keys.end == shape_.keys);
        }
        Command softmax{
            .opcode = Opcode::softmax, .batch = tile.batch, .rows = tile.rows, .cols = {0, shape_.keys}, .left = scores, .target = scores};
        softmax.acquire.add(scores_ready_);
        softmax.release.add(codes_ready_);
        program_.stream(UnitId::softmax_unit).push_back(softmax);
    }

    /// A tile of keys in one of the walks over them.
    struct Piece {
        QueryTile tile;
        int pass = 0;
        Range keys;
    };

    /// With n score slots the array computes the scores of the next n - 1 pieces while post unit and softmax unit work on this one.
    void walk_pieces() {
        std::vector<Piece> pieces;
        for (const auto& tile : query_tiles())
            for (int pass = 0; pass < shape_.passes(); ++pass)
                for (std::int64_t k = 0; k < shape_.keys; k += program_.mapping.tile_cols) pieces.push_back({tile, pass, keys_from(k)});
        const auto slots = static_cast<std::size_t>(program_.mapping.score_slots), ahead = slots - 1;
        const auto slot_of = [&](std::size_t i) { return Slot{BufferId::score, static_cast<std::int16_t>(i % slots)}; };
        for (std::size_t i = 0; i < pieces.size() + ahead; ++i) {
            if (i < pieces.size()) score_piece(pieces[i], slot_of(i));
            if (i >= ahead && pieces[i - ahead].pass + 1 == shape_.passes()) weighted_piece(pieces[i - ahead], slot_of(i - ahead));
        }
    }

    void score_piece(const Piece& piece, Slot scores) {
        const bool is_last_pass = piece.pass + 1 == shape_.passes(), ends_row = piece.keys.end == shape_.keys;
        if (piece.pass == 0 && piece.keys.begin == 0) begin_queries(piece.tile);
        make_scores(piece.tile, piece.keys, scores, piece.pass, true, true, is_last_pass && ends_row);
        Command softmax{.opcode = is_last_pass ? Opcode::softmax : Opcode::row_statistics,
                        .first = piece.pass == 0 && piece.keys.begin == 0,
                        .pass = static_cast<std::int8_t>(piece.pass),
                        .batch = piece.tile.batch,
                        .rows = piece.tile.rows,
                        .cols = piece.keys,
                        .left = scores};
        if (is_last_pass) softmax.target = scores;
        softmax.acquire.add(scores_ready_);
        softmax.release.add(is_last_pass ? codes_ready_ : scores_space_);
        program_.stream(UnitId::softmax_unit).push_back(softmax);
    }

    void weighted_piece(const Piece& piece, Slot codes) {
        const Slot sums{BufferId::partial_sum, kWeightedSlot};
        Command step{.opcode = Opcode::multiply,
                     .product = 1,
                     .first = piece.keys.begin == 0,
                     .last = piece.keys.end == shape_.keys,
                     .batch = piece.tile.batch,
                     .rows = piece.tile.rows,
                     .cols = {0, shape_.head_dim},
                     .depth = piece.keys,
                     .left = codes,
                     .target = sums};
        step.acquire.add(codes_ready_);
        if (step.first) step.acquire.add(weighted_space_);
        load_keys(piece.tile, 2, piece.keys, value_slot_, kValueSlot, value_ready_, value_space_, step);
        step.release.add(scores_space_);
        if (step.last) step.release.add(weighted_ready_);
        array().push_back(step);
        if (step.last) finish_tile(piece.tile, sums, weighted_ready_, weighted_space_);
    }

    void relative_terms(const QueryTile& tile) {
        Command step{.opcode = Opcode::relative,
                     .product = 2,
                     .first = true,
                     .last = true,
                     .batch = tile.batch,
                     .rows = tile.rows,
                     .cols = {0, program_.table_rows},
                     .depth = {0, shape_.head_dim},
                     .left = {BufferId::activation, query_slot_},
                     .right = {BufferId::weight, kTableSlot},
                     .target = next_sums()};
        step.acquire.add(query_ready_);
        waits_for_query_ = false;
        if (!tables_used_) step.acquire.add(tables_ready_);
        tables_used_ = true;
        step.acquire.add(sums_space_);
        step.release.add(sums_ready_);
        array().push_back(step);
        Command post{.opcode = Opcode::add_relative,
                     .product = 2,
                     .batch = tile.batch,
                     .rows = tile.rows,
                     .cols = {0, program_.table_rows},
                     .left = step.target,
                     .target = {BufferId::score, kTermsSlot}};
        post.acquire.add(sums_ready_);
        post.release.add(sums_space_);
        program_.stream(UnitId::post_unit).push_back(post);
    }

    void weighted_tile(const QueryTile& tile) {
        const auto sums = next_sums();
        for (std::int64_t k = 0; k < shape_.keys; k += program_.mapping.tile_cols) {
            const auto keys = keys_from(k);
            Command step{.opcode = Opcode::multiply,
                         .product = 1,
                         .first = keys.begin == 0,
                         .last = keys.end == shape_.keys,
                         .batch = tile.batch,
                         .rows = tile.rows,
                         .cols = {0, shape_.head_dim},
                         .depth = keys,
                         .left = {BufferId::score, tile.score_slot},
                         .target = sums};
            if (step.first) {
                step.acquire.add(codes_ready_);
                step.acquire.add(sums_space_);
            }
            load_keys(tile, 2, keys, value_slot_, kValueSlot, value_ready_, value_space_, step);
            if (step.last) {
                step.release.add(sums_ready_);
                step.release.add(scores_space_);
            }
            array().push_back(step);
        }
        finish_tile(tile, sums, sums_ready_, sums_space_);
    }

    /// The sums of a query tile become words and leave.
    void finish_tile(const QueryTile& tile, Slot sums, TokenId ready, TokenId space) {
        output_slot_ = static_cast<std::int16_t>((output_slot_ + 1) % program_.mapping.slots);
        const Slot output{BufferId::partial_sum, static_cast<std::int16_t>(kOutputSlot + output_slot_)};
        Command post{.opcode = Opcode::rescale,
                     .product = 1,
                     .batch = tile.batch,
                     .rows = tile.rows,
                     .cols = {0, shape_.head_dim},
                     .left = sums,
                     .target = output};
        post.acquire.add(ready);
        post.acquire.add(output_space_);
        post.release.add(space);
        post.release.add(output_ready_);
        program_.stream(UnitId::post_unit).push_back(post);
        Command store{.opcode = Opcode::store, .batch = tile.batch, .rows = tile.rows, .cols = {0, shape_.head_dim}, .left = output};
        store.acquire.add(output_ready_);
        store.release.add(output_space_);
        program_.stream(UnitId::store_dma).push_back(store);
    }

    const BuildContext& context_;
    const Segment& segment_;
    AttentionShape shape_;
    Program program_;
    bool tables_used_ = false, waits_for_query_ = false;
    std::int16_t query_slot_ = -1, key_slot_ = -1, value_slot_ = -1, sums_slot_ = -1, output_slot_ = -1;
    TokenId query_ready_{}, query_space_{}, key_ready_{}, key_space_{}, value_ready_{}, value_space_{}, sums_ready_{}, sums_space_{},
        scores_ready_{}, scores_space_{}, codes_ready_{}, output_ready_{}, output_space_{}, tables_ready_{}, weighted_ready_{}, weighted_space_{};
};

}  // namespace

AttentionShape attention_shape(const BuildContext& context, const Segment& segment) {
    const auto& graph = context.graph;
    const auto &qk = graph.node(segment.main), &pv = graph.node(segment.weighted);
    const auto &q = graph.value(qk.inputs[0]).shape, &scores = graph.value(qk.output).shape;
    const auto bits = [&](models::ValueId value) { return context.plan.format(graph.value(value).name).bits; };
    AttentionShape shape{.batch = q[0], .queries = q[1], .keys = scores[2], .head_dim = q[2]};
    shape.scores = product_form(context, qk);
    shape.weighted = product_form(context, pv);
    const auto& softmax = graph.node(segment.softmax);
    shape.score_bits = bits(softmax.inputs[0]);
    shape.probability_bits = bits(softmax.output);
    shape.softmax = softmax_stages(context.plan.format(graph.value(softmax.output).name));
    shape.scores_accumulator_bits = context.plan.contraction(qk.name).accumulator_bits;
    shape.weighted_accumulator_bits = context.plan.contraction(pv.name).accumulator_bits;
    shape.output_bits = bits(segment.output);
    shape.recompute = context.hardware.attention == AttentionFusion::fused_recompute;
    if (context.plan.is_floating()) {
        shape.key_unit = context.plan.float_block;
        shape.softmax.threshold_cycles = float_timing::sum_cycles(shape.keys, context.hardware.softmax_lanes, shape.key_unit);  // rows come no closer than their sums
    }
    if (segment.relative >= 0) {
        const auto& op = std::get<models::RelativePosition>(graph.node(segment.relative).op);
        shape.relative = true;
        shape.grid_height = op.height, shape.grid_width = op.width;
        shape.table_bits = context.plan.contraction(graph.node(segment.relative).name).right_bits;
    }
    return shape;
}

Program build_attention(const BuildContext& context, const Segment& segment) {
    return AttentionBuilder(context, segment).build();
}

}  // namespace prelude::sim
