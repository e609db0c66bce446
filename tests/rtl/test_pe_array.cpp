// SPDX-License-Identifier: Apache-2.0
// pe_array.sv: every sum that of the oracle, occupancy and latency those of sim/mapping/pe_timing.hpp.
#include <catch2/catch.hpp>

#include <random>

#include "ArrayHybrid4.h"
#include "ArrayHybrid6.h"
#include "ArrayLog1.h"
#include "ArrayLog2.h"
#include "ArrayLog4.h"
#include "ArrayU4x4.h"
#include "ArrayU8x4.h"
#include "ArrayU8x8.h"
#include "sim/mapping/pe_timing.hpp"
#include "tests/rtl/array_bench.hpp"

using namespace prelude;
using namespace prelude::rtl;
using oracle::Word;
using oracle::Words;

namespace {

/// An array as verilated (tests/rtl/CMakeLists.txt), its codes, and the array sim/ knows.
struct Kind {
    ArrayShape shape;
    sim::ProductForm form;
    std::function<oracle::Operands(Word)> decode;
    bool left_is_coded = false;

    [[nodiscard]] sim::PeShape pe() const {
        return {.rows = shape.rows, .cols = shape.cols, .depth = shape.depth, .weight_bits = shape.right_bits, .activation_bits = shape.left_bits,
                .shift_lanes = left_is_coded ? shape.depth : 0, .drain_rows = shape.drain_rows, .precision = sim::PePrecision::fixed,
                .multiplier = sim::Multiplier::lut, .packing = {}};
    }
};

Kind uniform(ArrayShape shape) {
    return {.shape = shape,
            .form = {.left_bits = shape.left_bits, .right_bits = shape.right_bits, .left_word_bits = shape.left_bits, .left_zero_point = true, .right_zero_point = true},
            .decode = [](Word code) { return oracle::Operands{{code, 0}}; }};
}

Kind powers(ArrayShape shape, int tau) {
    const auto zero = (Word{1} << shape.left_bits) - 1;
    const oracle::Product product{.left = oracle::Product::Left::powers, .tau = tau, .largest_shift = 15, .zero_code = zero};
    shape.pad = zero;
    return {.shape = shape,
            .form = {.left_bits = shape.left_bits, .right_bits = shape.right_bits, .left_word_bits = shape.left_bits, .left_is_log = true, .log_shift = 15, .num_residues = tau,
                     .left_zero_point = false, .right_zero_point = true},
            .decode = [product](Word code) { return oracle::decode(product, code); },
            .left_is_coded = true};
}

Kind hybrid(ArrayShape shape, Word levels) {
    const oracle::HybridCode code{.log_levels = levels, .largest_shift = 15};
    shape.pad = levels;
    return {.shape = shape,
            .form = {.left_bits = shape.left_bits, .right_bits = shape.right_bits, .left_word_bits = shape.left_bits, .left_is_log = true, .has_steps = true, .log_shift = 15,
                     .left_zero_point = false, .right_zero_point = false},
            .decode = [code](Word word) { return oracle::Operands{{code.factor(0, word), 0}, {code.factor(1, word), 1}}; },
            .left_is_coded = true};
}

/// Words at the ends of their range, alternating, one hot, or anywhere.
class Adversary {
  public:
    explicit Adversary(std::uint64_t seed) : random_(seed) {}

    std::vector<Words> rows(std::int64_t count, std::int64_t depth, Word lo, Word hi) {
        std::vector<Words> rows;
        for (std::int64_t r = 0; r < count; ++r) {
            const auto form = below(6);
            const auto hot = static_cast<std::int64_t>(below(static_cast<std::uint64_t>(depth)));
            auto& row = rows.emplace_back();
            for (std::int64_t k = 0; k < depth; ++k) {
                const Word anywhere = lo + static_cast<Word>(below(static_cast<std::uint64_t>(hi - lo + 1)));
                row.push_back(form == 0 ? lo : form == 1 ? hi : form == 2 ? (k % 2 == 0 ? lo : hi) : form == 3 ? (k == hot ? hi : 0) : anywhere);
            }
        }
        return rows;
    }
    std::uint64_t below(std::uint64_t n) { return random_() % n; }

