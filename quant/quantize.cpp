// SPDX-License-Identifier: Apache-2.0
#include "quant/quantize.hpp"

#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <numbers>
#include <numeric>

#include "models/overloaded.hpp"
#include "quant/arithmetic/gelu.hpp"
#include "quant/arithmetic/rescale.hpp"
#include "quant/arithmetic/rounding.hpp"
#include "quant/arithmetic/softmax.hpp"
#include "quant/calibration/layer_weights.hpp"
#include "quant/calibration/scales.hpp"
#include "quant/calibration/transforms.hpp"
#include "quant/probability_code.hpp"

namespace prelude::quant {

using models::Graph;
using models::Node;
using models::Overloaded;

namespace {

constexpr int kNormalisedFraction = 20;  ///< most fraction bits of a row-normalised operand
constexpr int kSegments = 256;
constexpr int kDirectTableBits = 10;
constexpr int kMaxHybridInputBits = 12;
constexpr int kSegmentGuard = 8;
constexpr double kLog2E = std::numbers::log2e;
constexpr std::array<double, 3> kPixelMean{123.675, 116.28, 103.53}, kPixelDeviation{58.395, 57.12, 57.375};

/// T[i] = RNE(top 2^(-i/64)); or A and B of top - B u + A u^2, I-BERT's polynomial of e^r at r = -u ln 2. Its value at u = 1 lies 2.3e-5 of the top
/// below 1/2: B is lowered by what makes it at least 1/2, so that the exponential does not rise where an octave ends.
std::vector<std::int32_t> exponential_constants(Exponential form, int bits) {
    constexpr double kSquare = 0.35815147, kSlope = 0.96963238;
    const double top = std::ldexp(1.0, bits) - 1.0;
    const auto word = [&](double share) { return static_cast<std::int32_t>(std::nearbyint(top * share)); };
    std::vector<std::int32_t> words;
    switch (form) {
        case Exponential::table:
            for (int i = 0; i <= 64; ++i) words.push_back(word(std::exp2(-i / 64.0)));
            break;
        case Exponential::polynomial: {
            const auto square = word(kSquare * std::numbers::ln2 * std::numbers::ln2);
            words = {square, std::min(word(kSlope * std::numbers::ln2), square + static_cast<std::int32_t>(top) / 2)};
            break;
        }
        case Exponential::shift: break;
    }
    return words;
}

/// Lowers node by node; the scales of all values are settled before (ValueScales).
class Lowering {
  public:
    Lowering(const Graph& graph, const Observed& observed, const Settings& settings, QuantizedGraph& target)
        : graph_(graph), weights_(observed.weights), settings_(settings), ranges_(observed.ranges), padding_(observed.padding), target_(target) {}

    void run(const models::ReportProgress& report) {
        for (const auto& node : graph_.nodes()) {
            try {
                target_.operations.emplace(node.name, std::visit([&](const auto& op) -> Operation { return lower(node, op); }, node.op));
            } catch (const SettingsError& error) {
                throw SettingsError(fmt::format("{}: {}", node.name, error.what()));
            }
            models::report_step(report, target_.operations.size(), graph_.nodes().size());
        }
    }

  private:
    [[nodiscard]] const std::string& name(models::ValueId id) const { return graph_.value(id).name; }
    [[nodiscard]] const Format& format(models::ValueId id) const { return target_.plan.format(name(id)); }
    [[nodiscard]] const Meaning& meaning(models::ValueId id) const { return target_.meanings.at(name(id)); }
    [[nodiscard]] int fraction(models::ValueId id) const { return -std::ilogb(meaning(id).scale[0]); }
    [[nodiscard]] static std::size_t group(const Meaning& meaning, std::size_t channel) {
        return meaning.group_of.empty() ? 0 : static_cast<std::size_t>(meaning.group_of[channel]);
    }

