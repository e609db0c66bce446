// SPDX-License-Identifier: Apache-2.0
#include "sim/mapping/build_program.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <numeric>
#include <set>

#include "models/overloaded.hpp"
#include "quant/arithmetic/softmax.hpp"
#include "quant/value_classes.hpp"

namespace prelude::sim {

namespace {

constexpr std::int16_t kPrefetchSlot = 5;

std::string describe(const models::Operator& op) {
    return std::visit(
        models::Overloaded{
            [](const models::Rearrange& r) {
                return fmt::format("rearrange {} {} {} {} {} {}", r.view.to_string(), r.slice_axis.value_or(99), r.slice_begin,
                                   r.slice_count, fmt::join(r.order, ","), r.result.to_string());
            },
            [](const models::WindowPartition& w) { return fmt::format("partition {} {} {}", w.height, w.width, w.window); },
            [](const models::WindowUnpartition& w) { return fmt::format("unpartition {} {} {}", w.height, w.width, w.window); },
            [](const models::Concat& c) { return fmt::format("concat {}", c.axis); },
            [](const models::Conv& c) {
                return fmt::format("conv {} {} {} {} {}", c.in_channels, c.out_channels, c.kernel, c.stride, c.padding);
            },
            [](const models::ConvTranspose& c) { return fmt::format("up {} {} {}", c.in_channels, c.out_channels, c.kernel); },
            [](const models::Resize& r) { return fmt::format("resize {} {} {} {}", r.height, r.width, r.crop_height, r.crop_width); },
            [](const auto& other) { return std::string(models::operator_name(models::Operator(other))); }},
        op);
}

std::string describe(const quant::Format& format) {
    return fmt::format("{}:{}:{}:{}:{}:{}:{}:[{}]:[{}]", static_cast<int>(format.kind), format.bits, static_cast<int>(format.code), format.tau, format.shift_cap,
                       format.entry_bits, static_cast<int>(format.scale), fmt::join(format.group_sizes, ","), fmt::join(format.group_of, ""));
}

/// Everything the cycles of a segment depend on, hardware apart: operators, shapes, formats and address maps around its nodes.
class KeyWriter {
  public:
    KeyWriter(const models::Graph& graph, const quant::FormatPlan& plan) : graph_(graph), plan_(plan) {}

    std::string write(const Segment& segment) {
        key_ = fmt::format("{} {} {} {} {}", static_cast<int>(segment.kind), segment.operator_name, static_cast<int>(plan_.exponential), static_cast<int>(plan_.root),
                           plan_.float_block);
        for (auto id : {segment.main, segment.relative, segment.softmax, segment.weighted}) {
            if (id >= 0) add(graph_.node(id));
        }
        for (auto id : segment.post) add(graph_.node(id));
        key_ += "\nout " + value(segment.output);
        return std::move(key_);
    }

  private:
    void add(const models::Node& node) {
        key_ += "\n" + describe(node.op);
        for (auto input : node.inputs) key_ += value(input);
        key_ += " ->" + value(node.output);
        const auto found = plan_.contractions.find(node.name);
        if (found == plan_.contractions.end()) return;
        const auto& c = found->second;
        key_ += fmt::format(" {}x{} [{}] {} {} {} {} {} {} {}", c.left_bits, c.right_bits, fmt::join(c.term_sizes, ","), static_cast<int>(c.left),
                            c.factor_bits, c.shift, c.right_symmetric, c.product_bits, c.accumulator_bits, c.shifted_terms);
    }

    /// A value by order of appearance, so that equal blocks have equal keys; the movement that leads to it in full.
    std::string value(models::ValueId id) {
        const auto [entry, is_new] = local_.emplace(id, local_.size());
        auto text = fmt::format(" v{}", entry->second);
        if (!is_new) return text;
        const auto& stored = graph_.value(id);
        text += fmt::format("={}@{}", stored.shape.to_string(), describe(plan_.format(stored.name)));
        const auto* producer = graph_.producer(id);
        if (producer && quant::is_movement(producer->op)) {
            text += " by " + describe(producer->op);
            for (auto input : producer->inputs) text += value(input);
        }
        return text;
    }

