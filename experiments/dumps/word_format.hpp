// SPDX-License-Identifier: Apache-2.0
#pragma once

// Words of tensors as files hold them, and the formats of such files.

#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>

namespace prelude::experiments {

inline constexpr int kMaxWordBits = 63;

/// A word of a dump that has no value: x or z of a simulator, a gap between two addresses.
inline constexpr std::int64_t kUndefinedWord = std::numeric_limits<std::int64_t>::min();

/// A word: `bits` wide, 1 .. kMaxWordBits, two's complement where signed.
struct WordFormat {
    int bits = 8;
    bool is_signed = true;

    [[nodiscard]] constexpr std::int64_t lowest() const noexcept { return is_signed ? -(std::int64_t{1} << (bits - 1)) : 0; }
    [[nodiscard]] constexpr std::int64_t highest() const noexcept {
        return static_cast<std::int64_t>((std::uint64_t{1} << (is_signed ? bits - 1 : bits)) - 1);
    }
    /// Bytes of the narrowest integer of 8, 16, 32 or 64 bits that holds it.
    [[nodiscard]] constexpr int storage_bytes() const noexcept { return bits <= 8 ? 1 : bits <= 16 ? 2 : bits <= 32 ? 4 : 8; }
    /// The word that the low bits of `pattern` are.
    [[nodiscard]] constexpr std::int64_t of_pattern(std::uint64_t pattern) const noexcept {
        const int above = 64 - bits;
        return is_signed ? static_cast<std::int64_t>(pattern << above) >> above : static_cast<std::int64_t>(pattern << above >> above);
    }
    /// Its bits, the others 0.
    [[nodiscard]] constexpr std::uint64_t pattern_of(std::int64_t word) const noexcept {
        return static_cast<std::uint64_t>(word) << (64 - bits) >> (64 - bits);
    }
    friend bool operator==(const WordFormat&, const WordFormat&) = default;
};

enum class DumpFormat {
    npy,      ///< NumPy array
    binary,   ///< raw little-endian integers of storage_bytes()
    hex,      ///< $readmemh: hexadecimal words, @addresses, // comments
    decimal,  ///< decimal numbers, blanks or commas between them, # comments
    cosim,    ///< vectors of Vitis/Vivado HLS co-simulation: [[[runtime]]] and 0x words, or raw words and a trailer
    header,   ///< C array initialiser
    real,     ///< decimal numbers in real units, as hls4ml and ap_fixed print them
};
inline constexpr int kNumDumpFormats = 7;
[[nodiscard]] std::string_view name_of(DumpFormat format) noexcept;
[[nodiscard]] std::optional<DumpFormat> dump_format_of(std::string_view name) noexcept;
/// ".npy", ".bin", ".hex", ".dat", ".dat", ".h", ".dat"
[[nodiscard]] std::string_view extension_of(DumpFormat format) noexcept;

enum class ElementOrder {
    lsb_first,  ///< the first element is the lowest bits of a word
    msb_first,
};

/// How elements lie in the words of a hexadecimal file: as many as fit, the rest of the word 0.
struct Packing {
    int word_bits = 0;  ///< 0: an element a word
    ElementOrder order = ElementOrder::lsb_first;

    [[nodiscard]] constexpr int elements_per_word(int bits) const noexcept { return word_bits < 2 * bits ? 1 : word_bits / bits; }
    friend bool operator==(const Packing&, const Packing&) = default;
};
inline constexpr int kMaxPackedBits = 4096;

}  // namespace prelude::experiments