    /// Rescale onto the format of `output`; `ratio(c)` is the real value of one step of the operand, `bias(c)` is real.
    template <class Ratio, class Bias>
    [[nodiscard]] Rescale rescale_to(models::ValueId output, std::size_t channels, int operand_shift, Ratio ratio, Bias bias) const {
        const auto& out = format(output);
        const auto& real = meaning(output);
        Rescale form{.operand_shift = operand_shift};
        const bool is_unsigned = out.kind == FormatKind::code;
        form.lo = is_unsigned ? 0 : static_cast<std::int32_t>(signed_min(out.bits));
        form.hi = is_unsigned ? static_cast<std::int32_t>((1 << out.bits) - 1) : static_cast<std::int32_t>(signed_max(out.bits));
        for (std::size_t c = 0; c < channels; ++c) {
            const auto g = channels == 1 ? 0 : group(real, c);
            const auto factor = scale_factor(ratio(c) * std::ldexp(1.0, operand_shift) / real.scale[g]);
            form.multiplier.push_back(factor.multiplier);
            form.shift.push_back(factor.shift);
            form.offset.push_back(offset_word(bias(c) / real.scale[g], factor.shift, out.bits));
            form.zero_point.push_back(real.zero_point[g]);
        }
        return form;
    }

    [[nodiscard]] static int operand_shift(int accumulator_bits, const Settings& settings) {
        return std::max(0, accumulator_bits - settings.rescale.operand_bits);
    }

    [[nodiscard]] Accumulator accumulator() const {
        return {settings_.accumulator.overflow, settings_.accumulator.bits, settings_.accumulator.chunk};
    }

    [[nodiscard]] std::span<const float> optional_values(const std::string& tensor) const {
        return tensor.empty() ? std::span<const float>{} : weights_.values(tensor);
    }

    /// The common part of linear, convolution and transposed convolution; values [N, K].
    [[nodiscard]] Contraction contraction(const Node& node, std::span<const float> values, const std::string& bias_name, const LayerShape& shape) {
        const auto [weights, bias] = layer_codes(graph_, node, values, optional_values(bias_name), shape, settings_, ranges_, target_);
        const auto& plan = target_.plan.contraction(node.name);
        const auto& in = meaning(node.inputs[0]);
        const auto& operand = format(node.inputs[0]);
        const bool pixels = operand.kind == FormatKind::pixel, hybrid = operand.kind == FormatKind::hybrid;
        Contraction form{.num_outputs = weights.num_outputs, .depth = plan.depth, .weights = weights.codes, .weight_bits = plan.right_bits,
                         .weight_symmetric = settings_.weight_symmetric, .product_bits = plan.product_bits, .accumulator_bits = plan.accumulator_bits,
                         .accumulator = accumulator()};
        if (hybrid) {
            form.code = {.kind = OperandKind::hybrid, .bits = operand.bits, .shift_cap = operand.shift_cap, .log_levels = operand.log_levels,
                         .alignment = operand.alignment};
        }
        const bool one_scale = hybrid && operand.alignment >= 0;
        const auto constants = term_constants(pixels ? std::vector<double>{1.0} : one_scale ? std::vector<double>{in.scale[0]} : in.scale,
                                              hybrid ? plan.product_bits + 1 : plan.product_bits, hybrid);
        for (std::size_t g = 0; g < constants.terms.size(); ++g) {
            form.terms.push_back(constants.terms[g]);
            form.terms.back().zero_point = pixels ? 0 : in.zero_point[g];
        }
        if (form.terms.size() > 1 && !hybrid) {
            for (std::size_t k = 0; k < static_cast<std::size_t>(plan.depth); ++k) form.term_of.push_back(in.group_of[k / shape.taps]);
        }
        const auto outputs = static_cast<std::size_t>(weights.num_outputs) / shape.shared;
        form.rescale = rescale_to(
            node.output, outputs, operand_shift(plan.accumulator_bits, settings_),
            [&, &codes = weights](std::size_t o) { return constants.unit * codes.scale[o * shape.shared]; },
            [&, &codes = weights, &real = bias](std::size_t o) { return (real.empty() ? 0.0 : real[o]) + in.offset * row_sum(codes, o); });
        return form;
    }

