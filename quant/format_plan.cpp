// SPDX-License-Identifier: Apache-2.0
#include "quant/format_plan.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>
#include <optional>

#include "models/overloaded.hpp"
#include "quant/glob.hpp"
#include "quant/probability_code.hpp"
#include "quant/value_classes.hpp"

namespace prelude::quant {

using models::Graph;
using models::Node;
using models::NodeId;
using models::Overloaded;
using models::Part;
using models::ValueId;

namespace {

constexpr int kPixelBits = 8, kWideScoreBits = 32, kCoordinateBits = 24, kResizedBits = 22;
constexpr int kWordBits = 63;
constexpr int kMaxHybridBits = 8, kHybridTableBits = 10;

int ceil_log2(std::int64_t v) noexcept { return v <= 1 ? 0 : static_cast<int>(std::bit_width(static_cast<std::uint64_t>(v - 1))); }

bool ends_with_layer(std::string_view node, std::initializer_list<std::string_view> layers) {
    return std::ranges::any_of(layers, [&](std::string_view layer) {
        return node.ends_with(layer) && node.size() > layer.size() && node[node.size() - layer.size() - 1] == '.';
    });
}

/// Upscaling, hypernetworks, IoU head and mask prompts: small, and every mask depends on them.
bool is_tail(std::string_view node) {
    return node.starts_with("decoder.upscaling.") || node.starts_with("decoder.hyper") || node.starts_with("decoder.iou_head.") ||
           node == "decoder.mask_products" || node.starts_with("prompt.mask_downscaling.");
}

class Planner {
  public:
    Planner(const Graph& graph, const Settings& settings) : graph_(graph), settings_(settings), classes_(graph) {
        plan_.assumed = true;
        switch (settings.nonlinear) {
            case Nonlinear::table: break;
            case Nonlinear::ibert: plan_.exponential = Exponential::polynomial, plan_.root = Root::newton; break;
            case Nonlinear::ivit: plan_.exponential = Exponential::shift, plan_.root = Root::repeated; break;
        }
    }

    FormatPlan make() {
        for (ValueId id = 0; id < static_cast<ValueId>(graph_.values().size()); ++id) {
            if (!classes_.is_composite(id)) plan_.formats.emplace(graph_.value(id).name, format_of(classes_.root(id)));
        }
        for (ValueId id = 0; id < static_cast<ValueId>(graph_.values().size()); ++id) {
            if (!classes_.is_composite(id)) continue;
            widen_parts(id);
            plan_.formats.emplace(graph_.value(id).name, composite_format(id));
        }
        for (const auto& node : graph_.nodes()) plan_contraction(node);
        if (!problems_.empty()) throw SettingsError(fmt::format("{}", fmt::join(problems_, "\n")));
        return std::move(plan_);
    }

  private:
    /// Widths of a contraction node: settings, kept at `edge_bits` on the edges of the network, then overrides by name.
    LayerBits bits_of(const Node& node) const {
        LayerBits bits{settings_.weight_bits, settings_.activation_bits};
        const bool edge = node.part != Part::encoder || node.name == "encoder.patch_embed";
        if (edge) bits.weight_bits = std::max(bits.weight_bits, settings_.edge_bits);
        if (node.part != Part::encoder) {
            bits.weight_bits = std::max(bits.weight_bits, settings_.decoder_bits);
            bits.activation_bits = std::max(bits.activation_bits, settings_.decoder_bits);
        }
        if (is_tail(node.name)) bits.activation_bits = std::max(bits.activation_bits, settings_.edge_bits);
        for (const auto& entry : settings_.layers) {
            if (!glob_matches(entry.match, node.name)) continue;
            bits.weight_bits = entry.weight_bits.value_or(bits.weight_bits);
            bits.activation_bits = entry.activation_bits.value_or(bits.activation_bits);
        }
        return bits;
    }

    int groups_of(const Node& node) const {
        const bool folded = settings_.reparam && node.part == Part::encoder && ends_with_layer(node.name, {"qkv", "lin1"});
        int groups = !folded && ends_with_layer(node.name, {"qkv", "lin1", "q_proj", "k_proj", "v_proj"}) && !is_tail(node.name) ? settings_.groups : 1;
        for (const auto& entry : settings_.layers) {
            if (entry.groups && glob_matches(entry.match, node.name)) groups = *entry.groups;
        }
        return groups;
    }

