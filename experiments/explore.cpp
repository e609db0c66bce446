// SPDX-License-Identifier: Apache-2.0
// The `explore` program: the command line (experiments/cli) over the evaluation of design points (experiments/evaluate).
#include "experiments/cli/program.hpp"

namespace {

using namespace prelude::experiments;

TaskSet evaluation(const EvaluationOptions& options) {
    const auto run = [trace = options.trace](const Task& task, const Grid& grid, const std::filesystem::path& cache, const prelude::models::ReportProgress& report) {
        return run_task(task, grid, cache, report, trace);
    };
    return {tasks_of, run, make_row, layer_columns(), best_case};
}

}  // namespace

int main(int argc, char** argv) { return run_program(argc, argv, evaluation); }
