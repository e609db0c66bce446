// SPDX-License-Identifier: Apache-2.0
// What calibration hands to the datapath: every constant, table, width and limit of the lowered operations against the formulas
// of docs/numerics.md, on a network with every operator.
#include <catch2/catch.hpp>

#include <cmath>
#include <numbers>
#include <set>

#include "quant/format_plan.hpp"
#include "tests/support/oracle/constants.hpp"
#include "tests/support/tiny_model.hpp"

using namespace prelude;
using namespace prelude::tests;
using quant::FormatKind;

namespace {

models::SamConfig minute_config() {
    return {.image_size = 40, .patch_size = 8, .width = 24, .mlp_width = 29, .depth = 2, .num_heads = 3, .window_size = 3, .global_blocks = {1}, .prompt_width = 16,
            .decoder_heads = 2, .decoder_mlp_width = 19, .iou_head_width = 13};
}

const CalibratedModel& minute_model() {
    static const CalibratedModel model = random_model(minute_config(), 4);
    return model;
}

struct Case {
    std::string name;
    quant::Settings settings;
};

std::vector<Case> cases() {
    std::vector<Case> list{{"W8A8", {}}};
    const auto add = [&](std::string name, auto change) {
        list.push_back({std::move(name), {}});
        change(list.back().settings);
    };
    add("W4A4, groups 4, base 2, tensor scale", [](auto& s) {
        s.weight_bits = s.activation_bits = 4, s.groups = 4;
        s.softmax.log_base = quant::LogBase::two, s.softmax.scale = quant::ScaleMode::tensor;
    });
    add("W6A6, per channel, uniform probabilities, scale one", [](auto& s) {
        s.weight_bits = s.activation_bits = 6, s.groups = 0;
        s.softmax.scheme = quant::SoftmaxScheme::uniform, s.softmax.scale = quant::ScaleMode::one;
    });
    add("W4A4, 2-bit codes of base 2^(1/4): no shift at all", [](auto& s) {
        s.softmax.bits = 2, s.softmax.log_base = quant::LogBase::fourth_root_two;
    });
    add("W16A16, everything 16", [](auto& s) {
        s.weight_bits = s.activation_bits = s.gelu_input_bits = s.rel_pos_bits = 16, s.groups = 4;
        s.softmax.scheme = quant::SoftmaxScheme::uniform, s.softmax.bits = 16;
    });
    add("W5A7, asymmetric, saturating log codes, narrow constants, 24-bit operands", [](auto& s) {
        s.weight_bits = 5, s.activation_bits = 7, s.groups = 3, s.weight_symmetric = false;
        s.softmax.zero_code = quant::ZeroCode::saturate, s.softmax.shift_cap = 9;
        s.rescale = {.term_bits = 10, .operand_bits = 24};
    });
    add("W8A8 as I-BERT, uniform probabilities", [](auto& s) {
        s.nonlinear = quant::Nonlinear::ibert;
        s.softmax.scheme = quant::SoftmaxScheme::uniform;
    });
    add("W4A16 as I-ViT, wide GELU inputs", [](auto& s) {
        s.weight_bits = 4, s.gelu_input_bits = 16, s.softmax.bits = 16;
        s.softmax.scheme = quant::SoftmaxScheme::uniform, s.nonlinear = quant::Nonlinear::ivit;
    });
    return list;
}

/// Checks every operation of one quantized graph.
struct Checker {
    const models::Graph& graph;
    const quant::QuantizedGraph& quantized;
    const quant::Settings& settings;
    const models::Node* node = nullptr;

    [[nodiscard]] const models::Value& in(std::size_t i = 0) const { return graph.value(node->inputs[i]); }
    [[nodiscard]] const quant::Format& format(const models::Value& value) const { return quantized.plan.format(value.name); }
    [[nodiscard]] const quant::Meaning& meaning(const models::Value& value) const { return quantized.meanings.at(value.name); }
    [[nodiscard]] int shift_of(int accumulator_bits) const { return std::max(0, accumulator_bits - settings.rescale.operand_bits); }

