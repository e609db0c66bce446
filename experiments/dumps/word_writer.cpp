// SPDX-License-Identifier: Apache-2.0
#include "experiments/dumps/word_writer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <vector>

#include "experiments/dumps/npy_header.hpp"
#include "models/error.hpp"

namespace prelude::experiments {

namespace {

void append_raw(std::string& text, const DumpTensor& tensor) {
    const auto bytes = static_cast<std::size_t>(tensor.word.storage_bytes());
    const auto begin = text.size();
    text.resize(begin + tensor.words.size() * bytes);
    auto* to = text.data() + begin;
    for (const auto word : tensor.words)
        for (std::size_t b = 0; b < bytes; ++b) *to++ = static_cast<char>(static_cast<std::uint64_t>(word) >> (8 * b) & 0xff);
}

std::string hex_text(const DumpTensor& tensor, const Packing& packing) {
    const auto per_word = static_cast<std::size_t>(packing.elements_per_word(tensor.word.bits));
    const auto word_bits = static_cast<std::size_t>(std::max(packing.word_bits, tensor.word.bits));
    const auto num_digits = (word_bits + 3) / 4;
    std::string text;
    std::vector<std::uint64_t> limbs((word_bits + 63) / 64 + 1);
    for (std::size_t at = 0; at < tensor.words.size(); at += per_word) {
        std::ranges::fill(limbs, 0);
        for (std::size_t i = 0; i < per_word && at + i < tensor.words.size(); ++i) {
            const auto place = packing.order == ElementOrder::lsb_first ? i : per_word - 1 - i;
            const auto bit = place * static_cast<std::size_t>(tensor.word.bits), limb = bit / 64, offset = bit % 64;
            const auto pattern = tensor.word.pattern_of(tensor.words[at + i]);
            limbs[limb] |= pattern << offset;
            if (offset != 0) limbs[limb + 1] |= pattern >> (64 - offset);
        }
        for (auto digit = num_digits; digit-- > 0;) text += "0123456789abcdef"[limbs[digit / 16] >> (4 * (digit % 16)) & 15];
        text += '\n';
    }
    return text;
}

std::size_t row_length(const models::Shape& shape) {
    return shape.rank() == 0 ? 1 : static_cast<std::size_t>(std::max<std::int64_t>(1, shape.back()));
}

/// A row of the last axis a line.
template <class Number>
std::string rows_text(const DumpTensor& tensor, const Number& number) {
    const auto row = row_length(tensor.shape);
    std::string text;
    for (std::size_t i = 0; i < tensor.words.size(); ++i)
        fmt::format_to(std::back_inserter(text), "{}{}", number(i), (i + 1) % row == 0 || i + 1 == tensor.words.size() ? '\n' : ' ');
    return text;
}

std::string vector_text(const DumpTensor& tensor) {
    const auto num_digits = 2 * tensor.word.storage_bytes();
    const auto mask = tensor.word.storage_bytes() == 8 ? ~std::uint64_t{0} : (std::uint64_t{1} << (8 * tensor.word.storage_bytes())) - 1;
    std::string text = "[[[runtime]]]\n[[transaction]]           0\n";
    for (const auto word : tensor.words)
        fmt::format_to(std::back_inserter(text), "0x{:0{}x}\n", static_cast<std::uint64_t>(word) & mask, num_digits);
    return text + "[[/transaction]]\n[[[/runtime]]]\n";
}

std::string header_text(const DumpTensor& tensor) {
    constexpr std::size_t kPerLine = 24;
    std::string extents;
    for (const auto extent : tensor.shape.extents()) extents += fmt::format("[{}]", extent);
    if (extents.empty()) extents = "[1]";
    auto text =
        fmt::format("#pragma once\n#include <stdint.h>\n// {} words of {} bits, {}.\nstatic const {}int{}_t {}{} = ", tensor.words.size(),
                    tensor.word.bits, tensor.word.is_signed ? "signed" : "unsigned", tensor.word.is_signed ? "" : "u",
                    8 * tensor.word.storage_bytes(), tensor.name, extents);
    // A brace for every axis that begins or ends at a word.
    const auto& shape = tensor.shape.extents();
    const auto num_axes = std::max<std::size_t>(1, shape.size());
    std::vector<std::size_t> spans(num_axes, 1);
    for (std::size_t axis = num_axes, span = 1; axis-- > 0;)
        spans[axis] = span *= shape.empty() ? 1 : static_cast<std::size_t>(shape[axis]);
    for (std::size_t i = 0; i < tensor.words.size(); ++i) {
        for (const auto span : spans)
            if (i % span == 0) text += '{';
        fmt::format_to(std::back_inserter(text), "{}", tensor.words[i]);
        for (const auto span : spans)
            if ((i + 1) % span == 0) text += '}';
        if (i + 1 < tensor.words.size()) text += (i + 1) % spans.back() == 0 || (i + 1) % kPerLine == 0 ? ",\n" : ",";
    }
    return text + (tensor.words.empty() ? "{};\n" : ";\n");
}

}  // namespace

std::string dump_text(DumpFormat format, const DumpTensor& tensor, const Packing& packing) {
    models::check(static_cast<std::size_t>(tensor.shape.num_elements()) == tensor.words.size(), "a dump has the words its shape says");
    models::check(packing.word_bits <= kMaxPackedBits, "a packed word is at most 4096 bits wide");
    for (const auto word : tensor.words)
        models::check(word >= tensor.word.lowest() && word <= tensor.word.highest(), "a word of a dump lies in its format: " + tensor.name);
    std::string text;
    switch (format) {
        case DumpFormat::npy:
            text = npy_header(tensor.word, tensor.shape);
            append_raw(text, tensor);
            break;
        case DumpFormat::binary: append_raw(text, tensor); break;
        case DumpFormat::hex: text = hex_text(tensor, packing); break;
        case DumpFormat::decimal: text = rows_text(tensor, [&](std::size_t i) { return tensor.words[i]; }); break;
        case DumpFormat::cosim: text = vector_text(tensor); break;
        case DumpFormat::real:
            models::check(static_cast<bool>(tensor.real), "a dump in real units knows the values of its words");
            text = rows_text(tensor, [&](std::size_t i) { return tensor.real(i, tensor.words[i]); });
            break;
        case DumpFormat::header: text = header_text(tensor); break;
    }
    return text;
}

}  // namespace prelude::experiments