  private:
    std::mt19937_64 random_;
};

Piece piece_of(Adversary& data, const Kind& kind, std::int64_t rows, std::int64_t cols, std::int64_t depth) {
    const auto& shape = kind.shape;
    const Word top = (Word{1} << shape.left_bits) - 1, half = Word{1} << (shape.right_bits - 1);
    Piece piece;
    piece.left = data.rows(rows, depth, 0, top);
    const bool weights = data.below(2) == 0 || kind.form.has_steps;
    piece.right_is_signed = weights;
    piece.right = weights ? data.rows(cols, depth, -half, half - 1) : data.rows(cols, depth, 0, 2 * half - 1);
    if (!kind.left_is_coded) piece.left_zero = static_cast<Word>(data.below(static_cast<std::uint64_t>(top) + 1));
    if (!weights) piece.right_zero = static_cast<Word>(data.below(static_cast<std::uint64_t>(2 * half)));
    return piece;
}

template <class Module>
void check_words(const Kind& kind, std::int64_t at_least) {
    Adversary data(7);
    ArrayBench<Module> bench(kind.shape, kind.decode);
    while (bench.compared() < at_least) {
        for (int i = 0; i < 64; ++i) {
            const auto rows = 1 + static_cast<std::int64_t>(data.below(static_cast<std::uint64_t>(kind.shape.rows))), cols = 1 + static_cast<std::int64_t>(data.below(static_cast<std::uint64_t>(kind.shape.cols)));
            bench.feed(piece_of(data, kind, rows, cols, 1 + static_cast<std::int64_t>(data.below(23))));
        }
        bench.finish();
        if (bench.differences() > 0) break;
    }
    INFO(bench.compared() << " words compared");
    CHECK(bench.differences() == 0);
}

struct Job {
    std::int64_t rows, cols;
    std::vector<std::int64_t> term_ends;
};

/// What a job of several sub-tiles and terms costs in the middle of a stream of equal jobs, on average.
template <class Module>
double measured_occupancy(const Kind& kind, const Job& job) {
    constexpr std::size_t kRepeats = 25, kWarm = 12;
    Adversary data(3);
    ArrayBench<Module> bench(kind.shape, kind.decode);
    std::vector<std::int64_t> begins;
    for (std::size_t repeat = 0; repeat < kRepeats; ++repeat) {
        bool first = true;
        for (std::int64_t col = 0; col < job.cols; col += kind.shape.cols) {
            for (std::int64_t row = 0; row < job.rows; row += kind.shape.rows) {
                std::int64_t from = 0;
                for (const auto end : job.term_ends) {
                    const auto begin = bench.feed(piece_of(data, kind, std::min<std::int64_t>(kind.shape.rows, job.rows - row), std::min<std::int64_t>(kind.shape.cols, job.cols - col), end - from));
                    if (first) begins.push_back(begin);
                    first = false;
                    from = end;
                }
            }
        }
    }
    bench.finish();
    CHECK(bench.differences() == 0);
    return static_cast<double>(begins.back() - begins[kWarm]) / (kRepeats - 1 - kWarm);
}

/// The same of one block of weights that are held while all rows stream past them.
template <class Module>
double measured_held(const Kind& kind, std::int64_t rows, std::int64_t depth) {
    constexpr std::size_t kRepeats = 25, kWarm = 12;
    Adversary data(13);
    ArrayBench<Module> bench(kind.shape, kind.decode);
    std::vector<std::int64_t> begins;
    for (std::size_t repeat = 0; repeat < kRepeats; ++repeat) {
        auto piece = piece_of(data, kind, kind.shape.rows, kind.shape.cols, depth);
        begins.push_back(bench.load(piece));
        for (std::int64_t row = 0; row < rows; row += kind.shape.rows) {
            const auto other = piece_of(data, kind, std::min<std::int64_t>(kind.shape.rows, rows - row), kind.shape.cols, depth);
            piece.left = other.left, piece.left_zero = other.left_zero;
            bench.feed(piece);
        }
    }
    bench.finish();
    CHECK(bench.differences() == 0);
    return static_cast<double>(begins.back() - begins[kWarm]) / (kRepeats - 1 - kWarm);
}

template <class Module>
void check_occupancy(Kind kind, int jobs, std::uint64_t seed) {
    constexpr std::int64_t kPrimes[] = {1, 2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41};
    Adversary data(seed);
    for (int i = 0; i < jobs; ++i) {
        Job job{.rows = kPrimes[data.below(9)], .cols = kPrimes[data.below(8)], .term_ends = {}};
        const auto terms = kind.left_is_coded ? 1 : 1 + data.below(3);
        std::int64_t end = 0;
        for (std::uint64_t t = 0; t < terms; ++t) job.term_ends.push_back(end += kPrimes[data.below(std::size(kPrimes))]);
        kind.form.term_ends = job.term_ends;
        const auto measured = measured_occupancy<Module>(kind, job);
        const auto formula = static_cast<double>(sim::pe_occupancy(kind.pe(), kind.form, false, false, job.rows, job.cols, 0, end).cycles);
        INFO(job.rows << " x " << job.cols << " over " << end << " in " << terms << " terms: " << measured << " cycles, by the formula " << formula);
        CHECK(std::abs(measured - formula) <= 0.01 * formula);
    }
}

const Kind kU8x8 = uniform({.rows = 4, .cols = 4, .depth = 4, .left_bits = 8, .right_bits = 8, .num_sums = 1, .drain_rows = 2});
const Kind kU8x4 = uniform({.rows = 3, .cols = 5, .depth = 7, .left_bits = 8, .right_bits = 4, .num_sums = 1, .drain_rows = 1});
const Kind kU4x4 = uniform({.rows = 16, .cols = 16, .depth = 1, .left_bits = 4, .right_bits = 4, .num_sums = 1, .drain_rows = 4});
const Kind kLog1 = powers({.rows = 4, .cols = 4, .depth = 4, .left_bits = 4, .right_bits = 8, .num_sums = 1, .drain_rows = 2}, 1);
const Kind kLog2 = powers({.rows = 4, .cols = 3, .depth = 5, .left_bits = 5, .right_bits = 8, .num_sums = 2, .drain_rows = 2}, 2);
const Kind kLog4 = powers({.rows = 4, .cols = 4, .depth = 3, .left_bits = 6, .right_bits = 8, .num_sums = 4, .drain_rows = 4}, 4);
const Kind kHybrid4 = hybrid({.rows = 16, .cols = 4, .depth = 2, .left_bits = 4, .right_bits = 4, .num_sums = 2, .drain_rows = 2}, 8);
const Kind kHybrid6 = hybrid({.rows = 5, .cols = 3, .depth = 6, .left_bits = 6, .right_bits = 8, .num_sums = 2, .drain_rows = 2}, 16);

}  // namespace

