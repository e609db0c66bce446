// SPDX-License-Identifier: Apache-2.0
// What a diagnosis names is what was done to the words, and what it cannot explain it calls unknown. Faults are made here by arithmetic of the test's own.
#include <catch2/catch.hpp>
#include <cmath>
#include <numeric>

#include "experiments/diagnosis/diagnosis.hpp"
#include "experiments/diagnosis/rounding.hpp"
#include "experiments/handoff/tensors.hpp"
#include "tests/support/tiny_model.hpp"

using namespace prelude;
using namespace prelude::experiments;

namespace {

using Words = std::vector<std::int64_t>;

models::SamConfig minute() {
    models::SamConfig config;
    config.image_size = 32, config.patch_size = 8, config.width = 8, config.mlp_width = 12, config.depth = 2, config.num_heads = 2,
    config.window_size = 3;
    config.global_blocks = {1}, config.prompt_width = 16, config.mask_in_channels = 4, config.decoder_depth = 1, config.decoder_heads = 2;
    config.decoder_mlp_width = 10, config.iou_head_width = 6;
    return config;
}

/// A small network with all its words, and dumps that a test may spoil.
class Bench {
  public:
    explicit Bench(const quant::Settings& settings, std::uint64_t seed = 21)
        : model_(tests::random_model(minute(), seed)), quantized_(model_.quantize(settings)) {
        const quant::Engine engine(model_.graph, quantized_);
        const std::vector wanted{model_.id(models::sam_values::kMasks)};
        (void)engine.run(model_.words, wanted, [&](const models::Graph& graph, models::ValueId id, models::IntTensor& words) {
            golden_[graph.value(id).name] = Words(words.values().begin(), words.values().end());
            values_[graph.value(id).name] = id;
        });
    }

    [[nodiscard]] const quant::QuantizedGraph& quantized() const { return quantized_; }
    [[nodiscard]] const models::Graph& graph() const { return model_.graph; }
    [[nodiscard]] const Words& golden(const std::string& name) const { return golden_.at(name); }
    [[nodiscard]] TensorDescription description(const std::string& value) const {
        return describe_value(model_.graph, quantized_, values_.at(value), TensorRole::output);
    }
    /// Names of all values that nodes compute.
    [[nodiscard]] std::vector<std::string> computed() const {
        std::vector<std::string> names;
        for (const auto& node : model_.graph.nodes())
            if (golden_.contains(model_.graph.value(node.output).name) && !node.inputs.empty())
                names.push_back(model_.graph.value(node.output).name);
        return names;
    }

    /// The diagnosis of a tensor whose dump holds these words; everything else was dumped as it should be.
    [[nodiscard]] Diagnosis diagnose(const std::string& name, const Words& actual, const std::map<std::string, Words>& others = {}) const {
        const DiagnosisContext context{.part = &model_.graph,
                                       .quantized = &quantized_,
                                       .golden = [&](const std::string& tensor) -> std::optional<Words> {
                                           const auto found = golden_.find(tensor);
                                           return found == golden_.end() ? std::nullopt : std::optional(found->second);
                                       },
                                       .actual = [&](const std::string& tensor) -> std::optional<Words> {
                                           if (tensor == name) return actual;
                                           if (const auto other = others.find(tensor); other != others.end()) return other->second;
                                           const auto found = golden_.find(tensor);
                                           return found == golden_.end() ? std::nullopt : std::optional(found->second);
                                       }};
        return experiments::diagnose(context, description(name));
    }