    /// The format every value of a class shares, decided by what produces and what consumes its members.
    Format format_of(ValueId root) {
        std::optional<Format> format;
        const auto decide = [&](Format candidate) {
            if (!format || (candidate.kind == FormatKind::code && format->kind == FormatKind::code && candidate.bits > format->bits)) format = candidate;
        };
        for (auto member : classes_.members(root)) {
            if (const auto* producer = graph_.producer(member)) {
                if (auto made = format_made_by(*producer)) return *made;
            } else if (auto given = format_given(graph_.value(member).name)) {
                return *given;
            }
            for (auto user : graph_.consumers(member)) {
                if (auto wanted = format_wanted_by(graph_.node(user), member)) decide(*wanted);
            }
        }
        return format.value_or(Format{.kind = FormatKind::fixed, .bits = settings_.residual_bits});
    }

    static std::optional<Format> format_given(const std::string& input) {
        if (input == models::sam_values::kImage) return Format{.kind = FormatKind::pixel, .bits = kPixelBits};
        if (input == models::sam_values::kPromptCoordinates || input == models::sam_values::kPromptLabels) {
            return Format{.kind = FormatKind::coordinate, .bits = kCoordinateBits};
        }
        return std::nullopt;
    }

    std::optional<Format> format_made_by(const Node& producer) const {
        if (std::holds_alternative<models::Softmax>(producer.op)) {  // until calibration has chosen, the base in the middle
            auto softmax = settings_.softmax;
            if (softmax.log_base == LogBase::search) softmax.log_base = LogBase::sqrt_two;
            return probability_format(softmax, probability_bits(settings_, producer));
        }
        if (std::holds_alternative<models::RelativePosition>(producer.op)) return Format{.kind = FormatKind::score, .bits = settings_.score_bits};
        if (std::holds_alternative<models::Resize>(producer.op)) return Format{.kind = FormatKind::fixed, .bits = kResizedBits};
        if (std::holds_alternative<models::MatMul>(producer.op)) {
            for (auto user : graph_.consumers(producer.output)) {
                if (std::holds_alternative<models::RelativePosition>(graph_.node(user).op)) {
                    return Format{.kind = FormatKind::score, .bits = kWideScoreBits};
                }
                if (std::holds_alternative<models::Softmax>(graph_.node(user).op)) {
                    return Format{.kind = FormatKind::score, .bits = settings_.score_bits};
                }
            }
        }
        return std::nullopt;
    }

    std::optional<Format> format_wanted_by(const Node& user, ValueId value) {
        if (std::holds_alternative<models::Gelu>(user.op) || std::holds_alternative<models::Relu>(user.op)) {
            return Format{.kind = FormatKind::code, .bits = table_input_bits(user)};
        }
        if (!is_contraction(user.op)) return std::nullopt;
        Format format{.kind = FormatKind::code, .bits = bits_of(user).activation_bits};
        if (is_hidden_input(user, value) && format.bits <= kMaxHybridBits) return hybrid_format(format.bits);
        const auto groups = groups_of(user);
        if (groups == 1) return format;
        if (std::holds_alternative<models::MatMul>(user.op) || !written_per_channel(value)) {
            refuse(fmt::format("quant.layers: {} cannot have {} groups: its input has one scale (groups are for inputs made by a norm, a "
                               "projection, a convolution or a requantization and read by a layer with weights)",
                               user.name, groups));
            return format;
        }
        format.group_sizes = even_groups(user, graph_.channels(value), groups);
        return format;
    }

    /// The hidden layer of an MLP where it is coded log-uniformly: written by a table, read by lin2 alone.
    [[nodiscard]] bool is_hidden_input(const Node& user, ValueId value) const {
        if (settings_.mlp_hidden_scheme == HiddenScheme::uniform || !ends_with_layer(user.name, {"lin2"})) return false;
        const auto* producer = graph_.producer(value);
        return producer && (std::holds_alternative<models::Gelu>(producer->op) || std::holds_alternative<models::Relu>(producer->op));
    }

    /// Until calibration has chosen, half of the codes are logarithmic.
    [[nodiscard]] Format hybrid_format(int bits) const {
        Format format{.kind = FormatKind::hybrid, .bits = bits};
        set_log_levels(format, static_cast<int>(std::ldexp(settings_.hluq.beta.value_or(0.5), bits)), settings_.hluq.shift_cap);
        if (settings_.hluq.aligned) format.alignment = format.shift_cap;
        return format;
    }