    /// Sum of an output's weights as they were quantized: what the constant part of a hybrid operand is multiplied with.
    [[nodiscard]] static double row_sum(const QuantizedWeights& weights, std::size_t output) {
        const auto depth = weights.codes.size() / static_cast<std::size_t>(weights.num_outputs);
        const auto row = std::span(weights.codes).subspan(output * depth, depth);
        return weights.scale[output] * static_cast<double>(std::accumulate(row.begin(), row.end(), std::int64_t{0}));
    }

    struct TermConstants {
        std::vector<Term> terms;
        double unit = 1;  ///< real value of one step of Acc, the weight's scale apart
    };
    /// scale_g = unit * m_g * 2^x_g with 16-bit m_g; one group keeps m = 1, power-of-two scales of groups do too.
    [[nodiscard]] TermConstants term_constants(const std::vector<double>& scales, int product_bits, bool hybrid) const {
        if (scales.size() == 1) return {{Term{}}, scales[0]};
        if (settings_.group_scales == GroupScales::power_of_two && !hybrid) {
            TermConstants constants{.terms = {}, .unit = std::ranges::min(scales)};
            for (const double scale : scales) constants.terms.push_back({.exponent = std::ilogb(scale / constants.unit)});
            return constants;
        }
        const int bits = settings_.rescale.term_bits;
        const int headroom = max_term_exponent(product_bits, bits);
        const double largest = *std::ranges::max_element(scales);
        TermConstants constants{.terms = {}, .unit = largest / std::ldexp(std::ldexp(1.0, bits) - 1.0, headroom)};
        for (const double scale : scales) {
            const double wanted = scale / constants.unit;
            const int exponent = std::clamp(std::ilogb(std::max(wanted, 1.0)) + 1 - bits, 0, headroom);
            const double mantissa = std::clamp(std::nearbyint(std::ldexp(wanted, -exponent)), 1.0, std::ldexp(1.0, bits) - 1.0);
            constants.terms.push_back({.multiplier = static_cast<std::uint32_t>(mantissa), .exponent = exponent});
        }
        return constants;
    }

    Operation lower(const Node& node, const models::Linear& op) {
        return contraction(node, weights_.values(op.weight), op.bias, {.num_outputs = op.out_features});
    }

    Operation lower(const Node& node, const models::Conv& op) {
        const auto positions = static_cast<std::size_t>(op.kernel * op.kernel);
        const LayerShape shape{.num_outputs = op.out_channels, .taps = positions};
        const auto values = weights_.values(op.weight);
        if (format(node.inputs[0]).kind != FormatKind::pixel) return contraction(node, values, op.bias, shape);
        std::vector<float> folded(values.begin(), values.end());
        for (std::size_t i = 0; i < folded.size(); ++i) folded[i] = static_cast<float>(folded[i] / kPixelDeviation[i / positions % 3]);
        PatchEmbedding embedding{.contraction = contraction(node, folded, op.bias, shape), .patch = op.kernel};
        for (std::size_t c = 0; c < 3; ++c) embedding.mean_q8[c] = static_cast<std::int64_t>(std::nearbyint(kPixelMean[c] * 256.0));
        return embedding;
    }

    Operation lower(const Node& node, const models::ConvTranspose& op) {
        const auto positions = static_cast<std::size_t>(op.kernel * op.kernel);
        const auto outputs = static_cast<std::size_t>(op.out_channels) * positions, depth = static_cast<std::size_t>(op.in_channels);
        const auto values = weights_.values(op.weight);  // [C, O*k*k]
        std::vector<float> turned(values.size());
        for (std::size_t k = 0; k < depth; ++k) {
            for (std::size_t n = 0; n < outputs; ++n) turned[n * depth + k] = values[k * outputs + n];
        }
        return contraction(node, turned, op.bias, {.num_outputs = static_cast<std::int64_t>(outputs), .shared = positions});
    }

