// SPDX-License-Identifier: Apache-2.0
// The `explore` program: the command line (experiments/cli) over the evaluation of design points (experiments/evaluate).
#include "experiments/cli/program.hpp"
#include "models/error.hpp"

namespace {

using namespace prelude::experiments;

TaskSet evaluation(const EvaluationOptions& options) {
    if (!options.trace.empty()) throw prelude::models::InputError("--trace: not available in this version");
    return {tasks_of, run_task, make_row, layer_columns(), best_case};
}

}  // namespace

int main(int argc, char** argv) { return run_program(argc, argv, evaluation); }
