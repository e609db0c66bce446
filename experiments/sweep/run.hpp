// SPDX-License-Identifier: Apache-2.0
#pragma once

// The loop of a sweep: what the store lacks is computed by the launcher's children and written down as it arrives.

#include <cstddef>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "experiments/store/store.hpp"
#include "experiments/sweep/interrupt.hpp"
#include "experiments/sweep/plan.hpp"

namespace prelude::experiments {

struct SweepOptions {
    std::filesystem::path out;  ///< DIR
    int num_jobs = 1;
    Shard shard;
    bool fresh = false;
    bool quiet = false;
    std::vector<std::string> strict;  ///< columns that may not say `assumed`: "latency_status"
    bool recompute_timing = false;    ///< a trace is wanted: stored results have none
};

/// Where a shard keeps what it finds; the whole sweep: DIR/results.db.
[[nodiscard]] std::filesystem::path store_path(const std::filesystem::path& out, Shard shard);

struct SweepSummary {
    struct Kind {
        std::size_t distinct = 0, reused = 0, computed = 0, failed = 0;
        double seconds = 0;  ///< of computing, all workers together
    };
    std::map<std::string, Kind> kinds;
    bool interrupted = false;
    bool only_refusals = false;  ///< tasks failed, all of them because of the user's input
    std::vector<std::string> assumed;  ///< "power_status (point 3): energy.lut_pj.versal, ..." that --strict forbids: the sweep was stopped there
    int num_threads = 1;               ///< of each job
};

/// Runs a sweep or shard to its end, to the first Ctrl-C, or to the first row that --strict refuses. The store holds what is done.
///
/// Contract
///   - nothing but the caller's reading of the configuration happened before: this forks the launcher first of all;
///   - the rows do not depend on the number of jobs, the order of their ends, on shards, or on interruptions;
///   - a failure is never reused: the next run tries again;
///   - with sweep.prune all other tasks come first, then rounds of simulations (experiments/sweep/prune.hpp), each a barrier: which points are pruned
///     depends neither on the number of jobs nor on what the store already holds.
/// Throws    StoreError, LauncherLost
[[nodiscard]] SweepSummary run_sweep(const Grid& grid, const TaskSet& task_set, const SweepInfo& info, const SweepOptions& options,
                                     const Interrupt& interrupt);

}  // namespace prelude::experiments
