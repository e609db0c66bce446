// SPDX-License-Identifier: Apache-2.0
#include "quant/probability_code.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace prelude::quant {

namespace {

constexpr int kMaxBucketBits = 5, kMaxTableBits = 8, kAnyBits = 16;
constexpr int kEntryGuard = 4;  ///< bits of a table entry beyond those of the code

int floor_log2(int v) noexcept { return static_cast<int>(std::bit_width(static_cast<unsigned>(v))) - 1; }
int ceil_log2(int v) noexcept { return static_cast<int>(std::bit_width(static_cast<unsigned>(v - 1))); }

/// tau, where a search is open the finest.
int finest_tau(LogBase base) noexcept { return base == LogBase::search ? 4 : tau_of(base); }

/// Thresholds lie half a code below each level.
void compand(const Format& form, double companding, CodeLevels& levels) {
    const int top = (1 << form.bits) - 1;
    const auto at = [&](double c) { return std::expm1(c / top * std::log1p(companding)) / companding; };
    for (int c = 0; c <= top; ++c) levels.value.push_back(at(c));
    for (int c = 1; c <= top; ++c) levels.threshold.push_back(at(c - 0.5));
}

}  // namespace

int useful_code_bits(const SoftmaxSettings& softmax) noexcept {
    const int tau = finest_tau(softmax.log_base), powers = (softmax.shift_cap + 1) * tau;
    if (softmax.scheme == SoftmaxScheme::log) return ceil_log2(softmax.zero_code == ZeroCode::escape ? powers : powers + 1);
    if (softmax.scheme == SoftmaxScheme::uniform) return kAnyBits;
    if (softmax.form == SoftmaxForm::shift) return std::min(floor_log2(powers), kMaxTableBits);
    return softmax.form == SoftmaxForm::lut ? kMaxTableBits : kMaxBucketBits;
}

Format probability_format(const SoftmaxSettings& softmax, int bits) noexcept {
    Format form{.kind = FormatKind::probability, .bits = std::min(bits, useful_code_bits(softmax)), .scale = softmax.scale};
    if (softmax.scheme == SoftmaxScheme::log) {
        form.code = OperandKind::logarithmic;
        form.tau = tau_of(softmax.log_base);
        const int codes = 1 << form.bits;
        const bool reuse = softmax.zero_code == ZeroCode::reuse_top, escape = softmax.zero_code == ZeroCode::escape;
        form.log_levels = std::min(codes - (reuse ? 1 : 0), (softmax.shift_cap + 1) * form.tau);
        form.shift_cap = (form.log_levels - 1) / form.tau;
        if (reuse) form.zero_code = codes - 1;
        if (escape) form.zero_code = codes, ++form.bits;
    } else if (softmax.scheme == SoftmaxScheme::lnq && softmax.form == SoftmaxForm::shift) {
        form.code = OperandKind::companded;
        form.tau = tau_of(softmax.log_base);
        form.shift_cap = ((1 << form.bits) - 1) / form.tau;
    } else if (softmax.scheme == SoftmaxScheme::lnq) {
        form.code = softmax.form == SoftmaxForm::lut ? OperandKind::table : OperandKind::bucket;
        form.entry_bits = softmax.table_bits > 0 ? softmax.table_bits : form.bits + kEntryGuard;
    }
    return form;
}

std::int32_t CodeLevels::code(double probability) const noexcept {
    if (descending) {
        const auto found = std::ranges::lower_bound(threshold, probability, std::greater<>{});
        return found == threshold.end() ? beyond : static_cast<std::int32_t>(found - threshold.begin());
    }
    return static_cast<std::int32_t>(std::ranges::upper_bound(threshold, probability) - threshold.begin());
}

CodeLevels code_levels(const Format& form, double companding) {
    CodeLevels levels;
    if (form.code == OperandKind::logarithmic) {
        levels.descending = true;
        levels.beyond = form.zero_code >= 0 ? form.zero_code : form.log_levels - 1;
        levels.value.assign(std::size_t{1} << form.bits, 0.0);
        for (int c = 0; c < form.log_levels; ++c) {
            levels.value[static_cast<std::size_t>(c)] = std::exp2(-static_cast<double>(c) / form.tau);
            levels.threshold.push_back(std::exp2(-(c + 0.5) / form.tau));
        }
    } else if (form.code == OperandKind::uniform) {
        const int top = (1 << form.bits) - 1;
        for (int c = 0; c <= top; ++c) levels.value.push_back(static_cast<double>(c) / top);
        for (int c = 1; c <= top; ++c) levels.threshold.push_back((c - 0.5) / top);
    } else {
        compand(form, companding, levels);
    }
    return levels;
}

double companding_of_powers(const Format& form) noexcept {
    return std::exp2(static_cast<double>((1 << form.bits) - 1) / form.tau) - 1;
}

std::vector<std::int32_t> table_factors(const CodeLevels& levels, int entry_bits) {
    const double top = std::ldexp(1.0, entry_bits) - 1, largest = levels.value.back();
    std::vector<std::int32_t> factors;
    for (const double value : levels.value) factors.push_back(static_cast<std::int32_t>(std::nearbyint(top * value / largest)));
    return factors;
}

}  // namespace prelude::quant
