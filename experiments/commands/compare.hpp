// SPDX-License-Identifier: Apache-2.0
#pragma once

// explore compare DIR --by KEY: which points differ by more than chance; explore table DIR --rows KEY --columns KEY: a sweep as in papers;
// explore ratio DIR --by KEY: speed-up and power efficiency of one side over the others.

#include <filesystem>
#include <string>

#include "experiments/compare/pivot.hpp"
#include "experiments/compare/ratio.hpp"

namespace prelude::experiments {

struct CompareCommand {
    std::filesystem::path folder;
    std::string by, reference;
    bool csv = false;
};
/// Throws    StoreError; SelectionError, also listing every point without accuracy
[[nodiscard]] int compare_command(const CompareCommand& command);

struct TableCommand {
    std::filesystem::path folder;
    PivotRequest request;
    bool markdown = false;
};
/// Throws    StoreError, SelectionError
[[nodiscard]] int table_command(const TableCommand& command);

struct RatioCommand {
    std::filesystem::path folder;
    RatioRequest request;
    bool markdown = false;
};
/// Throws    StoreError, SelectionError
[[nodiscard]] int ratio_command(const RatioCommand& command);

}  // namespace prelude::experiments
