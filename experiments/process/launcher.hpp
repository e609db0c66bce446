// SPDX-License-Identifier: Apache-2.0
#pragma once

// Computes jobs in forked children of a small process, the launcher, that was itself forked before anything else happened:
// no threads, no OpenMP, no SQLite, but configuration and grid already in memory. A crash costs its job and nothing else.

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include "experiments/process/descriptor.hpp"
#include "experiments/process/frame.hpp"
#include "models/progress.hpp"

namespace prelude::experiments {

/// What became of a job.
struct Outcome {
    std::uint64_t id = 0;
    bool ok = false;
    std::string value;   ///< what the work returned, at most kMaxPayloadBytes
    bool refused = false;  ///< no value, because of the user's input
    std::string reason;  ///< why there is no value: the message of an exception, or how the process ended
};

/// The launcher itself is gone (kill -9). What was stored is valid; nothing more can be computed.
class LauncherLost final : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

/// Contract
///   - constructed before the process has run a thread, an OpenMP region, oneDNN or SQLite, which would not survive the fork;
///   - at most `num_workers` jobs at a time, in the order of submission, each in its own process and process group;
///   - the work may itself fork; whatever it leaves behind is killed when it ends;
///   - a child that throws, crashes, is killed, exits early or returns too much is an Outcome with a reason; what it printed last is part
///   of it;
///   - nothing outlives its parent: children die with the launcher, the launcher and all its children with the process that made it;
///   - Ctrl-C does not reach launcher and children (they are process groups of their own): stopping is the caller's decision.
class Launcher {
  public:
    using Work = std::function<std::string(const std::string& job, const models::ReportProgress& report)>;

    struct Options {
        int num_workers = 1;
        int num_threads = 1;  ///< OpenMP threads of one child
    };

    Launcher(Work work, Options options);
    Launcher(const Launcher&) = delete;
    Launcher& operator=(const Launcher&) = delete;
    ~Launcher();

    void submit(std::uint64_t id, const std::string& job);

    /// Outcomes that have arrived; waits for the first one, for `wake` to become readable, or for the timeout.
    /// Throws    LauncherLost
    [[nodiscard]] std::vector<Outcome> wait(std::chrono::milliseconds timeout, int wake = -1);

    /// How much of a job that runs is done, as far as it has said; 0 before.
    [[nodiscard]] double share_done(std::uint64_t id) const;

    /// Kills what runs and waits until the launcher has ended. Nothing else may be called afterwards.
    void stop() noexcept;

    [[nodiscard]] pid_t process() const noexcept { return process_; }

  private:
    [[nodiscard]] std::vector<Outcome> take_frames();
    [[noreturn]] void lost();

    pid_t process_ = -1;
    Descriptor socket_;
    FrameReader reader_;
    std::map<std::uint64_t, pid_t> groups_;  ///< of jobs that run, to be killed if the launcher is lost
    std::map<std::uint64_t, double> shares_; ///< of jobs that run, what they said is done
};

/// Cores this process may use.
[[nodiscard]] int num_cores() noexcept;

}  // namespace prelude::experiments
