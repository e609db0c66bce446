// SPDX-License-Identifier: Apache-2.0
#pragma once

// Ctrl-C, politely: the first SIGINT or SIGTERM asks the sweep to end well, the second one ends the process at once (exit code 130).

namespace prelude::experiments {

inline constexpr int kInterruptedExitCode = 130;

/// Contract   at most one exists at a time; the former handlers come back when it ends
class Interrupt {
  public:
    Interrupt();
    Interrupt(const Interrupt&) = delete;
    Interrupt& operator=(const Interrupt&) = delete;
    ~Interrupt();

    [[nodiscard]] bool is_requested() const noexcept;
    /// Becomes readable with the first signal.
    [[nodiscard]] int descriptor() const noexcept;
};

}  // namespace prelude::experiments
