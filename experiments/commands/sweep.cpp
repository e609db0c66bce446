// SPDX-License-Identifier: Apache-2.0
#include "experiments/commands/sweep.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>

#include "experiments/config/canonical.hpp"
#include "experiments/output/files.hpp"
#include "experiments/output/progress.hpp"
#include "experiments/output/run_record.hpp"
#include "experiments/output/table.hpp"
#include "experiments/process/launcher.hpp"
#include "experiments/sweep/describe.hpp"
#include "experiments/sweep/run.hpp"
#include "models/error.hpp"

namespace prelude::experiments {

namespace fs = std::filesystem;

namespace {

void print(std::FILE* file, const std::string& text) {
    std::fputs(text.c_str(), file);
}

constexpr std::size_t kShownPoints = 1'000;

int dry_run(const Grid& grid, const TaskSet& task_set, Shard shard) {
    const auto plan = make_plan(grid, task_set, shard);
    const auto keys = grid.columns();
    print(stdout, fmt::format("{} point{}", plan.points.size(), plan.points.size() == 1 ? "" : "s"));
    if (!shard.is_whole()) print(stdout, fmt::format(" of {} (shard {}/{})", grid.size(), shard.number, shard.count));
    print(stdout, "\n");
    for (std::size_t p = 0; p < std::min(plan.points.size(), kShownPoints); ++p) {
        const auto& point = plan.points[p];
        auto line = fmt::format("  {}", point.index);
        for (std::size_t k = 0; k < keys.size(); ++k) line += fmt::format("  {}={}", keys[k], point.swept[k]);
        print(stdout, line + "\n");
    }
    if (plan.points.size() > kShownPoints) print(stdout, fmt::format("  ... and {} more\n", plan.points.size() - kShownPoints));
    std::map<TaskKind, std::size_t> kinds, uses;
    for (const auto& task : plan.tasks) ++kinds[task.kind];
    for (const auto& point : plan.points)
        for (const auto task : point.tasks) ++uses[plan.tasks[task].kind];
    print(stdout, fmt::format("{} distinct task{}\n", plan.tasks.size(), plan.tasks.size() == 1 ? "" : "s"));
    for (const auto& [kind, count] : kinds)
        print(stdout, fmt::format("  {:<10} {:>7}   used by {} point{}\n", name_of(kind), count, uses[kind], uses[kind] == 1 ? "" : "s"));
    return kDone;
}

std::vector<std::string> status_columns(const std::vector<std::string>& figures) {
    // The columns have the name of the thing in the singular: --strict=resources, resource_status.
    std::vector<std::string> columns;
    for (const auto& figure : figures) columns.push_back(figure == "resources" ? "resource_status" : figure + "_status");
    return columns;
}

int refuse_assumed(const std::vector<std::string>& assumed) {
    constexpr std::size_t kShown = 10;
    print(stderr, "--strict: figures behind these columns are assumed, not measured, calibrated or published:\n");
    for (std::size_t i = 0; i < std::min(assumed.size(), kShown); ++i) print(stderr, fmt::format("    {}\n", assumed[i]));
    if (assumed.size() > kShown) print(stderr, fmt::format("    ... and {} more\n", assumed.size() - kShown));
    print(stderr, "No result was written; the store keeps what was computed.\n");
    return kRejected;
}

/// Failures as the user should see them: each reason once, with how many points it cost.
void print_failures(const Results& results) {
    std::map<std::string, std::size_t> reasons;
    for (const auto& row : results.rows)
        if (text_in(row, "status") == "failed") ++reasons[text_in(row, "reason")];
    constexpr std::size_t kShown = 10;
    std::size_t shown = 0;
    for (const auto& [reason, count] : reasons) {
        if (++shown > kShown) break;
        print(stderr, fmt::format("prelude: {} point{} failed: {}\n", count, count == 1 ? "" : "s", reason));
    }
}

}  // namespace

fs::path arch_configs_folder() {
    if (const char* folder = std::getenv("PRELUDE_ARCH_CONFIGS"); folder != nullptr && *folder != '\0') return folder;
    return fs::path(PRELUDE_SOURCE_DIR) / "arch_configs";
}

int sweep(const SweepCommand& command, const MakeTaskSet& make_task_set) {
    const RunTimes begun{std::chrono::system_clock::now(), 0};
    const auto clock = std::chrono::steady_clock::now();
    const auto configuration = read_configuration(command.config, command.sets, arch_configs_folder());
    const Grid grid(configuration);
    if (!command.trace.empty()) {
        const auto folder = fs::absolute(command.trace).parent_path();
        if (!fs::is_directory(folder)) throw models::InputError(fmt::format("--trace {}: there is no folder {}", command.trace.string(), folder.string()));
    }
    const auto task_set = make_task_set({command.trace});
    if (!command.trace.empty() && grid.size() != 1)
        throw models::InputError(
            fmt::format("--trace {}: a trace is of one design point, this sweep has {}\n    allowed   pin the axes with --set",
                        command.trace.string(), grid.size()));
    if (configuration.base.sweep.prune && !command.shard.is_whole())
        throw models::InputError("--shard: with sweep.prune a shard would not know the points of the others\n    allowed   --set sweep.prune=false");
    for (const auto& warning : configuration.warnings) print(stderr, fmt::format("warning: {}\n", warning));
    if (command.dry_run) return dry_run(grid, task_set, command.shard);

    SweepOptions options;
    options.out = command.out.empty() ? fs::path("out") / command.config.stem() : command.out;
    options.num_jobs = command.num_jobs > 0 ? command.num_jobs : num_cores();
    options.shard = command.shard;
    options.fresh = command.fresh;
    options.quiet = command.quiet;
    options.strict = status_columns(command.strict);
    options.recompute_timing = !command.trace.empty();
    const auto info = info_of(configuration, grid, task_set);

    const Interrupt interrupt;
    const auto summary = run_sweep(grid, task_set, info, options, interrupt);
    if (!summary.assumed.empty()) return refuse_assumed(summary.assumed);

    const auto store = Store::open_existing(store_path(options.out, options.shard), true);
    const auto results = Results::of(store);
    if (options.shard.is_whole()) {
        write_outputs(options.out, results, store);
        RunTimes times = begun;
        times.wall_s = std::chrono::duration<double>(std::chrono::steady_clock::now() - clock).count();
        write_atomically(options.out / "run.json",
                         run_record(results, &summary, options.num_jobs, times, command.arguments).dump(2) + "\n");
        print(stdout, print_table(results, is_terminal(STDOUT_FILENO) ? terminal_width(STDOUT_FILENO, 0) : 0));
        print(stdout, print_summary(results));
        print(stdout, print_comparisons(results));
        print(stdout, fmt::format("{}\n", (options.out / "report.html").string()));
    } else {
        print(stdout, print_summary(results));
        print(stdout, fmt::format("{}; `explore report {}` merges all {} shards\n", store.file().string(), options.out.string(),
                                  options.shard.count));
    }
    print_failures(results);
    if (summary.interrupted) {
        print(stderr, "prelude: interrupted; the same command resumes\n");
        return kInterruptedExitCode;
    }
    const int code = exit_code_of(results);
    if (code == kInternalError && summary.only_refusals) return kRejected;
    // That no point of a part is feasible says nothing about the whole.
    return code == kNoFeasiblePoint && !options.shard.is_whole() ? kDone : code;
}

}  // namespace prelude::experiments
