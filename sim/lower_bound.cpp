// SPDX-License-Identifier: Apache-2.0
#include "sim/lower_bound.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "sim/datapath/layernorm_unit.hpp"
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

double memory_cycles(const Hardware& hardware, double read, double written) {
    const auto ports = static_cast<double>(hardware.ports) * hardware.port_bytes;
    return std::max({bus_cycles(hardware, read + written), read / ports, written / ports});
}

/// Bytes of an operand that is read once. Constants that a neighbour may fetch, and words that several rows of a convolution share, do not count.
double bytes_of(const Hardware& hardware, const models::Graph& graph, const Program& program, const OperandSource& operand) {
    if (operand.map) {
        if (operand.map->overlaps() || operand.map->gathers_patches()) return 0;
        std::int64_t words = 0;  // a map may read a part of its sources, or the same word for several rows
        for (auto source : operand.map->sources()) words += graph.value(source).shape.num_elements();
        return static_cast<double>(std::min(words, operand.map->batches() * operand.map->rows() * operand.map->depth())) * operand.bits / 8.0;
    }
    if (operand.resident || hardware.layer_overlap || operand.kind != OperandSource::Kind::weights) return 0;
    return static_cast<double>(program.cols * operand.row_words) * operand.bits / 8.0;
}

double share_of(std::int64_t capacity_bits, double bits) { return bits > 0 ? static_cast<double>(capacity_bits) / bits : std::numeric_limits<double>::infinity(); }

double tiles_of(std::int64_t extent, double largest) { return std::ceil(static_cast<double>(extent) / std::clamp(largest, 1.0, static_cast<double>(extent)) - 1e-9); }

/// Bytes of both operands of a product that cross the bus when tiles of `slots` slots fit the buffers: with whole K one of them comes once and the
/// other for every tile of the first, unless it is a single tile; with K in parts both come again, and tiles of r x c outputs cannot be large both ways:
///   left N/c + right M/r >= 2 sqrt(left right M N / (r c))
struct ProductBytes {
    double left = 0, right = 0;      ///< once
    double left_bits = 0, right_bits = 0, sum_bits = 0;  ///< of a word, and of an output in the partial-sum buffer

