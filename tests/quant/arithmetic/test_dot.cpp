// SPDX-License-Identifier: Apache-2.0
// Properties of the accumulation order: cuts, permutations, wrap and saturate; decoding of every log code.
#include <catch2/catch.hpp>
#include <rapidcheck.h>

#include <algorithm>
#include <numeric>

#include "quant/arithmetic/dot.hpp"
#include "quant/arithmetic/rounding.hpp"
#include "quant/probability_code.hpp"
#include "tests/support/adversarial.hpp"
#include "tests/support/oracle/constants.hpp"
#include "tests/support/oracle_from_quant.hpp"

using namespace prelude;
using prelude::tests::Random;
using quant::AccumulatorOverflow;

namespace {

/// A contraction of one output, and its operand codes.
struct Dot {
    quant::Contraction form;
    std::vector<std::int32_t> codes;
};

Dot make_dot(Random& random, std::int64_t depth, std::int64_t groups, int bits) {
    Dot dot{.form = {.num_outputs = 1, .depth = depth}};
    for (std::int64_t t = 0; t < groups; ++t) {
        dot.form.terms.push_back({static_cast<std::uint32_t>(random.in(1, 65535)), static_cast<int>(random.in(0, 6)), static_cast<std::int32_t>(random.in(0, (1 << bits) - 1))});
    }
    for (std::int64_t k = 0; k < depth; ++k) {
        if (groups > 1) dot.form.term_of.push_back(static_cast<std::int32_t>(random.in(0, groups - 1)));
        dot.form.weights.push_back(static_cast<std::int32_t>(random.in(-127, 127)));
        dot.codes.push_back(static_cast<std::int32_t>(random.in(0, (1 << bits) - 1)));
    }
    return dot;
}

quant::OutputAccumulator run(const Dot& dot, const std::vector<std::int64_t>& cuts) {
    const auto order = quant::term_order(dot.form);
    quant::OutputAccumulator output;
    std::int64_t begin = 0;
    for (auto cut : cuts) {
        quant::accumulate(dot.form, order, dot.codes, dot.form.weights, begin, cut, output);
        begin = cut;
    }
    quant::accumulate(dot.form, order, dot.codes, dot.form.weights, begin, dot.form.depth, output);
    return output;
}

int useful_bits(int tau, int cap) {
    const auto base = tau == 1 ? quant::LogBase::two : tau == 2 ? quant::LogBase::sqrt_two : quant::LogBase::fourth_root_two;
    return quant::useful_code_bits({.log_base = base, .shift_cap = cap});
}

bool holds(const std::string& what, const std::function<void()>& property) { return rc::check(what, property); }

}  // namespace

TEST_CASE("a sum does not depend on how its positions are cut: exact, wrapping or saturating", "[property][mutation]") {
    CHECK(holds("cuts", [] {
        Random random(*rc::gen::arbitrary<std::uint64_t>());
        auto dot = make_dot(random, random.in(1, 97), random.in(1, 5), 8);
        dot.form.accumulator = {random.of<AccumulatorOverflow>({AccumulatorOverflow::exact, AccumulatorOverflow::wrap, AccumulatorOverflow::saturate}),
                                static_cast<int>(random.in(8, 20)), static_cast<int>(random.in(1, 20))};
        std::vector<std::int64_t> cuts;
        for (int i = 0; i < 4; ++i) cuts.push_back(random.in(0, dot.form.depth));
        std::ranges::sort(cuts);
        const auto whole = run(dot, {}), parts = run(dot, cuts);
        RC_ASSERT(whole.accumulator == parts.accumulator);
        RC_ASSERT(whole.overflows == parts.overflows);
        oracle::Overflows overflows;
        RC_ASSERT(oracle::Big(whole.accumulator) == oracle::accumulate(tests::to_oracle(dot.form), tests::widen(dot.codes).data(), 0, overflows));
        RC_ASSERT(whole.overflows == overflows.count);
    }));
}

