// SPDX-License-Identifier: Apache-2.0
#include "experiments/diagnosis/table_causes.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>

#include "experiments/diagnosis/operation_trials.hpp"

namespace prelude::experiments {

std::vector<Finding> causes_of_table(const Evidence& evidence, const NodeTrial& trial) {
    OperationTrials<quant::TableOp> attempt(evidence, trial);
    for (const int by : {-1, 1})
        attempt(Cause::table_index, fmt::format("entry q {} 1 is read for q", by > 0 ? '+' : '-'), [by](quant::TableOp& form) {
            auto table = form.table;
            const auto last = static_cast<std::ptrdiff_t>(table.size()) - 1;
            for (std::ptrdiff_t i = 0; i <= last; ++i)
                table[static_cast<std::size_t>(i)] = form.table[static_cast<std::size_t>(std::clamp<std::ptrdiff_t>(i + by, 0, last))];
            form.table = std::move(table);
        });
    attempt(Cause::table_index, "the table is read in reverse", [](quant::TableOp& form) { std::ranges::reverse(form.table); });
    attempt(Cause::table_index, "inputs are read as signed", [](quant::TableOp& form) {
        if (form.guard_bits == 0)
            std::rotate(form.table.begin(), form.table.begin() + static_cast<std::ptrdiff_t>(form.table.size() / 2), form.table.end());
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

}  // namespace prelude::experiments
