// SPDX-License-Identifier: Apache-2.0
#include "experiments/sweep/run.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <map>
#include <optional>
#include <unordered_set>

#include "experiments/output/progress.hpp"
#include "experiments/process/launcher.hpp"
#include "experiments/sweep/pareto.hpp"
#include "experiments/sweep/prune.hpp"

namespace prelude::experiments {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::milliseconds kPatience(250);  ///< between redraws of the progress bar

/// In the child: one task, and the record of it that travels back.
std::string compute(const Plan& plan, const Grid& grid, const TaskSet& task_set, const fs::path& cache, const std::string& job,
                    const models::ReportProgress& report) {
    std::size_t position = 0;
    std::from_chars(job.data(), job.data() + job.size(), position);
    const auto& task = plan.tasks.at(position);
    const auto start = Clock::now();
    auto value = task_set.run_task(task, grid, cache, report);
    auto files = json::array();
    for (const auto& file : files_of(cache, task.key)) files.push_back({file.name, file.num_bytes, file.sha256});
    const json record = {
        {"value", std::move(value)}, {"files", std::move(files)}, {"seconds", std::chrono::duration<double>(Clock::now() - start).count()}};
    return record.dump(-1, ' ', false, json::error_handler_t::replace);
}

StoredTask record_of(const Outcome& outcome, const Task& task) {
    StoredTask stored;
    stored.kind = name_of(task.kind);
    if (!outcome.ok) {
        stored.result = {false, outcome.reason, nullptr};
        return stored;
    }
    try {
        auto record = json::parse(outcome.value);
        stored.result = {true, {}, std::move(record.at("value"))};
        for (const auto& file : record.at("files"))
            stored.files.push_back({file.at(0).get<std::string>(), file.at(1).get<std::uint64_t>(), file.at(2).get<std::string>()});
        stored.seconds = record.at("seconds").get<double>();
    } catch (const json::exception& error) {
        stored = {{false, fmt::format("the result cannot be read: {}", error.what()), nullptr}, stored.kind, {}, 0};
    }
    return stored;
}

class Sweep {
  public:
    Sweep(const Plan& plan, const Grid& grid, const TaskSet& task_set, const SweepInfo& info, const SweepOptions& options, Store& store,
          Launcher& launcher, const Interrupt& interrupt)
        : plan_(plan),
          grid_(grid),
          task_set_(task_set),
          info_(info),
          options_(options),
          store_(store),
          launcher_(launcher),
          interrupt_(interrupt),
          prunes_(grid.configuration().base.sweep.prune && task_set.best_case != nullptr),
          estimate_(options.num_jobs),
          schedule_(plan, find_done(), find_held()),
          points_of_(plan.tasks.size()),
          progress_(schedule_.num_open(), {options.quiet, is_terminal(STDERR_FILENO), terminal_width(STDERR_FILENO, 80)}) {
        for (std::uint32_t t = 0; t < plan.tasks.size(); ++t) {
            auto& kind = kind_of(t);
            ++kind.distinct;
            if (schedule_.state(t) == Schedule::State::done)
                ++kind.reused;
            else
                estimate_.expect(std::string(name_of(plan.tasks[t].kind)));
        }
    }

    SweepSummary run() {
        begin();
        num_tasks_ = schedule_.num_open();
        while (!is_over()) {
            while (is_at_barrier()) decide_round();
            while (running_.size() < static_cast<std::size_t>(options_.num_jobs)) {
                const auto task = schedule_.start_next();
                if (!task) break;
                launcher_.submit(*task, std::to_string(*task));
                running_.emplace(*task, Clock::now());
            }
            show_progress();
            take(launcher_.wait(kPatience, interrupt_.descriptor()));
        }
        show_progress();
        summary_.interrupted = interrupt_.is_requested();
        launcher_.stop();
        return summary_;
    }

  private:
    [[nodiscard]] bool is_over() const { return interrupt_.is_requested() || !summary_.assumed.empty() || (schedule_.num_open() == 0 && undecided_.empty()); }

    SweepSummary::Kind& kind_of(std::uint32_t task) { return summary_.kinds[std::string(name_of(plan_.tasks[task].kind))]; }

    /// Stored results count, unless an open task needs shared files of theirs that are no longer what they were.
    std::vector<bool> find_done() {
        const auto keys = store_.finished_keys();
        const std::unordered_set<std::string> finished(keys.begin(), keys.end());
        std::vector<bool> done(plan_.tasks.size());
        for (std::size_t t = 0; t < done.size(); ++t)
            done[t] = finished.contains(plan_.tasks[t].key) && !(options_.recompute_timing && plan_.tasks[t].kind == TaskKind::timing);
        std::vector<bool> checked(plan_.tasks.size());
        for (std::size_t t = done.size(); t-- > 0;) {  // users before what they need
            if (done[t]) continue;
            for (const auto need : plan_.needs[t]) {
                if (!done[need] || checked[need]) continue;
                checked[need] = true;
                done[need] = is_whole(plan_.tasks[need].key);
            }
        }
        return done;
    }

