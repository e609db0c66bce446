// SPDX-License-Identifier: Apache-2.0
#include "experiments/diagnosis/softmax_causes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <tuple>

#include "experiments/diagnosis/operation_trials.hpp"
#include "experiments/diagnosis/rounding.hpp"
#include "quant/arithmetic/softmax.hpp"

namespace prelude::experiments {

namespace {

/// Which words of a row its statistics see.
enum class Statistics { right, without_last, without_first, of_row_before, carried };
/// How 2^-d is made of the table.
enum class Chord { right, left_end, right_end, truncated, shift_less, shift_more };
/// What a score above the supposed largest counts as: its distance is negative.
enum class Above { nothing, everything };

struct RowFault {
    Finding finding;
    Statistics maximum = Statistics::right, sum = Statistics::right;
    Chord chord = Chord::right;
    Above above = Above::nothing;
    int sum_bits = 63;  ///< the sum wraps
};

std::vector<RowFault> row_faults(const quant::SoftmaxOp& form) {
    std::vector<RowFault> faults;
    for (const auto& [statistics, cause, text] :
         {std::tuple{Statistics::without_last, Cause::loop_bound, "the last key is not looked at for"},
          {Statistics::without_first, Cause::loop_bound, "the first key is not looked at for"},
          {Statistics::of_row_before, Cause::stale_buffer, "the row before gives"},
          {Statistics::carried, Cause::stale_buffer, "the rows before go on in"}}) {
        for (const auto above : {Above::nothing, Above::everything}) {
            faults.push_back({.finding = {cause, fmt::format("{} the largest score", text)}, .maximum = statistics, .above = above});
            faults.push_back({.finding = {cause, fmt::format("{} the largest score and the sum", text)},
                              .maximum = statistics,
                              .sum = statistics,
                              .above = above});
        }
        faults.push_back({.finding = {cause, fmt::format("{} the sum", text)}, .sum = statistics});
    }
    for (int bits = form.exp_bits; bits < form.exp_bits + 16; ++bits) {
        faults.push_back({.finding = {Cause::overflow, fmt::format("the sum wraps at {} bits", bits)}, .sum_bits = bits});
        faults.push_back({.finding = {Cause::stale_buffer, fmt::format("the rows before go on in the sum, which wraps at {} bits", bits)},
                          .sum = Statistics::carried,
                          .sum_bits = bits});
    }
    if (form.exponential == quant::Exponential::table) {
        faults.push_back({.finding = {Cause::table_index, "the exponential is the left entry, without the chord to the next"},
                          .chord = Chord::left_end});
        faults.push_back({.finding = {Cause::table_index, "the exponential is the right entry of the chord"}, .chord = Chord::right_end});
        faults.push_back({.finding = {Cause::truncation, "the exponential rounds down (AP_TRN)"}, .chord = Chord::truncated});
        faults.push_back({.finding = {Cause::shift, "the exponential is shifted one place too few"}, .chord = Chord::shift_less});
        faults.push_back({.finding = {Cause::shift, "the exponential is shifted one place too many"}, .chord = Chord::shift_more});
    }
    return faults;
}

constexpr int kIndexBits = 6;

/// Segment of the table a distance lies in, and the rest.
struct Segment {
    std::size_t index;
    std::int64_t rest;
    int rest_bits, whole;
};
Segment segment_of(const quant::SoftmaxOp& form, std::int64_t distance) {
    const auto fraction = distance & ((std::int64_t{1} << form.score_fraction) - 1);
    const int down = form.score_fraction - kIndexBits;
    const int whole = static_cast<int>(std::min<std::int64_t>(distance >> form.score_fraction, 63));
    if (down <= 0) return {static_cast<std::size_t>(fraction << -down), 0, 0, whole};
    return {static_cast<std::size_t>(fraction >> down), fraction & ((std::int64_t{1} << down) - 1), down, whole};
}

std::int32_t exponential(const quant::SoftmaxOp& form, std::int64_t distance, Chord chord) {
    if (chord == Chord::right) return quant::exp2_neg(form, distance);
    const auto [index, rest, rest_bits, whole] = segment_of(form, distance);
    if (whole > form.exp_bits) return 0;
    const std::int64_t left = form.exp_constants[index], right = form.exp_constants[std::min(index + 1, form.exp_constants.size() - 1)];
    const auto slope = (left - right) * rest;
    const auto line = chord == Chord::left_end    ? left << rest_bits
                      : chord == Chord::right_end ? (right << rest_bits)
                                                  : (left << rest_bits) - slope;
    const int places = rest_bits + whole + (chord == Chord::shift_more ? 1 : chord == Chord::shift_less ? -1 : 0);
    return static_cast<std::int32_t>(shifted(line, places, chord == Chord::truncated ? QuantizationMode::trn : QuantizationMode::rnd_conv));
}

/// Whether codes follow from the distance to the largest score alone, without exponentials.
bool is_straight(const quant::SoftmaxOp& form) {
    return form.tau > 0 && form.scale == quant::ScaleMode::row;
}

/// Logarithmic codes of all rows straight from the distances, c = (2 tau d + bias) 2^-(F + 1), with another bias.
std::vector<std::int64_t> straight_with(const quant::SoftmaxOp& form, const models::IntTensor& scores, std::int64_t bias) {
    std::vector<std::int64_t> result;
    const auto beyond = form.zero_code >= 0 ? form.zero_code : form.num_levels - 1;
    for (std::int64_t r = 0; r < scores.shape().num_rows(); ++r) {
        const auto row = scores.row(r);
        const std::int64_t top = *std::ranges::max_element(row);
        for (const auto score : row) {
            const auto code = (2 * form.tau * (top - score) + bias) >> (form.score_fraction + 1);
            result.push_back(code >= 0 && code < form.num_levels ? code : beyond);
        }
    }
    return result;
}

/// Codes of all rows with one fault; nothing for codes too wide to be found by comparison.
std::vector<std::int64_t> softmax_with(const quant::SoftmaxOp& form, const RowFault& fault, const models::IntTensor& scores) {
    if (form.bits > quant::kMaxComparedBits || (is_straight(form) && fault.chord != Chord::right)) return {};
    const auto width = static_cast<std::size_t>(scores.shape().back());
    std::vector<std::int64_t> result;
    std::vector<std::int32_t> codes(width), exponentials(width);
    std::int32_t last_maximum = 0;
    std::int64_t last_sum = 0;
    const auto full = quant::exp2_neg(form, 0);
    const auto seen = [&](Statistics statistics, auto row) {
        return statistics == Statistics::without_last    ? row.first(width - 1)
               : statistics == Statistics::without_first ? row.subspan(1)
                                                         : row;
    };
    for (std::int64_t r = 0; r < scores.shape().num_rows(); ++r) {
        const auto row = scores.row(r);
        const auto own_maximum = *std::ranges::max_element(seen(fault.maximum, row));
        auto maximum = own_maximum;
        if (r > 0 && fault.maximum == Statistics::of_row_before) maximum = last_maximum;
        if (r > 0 && fault.maximum == Statistics::carried) maximum = std::max(maximum, last_maximum);
        if (is_straight(form)) {
            if (std::ranges::any_of(row, [&](auto score) { return score > maximum; })) return {};
            quant::softmax_piece(form, {.maximum = maximum}, row, codes);
            result.insert(result.end(), codes.begin(), codes.end());
            last_maximum = fault.maximum == Statistics::carried ? maximum : own_maximum;
            continue;
        }
        for (std::size_t k = 0; k < width; ++k) {
            const auto distance = std::int64_t{maximum} - row[k];
            exponentials[k] = distance >= 0 ? exponential(form, distance, fault.chord) : fault.above == Above::everything ? full : 0;
        }
        std::int64_t own_sum = 0;
        for (const auto e : seen(fault.sum, std::span<const std::int32_t>(exponentials))) own_sum += e;
        auto sum = own_sum;
        if (r > 0 && fault.sum == Statistics::of_row_before) sum = last_sum;
        if (r > 0 && fault.sum == Statistics::carried) sum += last_sum;
        if (fault.sum_bits < 63) sum &= (std::int64_t{1} << fault.sum_bits) - 1;
        if (sum == 0 && form.scale != quant::ScaleMode::row) return {};
        quant::compare_row(form, exponentials, form.scale == quant::ScaleMode::row ? full : sum, codes);
        result.insert(result.end(), codes.begin(), codes.end());
        last_maximum = fault.maximum == Statistics::carried ? maximum : own_maximum;
        last_sum = fault.sum == Statistics::carried ? sum : own_sum;
    }
    return result;
}

/// Entries of the exponential table that all mismatches read and that made the row's codes.
std::vector<std::size_t> suspected_entries(const Evidence& evidence, const NodeTrial& trial, const quant::SoftmaxOp& form) {
    const auto& scores = trial.inputs().front();
    const auto width = static_cast<std::size_t>(scores.shape().back());
    std::set<std::size_t> suspects;
    bool is_first = true;
    for (const auto i : evidence.mismatches()) {
        const auto row = scores.row(static_cast<std::int64_t>(i / width));
        const std::int64_t distance = std::int64_t{*std::ranges::max_element(row)} - scores[i];
        const auto [index, rest, rest_bits, whole] = segment_of(form, distance);
        std::set<std::size_t> read{index};
        if (rest != 0) read.insert(index + 1);
        if (is_first)
            suspects = read;
        else
            std::erase_if(suspects, [&](auto entry) { return !read.contains(entry); });
        is_first = false;
        if (suspects.empty()) break;
    }
    return {suspects.begin(), suspects.end()};
}

}  // namespace

std::vector<Finding> causes_of_softmax(const Evidence& evidence, const NodeTrial& trial) {
    OperationTrials<quant::SoftmaxOp> attempt(evidence, trial);
    const auto& form = attempt.form();
    for (const int by : {-1, 1}) {
        const auto* beside = by > 0 ? "+" : "-";
        attempt(Cause::table_index, fmt::format("entry i {} 1 of the exponential is read for i", beside), [by](quant::SoftmaxOp& f) {
            auto table = f.exp_constants;
            const auto last = static_cast<std::ptrdiff_t>(table.size()) - 1;
            for (std::ptrdiff_t i = 0; i <= last; ++i)
                table[static_cast<std::size_t>(i)] = f.exp_constants[static_cast<std::size_t>(std::clamp<std::ptrdiff_t>(i + by, 0, last))];
            f.exp_constants = std::move(table);
        });
        attempt(Cause::table_index, fmt::format("threshold c {} 1 decides for code c", beside), [by, &form](quant::SoftmaxOp& f) {
            const auto last = static_cast<std::ptrdiff_t>(f.threshold_mantissa.size()) - 1;
            for (std::ptrdiff_t i = 0; i <= last; ++i) {
                const auto from = static_cast<std::size_t>(std::clamp<std::ptrdiff_t>(i + by, 0, last));
                f.threshold_mantissa[static_cast<std::size_t>(i)] = form.threshold_mantissa[from];
                f.threshold_exponent[static_cast<std::size_t>(i)] = form.threshold_exponent[from];
            }
        });
        if (form.score_fraction + by > 0)
            attempt(Cause::shift, fmt::format("scores have {} fraction bits instead of {}", form.score_fraction + by, form.score_fraction),
                    [by](quant::SoftmaxOp& f) { f.score_fraction += by; });
        attempt(Cause::shift, fmt::format("the exponential is {} bits wide instead of {}", form.exp_bits + by, form.exp_bits),
                [by](quant::SoftmaxOp& f) { f.exp_bits += by; });
    }
    attempt(Cause::code_table, "codes are relative to the sum instead of the largest",
            [](quant::SoftmaxOp& f) { f.scale = f.scale == quant::ScaleMode::row ? quant::ScaleMode::tensor : quant::ScaleMode::row; });
    auto findings = attempt.take();
    if (form.zero_code >= 0 && evidence.explained_by([&](std::size_t i) {
            return evidence.golden()[i] == form.zero_code ? std::int64_t{form.num_levels} - 1 : evidence.golden()[i];
        }))
        findings.push_back({Cause::code_table, "what lies below all thresholds gets the last level instead of the zero code"});
    if (is_straight(form)) {
        const auto one = std::int64_t{1} << form.score_fraction;  // half a step of the code
        for (const auto& [bias, cause, text] : {std::tuple{std::int64_t{0}, Cause::truncation, "codes are rounded down"},
                                                {one, Cause::rounding, "codes are rounded half up"},
                                                {2 * one - 1, Cause::rounding, "codes are rounded up"},
                                                {-one - 1, Cause::rounding, "codes are half a step too low"}})
            if (evidence.equals(straight_with(form, trial.inputs().front(), bias))) findings.push_back({cause, text});
    }
    for (const auto& fault : row_faults(form))
        if (trial.inputs().front().shape().back() > 1 && evidence.equals(softmax_with(form, fault, trial.inputs().front())))
            findings.push_back(fault.finding);
    if (!findings.empty() || form.exponential != quant::Exponential::table) return findings;

    // One wrong entry: found by its bits, or by its neighbours.
    for (const auto entry : suspected_entries(evidence, trial, form)) {
        std::set<std::int32_t> values;
        const auto right = form.exp_constants[entry];
        for (int bit = 0; bit < form.exp_bits; ++bit) values.insert(right ^ (1 << bit));
        for (const int by : {-2, -1, 1, 2})
            if (const auto at = static_cast<std::ptrdiff_t>(entry) + by;
                at >= 0 && at < static_cast<std::ptrdiff_t>(form.exp_constants.size()))
                values.insert(form.exp_constants[static_cast<std::size_t>(at)]);
        values.insert(0);
        for (const auto value : values) {
            auto wrong = form;
            wrong.exp_constants[entry] = value;
            if (value != right && trial.fits(wrong) && evidence.equals(trial.words(wrong)))
                return {{Cause::table_entry, fmt::format("entry {} of the exponential is {} instead of {}", entry, value, right)}};
        }
    }
    return findings;
}

}  // namespace prelude::experiments
