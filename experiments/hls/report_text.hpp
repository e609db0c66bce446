// SPDX-License-Identifier: Apache-2.0
#pragma once

// The text of a report: lines, `name: value` entries, and tables drawn with + - |.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace prelude::experiments {

struct ReportRow {
    std::size_t line = 0;                 ///< index into ReportText
    bool in_head = false;                 ///< above the second border
    std::vector<std::string_view> cells;  ///< without surrounding blanks
};

struct ReportTable {
    std::size_t line = 0, end = 0;  ///< its first line, the line behind its last
    std::vector<ReportRow> rows;
    /// Column of the first head cell, its lines joined by blanks, that is one of `names`; none: nothing
    [[nodiscard]] std::optional<std::size_t> column(std::initializer_list<std::string_view> names) const;
    /// First row of the body whose first cell is `name` (an asterisk behind it does not count).
    [[nodiscard]] const ReportRow* row(std::string_view name) const;
};

class ReportText final {
  public:
    ReportText(std::string_view text, std::string name);

    [[nodiscard]] std::size_t size() const noexcept { return lines_.size(); }
    [[nodiscard]] std::string_view line(std::size_t index) const { return lines_[index]; }
    /// First line at or behind `from` that contains `words`.
    [[nodiscard]] std::optional<std::size_t> find(std::string_view words, std::size_t from = 0) const;
    /// The same; throws where there is none.
    [[nodiscard]] std::size_t expect(std::string_view words, std::size_t from = 0) const;
    /// `key: value`, on the first line that begins with the key (blanks, * and | aside).
    struct Entry {
        std::string_view value;  ///< empty: no such line
        std::size_t line = 0;
    };
    [[nodiscard]] Entry entry(std::string_view key) const;
    [[nodiscard]] std::string_view value_of(std::string_view key) const { return entry(key).value; }
    /// The next table at or behind `from`; throws where there is none.
    [[nodiscard]] ReportTable table(std::size_t from) const;

    /// A cell as a number. Unknown: `?`, `undef`, `-`, `NA`, `N/A`, nothing. Shares in brackets behind the number and units do not count.
    [[nodiscard]] std::optional<double> number(std::string_view cell, std::size_t line, std::string_view unit = {}) const;
    /// `times` the number of a cell, which has to be whole: tiles count in halves.
    [[nodiscard]] std::optional<std::int64_t> count(std::string_view cell, std::size_t line, int times = 1) const;
    [[noreturn]] void refuse(std::size_t line, std::string_view what) const;

  private:
    std::vector<std::string_view> lines_;
    std::string name_;
};

[[nodiscard]] std::string_view trimmed(std::string_view text) noexcept;
/// `text` says that something is not known.
[[nodiscard]] bool is_unknown(std::string_view text) noexcept;

}  // namespace prelude::experiments
