// SPDX-License-Identifier: Apache-2.0
#pragma once

// Fake quantization: the published quantizers as functions of real numbers, in float32 as the reference projects compute them. Checked
// against golden/quant. What hardware computes instead, on integers, stands in quant/arithmetic; `compat` mode runs on these.

#include <cstdint>
#include <span>
#include <vector>

namespace prelude::quant::fake {

/// Uniform quantizer of b bits: q = clamp(RNE(x / s) + z, q_min, q_max), x^ = (q - z) s.
/// Asymmetric codes 0 .. 2^b - 1; symmetric ones -2^(b-1) .. 2^(b-1) - 1 with z = 0.
struct Affine {
    int bits = 8;
    bool symmetric = false;
    float scale = 1, zero_point = 0;

    [[nodiscard]] float lowest() const noexcept { return symmetric ? -static_cast<float>(1 << (bits - 1)) : 0.0F; }
    [[nodiscard]] float highest() const noexcept { return lowest() + static_cast<float>((1 << bits) - 1); }
    [[nodiscard]] float operator()(float x) const noexcept;
};

/// The quantizer of a range, widened to hold 0: s = max((hi - lo) / (q_max - q_min), 1e-8), z = clamp(q_min - RNE(lo / s)).
/// Symmetric: s = max(max(-lo, hi) / ((q_max - q_min) / 2), 1e-8).
/// Source    the uniform quantizer of PTQ4SAM and AHCPTQ
[[nodiscard]] Affine affine_of_range(float lo, float hi, int bits, bool symmetric);

/// Running mean, over batches, of each batch's extremes (the observer AvgMinMax, and per channel AvgMinMaxGroup).
class RunningRange {
  public:
    void add(float lo, float hi) noexcept;
    [[nodiscard]] float lo() const noexcept { return lo_; }
    [[nodiscard]] float hi() const noexcept { return hi_; }

  private:
    float lo_ = 0, hi_ = 0, count_ = 0;
};

/// AdaRound's rectified sigmoid: h = clamp(1.2 sigmoid(alpha) - 0.1, 0, 1), the share by which a weight is rounded up.
[[nodiscard]] float rounding_share(float alpha) noexcept;
/// The alpha whose share is the fractional part of w / s: rounding starts as no rounding at all.
[[nodiscard]] float rounding_start(float w, float scale) noexcept;
/// A weight rounded up by `share` of a step (soft), or by one step iff `alpha` >= 0 (hard).
[[nodiscard]] float rounded_softly(const Affine& form, float w, float alpha) noexcept;
[[nodiscard]] float rounded_hard(const Affine& form, float w, float alpha) noexcept;

}  // namespace prelude::quant::fake