TEST_CASE("exchanging positions of one term changes nothing in exact and in wrapping sums", "[property][mutation]") {
    CHECK(holds("permutation inside a term", [] {
        Random random(*rc::gen::arbitrary<std::uint64_t>());
        auto dot = make_dot(random, random.in(2, 61), random.in(1, 4), 8);
        dot.form.accumulator = {random.one_in(2) ? AccumulatorOverflow::exact : AccumulatorOverflow::wrap, static_cast<int>(random.in(10, 18)), 7};
        auto moved = dot;
        for (int i = 0; i < 50; ++i) {
            const auto a = static_cast<std::size_t>(random.in(0, dot.form.depth - 1)), b = static_cast<std::size_t>(random.in(0, dot.form.depth - 1));
            if (!dot.form.term_of.empty() && dot.form.term_of[a] != dot.form.term_of[b]) continue;
            std::swap(moved.codes[a], moved.codes[b]);
            std::swap(moved.form.weights[a], moved.form.weights[b]);
        }
        RC_ASSERT(run(dot, {}).accumulator == run(moved, {}).accumulator);
    }));
}

TEST_CASE("a wrapping accumulator holds the exact sum modulo 2^n whatever the chunk", "[property][mutation]") {
    CHECK(holds("wrap", [] {
        Random random(*rc::gen::arbitrary<std::uint64_t>());
        auto dot = make_dot(random, random.in(1, 80), 1, 8);
        dot.form.terms[0] = {.zero_point = dot.form.terms[0].zero_point};
        const auto exact = run(dot, {}).accumulator;
        dot.form.accumulator = {AccumulatorOverflow::wrap, static_cast<int>(random.in(4, 24)), static_cast<int>(random.in(1, 30))};
        RC_ASSERT(oracle::Big(run(dot, {}).accumulator) == oracle::wrap(exact, dot.form.accumulator.bits));
    }));
}

TEST_CASE("a saturating accumulator clamps after every chunk and only there", "[mutation]") {
    quant::Contraction form{.num_outputs = 1, .depth = 4, .weights = {100, 100, -100, -100}, .terms = {{}}, .accumulator = {AccumulatorOverflow::saturate, 8, 1}};
    const std::vector<std::int32_t> codes{1, 1, 1, 1};
    const auto sum = [&](int chunk) {
        form.accumulator.chunk = chunk;
        return run({form, codes}, {});
    };
    CHECK(sum(1).accumulator == 127 - 100 - 100);  // 100, 200 -> 127, 27, -73
    CHECK(sum(1).overflows == 1);
    CHECK(sum(2).accumulator == 127 - 200);
    CHECK(sum(4).accumulator == 0);
    CHECK(sum(4).overflows == 0);
    CHECK(sum(3).accumulator == 0);  // 100 at the chunk's end
    form.weights = {128, 0, -129, 0};
    CHECK(sum(1).accumulator == 127 - 129 + 0);
    CHECK(sum(1).overflows == 1);
    form.weights = {127, 0, -255, 0};
    CHECK(sum(1).accumulator == -128);
    CHECK(sum(1).overflows == 0);
}

TEST_CASE("terms take their positions in ascending order of k", "[mutation]") {
    const quant::Contraction form{.num_outputs = 1, .depth = 7, .weights = std::vector<std::int32_t>(7), .terms = std::vector<quant::Term>(4), .term_of = {2, 0, 3, 0, 2, 2, 0}};
    const auto order = quant::term_order(form);
    CHECK(order.k_of == std::vector<std::int32_t>{1, 3, 6, 0, 4, 5, 2});
    CHECK(order.begin == std::vector<std::int64_t>{0, 3, 3, 6, 7});
}

TEST_CASE("every code of every log format decodes to 2^(E-e) in its residue, the zero code to nothing", "[exhaustive][mutation]") {
    for (const int tau : {1, 2, 4}) {
        for (int cap = 1; cap <= 20; ++cap) {
            for (int bits = 2; bits <= std::min(8, oracle::useful_bits(tau, cap)); ++bits) {
                for (const bool zero : {true, false}) {
                    const auto levels = oracle::log_levels(bits, tau, cap, zero);
                    const quant::OperandCode form{.kind = quant::OperandKind::logarithmic,
                                                  .bits = bits,
                                                  .tau = tau,
                                                  .shift_cap = static_cast<int>((levels - 1) / tau),
                                                  .zero_code = zero ? (1 << bits) - 1 : -1};
                    INFO("tau " << tau << " cap " << cap << " bits " << bits);
                    REQUIRE((levels - 1) / tau <= cap);
                    for (std::int32_t code = 0; code < levels; ++code) {
                        const auto [decoded, nothing] = quant::decode(form, code);
                        REQUIRE(nothing.factor == 0);
                        REQUIRE(decoded.term == code % tau);
                        // 2^E 2^-(c/tau) = factor * 2^-(f/tau)
                        REQUIRE(oracle::Big(decoded.factor) * oracle::power_of_two(code / tau) == oracle::power_of_two(form.shift_cap));
                    }
                    if (zero) REQUIRE(quant::decode(form, (1 << bits) - 1)[0].factor == 0);
                }
            }
        }
    }
    const quant::Product uniform{.left_bits = 8, .left_zero_point = 100};
    for (std::int32_t code = 0; code < 256; ++code) REQUIRE(quant::decode_left(uniform, code)[0].factor == code - 100);
}

