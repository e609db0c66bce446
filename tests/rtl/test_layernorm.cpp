// SPDX-License-Identifier: Apache-2.0
// layernorm.sv: every word that of the oracle, root by products; the cycles of rows.
#include <catch2/catch.hpp>

#include <bit>

#include "LayerNorm16.h"
#include "LayerNorm4.h"
#include "sim/datapath/layernorm_unit.hpp"
#include "tests/rtl/row_stream.hpp"
#include "tests/support/oracle/constants.hpp"
#include "tests/support/oracle/vector_units.hpp"

using namespace prelude;
using namespace prelude::rtl;

namespace {

struct Sizes {
    int lanes, word_bits, max_channels, offset_bits, out_bits;
    [[nodiscard]] Lanes row_lanes() const { return {lanes, word_bits, out_bits + 1, true}; }
};
constexpr Sizes kWide{16, 20, 4096, 58, 16}, kNarrow{4, 12, 128, 40, 8};

template <class Module>
class Bench {
  public:
    explicit Bench(const Sizes& sizes) : sizes_(sizes) {
        unit_->reset = 1;
        unit_.tick();
        unit_->reset = 0;
        const auto seeds = oracle::root_seed();
        for (std::size_t i = 0; i < seeds.size(); ++i) {
            unit_->load_seed = 1;
            unit_->load_index = static_cast<std::uint8_t>(i);
            unit_->load_entry = static_cast<std::uint16_t>(seeds[i]);
            unit_.tick();
        }
        unit_->load_seed = 0;
    }

    void configure(const oracle::LayerNorm& form) {
        const auto& output = form.output;
        const auto channels = static_cast<std::int64_t>(output.multiplier.size()), words = sizes_.row_lanes().words(channels);
        set_port(unit_->channels, std::bit_width(static_cast<unsigned>(sizes_.max_channels)), channels);
        unit_->epsilon = static_cast<std::uint64_t>(form.epsilon);
        unit_->fraction = static_cast<std::uint8_t>(form.fraction);
        set_port(unit_->lo, sizes_.out_bits + 1, output.lo);
        set_port(unit_->hi, sizes_.out_bits + 1, output.hi);
        unit_->last_word = static_cast<std::uint8_t>(words - 1);
        unit_->last_lanes = static_cast<std::uint8_t>(channels - (words - 1) * sizes_.lanes);
        for (std::size_t c = 0; c < output.multiplier.size(); ++c) {
            unit_->load_channel = 1;
            unit_->load_word = static_cast<std::uint8_t>(c / static_cast<std::size_t>(sizes_.lanes));
            unit_->load_lane = static_cast<std::uint8_t>(c % static_cast<std::size_t>(sizes_.lanes));
            set_port(unit_->load_multiplier, 17, output.multiplier[c]);
            set_port(unit_->load_offset, sizes_.offset_bits, output.offset[c]);
            unit_->load_shift = static_cast<std::uint8_t>(output.shift[c]);
            set_port(unit_->load_zero, sizes_.out_bits + 1, output.zero[c]);
            unit_.tick();
        }
        unit_->load_channel = 0;
    }

    [[nodiscard]] Passage pass_rows(const Rows& rows, tests::Random* gaps = nullptr) {
        return rtl::pass(unit_, sizes_.row_lanes(), rows, [] { return true; }, gaps);
    }

