// SPDX-License-Identifier: Apache-2.0
// Layers of more rows than a block has, on several threads; attention in one go; the row kernels: equal to the definitions, zero differences.
#include <catch2/catch.hpp>

#include <omp.h>

#include "quant/arithmetic/elementwise.hpp"
#include "quant/arithmetic/rescale.hpp"
#include "quant/arithmetic/softmax.hpp"
#include "quant/engine/attention.hpp"
#include "quant/engine/relative_rows.hpp"
#include "quant/engine/row_kernels.hpp"
#include "quant/engine/softmax_rows.hpp"
#include "quant/format_plan.hpp"
#include "tests/support/node_case.hpp"
#include "tests/support/softmax_forms.hpp"

using namespace prelude;
using namespace prelude::tests;
using quant::OperandKind;
using quant::ScaleMode;

namespace {

/// Several OpenMP threads, whatever the tests run with.
class Threads {
  public:
    explicit Threads(int count) : before_(omp_get_max_threads()) { omp_set_num_threads(count); }
    Threads(const Threads&) = delete;
    Threads& operator=(const Threads&) = delete;
    ~Threads() { omp_set_num_threads(before_); }

  private:
    int before_;
};

quant::Product make_product(Random& random, int left_bits, int right_bits, std::int64_t depth, bool transposed, int word_bits) {
    quant::Product form{.transpose_right = transposed, .left_bits = left_bits, .right_bits = right_bits, .terms = {quant::Term{}}};
    form.left_zero_point = static_cast<std::int32_t>(random.in(0, (1 << left_bits) - 1));
    form.right_zero_point = static_cast<std::int32_t>(random.in(0, (1 << right_bits) - 1));
    form.product_bits = form.accumulator_bits = quant::product_width(left_bits, right_bits, false, depth, 0);
    const auto top = (std::int32_t{1} << (word_bits - 1)) - 1;
    form.rescale = make_rescale(random, 1, form.accumulator_bits - 3, -top - 1, top, std::max(0, form.accumulator_bits - 32), Scaling::ordinary);
    return form;
}

quant::RelativePositionOp make_relative(Random& random, std::int64_t height, std::int64_t width, std::int64_t depth, int q_bits, int table_bits) {
    const auto top = (1 << (table_bits - 1)) - 1;
    quant::RelativePositionOp form{.height = height, .width = width, .head_dim = depth, .q_zero_point = static_cast<std::int32_t>(random.in(0, (1 << q_bits) - 1)),
                                   .q_bits = q_bits, .table_bits = table_bits};
    form.table_height = words(random, Pattern::random, (2 * height - 1) * depth, -top, top);
    form.table_width = words(random, Pattern::spike, (2 * width - 1) * depth, -top, top);
    constexpr auto kLo = std::numeric_limits<std::int32_t>::min(), kHi = std::numeric_limits<std::int32_t>::max();
    form.rescale_height = make_rescale(random, 1, 12, kLo, kHi, 0, Scaling::ordinary);
    form.rescale_width = make_rescale(random, 1, 12, kLo, kHi, 0, Scaling::ties);
    return form;
}

}  // namespace

TEST_CASE("contractions of many blocks of rows on three threads equal the oracle", "[equality][mutation]") {
    const Threads threads(3);
    Random random(401);
    for (const auto& [activation_bits, weight_bits, groups] : {std::tuple{4, 4, 1}, {8, 8, 1}, {4, 4, 4}, {8, 3, 3}, {16, 8, 2}}) {
        for (const std::int64_t outputs : {1, 37}) {
            constexpr std::int64_t kDepth = 29, kRows = 301;
            quant::Contraction form{.num_outputs = outputs, .depth = kDepth, .weight_bits = weight_bits, .weight_symmetric = false};
            const auto span = (1 << weight_bits) - 1;
            for (std::int64_t o = 0; o < outputs; ++o) {  // asymmetric: all of one sign, of the other, and between; 8 bits leave the byte
                const auto zero = o % 3 == 0 ? 0 : o % 3 == 1 ? span : random.in(0, span);
                for (auto word : words(random, Pattern::random, kDepth, -zero, span - zero)) form.weights.push_back(word);
            }
            for (int t = 0; t < groups; ++t) {
                form.terms.push_back({.multiplier = static_cast<std::uint32_t>(groups == 1 ? 1 : random.in(1, 65535)), .exponent = t % 2,
                                      .zero_point = static_cast<std::int32_t>(random.in(0, (1 << activation_bits) - 1))});
            }
            form.terms[0].exponent = 0;
            for (std::int64_t k = 0; groups > 1 && k < kDepth; ++k) form.term_of.push_back(static_cast<std::int32_t>(random.in(0, groups - 1)));
            form.product_bits = quant::product_width(activation_bits, weight_bits, false, kDepth, 0);
            form.accumulator_bits = form.product_bits + (groups > 1 ? 17 : 0);
            form.rescale = make_rescale(random, outputs, form.accumulator_bits - 3, 0, 255, std::max(0, form.accumulator_bits - 32), Scaling::ordinary);
            INFO("A" << activation_bits << " W" << weight_bits << " groups " << groups << " outputs " << outputs);
            (void)check_node({models::Linear{.in_features = kDepth, .out_features = outputs}, form,
                              {tensor(random, Pattern::random, {1, kRows, kDepth}, 0, (1 << activation_bits) - 1)}, {}});
        }
    }
}

