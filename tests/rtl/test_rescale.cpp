// SPDX-License-Identifier: Apache-2.0
// rescale.sv: every word that of the oracle, one a cycle, six cycles behind.
#include <catch2/catch.hpp>

#include <deque>
#include <random>

#include "Rescale.h"
#include "sim/datapath/post_unit.hpp"
#include "tests/rtl/clocked.hpp"
#include "tests/support/oracle/contraction.hpp"

using namespace prelude;

namespace {

constexpr int kAccBits = 63, kOffsetBits = 62, kOutBits = 20;

/// Accumulators at the ends of their range, at ties and around them, and anywhere.
class Stimulus {
  public:
    explicit Stimulus(std::uint64_t seed) : random_(seed) {}

    oracle::Output output() {
        oracle::Output form;
        const int acc_bits = 8 + static_cast<int>(below(55));
        form.operand_shift = std::max(0, acc_bits - 32);
        acc_bits_ = acc_bits;
        const auto n = 1 + static_cast<int>(below(40)), bits = 2 + static_cast<int>(below(kOutBits - 1));
        form.multiplier = {pick({0, 1, -1, 32768, -32768, 65535, -65535}, signed_below(65536))};
        form.shift = {n};
        const auto most = std::int64_t{1} << std::min(n + bits + 1, 61);
        form.offset = {pick({0, 1, -1, most - 1, 1 - most, (std::int64_t{1} << (n - 1)), -(std::int64_t{1} << (n - 1))}, signed_below(most))};
        if (std::abs(form.offset[0]) >= most) form.offset[0] = 0;
        const bool is_code = below(2) == 0;
        form.zero = {is_code ? static_cast<std::int64_t>(below(std::uint64_t{1} << bits)) : 0};
        form.lo = is_code ? 0 : -(std::int64_t{1} << (bits - 1));
        form.hi = is_code ? (std::int64_t{1} << bits) - 1 : (std::int64_t{1} << (bits - 1)) - 1;
        return form;
    }

    std::int64_t accumulator(const oracle::Output& form) {
        const auto most = (std::int64_t{1} << (acc_bits_ - 1)) - 1;
        const auto tie = [&](int shift) {  // half way between two results, or one beside it
            if (shift == 0) return std::int64_t{0};
            return ((signed_below(std::max<std::int64_t>(most >> shift, 1)) << shift) | (std::int64_t{1} << (shift - 1))) + static_cast<std::int64_t>(below(3)) - 1;
        };
        return std::clamp(pick({0, 1, -1, most, -most - 1, tie(form.operand_shift), tie(static_cast<int>(form.shift[0]))}, signed_below(most)), -most - 1, most);
    }

  private:
    std::uint64_t below(std::uint64_t n) { return random_() % n; }
    std::int64_t signed_below(std::int64_t n) { return static_cast<std::int64_t>(below(2 * static_cast<std::uint64_t>(n) - 1)) - (n - 1); }
    std::int64_t pick(std::initializer_list<std::int64_t> corners, std::int64_t otherwise) {
        const auto at = below(2 * corners.size());
        return at < corners.size() ? *(corners.begin() + at) : otherwise;
    }

    std::mt19937_64 random_;
    int acc_bits_ = 32;
};

}  // namespace

TEST_CASE("A rescale lane has the words of the oracle, one a cycle, six cycles behind", "[rtl]") {
    constexpr int kForms = 4'000, kWordsOfForm = 256;  // beyond a million words
    rtl::Clocked<Rescale> unit;
    Stimulus stimulus(11);
    std::deque<std::int64_t> expected;
    std::int64_t differences = 0, words = 0;
    const auto take = [&] {
        unit.tick();
        if (!unit->valid_out) return;
        differences += rtl::signed_word(unit->word, kOutBits + 1) != expected.front() ? 1 : 0;
        expected.pop_front();
        ++words;
    };
    for (int f = 0; f < kForms; ++f) {
        const auto form = stimulus.output();
        for (int i = 0; i < kWordsOfForm; ++i) {
            const auto acc = stimulus.accumulator(form);
            expected.push_back(oracle::rescale(form, 0, acc));
            unit->valid_in = 1;
            unit->acc = rtl::port_bits(acc, kAccBits);
            unit->operand_shift = static_cast<std::uint8_t>(form.operand_shift);
            unit->multiplier = static_cast<std::uint32_t>(rtl::port_bits(form.multiplier[0], 17));
            unit->offset = rtl::port_bits(form.offset[0], kOffsetBits);
            unit->shift = static_cast<std::uint8_t>(form.shift[0]);
            unit->zero = static_cast<std::uint32_t>(rtl::port_bits(form.zero[0], kOutBits + 1));
            unit->lo = static_cast<std::uint32_t>(rtl::port_bits(form.lo, kOutBits + 1));
            unit->hi = static_cast<std::uint32_t>(rtl::port_bits(form.hi, kOutBits + 1));
            take();
        }
    }
    unit->valid_in = 0;
    for (int i = 0; i + 1 < sim::PostUnit::kLatency; ++i) take();
    CHECK(differences == 0);
    CHECK(words == std::int64_t{kForms} * kWordsOfForm);
    CHECK(unit.cycles() == words + sim::PostUnit::kLatency - 1);
}
