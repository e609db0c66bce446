// SPDX-License-Identifier: Apache-2.0
#pragma once

// What may be wrong with a build whose words differ, as an engineer would name it.

#include <string>
#include <string_view>

namespace prelude::experiments {

enum class Cause {
    upstream,           ///< its operands differ, and it is right for them
    truncation,         ///< rounded down or towards zero
    rounding,           ///< another rounding to nearest
    saturation,         ///< wraps, or saturates at other limits
    shift,              ///< by one place too many or too few
    zero_point,         ///< of an operand or the result left out
    bias,               ///< left out, or added twice
    channel_constants,  ///< of a neighbouring channel, or of one for all
    group_map,          ///< channels in other groups, or constants of other groups
    code_table,         ///< logarithmic, hybrid or companded codes decoded by another rule
    transposed,         ///< weights, or the words themselves, in another axis order
    element_order,      ///< words in reverse, in whole or inside packed words
    misplaced,          ///< all words some places late or early
    byte_order,
    sign_extension,   ///< right bits read as unsigned, or the other way round
    loop_bound,       ///< the first or last turn of a loop is missing
    overflow,         ///< sums narrower than they are
    stale_buffer,     ///< words or sums of an earlier turn
    not_written,      ///< words that nobody wrote
    table_entry,      ///< single entries of a table
    table_index,      ///< entries beside the right one
    operand_missing,  ///< one of two addends is not added, or subtracted
};
[[nodiscard]] std::string_view name_of(Cause cause) noexcept;

struct Finding {
    Cause cause = Cause::upstream;
    std::string detail;
    friend bool operator==(const Finding&, const Finding&) = default;
};

}  // namespace prelude::experiments