TEST_CASE("an attention in one go equals its operations one after the other, for every code of probabilities", "[equality][mutation]") {
    Random random(402);
    constexpr std::int64_t kHeight = 15, kWidth = 11, kTokens = kHeight * kWidth, kDepth = 9, kBatch = 2;
    for (const int num_threads : {1, 3}) {
        const Threads threads(num_threads);
        for (const auto& [bits, tau, scale] : {std::tuple{4, 0, ScaleMode::row}, {8, 0, ScaleMode::tensor}, {3, 0, ScaleMode::one}, {16, 0, ScaleMode::row},
                                               {4, 2, ScaleMode::row}, {5, 4, ScaleMode::tensor}, {4, 1, ScaleMode::tensor}}) {
            for (const bool with_positions : {false, true}) {
                const auto scores = make_product(random, 4, 6, kDepth, true, 16);
                const auto relative = make_relative(random, kHeight, kWidth, kDepth, 4, 8);
                const auto softmax = make_softmax(8, bits, tau, 15, tau > 0, scale, 0.05);
                auto values = make_product(random, softmax.bits, 5, kTokens, false, 8);
                values.left_zero_point = 0;
                if (tau > 0) {
                    const int cap = (softmax.num_levels - 1) / tau;
                    values.code = {.kind = OperandKind::logarithmic, .bits = softmax.bits, .tau = tau, .shift_cap = cap, .zero_code = softmax.zero_code};
                    values.terms.clear();
                    for (auto m : oracle::residue_constants(tau)) values.terms.push_back({.multiplier = static_cast<std::uint32_t>(m)});
                }
                values.row_normalised = scale == ScaleMode::row && bits <= 8;
                values.normalised_fraction = values.row_normalised ? 20 : 0;
                const auto queries = tensor(random, Pattern::random, {kBatch, kTokens, kDepth}, 0, 15), keys = tensor(random, Pattern::random, {kBatch, kTokens, kDepth}, 0, 63),
                           value = tensor(random, Pattern::random, {kBatch, kTokens, kDepth}, 0, 31);

                models::Graph graph;
                const auto q = graph.add_input("q", queries.shape(), 2), k = graph.add_input("k", keys.shape(), 2), v = graph.add_input("v", value.shape(), 2);
                auto last = graph.add("qk", models::Part::encoder, 0, models::MatMul{.transpose_right = true}, {q, k});
                quant::QuantizedGraph quantized;
                quantized.operations.emplace("qk", scores);
                if (with_positions) {
                    last = graph.add("relative", models::Part::encoder, 0, models::RelativePosition{.height = kHeight, .width = kWidth, .head_dim = kDepth}, {last, q});
                    quantized.operations.emplace("relative", relative);
                }
                last = graph.add("softmax", models::Part::encoder, 0, models::Softmax{}, {last});
                quantized.operations.emplace("softmax", softmax);
                last = graph.add("pv", models::Part::encoder, 0, models::MatMul{}, {last, v});
                quantized.operations.emplace("pv", values);

                const quant::Words given{{q, queries}, {k, keys}, {v, value}};
                const quant::Engine fast(graph, quantized), slow(graph, quantized, quant::ProductPath::exact);
                const auto together = fast.run(given, std::vector{last}).at(last);
                const auto apart = fast.run(given, std::vector{last}, [](const models::Graph&, models::ValueId, models::IntTensor&) {}).at(last);
                const auto exact = slow.run(given, std::vector{last}).at(last);
                INFO("probabilities of " << softmax.bits << " bits, tau " << tau << ", scale " << static_cast<int>(scale) << (with_positions ? ", positions" : "") << ", "
                                         << num_threads << " threads");
                CHECK(together == apart);
                CHECK(together == exact);
                const quant::AttentionForms forms{scores, with_positions ? &relative : nullptr, softmax, values};
                CHECK(quant::run_attention(forms, {queries, keys, with_positions ? &queries : nullptr, value}).has_value() == quant::fast_products_are_exact());
            }
        }
    }
}

