// SPDX-License-Identifier: Apache-2.0
#include "experiments/diagnosis/table_causes.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <functional>
#include <map>
#include <set>

#include "quant/arithmetic/softmax.hpp"

namespace prelude::experiments {

namespace {

/// Tries operations that differ from the right one in one way.
template <class Form>
class Trials {
  public:
    Trials(const Evidence& evidence, const NodeTrial& trial) : evidence_(evidence), trial_(trial), form_(std::get<Form>(trial.operation())) {}

    template <class Plant>
    void operator()(Cause cause, std::string detail, const Plant& plant) {
        auto form = form_;
        plant(form);
        if (form != form_ && trial_.fits(form) && evidence_.equals(trial_.words(form))) findings_.push_back({cause, std::move(detail)});
    }
    [[nodiscard]] const Form& form() const noexcept { return form_; }
    std::vector<Finding> take() { return std::move(findings_); }

  private:
    const Evidence& evidence_;
    const NodeTrial& trial_;
    const Form& form_;
    std::vector<Finding> findings_;
};

/// Entries of the exponential table that all mismatches read and that made the row's codes.
std::vector<std::size_t> suspected_entries(const Evidence& evidence, const NodeTrial& trial, const quant::SoftmaxOp& form) {
    const auto& scores = trial.inputs().front();
    const auto width = static_cast<std::size_t>(scores.shape().back());
    constexpr int kIndexBits = 6;
    std::set<std::size_t> suspects;
    bool is_first = true;
    for (const auto i : evidence.mismatches()) {
        const auto row = scores.row(static_cast<std::int64_t>(i / width));
        const std::int64_t distance = std::int64_t{*std::ranges::max_element(row)} - scores[i];
        const auto fraction = distance & ((std::int64_t{1} << form.score_fraction) - 1);
        const int down = form.score_fraction - kIndexBits;
        const auto index = static_cast<std::size_t>(down >= 0 ? fraction >> down : fraction << -down);
        const bool between = down > 0 && (fraction & ((std::int64_t{1} << down) - 1)) != 0;
        std::set<std::size_t> read{index};
        if (between) read.insert(index + 1);
        if (is_first) suspects = read;
        else std::erase_if(suspects, [&](auto entry) { return !read.contains(entry); });
        is_first = false;
        if (suspects.empty()) break;
    }
    return {suspects.begin(), suspects.end()};
}

}  // namespace

std::vector<Finding> causes_of_table(const Evidence& evidence, const NodeTrial& trial) {
    Trials<quant::TableOp> attempt(evidence, trial);
    for (const int by : {-1, 1})
        attempt(Cause::table_index, fmt::format("entry q {} 1 is read for q", by > 0 ? '+' : '-'), [by](quant::TableOp& form) {
            auto table = form.table;
            const auto last = static_cast<std::ptrdiff_t>(table.size()) - 1;
            for (std::ptrdiff_t i = 0; i <= last; ++i) table[static_cast<std::size_t>(i)] = form.table[static_cast<std::size_t>(std::clamp<std::ptrdiff_t>(i + by, 0, last))];
            form.table = std::move(table);
        });
    attempt(Cause::table_index, "the table is read in reverse", [](quant::TableOp& form) { std::ranges::reverse(form.table); });
    attempt(Cause::table_index, "inputs are read as signed", [](quant::TableOp& form) {
        if (form.guard_bits == 0) std::rotate(form.table.begin(), form.table.begin() + static_cast<std::ptrdiff_t>(form.table.size() / 2), form.table.end());
    });
    auto findings = attempt.take();
    if (!findings.empty()) return findings;

    // A function of the input with a few entries of its own is a table with wrong entries.
    const auto& input = trial.inputs().front();
    std::map<std::int32_t, std::int64_t> found;
    for (std::size_t i = 0; i < evidence.size(); ++i) {
        const auto [entry, is_new] = found.emplace(input[i], evidence.actual()[i]);
        if (!is_new && entry->second != evidence.actual()[i]) return {};
    }
    std::map<std::int32_t, std::int64_t> wrong;
    for (const auto i : evidence.mismatches()) wrong.emplace(input[i], evidence.golden()[i]);
    constexpr std::size_t kMaxWrong = 4, kMinUsed = 8;
    if (wrong.empty() || wrong.size() > kMaxWrong || found.size() < std::max(kMinUsed, 3 * wrong.size())) return {};
    std::vector<std::string> entries;
    for (const auto& [code, golden] : wrong) entries.push_back(fmt::format("{} for input {} instead of {}", found.at(code), code, golden));
    return {{Cause::table_entry, fmt::format("the table gives {}", fmt::join(entries, ", "))}};
}

std::vector<Finding> causes_of_softmax(const Evidence& evidence, const NodeTrial& trial) {
    Trials<quant::SoftmaxOp> attempt(evidence, trial);
    const auto& form = attempt.form();
    for (const int by : {-1, 1}) {
        const auto* beside = by > 0 ? "+" : "-";
        attempt(Cause::table_index, fmt::format("entry i {} 1 of the exponential is read for i", beside), [by](quant::SoftmaxOp& f) {
            auto table = f.exp_constants;
            const auto last = static_cast<std::ptrdiff_t>(table.size()) - 1;
            for (std::ptrdiff_t i = 0; i <= last; ++i) table[static_cast<std::size_t>(i)] = f.exp_constants[static_cast<std::size_t>(std::clamp<std::ptrdiff_t>(i + by, 0, last))];
            f.exp_constants = std::move(table);
        });
        attempt(Cause::table_index, fmt::format("threshold {} 1 decides each code", beside), [by](quant::SoftmaxOp& f) {
            if (f.threshold_mantissa.size() < 2) return;
            const auto step = by > 0 ? 1 : static_cast<std::ptrdiff_t>(f.threshold_mantissa.size()) - 1;
            std::rotate(f.threshold_mantissa.begin(), f.threshold_mantissa.begin() + step, f.threshold_mantissa.end());
            std::rotate(f.threshold_exponent.begin(), f.threshold_exponent.begin() + step, f.threshold_exponent.end());
        });
        if (form.score_fraction + by > 0) attempt(Cause::shift, fmt::format("scores have {} fraction bits instead of {}", form.score_fraction + by, form.score_fraction), [by](quant::SoftmaxOp& f) { f.score_fraction += by; });
        attempt(Cause::shift, fmt::format("the exponential is {} bits wide instead of {}", form.exp_bits + by, form.exp_bits), [by](quant::SoftmaxOp& f) { f.exp_bits += by; });
    }
    attempt(Cause::code_table, "codes are relative to the sum instead of the largest", [](quant::SoftmaxOp& f) { f.scale = f.scale == quant::ScaleMode::row ? quant::ScaleMode::tensor : quant::ScaleMode::row; });
    auto findings = attempt.take();
    if (!findings.empty() || form.exponential != quant::Exponential::table) return findings;

    // One wrong entry: found by its bits, or by its neighbours.
    for (const auto entry : suspected_entries(evidence, trial, form)) {
        std::set<std::int32_t> values;
        const auto right = form.exp_constants[entry];
        for (int bit = 0; bit < form.exp_bits; ++bit) values.insert(right ^ (1 << bit));
        for (const int by : {-2, -1, 1, 2})
            if (const auto at = static_cast<std::ptrdiff_t>(entry) + by; at >= 0 && at < static_cast<std::ptrdiff_t>(form.exp_constants.size())) values.insert(form.exp_constants[static_cast<std::size_t>(at)]);
        values.insert(0);
        for (const auto value : values) {
            auto wrong = form;
            wrong.exp_constants[entry] = value;
            if (value != right && trial.fits(wrong) && evidence.equals(trial.words(wrong))) return {{Cause::table_entry, fmt::format("entry {} of the exponential is {} instead of {}", entry, value, right)}};
        }
    }
    return findings;
}

std::vector<Finding> causes_of_norm(const Evidence& evidence, const NodeTrial& trial) {
    Trials<quant::LayerNormOp> attempt(evidence, trial);
    attempt(Cause::bias, "epsilon is not added", [](quant::LayerNormOp& form) { form.epsilon = 0; });
    for (const int by : {-1, 1}) attempt(Cause::shift, fmt::format("the normalised word is shifted one place too {}", by > 0 ? "few" : "many"), [by](quant::LayerNormOp& form) { form.normalised_fraction += by; });
    for (const auto& [root, text] : {std::pair{quant::Root::seeded, "a seeded table"}, {quant::Root::newton, "divisions"}, {quant::Root::repeated, "ten divisions"}})
        attempt(Cause::table_index, fmt::format("the root is made by {}", text), [root = root](quant::LayerNormOp& form) { form.root = root; });
    return attempt.take();
}

}  // namespace prelude::experiments
