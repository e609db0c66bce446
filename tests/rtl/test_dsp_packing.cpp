// SPDX-License-Identifier: Apache-2.0
// Several products in one DSP slice: exact for as many products as the fields allow, and wrong one product later.
#include <catch2/catch.hpp>

#include <array>
#include <deque>
#include <random>
#include <vector>

#include "Dsp58Dot.h"
#include "PairOf4.h"
#include "PairOf5.h"
#include "PairOf7.h"
#include "PairOf8.h"
#include "QuadOf8.h"
#include "QuadOf9.h"
#include "tests/rtl/ports.hpp"

using namespace prelude::rtl;

namespace {

struct Range {
    std::int64_t lo, hi;
};

/// Words that stay at one end, at the other, alternate, or lie anywhere.
class Source {
  public:
    explicit Source(std::uint64_t seed) : random_(seed) {}
    void next_run() { form_ = random_() % 8; }
    std::int64_t word(Range range, std::size_t lane) {
        switch (form_) {
            case 0: return range.lo;
            case 1: return range.hi;
            case 2: return lane % 2 == 0 ? range.lo : range.hi;
            case 3: return (++turn_ % 2) == 0 ? range.lo : range.hi;
            default: return range.lo + static_cast<std::int64_t>(random_() % static_cast<std::uint64_t>(range.hi - range.lo + 1));
        }
    }
    std::uint64_t below(std::uint64_t n) { return random_() % n; }

  private:
    std::mt19937_64 random_;
    std::uint64_t form_ = 0, turn_ = 0;
};

struct Outcome {
    std::int64_t sums = 0, differences = 0, latency = 0;
};

/// Runs of products through a unit: `set` drives one beat and returns what each of its sums grows by, `read` gives the sums.
template <class Module, std::size_t kSums, class Set, class Read>
Outcome run(std::int64_t products, std::uint64_t seed, const Set& set, const Read& read) {
    Clocked<Module> unit;
    Source source(seed);
    std::deque<std::pair<std::array<std::int64_t, kSums>, std::int64_t>> expected;
    Outcome outcome;
    const auto tick = [&] {
        unit.tick();
        if (!unit->valid_out || expected.empty()) return;
        const auto& [sums, begun] = expected.front();
        for (std::size_t i = 0; i < kSums; ++i) outcome.differences += read(*unit, i) != sums[i] ? 1 : 0;
        outcome.sums += kSums;
        outcome.latency = unit.cycles() - begun;
        expected.pop_front();
    };
    unit->valid_in = 0;
    for (int i = 0; i < 8; ++i) tick();
    for (std::int64_t done = 0; done < products;) {
        source.next_run();
        const auto length = static_cast<std::int64_t>(1 + source.below(40));
        std::array<std::int64_t, kSums> sums{};
        for (std::int64_t i = 0; i < length; ++i) {
            unit->first = i == 0;
            unit->last = i + 1 == length;
            unit->valid_in = 1;
            const auto terms = set(*unit, source);
            for (std::size_t s = 0; s < kSums; ++s) sums[s] += terms[s];
            if (i + 1 == length) expected.emplace_back(sums, unit.cycles());
            tick();
        }
        done += length;
    }
    unit->valid_in = 0;
    for (int i = 0; i < 8; ++i) tick();
    outcome.differences += static_cast<std::int64_t>(expected.size());
    return outcome;
}

template <class Module>
Outcome pairs(Range shared, Range operand) {
    return run<Module, 2>(
        400'000, 17,
        [&](Module& unit, Source& source) {
            const auto high = source.word(operand, 0), low = source.word(operand, 1), c = source.word(shared, 0);
            unit.high = static_cast<std::uint8_t>(port_bits(high, 8));
            unit.low = static_cast<std::uint8_t>(port_bits(low, 8));
            unit.shared = static_cast<std::uint16_t>(port_bits(c, 9));
            return std::array{high * c, low * c};
        },
        [](const Module& unit, std::size_t i) { return signed_word(i == 0 ? unit.high_sum : unit.low_sum, 32); });
}

template <class Module>
Outcome quads() {
    constexpr Range kWeight{-8, 7}, kCode{0, 15};
    return run<Module, 4>(
        400'000, 19,
        [&](Module& unit, Source& source) {
            const auto w0 = source.word(kWeight, 0), w1 = source.word(kWeight, 1), a0 = source.word(kCode, 1), a1 = source.word(kCode, 1);
            unit.w0 = static_cast<std::uint8_t>(port_bits(w0, 4));
            unit.w1 = static_cast<std::uint8_t>(port_bits(w1, 4));
            unit.a0 = static_cast<std::uint8_t>(port_bits(a0, 5));
            unit.a1 = static_cast<std::uint8_t>(port_bits(a1, 5));
            return std::array{w0 * a0, w0 * a1, w1 * a0, w1 * a1};
        },
        [](const Module& unit, std::size_t i) { return signed_field(unit.sums, 24 * i, 24); });
}

constexpr Range kSigned{-128, 127}, kUnsigned{0, 255};
constexpr int kPackedLatency = 4, kDotLatency = 3;

}  // namespace

TEST_CASE("A slice holds two 8-bit products of a shared operand: 7 of signed words, 4 of unsigned codes with signed weights", "[rtl]") {
    for (const auto& outcome : {pairs<PairOf7>(kSigned, kSigned), pairs<PairOf4>(kUnsigned, kSigned)}) {
        CHECK(outcome.differences == 0);
        CHECK(outcome.sums > 30'000);
        CHECK(outcome.latency == kPackedLatency);
    }
    CHECK(pairs<PairOf8>(kSigned, kSigned).differences > 0);
    CHECK(pairs<PairOf5>(kUnsigned, kSigned).differences > 0);
    // Weights that leave out -128 gain a product.
    CHECK(pairs<PairOf8>(kSigned, {-127, 127}).differences == 0);
}

TEST_CASE("A slice holds four 4-bit products: 8 of signed weights and unsigned codes", "[rtl]") {
    const auto outcome = quads<QuadOf8>();
    CHECK(outcome.differences == 0);
    CHECK(outcome.sums > 60'000);
    CHECK(outcome.latency == kPackedLatency);
    CHECK(quads<QuadOf9>().differences > 0);
}

TEST_CASE("A slice of the DSP58 kind sums three products of 9 and 8 bits without fields to overflow", "[rtl]") {
    const auto outcome = run<Dsp58Dot, 1>(
        400'000, 23,
        [](Dsp58Dot& unit, Source& source) {
            std::int64_t sum = 0;
            for (std::size_t i = 0; i < 3; ++i) {
                const auto a = source.word({-256, 255}, i), b = source.word({-128, 127}, i);
                set_field(unit.a, 9 * i, 9, a);
                set_field(unit.b, 8 * i, 8, b);
                sum += a * b;
            }
            return std::array{sum};
        },
        [](const Dsp58Dot& unit, std::size_t) { return signed_word(port_bits(static_cast<std::int64_t>(unit.p), 58), 58); });
    CHECK(outcome.differences == 0);
    CHECK(outcome.latency == kDotLatency);
}
