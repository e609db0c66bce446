// SPDX-License-Identifier: Apache-2.0
// What the codes of probabilities stand for: invariants of the companded and logarithmic levels, and their factors in integers.
#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>

#include "quant/arithmetic/dot.hpp"
#include "quant/fake/nonlinear.hpp"
#include "quant/probability_code.hpp"

using namespace prelude;
using quant::LogBase;
using quant::OperandKind;
using quant::SoftmaxForm;
using quant::SoftmaxScheme;
using quant::ZeroCode;

namespace {

quant::Format lnq(SoftmaxForm form, int bits, LogBase base = LogBase::sqrt_two) {
    return quant::probability_format({.scheme = SoftmaxScheme::lnq, .log_base = base, .form = form}, bits);
}

}  // namespace

TEST_CASE("companding by almost nothing has equal steps", "[property]") {
    for (int bits = 2; bits <= 8; ++bits) {
        const auto companded = quant::code_levels(lnq(SoftmaxForm::lut, bits), 1e-9);
        const auto uniform = quant::code_levels({.kind = quant::FormatKind::probability, .bits = bits}, 0);
        REQUIRE(companded.value.size() == uniform.value.size());
        for (std::size_t c = 0; c < uniform.value.size(); ++c) CHECK(companded.value[c] == Approx(uniform.value[c]).margin(1e-9));
        for (std::size_t c = 0; c < uniform.threshold.size(); ++c) CHECK(companded.threshold[c] == Approx(uniform.threshold[c]).margin(1e-9));
        CHECK(quant::table_factors(companded, 12) == quant::table_factors(uniform, 12));
    }
}

TEST_CASE("the factors of a table are the nearest to its levels, the largest fills the word", "[exhaustive][mutation]") {
    for (int bits = 2; bits <= 8; ++bits) {
        for (const double companding : {0.5, 20.0, 200.0}) {
            const auto levels = quant::code_levels(lnq(SoftmaxForm::lut, bits), companding);
            const auto factors = quant::table_factors(levels, bits + 4);
            const double top = std::exp2(bits + 4) - 1;
            CHECK((factors.front() == 0 && factors.back() == static_cast<std::int32_t>(top)));
            for (std::size_t c = 0; c < factors.size(); ++c) CHECK(std::abs(factors[c] - top * levels.value[c]) <= 0.5 + 1e-9);
        }
    }
}

TEST_CASE("companded levels and codes are those of the published quantizer with 2^b - 1 steps", "[exhaustive][mutation]") {
    for (int bits = 2; bits <= 8; ++bits) {
        for (const double alpha : {1.0, 20.0, 200.0}) {
            for (const double scale : {1.0, 0.37}) {
                const quant::fake::Companding published{.alpha = static_cast<float>(alpha), .scale = static_cast<float>(scale), .steps = (1 << bits) - 1};
                const auto levels = quant::code_levels(lnq(SoftmaxForm::lut, bits), alpha * scale);
                for (std::int32_t c = 0; c < 1 << bits; ++c) {
                    CHECK(scale * levels.value[static_cast<std::size_t>(c)] == Approx(published.value(c)).epsilon(1e-3).margin(1e-6));
                }
                for (int i = 1; i < 200; ++i) {
                    const double p = scale * (i + 0.123) / 200;
                    CHECK(levels.code(p / scale) == published.code(static_cast<float>(p)));
                }
            }
        }
    }
}

