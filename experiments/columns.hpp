// SPDX-License-Identifier: Apache-2.0
#pragma once

// The columns of results.csv that stand between the swept keys and the end of a row: name, unit, meaning.
// Objectives and constraints of a sweep speak of these.

#include <span>
#include <string_view>

namespace prelude::experiments {

struct Column {
    enum class Kind { text, boolean, number };
    std::string_view name;
    Kind kind = Kind::number;
    std::string_view unit = {};
    std::string_view sentence = {};
};

/// All columns in the order of the file, swept keys (which follow `reason`) left out.
[[nodiscard]] std::span<const Column> all_columns();
[[nodiscard]] const Column* find_column(std::string_view name);

}  // namespace prelude::experiments
