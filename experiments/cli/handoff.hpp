// SPDX-License-Identifier: Apache-2.0
#pragma once

// The commands of the hand-off to HLS: export, verify, calibrate-costs.

#include <CLI/CLI.hpp>
#include <optional>
#include <string>

#include "experiments/cli/program.hpp"
#include "experiments/commands/calibrate_costs.hpp"
#include "experiments/commands/export.hpp"
#include "experiments/commands/verify.hpp"

namespace prelude::experiments {

class HandoffCommands final {
  public:
    /// Declares the commands; lives as long as the app.
    explicit HandoffCommands(CLI::App& app);
    HandoffCommands(const HandoffCommands&) = delete;
    HandoffCommands& operator=(const HandoffCommands&) = delete;

    /// What is wrong with the arguments of the command that was parsed; empty: nothing.
    [[nodiscard]] std::string problem() const;
    /// Exit code of the command that was parsed; nothing: none of these.
    [[nodiscard]] std::optional<int> run(const MakeTaskSet& make_task_set) const;

  private:
    void declare_export(CLI::App& app);
    void declare_verify(CLI::App& app);
    void declare_calibrate_costs(CLI::App& app);

    CLI::App *export_ = nullptr, *verify_ = nullptr, *calibrate_costs_ = nullptr;
    ExportCommand export_command_;
    VerifyCommand verify_command_;
    CalibrateCostsCommand calibrate_costs_command_;
};

}  // namespace prelude::experiments
