// SPDX-License-Identifier: Apache-2.0
#include "sim/lower_bound.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "sim/datapath/layernorm_unit.hpp"
#include "sim/datapath/post_unit.hpp"
#include "sim/datapath/softmax_unit.hpp"
#include "sim/mapping/search.hpp"

namespace prelude::sim {

namespace {

/// Extents of one product on the array.
struct Extents {
    std::int64_t rows = 0, cols = 0, depth = 0;
};

/// Busy cycles of the array that no cutting of the product into tiles gets below: beats of its operands, and beats in which its sums leave.
double array_cycles(const PeShape& pe, const ProductForm& form, bool weight_stationary, bool swap, const Extents& product) {
    const auto along = swap ? product.cols : product.rows, across = swap ? product.rows : product.cols;
    const auto row_tiles = ceil_div(along, pe.rows), col_tiles = ceil_div(across, pe.cols), drains = ceil_div(along, pe.drain_rows);
    const auto way = streams(pe, form, swap);
    std::vector<std::int64_t> lengths;
    if (form.prescaled || form.term_ends.size() <= 1) lengths = {product.depth};
    else
        for (std::size_t t = 0; t < form.term_ends.size(); ++t) lengths.push_back(form.term_ends[t] - (t == 0 ? 0 : form.term_ends[t - 1]));
    const auto num_pieces = form.shifted_terms ? 1 : static_cast<std::int64_t>(lengths.size());
    std::int64_t streamed = 0, drained = weight_stationary ? 0 : num_pieces * drains * form.num_sums();
    const auto blocks = [&](const Stream& s) {
        std::int64_t sum = 0;
        for (const auto length : lengths) sum += ceil_div(length, s.positions);
        return sum;
    };
    if (weight_stationary) {
        streamed = way.combine([&](const Stream& s) { return blocks(s) * (row_tiles * s.passes + 1); });
        drained = way.combine([&](const Stream& s) { return blocks(s) * drains * (way.side_by_side ? form.num_sums() : s.sums); });
    } else {
        streamed = row_tiles * way.combine([&](const Stream& s) { return blocks(s) * s.passes; });
    }
    return static_cast<double>(col_tiles * std::max(streamed, drained));
}

struct Roles {
    bool weight_stationary = false, swap = false;
};

/// Dataflows and operand roles that a product may take (sim/mapping/map_product.cpp).
std::vector<Roles> roles_of(const Hardware& hardware, const ProductForm& form, bool may_swap) {
    std::vector<Roles> roles;
    if (hardware.dataflow != Dataflow::weight_stationary) {
        roles.push_back({false, false});
        if (may_swap && !form.left_is_log) roles.push_back({false, true});
    }
    if (hardware.dataflow != Dataflow::output_stationary) roles.push_back({true, false});
    return roles;
}

/// Cycles until `bytes` have crossed the DRAM bus, refreshes included: in T cycles there are at least T / interval - 2 of them.
double bus_cycles(const Hardware& hardware, double bytes) {
    const double dram = static_cast<double>(hardware.channels) * static_cast<double>(hardware.dram_bytes_numerator) / static_cast<double>(hardware.dram_bytes_denominator);
    const double busy = bytes / dram;
    if (hardware.refresh_interval == 0) return busy;
    const auto pause = static_cast<double>(hardware.precharge_cycles + hardware.refresh_cycles), interval = static_cast<double>(hardware.refresh_interval);
    return pause >= interval ? busy : std::max(busy, (busy - 2 * pause) / (1 - pause / interval));
}

/// Bytes that cross the ports one way, and the DRAM bus in whole granules.
struct Bytes {
    double payload = 0, bus = 0;
    friend Bytes operator+(const Bytes& a, const Bytes& b) noexcept { return {a.payload + b.payload, a.bus + b.bus}; }
    friend Bytes operator-(const Bytes& a, const Bytes& b) noexcept { return {a.payload - b.payload, a.bus - b.bus}; }
    friend Bytes operator*(double times, const Bytes& b) noexcept { return {times * b.payload, times * b.bus}; }
};

double memory_cycles(const Hardware& hardware, const Bytes& read, const Bytes& written) {
    const auto ports = static_cast<double>(hardware.ports) * hardware.port_bytes;
    return std::max({bus_cycles(hardware, read.bus + written.bus), read.payload / ports, written.payload / ports});
}

/// The same where it adds up with other work, in which refreshes may hide.
double transfer_cycles(Hardware hardware, const Bytes& read, const Bytes& written) {
    hardware.refresh_interval = 0;
    return memory_cycles(hardware, read, written);
}

/// An operand that is read once. Constants that a neighbour may fetch do not count.
Bytes bytes_of(const Hardware& hardware, const models::Graph& graph, const Program& program, const OperandSource& operand) {
    if (operand.map) {
        std::int64_t words = 0, row = 0;  // a map may read a part of its sources, or the same word for several rows
        for (auto source : operand.map->sources()) words += graph.value(source).shape.num_elements(), row = std::max(row, row_length(graph.value(source)));
        words = std::min(words, operand.map->batches() * operand.map->rows() * operand.map->depth());
        const auto payload = static_cast<double>(words) * operand.bits / 8.0;
        const auto run = operand.map->run();
        if (run >= row || operand.map->gathers_patches()) return {payload, payload};
        // Heads lie apart: every run of theirs takes whole granules.
        const auto granules = ceil_div(std::max<std::int64_t>(run * operand.bits / 8, 1), hardware.granule_bytes);
        return {payload, std::max(payload, static_cast<double>(words / run * granules * hardware.granule_bytes))};
    }
    if (operand.resident || hardware.layer_overlap || operand.kind != OperandSource::Kind::weights) return {};
    const auto payload = static_cast<double>(program.cols * operand.row_words) * operand.bits / 8.0;
    return {payload, payload};
}

double share_of(std::int64_t capacity_bits, double bits) { return bits > 0 ? static_cast<double>(capacity_bits) / bits : std::numeric_limits<double>::infinity(); }

double tiles_of(std::int64_t extent, double largest) { return std::ceil(static_cast<double>(extent) / std::clamp(largest, 1.0, static_cast<double>(extent)) - 1e-9); }

/// Bytes of both operands of a product that cross the bus when tiles of `slots` slots fit the buffers: with whole K one of them comes once and the
/// other for every tile of the first, unless it is a single tile; with K in parts both come again, and tiles of r x c outputs cannot be large both ways:
///   left N/c + right M/r >= 2 sqrt(left right M N / (r c))
struct ProductBytes {
    Bytes left, right;                                   ///< once
    double left_bits = 0, right_bits = 0, sum_bits = 0;  ///< of a word, and of an output in the partial-sum buffer