    void rescale(const quant::Rescale& form, int operand_shift, std::size_t channels, int bits) const {
        CHECK(form.operand_shift == operand_shift);
        REQUIRE(form.multiplier.size() == channels);
        for (std::size_t c = 0; c < channels; ++c) {
            CHECK(std::abs(form.multiplier[c]) < 65536);
            CHECK((form.shift[c] >= 1 && form.shift[c] <= 40));
            if (form.shift[c] < 40 && form.multiplier[c] != 0) CHECK(std::abs(form.multiplier[c]) >= 32768);
            const bool relu = std::holds_alternative<models::Relu>(node->op);  // B = -M z, exactly
            CHECK(std::abs(form.offset[c]) < std::int64_t{1} << (relu ? 16 + format(in()).bits : form.shift[c] + bits + 1));
            CHECK((form.zero_point[c] >= form.lo && form.zero_point[c] <= form.hi));
        }
    }

    /// Output range and zero points of a word of `value`.
    void output(const quant::Rescale& form, const models::Value& value) const {
        const auto& f = format(value);
        if (f.kind == FormatKind::code) {
            CHECK(form.hi == (1 << f.bits) - 1);
        } else {
            CHECK(oracle::Big(form.lo) == -oracle::power_of_two(f.bits - 1));
            CHECK(oracle::Big(form.hi) == oracle::power_of_two(f.bits - 1) - 1);
        }
    }

    /// m_t 2^x_t against the scales of the groups.
    void terms(const std::vector<quant::Term>& terms, const models::Value& value, int product_bits) const {
        const auto& real = meaning(value);
        REQUIRE(terms.size() == real.scale.size());
        for (std::size_t t = 0; t < terms.size(); ++t) CHECK(terms[t].zero_point == real.zero_point[t]);
        if (terms.size() == 1) {
            CHECK(terms[0] == quant::Term{.zero_point = real.zero_point[0]});
            return;
        }
        const int exponent = oracle::largest_term_exponent(product_bits, settings.rescale.term_bits);
        const double top = std::ldexp(1.0, settings.rescale.term_bits) - 1.0;
        const double unit = *std::ranges::max_element(real.scale) / std::ldexp(top, exponent);
        for (std::size_t t = 0; t < terms.size(); ++t) {
            CHECK((terms[t].multiplier >= 1 && terms[t].multiplier <= top));
            CHECK((terms[t].exponent >= 0 && terms[t].exponent <= exponent));
            const double held = unit * std::ldexp(static_cast<double>(terms[t].multiplier), terms[t].exponent);
            CHECK(std::abs(held - real.scale[t]) <= std::max(0.5000001 * std::ldexp(unit, terms[t].exponent), unit));
            if (terms[t].exponent > 0) CHECK(terms[t].multiplier >= (std::uint32_t{1} << (settings.rescale.term_bits - 1)));
        }
    }

    void contraction(const quant::Contraction& form, std::size_t outputs, std::int64_t repeat) const {
        const auto& f = format(in());
        CHECK(form.product_bits == oracle::product_width(f.bits, form.weight_bits, settings.weight_symmetric, form.depth, 0));
        const bool grouped = form.terms.size() > 1;
        CHECK(form.accumulator_bits ==
              form.product_bits + (grouped ? settings.rescale.term_bits + oracle::largest_term_exponent(form.product_bits, settings.rescale.term_bits) : 0));
        rescale(form.rescale, shift_of(form.accumulator_bits), outputs, format(graph.value(node->output)).bits);
        output(form.rescale, graph.value(node->output));
        const auto top = (1 << (form.weight_bits - 1)) - 1;
        const auto reach = *std::ranges::max_element(form.weights, {}, [](auto w) { return std::abs(w); });
        CHECK(std::abs(reach) <= (settings.weight_symmetric ? top : 2 * top + 1));
        if (settings.weight_symmetric) CHECK(std::abs(reach) == top);
        if (f.kind == FormatKind::pixel) {
            CHECK(form.terms == std::vector<quant::Term>{{}});
            return;
        }
        terms(form.terms, in(), form.product_bits);
        if (grouped) {
            for (std::size_t k = 0; k < form.term_of.size(); ++k) {
                CHECK(form.term_of[k] == meaning(in()).group_of[k / static_cast<std::size_t>(repeat)]);
            }
        }
    }

