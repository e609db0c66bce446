// SPDX-License-Identifier: Apache-2.0
#pragma once

// A small table: every column as wide as its widest cell.

#include <string>
#include <string_view>
#include <vector>

namespace prelude::experiments {

class TextTable final {
  public:
    struct Head {
        std::string title;
        bool right = true;  ///< aligned
    };
    explicit TextTable(std::vector<Head> heads) : heads_(std::move(heads)) {}

    /// Contract  as many cells as columns (checked)
    void add(std::vector<std::string> cells);

    /// For a terminal; every line begins with `indent`.
    [[nodiscard]] std::string print(std::string_view indent) const;
    /// As a table of GitHub's Markdown; bars in cells are escaped.
    [[nodiscard]] std::string markdown() const;

  private:
    [[nodiscard]] std::vector<std::vector<std::string>> lines() const;

    std::vector<Head> heads_;
    std::vector<std::vector<std::string>> rows_;
};

}  // namespace prelude::experiments
