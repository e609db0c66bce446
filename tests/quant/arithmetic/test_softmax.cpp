// SPDX-License-Identifier: Apache-2.0
// EXP and the codes of probabilities: every distance, ties, order; distance from the real function.
#include <catch2/catch.hpp>

#include <cmath>

#include "quant/arithmetic/softmax.hpp"
#include "tests/support/adversarial.hpp"
#include "tests/support/oracle_from_quant.hpp"
#include "tests/support/softmax_forms.hpp"

using namespace prelude;
using namespace prelude::tests;
using quant::ScaleMode;

TEST_CASE("EXP equals the oracle for every distance and score fraction", "[exhaustive][mutation]") {
    for (const auto exponential : kExponentials) {
        for (const int exp_bits : {8, 16, 20, 24}) {
            for (int fraction = 0; fraction <= 14; ++fraction) {
                auto form = make_softmax(fraction, 4, 0, 15, false, ScaleMode::row, 1.0);
                set_exponential(form, exponential, exp_bits);
                const auto expected = to_oracle(form);
                const auto last = std::min<std::int64_t>(65535, std::int64_t{exp_bits + 2} << fraction);  // distances are differences of 16-bit scores
                for (std::int64_t d = 0; d <= last; ++d) {
                    if (quant::exp2_neg(form, d) == oracle::exp2_of(expected, d)) continue;
                    FAIL("EXP(" << d << ") F " << fraction << " form " << static_cast<int>(exponential) << ": " << quant::exp2_neg(form, d) << ", oracle "
                                << oracle::exp2_of(expected, d));
                }
            }
        }
    }
}

// Of EXP(0): 1.92e-3 is the published error of the polynomial, 0.0431 that of 1 - u/2 where its slope is that of 2^-u; a step of rounding beside.
TEST_CASE("the published exponentials start at the top, never rise, and lie within their stated distance of the real 2^-d", "[exhaustive][mutation]") {
    for (const auto& [exponential, error] : {std::pair{quant::Exponential::polynomial, 1.93e-3}, std::pair{quant::Exponential::shift, 4.31e-2}}) {
        for (const int exp_bits : {8, 16, 20, 24}) {
            for (int fraction = 0; fraction <= 14; ++fraction) {
                auto form = make_softmax(fraction, 4, 0, 15, false, ScaleMode::row, 1.0);
                set_exponential(form, exponential, exp_bits);
                const double top = std::ldexp(1.0, exp_bits) - 1.0;
                auto previous = quant::exp2_neg(form, 0);
                CHECK(previous == static_cast<std::int32_t>(top));
                double worst = 0;
                for (std::int64_t d = 1; d < std::int64_t{exp_bits + 3} << fraction; ++d) {
                    const auto word = quant::exp2_neg(form, d);
                    if (word > previous || word < 0) FAIL("EXP(" << d << ") is " << word << " after " << previous << ", F " << fraction << " bits " << exp_bits);
                    worst = std::max(worst, std::abs(word - top * std::exp2(-std::ldexp(static_cast<double>(d), -fraction))));
                    previous = word;
                }
                INFO("F " << fraction << " bits " << exp_bits << ": " << worst / top << " of the top");
                CHECK(worst <= error * top + 1.0);
                CHECK(previous == 0);
            }
        }
    }
}

TEST_CASE("the exponentials of 4096 keys add up within 12 bits more than one of them has, in every form", "[exhaustive]") {
    for (const auto exponential : kExponentials) {
        for (const int bits : {4, 16}) {  // codes: exponentials of 16 and of 20 bits
            auto form = make_softmax(8, bits, 0, 15, false, ScaleMode::tensor, 0.5);
            set_exponential(form, exponential, form.exp_bits);
            CHECK(std::int64_t{4096} * quant::exp2_neg(form, 0) < std::int64_t{1} << (form.exp_bits + 12));
            // A row of equal scores has the largest sum: every probability is 2^-12 of it.
            const std::vector<std::int32_t> scores(4096, -7);
            std::vector<std::int32_t> codes(scores.size());
            quant::softmax_row(form, scores, codes);
            CHECK(std::ranges::all_of(codes, [&](auto code) { return code == (bits == 4 ? 0 : 1 << (form.bits - 1 - 12)); }));
        }
    }
}

