// SPDX-License-Identifier: Apache-2.0
// softmax.sv: every code that of the oracle, in two stages and in three; the cycles of rows.
#include <catch2/catch.hpp>

#include <unordered_map>

#include "Softmax16.h"
#include "Softmax4.h"
#include "sim/datapath/softmax_unit.hpp"
#include "tests/rtl/row_stream.hpp"
#include "tests/support/oracle_from_quant.hpp"
#include "tests/support/softmax_forms.hpp"

using namespace prelude;
using namespace prelude::rtl;
using quant::ScaleMode;

namespace {

constexpr int kScoreBits = 16, kExpBits = 16, kChords = 64;

struct Sizes {
    int lanes, code_bits, max_words;
    [[nodiscard]] Lanes row_lanes() const { return {lanes, kScoreBits, code_bits, false}; }
};
constexpr Sizes kWide{16, 8, 256}, kNarrow{4, 4, 128};

[[nodiscard]] bool is_direct(const quant::SoftmaxOp& form) { return form.tau != 0 && form.scale == ScaleMode::row; }

/// {shift, mantissa} of a threshold; a mantissa that was rounded up to 2^16 is 2^15 with the next exponent.
[[nodiscard]] std::int64_t threshold_word(const quant::SoftmaxOp& form, std::size_t index) {
    const auto mantissa = form.threshold_mantissa[index];
    const int carry = mantissa >> 16 != 0 ? 1 : 0;
    return (mantissa >> carry) | std::int64_t{-form.threshold_exponent[index] - carry} << 16;
}

/// Uniform codes with the thresholds of companded ones.
quant::SoftmaxOp make_companded(int fraction, int bits, ScaleMode scale, double largest, double bend) {
    auto form = tests::make_softmax(fraction, bits, 0, 15, false, scale, largest);
    const auto steps = static_cast<double>(form.threshold_mantissa.size());
    for (std::size_t i = 0; i < form.threshold_mantissa.size(); ++i) {
        const double theta = largest * (std::pow(1 + bend, (static_cast<double>(i) + 0.5) / steps) - 1) / bend;
        form.threshold_exponent[i] = std::ilogb(theta) - 15;
        form.threshold_mantissa[i] = static_cast<std::int64_t>(std::nearbyint(std::ldexp(theta, -form.threshold_exponent[i])));
    }
    return form;
}

template <class Module>
class Bench {
  public:
    explicit Bench(const Sizes& sizes) : sizes_(sizes) {
        unit_->reset = 1;
        unit_.tick();
        unit_->reset = 0;
        const auto ends = oracle::exp_table(kExpBits);
        for (int i = 0; i <= kChords; ++i) {
            unit_->load_exponential = 1;
            unit_->load_index = static_cast<std::uint8_t>(i);
            set_port(unit_->load_entry, kExpBits + 6, ends[static_cast<std::size_t>(i)]);
            unit_.tick();
        }
        unit_->load_exponential = 0;
    }

    void configure(const quant::SoftmaxOp& form) {
        const int spare = sizes_.code_bits - form.bits, tau = std::max(form.tau, 1);
        const bool is_log = form.tau != 0;
        unit_->direct = is_direct(form);
        unit_->row_scale = form.scale == ScaleMode::row;
        unit_->is_log = is_log;
        unit_->fraction = static_cast<std::uint8_t>(form.score_fraction);
        unit_->tau_shift = static_cast<std::uint8_t>(std::bit_width(static_cast<unsigned>(tau)) - 1);
        unit_->code_shift = static_cast<std::uint8_t>(spare);
        set_port(unit_->levels, sizes_.code_bits + 1, is_log ? form.num_levels : 1 << form.bits);
        set_port(unit_->beyond, sizes_.code_bits, !is_log ? 0 : form.zero_code >= 0 ? form.zero_code : form.num_levels - 1);
        for (int t = 1; t < 1 << form.bits && !is_direct(form); ++t) {
            const auto index = static_cast<std::size_t>(t) - 1;
            const bool exists = index < form.threshold_mantissa.size();  // no e lies below 0: levels that are not there
            unit_->load_threshold = 1;
            unit_->load_index = static_cast<std::uint8_t>(t << spare);
            set_port(unit_->load_entry, kExpBits + 6, exists ? threshold_word(form, index) : 0);
            unit_.tick();
        }
        unit_->load_threshold = 0;
        if (form.scale != ScaleMode::row || is_log) return;
        unit_->scale_thresholds = 1;
        unit_.tick();
        unit_->scale_thresholds = 0;
        for (int i = 0; i < (1 << (form.bits - 1)) + sizes_.code_bits + 4; ++i) unit_.tick();
    }

