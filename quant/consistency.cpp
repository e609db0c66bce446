// SPDX-License-Identifier: Apache-2.0
#include "quant/consistency.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <numeric>

#include "models/overloaded.hpp"
#include "quant/arithmetic/rounding.hpp"
#include "quant/arithmetic/softmax.hpp"

namespace prelude::quant {

using models::Graph;
using models::Node;
using models::Overloaded;
using models::ValueId;

namespace {

constexpr int kWordBits = 63, kMaxStoredBits = 32, kMaxCodeBits = 16, kMaxRescaleShift = 40, kTermBits = 16, kMaxExponent = 62;
constexpr int kMaxHybridShift = 15, kMaxLogShift = 20, kMaxBucketBits = 5;
constexpr std::size_t kMaxProblems = 20;

/// Checks one node's operation against its operator, the shapes around it and the plan.
class Checker {
  public:
    Checker(const Graph& graph, const QuantizedGraph& quantized) : graph_(graph), quantized_(quantized) {}

    std::vector<std::string> run() {
        for (const auto& value : graph_.values()) format(value);
        if (!problems_.empty()) return std::move(problems_);  // everything below reads the formats
        for (const auto& node : graph_.nodes()) {
            if (problems_.size() >= kMaxProblems) break;
            node_ = &node;
            const auto found = quantized_.operations.find(node.name);
            if (found == quantized_.operations.end()) {
                problems_.push_back(node.name + ": no integers");
                continue;
            }
            std::visit([&](const auto& op) { check(op, found->second); }, node.op);
        }
        return std::move(problems_);
    }

  private:
    bool expect(bool good, std::string_view what) {
        if (!good) problems_.push_back(fmt::format("{}: {}", node_->name, what));
        return good;
    }
    [[nodiscard]] const std::string& name(ValueId id) const { return graph_.value(id).name; }
    [[nodiscard]] const Format& input(std::size_t i) const { return quantized_.plan.formats.find(name(node_->inputs[i]))->second; }
    [[nodiscard]] const Format& output() const { return quantized_.plan.formats.find(name(node_->output))->second; }

    struct Range {
        std::int64_t lo, hi;
        [[nodiscard]] bool contains(std::int64_t v) const { return v >= lo && v <= hi; }
    };
    [[nodiscard]] static Range words_of(const Format& f) {
        const bool is_unsigned = f.kind == FormatKind::code || f.kind == FormatKind::hybrid || f.kind == FormatKind::probability || f.kind == FormatKind::pixel;
        return is_unsigned ? Range{0, (std::int64_t{1} << f.bits) - 1} : Range{signed_min(f.bits), signed_max(f.bits)};
    }
    template <class T>
    [[nodiscard]] static bool all_in(const std::vector<T>& values, Range range) {
        return std::ranges::all_of(values, [&](T v) { return range.contains(v); });
    }
    template <class T>
    static bool has(const std::vector<T>& values, std::int64_t size) {
        return static_cast<std::int64_t>(values.size()) == size;
    }

    [[nodiscard]] static bool is_probability_code(const Format& f) {
        const bool residues = f.tau == 1 || f.tau == 2 || f.tau == 4, narrow = f.bits <= kMaxComparedBits;
        const auto codes = std::int64_t{1} << f.bits;
        switch (f.code) {
            case OperandKind::uniform: return true;
            case OperandKind::logarithmic:
                return residues && narrow && f.log_levels >= 1 && f.log_levels <= codes && f.shift_cap == (f.log_levels - 1) / f.tau && f.shift_cap <= kMaxLogShift &&
                       f.zero_code >= -1 && f.zero_code < codes && (f.zero_code < 0 || f.zero_code >= f.log_levels);
            case OperandKind::companded: return residues && narrow && f.shift_cap == (codes - 1) / f.tau && f.shift_cap <= kMaxLogShift;
            case OperandKind::table: return narrow && f.entry_bits >= 1 && f.entry_bits <= kTermBits;
            case OperandKind::bucket: return f.bits <= kMaxBucketBits && f.entry_bits >= 1 && f.entry_bits <= kTermBits;
            case OperandKind::hybrid: break;
        }
        return false;
    }

    /// Whether a product decodes its left operand as the operand's format says.
    [[nodiscard]] static bool decodes(const OperandCode& code, const Format& left) {
        if (left.kind != FormatKind::probability) return code == OperandCode{};
        if (left.code == OperandKind::uniform) return code == OperandCode{};
        const bool table = left.code == OperandKind::table;
        return code.kind == left.code && code.bits == left.bits && code.tau == std::max(left.tau, 1) && code.shift_cap == left.shift_cap &&
               code.zero_code == left.zero_code && (table ? has(code.factors, std::int64_t{1} << left.bits) : code.factors.empty()) &&
               all_in(code.factors, {0, (std::int64_t{1} << left.entry_bits) - 1});
    }

