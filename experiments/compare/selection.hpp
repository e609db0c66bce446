// SPDX-License-Identifier: Apache-2.0
#pragma once

// Which rows of a sweep stand beside each other: those that agree in all swept keys but a few chosen ones.

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "experiments/columns.hpp"
#include "experiments/store/store.hpp"
#include "models/error.hpp"

namespace prelude::experiments {

/// A choice of keys, values, columns or points that a sweep does not have. Exit code 3.
class SelectionError final : public models::InputError {
  public:
    SelectionError(const std::string& message, const std::string& allowed);
    [[nodiscard]] const std::string& message() const noexcept { return message_; }
    [[nodiscard]] const std::string& allowed() const noexcept { return allowed_; }

  private:
    std::string message_, allowed_;
};

/// Swept keys joined by commas, in the order given.
/// Throws    SelectionError listing every part that is no key, not swept, or there twice
[[nodiscard]] std::vector<std::string> chosen_keys(std::string_view text, std::span<const std::string> swept);

/// Throws    SelectionError for a name that is no column of results.csv
[[nodiscard]] const Column& chosen_column(std::string_view name);

/// A row's values of some keys, joined by commas.
[[nodiscard]] std::string values_text(const Row& row, std::span<const std::string> keys);

/// Rows that agree in all swept keys but the chosen ones.
struct Slice {
    std::vector<std::string> values;  ///< of the other keys
    std::vector<const Row*> rows;     ///< in the order of the points
};

/// The swept keys that are not chosen.
[[nodiscard]] std::vector<std::string> other_keys(std::span<const std::string> swept, std::span<const std::string> chosen);
/// Contract  slices in the order of their first points; the rows outlive them
[[nodiscard]] std::vector<Slice> slices(std::span<const Row> rows, std::span<const std::string> others);
/// "groups 1, log_base sqrt2": how a slice is called; empty without other keys.
[[nodiscard]] std::string setting_text(const Slice& slice, std::span<const std::string> others);

}  // namespace prelude::experiments
