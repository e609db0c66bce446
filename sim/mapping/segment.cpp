// SPDX-License-Identifier: Apache-2.0
#include "sim/mapping/segment.hpp"

#include <algorithm>
#include <set>

#include "quant/value_classes.hpp"
#include "sim/mapping/address_map.hpp"

namespace prelude::sim {

using models::Graph;
using models::Node;
using models::NodeId;
using models::ValueId;

namespace {

template <class Op>
bool is(const Node& node) noexcept {
    return std::holds_alternative<Op>(node.op);
}

bool is_constant(const Node& node) noexcept {
    return is<models::Parameter>(node) || is<models::DensePositionCode>(node);
}

/// The only consumer of a value.
const Node* only_consumer(const Graph& graph, ValueId value) {
    const auto users = graph.consumers(value);
    return users.size() == 1 ? &graph.node(users[0]) : nullptr;
}

NodeId id_of(const Graph& graph, const Node& node) {
    return *graph.value(node.output).producer;
}

/// QK^T -> (rel-pos) -> softmax -> PV, each value used once.
std::optional<Segment> attention_core(const Graph& graph, const Node& node) {
    if (!is<models::MatMul>(node) || !std::get<models::MatMul>(node.op).transpose_right) return std::nullopt;
    Segment segment{
        .name = node.name, .kind = SegmentKind::attention, .operator_name = "attention", .part = node.part, .block = node.block};
    segment.main = id_of(graph, node);
    const Node* next = only_consumer(graph, node.output);
    if (next && is<models::RelativePosition>(*next)) {
        segment.relative = id_of(graph, *next);
        next = only_consumer(graph, next->output);
    }
    if (!next || !is<models::Softmax>(*next)) return std::nullopt;
    segment.softmax = id_of(graph, *next);
    next = only_consumer(graph, next->output);
    if (!next || !is<models::MatMul>(*next)) return std::nullopt;
    segment.weighted = id_of(graph, *next);
    segment.output = next->output;
    return segment;
}

/// Builds the list while marking nodes as taken.
class Builder {
  public:
    Builder(const Graph& graph, const quant::FormatPlan& plan, const std::vector<models::Part>& parts, const std::vector<NodeId>& fused)
        : graph_(graph), plan_(plan), parts_(parts), fused_(fused.begin(), fused.end()), taken_(graph.nodes().size(), false) {}

    Partition run() {
        for (NodeId id = 0; id < static_cast<NodeId>(graph_.nodes().size()); ++id) {
            const auto& node = graph_.node(id);
            if (taken_[index(id)] || !wanted(node) || quant::is_movement(node.op)) continue;
            if (is_constant(node)) {
                taken_[index(id)] = true;
                result_.constants.push_back(
                    {node.name, packed_bytes(graph_.value(node.output), plan_.format(graph_.value(node.output).name).bits)});
            } else {
                build(id, node);
            }
        }
        assign_movement();
        for (auto& segment : result_.segments) std::ranges::sort(segment.nodes);
        return std::move(result_);
    }

  private:
    static std::size_t index(NodeId id) noexcept { return static_cast<std::size_t>(id); }
    bool wanted(const Node& node) const { return std::ranges::find(parts_, node.part) != parts_.end(); }

    void build(NodeId id, const Node& node) {
        if (fused_.contains(id)) {
            auto segment = *attention_core(graph_, node);
            for (auto member : {segment.main, segment.relative, segment.softmax, segment.weighted}) take(segment, member);
            merge_heads(segment);
            result_.segments.push_back(std::move(segment));
            return;
        }
        Segment segment{
            .name = node.name, .operator_name = std::string(models::operator_name(node.op)), .part = node.part, .block = node.block};
        segment.main = id;
        segment.output = node.output;
        take(segment, id);
        if (quant::is_contraction(node.op)) {
            segment.kind = SegmentKind::contraction;
            fuse_post(segment);
        } else if (is<models::LayerNorm>(node)) {
            segment.kind = SegmentKind::layer_norm;
        } else if (is<models::Softmax>(node)) {
            segment.kind = SegmentKind::softmax;
        } else if (is<models::Resize>(node)) {
            segment.kind = SegmentKind::resize;
        } else if (is<models::PromptEmbedding>(node)) {
            segment.kind = SegmentKind::prompt;
        } else if (is<models::Add>(node) || is<models::Requantize>(node) || is<models::Gelu>(node) || is<models::Relu>(node)) {
            segment.kind = SegmentKind::elementwise;
            if (is<models::Add>(node)) segment.residual = node.inputs[1];
        } else {
            models::check(false, node.name + ": the datapath has no unit for " + segment.operator_name);
        }
        result_.segments.push_back(std::move(segment));
    }

    void take(Segment& segment, NodeId id) {
        if (id < 0) return;
        segment.nodes.push_back(id);
        taken_[index(id)] = true;
    }

    /// Rows of a product that a rearrange only permutes are written where the rearrange wants them.
    void merge_heads(Segment& segment) {
        const Node* next = only_consumer(graph_, segment.output);
        if (!next || !is<models::Rearrange>(*next)) return;
        const auto& op = std::get<models::Rearrange>(next->op);
        if (op.slice_axis || op.result.rank() != 3 || op.order.back() + 1 != op.view.rank() ||
            op.view.back() != row_length(graph_.value(segment.output)) || op.result.back() % op.view.back() != 0) {
            return;
        }
        take(segment, id_of(graph_, *next));
        segment.output = next->output;
        result_.written.insert(next->output);
    }

