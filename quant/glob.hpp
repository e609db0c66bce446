// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

namespace prelude::quant {

/// Whether `name` matches a pattern in which `*` stands for any run of characters and `?` for one.
[[nodiscard]] constexpr bool glob_matches(std::string_view pattern, std::string_view name) noexcept {
    std::size_t p = 0, n = 0, star = std::string_view::npos, mark = 0;
    while (n < name.size()) {
        if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == name[n])) {
            ++p, ++n;
        } else if (p < pattern.size() && pattern[p] == '*') {
            star = p++, mark = n;
        } else if (star != std::string_view::npos) {
            p = star + 1, n = ++mark;
        } else {
            return false;
        }
    }
    while (p < pattern.size() && pattern[p] == '*') ++p;
    return p == pattern.size();
}

}  // namespace prelude::quant
