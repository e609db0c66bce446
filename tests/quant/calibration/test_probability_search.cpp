// SPDX-License-Identifier: Apache-2.0
// Codes of probabilities chosen by their product with V.
#include <catch2/catch.hpp>

#include <cmath>

#include "quant/calibration/probability_search.hpp"
#include "tests/support/adversarial.hpp"

using namespace prelude;
using quant::LogBase;
using quant::ScaleMode;
using quant::SoftmaxForm;
using quant::SoftmaxScheme;
using tests::Random;

namespace {

/// Softmax rows of scores with deviation `spread`, and random values.
struct Attention {
    std::vector<float> probabilities, values;
    quant::AttentionSample sample;
};

Attention make_attention(double spread, std::uint64_t seed) {
    constexpr std::int64_t batch = 2, rows = 8, keys = 64, columns = 12;
    Random random(seed);
    Attention attention;
    for (std::int64_t row = 0; row < batch * rows; ++row) {
        std::vector<double> e;
        double sum = 0;
        for (std::int64_t k = 0; k < keys; ++k) e.push_back(std::exp(spread * random.normal())), sum += e.back();
        for (const double v : e) attention.probabilities.push_back(static_cast<float>(v / sum));
    }
    for (std::int64_t i = 0; i < batch * keys * columns; ++i) attention.values.push_back(static_cast<float>(random.normal()));
    attention.sample = {.batch = batch, .rows = rows, .keys = keys, .columns = columns, .probabilities = attention.probabilities, .values = attention.values};
    return attention;
}

double largest(const Attention& attention) { return static_cast<double>(std::ranges::max(attention.probabilities)); }

}  // namespace

TEST_CASE("nothing is searched where settings leave nothing open", "[property]") {
    const auto attention = make_attention(1, 1);
    CHECK_FALSE(quant::searches_probability_codes({}));
    CHECK_FALSE(quant::searches_probability_codes({.scheme = SoftmaxScheme::lnq}));
    CHECK_FALSE(quant::searches_probability_codes({.scheme = SoftmaxScheme::lnq, .form = SoftmaxForm::lut, .alpha = 10}));
    CHECK(quant::searches_probability_codes({.scheme = SoftmaxScheme::lnq, .form = SoftmaxForm::lut}));
    CHECK(quant::searches_probability_codes({.log_base = LogBase::search}));
    CHECK(quant::searches_probability_codes({.scheme = SoftmaxScheme::uniform, .scale = ScaleMode::tensor}));
    const auto fixed = quant::choose_probability_code(attention.sample, {.log_base = LogBase::fourth_root_two}, 4, 1);
    CHECK((fixed.format.tau == 4 && fixed.scale == 1));
}

TEST_CASE("flat rows ask for a fine base, peaked rows for one that reaches far", "[property]") {
    const quant::SoftmaxSettings open{.log_base = LogBase::search};
    CHECK(quant::choose_probability_code(make_attention(0.3, 2).sample, open, 4, 1).format.tau == 4);
    CHECK(quant::choose_probability_code(make_attention(4, 3).sample, open, 4, 1).format.tau < 4);
}

TEST_CASE("the scale of a tensor lies within its probabilities and below the largest where rows differ", "[property]") {
    for (const auto scheme : {SoftmaxScheme::uniform, SoftmaxScheme::log, SoftmaxScheme::lnq}) {
        const auto attention = make_attention(1.5, 4);
        const auto choice = quant::choose_probability_code(attention.sample, {.scheme = scheme, .scale = ScaleMode::tensor}, 4, largest(attention));
        CHECK((choice.scale > 0 && choice.scale <= largest(attention)));
    }
}

TEST_CASE("companding grows with the spread of the probabilities", "[property]") {
    const quant::SoftmaxSettings open{.scheme = SoftmaxScheme::lnq, .form = SoftmaxForm::lut};
    const auto flat = quant::choose_probability_code(make_attention(0.2, 5).sample, open, 4, 1);
    const auto peaked = quant::choose_probability_code(make_attention(3, 6).sample, open, 4, 1);
    CHECK(flat.companding < peaked.companding);
    CHECK(flat.format.code == quant::OperandKind::table);
}
