// SPDX-License-Identifier: Apache-2.0
#pragma once

// How far a sweep is, on stderr: a bar that redraws itself on a terminal, a line now and then elsewhere.

#include <chrono>
#include <cstddef>
#include <map>
#include <span>
#include <string>

namespace prelude::experiments {

/// Guesses the time that is left from what tasks of the same kind took.
///
/// Limits   nothing is guessed before the first task has finished or told how far it is; kinds not met yet count as the mean of the others
class Estimate {
  public:
    explicit Estimate(int num_workers) : num_workers_(num_workers) {}
    void expect(const std::string& kind) { ++kinds_[kind].open; }
    void took(const std::string& kind, double seconds);
    /// Will not be computed after all.
    void drop(const std::string& kind);
    /// A task under way.
    struct Running {
        std::string kind;
        double seconds = 0;  ///< since its start
        double share = 0;    ///< done, as it says; 0: it has not said
    };
    /// What runs and says how far it is, is believed. Negative when nothing is known.
    [[nodiscard]] double seconds_left(std::span<const Running> running = {}) const;

  private:
    struct Kind {
        std::size_t open = 0, done = 0;
        double seconds = 0;
    };
    std::map<std::string, Kind> kinds_;
    int num_workers_;
};

/// "45 s", "3 min 20 s", "2 h 05 min"
[[nodiscard]] std::string print_duration(double seconds);

class Progress {
  public:
    struct Options {
        bool quiet = false;
        bool terminal = false;
        int width = 80;
        std::string unit = "tasks";  ///< of what is counted
    };
    Progress(std::size_t num_tasks, Options options);
    Progress(const Progress&) = delete;
    Progress& operator=(const Progress&) = delete;
    ~Progress();

    /// `what` names a task that runs or has just ended; `share_running`: of the tasks that run, how much is done, added up.
    void show(std::size_t num_done, std::size_t num_failed, double seconds_left, const std::string& what, double share_running = 0);
    /// A line of text that stays, above the bar.
    void note(const std::string& line);
    /// Takes the bar off the screen.
    void clear();

  private:
    using Clock = std::chrono::steady_clock;
    std::size_t num_tasks_;
    Options options_;
    Clock::time_point start_ = Clock::now(), shown_{};
    bool drawn_ = false;
};

/// The terminal a descriptor belongs to.
[[nodiscard]] bool is_terminal(int descriptor) noexcept;
/// Its width in characters; `otherwise` when there is none. COLUMNS overrides.
[[nodiscard]] int terminal_width(int descriptor, int otherwise) noexcept;

}  // namespace prelude::experiments
