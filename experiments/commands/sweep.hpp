// SPDX-License-Identifier: Apache-2.0
#pragma once

// explore --config FILE: a whole sweep or one shard of it.

#include <string>
#include <vector>

#include "experiments/cli/program.hpp"
#include "experiments/store/store.hpp"
#include "experiments/sweep/plan.hpp"

namespace prelude::experiments {

struct SweepCommand {
    std::filesystem::path config;
    std::vector<std::string> sets;
    std::filesystem::path out;  ///< empty: out/NAME of the configuration
    int num_jobs = 0;           ///< 0: one per core
    Shard shard;
    bool dry_run = false;
    bool fresh = false;
    bool quiet = false;
    std::vector<std::string> strict;  ///< latency, power, resources
    std::filesystem::path trace;
    std::vector<std::string> arguments;  ///< as typed, for run.json
};

/// Throws    ConfigError, StoreError, models::InputError
[[nodiscard]] int sweep(const SweepCommand& command, const MakeTaskSet& make_task_set);

/// Where devices and cost tables are: PRELUDE_ARCH_CONFIGS, else arch_configs/ of the source tree this program was built from.
[[nodiscard]] std::filesystem::path arch_configs_folder();

}  // namespace prelude::experiments