    [[nodiscard]] double moved(const Hardware& hardware, const Program& program, int slots, bool swap) const {
        const auto left_capacity = (swap ? hardware.weight_bits : hardware.activation_bits) / slots, right_capacity = (swap ? hardware.activation_bits : hardware.weight_bits) / slots,
                   sum_capacity = hardware.partial_sum_bits / slots;
        const auto depth = static_cast<double>(program.depth), rows = static_cast<double>(program.rows), cols = static_cast<double>(program.cols);
        const double outputs = share_of(sum_capacity, sum_bits);  // of a tile
        double least = std::max(left + right, 2 * std::sqrt(left * right * rows * cols / std::max(outputs, 1.0)));
        if (outputs >= rows * cols) least = left + right;
        const double whole_rows = std::min(share_of(left_capacity, depth * left_bits), outputs), whole_cols = std::min(share_of(right_capacity, depth * right_bits), outputs);
        if (whole_rows >= 1 && whole_cols >= 1) {
            const bool rows_in_one = whole_rows >= rows, cols_in_one = whole_cols >= cols;
            const double rows_outer = left + right * (cols_in_one ? 1 : tiles_of(program.rows, whole_rows)), cols_outer = right + left * (rows_in_one ? 1 : tiles_of(program.cols, whole_cols));
            least = std::min({least, rows_outer, cols_outer});
        }
        return least;
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

Cycle lower_bound(const Hardware& hardware, const models::Graph& graph, const quant::FormatPlan& plan, const Program& program) {
    const auto& pe = hardware.pe;
    const auto& segment = program.segment;
    const auto written = static_cast<double>(packed_bytes(graph.value(segment.output), plan.format(graph.value(segment.output).name).bits));
    double read = 0;
    for (const auto& operand : program.operands) read += bytes_of(hardware, graph, program, operand);
    const auto batch = static_cast<double>(program.batch);
    const auto words = static_cast<double>(program.rows) * static_cast<double>(program.cols);
    // The first word is there once its row is open and it has come through the interconnect; whatever works on it, the last one leaves that way, too.
    const auto first = static_cast<double>(hardware.activate_cycles + hardware.latency_cycles), last = static_cast<double>(hardware.latency_cycles);
    double bound = memory_cycles(hardware, read, written) + first;
    const auto at_least = [&](double cycles) { bound = std::max(bound, first + cycles + last); };
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
                for (int slots = 1; slots <= hardware.slots; ++slots) {
                    const double operands = bytes.moved(hardware, program, slots, swap);
                    const double memory = memory_cycles(hardware, read - bytes.left - bytes.right + operands, written);
                    best = std::min(best, std::max({slots > 1 ? compute : compute + memory_cycles(hardware, operands, 0), post, memory - last}));
                }
            }
            at_least(best);
            if (program.table_in_post) at_least(batch * words / hardware.gelu_lanes);
            break;
        }
        case SegmentKind::attention: {
            const auto head_dim = program.depth;
            const double array = array_cycles(pe, program.products[0].form, false, false, {program.rows, program.cols, head_dim}) +
                                 array_cycles(pe, program.products[1].form, false, false, {program.rows, head_dim, program.cols}) + relative_cycles();
            const double post = static_cast<double>(post_cycles(pe, false, program.rows, program.cols) * program.products[0].form.num_sums() +
                                                    post_cycles(pe, false, program.rows, head_dim) * program.products[1].form.num_sums()) + relative_post();
            const auto softmax = static_cast<double>(program.rows * std::max(ceil_div(program.cols, hardware.softmax_lanes), program.softmax.threshold_cycles));
            const double keys = bytes_of(hardware, graph, program, program.operands[1]), values = bytes_of(hardware, graph, program, program.operands[2]);
            const auto scores = static_cast<double>(program.cols) * score_bits(graph, plan, segment) + static_cast<double>(terms_per_row(graph, program)) * 32;
            const bool resident = 8 * (keys + values) / batch <= static_cast<double>(hardware.weight_bits);
            double best = std::numeric_limits<double>::infinity();
            for (int score_slots = 1; score_slots <= (hardware.slots > 1 ? kMaxScoreSlots : 1); ++score_slots) {
                const double loads = resident ? 1 : tiles_of(program.rows, share_of(hardware.score_bits / score_slots, scores));
                const double memory = memory_cycles(hardware, read + (loads - 1) * (keys + values), written);
                // With one query tile on chip array and softmax unit take turns; with one tile of keys and one of values the array waits for every
                // second load of them at least.
                double work = score_slots > 1 ? std::max(array, softmax) : array + softmax;
                if (hardware.slots == 1 && !resident) work += memory_cycles(hardware, loads * (keys + values) / 2, 0) / batch;
                best = std::min(best, std::max({batch * work, batch * post, memory - last}));
            }
            at_least(best);
            break;
        }
        case SegmentKind::softmax:
            at_least(static_cast<double>(program.rows * std::max(ceil_div(program.cols, hardware.softmax_lanes), program.softmax.threshold_cycles)));
            break;
        case SegmentKind::layer_norm: {
            const auto root = LayerNormUnit::timing(plan.root, hardware.layernorm_dividers);
            at_least(static_cast<double>(program.rows * std::max(ceil_div(program.cols, hardware.layernorm_lanes) + program.gather_conflicts, root.interval)));
            break;
        }
        case SegmentKind::elementwise: {
            const auto& op = graph.node(segment.main).op;
            at_least(words / static_cast<double>(pe.post_lanes()) + static_cast<double>(program.gather_conflicts * program.rows));
            if (!std::holds_alternative<models::Add>(op) && !std::holds_alternative<models::Requantize>(op)) at_least(words / hardware.gelu_lanes);
            break;
        }
        case SegmentKind::resize: at_least(words * kResizeCyclesPerElement / static_cast<double>(pe.post_lanes())); break;
        case SegmentKind::prompt: at_least(words * kPromptCyclesPerElement / static_cast<double>(pe.post_lanes())); break;
    }
    return static_cast<Cycle>(std::floor(bound));
}

}  // namespace prelude::sim
