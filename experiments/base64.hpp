// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>

namespace prelude::experiments {

/// RFC 4648, with padding: how bytes travel inside JSON and HTML.
[[nodiscard]] std::string base64(std::span<const unsigned char> bytes);

}  // namespace prelude::experiments