  private:
    tests::CalibratedModel model_;
    quant::QuantizedGraph quantized_;
    std::map<std::string, Words> golden_;
    std::map<std::string, models::ValueId> values_;
};

quant::Settings four_bits() {
    quant::Settings settings;
    settings.weight_bits = settings.activation_bits = 4;
    settings.groups = 3;
    return settings;
}

constexpr const char *kLin1 = "encoder.block0.lin1", *kLin1Out = "encoder.block0.lin1.out";

/// lin1 by a plain loop, its parts handed in.
template <class Finish>
Words linear(const Bench& bench, const Finish& finish) {
    const auto& form = std::get<quant::Contraction>(bench.quantized().operation(kLin1));
    const auto& node = bench.graph().node(*bench.graph().find_node(kLin1));
    const auto& input = bench.golden(bench.graph().value(node.inputs[0]).name);
    const auto k = static_cast<std::size_t>(form.depth), n = static_cast<std::size_t>(form.num_outputs);
    Words result;
    for (std::size_t row = 0; row < input.size() / k; ++row) {
        for (std::size_t o = 0; o < n; ++o) {
            std::vector<std::int64_t> sums(form.terms.size(), 0);
            for (std::size_t i = 0; i < k; ++i) {
                const auto term = form.term_of.empty() ? 0 : static_cast<std::size_t>(form.term_of[i]);
                sums[term] += (input[row * k + i] - form.terms[term].zero_point) * form.weights[o * k + i];
            }
            std::int64_t acc = 0;
            for (std::size_t t = 0; t < sums.size(); ++t)
                acc += sums[t] * form.terms[t].multiplier * (std::int64_t{1} << form.terms[t].exponent);
            result.push_back(finish(form.rescale, o, acc));
        }
    }
    return result;
}

/// v / 2^shift in long double, exact for these words, and a rounding of it.
template <class Round>
std::int64_t divided(std::int64_t v, int shift, const Round& round) {
    return static_cast<std::int64_t>(round(std::ldexp(static_cast<long double>(v), -shift)));
}

long double half_even(long double v) {
    return std::nearbyint(v);
}

template <class Round>
Words rounded_by(const Bench& bench, const Round& round) {
    return linear(bench, [&](const quant::Rescale& form, std::size_t o, std::int64_t acc) {
        const auto p = divided(acc, form.operand_shift, half_even);
        const auto y = divided(form.multiplier[o] * p + form.offset[o], form.shift[o], round);
        return std::clamp<std::int64_t>(form.zero_point[o] + y, form.lo, form.hi);
    });
}

Cause cause_of(const Diagnosis& diagnosis) {
    INFO(diagnosis.text());
    REQUIRE(diagnosis.cause().has_value());
    return *diagnosis.cause();
}

}  // namespace

TEST_CASE("Modes of rounding are what HLS C++ says they are") {
    for (const int shift : {1, 2, 3}) {
        for (std::int64_t v = -70; v <= 70; ++v) {
            const auto x = std::ldexp(static_cast<long double>(v), -shift);
            INFO(v << " 2^-" << shift);
            CHECK(shifted(v, shift, QuantizationMode::trn) == static_cast<std::int64_t>(std::floor(x)));
            CHECK(shifted(v, shift, QuantizationMode::trn_zero) == static_cast<std::int64_t>(std::trunc(x)));
            CHECK(shifted(v, shift, QuantizationMode::rnd) == static_cast<std::int64_t>(std::floor(x + 0.5L)));
            CHECK(shifted(v, shift, QuantizationMode::rnd_min_inf) == static_cast<std::int64_t>(std::ceil(x - 0.5L)));
            CHECK(shifted(v, shift, QuantizationMode::rnd_inf) == static_cast<std::int64_t>(std::round(x)));
            CHECK(shifted(v, shift, QuantizationMode::rnd_zero) ==
                  static_cast<std::int64_t>(x < 0 ? std::floor(x + 0.5L) : std::ceil(x - 0.5L)));
            CHECK(shifted(v, shift, QuantizationMode::rnd_conv) == static_cast<std::int64_t>(std::nearbyint(x)));
        }
    }
    CHECK(shifted(3, -2, QuantizationMode::trn) == 12);
}

TEST_CASE("Faults of a linear layer's rescale are named by what they are") {
    const Bench bench(four_bits());
    REQUIRE(rounded_by(bench, half_even) == bench.golden(kLin1Out));  // the test's own loop is right
    CHECK(cause_of(bench.diagnose(kLin1Out, rounded_by(bench, [](long double v) { return std::floor(v); }))) == Cause::truncation);
    CHECK(cause_of(bench.diagnose(kLin1Out, rounded_by(bench, [](long double v) { return std::trunc(v); }))) == Cause::truncation);
    const auto variant = [&](const auto& finish) {
        return bench.diagnose(kLin1Out, linear(bench, [&](const quant::Rescale& form, std::size_t o, std::int64_t acc) {
                                  return finish(form, o, divided(acc, form.operand_shift, half_even));
                              }));
    };
    const auto right = [](const quant::Rescale& form, std::size_t o, std::int64_t p) {
        return divided(form.multiplier[o] * p + form.offset[o], form.shift[o], half_even);
    };
    const auto limit = [](const quant::Rescale& form, std::int64_t v) { return std::clamp<std::int64_t>(v, form.lo, form.hi); };
    CHECK(cause_of(variant([&](const auto& form, std::size_t o, std::int64_t p) {
              return limit(form, form.zero_point[o] + divided(form.multiplier[o] * p + form.offset[o], form.shift[o] - 1, half_even));
          })) == Cause::shift);
    CHECK(cause_of(variant([&](const auto& form, std::size_t o, std::int64_t p) {
              return limit(form, form.zero_point[o] + divided(form.multiplier[o] * p, form.shift[o], half_even));
          })) == Cause::bias);
    CHECK(cause_of(variant([&](const auto& form, std::size_t o, std::int64_t p) { return limit(form, right(form, o, p)); })) ==
          Cause::zero_point);
    CHECK(cause_of(variant([&](const auto& form, std::size_t o, std::int64_t p) {
              return limit(form, form.zero_point[o] + right(form, (o + 1) % form.multiplier.size(), p));
          })) == Cause::channel_constants);
}