    Operation lower(const Node& node, const models::MatMul& op) {
        const auto& plan = target_.plan.contraction(node.name);
        const auto& left = format(node.inputs[0]);
        const auto &left_meaning = meaning(node.inputs[0]), &right_meaning = meaning(node.inputs[1]);
        Product form{.transpose_right = op.transpose_right, .left_bits = plan.left_bits, .right_bits = plan.right_bits,
                     .right_zero_point = right_meaning.zero_point[0], .terms = {Term{}}, .product_bits = plan.product_bits,
                     .accumulator_bits = plan.accumulator_bits, .accumulator = accumulator()};
        double unit = op.scale * left_meaning.scale[0] * right_meaning.scale[0];
        if (left.kind == FormatKind::probability) {
            form.row_normalised = left.scale == ScaleMode::row && left.bits <= kMaxComparedBits;
            if (left.code != OperandKind::uniform) unit *= probability_operand(left, left_meaning, form);
            if (form.row_normalised) {  // the row's own sum divides: one step is a step of the right operand
                form.normalised_fraction = std::min(kNormalisedFraction, 29 - plan.right_bits);
                unit = op.scale * right_meaning.scale[0] * std::ldexp(1.0, -form.normalised_fraction);
            }
        } else {
            form.left_zero_point = left_meaning.zero_point[0];
        }
        if (format(node.output).kind == FormatKind::score) unit *= kLog2E;
        const int shift = operand_shift(plan.accumulator_bits, settings_);
        form.rescale = rescale_to(node.output, 1, form.row_normalised ? 0 : shift, [&](std::size_t) { return unit; }, [](std::size_t) { return 0.0; });
        form.rescale.operand_shift = shift;
        return form;
    }

    /// Code and terms of coded probabilities; returns the value of one step of Acc in units of the scale.
    [[nodiscard]] double probability_operand(const Format& format, const Meaning& real, Product& form) const {
        form.code = {.kind = format.code, .bits = format.bits, .tau = std::max(format.tau, 1), .shift_cap = format.shift_cap, .zero_code = format.zero_code};
        const auto constant = [](double value) { return Term{.multiplier = static_cast<std::uint32_t>(std::nearbyint(value))}; };
        // Residue constants: the largest fills the word.
        const double top = format.tau > 1 ? std::ldexp(1.0, settings_.rescale.term_bits) - 1.0 : 1.0;
        if (format.code == OperandKind::logarithmic) {
            form.terms.clear();
            for (int f = 0; f < format.tau; ++f) form.terms.push_back(constant(top * std::exp2(-static_cast<double>(f) / format.tau)));
            return std::ldexp(1.0 / top, -format.shift_cap);
        }
        if (format.code == OperandKind::companded) {
            form.terms.clear();
            for (int f = 0; f < format.tau; ++f) form.terms.push_back(constant(top * std::exp2(static_cast<double>(f - format.tau + 1) / format.tau)));
            return std::exp2(static_cast<double>(format.tau - 1) / format.tau) / (top * real.companding);
        }
        auto factors = table_factors(code_levels(format, real.companding), format.entry_bits);
        if (format.code == OperandKind::table) {
            form.code.factors = std::move(factors);
        } else {
            form.terms.clear();
            for (std::size_t code = 1; code < factors.size(); ++code) form.terms.push_back(constant(factors[code]));
        }
        return 1.0 / (std::ldexp(1.0, format.entry_bits) - 1.0);
    }