    /// Whether the words of a value come from a rescale with constants per channel; tables and products of two values have one.
    [[nodiscard]] bool written_per_channel(ValueId value) const {
        for (auto member : classes_.members(classes_.root(value))) {
            const auto* producer = graph_.producer(member);
            if (!producer || is_movement(producer->op)) continue;
            if (std::holds_alternative<models::MatMul>(producer->op)) return false;
            if (!is_contraction(producer->op) && !std::holds_alternative<models::LayerNorm>(producer->op) &&
                !std::holds_alternative<models::Requantize>(producer->op)) {
                return false;
            }
        }
        return true;
    }

    void refuse(std::string problem) {
        if (std::ranges::find(problems_, problem) == problems_.end()) problems_.push_back(std::move(problem));
    }

    /// The table of GELU or ReLU is addressed by its input code: wider inputs where the output codes are finer.
    int table_input_bits(const Node& node) const {
        if (settings_.gelu_input_bits > 0) return settings_.gelu_input_bits;
        for (auto user : graph_.consumers(node.output)) {
            if (is_hidden_input(graph_.node(user), node.output) && bits_of(graph_.node(user)).activation_bits <= kMaxHybridBits) return kHybridTableBits;
        }
        int output_bits = settings_.activation_bits;
        for (auto member : classes_.members(classes_.root(node.output))) {
            for (auto user : graph_.consumers(member)) {
                if (is_contraction(graph_.node(user).op)) output_bits = bits_of(graph_.node(user)).activation_bits;
            }
        }
        return output_bits > 8 ? 16 : output_bits >= 7 ? 10 : 8;
    }

    std::vector<std::int64_t> even_groups(const Node& user, std::int64_t channels, int groups) {
        const std::int64_t count = groups == 0 ? channels : groups, align = count == channels ? 1 : settings_.group_align;
        if (count > channels) {
            refuse(fmt::format("quant.groups: {} groups asked for, but {} has {} channels", groups, user.name, channels));
            return {};
        }
        if (count * align > channels) {
            refuse(fmt::format("quant.group_align: {} groups of at least {} channels asked for, but {} has {} channels", groups, align, user.name, channels));
            return {};
        }
        const auto units = channels / align;  // what is left over joins the last group
        std::vector<std::int64_t> sizes(static_cast<std::size_t>(count), units / count * align);
        for (std::int64_t g = 0; g < units % count; ++g) sizes[static_cast<std::size_t>(g)] += align;
        sizes.back() += channels % align;
        return sizes;
    }

    /// The parts of a projection are written by one rescale, which saturates at one width: the widest that a part is read with.
    void widen_parts(ValueId id) {
        int bits = 0;
        const auto parts = graph_.consumers(id);
        const auto part_of = [&](models::NodeId user) { return graph_.node(user).output; };
        for (auto user : parts) bits = std::max(bits, plan_.formats.at(graph_.value(part_of(user)).name).bits);
        for (auto user : parts)
            for (auto member : classes_.members(classes_.root(part_of(user)))) plan_.formats.at(graph_.value(member).name).bits = bits;
    }

    /// A projection that holds several results side by side: one group per part.
    Format composite_format(ValueId id) {
        Format format{.kind = FormatKind::code, .bits = 0};
        for (auto user : graph_.consumers(id)) {
            const auto& part = plan_.formats.at(graph_.value(graph_.node(user).output).name);
            const auto& slice = std::get<models::Rearrange>(graph_.node(user).op);
            format.bits = std::max(format.bits, part.bits);
            format.group_sizes.push_back(graph_.channels(id) * slice.slice_count / slice.view[*slice.slice_axis]);
        }
        return format;
    }

    void plan_contraction(const Node& node) {
        const auto bits = bits_of(node);
        const auto left = [&] { return plan_.format(graph_.value(node.inputs[0]).name); };
        const auto weights = [&](std::int64_t channels, std::int64_t positions) {
            const Format format = left();
            ContractionPlan plan{.left_bits = format.bits, .right_bits = bits.weight_bits, .depth = channels * positions};
            if (format.kind == FormatKind::hybrid) {
                plan_hybrid(format, settings_.weight_symmetric, settings_.rescale.term_bits, plan);
                return check_width(node, std::move(plan));
            }
            for (auto size : format.group_sizes) plan.term_sizes.push_back(size * positions);
            plan.shifted_terms = plan.term_sizes.size() > 1 && settings_.group_scales == GroupScales::power_of_two;
            finish(node, std::move(plan), settings_.weight_symmetric);
        };
        std::visit(Overloaded{[&](const models::Linear& op) { weights(op.in_features, 1); },
                              [&](const models::Conv& op) { weights(op.in_channels, op.kernel * op.kernel); },
                              [&](const models::ConvTranspose& op) { weights(op.in_channels, 1); },
                              [&](const models::MatMul&) { plan_product(node); },
                              [&](const models::RelativePosition& op) {
                                  const auto& q = plan_.format(graph_.value(node.inputs[1]).name);
                                  finish(node, {.left_bits = q.bits, .right_bits = settings_.rel_pos_bits, .depth = op.head_dim}, true);
                              },
                              [](const auto&) {}},
                   node.op);
    }