    void format(const models::Value& value) {
        const auto refuse = [&](std::string_view what) {
            if (problems_.size() < kMaxProblems) problems_.push_back(fmt::format("{}: {}", value.name, what));
        };
        const auto found = quantized_.plan.formats.find(value.name);
        if (found == quantized_.plan.formats.end()) return refuse("no format");
        const auto& f = found->second;
        const bool code = f.kind == FormatKind::code || f.kind == FormatKind::hybrid || f.kind == FormatKind::probability;
        if (f.kind < FormatKind::pixel || f.kind > FormatKind::coordinate || f.bits < 1 || f.bits > (code ? kMaxCodeBits : kMaxStoredBits)) {
            return refuse("a format of unknown kind or width");
        }
        if (f.scale < ScaleMode::row || f.scale > ScaleMode::one) return refuse("a scale of unknown kind");
        if (f.kind == FormatKind::probability && !is_probability_code(f)) return refuse("codes of probabilities out of range");
        const auto channels = value.shape.rank() == 0 ? 1 : value.shape[value.channel_axis];
        const bool positive = std::ranges::all_of(f.group_sizes, [&](auto size) { return size >= 1 && size <= channels; });
        if (!f.group_sizes.empty() && (!positive || std::accumulate(f.group_sizes.begin(), f.group_sizes.end(), std::int64_t{0}) != channels)) {
            return refuse("group sizes that do not add up to its channels");
        }
        if (!f.group_of.empty() && (!has(f.group_of, channels) || !all_in(f.group_of, {0, static_cast<std::int64_t>(f.group_sizes.size()) - 1}))) {
            return refuse("channels of unknown groups");
        }
        const auto meaning = quantized_.meanings.find(value.name);
        if (meaning == quantized_.meanings.end()) return refuse("no scale");
        const auto& real = meaning->second;
        if (f.kind == FormatKind::hybrid) {
            const int codes = 1 << f.bits;
            const bool levels = f.bits <= 8 && f.log_levels >= 1 && f.log_levels < codes && f.shift_cap >= 0 && f.shift_cap < f.log_levels && f.shift_cap <= kMaxHybridShift &&
                                f.alignment >= -1 && f.alignment <= kMaxHybridShift;
            if (!levels || !has(real.values, codes) || real.scale.size() != 2 || real.zero_point.size() != 2 || !real.group_of.empty()) {
                refuse("hybrid codes out of range");
            }
            return;
        }
        const auto groups = static_cast<std::int64_t>(real.scale.size());
        if (groups == 0 || real.zero_point.size() != real.scale.size() || !all_in(real.group_of, {0, groups - 1}) ||
            (real.group_of.empty() ? groups != 1 : !has(real.group_of, channels))) {
            refuse("scales that do not fit its channels");
        }
    }

    /// `limits`: the words the result may have. A wide rescale (relative positions) is limited to 32 bits.
    void rescale(const Rescale& form, std::int64_t channels, Range limits) {
        expect(has(form.multiplier, channels) && has(form.offset, channels) && has(form.shift, channels) && has(form.zero_point, channels),
               fmt::format("a rescale of {} channels, expected {}", form.multiplier.size(), channels));
        expect(all_in(form.multiplier, {-65535, 65535}) && all_in(form.shift, {0, kMaxRescaleShift}) && form.operand_shift >= 0 &&
                   form.operand_shift <= kMaxExponent && all_in(form.offset, {-(std::int64_t{1} << 61), std::int64_t{1} << 61}),
               "a rescale constant is out of range");
        expect(form.lo <= form.hi && limits.contains(form.lo) && limits.contains(form.hi), "a rescale saturates outside its format");
        expect(all_in(form.zero_point, limits), "a zero point lies outside its format");
    }

    void terms(const std::vector<Term>& terms, int product_bits, int accumulator_bits) {
        if (!expect(product_bits >= 1 && accumulator_bits >= product_bits && accumulator_bits <= kWordBits, "its sums are wider than 63 bits")) return;
        const bool good = std::ranges::all_of(
            terms, [&](const Term& t) { return t.multiplier < (1U << kTermBits) && t.exponent >= 0 && t.exponent <= kWordBits - product_bits; });
        expect(good && !terms.empty(), "its term constants are out of range");
    }

