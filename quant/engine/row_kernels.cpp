// SPDX-License-Identifier: Apache-2.0
#include "quant/engine/row_kernels.hpp"

#include <algorithm>

#include "quant/arithmetic/rescale.hpp"
#include "quant/arithmetic/rounding.hpp"
#include "quant/engine/vectorise.hpp"

namespace prelude::quant {

namespace {

/// rne_shift() of a shift of at least 1, whose half step less one is at hand.
inline std::int64_t rounded(std::int64_t v, std::int64_t shift, std::int64_t half) noexcept { return (v + half + ((v >> shift) & 1)) >> shift; }

/// One entry of a Rescale and what all share.
struct Entry {
    std::int64_t multiplier, offset, shift, zero_point, lo, hi;

    [[nodiscard]] std::int32_t word(std::int64_t operand) const noexcept {
        const auto y = zero_point + rounded(multiplier * operand + offset, shift, (std::int64_t{1} << (shift - 1)) - 1);
        return static_cast<std::int32_t>(y < lo ? lo : y > hi ? hi : y);
    }
};

struct Entries {
    const std::int64_t *multiplier, *offset, *shift, *zero_point;
    std::int64_t lo, hi;
    [[nodiscard]] Entry operator[](std::size_t i) const noexcept { return {multiplier[i], offset[i], shift[i], zero_point[i], lo, hi}; }
};

PRELUDE_VECTORISED
void rescale_each(Entries entries, const std::int64_t* operand, std::size_t count, std::int32_t* __restrict out) {
    for (std::size_t i = 0; i < count; ++i) out[i] = entries[i].word(operand[i]);
}

PRELUDE_VECTORISED
void rescale_each_shifted(Entries entries, std::int64_t shift, const std::int64_t* acc, std::size_t count, std::int32_t* __restrict out) {
    const std::int64_t half = (std::int64_t{1} << (shift - 1)) - 1;
    for (std::size_t i = 0; i < count; ++i) out[i] = entries[i].word(rounded(acc[i], shift, half));
}

PRELUDE_VECTORISED
void rescale_all(Entry entry, const std::int64_t* operand, std::size_t count, std::int32_t* __restrict out) {
    for (std::size_t i = 0; i < count; ++i) out[i] = entry.word(operand[i]);
}

PRELUDE_VECTORISED
void rescale_all_shifted(Entry entry, std::int64_t shift, const std::int64_t* acc, std::size_t count, std::int32_t* __restrict out) {
    const std::int64_t half = (std::int64_t{1} << (shift - 1)) - 1;
    for (std::size_t i = 0; i < count; ++i) out[i] = entry.word(rounded(acc[i], shift, half));
}

PRELUDE_VECTORISED
void set_sums(const std::int32_t* sums, std::size_t count, std::int64_t constant, const std::int64_t* base, std::int64_t* __restrict acc) {
    for (std::size_t i = 0; i < count; ++i) acc[i] = modular_sum(base[i], constant, sums[i]);
}

PRELUDE_VECTORISED
void add_sums(const std::int32_t* sums, std::size_t count, std::int64_t constant, std::int64_t* __restrict acc) {
    for (std::size_t i = 0; i < count; ++i) acc[i] = modular_sum(acc[i], constant, sums[i]);
}

PRELUDE_VECTORISED
void narrow(const std::int32_t* codes, std::size_t count, std::uint8_t* __restrict bytes) {
    for (std::size_t i = 0; i < count; ++i) bytes[i] = static_cast<std::uint8_t>(codes[i]);
}

PRELUDE_VECTORISED
void add_saturated(std::int32_t* __restrict scores, std::size_t count, std::int32_t vertical, const std::int32_t* across, std::int32_t lo, std::int32_t hi) {
    for (std::size_t j = 0; j < count; ++j) {
        const std::int32_t sum = scores[j] + vertical + across[j];
        scores[j] = sum < lo ? lo : sum > hi ? hi : sum;
    }
}

PRELUDE_VECTORISED
void widen_range(const std::int32_t* words, std::size_t count, std::int32_t& least, std::int32_t& largest) {
    std::int32_t lo = words[0], hi = words[0];
    for (std::size_t i = 1; i < count; ++i) {
        lo = words[i] < lo ? words[i] : lo;
        hi = words[i] > hi ? words[i] : hi;
    }
    least = lo, largest = hi;
}

constexpr std::int64_t kNarrowTerm = std::int64_t{1} << 29;  // three such terms add up within 32 bits

bool is_narrow(std::span<const std::int64_t> terms) noexcept {
    return std::ranges::all_of(terms, [](std::int64_t term) { return term > -kNarrowTerm && term < kNarrowTerm; });
}

}  // namespace

OperandRange range_of(std::span<const std::int32_t> words) noexcept {
    if (words.empty()) return {};
    std::int32_t lo = 0, hi = 0;
    widen_range(words.data(), words.size(), lo, hi);
    return {lo, hi};
}

RowRescale::RowRescale(const Rescale& form, std::size_t num_outputs) : operand_shift_(form.operand_shift), lo_(form.lo), hi_(form.hi) {
    const auto per_entry = num_outputs / form.multiplier.size();
    for (std::size_t i = 0; i < num_outputs; ++i) {
        multiplier_.push_back(form.multiplier[i / per_entry]);
        offset_.push_back(form.offset[i / per_entry]);
        shift_.push_back(form.shift[i / per_entry]);
        zero_point_.push_back(form.zero_point[i / per_entry]);
    }
}

void RowRescale::by_channel(std::span<const std::int64_t> acc, std::int32_t* out) const noexcept {
    const Entries entries{multiplier_.data(), offset_.data(), shift_.data(), zero_point_.data(), lo_, hi_};
    if (operand_shift_ == 0) return rescale_each(entries, acc.data(), acc.size(), out);
    rescale_each_shifted(entries, operand_shift_, acc.data(), acc.size(), out);
}

void RowRescale::uniform(std::span<const std::int64_t> acc, std::int32_t* out) const noexcept {
    const Entry entry{multiplier_[0], offset_[0], shift_[0], zero_point_[0], lo_, hi_};
    if (operand_shift_ == 0) return rescale_all(entry, acc.data(), acc.size(), out);
    rescale_all_shifted(entry, operand_shift_, acc.data(), acc.size(), out);
}

void set_products(std::span<const std::int32_t> sums, std::int64_t constant, const std::int64_t* base, std::int64_t* acc) noexcept {
    set_sums(sums.data(), sums.size(), constant, base, acc);
}

void add_products(std::span<const std::int32_t> sums, std::int64_t constant, std::int64_t* acc) noexcept { add_sums(sums.data(), sums.size(), constant, acc); }

void to_bytes(std::span<const std::int32_t> codes, std::uint8_t* bytes) noexcept { narrow(codes.data(), codes.size(), bytes); }

void rescale_reversed(const Rescale& form, const std::int64_t* acc, std::span<std::int64_t> out) noexcept {
    const auto* last = acc + out.size() - 1;
    for (auto& word : out) word = rescale_wide(form, 0, *last--);
}

void add_relative_terms(std::int32_t* scores, std::span<const std::int64_t> down, std::span<const std::int64_t> across, int bits) noexcept {
    const auto lo = signed_min(bits), hi = signed_max(bits);
    if (bits < 30 && is_narrow(down) && is_narrow(across)) {
        const std::vector<std::int32_t> terms(across.begin(), across.end());
        for (const auto vertical : down) {
            add_saturated(scores, terms.size(), static_cast<std::int32_t>(vertical), terms.data(), static_cast<std::int32_t>(lo), static_cast<std::int32_t>(hi));
            scores += terms.size();
        }
        return;
    }
    for (const auto vertical : down) {
        for (const auto horizontal : across) {
            *scores = static_cast<std::int32_t>(saturate(*scores + vertical + horizontal, lo, hi));
            ++scores;
        }
    }
}

}  // namespace prelude::quant