TEST_CASE("companded powers in integers are the levels with companding 2^(L/tau) - 1", "[exhaustive][mutation]") {
    for (const auto base : {LogBase::two, LogBase::sqrt_two, LogBase::fourth_root_two}) {
        const int tau = quant::tau_of(base);
        for (int bits = 2; bits <= quant::useful_code_bits({.scheme = SoftmaxScheme::lnq, .log_base = base}); ++bits) {
            const auto format = lnq(SoftmaxForm::shift, bits, base);
            REQUIRE(format.bits == bits);
            const auto levels = quant::code_levels(format, quant::companding_of_powers(format));
            const quant::OperandCode code{.kind = format.code, .bits = bits, .tau = tau, .shift_cap = format.shift_cap};
            CHECK(format.shift_cap <= 15);
            const auto weigh = [&](std::int32_t c) {
                double sum = 0;
                for (const auto& part : quant::decode(code, c)) sum += static_cast<double>(part.factor) * std::exp2(static_cast<double>(part.term) / tau);
                return sum;
            };
            const auto top = (1 << bits) - 1;
            for (std::int32_t c = 0; c <= top; ++c) CHECK(weigh(c) / weigh(top) == Approx(levels.value[static_cast<std::size_t>(c)]).epsilon(1e-12));
        }
    }
}

TEST_CASE("thresholds lie between the levels they part, and each level has its own code", "[property]") {
    const auto check = [](const quant::Format& format, double companding) {
        const auto levels = quant::code_levels(format, companding);
        const auto last = static_cast<std::int32_t>(levels.descending ? levels.threshold.size() : levels.value.size()) - 1;
        for (std::int32_t c = 0; c <= last; ++c) CHECK(levels.code(levels.value[static_cast<std::size_t>(c)]) == c);
        CHECK(levels.code(2.0) == (levels.descending ? 0 : last));
        CHECK(levels.code(0.0) == (levels.descending ? levels.beyond : 0));
    };
    for (int bits = 2; bits <= 8; ++bits) {
        check({.kind = quant::FormatKind::probability, .bits = bits}, 0);
        check(lnq(SoftmaxForm::lut, bits), 5.0);
        check(lnq(SoftmaxForm::shift, bits), quant::companding_of_powers(lnq(SoftmaxForm::shift, bits)));
        for (const auto zero : {ZeroCode::reuse_top, ZeroCode::saturate, ZeroCode::escape}) {
            for (const auto base : {LogBase::two, LogBase::sqrt_two, LogBase::fourth_root_two}) check(quant::probability_format({.log_base = base, .zero_code = zero}, bits), 0);
        }
    }
}

TEST_CASE("an escape code leaves all codes to levels and widens the word by a bit", "[property]") {
    const auto format = quant::probability_format({.log_base = LogBase::sqrt_two, .zero_code = ZeroCode::escape}, 4);
    CHECK(format.bits == 5);
    CHECK(format.log_levels == 16);
    CHECK(format.zero_code == 16);
    CHECK(quant::probability_format({.log_base = LogBase::sqrt_two}, 4).log_levels == 15);
    // The published quantizer has as many levels, and its zero begins where ours does.
    const quant::fake::Logarithmic published{.bits = 4, .tau = 2, .scale = 1};
    const auto levels = quant::code_levels(format, 0);
    for (int i = 1; i < 2000; ++i) {
        const double p = std::exp2(-i * 0.005 - 0.0013);
        CHECK(levels.value[static_cast<std::size_t>(levels.code(p))] == Approx(published(static_cast<float>(p))).margin(1e-7));
    }
}

TEST_CASE("widths beyond use are lowered: powers by the shift cap, buckets to 5, tables to 8", "[property]") {
    CHECK(lnq(SoftmaxForm::shift, 8, LogBase::two).bits == 4);
    CHECK(lnq(SoftmaxForm::shift, 8, LogBase::sqrt_two).bits == 5);
    CHECK(lnq(SoftmaxForm::shift, 8, LogBase::fourth_root_two).bits == 6);
    CHECK(lnq(SoftmaxForm::bucket, 8).bits == 5);
    CHECK(lnq(SoftmaxForm::lut, 16).bits == 8);
    CHECK(lnq(SoftmaxForm::lut, 4).entry_bits == 8);
    CHECK(lnq(SoftmaxForm::lut, 8).entry_bits == 12);
    CHECK(quant::useful_code_bits({.zero_code = ZeroCode::escape}) == 5);
    CHECK(quant::probability_format({.scheme = SoftmaxScheme::uniform}, 16).bits == 16);
}
