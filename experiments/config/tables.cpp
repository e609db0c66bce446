// SPDX-License-Identifier: Apache-2.0
#include "experiments/config/tables.hpp"

#include "experiments/compare/pivot.hpp"
#include "experiments/config/error.hpp"

namespace prelude::experiments {

void check_tables(const Configuration& configuration, Problems& problems) {
    const auto& sweep = configuration.base.sweep;
    std::vector<std::string> swept;
    for (const auto& axis : configuration.axes)
        for (const auto* key : axis.keys) swept.emplace_back(key->path);
    /// Runs one check; what it refuses is a problem of the key.
    const auto check = [&](std::string_view key, const auto& body) {
        try {
            body();
            return true;
        } catch (const SelectionError& error) {
            problems.add({configuration.where(key), std::string(key), error.message(), error.allowed(), {}});
            return false;
        }
    };
    const auto check_keys = [&](std::string_view key, const std::string& text) {
        return check(key, [&] {
            if (text != kNone) (void)chosen_keys(text, swept);
        });
    };
    check_keys("sweep.compare", sweep.compare);
    check("sweep.table.cell", [&] { (void)chosen_column(sweep.table_cell); });
    const bool rows = check_keys("sweep.table.rows", sweep.table_rows), columns = check_keys("sweep.table.columns", sweep.table_columns);
    if (!rows || !columns || (sweep.table_rows == kNone && sweep.table_columns == kNone)) return;
    if (sweep.table_rows == kNone || sweep.table_columns == kNone)
        problems.add({configuration.where(sweep.table_rows == kNone ? "sweep.table.columns" : "sweep.table.rows"), "sweep.table",
                      "a table has rows and columns", "both keys, or none of them", {}});
    else
        check("sweep.table.columns", [&] { (void)keys_of_table(sweep.table_rows, sweep.table_columns, swept); });
}

}  // namespace prelude::experiments
