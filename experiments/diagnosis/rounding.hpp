// SPDX-License-Identifier: Apache-2.0
#pragma once

// The quantization modes of HLS C++: what a build may have rounded by. Prelude's own rounding is quant::rne_shift (AP_RND_CONV).

#include <array>
#include <cstdint>
#include <string_view>

#include "experiments/diagnosis/cause.hpp"

namespace prelude::experiments {

enum class QuantizationMode { rnd_conv, trn, trn_zero, rnd, rnd_zero, rnd_inf, rnd_min_inf };

struct ModeName {
    QuantizationMode mode;
    std::string_view text;
    Cause cause;
};
/// All but the right one.
inline constexpr std::array kWrongModes{ModeName{QuantizationMode::trn, "rounds down (AP_TRN)", Cause::truncation},
                                        ModeName{QuantizationMode::trn_zero, "cuts towards zero (AP_TRN_ZERO)", Cause::truncation},
                                        ModeName{QuantizationMode::rnd, "rounds half up (AP_RND)", Cause::rounding},
                                        ModeName{QuantizationMode::rnd_zero, "rounds half towards zero (AP_RND_ZERO)", Cause::rounding},
                                        ModeName{QuantizationMode::rnd_inf, "rounds half away from zero (AP_RND_INF)", Cause::rounding},
                                        ModeName{QuantizationMode::rnd_min_inf, "rounds half down (AP_RND_MIN_INF)", Cause::rounding}};

/// v * 2^-shift in a mode; a shift <= 0 is an exact left shift.
/// Limits    |v| < 2^62
[[nodiscard]] constexpr std::int64_t shifted(std::int64_t v, int shift, QuantizationMode mode) noexcept {
    if (shift <= 0) return static_cast<std::int64_t>(static_cast<std::uint64_t>(v) << (-shift > 63 ? 63 : -shift));
    if (shift > 62) return mode == QuantizationMode::trn && v < 0 ? -1 : 0;
    const auto floor = v >> shift;
    const auto rest = v - (floor << shift), half = std::int64_t{1} << (shift - 1);
    switch (mode) {
        case QuantizationMode::trn: return floor;
        case QuantizationMode::trn_zero: return floor + (v < 0 && rest != 0 ? 1 : 0);
        case QuantizationMode::rnd: return floor + (rest >= half ? 1 : 0);
        case QuantizationMode::rnd_min_inf: return floor + (rest > half ? 1 : 0);
        case QuantizationMode::rnd_zero: return floor + (rest > half || (rest == half && v < 0) ? 1 : 0);
        case QuantizationMode::rnd_inf: return floor + (rest > half || (rest == half && v >= 0) ? 1 : 0);
        case QuantizationMode::rnd_conv: return floor + (rest > half || (rest == half && (floor & 1) != 0) ? 1 : 0);
    }
    return floor;
}

}  // namespace prelude::experiments
