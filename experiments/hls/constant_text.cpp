// SPDX-License-Identifier: Apache-2.0
#include "experiments/hls/constant_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

namespace prelude::experiments {

namespace {

constexpr std::size_t kMostEntries = 1 << 14;  // of an array in the header: more is data

/// Bits of a two's complement word without its sign.
int magnitude_bits(std::int64_t value) {
    return static_cast<int>(std::bit_width(static_cast<std::uint64_t>(value < 0 ? ~value : value)));
}

struct Range {
    bool is_signed = false;
    int bits = 1;
};

Range range_of(std::span<const std::int64_t> values) {
    Range range;
    for (const auto value : values) {
        range.is_signed = range.is_signed || value < 0;
        range.bits = std::max(range.bits, magnitude_bits(value));
    }
    range.bits += range.is_signed;
    return range;
}

/// The C++ integer that an array of these words is made of.
std::string_view element_type(const Range& range) {
    if (range.bits <= 8) return range.is_signed ? "std::int8_t" : "std::uint8_t";
    if (range.bits <= 16) return range.is_signed ? "std::int16_t" : "std::uint16_t";
    if (range.bits <= 32) return range.is_signed ? "std::int32_t" : "std::uint32_t";
    return range.is_signed ? "std::int64_t" : "std::uint64_t";
}

std::string_view suffix(std::int64_t value) {
    return magnitude_bits(value) > 31 ? "LL" : "";
}

}  // namespace

std::string word_type(int bits, bool is_signed) {
    return fmt::format("ap_{}int<{}>", is_signed ? "" : "u", bits);
}

std::string narrowest_word(std::span<const std::int64_t> values) {
    const auto range = range_of(values);
    return word_type(range.bits, range.is_signed);
}

std::string camel_case(std::string_view path) {
    std::string name;
    bool upper = true;
    for (const char c : path) {
        if (c == '.' || c == '_') {
            upper = true;
            continue;
        }
        name += upper && c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
        upper = false;
    }
    return name;
}

void ConstantText::comment(std::string_view line) {
    text_ += fmt::format("// {}\n", line);
}

void ConstantText::integer(std::string_view name, std::int64_t value) {
    const auto type = magnitude_bits(value) > 31 ? "std::int64_t" : "int";
    text_ += fmt::format("constexpr {} k{} = {}{};\n", type, camel_case(path_ + std::string(name)), value, suffix(value));
}

void ConstantText::enumerator(std::string_view name, int value, std::string_view meaning) {
    text_ += fmt::format("constexpr int k{} = {};  // {}\n", camel_case(path_ + std::string(name)), value, meaning);
}

void ConstantText::declare_word(std::string_view name, std::span<const std::int64_t> values) {
    auto type = path_ + std::string(name);
    std::ranges::replace(type, '.', '_');
    text_ += fmt::format("typedef {} {}_t;\n", narrowest_word(values), type);
}

void ConstantText::numbers(std::string_view name, const std::vector<std::int64_t>& values) {
    if (values.empty()) return;
    if (name == "weights" || values.size() > kMostEntries) return data_file(name, values);
    declare_word(name, values);
    const auto full = camel_case(path_ + std::string(name));
    text_ += fmt::format("constexpr {} k{}[{}] = {{", element_type(range_of(values)), full, values.size());
    constexpr std::size_t kPerLine = 16;
    for (std::size_t i = 0; i < values.size(); ++i) {
        text_ += fmt::format("{}{}{}", i % kPerLine == 0 ? "\n    " : " ", values[i], suffix(values[i]));
        if (i + 1 < values.size()) text_ += ',';
    }
    text_ += "};\n";
}

void ConstantText::data_file(std::string_view name, const std::vector<std::int64_t>& values) {
    if (name != "weights") declare_word(name, values);  // the node has weight_t, as wide as weights may be
    const auto path = path_ + std::string(name);
    text_ += fmt::format("constexpr int kNum{} = {};  // data files {}.{}\n", camel_case(path), values.size(), node_, path);
}

void ConstantText::terms(const char* name, const std::vector<quant::Term>& terms) {
    const auto column = [&](std::string_view field, auto member) {
        std::vector<std::int64_t> values;
        for (const auto& term : terms) values.push_back(static_cast<std::int64_t>(term.*member));
        numbers(fmt::format("{}.{}", name, field), values);
    };
    integer(fmt::format("num_{}", name), static_cast<std::int64_t>(terms.size()));
    column("multiplier", &quant::Term::multiplier);
    column("exponent", &quant::Term::exponent);
    column("zero_point", &quant::Term::zero_point);
}

std::string_view ConstantText::meaning_of(quant::OperandKind kind) noexcept {
    switch (kind) {
        case quant::OperandKind::uniform: return "uniform: q - z";
        case quant::OperandKind::logarithmic: return "logarithmic: c = tau e + f is 2^(shift_cap - e) in term f, zero_code is 0";
        case quant::OperandKind::hybrid:
            return "hybrid: c < log_levels is 2^(shift_cap - c) in term 0 (0 beyond shift_cap); j = c - log_levels > 0 is 2^shift_cap in "
                   "term 0 and j in term 1; j = 0 is 0";
        case quant::OperandKind::companded: return "companded: c = tau e + f is 2^e in term f and -1 in term 0; 0 is 0";
        case quant::OperandKind::table: return "table: code_factors[c]";
        case quant::OperandKind::bucket: return "bucket: c is 1 in term c - 1; 0 is 0";
    }
    return "";
}

std::string_view ConstantText::meaning_of(quant::AccumulatorOverflow overflow) noexcept {
    switch (overflow) {
        case quant::AccumulatorOverflow::exact: return "exact: bits and chunk of the narrowing say nothing";
        case quant::AccumulatorOverflow::wrap: return "wrap: A_t wraps after every chunk of products and at the end of its term";
        case quant::AccumulatorOverflow::saturate:
            return "saturate: A_t saturates after every chunk of products and at the end of its term";
    }
    return "";
}

std::string_view ConstantText::meaning_of(quant::ScaleMode mode) noexcept {
    switch (mode) {
        case quant::ScaleMode::row: return "codes relative to the row's largest exponential";
        case quant::ScaleMode::tensor: return "codes of a share of the row's sum, in a calibrated scale";
        case quant::ScaleMode::one: return "codes of a share of the row's sum";
    }
    return "";
}

std::string_view ConstantText::meaning_of(quant::Exponential form) noexcept {
    switch (form) {
        case quant::Exponential::table: return "exp_constants: 65 ends of chords";
        case quant::Exponential::polynomial: return "exp_constants: A and B of the polynomial";
        case quant::Exponential::shift: return "1 - u / 2";
    }
    return "";
}

std::string_view ConstantText::meaning_of(quant::Root form) noexcept {
    switch (form) {
        case quant::Root::seeded: return "a table's guess and one step of products";
        case quant::Root::newton: return "Newton's iteration until it falls no more";
        case quant::Root::repeated: return "Newton's iteration, ten times";
    }
    return "";
}

}  // namespace prelude::experiments
