// SPDX-License-Identifier: Apache-2.0
#pragma once

// Reading a row's channels in the order of their groups: a gather over banks, with its conflicts.

#include <cstdint>

#include "quant/format_plan.hpp"

namespace prelude::sim {

/// Cycles a gathered row takes beyond ceil(channels / lanes).
///
/// Meaning   channel c lies in bank c mod lanes; a beat reads the next `lanes` channels in group order, one word a bank and cycle: a beat takes as long as
///           the bank it reads most
/// Limits    groups that calibration has not settled are taken as scattered, by a fixed shuffle
[[nodiscard]] std::int64_t gather_conflicts(const quant::Format& format, std::int64_t channels, std::int64_t lanes);

}  // namespace prelude::sim
