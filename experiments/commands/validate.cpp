// SPDX-License-Identifier: Apache-2.0
#include "experiments/commands/validate.hpp"

#include <fmt/format.h>

#include <cstdio>

#include "experiments/commands/sweep.hpp"

namespace prelude::experiments {

int validate(const ValidateCommand& command, const MakeTaskSet& make_task_set) {
    Problems problems;
    const auto protocol = read_protocol(command.folder, problems);
    problems.throw_if_any();
    const auto task_set = make_task_set({});
    Predictor predictor(protocol, command.folder, arch_configs_folder(), task_set);
    std::vector<ValidationRow> rows;
    for (const auto& design : protocol.designs) {
        const auto published = protocol.published.find(design.name);
        rows.push_back({.design = &design,
                        .prediction = predictor.of(design),
                        .published = published == protocol.published.end() ? nullptr : &published->second});
    }
    const auto form = command.csv ? ValidationForm::csv : command.markdown ? ValidationForm::markdown : ValidationForm::text;
    std::fputs((print_validation(rows, form) + (form == ValidationForm::csv ? "" : "\n")).c_str(), stdout);
    std::set<std::string> left_out;
    for (const auto& row : rows) left_out.insert(row.prediction.left_out.begin(), row.prediction.left_out.end());
    for (const auto& reason : left_out) std::fputs(fmt::format("left out: {}\n", reason).c_str(), stderr);
    return kDone;
}

}  // namespace prelude::experiments