    [[nodiscard]] Passage pass_rows(const Rows& rows, tests::Random* gaps = nullptr) {
        const auto length = static_cast<std::int64_t>(rows.front().size()), words = sizes_.row_lanes().words(length);
        unit_->last_word = static_cast<std::uint8_t>(words - 1);
        unit_->last_lanes = static_cast<std::uint8_t>(length - (words - 1) * sizes_.lanes);
        return rtl::pass(unit_, sizes_.row_lanes(), rows, [&] { return unit_->ready_in != 0; }, gaps);
    }

  private:
    Sizes sizes_;
    Clocked<Module> unit_;
};

/// Scores at the ends of their range, anywhere, near the top of the row, and where tau d lies half way between two codes or beside it.
Rows make_scores(tests::Random& random, const quant::SoftmaxOp& form, const Shape& shape) {
    constexpr std::int64_t kLo = -(1 << (kScoreBits - 1)), kHi = -kLo - 1;
    if (random.one_in(3)) return adversarial_rows(random, shape, kLo, kHi);
    const auto reach = std::min<std::int64_t>(kHi - kLo, std::int64_t{random.one_in(2) ? 18 : 3} << form.score_fraction);
    const auto top = random.in(kLo + reach, kHi);
    if (random.one_in(3)) return adversarial_rows(random, shape, top - reach, top);
    const auto half = (std::int64_t{1} << form.score_fraction) / 2;
    auto rows = adversarial_rows(random, shape, top, top);
    for (auto& row : rows) {
        for (auto& score : row) {
            if (!random.one_in(8)) score = std::clamp(top - random.in(0, 36) * half / std::max(form.tau, 1) - random.in(-1, 1), kLo, top);
        }
    }
    return rows;
}

/// Codes of rows. In row scale a code follows from its distance alone: the oracle is asked once for each.
class Expected {
  public:
    explicit Expected(const quant::SoftmaxOp& form) : form_(tests::to_oracle(form)) {}
    Row operator()(const Row& scores) {
        if (!form_.row_scale) return oracle::softmax_row(form_, scores);
        Row codes;
        const auto top = *std::ranges::max_element(scores);
        for (const auto score : scores) {
            const auto [code, is_new] = code_of_.try_emplace(top - score, 0);
            if (is_new) code->second = oracle::softmax_row(form_, {top, score})[1];
            codes.push_back(code->second);
        }
        return codes;
    }

  private:
    oracle::Softmax form_;
    std::unordered_map<std::int64_t, std::int64_t> code_of_;
};

struct Tally {
    std::int64_t words = 0, differences = 0;
};

template <class Module>
void compare(Bench<Module>& bench, const Sizes& sizes, tests::Random& random, const quant::SoftmaxOp& form, std::int64_t words, Tally& tally) {
    bench.configure(form);
    Expected expected(form);
    for (std::int64_t compared = 0; compared < words;) {
        const auto longest = std::int64_t{sizes.lanes} * sizes.max_words;
        const auto length = random.one_in(40) ? longest : random.in(1, random.one_in(2) ? 3 * sizes.lanes : 400);
        const auto rows = make_scores(random, form, {random.in(1, 6), std::min(length, longest)});
        const auto passage = bench.pass_rows(rows, random.one_in(4) ? &random : nullptr);
        for (std::size_t r = 0; r < rows.size(); ++r) {
            const auto codes = expected(rows[r]);
            for (std::size_t k = 0; k < codes.size(); ++k, ++compared) tally.differences += passage.out[r][k] != codes[k] ? 1 : 0;
        }
        tally.words += static_cast<std::int64_t>(rows.size() * rows.front().size());
    }
}

const std::vector<int> kFractions{0, 3, 6, 10, 14};

}  // namespace

