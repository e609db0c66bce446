// SPDX-License-Identifier: Apache-2.0
#pragma once

// "--budget weight_bits=4.0": what may be spent.

#include <optional>
#include <string>
#include <string_view>

namespace prelude::experiments {

struct Budget {
    enum class Kind {
        weight_bits,      ///< the weights take as many bytes as where all have this width, floors kept
        weight_bytes,     ///< of all weights
        cycles,           ///< of one row of the results
        milliseconds,
        relative_latency  ///< times that of the configured point
    };
    Kind kind = Kind::weight_bits;
    double amount = 0;
    std::string text;  ///< as typed
    [[nodiscard]] bool is_latency() const noexcept { return kind != Kind::weight_bits && kind != Kind::weight_bytes; }
};

inline constexpr std::string_view kBudgetForms = "weight_bits=4.0 (mean bits), weight_bytes=600000, latency=1.6ms, latency=400000 (cycles), latency=0.9x (of the configured point)";

/// Nothing for a text of another form, or an amount that is not positive.
[[nodiscard]] std::optional<Budget> parse_budget(std::string_view text);

}  // namespace prelude::experiments
