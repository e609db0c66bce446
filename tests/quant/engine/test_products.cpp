// SPDX-License-Identifier: Apache-2.0
// Products of two computed operands: engine == oracle == row functions, zero differences.
#include <catch2/catch.hpp>

#include "quant/arithmetic/dot.hpp"
#include "quant/arithmetic/rescale.hpp"
#include "quant/format_plan.hpp"
#include "tests/support/node_case.hpp"
#include "tests/support/oracle/constants.hpp"

using namespace prelude;
using namespace prelude::tests;
using quant::AccumulatorOverflow;

namespace {

struct LogCode {
    int bits = 4, tau = 2, cap = 15;
    bool zero = true;
};

quant::Product make_product(Random& random, int left_bits, int right_bits, std::int64_t depth, bool transposed, Scaling scaling) {
    quant::Product form{.transpose_right = transposed, .left_bits = left_bits, .right_bits = right_bits, .terms = {quant::Term{}}};
    form.left_zero_point = static_cast<std::int32_t>(random.in(0, (1 << left_bits) - 1));
    form.right_zero_point = static_cast<std::int32_t>(random.in(0, (1 << right_bits) - 1));
    form.product_bits = form.accumulator_bits = quant::product_width(left_bits, right_bits, false, depth, 0);
    const int operand_shift = std::max(scaling == Scaling::ties ? static_cast<int>(random.in(0, 3)) : 0, form.accumulator_bits - 32);
    form.rescale = make_rescale(random, 1, form.accumulator_bits - 3, 0, (1 << random.in(2, 8)) - 1, operand_shift, scaling);
    return form;
}

/// Turns a product into one with probabilities on its left.
void use_probabilities(quant::Product& form, std::int64_t depth, const LogCode* log, bool row_scale) {
    form.left_zero_point = 0;
    int accumulator = quant::product_width(form.left_bits, form.right_bits, false, depth, 0);
    if (log) {
        form.left_bits = log->bits;
        form.code = {.kind = quant::OperandKind::logarithmic,
                     .bits = log->bits,
                     .tau = log->tau,
                     .shift_cap = static_cast<int>((oracle::log_levels(log->bits, log->tau, log->cap, log->zero) - 1) / log->tau),
                     .zero_code = log->zero ? (1 << log->bits) - 1 : -1};
        form.terms.clear();
        for (auto m : oracle::residue_constants(log->tau)) form.terms.push_back({.multiplier = static_cast<std::uint32_t>(m)});
        accumulator = quant::product_width(0, form.right_bits, false, depth, form.code.shift_cap) + (log->tau > 1 ? 16 : 0);
    }
    form.product_bits = form.accumulator_bits = accumulator;
    form.rescale.operand_shift = std::max(form.rescale.operand_shift, accumulator - 32);
    form.row_normalised = row_scale;
    form.normalised_fraction = row_scale ? std::min(20, 29 - form.right_bits) : 0;
    // words spread over the output: a row-normalised operand is right-operand sized, another as wide as the sum
    const int sum_bits = row_scale ? form.right_bits + form.normalised_fraction : accumulator - form.rescale.operand_shift;
    int range_bits = 0;
    while ((form.rescale.hi - form.rescale.lo) >> range_bits) ++range_bits;
    form.rescale.shift[0] = std::clamp(16 + sum_bits - 1 - range_bits, 1, 40);
    form.rescale.offset[0] = 0;
}

/// Codes that occur: levels below L, and the zero code.
models::IntTensor probabilities(Random& random, Pattern pattern, models::Shape shape, const quant::Product& form, const LogCode* log) {
    if (!log) return tensor(random, pattern, std::move(shape), 0, (1 << form.left_bits) - 1);
    const auto levels = oracle::log_levels(log->bits, log->tau, log->cap, log->zero);
    auto codes = tensor(random, pattern, std::move(shape), 0, log->zero ? levels : levels - 1);
    for (auto& code : codes.values()) {
        if (code == levels) code = form.code.zero_code;
    }
    return codes;
}

void check(const quant::Product& form, const models::IntTensor& left, std::int64_t outputs, Pattern pattern, Random& random) {
    const auto batch = left.shape()[0], depth = left.shape()[2], m = left.shape()[1];
    const models::Shape shape = form.transpose_right ? models::Shape{batch, outputs, depth} : models::Shape{batch, depth, outputs};
    const auto right = tensor(random, pattern, shape, 0, (std::int64_t{1} << form.right_bits) - 1);
    const auto out = check_node({models::MatMul{.transpose_right = form.transpose_right}, form, {left, right}, {}});
    // One output at a time, cut anywhere.
    for (std::int64_t row = 0; row < batch * m; ++row) {
        const auto divisor = quant::reciprocal(quant::row_sum(form, left.row(row)));
        for (std::int64_t n = 0; n < outputs; ++n) {
            quant::ProductAccumulator sums;
            const auto cut = random.in(0, depth);
            const auto* begin = right.data() + row / m * outputs * depth + (form.transpose_right ? n * depth : n);
            quant::accumulate(form, left.row(row), begin, form.transpose_right ? 1 : outputs, 0, cut, sums);
            quant::accumulate(form, left.row(row), begin, form.transpose_right ? 1 : outputs, cut, depth, sums);
            REQUIRE(quant::finish(form, quant::combine(form, sums), divisor) == out[static_cast<std::size_t>(row * outputs + n)]);
        }
    }
}

}  // namespace

