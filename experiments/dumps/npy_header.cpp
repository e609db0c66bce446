// SPDX-License-Identifier: Apache-2.0
#include "experiments/dumps/npy_header.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <charconv>
#include <cstring>

#include "models/error.hpp"

namespace prelude::experiments {

namespace {

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr std::size_t kMaxRank = 8;
constexpr std::int64_t kMaxElements = std::int64_t{1} << 40;

/// The dictionary literal of a head: strings, booleans and tuples of integers.
class Literal {
  public:
    Literal(std::string_view text, const std::string& name) : text_(text), name_(name) {}

    NpyHeader header() {
        NpyHeader header;
        bool has_type = false, has_order = false, has_shape = false;
        expect('{');
        while (!accept('}')) {
            const auto key = string();
            expect(':');
            if (key == "descr" && !has_type) {
                if (blank(), at_ < text_.size() && text_[at_] == '[') refuse("a structured array; an array of numbers is needed");
                header.elements = elements(string());
                has_type = true;
            } else if (key == "fortran_order" && !has_order) {
                if (boolean()) refuse("fortran_order is True; words are compared in C order: save numpy.ascontiguousarray of it");
                has_order = true;
            } else if (key == "shape" && !has_shape) {
                header.shape = shape();
                has_shape = true;
            } else {
                refuse(fmt::format("unexpected key '{}'", key));
            }
            if (!accept(',')) {
                expect('}');
                break;
            }
        }
        if (!has_type || !has_order || !has_shape) refuse("descr, fortran_order and shape are needed");
        return header;
    }

  private:
    [[noreturn]] void refuse(std::string_view what) const { throw models::InputError(fmt::format("{}: NumPy header: {}", name_, what)); }
    void blank() {
        while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\t')) ++at_;
    }
    bool accept(char c) {
        blank();
        if (at_ == text_.size() || text_[at_] != c) return false;
        ++at_;
        return true;
    }
    void expect(char c) {
        if (!accept(c)) refuse(fmt::format("'{}' expected at character {}", c, at_));
    }
    std::string_view string() {
        blank();
        const char quote = at_ < text_.size() ? text_[at_] : '\0';
        if (quote != '\'' && quote != '"') refuse(fmt::format("a string expected at character {}", at_));
        const auto end = text_.find(quote, at_ + 1);
        if (end == std::string_view::npos) refuse("a string does not end");
        const auto value = text_.substr(at_ + 1, end - at_ - 1);
        at_ = end + 1;
        return value;
    }
    bool boolean() {
        blank();
        for (const std::string_view word : {"True", "False"}) {
            if (!text_.substr(at_).starts_with(word)) continue;
            at_ += word.size();
            return word == "True";
        }
        refuse("fortran_order is neither True nor False");
    }
    models::Shape shape() {
        std::vector<std::int64_t> extents;
        std::int64_t count = 1;
        expect('(');
        while (!accept(')')) {
            blank();
            std::int64_t extent = -1;
            const auto [end, error] = std::from_chars(text_.data() + at_, text_.data() + text_.size(), extent);
            if (error != std::errc{} || extent < 0) refuse("a shape is a tuple of integers");
            at_ = static_cast<std::size_t>(end - text_.data());
            accept('L');  // Python 2 wrote long integers so
            if (extents.size() == kMaxRank) refuse(fmt::format("more than {} axes", kMaxRank));
            if (extent > 0 && count > kMaxElements / extent) refuse(fmt::format("more than {} elements", kMaxElements));
            count *= extent;
            extents.push_back(extent);
            if (!accept(',')) {
                expect(')');
                break;
            }
        }
        return models::Shape(extents);
    }
    RawElements elements(std::string_view descriptor) {
        const auto all = descriptor;
        RawElements elements;
        if (!descriptor.empty() && std::string_view("<>|=").find(descriptor[0]) != std::string_view::npos) {
            elements.is_big_endian = descriptor[0] == '>';
            descriptor.remove_prefix(1);
        }
        if (descriptor.size() == 2 && std::string_view("iufb").find(descriptor[0]) != std::string_view::npos &&
            std::string_view("1248").find(descriptor[1]) != std::string_view::npos) {
            elements.bytes = descriptor[1] - '0';
            elements.is_signed = descriptor[0] == 'i';
            elements.is_floating = descriptor[0] == 'f';
            const bool possible = descriptor[0] == 'f' ? elements.bytes >= 4 : descriptor[0] != 'b' || elements.bytes == 1;
            if (possible) return elements;
        }
        refuse(fmt::format("elements of type '{}'; integers of 1, 2, 4 or 8 bytes, float32 or float64 are needed", all.substr(0, 40)));
    }

    std::string_view text_;
    const std::string& name_;
    std::size_t at_ = 0;
};

}  // namespace

NpyHeader parse_npy_header(std::span<const char> bytes, const std::string& name) {
    const auto refuse = [&](std::string_view what) { throw models::InputError(fmt::format("{}: {}", name, what)); };
    const std::string_view text(bytes.data(), bytes.size());
    if (!text.starts_with(kMagic) || text.size() < 10) refuse("not a NumPy file, or cut inside its header");
    const auto byte = [&](std::size_t at) { return static_cast<std::size_t>(static_cast<unsigned char>(text[at])); };
    const auto version = byte(6);
    if (version < 1 || version > 3) refuse(fmt::format("NumPy file version {}; 1 to 3 are known", version));
    const std::size_t prefix = version == 1 ? 10 : 12;
    if (text.size() < prefix) refuse("cut inside the NumPy header");
    auto length = byte(8) | byte(9) << 8;
    if (version > 1) length |= byte(10) << 16 | byte(11) << 24;
    if (length > kMaxNpyHeader - prefix)
        refuse(fmt::format("a NumPy header of {} bytes; up to {} are read", length, kMaxNpyHeader - prefix));
    if (text.size() < prefix + length) refuse("cut inside the NumPy header");
    auto header = Literal(text.substr(prefix, length), name).header();
    header.data_offset = prefix + length;
    return header;
}

std::string npy_header(const WordFormat& word, const models::Shape& shape) {
    constexpr std::size_t kAlignment = 64, kPrefix = 10;
    const auto& extents = shape.extents();
    auto literal = fmt::format("{{'descr': '{}{}{}', 'fortran_order': False, 'shape': ({}{}), }}", word.storage_bytes() == 1 ? '|' : '<',
                               word.is_signed ? 'i' : 'u', word.storage_bytes(), fmt::join(extents, ", "), extents.size() == 1 ? "," : "");
    const auto total = (kPrefix + literal.size() + 1 + kAlignment - 1) / kAlignment * kAlignment;
    literal.resize(total - kPrefix - 1, ' ');
    literal += '\n';
    std::string head(kMagic);
    head += '\x01';
    head += '\0';
    head += static_cast<char>(literal.size() & 0xff);
    head += static_cast<char>(literal.size() >> 8);
    return head + literal;
}

}  // namespace prelude::experiments
