// SPDX-License-Identifier: Apache-2.0
#pragma once

// run.json: by what, on what, when and how long. Everything that differs between equal runs stands here and nowhere else.

#include <chrono>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "experiments/output/files.hpp"
#include "experiments/sweep/run.hpp"

namespace prelude::experiments {

struct RunTimes {
    std::chrono::system_clock::time_point started;
    double wall_s = 0;
};

[[nodiscard]] nlohmann::json run_record(const Results& results, const SweepSummary* summary, int num_jobs, const RunTimes& times,
                                        const std::vector<std::string>& arguments);

}  // namespace prelude::experiments
