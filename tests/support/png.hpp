// SPDX-License-Identifier: Apache-2.0
#pragma once

// PNG files made by hand: the kinds that our own writer does not make, and hostile ones. Checksums are zero, which the reader does not mind.

#include <cstdint>
#include <string_view>
#include <vector>

namespace prelude::models::test {

using Bytes = std::vector<std::uint8_t>;

enum class PngKind : std::uint8_t { grey = 0, rgb = 2, palette = 3, grey_alpha = 4, rgba = 6 };

struct PngHeader {
    std::uint32_t width = 1, height = 1;
    int bits = 8;
    PngKind kind = PngKind::grey;
};

inline void append_number(Bytes& bytes, std::uint32_t number) {
    for (int shift = 24; shift >= 0; shift -= 8) bytes.push_back(static_cast<std::uint8_t>(number >> shift));
}

inline void append_chunk(Bytes& png, std::string_view name, const Bytes& content) {
    append_number(png, static_cast<std::uint32_t>(content.size()));
    png.insert(png.end(), name.begin(), name.end());
    png.insert(png.end(), content.begin(), content.end());
    append_number(png, 0);
}

/// `compressed`: zlib data; `palette`: red, green, blue of every entry.
inline Bytes png_of(const PngHeader& header, const Bytes& compressed, const Bytes& palette = {}) {
    Bytes png{0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'}, start;
    append_number(start, header.width);
    append_number(start, header.height);
    start.insert(start.end(), {static_cast<std::uint8_t>(header.bits), static_cast<std::uint8_t>(header.kind), 0, 0, 0});
    append_chunk(png, "IHDR", start);
    if (!palette.empty()) append_chunk(png, "PLTE", palette);
    append_chunk(png, "IDAT", compressed);
    append_chunk(png, "IEND", {});
    return png;
}

/// Rows of packed samples as zlib data without compression. Contract: at most 65535 bytes with one filter byte a row.
inline Bytes stored(const std::vector<Bytes>& rows) {
    Bytes content;
    for (const auto& row : rows) {
        content.push_back(0);  // no filter
        content.insert(content.end(), row.begin(), row.end());
    }
    const auto size = static_cast<unsigned>(content.size());
    const auto low = static_cast<std::uint8_t>(size & 255U), high = static_cast<std::uint8_t>(size >> 8U);
    Bytes data;
    data.reserve(content.size() + 16);
    for (const int byte : {0x78, 0x01, 1, low & 255, high & 255, ~low & 255, ~high & 255}) data.push_back(static_cast<std::uint8_t>(byte));
    data.insert(data.end(), content.begin(), content.end());
    append_number(data, 0);
    return data;
}

/// Zlib data that unfold to over a hundred times their size: a zero byte and then `num_copies` times 258 of it, in fixed Huffman codes.
inline Bytes bomb(std::size_t num_copies) {
    Bytes data{0x78, 0x01};
    unsigned buffer = 0, held = 0;
    const auto put = [&](unsigned bits, unsigned count) {  // most significant first, as Huffman codes are
        for (unsigned i = count; i-- > 0;) {
            buffer |= (bits >> i & 1U) << held;
            if (++held < 8) continue;
            data.push_back(static_cast<std::uint8_t>(buffer));
            buffer = held = 0;
        }
    };
    put(0b110, 3);                                                          // last block, fixed codes
    put(0b00110000, 8);                                                     // literal 0
    for (std::size_t i = 0; i < num_copies; ++i) put(0b1100010100000, 13);  // length 258, distance 1
    put(0, 7 + 8);                                                          // end of block, and to the byte's end
    append_number(data, 0);
    return data;
}

}  // namespace prelude::models::test
