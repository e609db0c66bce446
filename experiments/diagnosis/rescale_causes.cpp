// SPDX-License-Identifier: Apache-2.0
#include "experiments/diagnosis/rescale_causes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

#include "experiments/diagnosis/rounding.hpp"
#include "quant/arithmetic/rounding.hpp"

namespace prelude::experiments {

namespace {

enum class Limit { clamp, wrap, symmetric, none, above_only, below_only };

constexpr std::array kLimits{std::pair{Limit::wrap, "wraps instead of saturating (AP_WRAP)"},
                             std::pair{Limit::symmetric, "saturates symmetrically (AP_SAT_SYM)"},
                             std::pair{Limit::none, "does not saturate"}, std::pair{Limit::above_only, "saturates above, not below"},
                             std::pair{Limit::below_only, "saturates below, not above"}};

std::int64_t limited(std::int64_t v, const WordFormat& word, std::int64_t lo, std::int64_t hi, Limit limit) {
    switch (limit) {
        case Limit::clamp: return std::clamp(v, lo, hi);
        case Limit::wrap: return word.of_pattern(static_cast<std::uint64_t>(v));
        case Limit::symmetric: return std::clamp(v, std::max(lo, -hi), hi);
        case Limit::none: return v;
        case Limit::above_only: return word.of_pattern(static_cast<std::uint64_t>(std::min(v, hi)));
        case Limit::below_only: return word.of_pattern(static_cast<std::uint64_t>(std::max(v, lo)));
    }
    return v;
}

struct RescaleFault {
    Finding finding;
    QuantizationMode operand_mode = QuantizationMode::rnd_conv, mode = QuantizationMode::rnd_conv;
    int operand_shift = 0, shift = 0;                                          ///< added
    int bias = 1, zero = 1;                                                    ///< times
    int multiplier_channel = 0, offset_channel = 0, shift_channel = 0;         ///< added to the channel
    bool first_multiplier = false, first_offset = false, first_shift = false;  ///< of channel 0 for all
    Limit limit = Limit::clamp;
};

std::vector<RescaleFault> rescale_faults(const quant::Rescale& form) {
    std::vector<RescaleFault> faults;
    for (const auto& [mode, text, cause] : kWrongModes) {
        faults.push_back({.finding = {cause, fmt::format("the final shift {}", text)}, .mode = mode});
        if (form.operand_shift == 0) continue;
        faults.push_back({.finding = {cause, fmt::format("the shift of the sum {}", text)}, .operand_mode = mode});
        faults.push_back({.finding = {cause, fmt::format("both shifts: {}", text)}, .operand_mode = mode, .mode = mode});
    }
    for (const int by : {-1, 1}) {
        const auto* text = by > 0 ? "one place too many" : "one place too few";
        faults.push_back({.finding = {Cause::shift, fmt::format("the final shift is {}", text)}, .shift = by});
        if (form.operand_shift > 0)
            faults.push_back({.finding = {Cause::shift, fmt::format("the shift of the sum is {}", text)}, .operand_shift = by});
    }
    if (form.operand_shift > 0)
        faults.push_back({.finding = {Cause::shift, "the sum is not shifted"}, .operand_shift = -form.operand_shift});
    faults.push_back({.finding = {Cause::bias, "the bias is not added"}, .bias = 0});
    faults.push_back({.finding = {Cause::bias, "the bias is added twice"}, .bias = 2});
    faults.push_back({.finding = {Cause::bias, "the bias is subtracted"}, .bias = -1});
    faults.push_back({.finding = {Cause::zero_point, "the zero point of the result is not added"}, .zero = 0});
    faults.push_back({.finding = {Cause::zero_point, "the zero point of the result is subtracted"}, .zero = -1});
    for (const int by : {-1, 1}) {
        const auto text = fmt::format("of channel c {} 1", by > 0 ? '+' : '-');
        faults.push_back({.finding = {Cause::channel_constants, "multiplier, bias and shift are those " + text},
                          .multiplier_channel = by,
                          .offset_channel = by,
                          .shift_channel = by});
        faults.push_back({.finding = {Cause::channel_constants, "the multiplier is that " + text}, .multiplier_channel = by});
        faults.push_back({.finding = {Cause::channel_constants, "the bias is that " + text}, .offset_channel = by});
        faults.push_back({.finding = {Cause::channel_constants, "the shift is that " + text}, .shift_channel = by});
    }
    faults.push_back({.finding = {Cause::channel_constants, "all channels have the constants of channel 0"},
                      .first_multiplier = true,
                      .first_offset = true,
                      .first_shift = true});
    faults.push_back({.finding = {Cause::channel_constants, "all channels have the multiplier of channel 0"}, .first_multiplier = true});
    faults.push_back({.finding = {Cause::channel_constants, "all channels have the bias of channel 0"}, .first_offset = true});
    faults.push_back({.finding = {Cause::channel_constants, "all channels have the shift of channel 0"}, .first_shift = true});
    for (const auto& [limit, text] : kLimits) faults.push_back({.finding = {Cause::saturation, text}, .limit = limit});
    return faults;
}

}  // namespace

std::vector<Finding> causes_of_rescale(const Evidence& evidence, std::span<const std::int64_t> sums, const quant::Rescale& form,
                                       const std::function<std::size_t(std::size_t)>& channel_of) {
    const auto entries = static_cast<std::int64_t>(form.multiplier.size());
    std::vector<Finding> findings;
    for (const auto& fault : rescale_faults(form)) {
        const auto predict = [&](std::size_t i) {
            const auto channel = static_cast<std::int64_t>(channel_of(i));
            const auto beside = [&](int by, bool first) {
                return first ? std::size_t{0} : static_cast<std::size_t>(((channel + by) % entries + entries) % entries);
            };
            const auto operand = shifted(sums[i], form.operand_shift + fault.operand_shift, fault.operand_mode);
            const auto product = static_cast<std::int64_t>(
                static_cast<std::uint64_t>(std::int64_t{form.multiplier[beside(fault.multiplier_channel, fault.first_multiplier)]}) *
                static_cast<std::uint64_t>(operand));
            const auto sum = static_cast<std::int64_t>(
                static_cast<std::uint64_t>(product) +
                static_cast<std::uint64_t>(fault.bias * form.offset[beside(fault.offset_channel, fault.first_offset)]));
            const auto y = shifted(sum, form.shift[beside(fault.shift_channel, fault.first_shift)] + fault.shift, fault.mode);
            return limited(y + std::int64_t{fault.zero} * form.zero_point[static_cast<std::size_t>(channel)], evidence.tensor().word,
                           form.lo, form.hi, fault.limit);
        };
        if (evidence.explained_by(predict)) findings.push_back(fault.finding);
    }
    return findings;
}

std::vector<Finding> causes_of_addition(const Evidence& evidence, const Addend& left, const Addend& right, const quant::AddOp& form) {
    struct Fault {
        Finding finding;
        QuantizationMode mode = QuantizationMode::rnd_conv;
        int left = 1, right = 1;                                ///< times
        int left_shift = 0, right_shift = 0, output_shift = 0;  ///< added
        Limit limit = Limit::clamp;
        std::optional<WordFormat> left_format{}, right_format{};  ///< read as
    };
    std::vector<Fault> faults;
    for (const auto& [mode, text, cause] : kWrongModes)
        faults.push_back({.finding = {cause, fmt::format("the sum {}", text)}, .mode = mode});
    faults.push_back({.finding = {Cause::operand_missing, "the second addend is not added"}, .right = 0});
    faults.push_back({.finding = {Cause::operand_missing, "the first addend is not added"}, .left = 0});
    faults.push_back({.finding = {Cause::operand_missing, "the second addend is subtracted"}, .right = -1});
    faults.push_back({.finding = {Cause::operand_missing, "the second addend is added twice"}, .right = 2});
    for (const int by : {-1, 1}) {
        const auto* text = by > 0 ? "one place too many" : "one place too few";
        faults.push_back({.finding = {Cause::shift, fmt::format("the first addend is shifted {}", text)}, .left_shift = by});
        faults.push_back({.finding = {Cause::shift, fmt::format("the second addend is shifted {}", text)}, .right_shift = by});
        faults.push_back({.finding = {Cause::shift, fmt::format("the sum is shifted {}", text)}, .output_shift = by});
    }
    if (form.left_shift > 0)
        faults.push_back({.finding = {Cause::shift, "the first addend is not aligned"}, .left_shift = -form.left_shift});
    if (form.right_shift > 0)
        faults.push_back({.finding = {Cause::shift, "the second addend is not aligned"}, .right_shift = -form.right_shift});
    for (const auto& [limit, text] : kLimits) faults.push_back({.finding = {Cause::saturation, text}, .limit = limit});
    for (const bool first : {true, false}) {
        const auto& own = first ? left.format : right.format;
        const auto* name = first ? "first" : "second";
        const auto read_as = [&](const WordFormat& other) {
            if (other.bits < 1 || other == own) return;
            auto& fault = faults.emplace_back(
                Fault{.finding = {Cause::sign_extension, fmt::format("the {} addend is read as a word of {} bits, {}", name, other.bits,
                                                                     other.is_signed ? "signed" : "unsigned")}});
            (first ? fault.left_format : fault.right_format) = other;
        };
        read_as({.bits = own.bits, .is_signed = !own.is_signed});
        read_as({.bits = own.bits - 1, .is_signed = true});
        read_as({.bits = own.bits - 1, .is_signed = false});
    }
    std::vector<Finding> findings;
    const auto read = [](const Addend& addend, const std::optional<WordFormat>& as, std::size_t i) {
        return as ? as->of_pattern(static_cast<std::uint64_t>(addend.words[i])) : addend.words[i];
    };
    const auto aligned = [](std::int64_t v, int places) { return shifted(v, -places, QuantizationMode::rnd_conv); };
    for (const auto& fault : faults) {
        const auto predict = [&](std::size_t i) {
            const auto sum = fault.left * aligned(read(left, fault.left_format, i), form.left_shift + fault.left_shift) +
                             fault.right * aligned(read(right, fault.right_format, i), form.right_shift + fault.right_shift);
            return limited(shifted(sum, form.output_shift + fault.output_shift, fault.mode), evidence.tensor().word,
                           quant::signed_min(form.bits), quant::signed_max(form.bits), fault.limit);
        };
        if (evidence.explained_by(predict)) findings.push_back(fault.finding);
    }
    return findings;
}

}  // namespace prelude::experiments
