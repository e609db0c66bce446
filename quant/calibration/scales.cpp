// SPDX-License-Identifier: Apache-2.0
#include "quant/calibration/scales.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>
#include <numbers>
#include <numeric>

#include "quant/arithmetic/rounding.hpp"
#include "quant/arithmetic/softmax.hpp"
#include "quant/calibration/code_range.hpp"
#include "quant/calibration/grouping.hpp"
#include "quant/calibration/hybrid_search.hpp"
#include "quant/calibration/probability_search.hpp"
#include "quant/value_classes.hpp"

namespace prelude::quant {

using models::Graph;
using models::Node;
using models::ValueId;

namespace {

constexpr int kMaxFraction = 30, kMinFraction = -8, kMaxAlignment = 15;

/// Most fraction bits f with bound * 2^f <= 2^(bits-1) - 1.
int fraction_for(double bound, int bits) {
    if (bound <= 0) return std::min(bits - 1, kMaxFraction);
    const double limit = static_cast<double>(signed_max(bits));
    int f = static_cast<int>(std::floor(std::log2(limit / bound)));
    while (std::ldexp(bound, f) > limit) --f;
    return std::clamp(f, kMinFraction, kMaxFraction);
}

class Settler {
  public:
    Settler(const Graph& graph, const models::Weights& weights, const Settings& settings, const Ranges& ranges, QuantizedGraph& target)
        : graph_(graph), weights_(weights), settings_(settings), ranges_(ranges), target_(target), classes_(graph) {}

    void run(const models::ReportProgress& report) {
        for (ValueId id = 0; id < static_cast<ValueId>(graph_.values().size()); ++id) {
            if (classes_.root(id) == id && !classes_.is_composite(id)) settle(id);
            models::report_step(report, static_cast<std::size_t>(id) + 1, graph_.values().size());
        }
        for (ValueId id = 0; id < static_cast<ValueId>(graph_.values().size()); ++id) {
            if (classes_.is_composite(id)) compose(id);
        }
        if (!unseen_.empty()) throw SettingsError(fmt::format("calibration saw no values of: {}", fmt::join(unseen_, ", ")));
        target_.plan.assumed = false;
    }

  private:
    [[nodiscard]] const Format& format(ValueId id) const { return target_.plan.format(graph_.value(id).name); }

    /// Union of what was seen of the class's members.
    Range class_range(ValueId root) {
        Range range;
        bool seen = false;
        for (auto member : classes_.members(root)) {
            const auto found = ranges_.find(graph_.value(member).name);
            if (found == ranges_.end()) continue;
            seen = true;
            range.include(found->second.whole());
        }
        if (!seen) unseen_.push_back(graph_.value(root).name);
        return range;
    }

    void settle(ValueId root) {
        switch (format(root).kind) {
            case FormatKind::pixel:
            case FormatKind::floating:
            case FormatKind::coordinate: return share(root, Meaning{});
            case FormatKind::probability: return settle_probability(root);
            case FormatKind::code: return settle_codes(root);
            case FormatKind::hybrid: return settle_hybrid(root);
            case FormatKind::score: return share(root, power_of_two(score_fraction(root)));
            case FormatKind::fixed: return share(root, power_of_two(fixed_fraction(root)));
        }
    }

    void share(ValueId root, const Meaning& meaning) {
        for (auto member : classes_.members(root)) target_.meanings[graph_.value(member).name] = meaning;
    }

    static Meaning power_of_two(int fraction) { return Meaning{.scale = {std::ldexp(1.0, -fraction)}}; }

    /// Scores are in log2 units; the sum with relative positions and the plain product share a grid.
    int score_fraction(ValueId root) {
        double bound = class_range(root).max_abs();
        const auto* producer = graph_.producer(root);
        const auto other = [&](ValueId id) { bound = std::max(bound, class_range(classes_.root(id)).max_abs()); };
        if (std::holds_alternative<models::RelativePosition>(producer->op)) other(producer->inputs[0]);
        for (auto user : graph_.consumers(root)) {
            if (std::holds_alternative<models::RelativePosition>(graph_.node(user).op)) other(graph_.node(user).output);
        }
        return std::clamp(fraction_for(bound * std::numbers::log2e, settings_.score_bits), 0, 14);
    }

    int fixed_fraction(ValueId root) {
        const auto& form = format(root);
        if (const auto* producer = graph_.producer(root); producer && std::holds_alternative<models::Resize>(producer->op)) {
            const auto& input = producer->inputs[0];
            return fraction_of(input) + form.bits - format(input).bits;
        }
        int fraction = fraction_for(class_range(root).max_abs(), form.bits);
        const auto* producer = graph_.producer(root);
        if (producer && is_contraction(producer->op)) {
            for (auto member : classes_.members(root)) {
                for (auto user : graph_.consumers(member)) {
                    if (std::holds_alternative<models::Add>(graph_.node(user).op)) {
                        fraction = std::min(fraction, fixed_fraction(classes_.root(graph_.node(user).output)));
                    }
                }
            }
        }
        return fraction;
    }

