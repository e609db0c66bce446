// SPDX-License-Identifier: Apache-2.0
#include "quant/engine/byte_product.hpp"

#include <algorithm>
#include <numeric>

#include "quant/arithmetic/dot.hpp"
#include "quant/engine/row_kernels.hpp"

namespace prelude::quant {

namespace {

constexpr int kByteBits = 8;
constexpr std::int64_t kByteSpan = 255;

/// Planes that are not empty of factors by code, positive and negative parts apart.
void cut_into_bytes(std::span<const std::int64_t> factors, std::int64_t constant, std::vector<BytePlane>& planes) {
    for (const int sign : {1, -1}) {
        std::int64_t largest = 0;
        for (const auto factor : factors) largest = std::max(largest, sign * factor);
        for (int shift = 0; largest >> shift > 0; shift += kByteBits) {
            BytePlane plane{.bytes = std::vector<std::uint8_t>(factors.size()), .constant = (sign * constant) << shift, .k_of = {}};
            std::ranges::transform(factors, plane.bytes.begin(),
                                   [&](std::int64_t factor) { return static_cast<std::uint8_t>((std::max<std::int64_t>(sign * factor, 0) >> shift) & kByteSpan); });
            if (std::ranges::any_of(plane.bytes, [](auto byte) { return byte != 0; })) planes.push_back(std::move(plane));
        }
    }
}

/// The bytes of a plane for rows of codes, one row after the other.
void take_bytes(const BytePlane& plane, std::span<const std::int32_t> codes, std::size_t count, std::uint8_t* bytes) {
    if (plane.k_of.empty()) {
        if (plane.bytes.empty()) return to_bytes(codes, bytes);
        for (std::size_t i = 0; i < codes.size(); ++i) bytes[i] = plane.bytes[static_cast<std::size_t>(codes[i])];
        return;
    }
    const auto depth = codes.size() / count;
    for (std::size_t row = 0; row < count; ++row) {
        const auto* from = codes.data() + row * depth;
        for (const auto k : plane.k_of) *bytes++ = plane.bytes.empty() ? static_cast<std::uint8_t>(from[k]) : plane.bytes[static_cast<std::size_t>(from[k])];
    }
}

}  // namespace

std::vector<BytePlane> planes_of_codes(int bits, std::int32_t zero_point, std::int64_t constant) {
    if (bits <= kByteBits) return {{.bytes = {}, .constant = constant, .zero_point = zero_point, .k_of = {}}};
    std::vector<std::int64_t> codes(std::size_t{1} << bits);
    std::iota(codes.begin(), codes.end(), 0);
    std::vector<BytePlane> planes;
    cut_into_bytes(codes, constant, planes);
    planes[0].zero_point = zero_point;  // the lowest byte counts `constant` times, as the zero point does
    return planes;
}

std::vector<BytePlane> planes_of_factors(const OperandCode& form, std::span<const Term> terms) {
    const auto codes = std::size_t{1} << form.bits;
    std::vector<BytePlane> apart, together;
    std::vector<std::int64_t> whole(codes, 0);
    for (std::size_t t = 0; t < terms.size(); ++t) {
        const auto constant = static_cast<std::int64_t>(terms[t].multiplier) << terms[t].exponent;
        std::vector<std::int64_t> factors(codes, 0);
        for (std::size_t code = 0; code < codes; ++code) {
            if (!occurs(form, static_cast<std::int32_t>(code))) continue;
            for (const auto& contribution : decode(form, static_cast<std::int32_t>(code))) {
                if (contribution.term == static_cast<int>(t)) factors[code] += contribution.factor;
            }
            whole[code] += factors[code] * constant;
        }
        cut_into_bytes(factors, constant, apart);
    }
    cut_into_bytes(whole, 1, together);
    return together.size() < apart.size() ? together : apart;
}

SumOfPlanes::SumOfPlanes(std::vector<BytePlane> planes, std::int64_t rows, std::int64_t n, std::int64_t k)
    : planes_(std::move(planes)), rows_(rows), n_(n), k_(k) {
    if (std::ranges::all_of(planes_, [](const BytePlane& plane) { return plane.k_of.empty(); })) {
        kernels_.emplace_back(rows, n, k);
        return;
    }
    for (const auto& plane : planes_) kernels_.emplace_back(rows, n, static_cast<std::int64_t>(plane.k_of.size()));
}

std::optional<PlanesRight> SumOfPlanes::pack(std::span<const std::int32_t> words, bool transposed, std::int32_t zero_point) const {
    const auto n = static_cast<std::size_t>(n_), k = static_cast<std::size_t>(k_);
    const auto at = [&](std::size_t output, std::size_t depth) { return words[transposed ? output * k + depth : depth * n + output] - zero_point; };
    PlanesRight right;
    std::vector<std::int32_t> lo(n, 0), hi(n, 0);
    for (std::size_t i = 0; i < words.size(); ++i) {
        const auto output = transposed ? i / k : i % n;
        const auto word = words[i] - zero_point;
        lo[output] = std::min(lo[output], word), hi[output] = std::max(hi[output], word);
    }
    for (std::size_t o = 0; o < n; ++o) {
        if (hi[o] - lo[o] > kByteSpan) return std::nullopt;
        if (lo[o] >= -128 && hi[o] <= 127) continue;
        right.offsets.resize(n, 0);
        right.offsets[o] = lo[o] < -128 ? lo[o] + 128 : hi[o] - 127;
    }
    right.base.assign(n, 0);
    const auto offset = [&](std::size_t o) { return right.offsets.empty() ? 0 : static_cast<std::int32_t>(right.offsets[o]); };
    std::vector<std::int8_t> bytes;
    for (std::size_t p = 0; p < planes_.size(); ++p) {
        const auto& plane = planes_[p];
        const auto depth = plane.k_of.empty() ? k : plane.k_of.size();
        const auto position = [&](std::size_t i) { return plane.k_of.empty() ? i : static_cast<std::size_t>(plane.k_of[i]); };
        if (plane.zero_point != 0) {
            for (std::size_t o = 0; o < n; ++o) {
                std::int64_t sum = 0;
                for (std::size_t i = 0; i < depth; ++i) sum += at(o, position(i));
                right.base[o] = modular_sum(right.base[o], plane.constant, -plane.zero_point * sum);
            }
        }
        if (p >= kernels_.size()) continue;  // the bytes are those of the first plane
        bytes.resize(n * depth);
        if (transposed) {
            for (std::size_t o = 0; o < n; ++o) {
                for (std::size_t i = 0; i < depth; ++i) bytes[o * depth + i] = static_cast<std::int8_t>(at(o, position(i)) - offset(o));
            }
        } else {
            for (std::size_t i = 0; i < depth; ++i) {
                for (std::size_t o = 0; o < n; ++o) bytes[i * n + o] = static_cast<std::int8_t>(at(o, position(i)) - offset(o));
            }
        }
        right.packed.push_back(kernels_[p].pack(bytes, transposed));
    }
    return right;
}

void SumOfPlanes::run(std::span<const std::int32_t> codes, std::int64_t count, const PlanesRight& right, std::vector<std::int64_t>& acc) const {
    thread_local std::vector<std::uint8_t> bytes;
    thread_local std::vector<std::int32_t> sums;
    const auto n = static_cast<std::size_t>(n_), rows = static_cast<std::size_t>(count);
    bytes.resize(static_cast<std::size_t>(rows_ * k_));
    sums.resize(static_cast<std::size_t>(rows_ * n_));
    acc.resize(rows * n);
    if (planes_.empty()) std::ranges::fill(acc, 0);  // a code whose factors are all 0
    for (std::size_t p = 0; p < planes_.size(); ++p) {
        const auto& plane = planes_[p];
        const auto depth = static_cast<std::size_t>(kernel(p).k());
        take_bytes(plane, codes, rows, bytes.data());
        kernel(p).multiply(bytes.data(), right.packed[right.packed.size() == 1 ? 0 : p], sums.data());
        for (std::size_t row = 0; row < rows; ++row) {
            const std::span products(sums.data() + row * n, n);
            auto* out = acc.data() + row * n;
            if (p == 0) {
                set_products(products, plane.constant, right.base.data(), out);
            } else {
                add_products(products, plane.constant, out);
            }
            if (right.offsets.empty()) continue;
            std::int64_t row_sum = 0;
            for (std::size_t i = 0; i < depth; ++i) row_sum += bytes[row * depth + i];
            for (std::size_t o = 0; o < n; ++o) out[o] = modular_sum(out[o], plane.constant, row_sum * right.offsets[o]);
        }
    }
}

}  // namespace prelude::quant
