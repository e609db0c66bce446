// SPDX-License-Identifier: Apache-2.0
#include "experiments/commands/explain.hpp"

#include <fmt/format.h>

#include <cstdio>

#include "experiments/cli/program.hpp"
#include "experiments/columns.hpp"
#include "experiments/config/keys.hpp"

namespace prelude::experiments {

int explain_command(const std::string& name) {
    if (const auto text = explain(name)) {
        std::fputs(text->c_str(), stdout);
        return kDone;
    }
    if (const auto* column = find_column(name)) {
        std::fputs(fmt::format("{}\n    {}\n    column of results.csv{}\n", column->name, column->sentence,
                               column->unit.empty() ? "" : fmt::format(", in {}", column->unit))
                       .c_str(),
                   stdout);
        return kDone;
    }
    std::fputs(fmt::format("{}: {}\n`explore explain all` lists every key.\n", name, unknown_key_message(name)).c_str(), stderr);
    return kRejected;
}

}  // namespace prelude::experiments
