// SPDX-License-Identifier: Apache-2.0
#include "quant/float/products.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

#include "quant/float/arithmetic.hpp"

namespace prelude::quant::floating {

namespace {

constexpr std::int64_t kPanel = PackedOperand::kPanel;
constexpr std::int64_t kUnrolled = 64;  // entries of a tree that is written out

typedef float Lanes __attribute__((vector_size(kPanel * sizeof(float))));

Lanes load(const float* from) noexcept {
    Lanes lanes;
    std::memcpy(&lanes, from, sizeof lanes);
    return lanes;
}

/// The same outputs of two rows: one load of the right operand serves both.
struct Pair {
    Lanes first, second;
};
Pair operator+(const Pair& a, const Pair& b) noexcept { return {a.first + b.first, a.second + b.second}; }

template <std::int64_t N>
[[gnu::always_inline]] inline Pair tree(const float* first, const float* second, const float* right) noexcept {
    if constexpr (N == 1) {
        const auto factor = load(right);
        return {*first * factor, *second * factor};
    } else {
        return tree<N / 2>(first, second, right) + tree<N / 2>(first + N / 2, second + N / 2, right + N / 2 * kPanel);
    }
}

/// T(0, n) of tree_sum, n a power of two.
Pair tree_of(std::int64_t n, const float* first, const float* second, const float* right) noexcept {
    switch (n) {
        case 1: return tree<1>(first, second, right);
        case 2: return tree<2>(first, second, right);
        case 4: return tree<4>(first, second, right);
        case 8: return tree<8>(first, second, right);
        case 16: return tree<16>(first, second, right);
        case 32: return tree<32>(first, second, right);
        case kUnrolled: return tree<kUnrolled>(first, second, right);
        default: return tree_of(n / 2, first, second, right) + tree_of(n / 2, first + n / 2, second + n / 2, right + n / 2 * kPanel);
    }
}

std::int64_t power_of_two_from(std::int64_t n) noexcept { return static_cast<std::int64_t>(std::bit_ceil(static_cast<std::uint64_t>(n))); }

}  // namespace

PackedOperand::PackedOperand(std::int64_t outputs, std::int64_t depth, int block, const std::function<float(std::int64_t, std::int64_t)>& at)
    : outputs_(outputs), depth_(depth), padded_((depth - 1) / block * block + power_of_two_from((depth - 1) % block + 1)) {
    const auto panels = (outputs + kPanel - 1) / kPanel;
    values_.assign(static_cast<std::size_t>(panels * kPanel * padded_), 0.0F);
    for (std::int64_t n = 0; n < outputs; ++n) {
        auto* panel = values_.data() + n / kPanel * kPanel * padded_ + n % kPanel;
        for (std::int64_t k = 0; k < depth; ++k) panel[k * kPanel] = at(n, k);
    }
}

void multiply(const float* left, std::int64_t rows, const PackedOperand& right, int block, float* sums) {
    constexpr std::int64_t kRowBlock = 32;
    const auto depth = right.depth(), padded = right.padded_depth(), outputs = right.outputs();
    const auto panels = (outputs + kPanel - 1) / kPanel;
#pragma omp parallel for schedule(dynamic)
    for (std::int64_t begin = 0; begin < rows; begin += kRowBlock) {
        const auto count = std::min(kRowBlock, rows - begin), pairs = (count + 1) / 2;
        std::vector<float> operands(static_cast<std::size_t>(2 * pairs * padded), 0.0F);  // rows with zeros behind them
        for (std::int64_t r = 0; r < count; ++r) std::copy_n(left + (begin + r) * depth, depth, operands.data() + r * padded);
        std::vector<Pair> running(static_cast<std::size_t>(pairs));
        for (std::int64_t p = 0; p < panels; ++p) {
            std::ranges::fill(running, Pair{});
            for (std::int64_t k = 0; k < depth; k += block) {
                const auto width = power_of_two_from(std::min<std::int64_t>(block, depth - k));
                const auto* factors = right.panel(p) + k * kPanel;
                for (std::int64_t i = 0; i < pairs; ++i) {
                    auto& sum = running[static_cast<std::size_t>(i)];
                    const auto* row = operands.data() + 2 * i * padded + k;
                    sum = sum + tree_of(width, row, row + padded, factors);
                }
            }
            const auto width = std::min(kPanel, outputs - p * kPanel);
            for (std::int64_t r = 0; r < count; ++r) {
                const auto& pair = running[static_cast<std::size_t>(r / 2)];
                const auto lanes = r % 2 == 0 ? pair.first : pair.second;
                std::memcpy(sums + (begin + r) * outputs + p * kPanel, &lanes, static_cast<std::size_t>(width) * sizeof(float));
            }
        }
    }
}

}  // namespace prelude::quant::floating
