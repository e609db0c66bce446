// SPDX-License-Identifier: Apache-2.0
#pragma once

// The inner loops of the integer walk over rows of words. Each equals, bit for bit, the function of quant/arithmetic it names.

#include <cstdint>
#include <span>
#include <vector>

#include "quant/integer_gemm.hpp"
#include "quant/operations.hpp"

namespace prelude::quant {

/// The least and the largest word; of none: 0.
[[nodiscard]] OperandRange range_of(std::span<const std::int32_t> words) noexcept;

/// A Rescale in words as wide as its arithmetic.
class RowRescale final {
  public:
    /// `num_outputs`: a multiple of the form's entries, each of which serves as many outputs in turn.
    RowRescale(const Rescale& form, std::size_t num_outputs);

    /// out[i] = rescale(form, entry of i, acc[i]).
    void by_channel(std::span<const std::int64_t> acc, std::int32_t* out) const noexcept;
    /// out[i] = rescale(form, 0, acc[i]): a form of one entry.
    void uniform(std::span<const std::int64_t> acc, std::int32_t* out) const noexcept;

  private:
    std::vector<std::int64_t> multiplier_, offset_, shift_, zero_point_;
    int operand_shift_;
    std::int64_t lo_, hi_;
};

/// a + b * c modulo 2^64: sums of more than one plane may leave 63 bits on the way to an Acc that does not.
[[nodiscard]] constexpr std::int64_t modular_sum(std::int64_t a, std::int64_t b, std::int64_t c) noexcept {
    return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b) * static_cast<std::uint64_t>(c));
}

/// acc[i] = base[i] + constant * sums[i], modulo 2^64.
void set_products(std::span<const std::int32_t> sums, std::int64_t constant, const std::int64_t* base, std::int64_t* acc) noexcept;
/// acc[i] += constant * sums[i], modulo 2^64.
void add_products(std::span<const std::int32_t> sums, std::int64_t constant, std::int64_t* acc) noexcept;
/// Codes of up to 8 bits as bytes.
void to_bytes(std::span<const std::int32_t> codes, std::uint8_t* bytes) noexcept;

/// out[i] = rescale_wide(form, 0, acc[count - 1 - i]), count = out.size(): relative positions fall as keys go on.
void rescale_reversed(const Rescale& form, const std::int64_t* acc, std::span<std::int64_t> out) noexcept;

/// scores[i, j] = saturate(scores[i, j] + down[i] + across[j]): what RelativePositionOp adds to one query's scores, in place.
/// Limits    scores are words of `bits` bits
void add_relative_terms(std::int32_t* scores, std::span<const std::int64_t> down, std::span<const std::int64_t> across, int bits) noexcept;

}  // namespace prelude::quant