TEST_CASE("The array sums uniform, logarithmic and hybrid words as the oracle does", "[rtl]") {
    constexpr std::int64_t kWords = 150'000;
    check_words<ArrayU8x8>(kU8x8, kWords);
    check_words<ArrayU8x4>(kU8x4, kWords);
    check_words<ArrayU4x4>(kU4x4, kWords);
    check_words<ArrayLog1>(kLog1, kWords);
    check_words<ArrayLog2>(kLog2, kWords);
    check_words<ArrayLog4>(kLog4, kWords);
    check_words<ArrayHybrid4>(kHybrid4, kWords);
    check_words<ArrayHybrid6>(kHybrid6, kWords);
}

TEST_CASE("Every pair of 4-bit words has its product, for uniform and hybrid codes", "[rtl]") {
    const auto all_pairs = [&](auto& bench, const Kind& kind, bool weights) {
        Piece piece;
        for (Word code = 0; code < 16; ++code) piece.left.push_back({code});
        for (int from = 0; from < 16; from += kind.shape.cols) {
            piece.right.clear();
            for (Word code = from; code < from + kind.shape.cols; ++code) piece.right.push_back({weights ? code - 8 : code});
            piece.right_is_signed = weights;
            bench.feed(piece);
        }
        bench.finish();
        CHECK(bench.differences() == 0);
        CHECK(bench.compared() == 256 * kind.shape.num_sums);
    };
    for (const bool weights : {true, false}) {
        ArrayBench<ArrayU4x4> bench(kU4x4.shape, kU4x4.decode);
        all_pairs(bench, kU4x4, weights);
    }
    ArrayBench<ArrayHybrid4> bench(kHybrid4.shape, kHybrid4.decode);
    all_pairs(bench, kHybrid4, true);
}

