// SPDX-License-Identifier: Apache-2.0
#pragma once

// explore compare DIR --by KEY: which points differ by more than chance; explore table DIR --rows KEY --columns KEY: a sweep as in papers.

#include <filesystem>
#include <string>

#include "experiments/compare/pivot.hpp"

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

}  // namespace prelude::experiments