    Operation lower(const Node& node, const models::RelativePosition& op) {
        const auto& q = format(node.inputs[1]);
        const auto& real = meaning(node.inputs[1]);
        RelativePositionOp form{.height = op.height, .width = op.width, .head_dim = op.head_dim, .q_zero_point = real.zero_point[0], .q_bits = q.bits,
                                .table_bits = settings_.rel_pos_bits, .score_bits = format(node.output).bits};
        const auto table = [&](const std::string& tensor, std::vector<std::int32_t>& codes, Rescale& rescale) {
            const auto values = weights_.values(tensor);
            Settings whole = settings_;
            whole.weight_per_channel = false;
            whole.weight_symmetric = true;
            const auto rows = static_cast<std::int64_t>(values.size()) / op.head_dim;
            auto quantized = round_to_nearest(values, weight_grids(values, rows, op.head_dim, 1, settings_.rel_pos_bits, whole));
            codes = std::move(quantized.codes);
            const int shift = operand_shift(target_.plan.contraction(node.name).accumulator_bits, settings_);
            rescale = rescale_to(node.output, 1, shift, [&](std::size_t) { return real.scale[0] * quantized.scale[0] * kLog2E; },
                                 [](std::size_t) { return 0.0; });
        };
        table(op.table_height, form.table_height, form.rescale_height);
        table(op.table_width, form.table_width, form.rescale_width);
        return form;
    }

    Operation lower(const Node& node, const models::Softmax&) {
        const auto& out = format(node.output);
        const auto& softmax = settings_.softmax;
        const bool log = out.code == OperandKind::logarithmic;
        SoftmaxOp form{.score_fraction = fraction(node.inputs[0]), .bits = out.bits, .tau = log ? out.tau : 0, .num_levels = log ? out.log_levels : 0,
                       .zero_code = out.zero_code, .scale = out.scale};
        form.exp_bits = softmax.exp_bits > 0 ? softmax.exp_bits : out.bits <= kMaxComparedBits ? 16 : 20;
        form.exponential = target_.plan.exponential;
        form.exp_constants = exponential_constants(form.exponential, form.exp_bits);
        if ((log && out.scale == ScaleMode::row) || out.bits > kMaxComparedBits) return form;
        const auto& real = meaning(node.output);
        const double largest = out.code == OperandKind::uniform ? real.scale[0] * (std::ldexp(1.0, out.bits) - 1.0) : real.scale[0];
        for (const double level : code_levels(out, real.companding).threshold) {
            const double theta = largest * level;
            const int exponent = std::ilogb(theta) - 15;
            const auto mantissa = static_cast<std::int64_t>(std::nearbyint(std::ldexp(theta, -exponent)));
            const bool carries = mantissa == 1 << 16;  // 16 bits hold it a power of two higher
            form.threshold_mantissa.push_back(carries ? 1 << 15 : mantissa);
            form.threshold_exponent.push_back(exponent + (carries ? 1 : 0));
        }
        return form;
    }

    Operation lower(const Node& node, const models::LayerNorm& op) {
        const auto channels = graph_.channels(node.inputs[0]);
        const auto gamma = weights_.values(op.gamma), beta = weights_.values(op.beta);
        const double squared = static_cast<double>(channels) * static_cast<double>(channels);
        LayerNormOp form{.channels = channels, .root = target_.plan.root};
        form.epsilon = static_cast<std::int64_t>(std::nearbyint(std::ldexp(op.eps * squared, 2 * fraction(node.inputs[0]))));
        // |t| <= sqrt(D - 1): 20 signed bits leave this many for the fraction.
        form.normalised_fraction = 19 - static_cast<int>(std::ceil(0.5 * std::log2(static_cast<double>(channels))));
        form.rescale = rescale_to(node.output, static_cast<std::size_t>(channels), 0,
                                  [&](std::size_t c) { return std::ldexp(static_cast<double>(gamma[c]), -form.normalised_fraction); },
                                  [&](std::size_t c) { return static_cast<double>(beta[c]); });
        return form;
    }