    void operator()(const quant::Contraction& form) const {
        if (const auto* conv = std::get_if<models::Conv>(&node->op)) return contraction(form, static_cast<std::size_t>(form.num_outputs), conv->kernel * conv->kernel);
        if (const auto* up = std::get_if<models::ConvTranspose>(&node->op)) return contraction(form, static_cast<std::size_t>(up->out_channels), 1);
        contraction(form, static_cast<std::size_t>(form.num_outputs), 1);
    }
    void operator()(const quant::PatchEmbedding& form) const {
        contraction(form.contraction, static_cast<std::size_t>(form.contraction.num_outputs), 1);
        CHECK(form.mean_q8 == std::array<std::int64_t, 3>{31661, 29768, 26504});  // RNE(256 * {123.675, 116.28, 103.53})
    }

    void operator()(const quant::Product& form) const {
        const auto& left = format(in(0));
        const auto depth = in(0).shape[2];
        CHECK(form.right_zero_point == meaning(in(1)).zero_point[0]);
        int width = oracle::product_width(left.bits, format(in(1)).bits, false, depth, 0), accumulator = width;
        if (left.kind == FormatKind::probability && left.code == quant::OperandKind::logarithmic) {
            const bool zero = settings.softmax.zero_code == quant::ZeroCode::reuse_top;
            const auto largest = static_cast<int>((oracle::log_levels(left.bits, left.tau, settings.softmax.shift_cap, zero) - 1) / left.tau);
            CHECK(form.code.kind == quant::OperandKind::logarithmic);
            CHECK(form.code.tau == left.tau);
            CHECK(form.code.shift_cap == largest);
            CHECK(form.code.zero_code == (zero ? (1 << left.bits) - 1 : -1));
            width = oracle::product_width(0, format(in(1)).bits, false, depth, largest);
            accumulator = width + (left.tau > 1 ? settings.rescale.term_bits : 0);
            REQUIRE(form.terms.size() == static_cast<std::size_t>(left.tau));
            for (std::size_t f = 0; f < form.terms.size(); ++f) {
                CHECK(form.terms[f].exponent == 0);
                if (settings.rescale.term_bits == 16) CHECK(form.terms[f].multiplier == oracle::residue_constants(left.tau)[f]);
            }
        } else {
            CHECK(form.terms == std::vector<quant::Term>{{}});
            CHECK(form.left_zero_point == (left.kind == FormatKind::probability ? 0 : meaning(in(0)).zero_point[0]));
        }
        CHECK(form.product_bits == width);
        CHECK(form.accumulator_bits == accumulator);
        const bool row = left.kind == FormatKind::probability && settings.softmax.scale == quant::ScaleMode::row && left.bits <= 8;
        CHECK(form.row_normalised == row);
        if (row) CHECK(form.normalised_fraction == std::min(20, 29 - format(in(1)).bits));
        rescale(form.rescale, shift_of(accumulator), 1, format(graph.value(node->output)).bits);
        output(form.rescale, graph.value(node->output));
    }

    void operator()(const quant::RelativePositionOp& form) const {
        const auto q_bits = format(in(1)).bits;
        const auto width = oracle::product_width(q_bits, settings.rel_pos_bits, true, form.head_dim, 0);
        CHECK(form.q_zero_point == meaning(in(1)).zero_point[0]);
        CHECK(form.score_bits == settings.score_bits);
        CHECK(format(in(0)).bits == 32);
        CHECK(meaning(in(0)).scale == meaning(graph.value(node->output)).scale);  // one grid for the three terms
        for (const auto* term : {&form.rescale_height, &form.rescale_width}) {
            rescale(*term, shift_of(width), 1, form.score_bits);
            CHECK((term->offset[0] == 0 && term->zero_point[0] == 0));
        }
        for (const auto* table : {&form.table_height, &form.table_width}) {
            CHECK(std::abs(*std::ranges::max_element(*table, {}, [](auto w) { return std::abs(w); })) == (1 << (settings.rel_pos_bits - 1)) - 1);
        }
    }