  private:
    Sizes sizes_;
    Clocked<Module> unit_;
};

/// Constants as calibration makes them, and at the ends of what their words hold.
oracle::LayerNorm make_form(tests::Random& random, const Sizes& sizes, std::int64_t channels) {
    oracle::LayerNorm form{.epsilon = random.of<std::int64_t>({0, 1, random.in(0, 1000), random.in(0, std::int64_t{1} << 45)}),
                           .fraction = oracle::layer_norm_fraction(channels),
                           .output = {}};
    auto& output = form.output;
    const int bits = static_cast<int>(random.in(2, sizes.out_bits));
    const bool is_code = random.one_in(2), usual = random.one_in(2);
    output.lo = is_code ? 0 : -(std::int64_t{1} << (bits - 1));
    output.hi = is_code ? (std::int64_t{1} << bits) - 1 : (std::int64_t{1} << (bits - 1)) - 1;
    for (std::int64_t c = 0; c < channels; ++c) {
        const auto n = usual ? random.in(15, 33 - bits) + (random.one_in(2) ? 2 : 0) : random.in(1, 40);
        const auto most = std::int64_t{1} << std::min<std::int64_t>(n + bits + 1, sizes.offset_bits - 1);
        output.shift.push_back(n);
        output.multiplier.push_back(usual ? random.in(1 << 15, (1 << 16) - 1) * (random.one_in(4) ? -1 : 1)
                                          : random.of<std::int64_t>({0, 1, -1, 32768, 65535, -65535, random.in(-65535, 65535)}));
        output.offset.push_back(usual ? random.in(-(std::int64_t{1} << n), std::int64_t{1} << n) % most
                                      : random.of<std::int64_t>({0, most - 1, 1 - most, random.in(1 - most, most - 1)}));
        output.zero.push_back(is_code ? random.in(0, output.hi) : 0);
    }
    return form;
}

/// Words at the ends of their range, of small rows, and of rows that hardly vary.
Rows make_words(tests::Random& random, const Sizes& sizes, const Shape& shape) {
    const auto top = std::int64_t{1} << (sizes.word_bits - 1);
    if (random.one_in(2)) return adversarial_rows(random, shape, -top, top - 1);
    const auto spread = std::int64_t{1} << random.in(0, sizes.word_bits - 2), middle = random.in(spread - top, top - 1 - spread);
    return adversarial_rows(random, shape, middle - spread, middle + spread);
}

template <class Module>
void compare(const Sizes& sizes, std::int64_t words) {
    tests::Random random(static_cast<std::uint64_t>(sizes.lanes));
    Bench<Module> bench(sizes);
    std::int64_t compared = 0, differences = 0;
    while (compared < words) {
        const auto most = random.one_in(2) ? 3 * sizes.lanes : 400;
        const auto channels = random.one_in(30) ? std::int64_t{sizes.max_channels} : random.in(1, std::min(most, sizes.max_channels));
        const auto form = make_form(random, sizes, channels);
        bench.configure(form);
        const auto rows = make_words(random, sizes, {random.in(1, 8), channels});
        const auto passage = bench.pass_rows(rows, random.one_in(4) ? &random : nullptr);
        for (std::size_t r = 0; r < rows.size(); ++r) {
            const auto expected = oracle::layer_norm_row(form, rows[r]);
            for (std::size_t c = 0; c < expected.size(); ++c, ++compared) differences += passage.out[r][c] != expected[c] ? 1 : 0;
        }
    }
    INFO(compared << " words of " << sizes.word_bits << " bits");
    CHECK(differences == 0);
}

}  // namespace

TEST_CASE("LayerNorm has the words of the oracle, constants of every channel included", "[rtl]") {
    compare<LayerNorm16>(kWide, 700'000);
    compare<LayerNorm4>(kNarrow, 400'000);
}

TEST_CASE("Rows take the cycles of LayerNorm in the datapath", "[rtl]") {
    tests::Random random(42);
    Bench<LayerNorm16> bench(kWide);
    const auto root = sim::LayerNormUnit::timing(quant::Root::seeded, 1);
    for (const auto& shape : shapes(509)) {
        INFO(shape.rows << " x " << shape.words);
        bench.configure(make_form(random, kWide, shape.words));
        CHECK(bench.pass_rows(make_words(random, kWide, shape)).cycles == sim::LayerNormUnit::cycles(shape.rows, shape.words, kWide.lanes, root));
    }
}