    /// Simulations wait until a round of pruning asks for them.
    std::vector<bool> find_held() {
        std::vector<bool> held(plan_.tasks.size());
        for (std::size_t t = 0; prunes_ && t < held.size(); ++t) held[t] = plan_.tasks[t].kind == TaskKind::timing;
        return held;
    }

    bool is_whole(const std::string& key) {
        const auto cache = options_.out / "cache";
        const auto task = store_.task(key);
        if (!task) return false;
        const bool whole =
            std::all_of(task->files.begin(), task->files.end(), [&](const CachedFile& file) { return is_intact(cache, file); });
        if (whole) return true;
        for (const auto& file : task->files) forget(cache, file);
        store_.drop_task(key);
        return false;
    }

    /// Gives every point a row, and those whose tasks are all known their final one.
    void begin() {
        std::vector<Store::PendingPoint> points;
        for (const auto& point : plan_.points) points.push_back({point.index, point.swept});
        missing_.assign(plan_.points.size(), 0);
        for (std::uint32_t p = 0; p < plan_.points.size(); ++p)
            for (const auto task : plan_.points[p].tasks) {
                if (prunes_ && plan_.tasks[task].kind == TaskKind::timing) {
                    undecided_.emplace(p, task);
                    ++missing_[p];  // the decision
                }
                if (schedule_.state(task) == Schedule::State::done) continue;
                ++missing_[p];
                points_of_[task].push_back(p);
            }
        auto transaction = store_.transaction();
        store_.begin(info_, points);
        for (std::uint32_t p = 0; p < plan_.points.size(); ++p)
            if (missing_[p] == 0) write_row(p);
        transaction.commit();
    }

    void take(const std::vector<Outcome>& outcomes) {
        if (outcomes.empty()) return;
        auto transaction = store_.transaction();
        for (const auto& outcome : outcomes) take(outcome);
        transaction.commit();
    }

    void take(const Outcome& outcome) {
        const auto position = static_cast<std::uint32_t>(outcome.id);
        const auto& task = plan_.tasks.at(position);
        auto& kind = kind_of(position);
        running_.erase(position);
        const auto stored = record_of(outcome, task);
        store_.put_task(task.key, stored);
        kind.seconds += stored.seconds;
        if (stored.result.ok) {
            ++kind.computed;
            estimate_.took(std::string(name_of(task.kind)), stored.seconds);
            schedule_.finish(position);
            settle(position);
            return;
        }
        summary_.only_refusals = (num_failed_ == 0 || summary_.only_refusals) && outcome.refused;
        const auto failed = schedule_.fail(position, fmt::format("{}: {}", name_of(task.kind), stored.result.reason));
        for (const auto lost : failed) {
            ++kind_of(lost).failed;
            ++num_failed_;
            estimate_.drop(std::string(name_of(plan_.tasks[lost].kind)));
            settle(lost);
        }
    }

    void settle(std::uint32_t task) {
        for (const auto p : points_of_[task])
            if (--missing_[p] == 0 && !pruned_by_.contains(p)) write_row(p);
    }

    /// Nothing is left to do but simulations that no round has asked for.
    [[nodiscard]] bool is_at_barrier() const { return !undecided_.empty() && schedule_.num_open() == schedule_.num_held(); }

    void decide_round() {
        std::vector<std::uint32_t> points;
        std::vector<BestCase> open;
        for (const auto& [p, timing] : undecided_) {
            auto& best = best_cases_[p];
            if (!best) best = task_set_.best_case(grid_, plan_.points[p].index, results_of(p).first);
            points.push_back(p);
            open.push_back(*best);
        }
        std::ranges::sort(rows_, {}, &Row::point);
        const auto round = prune(info_, rows_, open);
        auto transaction = store_.transaction();
        std::vector<std::uint32_t> given_up;
        for (const auto& [position, by] : round.pruned) {
            const auto p = points[position];
            pruned_by_.emplace(p, by);
            given_up.push_back(undecided_.at(p));
            undecided_.erase(p);
            write_row(p);
        }
        for (const auto position : round.simulate) {
            const auto p = points[position];
            schedule_.release(undecided_.at(p));
            undecided_.erase(p);
            if (--missing_[p] == 0) write_row(p);
        }
        for (const auto task : given_up) {
            const bool needed = std::ranges::any_of(undecided_, [&](const auto& other) { return other.second == task; });
            if (needed || !schedule_.is_held(task)) continue;
            schedule_.drop(task);
            estimate_.drop(std::string(name_of(TaskKind::timing)));
        }
        transaction.commit();
    }

    /// What is known of a point, and the keys of its tasks. Of a pruned point a simulation that another sweep left does not count.
    std::pair<TaskResults, std::vector<std::string>> results_of(std::uint32_t p) {
        TaskResults results;
        std::vector<std::string> keys;
        for (const auto task : plan_.points[p].tasks) {
            const auto& key = plan_.tasks[task].key;
            if (plan_.tasks[task].kind == TaskKind::timing && (undecided_.contains(p) || pruned_by_.contains(p))) continue;
            keys.push_back(key);
            if (schedule_.state(task) == Schedule::State::failed)
                results[key] = {false, schedule_.reason(task), nullptr};
            else if (auto stored = store_.task(key))
                results[key] = std::move(stored->result);
        }
        return {std::move(results), std::move(keys)};
    }

