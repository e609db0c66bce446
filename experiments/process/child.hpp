// SPDX-License-Identifier: Apache-2.0
#pragma once

// One forked computation, seen from its parent: what it returned, what it printed, how it ended.

#include <signal.h>
#include <sys/types.h>

#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "experiments/process/descriptor.hpp"
#include "experiments/process/frame.hpp"
#include "models/progress.hpp"

namespace prelude::experiments {

class Child {
  public:
    using Work = std::function<std::string(const std::string& job, const models::ReportProgress& report)>;

    /// What the new process must put right before it works.
    struct Setup {
        int num_threads = 1;
        sigset_t signals{};         ///< mask to return to
        int close_descriptor = -1;  ///< the parent's socket: held open by nobody else, so that its end is noticed
    };

    /// Forks. Throws std::system_error when the system has no process or pipe left.
    Child(std::uint64_t id, const std::string& job, const Work& work, const Setup& setup);
    Child(Child&&) noexcept = default;
    Child& operator=(Child&&) noexcept = default;

    [[nodiscard]] std::uint64_t id() const noexcept { return id_; }
    [[nodiscard]] pid_t process() const noexcept { return process_; }
    [[nodiscard]] int result_descriptor() const noexcept { return result_.get(); }
    [[nodiscard]] int text_descriptor() const noexcept { return text_.get(); }

    /// Reads what has arrived, without waiting. A child that sends rubbish or too much is killed.
    void read();
    /// What it last said of how far it is, once.
    [[nodiscard]] std::optional<Frame> take_progress() { return std::exchange(progress_, std::nullopt); }
    /// Call once the process has been reaped: the last frame, `result`, `refusal` or `failure`.
    [[nodiscard]] Frame finish(int wait_status);
    void kill_group() const noexcept;

  private:
    void read_result();
    void read_text();
    [[nodiscard]] std::string last_words() const;

    std::uint64_t id_;
    pid_t process_ = -1;
    Descriptor result_, text_;
    FrameReader reader_;
    std::optional<Frame> progress_, last_;  ///< last: what came after all progress, `result`, `refusal` or `failure`
    std::string tail_;  ///< the end of what it printed
};

}  // namespace prelude::experiments