    void operator()(const quant::SoftmaxOp& form) const {
        CHECK(form.exp_bits == (form.bits <= 8 ? 16 : 20));
        using quant::Nonlinear;
        const auto expected = settings.nonlinear == Nonlinear::table   ? std::pair{quant::Exponential::table, oracle::exp_table(form.exp_bits)}
                              : settings.nonlinear == Nonlinear::ibert ? std::pair{quant::Exponential::polynomial, oracle::exp_polynomial(form.exp_bits)}
                                                                       : std::pair{quant::Exponential::shift, oracle::Words{}};
        CHECK(form.exponential == expected.first);
        CHECK(oracle::Words(form.exp_constants.begin(), form.exp_constants.end()) == expected.second);
        CHECK(std::ldexp(1.0, -form.score_fraction) == meaning(in()).scale[0]);
        const auto& out = graph.value(node->output);
        if (form.tau > 0) {
            const bool zero = settings.softmax.zero_code == quant::ZeroCode::reuse_top;
            CHECK(form.bits <= oracle::useful_bits(form.tau, settings.softmax.shift_cap));
            CHECK(form.num_levels == oracle::log_levels(form.bits, form.tau, settings.softmax.shift_cap, zero));
            CHECK(form.zero_code == (zero ? (1 << form.bits) - 1 : -1));
        }
        const double largest = meaning(out).scale[0] * (form.tau > 0 ? 1.0 : std::ldexp(1.0, form.bits) - 1.0);
        const auto levels = form.tau > 0 ? form.num_levels : (1 << form.bits) - 1;
        const bool compared = form.bits <= 8 && !(form.tau > 0 && form.scale == quant::ScaleMode::row);
        REQUIRE(form.threshold_mantissa.size() == static_cast<std::size_t>(compared ? levels : 0));
        for (std::size_t c = 0; c < form.threshold_mantissa.size(); ++c) {
            const auto code = static_cast<double>(c);
            const double theta = form.tau > 0 ? largest * std::exp2(-(code + 0.5) / form.tau) : (form.scale == quant::ScaleMode::tensor ? largest : 1.0) * (code + 0.5) / levels;
            CHECK((form.threshold_mantissa[c] >= 32768 && form.threshold_mantissa[c] < 65536));
            CHECK(std::abs(std::ldexp(static_cast<double>(form.threshold_mantissa[c]), form.threshold_exponent[c]) - theta) <= std::ldexp(0.5000001, form.threshold_exponent[c]));
        }
    }

    void operator()(const quant::LayerNormOp& form) const {
        const auto& op = std::get<models::LayerNorm>(node->op);
        const auto channels = static_cast<double>(form.channels), step = meaning(in()).scale[0];
        CHECK(form.channels == graph.channels(node->inputs[0]));
        CHECK(form.normalised_fraction == oracle::layer_norm_fraction(form.channels));
        using quant::Nonlinear;
        CHECK(form.root == (settings.nonlinear == Nonlinear::table ? quant::Root::seeded : settings.nonlinear == Nonlinear::ibert ? quant::Root::newton : quant::Root::repeated));
        CHECK(std::abs(static_cast<double>(form.epsilon) - op.eps * channels * channels / (step * step)) <= 0.5000001);
        rescale(form.rescale, 0, static_cast<std::size_t>(form.channels), format(graph.value(node->output)).bits);
        output(form.rescale, graph.value(node->output));
        const auto& real = meaning(graph.value(node->output));
        for (std::size_t c = 0; c < form.rescale.zero_point.size(); ++c) {
            CHECK(form.rescale.zero_point[c] == real.zero_point[real.group_of.empty() ? 0 : static_cast<std::size_t>(real.group_of[c])]);
        }
    }

