// SPDX-License-Identifier: Apache-2.0
#pragma once

// A sweep as the tables of papers show it: one key down, one across, a column of the results in the cells.

#include <string>
#include <string_view>
#include <vector>

#include "experiments/compare/selection.hpp"

namespace prelude::experiments {

struct PivotRequest {
    std::string rows, columns;  ///< swept keys, joined by commas
    std::string cell = "miou";
};

/// The keys of a table.
struct TableKeys {
    std::vector<std::string> rows, columns;
};
/// Throws    SelectionError for keys that are not swept or both down and across
[[nodiscard]] TableKeys keys_of_table(std::string_view rows, std::string_view columns, std::span<const std::string> swept);

struct Pivot {
    struct Block {
        std::string setting;                                        ///< of the remaining swept keys: "groups 1"
        std::vector<std::string> fp32;                              ///< by column; empty: the cell has no such value
        std::vector<std::pair<std::string, std::vector<std::string>>> rows;  ///< value of the row keys, cells by column; "" = unknown
    };
    std::string cell, corner;
    std::vector<std::string> columns;
    std::vector<Block> blocks;
};

/// Contract  rows, columns and blocks in the order of the points; fractions with four decimals, other numbers with four digits. The values
///           of the unquantized model stand in the column of the results that is called as the cell, with _fp32
/// Throws    SelectionError for keys that are not swept or both down and across, and for an unknown column
[[nodiscard]] Pivot pivot(const SweepInfo& info, std::span<const Row> rows, const PivotRequest& request);

enum class PivotForm { text, markdown };
[[nodiscard]] std::string print_pivot(const Pivot& pivot, PivotForm form);

}  // namespace prelude::experiments
