// SPDX-License-Identifier: Apache-2.0
#include "experiments/diagnosis/diagnosis.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <limits>
#include <set>

#include "experiments/diagnosis/code_causes.hpp"
#include "experiments/diagnosis/evidence.hpp"
#include "experiments/diagnosis/linear_causes.hpp"
#include "experiments/diagnosis/node_trial.hpp"
#include "experiments/diagnosis/norm_causes.hpp"
#include "experiments/diagnosis/rescale_causes.hpp"
#include "experiments/diagnosis/softmax_causes.hpp"
#include "experiments/diagnosis/sum_causes.hpp"
#include "experiments/diagnosis/table_causes.hpp"
#include "experiments/diagnosis/value_causes.hpp"
#include "quant/arithmetic/rescale.hpp"

namespace prelude::experiments {

namespace {

/// The tensor's node with its operands as the build had them: dumped ones where they were dumped.
class Operands {
  public:
    Operands(const DiagnosisContext& context, const models::Node& node) {
        for (const auto id : node.inputs) {
            const auto& value = context.part->value(id);
            auto golden = context.golden(value.name);
            auto actual = context.actual(value.name);
            if (!golden) {
                // A constant of the part is no tensor of its own where only some are exported: its words stand in the operation.
                complete_ = false;
                return;
            }
            if (actual && *actual != *golden) differing_.push_back(value.name);
            inputs_.push_back(tensor_of(actual ? *actual : *golden, value.shape));
        }
    }
    [[nodiscard]] bool complete() const noexcept { return complete_; }
    [[nodiscard]] const std::vector<std::string>& differing() const noexcept { return differing_; }
    [[nodiscard]] std::vector<models::IntTensor> take() { return std::move(inputs_); }

    /// Whether the words fit the formats of the values: an engine indexes by them.
    [[nodiscard]] static bool fit(const DiagnosisContext& context, const models::Node& node, const std::vector<models::IntTensor>& inputs) {
        for (std::size_t i = 0; i < inputs.size(); ++i) {
            const auto& format = context.quantized->plan.format(context.part->value(node.inputs[i]).name);
            const auto word = word_format_of(format);
            if (std::ranges::any_of(inputs[i].values(), [&](auto v) { return v < word.lowest() || v > word.highest(); })) return false;
        }
        return true;
    }

  private:
    static models::IntTensor tensor_of(const std::vector<std::int64_t>& words, const models::Shape& shape) {
        auto tensor = models::IntTensor::uninitialised(shape);
        for (std::size_t i = 0; i < words.size(); ++i)
            tensor[i] = static_cast<std::int32_t>(
                std::clamp<std::int64_t>(words[i], std::numeric_limits<std::int32_t>::min(), std::numeric_limits<std::int32_t>::max()));
        return tensor;
    }
    std::vector<models::IntTensor> inputs_;
    std::vector<std::string> differing_;
    bool complete_ = true;
};

/// What a rescale of the node begins with: sums, normalised words, words to requantize.
const quant::Rescale* rescale_of(const quant::Operation& operation) {
    if (const auto* form = std::get_if<quant::Contraction>(&operation)) return &form->rescale;
    if (const auto* form = std::get_if<quant::LayerNormOp>(&operation)) return &form->rescale;
    if (const auto* form = std::get_if<quant::RequantizeOp>(&operation)) return &form->rescale;
    if (const auto* form = std::get_if<quant::Product>(&operation)) return form->row_normalised ? nullptr : &form->rescale;
    return nullptr;
}

/// Normalised words of a norm, by a rescale that lets them through.
std::vector<std::int64_t> normalised(const NodeTrial& trial, const quant::LayerNormOp& form) {
    auto probe = form;
    auto& rescale = probe.rescale;
    std::ranges::fill(rescale.multiplier, 2);
    std::ranges::fill(rescale.offset, 0);
    std::ranges::fill(rescale.shift, 1);
    std::ranges::fill(rescale.zero_point, 0);
    rescale.lo = std::numeric_limits<std::int32_t>::min(), rescale.hi = std::numeric_limits<std::int32_t>::max();
    return trial.words(quant::Operation(probe));
}

class Diagnoser {
  public:
    Diagnoser(const DiagnosisContext& context, const models::Node& node, const Evidence& evidence, NodeTrial trial,
              std::vector<std::string> differing)
        : context_(context), node_(node), evidence_(evidence), trial_(std::move(trial)), differing_(std::move(differing)) {}

    std::vector<Finding> run() {
        const auto& operation = trial_.operation();
        if (evidence_.tensor().role == TensorRole::accumulator) {
            if (!differing_.empty() && evidence_.equals(trial_.sums(operation))) return upstream(differing_);
            return causes_before_rescale(Stage::sums);
        }
        const bool has_sums = std::holds_alternative<quant::Contraction>(operation) || std::holds_alternative<quant::Product>(operation);
        const auto dumped_sums = has_sums ? context_.actual(node_.name + ".accumulators") : std::nullopt;
        const bool own_sums_differ = dumped_sums && *dumped_sums != context_.golden(node_.name + ".accumulators");
        if (!differing_.empty() && !own_sums_differ && evidence_.equals(trial_.words(operation))) return upstream(differing_);
        std::vector<Finding> findings;
        if (const auto* rescale = rescale_of(operation)) {
            const auto sums = sums_before_rescale(operation, dumped_sums);
            const auto entries = rescale->multiplier.size();
            const auto channel = [&](std::size_t i) { return entries == 1 ? 0 : trial_.channel_of(i); };
            if (own_sums_differ) {
                if (evidence_.explained_by(
                        [&](std::size_t i) { return std::int64_t{quant::rescale(*rescale, channel(i), bounded(sums[i]))}; }))
                    return upstream({node_.name + ".accumulators"});
            }
            findings = causes_of_rescale(evidence_, sums, *rescale, channel);
        }
        if (has_sums && !dumped_sums) append(findings, causes_before_rescale(Stage::words));
        if (const auto* form = std::get_if<quant::AddOp>(&operation))
            append(findings, causes_of_addition(evidence_, {operand(0), word_of(0)}, {operand(1), word_of(1)}, *form));
        if (std::holds_alternative<quant::TableOp>(operation)) append(findings, causes_of_table(evidence_, trial_));
        if (std::holds_alternative<quant::SoftmaxOp>(operation)) append(findings, causes_of_softmax(evidence_, trial_));
        if (std::holds_alternative<quant::LayerNormOp>(operation)) append(findings, causes_of_norm(evidence_, trial_));
        return findings;
    }

