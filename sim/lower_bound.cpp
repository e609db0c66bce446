// SPDX-License-Identifier: Apache-2.0
#include "sim/lower_bound.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "sim/datapath/layernorm_unit.hpp"
#include "sim/mapping/search.hpp"
#include "sim/segment_runner.hpp"

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

/// Bytes that have to move: read (of these, operands of the array) and written.
struct Traffic {
    double read = 0, operands = 0, written = 0;
};

double memory_cycles(const Hardware& hardware, const Traffic& traffic) {
    const auto ports = static_cast<double>(hardware.ports) * hardware.port_bytes;
    return std::max({bus_cycles(hardware, traffic.read + traffic.written), traffic.read / ports, traffic.written / ports});
}

/// Every value read and written once. Constants that a neighbour may fetch do not count.
Traffic traffic_of(const Hardware& hardware, const models::Graph& graph, const Program& program, const SegmentStats& stats) {
    Traffic traffic{.read = 0, .operands = 0, .written = static_cast<double>(stats.bytes_produced)};
    const bool contraction = program.segment.kind == SegmentKind::contraction;
    for (std::size_t i = 0; i < program.operands.size(); ++i) {
        const auto& operand = program.operands[i];
        double bytes = 0;
        if (operand.map) {
            // A map may read a part of its sources, or the same word for several rows.
            std::int64_t words = 0;
            for (auto source : operand.map->sources()) words += graph.value(source).shape.num_elements();
            const auto read = operand.map->batches() * operand.map->rows() * operand.map->depth();
            bytes = operand.map->overlaps() || operand.map->gathers_patches() ? 0 : static_cast<double>(std::min(words, read)) * operand.bits / 8.0;
        } else if (!operand.resident && !hardware.layer_overlap && operand.kind == OperandSource::Kind::weights) {
            bytes = static_cast<double>(program.cols * operand.row_words) * operand.bits / 8.0;
        }
        traffic.read += bytes;
        if (contraction && i < 2) traffic.operands += bytes;
    }
    return traffic;
}


double post_bound(const PeShape& pe, std::int64_t rows, std::int64_t cols) { return static_cast<double>(post_cycles(pe, false, rows, cols)); }

std::int64_t terms_per_row(const models::Graph& graph, const Program& program) {
    if (program.segment.relative < 0) return 0;
    const auto& op = std::get<models::RelativePosition>(graph.node(program.segment.relative).op);
    return op.height + op.width;
}

}  // namespace

Cycle lower_bound(const Hardware& hardware, const models::Graph& graph, const quant::FormatPlan& plan, const Program& program) {
    const auto& pe = hardware.pe;
    const auto& segment = program.segment;
    const auto stats = describe(graph, plan, program);
    const auto traffic = traffic_of(hardware, graph, program, stats);
    const auto memory = memory_cycles(hardware, traffic);
    const auto batch = static_cast<double>(program.batch);
    const auto words = static_cast<double>(program.rows) * static_cast<double>(program.cols);
    double bound = memory;
    const auto at_least = [&](double cycles) { bound = std::max(bound, cycles); };
    const bool relative = segment.relative >= 0;
    const auto relative_cycles = [&] {
        return relative ? array_cycles(pe, program.products.back().form, false, false, {program.rows, program.table_rows, program.depth}) : 0.0;
    };
    const auto relative_post = [&] { return relative ? post_bound(pe, program.rows, terms_per_row(graph, program)) : 0.0; };

    switch (segment.kind) {
        case SegmentKind::contraction: {
            const auto& form = program.products[0].form;
            double best = std::numeric_limits<double>::infinity();
            for (const auto [weight_stationary, swap] : roles_of(hardware, form, !relative)) {
                const double compute = batch * (array_cycles(pe, form, weight_stationary, swap, {program.rows, program.cols, program.depth}) + relative_cycles());
                const double post = batch * (static_cast<double>(post_cycles(pe, swap, program.rows, program.cols) * form.num_sums()) + relative_post());
                const double loads = hardware.slots > 1 ? 0 : memory_cycles(hardware, {.read = traffic.operands});
                best = std::min(best, std::max(compute + loads, post));
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
            at_least(batch * std::max(array, post));
            at_least(batch * static_cast<double>(program.rows * std::max(ceil_div(program.cols, hardware.softmax_lanes), program.softmax.threshold_cycles)));
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