    template <class Function>
    [[nodiscard]] TableOp table(const Node& node, Function function) const {
        const auto &in = format(node.inputs[0]), &out = format(node.output);
        const auto &from = meaning(node.inputs[0]), &to = meaning(node.output);
        TableOp form{.input_bits = in.bits, .lo = 0, .hi = (1 << out.bits) - 1};
        if (out.kind == FormatKind::hybrid) {
            if (in.bits > kMaxHybridInputBits) {
                throw SettingsError(fmt::format("hybrid codes come from a table of at most {} input bits, quant.gelu_input_bits asks for {}", kMaxHybridInputBits, in.bits));
            }
            for (int code = 0; code < 1 << in.bits; ++code) form.table.push_back(word_of(out, to, 0, function((code - from.zero_point[0]) * from.scale[0])));
            return form;
        }
        const auto image = [&](double code) { return to.zero_point[0] + function((code - from.zero_point[0]) * from.scale[0]) / to.scale[0]; };
        if (in.bits <= kDirectTableBits) {
            for (int code = 0; code < 1 << in.bits; ++code) {
                form.table.push_back(static_cast<std::int32_t>(std::clamp(std::nearbyint(image(code)), 0.0, static_cast<double>(form.hi))));
            }
            return form;
        }
        form.guard_bits = kSegmentGuard;
        const double step = std::ldexp(1.0, in.bits - 8);
        for (int i = 0; i <= kSegments; ++i) form.table.push_back(static_cast<std::int32_t>(std::nearbyint(std::ldexp(image(i * step), kSegmentGuard))));
        return form;
    }

    Operation lower(const Node& node, const models::Gelu&) {
        return table(node, [&](double x) { return gelu(settings_.nonlinear, x); });
    }
    /// Codes too wide for a direct table: a requantization that clamps at the code of 0, exact at the kink.
    Operation lower(const Node& node, const models::Relu&) {
        const auto &from = meaning(node.inputs[0]), &to = meaning(node.output);
        if (format(node.inputs[0]).bits <= kDirectTableBits || format(node.output).kind == FormatKind::hybrid) return table(node, [](double x) { return std::max(x, 0.0); });
        const auto scale = from.scale[0];
        auto form = rescale_to(node.output, static_cast<std::size_t>(graph_.channels(node.output)), 0, [&](std::size_t) { return scale; },
                               [](std::size_t) { return 0.0; });
        for (std::size_t c = 0; c < form.offset.size(); ++c) form.offset[c] = -static_cast<std::int64_t>(form.multiplier[c]) * from.zero_point[0];
        form.lo = to.zero_point[0];
        return RequantizeOp{std::move(form)};
    }

    Operation lower(const Node& node, const models::Add&) {
        const int left = fraction(node.inputs[0]), right = fraction(node.inputs[1]), finest = std::max(left, right);
        return AddOp{.left_shift = finest - left, .right_shift = finest - right, .output_shift = finest - fraction(node.output),
                     .bits = format(node.output).bits};
    }

    Operation lower(const Node& node, const models::Requantize&) {
        const double step = meaning(node.inputs[0]).scale[0];
        return RequantizeOp{rescale_to(node.output, static_cast<std::size_t>(graph_.channels(node.inputs[0])), 0, [&](std::size_t) { return step; },
                                       [](std::size_t) { return 0.0; })};
    }

    [[nodiscard]] std::int32_t fixed_word(models::ValueId id, double value) const {
        const auto& form = format(id);
        return static_cast<std::int32_t>(
            std::clamp(std::nearbyint(value / meaning(id).scale[0]), static_cast<double>(signed_min(form.bits)), static_cast<double>(signed_max(form.bits))));
    }

    Operation lower(const Node& node, const models::Parameter& op) {
        IntTensor words(graph_.value(node.output).shape);
        const auto values = weights_.values(op.tensor);
        models::check(static_cast<std::int64_t>(values.size()) == words.num_elements(), "parameter size");
        for (std::size_t i = 0; i < values.size(); ++i) words[i] = fixed_word(node.output, values[i]);
        return ConstantOp{std::move(words)};
    }