TEST_CASE("Words wider than the ports go through in parts", "[rtl]") {
    Adversary data(5);
    for (const auto& [left_parts, right_parts] : {std::pair{2, 1}, {1, 2}, {2, 2}}) {
        ArrayBench<ArrayU8x8> bench(kU8x8.shape, kU8x8.decode);
        for (int i = 0; i < 2'000; ++i) {
            const auto rows = 1 + static_cast<std::int64_t>(data.below(4)), cols = 1 + static_cast<std::int64_t>(data.below(4)), depth = 1 + static_cast<std::int64_t>(data.below(19));
            const Word top = (Word{1} << (8 * left_parts)) - 1, half = Word{1} << (8 * right_parts - 1);
            Piece piece{.left = data.rows(rows, depth, 0, top), .right = data.rows(cols, depth, -half, half - 1), .left_zero = static_cast<Word>(data.below(static_cast<std::uint64_t>(top))),
                        .left_parts = left_parts, .right_parts = right_parts};
            if (i % 2 == 1) {
                piece.right = data.rows(cols, depth, 0, 2 * half - 1);
                piece.right_is_signed = false;
                piece.right_zero = static_cast<Word>(data.below(static_cast<std::uint64_t>(2 * half)));
            }
            bench.feed(piece);
        }
        bench.finish();
        CHECK(bench.differences() == 0);
        auto kind = kU8x8;
        kind.form.left_bits *= left_parts, kind.form.right_bits *= right_parts;
        for (const std::int64_t depth : {1, 2, 3, 5, 8, 13, 29}) {
            std::vector<std::int64_t> begins;
            for (int i = 0; i < 25; ++i) {
                Piece piece{.left = data.rows(3, depth, 0, 255), .right = data.rows(4, depth, -128, 127), .left_parts = left_parts, .right_parts = right_parts};
                begins.push_back(bench.feed(piece));
            }
            bench.finish();
            const auto formula = sim::pe_occupancy(kind.pe(), kind.form, false, false, 3, 4, 0, depth).cycles;
            CHECK(begins[24] - begins[12] == 12 * formula);
        }
        CHECK(bench.differences() == 0);
    }
}

TEST_CASE("The array is taken as long as pe_occupancy says", "[rtl]") {
    check_occupancy<ArrayU8x8>(kU8x8, 40, 1);
    check_occupancy<ArrayU8x4>(kU8x4, 40, 2);
    check_occupancy<ArrayU4x4>(kU4x4, 20, 3);
    check_occupancy<ArrayLog1>(kLog1, 20, 4);
    check_occupancy<ArrayLog2>(kLog2, 20, 5);
    check_occupancy<ArrayLog4>(kLog4, 20, 6);
    check_occupancy<ArrayHybrid4>(kHybrid4, 10, 7);
    check_occupancy<ArrayHybrid6>(kHybrid6, 20, 8);
}

TEST_CASE("Held weights take the array as long as pe_occupancy says", "[rtl]") {
    const auto held = [&]<class Module>(std::type_identity<Module>, const Kind& kind) {
        for (const std::int64_t rows : {1, 2, 3, 4, 5, 7, 11, 13, 16, 17, 23, 31}) {
            for (const std::int64_t depth : {1, kind.shape.depth}) {
                const auto formula = static_cast<double>(sim::pe_occupancy(kind.pe(), kind.form, true, false, rows, kind.shape.cols, 0, depth).cycles);
                const auto measured = measured_held<Module>(kind, rows, depth);
                INFO(rows << " rows past " << depth << " positions: " << measured << " cycles, by the formula " << formula);
                CHECK(std::abs(measured - formula) <= 0.01 * formula);
            }
        }
    };
    held(std::type_identity<ArrayU8x8>{}, kU8x8);
    held(std::type_identity<ArrayU8x4>{}, kU8x4);
    held(std::type_identity<ArrayLog4>{}, kLog4);
    held(std::type_identity<ArrayHybrid6>{}, kHybrid6);
}

TEST_CASE("The first sums follow the last words by pe_latency", "[rtl]") {
    Adversary data(9);
    const auto latency = [&]<class Module>(std::type_identity<Module>, const Kind& kind) {
        ArrayBench<Module> bench(kind.shape, kind.decode);
        bench.feed(piece_of(data, kind, kind.shape.rows, kind.shape.cols, 3 * kind.shape.depth));
        bench.finish();
        CHECK(bench.latency() == sim::pe_latency(kind.pe()));
    };
    latency(std::type_identity<ArrayU8x8>{}, kU8x8);
    latency(std::type_identity<ArrayU8x4>{}, kU8x4);
    latency(std::type_identity<ArrayU4x4>{}, kU4x4);
    latency(std::type_identity<ArrayLog2>{}, kLog2);
    latency(std::type_identity<ArrayHybrid6>{}, kHybrid6);
}
