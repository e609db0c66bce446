// SPDX-License-Identifier: Apache-2.0
#include "quant/fake/nonlinear.hpp"

#include <algorithm>
#include <cmath>

namespace prelude::quant::fake {

namespace {

constexpr float kSmallest = 1e-20F;  // stands for 0 under a logarithm

}  // namespace

float Logarithmic::operator()(float x) const noexcept {
    const auto levels = static_cast<float>(1 << bits), inverse = static_cast<float>(tau);
    const float code = std::nearbyint(-std::log2(std::max(x, kSmallest) / scale) * inverse);
    return code >= levels ? 0.0F : scale * std::exp2(-std::max(code, 0.0F) / inverse);
}

std::int64_t Companding::code(float x) const noexcept {
    const float whole = std::log(1 + alpha * scale), part = std::log(1 + alpha * std::clamp(x, kSmallest, scale));
    const auto top = static_cast<float>(steps);
    return static_cast<std::int64_t>(std::clamp(std::nearbyint(part / whole * top), 0.0F, top));
}

float Companding::value(std::int64_t code) const noexcept {
    if (code == 0) return 0;
    return (std::exp(static_cast<float>(code) / static_cast<float>(steps) * std::log(1 + alpha * scale)) - 1) / alpha;
}

float Hybrid::operator()(float x) const noexcept {
    float y = x - minimum;
    if (y <= log_scale) {
        const float code = std::nearbyint(-std::log2(std::max(y, kSmallest) / log_scale));
        return (code >= log_levels() ? 0.0F : log_scale * std::exp2(-std::max(code, 0.0F))) + minimum;
    }
    if (variant == HybridVariant::reference && y >= log_levels()) y = 0;
    const float step = std::clamp(std::nearbyint((y - log_scale) / uniform_scale), 0.0F, uniform_levels() - 1);
    return log_scale + step * uniform_scale + minimum;
}

Hybrid hybrid_of_range(float lo, float hi, float range_share, float log_share, int bits, HybridVariant variant) {
    Hybrid form{.bits = bits, .minimum = lo, .log_share = log_share, .variant = variant};
    const float range = hi - lo, steps = static_cast<float>((1 << bits) - 1);
    form.log_scale = range * range_share;
    form.uniform_scale = range * (1 - range_share) / (steps * (1 - log_share));
    return form;
}

}  // namespace prelude::quant::fake
