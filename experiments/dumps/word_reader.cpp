// SPDX-License-Identifier: Apache-2.0
#include "experiments/dumps/word_reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <string>

#include "experiments/dumps/raw_reader.hpp"
#include "experiments/dumps/text_readers.hpp"
#include "experiments/dumps/token_source.hpp"
#include "models/error.hpp"

namespace prelude::experiments {

namespace {

constexpr std::array<std::string_view, kNumDumpFormats> kNames{"npy", "bin", "hex", "dat", "cosim", "header", "real"};
constexpr std::array<std::string_view, kNumDumpFormats> kExtensions{".npy", ".bin", ".hex", ".dat", ".dat", ".h", ".dat"};
constexpr std::string_view kNumpyMagic = "\x93NUMPY", kZipMagic = "PK\x03\x04", kGzipMagic = "\x1f\x8b", kRuntime = "[[[runtime]]]";

/// What numbers a text is of: by the first token that says so.
DumpFormat format_of_text(std::string_view text) {
    for (std::size_t at = 0; at < text.size();) {
        while (at < text.size() && (std::isspace(static_cast<unsigned char>(text[at])) != 0 || text[at] == ',')) ++at;
        auto end = at;
        while (end < text.size() && std::isspace(static_cast<unsigned char>(text[end])) == 0 && text[end] != ',') ++end;
        const auto token = text.substr(at, end - at);
        const bool whole_token = end < text.size();
        if (token.starts_with("#")) {
            end = std::min(text.find('\n', at), text.size());
        } else if (token.starts_with("//") || token.starts_with("@") || token.starts_with("0x") || token.starts_with("0X")) {
            return DumpFormat::hex;
        } else if (const auto point = token.find('.'); point != std::string_view::npos) {
            const auto fraction = token.substr(point + 1, token.find_first_of("eE", point) - point - 1);
            if (fraction.find_first_of("123456789") != std::string_view::npos) return DumpFormat::real;
        } else if (whole_token && token.find_first_of("abcdfABCDF") != std::string_view::npos && token != "inf" && token != "nan") {
            return DumpFormat::hex;
        }
        at = end;
    }
    return DumpFormat::decimal;
}

}  // namespace

std::string_view name_of(DumpFormat format) noexcept {
    return kNames[static_cast<std::size_t>(format)];
}

std::optional<DumpFormat> dump_format_of(std::string_view name) noexcept {
    const auto found = std::ranges::find(kNames, name);
    if (found == kNames.end()) return std::nullopt;
    return static_cast<DumpFormat>(found - kNames.begin());
}

std::string_view extension_of(DumpFormat format) noexcept {
    return kExtensions[static_cast<std::size_t>(format)];
}

std::size_t WordReader::read_raw(std::span<char>) {
    models::check(false, "a text has no raw elements");
    return 0;
}
void WordReader::words_of(std::span<const char>, std::uint64_t, std::span<std::int64_t>) const {
    models::check(false, "a text has no raw elements");
}

DumpFormat detect_format(const std::filesystem::path& file) {
    std::vector<char> buffer(std::size_t{1} << 16);
    ByteSource source(file);
    const std::string_view text(buffer.data(), source.read(buffer));
    const auto extension = file.extension();
    if (text.starts_with(kNumpyMagic)) return DumpFormat::npy;
    if (text.starts_with(kZipMagic) || text.starts_with(kGzipMagic))
        throw models::InputError(fmt::format("{}: an archive; dumps are read as plain files: unpack it", source.name()));
    if (const auto first = text.find_first_not_of(" \t\r\n"); first != std::string_view::npos && text.substr(first).starts_with(kRuntime))
        return DumpFormat::cosim;
    if (extension == ".npy") throw models::InputError(fmt::format("{}: not a NumPy file", source.name()));
    if (extension == ".bin" || extension == ".raw") return DumpFormat::binary;
    if (has_vector_trailer(file)) return DumpFormat::cosim;
    const bool is_text = std::ranges::all_of(text, [](char c) { return (c >= ' ' && c <= '~') || (c >= '\t' && c <= '\r'); });
    if (!is_text)
        throw models::InputError(
            fmt::format("{}: neither a text nor a NumPy file; raw words are called .bin, or say --format bin", source.name()));
    if (extension == ".hex" || extension == ".mem") return DumpFormat::hex;
    if (extension == ".h" || extension == ".hpp" || extension == ".inc") return DumpFormat::header;
    return format_of_text(text);
}

std::unique_ptr<WordReader> open_words(const std::filesystem::path& file, const DumpSource& source) {
    models::check(source.word.bits >= 1 && source.word.bits <= kMaxWordBits && source.packing.word_bits <= kMaxPackedBits,
                  "a word of a dump has 1 to 63 bits");
    switch (source.format ? *source.format : detect_format(file)) {
        case DumpFormat::npy: return open_npy(file);
        case DumpFormat::binary: return open_binary(file, source.word);
        case DumpFormat::hex: return open_hex(file, source);
        case DumpFormat::decimal: return open_decimal(file);
        case DumpFormat::cosim: return has_vector_trailer(file) ? open_binary_vectors(file, source.word) : open_text_vectors(file, source);
        case DumpFormat::header: return open_header(file);
        case DumpFormat::real: return open_real(file, source);
    }
    models::check(false, "unknown format of a dump");
    return nullptr;
}

std::vector<std::int64_t> read_words(const std::filesystem::path& file, const DumpSource& source, std::uint64_t limit) {
    constexpr std::size_t kPiece = 1 << 14;
    const auto reader = open_words(file, source);
    std::vector<std::int64_t> words;
    while (true) {
        const auto begin = words.size();
        words.resize(begin + kPiece);
        const auto count = reader->read(std::span(words).subspan(begin));
        words.resize(begin + count);
        if (words.size() > limit) throw models::InputError(fmt::format("{}: more than {} words", file.string(), limit));
        if (count < kPiece) return words;
    }
}

}  // namespace prelude::experiments