    Operation lower(const Node& node, const models::DensePositionCode& op) {
        IntTensor words(graph_.value(node.output).shape);
        const auto gaussian = weights_.values(op.gaussian);
        const auto features = static_cast<std::size_t>(op.num_frequencies);
        std::size_t index = 0;
        for (std::size_t f = 0; f < 2 * features; ++f) {
            for (std::int64_t y = 0; y < op.height; ++y) {
                for (std::int64_t x = 0; x < op.width; ++x) {
                    const auto centred = [](std::int64_t i, std::int64_t n) { return 2.0 * (static_cast<double>(i) + 0.5) / static_cast<double>(n) - 1.0; };
                    const double phase = 2.0 * std::numbers::pi *
                                         (centred(x, op.width) * gaussian[f % features] + centred(y, op.height) * gaussian[features + f % features]);
                    words[index++] = fixed_word(node.output, f < features ? std::sin(phase) : std::cos(phase));
                }
            }
        }
        return ConstantOp{std::move(words)};
    }

    Operation lower(const Node& node, const models::PromptEmbedding& op) {
        PromptOp form{.image_size = op.image_size, .num_frequencies = op.num_frequencies, .output_fraction = fraction(node.output),
                      .bits = format(node.output).bits};
        for (const double g : weights_.values(op.gaussian)) {
            form.frequency.push_back(static_cast<std::int64_t>(std::nearbyint(std::ldexp(2.0 * g / static_cast<double>(op.image_size), 32 - kCoordinateFraction))));
        }
        const auto embed = [&](const std::string& tensor) {
            for (const double v : weights_.values(tensor)) form.label_embedding.push_back(static_cast<std::int32_t>(std::nearbyint(std::ldexp(v, 15))));
        };
        embed(op.not_a_point);
        for (const auto& label : op.labels) embed(label);
        return form;
    }

    Operation lower(const Node& node, const models::WindowPartition&) {
        MoveOp form;
        const auto& real = meaning(node.output);
        const auto found = padding_.find(name(node.output));
        for (std::size_t c = 0; c < static_cast<std::size_t>(graph_.channels(node.output)); ++c) {
            form.padding.push_back(word_of(format(node.output), real, c, found == padding_.end() ? 0.0 : found->second[c]));
        }
        return form;
    }
    Operation lower(const Node&, const models::WindowUnpartition&) { return MoveOp{}; }
    Operation lower(const Node&, const models::Rearrange&) { return MoveOp{}; }
    Operation lower(const Node&, const models::Concat&) { return MoveOp{}; }

    Operation lower(const Node& node, const models::Resize&) {
        return ResizeOp{.guard_bits = format(node.output).bits - format(node.inputs[0]).bits, .bits = format(node.output).bits};
    }

    const Graph& graph_;
    const models::Weights& weights_;
    const Settings& settings_;
    const Ranges& ranges_;
    const std::map<std::string, std::vector<double>, std::less<>>& padding_;
    QuantizedGraph& target_;
};

}  // namespace

QuantizedGraph quantize(const models::SamConfig& config, const Graph& graph, const models::Weights& weights, const Settings& settings,
                        Ranges ranges, const models::ReportProgress& report) {
    constexpr double kScalesShare = 0.3;  // of the time, about
    QuantizedGraph target{.config = config, .settings = settings, .plan = make_plan(graph, settings)};
    Observed observed{weights, std::move(ranges)};
    if (settings.smooth) smooth_norms(graph, *settings.smooth, observed);
    if (settings.reparam) reparameterise_norms(graph, settings, target.plan, observed);
    if (settings.big) fold_bimodal_keys(graph, observed);
    settle_scales(graph, observed.weights, settings, observed.ranges, target, models::part_of(report, 0, kScalesShare));
    Lowering(graph, observed, settings, target).run(models::part_of(report, kScalesShare, 1));
    return target;
}

}  // namespace prelude::quant
