// SPDX-License-Identifier: Apache-2.0
#pragma once

// Words in files: raw integers, little endian, of the narrowest of 1, 2, 4 and 8 bytes that holds the bits of the word. For test benches, not for synthesis.

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "prelude_ap_types.h"

namespace prelude_words {

constexpr int bytes_of(int bits) { return bits <= 8 ? 1 : bits <= 16 ? 2 : bits <= 32 ? 4 : 8; }

inline void fail(const std::string& file, const std::string& problem) {
    std::fprintf(stderr, "%s: %s\n", file.c_str(), problem.c_str());
    std::exit(1);
}

/// Reads `count` words; a file of another size ends the program. The size tells how many bytes a word has.
template <class Word>
std::vector<Word> read(const std::string& file, std::size_t count) {
    std::FILE* in = std::fopen(file.c_str(), "rb");
    if (in == nullptr) fail(file, "cannot be opened");
    std::vector<unsigned char> bytes(8 * count + 1);
    const std::size_t size = std::fread(bytes.data(), 1, bytes.size(), in);
    std::fclose(in);
    const std::size_t width = count == 0 ? 1 : size / count;
    if (size != width * count || (width != 1 && width != 2 && width != 4 && width != 8)) {
        fail(file, std::to_string(size) + " bytes are not " + std::to_string(count) + " words of 1, 2, 4 or 8 bytes");
    }
    const bool is_signed = Word(-1) < 0;
    std::vector<Word> words(count);
    for (std::size_t i = 0; i < count; ++i) {
        std::uint64_t bits = 0;
        for (std::size_t b = width; b-- > 0;) bits = (bits << 8) | bytes[i * width + b];
        const int unused = static_cast<int>(64 - 8 * width);
        if (is_signed) {
            words[i] = static_cast<std::int64_t>(bits << unused) >> unused;
        } else {
            words[i] = bits;
        }
    }
    return words;
}

template <class Word>
void write(const std::string& file, const std::vector<Word>& words) {
    const int bytes = bytes_of(Word::width);
    std::FILE* out = std::fopen(file.c_str(), "wb");
    if (out == nullptr) fail(file, "cannot be written");
    std::vector<unsigned char> buffer;
    buffer.reserve(words.size() * static_cast<std::size_t>(bytes));
    for (const auto& word : words) {
        const std::uint64_t bits = static_cast<std::uint64_t>(word.to_int64());
        for (int b = 0; b < bytes; ++b) buffer.push_back(static_cast<unsigned char>(bits >> (8 * b)));
    }
    const bool good = std::fwrite(buffer.data(), 1, buffer.size(), out) == buffer.size();
    if (std::fclose(out) != 0 || !good) fail(file, "not written in full");
}

}  // namespace prelude_words
