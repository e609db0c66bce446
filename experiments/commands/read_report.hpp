// SPDX-License-Identifier: Apache-2.0
#pragma once

// explore read-report FILE: what a report of Vivado HLS, Vitis HLS or Vivado says, in one form.

#include <filesystem>

namespace prelude::experiments {

struct ReadReportCommand {
    std::filesystem::path file;
    bool json = false;
};
[[nodiscard]] int read_report(const ReadReportCommand& command);

}  // namespace prelude::experiments
