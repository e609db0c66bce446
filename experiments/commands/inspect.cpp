// SPDX-License-Identifier: Apache-2.0
#include "experiments/commands/inspect.hpp"

#include "experiments/cli/program.hpp"

#include <cstdio>

namespace prelude::experiments {

int inspect(const InspectCommand&) {
    std::fputs("explore inspect: not available in this version\n", stderr);
    return kUsage;
}

}  // namespace prelude::experiments
