// SPDX-License-Identifier: Apache-2.0
#pragma once

// Files of mappings (`hw.mapping: FILE`), as `explore inspect --mapping-out FILE` writes them and an architect edits them:
//
//     mappings:
//       - {segment: encoder.block*.qkv, rows: 128, cols: 96, depth: 768, order: rows_outer, dataflow: output_stationary, swap: false, slots: 2}
//       - {segment: encoder.block2.qk, queries: 36, keys: 1600, slots: 2, score_slots: 2, key_slots: 2}
//       - {segment: encoder.block0.norm1, rows: 227, slots: 2}
//
// A segment is named, or by a pattern with * and ?; of several entries that match a segment the last one counts. Products need rows, cols and depth,
// fused attention queries and keys, all others rows; what is left out is as above.

#include "experiments/config/error.hpp"
#include "sim/simulate.hpp"

#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace prelude::experiments {

struct MappingEntry {
    sim::PinnedMapping pin;
    Location where;
    std::map<std::string, Location, std::less<>> fields;  ///< where each field stands
};

/// Reads a file of mappings. Everything wrong with its form goes to `problems`; whether a design can use it is checked by check_pinned_mappings().
[[nodiscard]] std::vector<MappingEntry> read_mapping_file(const std::filesystem::path& file, Problems& problems);

/// The file that pins these mappings (segment, Mapping::to_string); `title` is its first line.
[[nodiscard]] std::string mapping_file_text(std::span<const std::pair<std::string, std::string>> mappings, const std::string& title);

}  // namespace prelude::experiments