  private:
    [[nodiscard]] std::vector<Finding> causes_before_rescale(Stage stage) const {
        auto findings = causes_of_sums(evidence_, trial_, stage);
        if (findings.empty()) findings = causes_of_linear(evidence_, trial_, stage);
        if (findings.empty() && stage == Stage::sums) findings = causes_of_codes(evidence_, trial_);
        return findings;
    }
    static void append(std::vector<Finding>& to, std::vector<Finding> more) {
        to.insert(to.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
    }
    static std::int64_t bounded(std::int64_t v) { return std::clamp(v, -(std::int64_t{1} << 61), std::int64_t{1} << 61); }
    static std::vector<Finding> upstream(const std::vector<std::string>& differing) {
        return {{Cause::upstream, fmt::format("it is right for the dumped {}, which {}", fmt::join(differing, " and "),
                                              differing.size() == 1 ? "differs" : "differ")}};
    }

    std::vector<std::int64_t> sums_before_rescale(const quant::Operation& operation,
                                                  const std::optional<std::vector<std::int64_t>>& dumped) const {
        if (dumped) {
            auto sums = *dumped;
            for (auto& sum : sums) sum = bounded(sum);
            return sums;
        }
        if (const auto* norm = std::get_if<quant::LayerNormOp>(&operation)) return normalised(trial_, *norm);
        if (std::holds_alternative<quant::RequantizeOp>(operation)) return operand(0);
        return trial_.sums(operation);
    }

    [[nodiscard]] WordFormat word_of(std::size_t input) const {
        return word_format_of(context_.quantized->plan.format(context_.part->value(node_.inputs[input]).name));
    }

    /// Words of an operand, one for every word of the output: broadcast along the axes it has once.
    [[nodiscard]] std::vector<std::int64_t> operand(std::size_t input) const {
        const auto& words = trial_.inputs()[input];
        const auto& shape = trial_.output_shape();
        std::vector<std::int64_t> result(evidence_.size());
        for (std::size_t i = 0; i < result.size(); ++i) {
            std::size_t rest = i, index = 0, stride = 1;
            for (auto axis = shape.rank(); axis-- > 0;) {
                const auto extent = static_cast<std::size_t>(shape[axis]), own = static_cast<std::size_t>(words.shape()[axis]);
                index += own == 1 ? 0 : rest % extent * stride;
                stride *= own;
                rest /= extent;
            }
            result[i] = words[index];
        }
        return result;
    }

    const DiagnosisContext& context_;
    const models::Node& node_;
    const Evidence& evidence_;
    NodeTrial trial_;
    std::vector<std::string> differing_;
};

std::vector<Finding> causes_by_operation(const DiagnosisContext& context, const TensorDescription& tensor, const Evidence& evidence) {
    const auto id = context.part->find_node(tensor.node);
    if (!id || (tensor.role != TensorRole::output && tensor.role != TensorRole::accumulator)) return {};
    const auto& node = context.part->node(*id);
    Operands operands(context, node);
    if (!operands.complete()) return {};
    auto inputs = operands.take();
    if (!Operands::fit(context, node, inputs)) return {};
    return Diagnoser(context, node, evidence, NodeTrial(*context.part, *context.quantized, node, std::move(inputs)), operands.differing())
        .run();
}

}  // namespace

std::optional<Cause> Diagnosis::cause() const {
    if (findings.empty()) return std::nullopt;
    const auto first = findings.front().cause;
    if (std::ranges::any_of(findings, [&](const auto& finding) { return finding.cause != first; })) return std::nullopt;
    return first;
}

std::string Diagnosis::text() const {
    if (findings.empty()) return note.empty() ? "unknown" : note;
    std::vector<std::string> causes, details;
    for (const auto& finding : findings) {
        const std::string name(name_of(finding.cause));
        if (std::ranges::find(causes, name) == causes.end()) causes.push_back(name);
        details.push_back(finding.detail);
    }
    constexpr std::size_t kShown = 4;
    const auto shown = std::min(kShown, details.size());
    return fmt::format("{}: {}{}", fmt::join(causes, " or "),
                       fmt::join(details.begin(), details.begin() + static_cast<std::ptrdiff_t>(shown), "; or "),
                       details.size() > shown ? "; ..." : "");
}

Diagnosis diagnose(const DiagnosisContext& context, const TensorDescription& tensor) {
    const auto golden = context.golden(tensor.name), actual = context.actual(tensor.name);
    if (!golden || !actual) return {.findings = {}, .note = "not tried: words are missing or too many, or the tensor is too large"};
    const Evidence evidence(tensor, *golden, *actual);
    if (evidence.mismatches().empty()) return {};
    auto findings = context.part != nullptr ? causes_by_operation(context, tensor, evidence) : std::vector<Finding>{};
    if (findings.empty()) findings = causes_by_values(evidence);
    return {.findings = std::move(findings), .note = {}};
}

}  // namespace prelude::experiments
