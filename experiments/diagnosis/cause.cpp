// SPDX-License-Identifier: Apache-2.0
#include "experiments/diagnosis/cause.hpp"

#include <array>

namespace prelude::experiments {

std::string_view name_of(Cause cause) noexcept {
    constexpr std::array<std::string_view, 22> kNames{
        "upstream",  "truncation",   "rounding",    "saturation",    "shift",       "zero_point",     "bias",           "channel_constants",
        "group_map", "code_table",   "transposed",  "element_order", "misplaced",   "byte_order",     "sign_extension", "loop_bound",
        "overflow",  "stale_buffer", "not_written", "table_entry",   "table_index", "operand_missing"};
    static_assert(static_cast<std::size_t>(Cause::operand_missing) + 1 == kNames.size());
    return kNames[static_cast<std::size_t>(cause)];
}

}  // namespace prelude::experiments