TEST_CASE("Faults of a linear layer's sums are named by what they are, also where only the output was dumped") {
    const Bench bench(four_bits());
    const auto& form = std::get<quant::Contraction>(bench.quantized().operation(kLin1));
    const auto& node = bench.graph().node(*bench.graph().find_node(kLin1));
    const auto& input = bench.golden(bench.graph().value(node.inputs[0]).name);
    const auto k = static_cast<std::size_t>(form.depth), n = static_cast<std::size_t>(form.num_outputs);
    const auto with = [&](const auto& term_of, const auto& weight, std::size_t end, bool zero_points) {
        Words result;
        for (std::size_t row = 0; row < input.size() / k; ++row) {
            for (std::size_t o = 0; o < n; ++o) {
                std::int64_t acc = 0;
                for (std::size_t i = 0; i < end; ++i) {
                    const auto& term = form.terms[term_of(i)];
                    acc += (input[row * k + i] - (zero_points ? term.zero_point : 0)) * weight(o, i) * std::int64_t{term.multiplier} *
                           (std::int64_t{1} << term.exponent);
                }
                const auto p = divided(acc, form.rescale.operand_shift, half_even);
                result.push_back(std::clamp<std::int64_t>(
                    form.rescale.zero_point[o] +
                        divided(form.rescale.multiplier[o] * p + form.rescale.offset[o], form.rescale.shift[o], half_even),
                    form.rescale.lo, form.rescale.hi));
            }
        }
        return bench.diagnose(kLin1Out, result);
    };
    const auto own_term = [&](std::size_t i) { return static_cast<std::size_t>(form.term_of[i]); };
    const auto own_weight = [&](std::size_t o, std::size_t i) { return std::int64_t{form.weights[o * k + i]}; };
    REQUIRE(form.terms.size() == 3);
    CHECK(with(own_term, own_weight, k, true).findings.empty());  // nothing differs, nothing is found
    CHECK(cause_of(with(own_term, own_weight, k, false)) == Cause::zero_point);
    CHECK(cause_of(with([&](std::size_t i) { return own_term((i + 1) % k); }, own_weight, k, true)) == Cause::group_map);
    CHECK(cause_of(with([&](std::size_t i) { return own_term(i) == 0   ? 2
                                                    : own_term(i) == 2 ? 0
                                                                       : own_term(i); }, own_weight, k, true)) ==
          Cause::group_map);
    CHECK(cause_of(with(
              own_term, [&](std::size_t o, std::size_t i) { return std::int64_t{form.weights[i * n + o]}; }, k, true)) ==
          Cause::transposed);
    CHECK(cause_of(with(own_term, own_weight, k - 1, true)) == Cause::loop_bound);
    CHECK(cause_of(with(
              own_term, [&](std::size_t o, std::size_t i) { return std::int64_t{form.weights[o * k + i] & 15}; }, k, true)) ==
          Cause::sign_extension);
}

TEST_CASE("Words in another order, of another sign or in another place are named by what they are") {
    const Bench bench(four_bits());
    const std::string name = "encoder.block0.add1.out";
    const auto& golden = bench.golden(name);
    const auto tensor = bench.description(name);
    const auto columns = static_cast<std::size_t>(tensor.shape.back()), rows = golden.size() / columns;
    const auto spoilt = [&](const auto& from) {
        Words words(golden.size());
        for (std::size_t i = 0; i < words.size(); ++i) words[i] = from(i);
        return bench.diagnose(name, words);
    };
    CHECK(cause_of(spoilt([&](std::size_t i) {
              return static_cast<std::int64_t>(static_cast<std::int16_t>(__builtin_bswap16(static_cast<std::uint16_t>(golden[i]))));
          })) == Cause::byte_order);
    CHECK(cause_of(spoilt([&](std::size_t i) { return golden[golden.size() - 1 - i]; })) == Cause::element_order);
    CHECK(cause_of(spoilt([&](std::size_t i) { return golden[i % rows * columns + i / rows]; })) == Cause::transposed);
    CHECK(cause_of(spoilt([&](std::size_t i) { return i < 3 ? 0 : golden[i - 3]; })) == Cause::misplaced);
    CHECK(cause_of(spoilt([&](std::size_t i) { return golden[i] & 0xffff; })) == Cause::sign_extension);
    CHECK(cause_of(spoilt([&](std::size_t i) { return i / columns == rows - 1 ? 0 : golden[i]; })) == Cause::loop_bound);
    CHECK(cause_of(spoilt([&](std::size_t i) { return i >= 40 && i < 64 ? golden[i - 24] : golden[i]; })) == Cause::stale_buffer);
    CHECK(cause_of(spoilt([&](std::size_t i) { return i >= 17 && i < 45 ? kUndefinedWord : golden[i]; })) == Cause::not_written);
}

