// SPDX-License-Identifier: Apache-2.0
#pragma once

// The distinct tasks of a sweep or shard, and how far they are. No processes and no files here.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "experiments/sweep/task_set.hpp"

namespace prelude::experiments {

/// One of `count` parts of a sweep; its points are neighbours, since neighbours share tasks.
struct Shard {
    int number = 1;  ///< 1..count
    int count = 1;
    [[nodiscard]] bool is_whole() const noexcept { return count == 1; }
    /// Half-open range of the points of a sweep of `num_points`.
    [[nodiscard]] std::int64_t begin(std::int64_t num_points) const noexcept;
    [[nodiscard]] std::int64_t end(std::int64_t num_points) const noexcept;
};

/// "2/4". Nothing when it is not k/n with 1 <= k <= n <= 10000.
[[nodiscard]] std::optional<Shard> parse_shard(std::string_view text);

struct PlannedPoint {
    std::int64_t index = 0;  ///< in the whole grid
    std::vector<std::string> swept;
    std::vector<std::uint32_t> tasks;  ///< positions in Plan::tasks
};

/// Contract
///   - every key once, in the order of first use, so needs come before their users;
///   - a task that needs a key its own point does not list is a programming error.
struct Plan {
    std::vector<Task> tasks;
    std::vector<std::vector<std::uint32_t>> needs, users;  ///< by position in tasks
    std::vector<PlannedPoint> points;
};
[[nodiscard]] Plan make_plan(const Grid& grid, const TaskSet& task_set, Shard shard = {});

/// Which tasks may start, which never will.
///
/// Contract   a task starts when all it needs is done; when one of these failed it fails with that reason, without being run
class Schedule {
  public:
    enum class State : std::uint8_t { waiting, ready, running, done, failed, dropped };

    /// `done` marks results that are already there, `held` tasks that start only once released.
    Schedule(const Plan& plan, const std::vector<bool>& done, std::vector<bool> held = {});

    /// The next task to start, first in plan order; it is `running` from now on.
    [[nodiscard]] std::optional<std::uint32_t> start_next();
    void finish(std::uint32_t task);
    /// Returns the tasks that fail with it, itself first.
    [[nodiscard]] std::vector<std::uint32_t> fail(std::uint32_t task, const std::string& reason);

    /// A held task may start from now on.
    void release(std::uint32_t task);
    /// A held task that nobody needs will not be run.
    void drop(std::uint32_t task);
    [[nodiscard]] bool is_held(std::uint32_t task) const { return held_[task]; }
    /// Open tasks that are held.
    [[nodiscard]] std::size_t num_held() const noexcept { return num_held_; }

    [[nodiscard]] State state(std::uint32_t task) const { return states_[task]; }
    [[nodiscard]] const std::string& reason(std::uint32_t task) const { return reasons_[task]; }
    /// Tasks that neither are done, failed nor dropped.
    [[nodiscard]] std::size_t num_open() const noexcept { return num_open_; }

  private:
    const Plan* plan_;
    std::vector<State> states_;
    std::vector<std::string> reasons_;
    std::vector<std::uint32_t> num_missing_;
    std::vector<bool> held_;
    std::size_t num_held_ = 0;
    std::vector<std::uint32_t> ready_;  ///< heap, smallest first
    std::size_t num_open_ = 0;
    void push_ready(std::uint32_t task);
};

}  // namespace prelude::experiments
