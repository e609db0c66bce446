// SPDX-License-Identifier: Apache-2.0
#include "experiments/commands/run_image.hpp"

#include "experiments/cli/program.hpp"

#include <cstdio>

namespace prelude::experiments {

int run_image(const RunCommand&) {
    std::fputs("explore run: not available in this version\n", stderr);
    return kUsage;
}

}  // namespace prelude::experiments