    [[nodiscard]] int fraction_of(ValueId id) const { return -std::ilogb(target_.meanings.at(graph_.value(id).name).scale[0]); }

    void settle_codes(ValueId root) {
        const auto& form = format(root);
        const auto& name = graph_.value(root).name;
        const auto found = ranges_.find(name);
        Grouping grouping;
        if (form.group_sizes.empty()) {
            grouping.ranges = {class_range(root)};
        } else if (found == ranges_.end()) {
            unseen_.push_back(name);
            return;
        } else {
            grouping = group_channels(found->second.channels,
                                      {.num_groups = form.num_groups(), .rule = settings_.group_rule, .align = settings_.group_align, .bits = form.bits});
        }
        Meaning meaning{.scale = {}, .zero_point = {}, .group_of = grouping.group_of};
        const double levels = std::ldexp(1.0, form.bits) - 1.0;
        for (std::size_t g = 0; g < grouping.ranges.size(); ++g) {
            auto& range = grouping.ranges[g];
            if (found != ranges_.end()) {
                range = code_range(found->second, range, grouping.group_of, static_cast<std::int32_t>(g), form.bits, settings_.calibration.observer);
            }
            meaning.scale.push_back(std::max((range.hi - range.lo) / levels, 1e-8));
        }
        if (settings_.group_scales == GroupScales::power_of_two) to_powers_of_two(meaning.scale);
        for (std::size_t g = 0; g < grouping.ranges.size(); ++g) {
            meaning.zero_point.push_back(static_cast<std::int32_t>(std::clamp(std::nearbyint(-grouping.ranges[g].lo / meaning.scale[g]), 0.0, levels)));
        }
        share(root, meaning);
        if (form.group_sizes.empty()) return;
        std::vector<std::int64_t> sizes(grouping.ranges.size(), 0);
        for (auto g : grouping.group_of) ++sizes[static_cast<std::size_t>(g)];
        for (auto member : classes_.members(root)) {
            auto& settled = target_.plan.formats.find(graph_.value(member).name)->second;
            settled.group_sizes = sizes;
            settled.group_of = grouping.group_of;
            for (auto user : graph_.consumers(member)) record_terms(graph_.node(user), sizes);
        }
    }

    /// Scales as the smallest times powers of two, none smaller than it was; at most kMaxScaleShift apart, so that small ones may grow.
    static void to_powers_of_two(std::vector<double>& scales) {
        const double least = std::max(std::ranges::min(scales), std::ldexp(std::ranges::max(scales), -kMaxScaleShift));
        for (auto& scale : scales) scale = std::ldexp(least, static_cast<int>(std::max(std::ceil(std::log2(scale / least) - 1e-9), 0.0)));
    }

    /// The contraction that reads a hidden layer or probabilities, by whose output a candidate is judged.
    [[nodiscard]] const Node& reader(ValueId root) const {
        for (auto member : classes_.members(root)) {
            for (auto user : graph_.consumers(member)) {
                if (is_contraction(graph_.node(user).op)) return graph_.node(user);
            }
        }
        models::check(false, "coded values nobody reads");
        std::abort();
    }

    void settle_hybrid(ValueId root) {
        const auto& name = graph_.value(root).name;
        const auto found = ranges_.find(name);
        if (found == ranges_.end()) return unseen_.push_back(name);
        const auto range = found->second.whole();
        const auto& layer = reader(root);
        const auto& op = std::get<models::Linear>(layer.op);
        auto form = target_.plan.format(name);
        const FloatLayer in_float{.outputs = op.out_features, .depth = op.in_features, .weight = weights_.values(op.weight)};
        const HybridChoice choice = choose_hybrid(in_float, found->second.rows, range, form.bits, settings_.hluq);
        if (settings_.mlp_hidden_scheme == HiddenScheme::search) {
            const auto uniform = code_range(found->second, range, {}, 0, form.bits, settings_.calibration.observer);
            if (uniform_loss(in_float, found->second.rows, uniform, form.bits) <= choice.loss) {
                form = {.kind = FormatKind::code, .bits = form.bits};
                for (auto member : classes_.members(root)) target_.plan.formats.find(graph_.value(member).name)->second = form;
                plan_uniform(form, settings_.weight_symmetric, target_.plan.contractions.find(layer.name)->second);
                return settle_codes(root);
            }
        }
        set_log_levels(form, choice.log_levels, settings_.hluq.shift_cap);
        double log_scale = choice.log_scale, step = choice.uniform_scale;
        if (settings_.hluq.aligned) {
            form.alignment = std::clamp(static_cast<int>(std::nearbyint(std::log2(step / log_scale))) + form.shift_cap, 0, kMaxAlignment);
            step = std::ldexp(log_scale, form.alignment - form.shift_cap);
        }
        Meaning meaning{.scale = {std::ldexp(log_scale, -form.shift_cap), step}, .zero_point = {0, 0}, .offset = range.lo};
        for (int code = 0; code < 1 << form.bits; ++code) {
            const int j = code - form.log_levels;
            const double value = j > 0 ? log_scale + j * step : j == 0 || code > form.shift_cap ? 0.0 : std::ldexp(log_scale, -code);
            meaning.values.push_back(range.lo + value);
        }
        share(root, meaning);
        for (auto member : classes_.members(root)) target_.plan.formats.find(graph_.value(member).name)->second = form;
        plan_hybrid(form, settings_.weight_symmetric, settings_.rescale.term_bits, target_.plan.contractions.find(layer.name)->second);
    }