    /// Table, residual addition and relative positions ride on the post unit when nobody else reads what lies between.
    void fuse_post(Segment& segment) {
        const auto& main = graph_.node(segment.main);
        if (is<models::MatMul>(main) && !std::get<models::MatMul>(main.op).transpose_right) merge_heads(segment);
        if (segment.output != main.output) return;
        const Node* next = only_consumer(graph_, segment.output);
        if (next && is<models::RelativePosition>(*next) && next->inputs[0] == segment.output) {
            segment.relative = id_of(graph_, *next);
            take(segment, segment.relative);
            segment.output = next->output;
            return;
        }
        if (next && (is<models::Gelu>(*next) || is<models::Relu>(*next))) {
            append(segment, *next);
            return;
        }
        // A residual add, possibly behind a window unpartition or a change of logical shape that keeps the physical order.
        const Node* moved = nullptr;
        if (next && movement_keeps_rows(main, *next)) {
            moved = next;
            next = only_consumer(graph_, next->output);
        }
        const auto value = moved ? moved->output : segment.output;
        if (!next || !is<models::Add>(*next) || next->inputs[0] == next->inputs[1]) return;
        const auto other = next->inputs[0] == value ? next->inputs[1] : next->inputs[0];
        if (!available(other) || !(graph_.value(other).shape == graph_.value(next->output).shape)) return;
        if (moved) take(segment, id_of(graph_, *moved));
        segment.residual = other;
        append(segment, *next);
    }

    void append(Segment& segment, const Node& node) {
        const auto id = id_of(graph_, node);
        segment.post.push_back(id);
        take(segment, id);
        segment.output = node.output;
    }

    bool movement_keeps_rows(const Node& main, const Node& move) const {
        if (is<models::WindowUnpartition>(move)) return is<models::Linear>(main);
        if (!is<models::Rearrange>(move) || is<models::ConvTranspose>(main)) return false;
        const Layout layout{graph_};
        const AddressMap map(layout, move.output, AddressMap::Access::rows);
        const auto count = graph_.value(move.output).shape.num_elements();
        if (count != graph_.value(main.output).shape.num_elements() || graph_.value(move.output).shape.rank() == 4) return false;
        for (std::int64_t row = 0; row < map.batches() * map.rows(); ++row) {
            for (auto k : {std::int64_t{0}, map.depth() - 1}) {
                if (map.locate(row / map.rows(), row % map.rows(), k).index != row * map.depth() + k) return false;
            }
        }
        return true;
    }

    /// Computed before this point, or never computed by a segment.
    bool available(ValueId value) const {
        const auto& producer = graph_.value(value).producer;
        if (!producer) return true;
        const auto& node = graph_.node(*producer);
        if (is_constant(node)) return true;
        if (quant::is_movement(node.op)) return std::ranges::all_of(node.inputs, [&](ValueId input) { return available(input); });
        return taken_[index(*producer)] || !wanted(node);
    }

    /// A movement node belongs to the first segment that reads through it; one that nobody reads relabels its producer's output.
    void assign_movement() {
        for (NodeId id = static_cast<NodeId>(graph_.nodes().size()); id-- > 0;) {
            const auto& node = graph_.node(id);
            if (taken_[index(id)] || !wanted(node) || !quant::is_movement(node.op)) continue;
            Segment* owner = nullptr;
            for (auto& segment : result_.segments) {
                for (auto member : segment.nodes) {
                    const auto& inputs = graph_.node(member).inputs;
                    if (!owner && std::ranges::find(inputs, node.output) != inputs.end()) owner = &segment;
                }
            }
            for (auto segment = result_.segments.rbegin(); !owner && segment != result_.segments.rend(); ++segment) {
                if (std::ranges::find(node.inputs, segment->output) != node.inputs.end()) owner = &*segment;
            }
            if (owner) {
                take(*owner, id);
            } else {  // only constants and inputs behind it, only other movement before it: a relabelling
                taken_[index(id)] = true;
                result_.constants.push_back({node.name, 0});
            }
        }
    }

    const Graph& graph_;
    const quant::FormatPlan& plan_;
    const std::vector<models::Part>& parts_;
    std::set<NodeId> fused_;
    std::vector<bool> taken_;
    Partition result_;
};

}  // namespace

Partitioner::Partitioner(const Graph& graph, const quant::FormatPlan& plan, std::vector<models::Part> parts)
    : graph_(graph), plan_(plan), parts_(std::move(parts)) {}

std::vector<Segment> Partitioner::attention_candidates(const Graph& graph) {
    std::vector<Segment> found;
    for (const auto& node : graph.nodes()) {
        if (auto segment = attention_core(graph, node)) found.push_back(std::move(*segment));
    }
    return found;
}

Partition Partitioner::run(const std::vector<NodeId>& fused) const {
    return Builder(graph_, plan_, parts_, fused).run();
}

}  // namespace prelude::sim