    void operator()(const quant::TableOp& form) const {
        const auto &from = meaning(in()), &to = meaning(graph.value(node->output));
        CHECK(form.input_bits == format(in()).bits);
        CHECK((form.lo == 0 && form.hi == (1 << format(graph.value(node->output)).bits) - 1));
        CHECK(form.guard_bits == (form.input_bits > 10 ? 8 : 0));
        REQUIRE(form.table.size() == (form.input_bits > 10 ? 257u : 1u << form.input_bits));
        const bool relu = std::holds_alternative<models::Relu>(node->op);
        const auto gelu = [&](double x) {
            if (settings.nonlinear == quant::Nonlinear::ibert) return oracle::ibert_gelu(x);
            return settings.nonlinear == quant::Nonlinear::ivit ? oracle::ivit_gelu(x) : 0.5 * x * std::erfc(-x / std::numbers::sqrt2);
        };
        for (std::size_t i = 0; i < form.table.size(); ++i) {
            const double code = static_cast<double>(i) * (form.guard_bits ? std::ldexp(1.0, form.input_bits - 8) : 1.0);
            const double x = (code - from.zero_point[0]) * from.scale[0];
            const double y = to.zero_point[0] + (relu ? std::max(x, 0.0) : gelu(x)) / to.scale[0];
            const double held = std::ldexp(static_cast<double>(form.table[i]), -form.guard_bits);
            CHECK(std::abs(held - (form.guard_bits ? y : std::clamp(y, 0.0, static_cast<double>(form.hi)))) <= std::ldexp(0.500001, -form.guard_bits));
        }
    }

    void operator()(const quant::AddOp& form) const {
        const auto fraction = [&](const models::Value& value) { return -std::ilogb(meaning(value).scale[0]); };
        const int left = fraction(in(0)), right = fraction(in(1)), finest = std::max(left, right);
        CHECK(form.left_shift == finest - left);
        CHECK(form.right_shift == finest - right);
        CHECK(form.output_shift == finest - fraction(graph.value(node->output)));
        CHECK(form.bits == settings.residual_bits);
    }
    void operator()(const quant::RequantizeOp& form) const {
        const auto& out = graph.value(node->output);
        rescale(form.rescale, 0, static_cast<std::size_t>(graph.channels(node->output)), format(out).bits);
        CHECK(form.rescale.hi == (1 << format(out).bits) - 1);
        if (std::holds_alternative<models::Relu>(node->op)) CHECK(form.rescale.lo == meaning(out).zero_point[0]);
        if (std::holds_alternative<models::Requantize>(node->op)) CHECK(form.rescale.lo == 0);
    }
    void operator()(const quant::ConstantOp& form) const {
        const auto bits = format(graph.value(node->output)).bits;
        for (auto word : form.values.values()) REQUIRE(std::abs(word) <= 1 << (bits - 1));
    }
    void operator()(const quant::PromptOp& form) const {
        CHECK(form.frequency.size() == static_cast<std::size_t>(2 * form.num_frequencies));
        CHECK(form.label_embedding.size() == static_cast<std::size_t>(10 * form.num_frequencies));
        CHECK(std::ldexp(1.0, -form.output_fraction) == meaning(graph.value(node->output)).scale[0]);
    }
    void operator()(const quant::MoveOp& form) const {
        if (!std::holds_alternative<models::WindowPartition>(node->op)) return;
        const auto& real = meaning(in());
        for (std::size_t c = 0; c < form.padding.size(); ++c) CHECK(form.padding[c] == real.zero_point[real.group_of.empty() ? 0 : static_cast<std::size_t>(real.group_of[c])]);
    }
    void operator()(const quant::ResizeOp& form) const {
        CHECK(form.bits == 22);
        CHECK(form.guard_bits == 22 - format(in()).bits);
        CHECK(std::ldexp(meaning(in()).scale[0], -form.guard_bits) == meaning(graph.value(node->output)).scale[0]);
    }
};

}  // namespace

TEST_CASE("every lowered operation holds the constants, tables, widths and limits of the specification", "[mutation]") {
    const auto& model = minute_model();
    for (const auto& c : cases()) {
        const auto quantized = model.quantize(c.settings);
        Checker checker{model.graph, quantized, c.settings};
        for (const auto& node : model.graph.nodes()) {
            checker.node = &node;
            INFO(c.name << ": " << node.name);
            std::visit(checker, quantized.operation(node.name));
        }
    }
}