TEST_CASE("products of two code operands of any width equal the oracle, all cross terms included", "[equality][mutation]") {
    Random random(201);
    for (const int left : {2, 3, 5, 7, 8, 16}) {
        for (const int right : {2, 4, 6, 8, 16}) {
            for (const auto pattern : kPatterns) {
                const bool transposed = random.one_in(2);
                const auto scaling = random.of<Scaling>({Scaling::ordinary, Scaling::ties, Scaling::saturating, Scaling::denormal});
                const auto depth = random.of<std::int64_t>({13, 31});
                const auto form = make_product(random, left, right, depth, transposed, scaling);
                INFO("left " << left << " right " << right << " bits, operands " << name(pattern) << ", depth " << depth << (transposed ? ", transposed" : ""));
                check(form, tensor(random, pattern, {3, 5, depth}, 0, (1 << left) - 1), 7, random.of(kPatterns), random);
            }
        }
    }
}

TEST_CASE("products with uniform probabilities equal the oracle, row-normalised or not", "[equality][mutation]") {
    Random random(202);
    for (const int bits : {2, 3, 4, 6, 8}) {
        for (const bool row_scale : {true, false}) {
            for (const auto pattern : kPatterns) {
                for (const int right : {3, 8, 16}) {
                    auto form = make_product(random, bits, right, 29, false, Scaling::ordinary);
                    use_probabilities(form, 29, nullptr, row_scale);
                    INFO("probabilities " << bits << ", right " << right << " bits, operands " << name(pattern) << (row_scale ? ", row scale" : ""));
                    check(form, probabilities(random, pattern, {2, 5, 29}, form, nullptr), 7, random.of(kPatterns), random);
                }
            }
        }
    }
}

TEST_CASE("products with log probabilities equal the oracle for every width, base, cap, zero code and scale", "[equality][mutation]") {
    Random random(203);
    for (const int tau : {1, 2, 4}) {
        for (const int cap : {1, 7, 15, 20}) {
            for (int bits = 2; bits <= std::min(8, oracle::useful_bits(tau, cap)); ++bits) {
                for (const bool zero : {true, false}) {
                    for (const bool row_scale : {true, false}) {
                        const LogCode log{bits, tau, cap, zero};
                        auto form = make_product(random, bits, random.of<int>({2, 5, 8}), 23, random.one_in(2), Scaling::ordinary);
                        use_probabilities(form, 23, &log, row_scale);
                        const auto pattern = random.of(kPatterns);
                        INFO("tau " << tau << " cap " << cap << " bits " << bits << (zero ? " zero code" : " saturating") << (row_scale ? " row scale" : "")
                                    << ", operands " << name(pattern));
                        check(form, probabilities(random, pattern, {2, 5, 23}, form, &log), 5, random.of(kPatterns), random);
                    }
                }
            }
        }
    }
}

TEST_CASE("products with companded probabilities equal the oracle in every form, width and scale", "[equality][mutation]") {
    Random random(207);
    using quant::OperandKind;
    for (const auto kind : {OperandKind::companded, OperandKind::table, OperandKind::bucket}) {
        for (const int tau : {1, 2, 4}) {
            if (kind != OperandKind::companded && tau > 1) continue;
            const int widest = kind == OperandKind::table ? 8 : kind == OperandKind::bucket ? 5 : tau == 4 ? 6 : tau == 2 ? 5 : 4;
            for (int bits = 2; bits <= widest; ++bits) {
                for (const bool row_scale : {true, false}) {
                    for (const bool narrow : {false, true}) {
                        auto form = make_product(random, bits, random.of<int>({2, 5, 8}), 23, random.one_in(2), Scaling::ordinary);
                        quant::Format left{.kind = quant::FormatKind::probability, .bits = bits, .code = kind, .tau = kind == OperandKind::companded ? tau : 0,
                                           .shift_cap = ((1 << bits) - 1) / tau, .entry_bits = bits + 4};
                        quant::ContractionPlan plan{.depth = 23};
                        quant::plan_product(left, {.kind = quant::FormatKind::code, .bits = form.right_bits}, 16, plan);
                        form.code = {.kind = kind, .bits = bits, .tau = tau, .shift_cap = left.shift_cap};
                        form.left_zero_point = 0;
                        form.terms.clear();
                        for (int t = 0; t < form.code.num_terms(); ++t) {
                            const bool constants = kind == OperandKind::bucket || (kind == OperandKind::companded && tau > 1);
                            form.terms.push_back({.multiplier = static_cast<std::uint32_t>(!constants ? 1 : random.in(1, (1 << (kind == OperandKind::bucket ? bits + 4 : 16)) - 1))});
                        }
                        if (kind == OperandKind::companded) std::ranges::sort(form.terms, {}, &quant::Term::multiplier);  // powers are more than the one they lose
                        if (kind == OperandKind::table) {
                            for (int code = 0; code < 1 << bits; ++code) form.code.factors.push_back(static_cast<std::int32_t>(random.in(0, (1 << (bits + 4)) - 1)));
                        }
                        form.product_bits = plan.product_bits, form.accumulator_bits = plan.accumulator_bits;
                        form.rescale.operand_shift = std::max(0, plan.accumulator_bits - 32);
                        form.row_normalised = row_scale;
                        form.normalised_fraction = row_scale ? std::min(20, 29 - form.right_bits) : 0;
                        if (narrow) form.accumulator = {random.of<AccumulatorOverflow>({AccumulatorOverflow::wrap, AccumulatorOverflow::saturate}), 9, 5};
                        const auto pattern = random.of(kPatterns);
                        INFO("kind " << static_cast<int>(kind) << " tau " << tau << " bits " << bits << (row_scale ? " row scale" : "") << (narrow ? " narrow" : "")
                                     << ", operands " << name(pattern));
                        check(form, tensor(random, pattern, {2, 5, 23}, 0, (1 << bits) - 1), 5, random.of(kPatterns), random);
                    }
                }
            }
        }
    }
}

