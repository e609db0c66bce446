// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>

#include "experiments/evaluate/model.hpp"
#include "quant/calibration/observer.hpp"

namespace prelude::experiments {

/// Ranges of a design point outside a sweep: those a sweep or an earlier call left in `file`, else calibrated now and left there. An empty name: no file.
/// Contract  a file that is cut short is replaced, not trusted
[[nodiscard]] quant::Ranges calibrated_ranges(const Settings& settings, const LoadedModel& model, const std::filesystem::path& file);

}  // namespace prelude::experiments
