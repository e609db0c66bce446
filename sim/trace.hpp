// SPDX-License-Identifier: Apache-2.0
#pragma once

// One inference as a timeline for Perfetto or chrome://tracing: what every unit did, and what it waited for.

#include <filesystem>

#include "sim/simulate.hpp"

namespace prelude::sim {

/// Writes the timeline of `result` in the Chrome trace event format (JSON).
///
/// Meaning   one row for segments, one per command-driven unit. Slices of category `busy` have the name of the command and add up to the unit's busy cycles;
///           those of category `wait` say what was waited for and add up to its stall cycles. Segments follow each other; those of a prompt are there once a prompt
/// Units     microseconds at `clock_mhz`, to the picosecond; args of a segment: its cycles, bound and mapping
/// Limits    `result` was simulated with Options::timeline
/// Throws    std::filesystem::filesystem_error or std::system_error if the file cannot be written; nothing half-written is left under its name
void write_trace(const std::filesystem::path& path, const NetworkResult& result, double clock_mhz);

}  // namespace prelude::sim
