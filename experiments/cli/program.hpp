// SPDX-License-Identifier: Apache-2.0
#pragma once

// The command line of `explore`: arguments in, exit code out. What is computed is handed in.

#include <filesystem>
#include <functional>

#include "experiments/sweep/task_set.hpp"

namespace prelude::experiments {

enum ExitCode : int {
    kDone = 0,
    kVerificationFailed = 1,
    kUsage = 2,
    kRejected = 3,
    kNoFeasiblePoint = 4,
    kInternalError = 5,
};

/// What the evaluation is told beside the configuration.
struct EvaluationOptions {
    std::filesystem::path trace;  ///< --trace; empty: none
};
using MakeTaskSet = std::function<TaskSet(const EvaluationOptions&)>;

/// Contract
///   - results on stdout or in files, everything else on stderr;
///   - usage errors: 2; configuration, input and store: 3, the complete text of the error on stderr; what nobody foresaw: 5.
[[nodiscard]] int run_program(int argc, char** argv, const MakeTaskSet& make_task_set);

}  // namespace prelude::experiments
