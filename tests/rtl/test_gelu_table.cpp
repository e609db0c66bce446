// SPDX-License-Identifier: Apache-2.0
// gelu_table.sv: every word that of the oracle, LANES a cycle, two cycles behind.
#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <random>

#include "GeluTable10.h"
#include "GeluTable12.h"
#include "GeluTable16.h"
#include "GeluTable4.h"
#include "sim/datapath/activation_unit.hpp"
#include "tests/rtl/row_stream.hpp"
#include "tests/support/oracle/vector_units.hpp"

using namespace prelude;
using namespace prelude::rtl;

namespace {

enum class Content { random, extremes, gelu };

struct Sizes {
    int lanes, input_bits, entry_bits, word_bits;
    [[nodiscard]] int guard_bits() const { return input_bits > 10 ? 8 : 0; }
};

oracle::Table make_table(tests::Random& random, const Sizes& sizes, Content content) {
    const auto top = std::int64_t{1} << (sizes.word_bits - 1), most = (std::int64_t{1} << (sizes.entry_bits - 1)) - 1;
    oracle::Table form{.input_bits = sizes.input_bits, .guard_bits = sizes.guard_bits(), .entries = {}, .lo = -top, .hi = top - 1};
    const bool is_narrower = content == Content::random && sizes.guard_bits() > 0 && random.one_in(2);  // segments clamp to the format of the output
    if (is_narrower) form.lo = 0, form.hi = (top >> 2) - 1;
    const int count = sizes.guard_bits() > 0 ? 257 : 1 << sizes.input_bits;
    for (int i = 0; i < count; ++i) {
        switch (content) {
            case Content::random: form.entries.push_back(random.in(-most - 1, most)); break;
            case Content::extremes: form.entries.push_back(random.one_in(2) ? most : -most - 1); break;
            case Content::gelu: {
                const double x = 8.0 * i / count - 4;
                form.entries.push_back(std::llround(0.5 * x * std::erfc(-x / std::sqrt(2.0)) * static_cast<double>(most) / 4));
            }
        }
    }
    return form;
}

template <class Module>
void load(Clocked<Module>& unit, const Sizes& sizes, const oracle::Table& form) {
    for (std::size_t i = 0; i < form.entries.size(); ++i) {
        unit->load = 1;
        set_port(unit->load_index, sizes.guard_bits() > 0 ? 9 : sizes.input_bits, static_cast<std::int64_t>(i));
        set_port(unit->load_entry, sizes.entry_bits, form.entries[i]);
        unit.tick();
    }
    unit->load = 0;
    set_port(unit->lo, sizes.word_bits, form.lo);
    set_port(unit->hi, sizes.word_bits, form.hi);
}

/// Every code of the input, whole tables one after the other: at least `words` words.
template <class Module>
void compare_words(const Sizes& sizes, std::int64_t words) {
    tests::Random random(static_cast<std::uint64_t>(sizes.input_bits));
    Clocked<Module> unit;
    const Lanes lanes{sizes.lanes, sizes.input_bits, sizes.word_bits, true};
    std::int64_t compared = 0, differences = 0;
    for (int round = 0; compared < words; ++round) {
        const auto form = make_table(random, sizes, round % 3 == 0 ? Content::random : round % 3 == 1 ? Content::extremes : Content::gelu);
        load(unit, sizes, form);
        Row codes;
        for (std::int64_t code = 0; code < std::int64_t{1} << sizes.input_bits; ++code) codes.push_back(code);
        std::shuffle(codes.begin(), codes.end(), std::mt19937_64(random.bits()));
        const auto passage = pass(unit, lanes, {codes});
        for (std::size_t i = 0; i < codes.size(); ++i, ++compared) differences += passage.out[0][i] != oracle::lookup(form, codes[i]) ? 1 : 0;
        CHECK(passage.cycles == lanes.words(static_cast<std::int64_t>(codes.size())) + sim::ActivationUnit::kLatency);
    }
    INFO(compared << " words of " << sizes.input_bits << " bits");
    CHECK(differences == 0);
}

}  // namespace

TEST_CASE("Tables have the words of the oracle for every code, entries and segments", "[rtl][exhaustive]") {
    compare_words<GeluTable4>({4, 4, 9, 9}, 20'000);
    compare_words<GeluTable10>({16, 10, 17, 17}, 400'000);
    compare_words<GeluTable12>({16, 12, 17, 9}, 400'000);
    compare_words<GeluTable16>({8, 16, 25, 17}, 400'000);
}

TEST_CASE("A stream of codes takes a cycle for as many words as there are lanes, and two more", "[rtl]") {
    Clocked<GeluTable10> unit;
    const Lanes lanes{16, 10, 17, true};
    tests::Random random(3);
    for (const auto& shape : shapes(509)) {
        INFO(shape.rows << " x " << shape.words);
        const auto codes = adversarial_rows(random, {1, shape.rows * shape.words}, 0, 1023);
        CHECK(pass(unit, lanes, codes).cycles == lanes.words(shape.rows * shape.words) + sim::ActivationUnit::kLatency);
    }
}