TEST_CASE("softmax by tables of distances gives the codes of the row function, whatever the scores", "[property][mutation]") {
    Random random(403);
    for (int round = 0; round < 400; ++round) {
        const int tau = random.of<int>({0, 0, 1, 2, 4}), bits = tau == 0 ? random.of<int>({2, 3, 4, 6, 8, 12}) : static_cast<int>(random.in(2, 7));
        const auto form = make_softmax(static_cast<int>(random.in(0, 13)), bits, tau, static_cast<int>(random.in(1, 20)), random.one_in(2),
                                       random.of<ScaleMode>({ScaleMode::row, ScaleMode::tensor, ScaleMode::one}), 0.001 + random.real());
        const auto limit = std::int64_t{1} << random.in(2, 19);
        const auto scores = words(random, random.of(kPatterns), random.in(1, 300), -limit, limit - 1);
        std::vector<std::int32_t> expected(scores.size()), codes(scores.size());
        quant::softmax_row(form, scores, expected);
        quant::SoftmaxRows(form).run(scores, codes.data());
        INFO("round " << round << " F " << form.score_fraction << " bits " << form.bits << " tau " << tau << " scale " << static_cast<int>(form.scale));
        REQUIRE(codes == expected);
    }
}

TEST_CASE("relative positions by matrix products equal the definition, narrow and wide tables", "[property][mutation]") {
    Random random(404);
    for (const int q_bits : {3, 8, 12}) {
        for (const int table_bits : {5, 8, 12}) {
            constexpr std::int64_t kHeight = 5, kWidth = 7, kDepth = 11, kBlock = 6;
            const auto form = make_relative(random, kHeight, kWidth, kDepth, q_bits, table_bits);
            const auto queries = words(random, Pattern::random, kHeight * kWidth * kDepth, 0, (1 << q_bits) - 1);
            const auto scores = words(random, Pattern::random, kHeight * kWidth * kHeight * kWidth, -32768, 32767);
            auto got = scores, expected = scores;
            const quant::RelativeRows rows(form, kBlock);
            std::vector<std::int64_t> down(kHeight), across(kWidth);
            for (std::int64_t token = 0; token < kHeight * kWidth; ++token) {
                quant::relative_position_terms(form, std::span(queries).subspan(static_cast<std::size_t>(token * kDepth), kDepth), token / kWidth, token % kWidth, down, across);
                for (std::int64_t key = 0; key < kHeight * kWidth; ++key) {
                    auto& score = expected[static_cast<std::size_t>(token * kHeight * kWidth + key)];
                    const auto sum = score + down[static_cast<std::size_t>(key / kWidth)] + across[static_cast<std::size_t>(key % kWidth)];
                    score = static_cast<std::int32_t>(quant::saturate(sum, quant::signed_min(form.score_bits), quant::signed_max(form.score_bits)));
                }
            }
            for (std::int64_t first = 0; first < kHeight * kWidth; first += kBlock) {
                const auto count = std::min(kBlock, kHeight * kWidth - first);
                rows.run(std::span(queries).subspan(static_cast<std::size_t>(first * kDepth), static_cast<std::size_t>(count * kDepth)), first, count,
                         got.data() + first * kHeight * kWidth);
            }
            INFO("queries " << q_bits << " bits, tables " << table_bits << " bits");
            CHECK(got == expected);
        }
    }
}

TEST_CASE("relative terms beyond 30 bits add up exactly", "[property]") {
    const std::vector<std::int64_t> down{std::int64_t{1} << 40, -(std::int64_t{1} << 40)}, across{-(std::int64_t{1} << 40), 5 - (std::int64_t{1} << 40), 7};
    std::vector<std::int32_t> scores{1, 2, 3, 4, 5, 6};
    quant::add_relative_terms(scores.data(), down, across, 16);
    CHECK(scores == std::vector<std::int32_t>{1, 7, 32767, -32768, -32768, -32768});
}

TEST_CASE("rows are rescaled as single words are, with and without an operand shift", "[property][mutation]") {
    Random random(405);
    for (const auto scaling : {Scaling::ordinary, Scaling::ties, Scaling::saturating, Scaling::denormal}) {
        for (const int operand_shift : {0, 1, 9}) {
            constexpr std::size_t kEntries = 13, kRepeat = 4;
            const auto form = make_rescale(random, kEntries, 24, -128, 127, operand_shift, scaling);
            std::vector<std::int64_t> acc;
            for (auto word : words(random, Pattern::random, kEntries * kRepeat, -(1 << 23), (1 << 23) - 1)) acc.push_back(word);
            std::vector<std::int32_t> each(acc.size()), all(acc.size());
            quant::RowRescale(form, acc.size()).by_channel(acc, each.data());
            quant::RowRescale(form, acc.size()).uniform(acc, all.data());
            for (std::size_t i = 0; i < acc.size(); ++i) {
                CHECK(each[i] == quant::rescale(form, i / kRepeat, acc[i]));
                CHECK(all[i] == quant::rescale(form, 0, acc[i]));
            }
        }
    }
}
