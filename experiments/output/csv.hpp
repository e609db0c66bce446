// SPDX-License-Identifier: Apache-2.0
#pragma once

// Comma-separated values as RFC 4180 defines them: CRLF line ends, quotes where needed, quotes doubled inside.

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace prelude::experiments {

[[nodiscard]] std::string csv_field(std::string_view text);
[[nodiscard]] std::string csv_line(std::span<const std::string> fields);

}  // namespace prelude::experiments