TEST_CASE("log codes in row scale are the same with every exponential: they take none", "[property]") {
    Random random(14);
    for (const int tau : {1, 2, 4}) {
        auto form = make_softmax(7, 5, tau, 15, true, ScaleMode::row, 1.0);
        const auto scores = words(random, Pattern::random, 97, -3000, 3000);
        std::vector<std::int32_t> codes(scores.size()), again(scores.size());
        quant::softmax_row(form, scores, codes);
        for (const auto exponential : kExponentials) {
            set_exponential(form, exponential, 16);
            quant::softmax_row(form, scores, again);
            CHECK(again == codes);
        }
    }
}

// Tolerance: half a step of rounding, and the chord of 2^-x over 1/64: (ln 2 / 64)^2 / 8 of the top word.
TEST_CASE("EXP lies within one rounding and the chord error of the real 2^-d, and never rises", "[oracle]") {
    for (const int exp_bits : {16, 20}) {
        const double top = std::ldexp(1.0, exp_bits) - 1.0;
        const double chord = top * std::pow(std::log(2.0) / 64, 2) / 8;
        for (const int fraction : {4, 8, 12}) {
            const auto form = make_softmax(fraction, exp_bits == 16 ? 4 : 16, 0, 15, false, ScaleMode::row, 1.0);
            std::int32_t previous = quant::exp2_neg(form, 0);
            CHECK(previous == static_cast<std::int32_t>(top));
            for (std::int64_t d = 1; d < std::int64_t{24} << fraction; ++d) {
                const auto word = quant::exp2_neg(form, d);
                const double real = top * std::exp2(-std::ldexp(static_cast<double>(d), -fraction));
                INFO("d " << d << " F " << fraction << " bits " << exp_bits);
                REQUIRE(std::abs(word - real) <= 1.0 + chord * real / top);
                REQUIRE(word <= previous);
                previous = word;
            }
        }
    }
}

TEST_CASE("the log code of every distance equals the oracle, and is tau d rounded with ties to the lower code", "[exhaustive][mutation]") {
    for (const int tau : {1, 2, 4}) {
        for (const int fraction : {0, 1, 4, 8, 14}) {
            for (int bits = 2; bits <= 8; ++bits) {
                for (const bool zero : {true, false}) {
                    const auto form = make_softmax(fraction, bits, tau, 15, zero, ScaleMode::row, 1.0);
                    const auto expected = to_oracle(form);
                    const auto last = std::min<std::int64_t>(65535, std::int64_t{18} << fraction);
                    std::vector<std::int32_t> scores{32767}, codes;
                    const auto step = std::max<std::int64_t>(1, last / 4096) | 1;
                    for (std::int64_t d = 0; d <= last; d += step) scores.push_back(static_cast<std::int32_t>(32767 - d));
                    codes.resize(scores.size());
                    quant::softmax_row(form, scores, codes);
                    INFO("tau " << tau << " F " << fraction << " bits " << bits << (zero ? " zero code" : " saturating"));
                    REQUIRE(widen(codes) == oracle::softmax_row(expected, widen(scores)));
                    for (std::size_t k = 0; k < codes.size(); ++k) {
                        const double ideal = std::ldexp(tau * (32767.0 - scores[k]), -fraction);
                        const auto rounded = static_cast<std::int64_t>(std::ceil(ideal - 0.5));
                        REQUIRE(codes[k] == (rounded < form.num_levels ? rounded : zero ? form.zero_code : form.num_levels - 1));
                    }
                }
            }
        }
    }
}

