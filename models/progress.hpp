// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <functional>

namespace prelude::models {

/// Told how much of a long computation is done: a share in [0, 1] that does not fall. Empty: nobody asks.
using ReportProgress = std::function<void(double share)>;

/// `report` for a part of a computation that goes from share `begin` to share `end` of the whole.
[[nodiscard]] inline ReportProgress part_of(const ReportProgress& report, double begin, double end) {
    if (!report) return {};
    return [report, begin, end](double share) { report(begin + (end - begin) * share); };
}

/// Reports that `done` of `total` steps are done.
inline void report_step(const ReportProgress& report, std::size_t done, std::size_t total) {
    if (report && total > 0) report(static_cast<double>(done) / static_cast<double>(total));
}

}  // namespace prelude::models