    /// Tiles that one of the operands comes in, at least.
    [[nodiscard]] double loads(const Hardware& hardware, bool swap) const {
        const auto weights = swap ? left.payload : right.payload, activations = swap ? right.payload : left.payload;
        return std::ceil(std::max({1.0, 8 * weights / static_cast<double>(hardware.weight_bits), 8 * activations / static_cast<double>(hardware.activation_bits)}) - 1e-9);
    }
    [[nodiscard]] Bytes moved(const Hardware& hardware, const Program& program, int slots, bool swap) const {
        const auto left_capacity = (swap ? hardware.weight_bits : hardware.activation_bits) / slots, right_capacity = (swap ? hardware.activation_bits : hardware.weight_bits) / slots,
                   sum_capacity = hardware.partial_sum_bits / slots;
        const auto depth = static_cast<double>(program.depth), rows = static_cast<double>(program.rows), cols = static_cast<double>(program.cols);
        const double outputs = std::max(share_of(sum_capacity, sum_bits), 1.0);  // of a tile
        const double whole_rows = std::min(share_of(left_capacity, depth * left_bits), outputs), whole_cols = std::min(share_of(right_capacity, depth * right_bits), outputs);
        const auto least = [&](double left_once, double right_once) {
            const double once = left_once + right_once;
            double result = outputs >= rows * cols ? once : std::max(once, 2 * std::sqrt(left_once * right_once * rows * cols / outputs));
            if (whole_rows < 1 || whole_cols < 1) return result;
            result = std::min(result, left_once + right_once * (whole_cols >= cols ? 1 : tiles_of(program.rows, whole_rows)));
            return std::min(result, right_once + left_once * (whole_rows >= rows ? 1 : tiles_of(program.cols, whole_cols)));
        };
        return {least(left.payload, right.payload), least(left.bus, right.bus)};
    }
};

double post_bound(const PeShape& pe, std::int64_t rows, std::int64_t cols) { return static_cast<double>(post_cycles(pe, false, rows, cols)); }

int score_bits(const models::Graph& graph, const quant::FormatPlan& plan, const Segment& segment) {
    const auto& softmax = graph.node(segment.softmax);
    return std::max(plan.format(graph.value(softmax.inputs[0]).name).bits, plan.format(graph.value(softmax.output).name).bits);
}

std::int64_t terms_per_row(const models::Graph& graph, const Program& program) {
    if (program.segment.relative < 0) return 0;
    const auto& op = std::get<models::RelativePosition>(graph.node(program.segment.relative).op);
    return op.height + op.width;
}

}  // namespace

Cycle lower_bound(const Hardware& hardware, const models::Graph& graph, const quant::FormatPlan& plan, const Program& program, int least_slots) {
    const auto& pe = hardware.pe;
    const auto& segment = program.segment;
    const auto produced = static_cast<double>(packed_bytes(graph.value(segment.output), plan.format(graph.value(segment.output).name).bits));
    const Bytes written{produced, produced};
    Bytes read;  // what a resize crops, it does not read
    if (segment.kind != SegmentKind::resize && segment.kind != SegmentKind::prompt)
        for (const auto& operand : program.operands) read = read + bytes_of(hardware, graph, program, operand);
    const auto batch = static_cast<double>(program.batch);
    const auto words = static_cast<double>(program.rows) * static_cast<double>(program.cols);
    // The array's last sums go through the post unit.
    const auto sums_leave = static_cast<double>(pe_latency(pe) + 1 + PostUnit::kLatency);
    // The first word is there once its row is open and it has come through the interconnect; whatever works on it, the last one leaves that way, too.
    const auto first = static_cast<double>(hardware.activate_cycles + hardware.latency_cycles), last = static_cast<double>(hardware.latency_cycles);
    double bound = memory_cycles(hardware, read, written) + first;
    const auto at_least = [&](double cycles) { bound = std::max(bound, first + cycles + last); };
    // A row-wise unit with one slot has neither its next rows nor a place for their results before it is done with those it has.
    // With two it has its first tile before it begins, and the last one leaves when it is done.
    const auto tile = static_cast<double>(std::max<std::int64_t>(program.mapping.tile_rows, 1)), rows = static_cast<double>(program.rows);
    const auto last_tile = rows - (std::ceil(rows / tile) - 1) * tile;
    const double row_waits = hardware.slots > 1 ? transfer_cycles(hardware, tile / rows * read, {}) + transfer_cycles(hardware, {}, last_tile / rows * written)
                                                : std::max(transfer_cycles(hardware, read, written) + (std::ceil(rows / tile) - 1) * last - first - last, 0.0);
    const bool relative = segment.relative >= 0;
    const auto relative_cycles = [&] {
        return relative ? array_cycles(pe, program.products.back().form, false, false, {program.rows, program.table_rows, program.depth}) : 0.0;
    };
    const auto relative_post = [&] { return relative ? post_bound(pe, program.rows, terms_per_row(graph, program)) : 0.0; };

    switch (segment.kind) {
        case SegmentKind::contraction: {
            const auto& form = program.products[0].form;
            const auto& sums = plan.contraction(graph.node(segment.main).name);
            const ProductBytes bytes{.left = bytes_of(hardware, graph, program, program.operands[0]),
                                     .right = bytes_of(hardware, graph, program, program.operands[1]),
                                     .left_bits = static_cast<double>(form.left_word_bits),
                                     .right_bits = static_cast<double>(form.right_bits),
                                     .sum_bits = static_cast<double>(sums.accumulator_bits) * form.num_sums()};
            double best = std::numeric_limits<double>::infinity();
            for (const auto [weight_stationary, swap] : roles_of(hardware, form, !relative)) {
                const double compute = batch * (array_cycles(pe, form, weight_stationary, swap, {program.rows, program.cols, program.depth}) + relative_cycles());
                const double post = batch * (static_cast<double>(post_cycles(pe, swap, program.rows, program.cols) * form.num_sums()) + relative_post());
                for (int slots = least_slots; slots <= hardware.slots; ++slots) {
                    const auto operands = bytes.moved(hardware, program, slots, swap);
                    const double memory = memory_cycles(hardware, read - bytes.left - bytes.right + operands, written);
                    // With one slot the array waits for its sums to leave and for its next operands, which may happen side by side.
                    const double waits = slots > 1 ? 0 : std::max(post, transfer_cycles(hardware, operands, {}) + (bytes.loads(hardware, swap) - 1) * last);
                    best = std::min(best, std::max({compute + waits + sums_leave, post, memory - last}));
                }
            }
            at_least(best);
            if (program.table_in_post) at_least(batch * words / hardware.gelu_lanes);
            break;
        }
        case SegmentKind::attention: {
            const auto head_dim = program.depth;
            const bool recompute = hardware.attention == AttentionFusion::fused_recompute;
            const double passes = recompute ? program.softmax.count : 1;
            const double array = passes * array_cycles(pe, program.products[0].form, false, false, {program.rows, program.cols, head_dim}) +
                                 array_cycles(pe, program.products[1].form, false, false, {program.rows, head_dim, program.cols}) + relative_cycles();
            const double post = static_cast<double>(post_cycles(pe, false, program.rows, program.cols) * (recompute ? program.softmax.count : 1) * program.products[0].form.num_sums() +
                                                    post_cycles(pe, false, program.rows, head_dim) * program.products[1].form.num_sums()) + relative_post();
            const auto softmax = passes * static_cast<double>(program.rows * ceil_div(program.cols, hardware.softmax_lanes)) +
                                 static_cast<double>(program.rows * std::max<std::int64_t>(program.softmax.threshold_cycles - ceil_div(program.cols, hardware.softmax_lanes), 0));
            const auto keys = bytes_of(hardware, graph, program, program.operands[1]), values = bytes_of(hardware, graph, program, program.operands[2]);
            const auto scores = static_cast<double>(program.cols) * score_bits(graph, plan, segment) + static_cast<double>(terms_per_row(graph, program)) * 32;
            if (recompute) {  // keys and values stream for every query tile; how many fit is not told by rows of scores
                const double memory = memory_cycles(hardware, read, written);
                const double work = hardware.slots > 1 ? std::max(array, softmax) : array;
                at_least(std::max({batch * work + sums_leave, batch * post, memory - last}));
                break;
            }
            const bool resident = 8 * (keys + values).payload / batch <= static_cast<double>(hardware.weight_bits);
            double best = std::numeric_limits<double>::infinity();
            for (int score_slots = 1; score_slots <= (hardware.slots > 1 ? kMaxScoreSlots : 1); ++score_slots) {
                const double loads = resident ? 1 : tiles_of(program.rows, share_of(hardware.score_bits / score_slots, scores));
                const double memory = memory_cycles(hardware, read + (loads - 1) * (keys + values), written);
                // With one query tile on chip array and softmax unit take turns; with one slot of sums, keys and values the array waits for the post
                // unit, and for every second load of them at least.
                double work = score_slots > 1 ? std::max(array, softmax) : array + softmax;
                if (hardware.slots == 1) work += std::max(post, resident ? 0 : transfer_cycles(hardware, loads / 2 * (keys + values), {}) / batch);
                best = std::min(best, std::max({batch * work + sums_leave, batch * post, memory - last}));
            }
            at_least(best);
            break;
        }
        case SegmentKind::softmax:
            at_least(row_waits + static_cast<double>(SoftmaxUnit::cycles(program.rows, program.cols, program.softmax, hardware.softmax_lanes, plan.exponential)));
            break;
        case SegmentKind::layer_norm: {
            const auto root = LayerNormUnit::timing(plan.root, hardware.layernorm_dividers);
            at_least(row_waits + static_cast<double>(LayerNormUnit::cycles(program.rows, program.cols, hardware.layernorm_lanes, root, program.gather_conflicts)));
            break;
        }
        case SegmentKind::elementwise: {
            const auto& op = graph.node(segment.main).op;
            at_least(row_waits + words / static_cast<double>(pe.post_lanes()) + static_cast<double>(program.gather_conflicts * program.rows));
            if (!std::holds_alternative<models::Add>(op) && !std::holds_alternative<models::Requantize>(op)) at_least(row_waits + words / hardware.gelu_lanes);
            break;
        }
        case SegmentKind::resize: at_least(row_waits + words * kResizeCyclesPerElement / static_cast<double>(pe.post_lanes())); break;
        case SegmentKind::prompt: at_least(row_waits + words * kPromptCyclesPerElement / static_cast<double>(pe.post_lanes())); break;
    }
    return static_cast<Cycle>(std::floor(bound));
}

}  // namespace prelude::sim
