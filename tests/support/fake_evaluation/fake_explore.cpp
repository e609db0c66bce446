// SPDX-License-Identifier: Apache-2.0
// `explore` with the fake evaluation: what tests kill, interrupt and resume.
#include "experiments/cli/program.hpp"
#include "tests/support/fake_evaluation/fake_tasks.hpp"

int main(int argc, char** argv) {
    using namespace prelude::experiments;
    return run_program(argc, argv, [](const EvaluationOptions&) { return fake_task_set(behaviour_from_environment()); });
}