    void accumulator(const Accumulator& form) {
        expect(form.overflow >= AccumulatorOverflow::exact && form.overflow <= AccumulatorOverflow::saturate && form.bits >= 1 && form.bits <= kWordBits &&
                   form.chunk >= 1,
               "an accumulator of unknown width or overflow");
    }

    /// How the left operand enters the array: what time and resources are made of.
    void left_operand(const ContractionPlan& wanted) {
        const auto found = quantized_.plan.contractions.find(node_->name);
        if (!expect(found != quantized_.plan.contractions.end(), "no plan")) return;
        const auto& plan = found->second;
        expect(plan.left == wanted.left && plan.factor_bits == wanted.factor_bits && plan.shift == wanted.shift && plan.right_symmetric == wanted.right_symmetric,
               "its plan says another left operand than its formats");
    }

    void contraction(const Contraction& form, std::int64_t outputs, std::int64_t depth, std::int64_t channels) {
        const auto plan = quantized_.plan.contractions.find(node_->name);
        expect(plan != quantized_.plan.contractions.end() && plan->second.depth == depth && plan->second.right_bits == form.weight_bits &&
                   plan->second.product_bits == form.product_bits && plan->second.accumulator_bits == form.accumulator_bits,
               "its widths differ from its plan");
        if (form.num_outputs != outputs || form.depth != depth || !has(form.weights, outputs * depth)) {
            expect(false, fmt::format("weights of {} x {} ({} words), expected {} x {}", form.num_outputs, form.depth, form.weights.size(), outputs, depth));
            return;
        }
        const bool width = form.weight_bits >= 1 && form.weight_bits <= kMaxCodeBits;
        if (!expect(width && all_in(form.weights, {-(std::int64_t{1} << form.weight_bits), std::int64_t{1} << form.weight_bits}),
                    "a weight is wider than its bits")) {
            return;
        }
        const auto groups = static_cast<std::int64_t>(form.terms.size());
        const auto& operand = input(0);
        const bool hybrid = operand.kind == FormatKind::hybrid;
        const OperandCode wanted = hybrid ? OperandCode{.kind = OperandKind::hybrid, .bits = operand.bits, .shift_cap = operand.shift_cap,
                                                        .log_levels = operand.log_levels, .alignment = operand.alignment}
                                          : OperandCode{};
        if (!expect(form.code == wanted, "its operand is decoded by another format")) return;
        expect(form.term_of.empty() ? groups == form.code.num_terms() : has(form.term_of, depth) && all_in(form.term_of, {0, groups - 1}), "its positions name unknown terms");
        terms(form.terms, form.product_bits, form.accumulator_bits);
        ContractionPlan least{.right_bits = form.weight_bits, .depth = depth, .factor_bits = operand.bits, .right_symmetric = form.weight_symmetric,
                              .product_bits = product_width(operand.bits, form.weight_bits, form.weight_symmetric, depth, 0)};
        if (hybrid) plan_hybrid(operand, form.weight_symmetric, kTermBits, least);
        left_operand(least);
        expect(form.product_bits >= least.product_bits, fmt::format("sums of {} bits, {} are needed", form.product_bits, least.product_bits));
        for (const auto& term : form.terms) expect(words_of(input(0)).contains(term.zero_point), "a zero point lies outside its operand's format");
        accumulator(form.accumulator);
        rescale(form.rescale, channels, words_of(output()));
    }

    /// The operation as the kind the operator asks for; another kind is a problem.
    template <class Wanted>
    const Wanted* as(const Operation& operation) {
        const auto* wanted = std::get_if<Wanted>(&operation);
        expect(wanted != nullptr, "integers of another operator");
        return wanted;
    }

