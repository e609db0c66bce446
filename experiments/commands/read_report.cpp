// SPDX-License-Identifier: Apache-2.0
#include "experiments/commands/read_report.hpp"

#include <fmt/format.h>

#include <cstdio>

#include "experiments/cli/program.hpp"
#include "experiments/hls/tool_report.hpp"

namespace prelude::experiments {

int read_report(const ReadReportCommand& command) {
    const auto report = to_json(read_tool_report(command.file));
    std::string text;
    if (command.json) {
        text = report.dump(2) + "\n";
    } else {
        for (const auto& [key, value] : report.items()) text += fmt::format("{:<20}{}\n", key, value.is_null() ? "unknown" : value.is_string() ? value.get<std::string>() : value.dump());
    }
    std::fputs(text.c_str(), stdout);
    return kDone;
}

}  // namespace prelude::experiments