TEST_CASE("every companded code decodes to its power less one, the code 0 to nothing", "[exhaustive][mutation]") {
    for (const int tau : {1, 2, 4}) {
        for (int bits = 2; bits <= (tau == 1 ? 4 : tau == 2 ? 5 : 6); ++bits) {
            const quant::OperandCode form{.kind = quant::OperandKind::companded, .bits = bits, .tau = tau, .shift_cap = ((1 << bits) - 1) / tau};
            for (const auto& part : quant::decode(form, 0)) REQUIRE(part.factor == 0);
            for (std::int32_t code = 1; code < 1 << bits; ++code) {
                const auto [power, less] = quant::decode(form, code);
                REQUIRE((power.term == code % tau && less.term == 0 && less.factor == -1));
                REQUIRE(oracle::Big(power.factor) == oracle::power_of_two(code / tau));
            }
        }
    }
}

TEST_CASE("a bucket code adds to the sum of its own, a table code brings its factor", "[exhaustive][mutation]") {
    for (int bits = 2; bits <= 5; ++bits) {
        const quant::OperandCode bucket{.kind = quant::OperandKind::bucket, .bits = bits};
        quant::OperandCode table{.kind = quant::OperandKind::table, .bits = bits};
        for (std::int32_t code = 0; code < 1 << bits; ++code) table.factors.push_back(7 * code * code);
        CHECK((bucket.num_terms() == (1 << bits) - 1 && table.num_terms() == 1));
        for (std::int32_t code = 0; code < 1 << bits; ++code) {
            const auto sum = quant::decode(bucket, code)[0], factor = quant::decode(table, code)[0];
            REQUIRE((code == 0 ? sum.factor == 0 : sum.factor == 1 && sum.term == code - 1));
            REQUIRE((factor.factor == 7 * code * code && factor.term == 0));
        }
    }
}

TEST_CASE("the useful width of a log code is where one more bit adds no level", "[exhaustive][mutation]") {
    for (const int tau : {1, 2, 4}) {
        for (int cap = 1; cap <= 20; ++cap) {
            const int bits = useful_bits(tau, cap);
            CHECK(bits == oracle::useful_bits(tau, cap));
            CHECK(oracle::log_levels(bits, tau, cap, true) == oracle::log_levels(bits + 1, tau, cap, true));
            CHECK(oracle::log_levels(bits - 1, tau, cap, true) < oracle::log_levels(bits, tau, cap, true));
        }
    }
    CHECK(useful_bits(1, 15) == 5);
    CHECK(useful_bits(2, 15) == 6);
    CHECK(useful_bits(4, 15) == 7);
}

TEST_CASE("the stated widths hold the worst case of every operand width and depth", "[exhaustive][mutation]") {
    for (int activation = 2; activation <= 16; ++activation) {
        for (int weight = 2; weight <= 16; ++weight) {
            for (const std::int64_t depth : {1, 2, 3, 64, 768, 5120, 65536}) {
                for (const bool symmetric : {true, false}) {
                    const int width = quant::product_width(activation, weight, symmetric, depth, 0);
                    REQUIRE(width == oracle::product_width(activation, weight, symmetric, depth, 0));
                    const oracle::Big left = oracle::power_of_two(activation) - 1;
                    const oracle::Big right = oracle::power_of_two(symmetric ? weight - 1 : weight) - 1;
                    const oracle::Big worst = left * right * depth;
                    INFO("A" << activation << " W" << weight << " K " << depth);
                    REQUIRE(worst < oracle::power_of_two(width - 1));
                    REQUIRE(quant::max_term_exponent(width, 16) == oracle::largest_term_exponent(width, 16));
                }
            }
        }
    }
    CHECK(quant::product_width(8, 8, true, 5120, 0) == 29);  // numerics.md: A_t 29
    CHECK(quant::product_width(0, 8, false, 4096, 15) == 36);
}
