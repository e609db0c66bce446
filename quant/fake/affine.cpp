// SPDX-License-Identifier: Apache-2.0
#include "quant/fake/affine.hpp"

#include <algorithm>
#include <cmath>

namespace prelude::quant::fake {

namespace {

constexpr float kSmallestScale = 1e-8F;
constexpr float kStretchLow = -0.1F, kStretchHigh = 1.1F;  // AdaRound's zeta and gamma

float shifted(const Affine& form, float w, float up) noexcept {
    const float code = std::floor(w / form.scale) + up + form.zero_point;
    return (std::clamp(code, form.lowest(), form.highest()) - form.zero_point) * form.scale;
}

}  // namespace

float Affine::operator()(float x) const noexcept {
    const float code = std::clamp(std::nearbyint(x / scale) + zero_point, lowest(), highest());
    return (code - zero_point) * scale;
}

Affine affine_of_range(float lo, float hi, int bits, bool symmetric) {
    Affine form{.bits = bits, .symmetric = symmetric};
    lo = std::min(lo, 0.0F), hi = std::max(hi, 0.0F);
    const float steps = form.highest() - form.lowest();
    if (symmetric) {
        form.scale = std::max(std::max(-lo, hi) / (steps / 2), kSmallestScale);
    } else {
        form.scale = std::max((hi - lo) / steps, kSmallestScale);
        form.zero_point = std::clamp(form.lowest() - std::nearbyint(lo / form.scale), form.lowest(), form.highest());
    }
    return form;
}

void RunningRange::add(float lo, float hi) noexcept {
    lo_ = (lo_ * count_ + lo) / (count_ + 1);
    hi_ = (hi_ * count_ + hi) / (count_ + 1);
    count_ += 1;
}

float rounding_share(float alpha) noexcept {
    const float sigmoid = 1.0F / (1.0F + std::exp(-alpha));
    return std::clamp(sigmoid * (kStretchHigh - kStretchLow) + kStretchLow, 0.0F, 1.0F);
}

float rounding_start(float w, float scale) noexcept {
    const float rest = w / scale - std::floor(w / scale);
    return -std::log((kStretchHigh - kStretchLow) / (rest - kStretchLow) - 1);
}

float rounded_softly(const Affine& form, float w, float alpha) noexcept { return shifted(form, w, rounding_share(alpha)); }
float rounded_hard(const Affine& form, float w, float alpha) noexcept { return shifted(form, w, alpha >= 0 ? 1.0F : 0.0F); }

}  // namespace prelude::quant::fake