TEST_CASE("What follows from a dumped operand that differs is upstream, whatever the layer") {
    const Bench bench(four_bits());
    tests::Random random(5);
    int followed = 0;
    for (const auto& name : bench.computed()) {
        const auto& node = *bench.graph().producer(*bench.graph().find_value(name));
        const auto source = bench.graph().value(node.inputs[0]).name;
        const auto& golden = bench.golden(source);
        auto changed = golden;
        for (std::size_t i = 0; i < changed.size(); ++i)
            changed[i] = golden[static_cast<std::size_t>(random.in(0, static_cast<std::int64_t>(golden.size()) - 1))];
        models::IntTensor operand(bench.graph().value(node.inputs[0]).shape);
        for (std::size_t i = 0; i < changed.size(); ++i) operand[i] = static_cast<std::int32_t>(changed[i]);
        std::vector<models::IntTensor> inputs;
        for (const auto id : node.inputs) {
            models::IntTensor tensor(bench.graph().value(id).shape);
            const auto& words = bench.golden(bench.graph().value(id).name);
            for (std::size_t i = 0; i < words.size(); ++i) tensor[i] = static_cast<std::int32_t>(words[i]);
            inputs.push_back(id == node.inputs[0] ? operand : tensor);
        }
        std::vector<const models::IntTensor*> pointers;
        for (const auto& input : inputs) pointers.push_back(&input);
        const auto out = quant::Engine(bench.graph(), bench.quantized()).run_node(node, pointers);
        const Words words(out.values().begin(), out.values().end());
        if (words == bench.golden(name)) continue;
        INFO(name);
        CHECK(cause_of(bench.diagnose(name, words, {{source, changed}})) == Cause::upstream);
        ++followed;
    }
    CHECK(followed > 40);
}

TEST_CASE("Words changed at random are called unknown, never by a name") {
    const Bench bench(four_bits());
    tests::Random random(9);
    int diagnosed = 0;
    for (const auto& name : bench.computed()) {
        const auto& golden = bench.golden(name);
        const auto word = bench.description(name).word;
        if (golden.size() < 64 || word.bits < 4) continue;
        for (const std::int64_t one_in : {7, 3}) {
            auto words = golden;
            for (auto& w : words)
                if (random.one_in(one_in)) w = random.in(word.lowest(), word.highest());
            const auto diagnosis = bench.diagnose(name, words);
            INFO(name << ": " << diagnosis.text());
            CHECK(diagnosis.findings.empty());
            ++diagnosed;
        }
    }
    CHECK(diagnosed > 60);
}

TEST_CASE("Dumps with words outside their formats are diagnosed without harm") {
    const Bench bench(four_bits());
    for (const auto& name : bench.computed()) {
        auto words = bench.golden(name);
        for (std::size_t i = 0; i < words.size(); i += 3) words[i] = i % 2 ? kUndefinedWord : std::int64_t{1} << 61;
        std::map<std::string, Words> others;
        const auto& node = *bench.graph().producer(*bench.graph().find_value(name));
        for (const auto id : node.inputs)
            others[bench.graph().value(id).name] =
                Words(bench.golden(bench.graph().value(id).name).size(), std::numeric_limits<std::int64_t>::max());
        INFO(name);
        CHECK_NOTHROW(bench.diagnose(name, words));
        CHECK_NOTHROW(bench.diagnose(name, words, others));
    }
}

TEST_CASE("A few wrong entries of a table are told one by one") {
    const Bench bench(four_bits());
    const std::string name = "encoder.block0.gelu.out";
    const auto& node = *bench.graph().producer(*bench.graph().find_value(name));
    const auto& input = bench.golden(bench.graph().value(node.inputs[0]).name);
    auto words = bench.golden(name);
    const auto code = input[11];
    for (std::size_t i = 0; i < words.size(); ++i)
        if (input[i] == code) words[i] = words[i] == 0 ? 1 : words[i] - 1;
    const auto diagnosis = bench.diagnose(name, words);
    CHECK(cause_of(diagnosis) == Cause::table_entry);
    CHECK_THAT(diagnosis.text(), Catch::Contains("for input " + std::to_string(code)));
}