    void plan_product(const Node& node) {
        ContractionPlan plan{.depth = graph_.value(node.inputs[0]).shape[2]};
        quant::plan_product(plan_.format(graph_.value(node.inputs[0]).name), plan_.format(graph_.value(node.inputs[1]).name),
                            settings_.rescale.term_bits, plan);
        check_width(node, std::move(plan));
    }

    /// A left operand of uniform codes.
    void finish(const Node& node, ContractionPlan plan, bool right_symmetric) {
        plan.factor_bits = plan.left_bits;
        plan.right_symmetric = right_symmetric;
        plan.product_bits = product_width(plan.factor_bits, plan.right_bits, right_symmetric, plan.depth, plan.shift);
        plan.accumulator_bits = plan.product_bits;
        if (plan.shifted_terms) {
            plan.accumulator_bits += kMaxScaleShift;
        } else if (plan.term_sizes.size() > 1) {
            plan.accumulator_bits += settings_.rescale.term_bits + max_term_exponent(plan.product_bits, settings_.rescale.term_bits);
        }
        check_width(node, std::move(plan));
    }

    void check_width(const Node& node, ContractionPlan plan) {
        if (plan.accumulator_bits > kWordBits) {
            problems_.push_back(fmt::format("{}: {} x {} bits over {} products need a {}-bit accumulator; at most {} are supported", node.name,
                                            plan.left_bits, plan.right_bits, plan.depth, plan.accumulator_bits, kWordBits));
        }
        plan_.contractions.emplace(node.name, std::move(plan));
    }