TEST_CASE("a larger score never gets a smaller probability, in any scheme and scale", "[property]") {
    Random random(11);
    for (const auto scale : {ScaleMode::row, ScaleMode::tensor, ScaleMode::one}) {
        for (const int tau : {0, 1, 2, 4}) {
            for (const int bits : {2, 4, 6, 8}) {
                auto form = make_softmax(6, bits, tau, 15, true, scale, scale == ScaleMode::tensor ? 0.1 : 1.0);
                auto scores = words(random, Pattern::random, 97, -800, 800);
                std::ranges::sort(scores, std::greater<>());
                std::vector<std::int32_t> codes(scores.size());
                for (const auto exponential : kExponentials) {
                    set_exponential(form, exponential, 16);
                    quant::softmax_row(form, scores, codes);
                    INFO("tau " << tau << " bits " << bits << " scale " << static_cast<int>(scale) << " form " << static_cast<int>(exponential));
                    REQUIRE((tau == 0 ? std::ranges::is_sorted(codes, std::greater<>()) : std::ranges::is_sorted(codes)));
                }
            }
        }
    }
}

TEST_CASE("adding a constant to a row of scores changes no code", "[property]") {
    Random random(12);
    for (int i = 0; i < 200; ++i) {
        const auto form = make_softmax(static_cast<int>(random.in(0, 10)), static_cast<int>(random.in(2, 8)), random.of<int>({0, 1, 2, 4}), 15, true,
                                       random.of<ScaleMode>({ScaleMode::row, ScaleMode::one}), 1.0);
        auto scores = words(random, random.of(kPatterns), 31, -3000, 3000, 31);
        std::vector<std::int32_t> codes(scores.size()), moved(scores.size());
        quant::softmax_row(form, scores, codes);
        const auto by = static_cast<std::int32_t>(random.in(-20000, 20000));
        for (auto& score : scores) score += by;
        quant::softmax_row(form, scores, moved);
        REQUIRE(codes == moved);
    }
}

TEST_CASE("a row in pieces has the codes of the whole row, wherever it is cut", "[property][mutation]") {
    Random random(13);
    for (int i = 0; i < 600; ++i) {
        const int tau = random.of<int>({0, 0, 1, 2, 4});
        auto form = make_softmax(static_cast<int>(random.in(0, 10)), tau == 0 ? random.of<int>({2, 3, 5, 8, 16}) : static_cast<int>(random.in(2, 8)), tau, 15, true,
                                 random.of<ScaleMode>({ScaleMode::row, ScaleMode::tensor, ScaleMode::one}), 1.0);
        if (form.bits <= 8) set_exponential(form, random.of(kExponentials), 16);
        const auto scores = words(random, random.of(kPatterns), 61, -3000, 3000, 61);
        std::vector<std::int32_t> whole(scores.size()), pieces(scores.size());
        quant::softmax_row(form, scores, whole);
        std::vector<std::size_t> cuts{0, scores.size()};
        for (auto n = random.in(0, 5); n > 0; --n) cuts.push_back(static_cast<std::size_t>(random.in(0, 61)));
        std::ranges::sort(cuts);
        const auto each = [&](const auto& body) {
            for (std::size_t c = 1; c < cuts.size(); ++c) body(std::span(scores).subspan(cuts[c - 1], cuts[c] - cuts[c - 1]), std::span(pieces).subspan(cuts[c - 1], cuts[c] - cuts[c - 1]));
        };
        quant::RowStatistics row;
        each([&](auto piece, auto) { row.add_maximum(piece); });
        each([&](auto piece, auto) { row.add_exponentials(form, piece); });
        each([&](auto piece, auto codes) { quant::softmax_piece(form, row, piece, codes); });
        REQUIRE(pieces == whole);
    }
}

// Tolerance: half a code step of 1/(2^b - 1), one EXP rounding and chord.
TEST_CASE("uniform codes of the row lie within half a step of p / p_max", "[oracle]") {
    Random random(13);
    for (const int bits : {3, 4, 6, 8}) {
        const auto form = make_softmax(10, bits, 0, 15, false, ScaleMode::row, 1.0);
        const auto scores = words(random, Pattern::random, 500, -8000, 0);
        std::vector<std::int32_t> codes(scores.size());
        quant::softmax_row(form, scores, codes);
        const auto top = *std::ranges::max_element(scores);
        const double levels = (1 << bits) - 1;
        for (std::size_t k = 0; k < scores.size(); ++k) {
            const double real = levels * std::exp2(std::ldexp(scores[k] - top, -10));
            INFO("score " << scores[k] << " bits " << bits);
            REQUIRE(std::abs(codes[k] - real) <= 0.5 + levels * 4e-5);
        }
    }
}
