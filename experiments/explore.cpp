// SPDX-License-Identifier: Apache-2.0
// The `explore` program: the command line (experiments/cli) over the evaluation of design points (experiments/evaluate).
#include "experiments/cli/program.hpp"

int main(int argc, char** argv) {
    using namespace prelude::experiments;
    return run_program(argc, argv, [](const EvaluationOptions&) { return TaskSet{tasks_of, run_task, make_row, layer_columns()}; });
}