    const Graph& graph_;
    const Settings& settings_;
    ValueClasses classes_;
    FormatPlan plan_;
    std::vector<std::string> problems_;
};

}  // namespace

bool is_contraction(const models::Operator& op) noexcept {
    return std::holds_alternative<models::Linear>(op) || std::holds_alternative<models::Conv>(op) ||
           std::holds_alternative<models::ConvTranspose>(op) || std::holds_alternative<models::MatMul>(op);
}

const Format& FormatPlan::format(std::string_view value) const {
    const auto found = formats.find(value);
    models::check(found != formats.end(), fmt::format("format plan: no format for {}", value));
    return found->second;
}

const ContractionPlan& FormatPlan::contraction(std::string_view node) const {
    const auto found = contractions.find(node);
    models::check(found != contractions.end(), fmt::format("format plan: no contraction {}", node));
    return found->second;
}

namespace {

/// One kind of number everywhere. Prompts keep binary32: a position of 1024 pixels and a fraction needs more than binary16 has; so do products of
/// scores that relative positions are still to join, which never leave the post unit.
FormatPlan make_float_plan(const Graph& graph, const Settings& settings) {
    constexpr int kSumBits = 32;
    const int bits = settings.float_bits();
    FormatPlan plan{.formats = {}, .contractions = {}, .assumed = false, .float_bits = bits, .float_block = settings.floating.k_block};
    for (ValueId id = 0; id < static_cast<ValueId>(graph.values().size()); ++id) {
        const auto& value = graph.value(id);
        const auto joins_positions = [&](NodeId user) { return std::holds_alternative<models::RelativePosition>(graph.node(user).op) && graph.node(user).inputs[0] == id; };
        const bool is_prompt = value.name == models::sam_values::kPromptCoordinates || value.name == models::sam_values::kPromptLabels;
        const bool is_wide = is_prompt || std::ranges::any_of(graph.consumers(id), joins_positions);
        plan.formats.emplace(value.name, Format{.kind = FormatKind::floating, .bits = is_wide ? kSumBits : bits});
    }
    const auto add = [&](const Node& node, std::int64_t depth) {
        plan.contractions.emplace(node.name, ContractionPlan{.left_bits = bits, .right_bits = bits, .depth = depth, .factor_bits = bits, .product_bits = kSumBits,
                                                             .accumulator_bits = kSumBits});
    };
    for (const auto& node : graph.nodes()) {
        std::visit(Overloaded{[&](const models::Linear& op) { add(node, op.in_features); },
                              [&](const models::Conv& op) { add(node, op.in_channels * op.kernel * op.kernel); },
                              [&](const models::ConvTranspose& op) { add(node, op.in_channels); },
                              [&](const models::MatMul&) { add(node, graph.value(node.inputs[0]).shape[2]); },
                              [&](const models::RelativePosition& op) { add(node, op.head_dim); }, [](const auto&) {}},
                   node.op);
    }
    return plan;
}

}  // namespace

FormatPlan make_plan(const Graph& graph, const Settings& settings) {
    return settings.is_floating() ? make_float_plan(graph, settings) : Planner(graph, settings).make();
}

void set_log_levels(Format& format, int log_levels, int shift_cap) noexcept {
    format.log_levels = std::clamp(log_levels, 1, (1 << format.bits) - 1);
    format.shift_cap = std::min(format.log_levels - 1, shift_cap);
}

void plan_hybrid(const Format& format, bool symmetric_weights, int term_bits, ContractionPlan& plan) noexcept {
    const int steps = (1 << format.bits) - format.log_levels - 1;
    plan.left = OperandKind::hybrid;
    plan.right_symmetric = symmetric_weights;
    if (format.alignment >= 0) {
        plan.factor_bits = ceil_log2((std::int64_t{1} << format.shift_cap) + (std::int64_t{steps} << format.alignment) + 1);
        plan.shift = 0;
        plan.term_sizes.clear();
        plan.product_bits = product_width(plan.factor_bits, plan.right_bits, symmetric_weights, plan.depth, 0);
        plan.accumulator_bits = plan.product_bits;
        return;
    }
    plan.factor_bits = std::max(ceil_log2(steps + 1), 1);
    plan.shift = format.shift_cap;
    plan.term_sizes.assign(2, plan.depth);
    plan.product_bits = std::max(product_width(0, plan.right_bits, symmetric_weights, plan.depth, format.shift_cap),
                                 product_width(plan.factor_bits, plan.right_bits, symmetric_weights, plan.depth, 0));
    // One bit more than a partition of k needs: a uniform step enters both sums.
    plan.accumulator_bits = plan.product_bits + term_bits + max_term_exponent(plan.product_bits + 1, term_bits) + 1;
}

void plan_uniform(const Format& format, bool symmetric_weights, ContractionPlan& plan) noexcept {
    plan = {.left_bits = format.bits, .right_bits = plan.right_bits, .depth = plan.depth, .factor_bits = format.bits, .right_symmetric = symmetric_weights};
    plan.product_bits = plan.accumulator_bits = product_width(format.bits, plan.right_bits, symmetric_weights, plan.depth, 0);
}

int probability_bits(const Settings& settings, const Node& softmax) noexcept {
    if (settings.softmax.bits) return *settings.softmax.bits;
    return softmax.part == Part::encoder ? settings.activation_bits : std::max(settings.activation_bits, settings.decoder_bits);
}

void plan_product(const Format& left, const Format& right, int term_bits, ContractionPlan& plan) noexcept {
    plan.left_bits = left.bits, plan.right_bits = right.bits;
    plan.left = left.kind == FormatKind::probability ? left.code : OperandKind::uniform;
    plan.right_symmetric = false;
    plan.shift = 0;
    plan.term_sizes.clear();
    int constant_bits = 0;  // of the terms; they lie in [1/2, 1] of the largest, so that they need no exponents
    switch (plan.left) {
        case OperandKind::logarithmic:
        case OperandKind::companded:
            plan.factor_bits = 0;
            plan.shift = left.shift_cap;
            if (left.tau > 1) plan.term_sizes.assign(static_cast<std::size_t>(left.tau), plan.depth), constant_bits = term_bits;
            break;
        case OperandKind::table: plan.factor_bits = left.entry_bits; break;
        case OperandKind::bucket:
            plan.factor_bits = 0;
            plan.term_sizes.assign((std::size_t{1} << left.bits) - 1, plan.depth);
            constant_bits = left.entry_bits;
            break;
        case OperandKind::uniform:
        case OperandKind::hybrid: plan.factor_bits = left.bits; break;
    }
    plan.product_bits = product_width(plan.factor_bits, right.bits, false, plan.depth, plan.shift);
    plan.accumulator_bits = plan.product_bits + constant_bits;
}

int product_width(int left_bits, int right_bits, bool right_is_symmetric, std::int64_t depth, int shift) noexcept {
    return 1 + left_bits + right_bits - (right_is_symmetric ? 1 : 0) + ceil_log2(depth) + shift;
}

int max_term_exponent(int product_bits, int term_bits) noexcept { return std::clamp(kWordBits - product_bits - term_bits, 0, 6); }

}  // namespace prelude::quant