    void check(const models::Linear& op, const Operation& operation) {
        if (const auto* form = as<Contraction>(operation)) contraction(*form, op.out_features, op.in_features, op.out_features);
    }
    void check(const models::Conv& op, const Operation& operation) {
        const auto depth = op.in_channels * op.kernel * op.kernel;
        if (input(0).kind != FormatKind::pixel) {
            if (const auto* form = as<Contraction>(operation)) contraction(*form, op.out_channels, depth, op.out_channels);
        } else if (const auto* embedding = as<PatchEmbedding>(operation)) {
            contraction(embedding->contraction, op.out_channels, depth, op.out_channels);
            expect(embedding->patch == op.kernel && std::ranges::all_of(embedding->mean_q8, [](auto m) { return m >= 0 && m < (1 << 16); }),
                   "a patch size or pixel mean out of range");
        }
    }
    void check(const models::ConvTranspose& op, const Operation& operation) {
        if (const auto* form = as<Contraction>(operation)) contraction(*form, op.out_channels * op.kernel * op.kernel, op.in_channels, op.out_channels);
    }
    void check(const models::MatMul& op, const Operation& operation) {
        const auto* form = as<Product>(operation);
        if (!form) return;
        const auto &left = input(0), &right = input(1);
        const auto depth = graph_.value(node_->inputs[0]).shape[2];
        expect(form->transpose_right == op.transpose_right && form->left_bits >= left.bits && form->right_bits >= right.bits &&
                   form->left_bits <= kMaxCodeBits && form->right_bits <= kMaxCodeBits,
               "its operands differ from their formats");
        if (!expect(decodes(form->code, left), "its left operand is decoded by another format")) return;
        ContractionPlan least{.depth = depth};
        plan_product(left, right, 1, least);
        left_operand(least);
        expect(has(form->terms, form->code.num_terms()), "its terms differ from those of its code");
        expect(words_of(left).contains(form->left_zero_point) && words_of(right).contains(form->right_zero_point),
               "a zero point lies outside its operand's format");
        terms(form->terms, form->product_bits, form->accumulator_bits);
        expect(form->product_bits >= least.product_bits, "its sums need more bits");
        expect(form->normalised_fraction >= 0 && form->normalised_fraction <= 30, "a fraction is out of range");
        accumulator(form->accumulator);
        rescale(form->rescale, 1, words_of(output()));
    }
    void check(const models::RelativePosition& op, const Operation& operation) {
        const auto* form = as<RelativePositionOp>(operation);
        if (!form) return;
        expect(form->height == op.height && form->width == op.width && form->head_dim == op.head_dim &&
                   has(form->table_height, (2 * op.height - 1) * op.head_dim) && has(form->table_width, (2 * op.width - 1) * op.head_dim),
               "relative position tables of another size");
        left_operand({.factor_bits = input(1).bits});
        expect(form->q_bits == input(1).bits, "its queries are wider or narrower than their format");
        const bool width = form->table_bits >= 1 && form->table_bits <= kMaxCodeBits;
        const Range entries{-(std::int64_t{1} << kMaxCodeBits), std::int64_t{1} << kMaxCodeBits};
        expect(width && all_in(form->table_height, entries) && all_in(form->table_width, entries), "a table entry is wider than its bits");
        expect(form->score_bits == output().bits && words_of(input(1)).contains(form->q_zero_point), "its operands differ from their formats");
        const Range wide{std::numeric_limits<std::int32_t>::min(), std::numeric_limits<std::int32_t>::max()};
        rescale(form->rescale_height, 1, wide);
        rescale(form->rescale_width, 1, wide);
    }
    void check(const models::Softmax&, const Operation& operation) {
        const auto* form = as<SoftmaxOp>(operation);
        if (!form) return;
        const auto& out = output();
        const bool log = out.code == OperandKind::logarithmic;
        expect(form->bits == out.bits && form->tau == (log ? out.tau : 0) && form->scale == out.scale && form->zero_code == out.zero_code &&
                   form->num_levels == (log ? out.log_levels : 0),
               "its codes differ from their format");
        expect(form->score_fraction >= 0 && form->score_fraction <= 30 && form->exp_bits >= 1 && form->exp_bits <= 24 &&
                   std::ranges::all_of(form->exp_table, [&](auto v) { return v >= 0 && v < (std::int64_t{1} << form->exp_bits); }),
               "an exponential table out of range");
        const auto codes = std::int64_t{1} << std::clamp(form->bits, 1, kMaxCodeBits);
        const auto thresholds = static_cast<std::int64_t>(form->threshold_mantissa.size());
        const bool compared = form->bits <= kMaxComparedBits && !(log && form->scale == ScaleMode::row);
        expect(has(form->threshold_exponent, thresholds) && thresholds == (!compared ? 0 : log ? out.log_levels : codes - 1) &&
                   all_in(form->threshold_mantissa, {0, 1 << 17}) &&
                   all_in(form->threshold_exponent, {-kMaxExponent, 0}),
               "its thresholds are out of range");
    }
    void check(const models::LayerNorm&, const Operation& operation) {
        const auto* form = as<LayerNormOp>(operation);
        if (!form) return;
        const auto channels = graph_.channels(node_->inputs[0]);
        expect(form->channels == channels && form->epsilon >= 0 && form->epsilon < (std::int64_t{1} << 60) && form->normalised_fraction >= 0 &&
                   form->normalised_fraction <= 20,
               "a norm of other channels, or a constant out of range");
        rescale(form->rescale, channels, words_of(output()));
    }
    void table(const TableOp& form) {
        const auto bits = input(0).bits;
        const bool direct = form.guard_bits == 0;
        expect(form.input_bits == bits && input(0).kind == FormatKind::code && form.guard_bits >= 0 && form.guard_bits <= 16 && (direct || bits >= 8),
               "a table for other codes");
        expect(has(form.table, direct ? std::int64_t{1} << bits : 257), fmt::format("a table of {} entries for {}-bit codes", form.table.size(), bits));
        const auto limits = words_of(output());
        expect(form.lo <= form.hi && limits.contains(form.lo) && limits.contains(form.hi) && (!direct || all_in(form.table, limits)),
               "a table entry lies outside its format");
    }
    void check(const models::Gelu&, const Operation& operation) {
        if (const auto* form = as<TableOp>(operation)) table(*form);
    }
    void check(const models::Relu&, const Operation& operation) {  // wide codes: a requantization that clamps at 0
        if (const auto* form = std::get_if<RequantizeOp>(&operation)) return rescale(form->rescale, graph_.channels(node_->output), words_of(output()));
        if (const auto* form = as<TableOp>(operation)) table(*form);
    }
    void check(const models::Add&, const Operation& operation) {
        const auto* form = as<AddOp>(operation);
        if (!form) return;
        const Range shifts{0, 30};
        expect(shifts.contains(form->left_shift) && shifts.contains(form->right_shift) && form->output_shift >= -16 && form->output_shift <= kMaxExponent &&
                   form->bits == output().bits,
               "an addition's shifts or width are out of range");
    }
    void check(const models::Requantize&, const Operation& operation) {
        if (const auto* form = as<RequantizeOp>(operation)) rescale(form->rescale, graph_.channels(node_->inputs[0]), words_of(output()));
    }
    void constant(const Operation& operation) {
        const auto* form = as<ConstantOp>(operation);
        if (!form) return;
        const auto limits = words_of(output());
        expect(form->values.shape() == graph_.value(node_->output).shape &&
                   std::ranges::all_of(form->values.values(), [&](auto v) { return limits.contains(v); }),
               "a constant of another shape, or outside its format");
    }
    void check(const models::Parameter&, const Operation& operation) { constant(operation); }
    void check(const models::DensePositionCode&, const Operation& operation) { constant(operation); }
    void check(const models::PromptEmbedding& op, const Operation& operation) {
        const auto* form = as<PromptOp>(operation);
        if (!form) return;
        expect(form->image_size == op.image_size && form->num_frequencies == op.num_frequencies && has(form->frequency, 2 * op.num_frequencies) &&
                   has(form->label_embedding, 10 * op.num_frequencies),
               "prompt features of another size");
        expect(all_in(form->frequency, {-(std::int64_t{1} << 38), std::int64_t{1} << 38}) && form->output_fraction >= 0 && form->output_fraction <= 30 &&
                   form->bits == output().bits,
               "a prompt constant is out of range");
    }
    template <class Movement>
    void movement(const Movement&, const Operation& operation) {
        const auto* form = as<MoveOp>(operation);
        if (!form) return;
        if constexpr (std::is_same_v<Movement, models::WindowPartition>) {
            expect(has(form->padding, graph_.channels(node_->output)) && all_in(form->padding, words_of(output())), "padding of another size or format");
        } else {
            expect(form->padding.empty(), "padding where nothing is padded");
        }
    }
    void check(const models::WindowPartition& op, const Operation& operation) { movement(op, operation); }
    void check(const models::WindowUnpartition& op, const Operation& operation) { movement(op, operation); }
    void check(const models::Rearrange& op, const Operation& operation) { movement(op, operation); }
    void check(const models::Concat& op, const Operation& operation) { movement(op, operation); }
    void check(const models::Resize&, const Operation& operation) {
        const auto* form = as<ResizeOp>(operation);
        if (!form) return;
        expect(form->guard_bits >= -16 && form->guard_bits <= 22 && form->bits == output().bits, "a resize's widths are out of range");
    }

    const Graph& graph_;
    const QuantizedGraph& quantized_;
    const Node* node_ = nullptr;
    std::vector<std::string> problems_;
};

}  // namespace

std::vector<std::string> inconsistencies(const Graph& graph, const QuantizedGraph& quantized) { return Checker(graph, quantized).run(); }

}  // namespace prelude::quant