    void record_terms(const Node& user, const std::vector<std::int64_t>& sizes) {
        const auto found = target_.plan.contractions.find(user.name);
        if (found == target_.plan.contractions.end() || found->second.term_sizes.empty()) return;
        const auto positions = found->second.depth / std::accumulate(sizes.begin(), sizes.end(), std::int64_t{0});
        for (std::size_t g = 0; g < sizes.size(); ++g) found->second.term_sizes[g] = sizes[g] * positions;
    }

    /// Sampled rows of the probabilities and the matrices they weigh.
    [[nodiscard]] AttentionSample attention_sample(const Node& product) const {
        const auto p = ranges_.find(graph_.value(product.inputs[0]).name), v = ranges_.find(graph_.value(product.inputs[1]).name);
        if (p == ranges_.end() || v == ranges_.end() || p->second.rows.empty() || v->second.rows.empty()) return {};
        AttentionSample sample{.columns = graph_.value(product.inputs[1]).shape[2]};
        sample.keys = v->second.row_length / sample.columns;
        sample.rows = p->second.row_length / sample.keys;
        sample.batch = static_cast<std::int64_t>(std::min(p->second.rows.size() / static_cast<std::size_t>(p->second.row_length),
                                                          v->second.rows.size() / static_cast<std::size_t>(v->second.row_length)));
        sample.probabilities = std::span(p->second.rows).first(static_cast<std::size_t>(sample.batch * p->second.row_length));
        sample.values = v->second.rows;
        return sample;
    }

    void settle_probability(ValueId root) {
        const auto bits = format(root).bits;
        if (bits > kMaxComparedBits) return share(root, Meaning{.scale = {std::ldexp(1.0, 1 - bits)}});
        const auto& softmax = settings_.softmax;
        const auto& product = reader(root);
        const auto sample = attention_sample(product);
        if (searches_probability_codes(softmax) && sample.batch == 0) return unseen_.push_back(graph_.value(root).name);
        const double largest = softmax.scale == ScaleMode::tensor ? std::clamp(class_range(root).hi, 1e-4, 1.0) : 1.0;
        const auto choice = choose_probability_code(sample, softmax, probability_bits(settings_, *graph_.producer(root)), largest);
        Meaning meaning{.scale = {choice.scale}, .companding = choice.companding};
        if (choice.format.code == OperandKind::uniform) meaning.scale[0] /= std::ldexp(1.0, choice.format.bits) - 1.0;
        share(root, meaning);
        for (auto member : classes_.members(root)) target_.plan.formats.find(graph_.value(member).name)->second = choice.format;
        plan_product(choice.format, format(product.inputs[1]), settings_.rescale.term_bits, target_.plan.contractions.find(product.name)->second);
    }

    /// q, k, v side by side: every channel takes the scale of its part.
    void compose(ValueId id) {
        Meaning meaning{.scale = {}, .zero_point = {}, .group_of = std::vector<std::int32_t>(static_cast<std::size_t>(graph_.channels(id)), 0)};
        for (auto user : graph_.consumers(id)) {
            const auto& node = graph_.node(user);
            const auto& op = std::get<models::Rearrange>(node.op);
            const auto& part = target_.meanings.at(graph_.value(node.output).name);
            const auto size = graph_.channels(id) / op.view[*op.slice_axis];
            const auto group = static_cast<std::int32_t>(meaning.scale.size());
            for (auto c = op.slice_begin * size; c < (op.slice_begin + op.slice_count) * size; ++c) meaning.group_of[static_cast<std::size_t>(c)] = group;
            meaning.scale.push_back(part.scale[0]);
            meaning.zero_point.push_back(part.zero_point[0]);
        }
        target_.meanings[graph_.value(id).name] = std::move(meaning);
    }

    const Graph& graph_;
    const models::Weights& weights_;
    const Settings& settings_;
    const Ranges& ranges_;
    QuantizedGraph& target_;
    ValueClasses classes_;
    std::vector<std::string> unseen_;
};

}  // namespace

void settle_scales(const Graph& graph, const models::Weights& weights, const Settings& settings, const Ranges& ranges, QuantizedGraph& target,
                   const models::ReportProgress& report) {
    Settler(graph, weights, settings, ranges, target).run(report);
}

}  // namespace prelude::quant
