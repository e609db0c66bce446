// SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <string_view>

#include "experiments/hls/tool_report.hpp"
#include "models/error.hpp"

/// A report of any kind: read, or refused by the reader's error.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    try {
        (void)prelude::experiments::to_json(prelude::experiments::read_tool_report({reinterpret_cast<const char*>(bytes), size}, "input"));
    } catch (const prelude::models::InputError&) {
    }
    return 0;
}