TEST_CASE("Logarithmic codes in row scale are those of the oracle, in two stages", "[rtl]") {
    tests::Random random(31);
    Bench<Softmax16> wide(kWide);
    Bench<Softmax4> narrow(kNarrow);
    Tally tally;
    for (const int tau : {1, 2, 4}) {
        for (const auto fraction : kFractions) {
            for (const bool zero : {true, false}) {
                for (int bits = 2; bits <= 8; ++bits) {
                    const auto form = tests::make_softmax(fraction, bits, tau, 15, zero, ScaleMode::row, 1.0);
                    compare(wide, kWide, random, form, 4'000, tally);
                    if (form.bits <= kNarrow.code_bits) compare(narrow, kNarrow, random, form, 4'000, tally);
                }
            }
        }
    }
    INFO(tally.words << " words");
    CHECK(tally.words >= 1'000'000);
    CHECK(tally.differences == 0);
}

TEST_CASE("Uniform and companded codes in row scale are those of the oracle, in three stages", "[rtl]") {
    tests::Random random(32);
    Bench<Softmax16> wide(kWide);
    Bench<Softmax4> narrow(kNarrow);
    Tally tally;
    for (const auto fraction : kFractions) {
        for (int bits = 2; bits <= 8; ++bits) {
            for (const double bend : {0.0, 3.0, 200.0}) {
                const auto form = bend == 0 ? tests::make_softmax(fraction, bits, 0, 15, false, ScaleMode::row, 1.0)
                                            : make_companded(fraction, bits, ScaleMode::row, 1.0, bend);
                compare(wide, kWide, random, form, 8'000, tally);
                if (bits <= kNarrow.code_bits) compare(narrow, kNarrow, random, form, 8'000, tally);
            }
        }
    }
    INFO(tally.words << " words");
    CHECK(tally.words >= 1'000'000);
    CHECK(tally.differences == 0);
}

TEST_CASE("Codes of the row's sum are those of the oracle: logarithmic, uniform, companded", "[rtl]") {
    tests::Random random(33);
    Bench<Softmax16> wide(kWide);
    Bench<Softmax4> narrow(kNarrow);
    Tally tally;
    for (const auto fraction : kFractions) {
        for (int bits = 2; bits <= 8; ++bits) {
            const auto words = bits <= 5 ? 4'000 : 500;  // the oracle compares with every threshold
            std::vector<quant::SoftmaxOp> forms;
            for (const double largest : {1.0, 0.37, 0.004}) {
                for (const int tau : {0, 1, 2, 4}) forms.push_back(tests::make_softmax(fraction, bits, tau, 15, random.one_in(2), ScaleMode::tensor, largest));
                forms.push_back(make_companded(fraction, bits, ScaleMode::tensor, largest, 30.0));
            }
            for (const auto& form : forms) {
                compare(wide, kWide, random, form, words, tally);
                if (form.bits <= kNarrow.code_bits) compare(narrow, kNarrow, random, form, words, tally);
            }
        }
    }
    // Rows of 2^k equal scores: each has 2^-k of the sum, which is a threshold itself with this S.
    for (int bits = 2; bits <= 8; ++bits) {
        for (const int tau : {0, 1, 2, 4}) {
            const auto largest = tau > 0 ? std::exp2(-1 + 0.5 / tau) : ((1 << bits) - 1) * std::exp2(-bits);
            const auto form = tests::make_softmax(8, bits, tau, 15, true, ScaleMode::tensor, largest);
            wide.configure(form);
            for (int k = 0; k <= 12; ++k) {
                for (const auto beside : {-1, 0, 1}) {
                    const Row scores(static_cast<std::size_t>(std::max((1 << k) + (k > 1 && k < 12 ? beside : 0), 1)), 17);
                    tally.differences += wide.pass_rows({scores}).out[0] != oracle::softmax_row(tests::to_oracle(form), scores) ? 1 : 0;
                }
            }
        }
    }
    INFO(tally.words << " words");
    CHECK(tally.words >= 1'000'000);
    CHECK(tally.differences == 0);
}

TEST_CASE("Rows take the cycles of softmax in the datapath, in two stages, in three, and with thresholds of every row", "[rtl]") {
    tests::Random random(34);
    Bench<Softmax16> bench(kWide);
    const auto measure = [&](const quant::SoftmaxOp& form, const auto& cycles) {
        bench.configure(form);
        for (const auto& shape : shapes(509)) {
            INFO(shape.rows << " x " << shape.words);
            CHECK(bench.pass_rows(make_scores(random, form, shape)).cycles == cycles(shape));
        }
    };
    const auto cycles_of = [](const sim::SoftmaxStages& stages) {
        return [stages](const Shape& shape) { return sim::SoftmaxUnit::cycles(shape.rows, shape.words, stages, kWide.lanes, quant::Exponential::table); };
    };
    measure(tests::make_softmax(8, 4, 2, 15, true, ScaleMode::row, 1.0), cycles_of({.count = 2}));
    measure(tests::make_softmax(8, 8, 0, 15, true, ScaleMode::row, 1.0), cycles_of({.count = 3}));
    for (const int bits : {2, 4, 6, 8})
        measure(tests::make_softmax(8, bits, 0, 15, true, ScaleMode::tensor, 1.0), cycles_of({.count = 3, .threshold_cycles = std::int64_t{1} << (bits - 1)}));
}
