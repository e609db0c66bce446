// SPDX-License-Identifier: Apache-2.0
#include "experiments/diagnosis/norm_causes.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "experiments/diagnosis/rounding.hpp"
#include "quant/arithmetic/layernorm.hpp"
#include "quant/arithmetic/rescale.hpp"

namespace prelude::experiments {

namespace {

enum class Carry { no, sum, squares, both };

struct NormFault {
    Finding finding;
    bool subtract_mean = true, square_of_mean = true;
    int first = 0, last = 0;  ///< channels left out of the sums, at either end
    Carry carry = Carry::no;
    double epsilon = 1;  ///< times
    int shift = 0;       ///< added
    QuantizationMode mode = QuantizationMode::rnd_conv;
    quant::Root root = quant::Root::seeded;
    bool saturate = true;
    bool guess = false;  ///< the root's seed without its step
};

std::vector<NormFault> norm_faults(const quant::LayerNormOp& form) {
    std::vector<NormFault> faults;
    const auto add = [&](Cause cause, std::string detail) -> NormFault& {
        auto& fault = faults.emplace_back();
        fault.finding = {cause, std::move(detail)};
        fault.root = form.root;
        return fault;
    };
    add(Cause::operand_missing, "the mean is not subtracted from the words").subtract_mean = false;
    add(Cause::operand_missing, "the square of the mean is not subtracted from the variance").square_of_mean = false;
    add(Cause::loop_bound, "the last channel is not in the sums").last = 1;
    add(Cause::loop_bound, "the first channel is not in the sums").first = 1;
    add(Cause::stale_buffer, "the sum goes on from the row before").carry = Carry::sum;
    add(Cause::stale_buffer, "the sum of squares goes on from the row before").carry = Carry::squares;
    add(Cause::stale_buffer, "both sums go on from the row before").carry = Carry::both;
    add(Cause::operand_missing, "epsilon is not added").epsilon = 0;
    for (const int by : {-1, 1})
        add(Cause::shift, fmt::format("the normalised word is shifted one place too {}", by > 0 ? "many" : "few")).shift = by;
    for (const auto& [mode, text, cause] : kWrongModes) add(cause, fmt::format("the normalised word {}", text)).mode = mode;
    for (const auto& [root, text] :
         {std::pair{quant::Root::seeded, "a seeded table"}, {quant::Root::newton, "divisions"}, {quant::Root::repeated, "ten divisions"}})
        if (root != form.root) add(Cause::table_index, fmt::format("the root is made by {}", text)).root = root;
    if (form.root == quant::Root::seeded) add(Cause::table_index, "the root is the table's guess, without the step behind it").guess = true;
    add(Cause::saturation, "the normalised word is not saturated").saturate = false;
    return faults;
}

constexpr int kNormalisedBits = 20;

/// The seed of the root of v, as a mantissa.
std::uint32_t guess_of(std::uint64_t v) {
    constexpr int kFraction = 20, kIndexFraction = 6, kSeedBits = 12;
    const int exponent = (quant::bit_length(v) - 1) / 2, places = 2 * exponent - kFraction;
    const auto m = places >= 0 ? v >> places : v << -places;
    return quant::root_seeds()[(m >> (kFraction - kIndexFraction)) - (std::size_t{1} << kIndexFraction)] << (16 - kSeedBits);
}

/// All rows of the norm with one fault. Overflow of 64 bits, which a fault may cause, is kept apart by unsigned arithmetic.
std::vector<std::int64_t> norm_with(const quant::LayerNormOp& form, const NormFault& fault, const models::IntTensor& words,
                                    std::size_t stride) {
    const auto channels = static_cast<std::size_t>(form.channels);
    std::vector<std::int64_t> result(words.values().size());
    const auto multiply = [](std::int64_t a, std::int64_t b) {
        return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) * static_cast<std::uint64_t>(b));
    };
    std::int64_t sum = 0, squares = 0;
    for (std::size_t row = 0; row < result.size() / channels; ++row) {
        const auto begin = row / stride * channels * stride + row % stride;
        if (fault.carry != Carry::sum && fault.carry != Carry::both) sum = 0;
        if (fault.carry != Carry::squares && fault.carry != Carry::both) squares = 0;
        for (auto c = static_cast<std::size_t>(fault.first); c + static_cast<std::size_t>(fault.last) < channels; ++c) {
            const std::int64_t x = words[begin + c * stride];
            sum += x;
            squares += x * x;
        }
        const auto variance = multiply(form.channels, squares) - (fault.square_of_mean ? multiply(sum, sum) : 0) +
                              static_cast<std::int64_t>(fault.epsilon * static_cast<double>(form.epsilon));
        auto root = quant::reciprocal_root(static_cast<std::uint64_t>(std::max<std::int64_t>(1, variance)), fault.root);
        if (fault.guess) root.mantissa = guess_of(static_cast<std::uint64_t>(std::max<std::int64_t>(1, variance)));
        for (std::size_t c = 0; c < channels; ++c) {
            const auto centred = form.channels * words[begin + c * stride] - (fault.subtract_mean ? sum : 0);
            auto t = shifted(multiply(centred, root.mantissa), 16 + root.exponent - form.normalised_fraction + fault.shift, fault.mode);
            if (fault.saturate) t = quant::saturate(t, quant::signed_min(kNormalisedBits), quant::signed_max(kNormalisedBits));
            result[begin + c * stride] =
                quant::rescale(form.rescale, c, std::clamp<std::int64_t>(t, -(std::int64_t{1} << 40), std::int64_t{1} << 40));
        }
    }
    return result;
}

}  // namespace

std::vector<Finding> causes_of_norm(const Evidence& evidence, const NodeTrial& trial) {
    const auto& form = std::get<quant::LayerNormOp>(trial.operation());
    std::vector<Finding> findings;
    for (const auto& fault : norm_faults(form))
        if (evidence.equals(norm_with(form, fault, trial.inputs().front(), trial.words_per_channel()))) findings.push_back(fault.finding);
    return findings;
}

}  // namespace prelude::experiments