    const models::Graph& graph_;
    const quant::FormatPlan& plan_;
    std::map<models::ValueId, std::size_t> local_;
    std::string key_;
};

/// DRAM regions: sources of every operand, then the output.
void list_values(Program& program) {
    const auto add = [&](models::ValueId id) {
        if (id >= 0 && std::ranges::find(program.values, id) == program.values.end()) program.values.push_back(id);
    };
    for (const auto& operand : program.operands) {
        if (!operand.map) continue;
        for (auto source : operand.map->sources()) add(source);
    }
    add(program.segment.output);
}

}  // namespace

SoftmaxStages softmax_stages(const quant::Format& probabilities) noexcept {
    if (probabilities.kind == quant::FormatKind::floating) return {.count = 3};
    const bool by_row = probabilities.scale == quant::ScaleMode::row;
    if (probabilities.code == quant::OperandKind::logarithmic && by_row) return {.count = 2};
    if (by_row || probabilities.bits > quant::kMaxComparedBits) return {.count = 3};
    return {.count = 3, .threshold_cycles = std::int64_t{1} << (probabilities.bits - 1)};
}

ProductForm product_form(const BuildContext& context, const models::Node& node) {
    const auto& plan = context.plan.contraction(node.name);
    using quant::OperandKind;
    const bool has_terms_of_k = plan.left == OperandKind::uniform;  // those of a code are sums over all of K
    const bool has_factors = plan.left == OperandKind::hybrid || plan.left == OperandKind::table;
    ProductForm form{.left_bits = has_factors ? plan.factor_bits : plan.left_bits, .right_bits = plan.right_bits, .left_word_bits = plan.left_bits};
    const bool relative = std::holds_alternative<models::RelativePosition>(node.op);
    const auto& left = context.plan.format(context.graph.value(node.inputs[relative ? 1 : 0]).name);
    form.left_is_log = plan.left == OperandKind::logarithmic || plan.left == OperandKind::companded || (!has_terms_of_k && !plan.term_sizes.empty());
    form.has_steps = form.left_is_log && plan.left == OperandKind::hybrid;
    form.log_shift = plan.shift + (plan.left == OperandKind::companded && plan.term_sizes.size() > 1 ? 1 : 0);
    form.left_zero_point = left.kind == quant::FormatKind::code;
    form.right_zero_point = !plan.right_symmetric;
    form.float_block = context.plan.float_block;
    if (!has_terms_of_k) {
        if (!form.has_steps) form.num_residues = std::max<int>(1, static_cast<int>(plan.term_sizes.size()));
    } else if (plan.term_sizes.size() > 1) {
        std::int64_t taps = 1;
        if (const auto* conv = std::get_if<models::Conv>(&node.op)) taps = conv->kernel * conv->kernel;
        form.prescaled = static_cast<std::int64_t>(plan.term_sizes.size()) * taps == plan.depth;
        form.term_ends.resize(plan.term_sizes.size());
        std::partial_sum(plan.term_sizes.begin(), plan.term_sizes.end(), form.term_ends.begin());
        if (form.prescaled) form.term_ends.clear();
        form.shifted_terms = plan.shifted_terms;
    }
    return form;
}

std::string segment_key(const models::Graph& graph, const quant::FormatPlan& plan, const Segment& segment) {
    return KeyWriter(graph, plan).write(segment);
}

void overlap(Program& program, bool has_predecessor, const Program* next) {
    const auto is_constant = [](const Program& owner, const Command& load) {
        return owner.operands[static_cast<std::size_t>(load.operand)].kind != OperandSource::Kind::value;
    };
    auto& loads = program.stream(UnitId::weight_dma);
    if (has_predecessor && !loads.empty() && is_constant(program, loads.front())) loads.front().prefetched = true;
    if (!next) return;
    for (auto unit :
         {UnitId::weight_dma, UnitId::activation_dma}) {  // swapped operands load weights through the activation engine's stream too
        const auto& stream = next->stream(unit);
        if (stream.empty() || !is_constant(*next, stream.front()) ||
            next->operands[static_cast<std::size_t>(stream.front().operand)].resident)
            continue;
        const auto& first = stream.front();
        const auto bits = first.rows.size() * first.depth.size() * next->operands[static_cast<std::size_t>(first.operand)].bits;
        Command fetch{.opcode = Opcode::load,
                      .operand = static_cast<std::int8_t>(program.operands.size()),
                      .target = {BufferId::weight, kPrefetchSlot},
                      .extra_bytes = (bits + 7) / 8 + first.extra_bytes};
        program.operands.push_back({.kind = OperandSource::Kind::weights,
                                    .row_words = 0,
                                    .node = first.operand >= 0 ? next->operands[static_cast<std::size_t>(first.operand)].node : -1});
        if (!loads.empty() && loads.back().acquire.count > 0) fetch.acquire = loads.back().acquire;
        loads.push_back(fetch);
        break;
    }
}

std::int64_t weight_bits_of(const models::Graph& graph, const quant::FormatPlan& plan, const std::vector<models::Part>& parts) {
    std::int64_t bits = 0;
    for (const auto& node : graph.nodes()) {
        const auto found = plan.contractions.find(node.name);
        if (found == plan.contractions.end() || std::ranges::find(parts, node.part) == parts.end() ||
            std::holds_alternative<models::MatMul>(node.op))
            continue;
        bits += models::num_parameters(graph, node) * found->second.right_bits;
    }
    return bits;
}

std::int64_t channel_constant_bytes(const quant::FormatPlan& plan, bool is_norm) noexcept {
    constexpr std::int64_t kFloat = 4, kInteger = 11;  // multiplier 17 bits, offset 48, shift 6, zero point 17
    return plan.is_floating() ? (is_norm ? 2 : 1) * kFloat : kInteger;
}

Program build_program(const BuildContext& context, const Segment& segment) {
    auto program = segment.kind == SegmentKind::contraction ? build_product(context, segment)
                   : segment.kind == SegmentKind::attention ? build_attention(context, segment)
                                                            : build_rows(context, segment);
    program.segment = segment;
    program.output_bits = context.plan.format(context.graph.value(segment.output).name).bits;
    for (auto id : segment.nodes) program.useful_macs += models::num_macs(context.graph, context.graph.node(id));
    list_values(program);
    return program;
}

}  // namespace prelude::sim