TEST_CASE("a bucket per code gives the words of the table of its constants", "[property]") {
    Random random(208);
    for (int bits = 2; bits <= 5; ++bits) {
        auto table = make_product(random, bits, 8, 31, false, Scaling::ordinary);
        table.left_zero_point = 0;
        table.code = {.kind = quant::OperandKind::table, .bits = bits, .factors = {0}};
        auto bucket = table;
        bucket.code = {.kind = quant::OperandKind::bucket, .bits = bits};
        bucket.terms.clear();
        for (int code = 1; code < 1 << bits; ++code) {
            const auto factor = random.in(1, 4095);
            table.code.factors.push_back(static_cast<std::int32_t>(factor));
            bucket.terms.push_back({.multiplier = static_cast<std::uint32_t>(factor)});
        }
        const auto left = tensor(random, Pattern::random, {2, 3, 31}, 0, (1 << bits) - 1), right = tensor(random, Pattern::random, {2, 31, 5}, 0, 255);
        CHECK(check_node({models::MatMul{}, table, {left, right}, {}}).values().size() == 30);
        CHECK(std::ranges::equal(check_node({models::MatMul{}, table, {left, right}, {}}).values(), check_node({models::MatMul{}, bucket, {left, right}, {}}).values()));
    }
}

TEST_CASE("rows of 4096 keys at the widest log code, all in one level, equal the oracle", "[equality]") {
    Random random(204);
    for (const int tau : {1, 2, 4}) {
        const LogCode log{oracle::useful_bits(tau, 15), tau, 15, true};
        for (const auto pattern : {Pattern::lowest, Pattern::highest, Pattern::spike, Pattern::alternating}) {
            auto form = make_product(random, log.bits, 8, 4096, false, Scaling::ordinary);
            form.right_zero_point = pattern == Pattern::lowest ? 0 : 255;
            use_probabilities(form, 4096, &log, true);
            INFO("tau " << tau << " bits " << log.bits << ", operands " << name(pattern));
            check(form, probabilities(random, pattern, {1, 2, 4096}, form, &log), 3, pattern == Pattern::lowest ? Pattern::highest : Pattern::lowest, random);
        }
    }
}

TEST_CASE("a narrow accumulator narrows all residues of a log product after every chunk, as the oracle does", "[equality][mutation]") {
    Random random(205);
    for (const auto overflow : {AccumulatorOverflow::wrap, AccumulatorOverflow::saturate}) {
        for (const int accumulator_bits : {10, 14, 18}) {
            for (const int chunk : {1, 5, 64}) {
                for (const int tau : {0, 1, 2, 4}) {
                    const LogCode log{4, tau, 15, true};
                    auto form = make_product(random, 4, 8, 29, random.one_in(2), Scaling::ordinary);
                    if (tau > 0) use_probabilities(form, 29, &log, random.one_in(2));
                    form.accumulator = {overflow, accumulator_bits, chunk};
                    INFO("tau " << tau << " accumulator " << accumulator_bits << " chunk " << chunk);
                    check(form, tau > 0 ? probabilities(random, Pattern::random, {2, 3, 29}, form, &log) : tensor(random, Pattern::random, {2, 3, 29}, 0, 15), 5,
                          Pattern::random, random);
                }
            }
        }
    }
}

TEST_CASE("a row whose probabilities are all zero gives the code of the real 0", "[property]") {
    Random random(206);
    const LogCode log{4, 2, 15, true};
    auto form = make_product(random, 4, 8, 13, false, Scaling::ordinary);
    use_probabilities(form, 13, &log, true);
    form.rescale.lo = 0, form.rescale.hi = 255, form.rescale.zero_point = {77};
    const models::IntTensor left(models::Shape{1, 1, 13}, std::vector<std::int32_t>(13, form.code.zero_code));
    const auto out = check_node({models::MatMul{}, form, {left, tensor(random, Pattern::random, {1, 13, 5}, 0, 255)}, {}});
    for (auto word : out.values()) CHECK(word == 77);
}