    void write_row(std::uint32_t p) {
        const auto& point = plan_.points[p];
        const auto [results, keys] = results_of(p);
        Row row;
        try {
            row = task_set_.make_row(grid_, point.index, results);
        } catch (const std::exception& error) {
            row.cells = {{"status", "failed"}, {"reason", fmt::format("the row cannot be put together: {}", error.what())}};
            row.layers.clear();
        }
        if (const auto by = pruned_by_.find(p); by != pruned_by_.end()) {
            auto& reason = row.cells["reason"];
            reason += fmt::format("{}dominated by point {} by its bound (sweep.prune)", reason.empty() ? "" : "; ", by->second);
        }
        row.point = point.index;
        row.cells["point"] = std::to_string(point.index);
        for (std::size_t k = 0; k < info_.swept.size(); ++k) row.cells[info_.swept[k]] = point.swept[k];
        store_.put_row(row, keys);
        if (prunes_) rows_.push_back(row);
        for (const auto& column : options_.strict)
            if (text_in(row, column) == "assumed") {
                const auto names = row.assumed.find(column);
                summary_.assumed.push_back(fmt::format("{} (point {})", column, point.index));
                if (names != row.assumed.end()) summary_.assumed.back() += fmt::format(": {}", fmt::join(names->second, ", "));
            }
    }

    void show_progress() {
        if (num_tasks_ == 0) return;
        std::vector<Estimate::Running> running;
        std::string what;
        double share = 0;
        for (const auto& [task, start] : running_) {
            const std::string kind(name_of(plan_.tasks[task].kind));
            running.push_back({kind, std::chrono::duration<double>(Clock::now() - start).count(), launcher_.share_done(task)});
            share += running.back().share;
            if (running.back().share > 0) what += fmt::format("{}{} {:.0f} %", what.empty() ? "" : ", ", kind, 100 * running.back().share);
            else what += (what.empty() ? "" : ", ") + kind;
        }
        progress_.show(num_tasks_ - schedule_.num_open(), num_failed_, estimate_.seconds_left(running), what, share);
    }

    const Plan& plan_;
    const Grid& grid_;
    const TaskSet& task_set_;
    const SweepInfo& info_;
    const SweepOptions& options_;
    Store& store_;
    Launcher& launcher_;
    const Interrupt& interrupt_;
    SweepSummary summary_;
    const bool prunes_;
    Estimate estimate_;
    Schedule schedule_;
    std::vector<std::vector<std::uint32_t>> points_of_;  ///< by task: the points that wait for it
    std::vector<std::uint32_t> missing_;                 ///< by point: tasks not yet known
    std::map<std::uint32_t, std::uint32_t> undecided_;    ///< points that may be simulated or pruned, and their timing task
    std::map<std::uint32_t, std::int64_t> pruned_by_;     ///< by point: number of the point that beats it
    std::map<std::uint32_t, std::optional<BestCase>> best_cases_;
    std::vector<Row> rows_;                               ///< written so far
    Progress progress_;
    std::size_t num_tasks_ = 0, num_failed_ = 0;
    std::map<std::uint32_t, Clock::time_point> running_;  ///< tasks and when they were submitted
};

}  // namespace

fs::path store_path(const fs::path& out, Shard shard) {
    return out / (shard.is_whole() ? std::string("results.db") : fmt::format("results.{}-of-{}.db", shard.number, shard.count));
}

SweepSummary run_sweep(const Grid& grid, const TaskSet& task_set, const SweepInfo& info, const SweepOptions& options,
                       const Interrupt& interrupt) {
    const auto plan = make_plan(grid, task_set, options.shard);
    const auto cache = options.out / "cache";
    const int num_threads = std::max(1, num_cores() / options.num_jobs);
    Launcher launcher([&](const std::string& job, const models::ReportProgress& report) { return compute(plan, grid, task_set, cache, job, report); },
                      {options.num_jobs, num_threads});
    Store store(store_path(options.out, options.shard), options.fresh ? Store::Opening::fresh : Store::Opening::resume);
    if (options.fresh && options.shard.is_whole()) clear_cache(cache);
    if (options.shard.is_whole()) remove_leftovers(options.out, std::chrono::seconds(0));  // whoever writes there holds the lock
    remove_leftovers(cache, std::chrono::hours(24));                                       // shards write there, too
    std::error_code failure;
    fs::create_directories(cache, failure);
    if (failure) throw StoreError(fmt::format("{}: cannot be created: {}", cache.string(), failure.message()));
    auto summary = Sweep(plan, grid, task_set, info, options, store, launcher, interrupt).run();
    summary.num_threads = num_threads;
    return summary;
}

}  // namespace prelude::experiments
