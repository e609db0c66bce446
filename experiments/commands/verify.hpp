// SPDX-License-Identifier: Apache-2.0
#pragma once

// explore verify: a build's dumps and reports against an export.

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "experiments/handoff/verification.hpp"
#include "experiments/hls/tool_report.hpp"

namespace prelude::experiments {

struct VerifyCommand {
    VerificationOptions dumps;  ///< actual empty: reports alone
    std::map<ReportKind, std::filesystem::path> reports;
    std::filesystem::path tolerances, baseline;    ///< empty: the defaults; none
    bool update_baseline = false;                  ///< writes the baseline instead of comparing with it
    std::filesystem::path junit, html, heat_maps;  ///< empty: not written
    bool quiet = false;
};

/// 0: everything agrees; 1: something does not; 3 (thrown, or a dump that cannot be read): an input is broken.
/// Throws    models::InputError, ConfigError
[[nodiscard]] int verify(const VerifyCommand& command);

}  // namespace prelude::experiments