TEST_CASE("codes cover the calibrated range with the real 0 on a code, fixed words take the finest power of two", "[mutation]") {
    const auto& model = minute_model();
    for (const auto& c : cases()) {
        const auto quantized = model.quantize(c.settings);
        for (const auto& [name, found] : model.ranges) {
            const auto& format = quantized.plan.format(name);
            const auto& real = quantized.meanings.at(name);
            INFO(c.name << ": " << name);
            if (format.kind == FormatKind::code) {
                const double levels = std::ldexp(1.0, format.bits) - 1.0;
                for (std::size_t g = 0; g < real.scale.size(); ++g) {
                    CHECK((real.zero_point[g] >= 0 && real.zero_point[g] <= levels));
                    quant::Range range;
                    for (std::size_t ch = 0; ch < found.channels.size(); ++ch) {
                        if (real.group_of.empty() || real.group_of[ch] == static_cast<std::int32_t>(g)) range.include(found.channels[ch]);
                    }
                    // Half a step beyond either end at most: z is rounded.
                    CHECK(real.scale[g] * (0 - real.zero_point[g]) <= range.lo + 0.5001 * real.scale[g]);
                    CHECK(real.scale[g] * (levels - real.zero_point[g]) >= range.hi - 0.5001 * real.scale[g]);
                }
            }
            if (format.kind == FormatKind::fixed) {
                CHECK(std::ldexp(1.0, std::ilogb(real.scale[0])) == real.scale[0]);
                CHECK(found.whole().max_abs() <= real.scale[0] * (std::ldexp(1.0, format.bits - 1) - 1.0));
            }
        }
    }
}

TEST_CASE("the envelope of a single value decides its scale and zero point exactly", "[mutation]") {
    const auto& model = minute_model();
    const auto quantized = model.quantize({});
    const std::string name = "encoder.block0.gelu.out";  // consumed by lin2 alone
    const auto range = model.ranges.at(name).whole();
    const auto& real = quantized.meanings.at(name);
    const double scale = (range.hi - range.lo) / 255;
    CHECK(real.scale[0] == Approx(scale).epsilon(1e-12));
    CHECK(real.zero_point[0] == static_cast<std::int32_t>(std::nearbyint(-range.lo / scale)));
}

TEST_CASE("a projection added to the residual stream never has a finer grid than the sum", "[property]") {
    const auto& model = minute_model();
    const auto quantized = model.quantize({});
    int num_adds = 0;
    for (const auto& node : model.graph.nodes()) {
        if (!node.name.ends_with(".add1") && !node.name.ends_with(".add2")) continue;
        ++num_adds;
        INFO(node.name);
        CHECK(quantized.meanings.at(model.graph.value(node.inputs[1]).name).scale[0] >= quantized.meanings.at(model.graph.value(node.output).name).scale[0]);
    }
    CHECK(num_adds >= 4);
}

TEST_CASE("a setting whose rescale does not fit names the node", "[mutation]") {
    quant::Settings settings;
    settings.weight_bits = settings.activation_bits = settings.edge_bits = 2;
    settings.residual_bits = 20;
    CHECK_THROWS_WITH(minute_model().quantize(settings), Catch::Contains("does not fit the integer form") && (Catch::Contains("encoder.") || Catch::Contains("decoder.")));
}

TEST_CASE("groups are refused where a value has one scale, by the names of the layers", "[mutation]") {
    const auto with_groups = [](std::string match) {
        quant::Settings settings;
        settings.layers = {{.match = std::move(match), .groups = 4}};
        return settings;
    };
    using Catch::Contains;
    CHECK_THROWS_WITH(minute_model().quantize(with_groups("*.lin2")), Contains("encoder.block0.lin2 cannot have 4 groups"));
    CHECK_THROWS_WITH(minute_model().quantize(with_groups("encoder.block1.proj")), Contains("encoder.block1.proj cannot have 4 groups"));
    CHECK_THROWS_WITH(minute_model().quantize(with_groups("encoder.block1.qk")), Contains("encoder.block1.qk cannot have 4 groups"));
    CHECK(minute_model().quantize(with_groups("encoder.neck.conv2")).plan.format("encoder.neck.norm1.out").num_groups() == 4);
}
