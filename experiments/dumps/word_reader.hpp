// SPDX-License-Identifier: Apache-2.0
#pragma once

// The words of a dump, whatever its format, from front to back.

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "experiments/dumps/word_format.hpp"
#include "models/tensor.hpp"

namespace prelude::experiments {

/// How a file of elements lies in bytes, where it lies as they do in memory.
struct RawElements {
    int bytes = 1;
    bool is_signed = true;
    bool is_floating = false;
    bool is_big_endian = false;
    friend bool operator==(const RawElements&, const RawElements&) = default;
};

/// Contract
///  - read() gives the words in the order of the file; fewer than asked for means the end, and that the file was whole.
///  - a word that the format of the tensor does not hold comes as it stands; undefined ones as kUndefinedWord.
///  - memory does not grow with the file.
/// Throws    models::InputError "FILE[:LINE]: what was found; what was expected"
class WordReader {
  public:
    virtual ~WordReader() = default;
    [[nodiscard]] virtual std::size_t read(std::span<std::int64_t> words) = 0;

    /// Files whose elements lie as in memory: read_raw() instead of read(), and words_of() what came.
    [[nodiscard]] virtual std::optional<RawElements> raw() const { return std::nullopt; }
    [[nodiscard]] virtual std::size_t read_raw(std::span<char> bytes);
    /// Words of bytes of read_raw(), `first` the index of the first.
    virtual void words_of(std::span<const char> bytes, std::uint64_t first, std::span<std::int64_t> words) const;

    /// The shape the file states.
    [[nodiscard]] virtual std::optional<models::Shape> shape() const { return std::nullopt; }
    [[nodiscard]] virtual std::uint64_t bytes_read() const = 0;
};

/// What is known of a dump before it is read.
struct DumpSource {
    WordFormat word;
    std::optional<DumpFormat> format{};        ///< empty: told by the file
    Packing packing{};                         ///< of hexadecimal files
    /// Of dumps in real units: the word whose value a number is; nothing where no word has that value.
    std::function<std::optional<std::int64_t>(std::uint64_t index, double value)> word_of{};
    std::optional<std::uint64_t> num_words{};  ///< that should be there: padding of a last packed word does not count
};

/// The format of a file by its content, and by its name where the content leaves it open.
///
/// Contract  NumPy's magic, [[[runtime]]], the trailer of binary vectors; .bin, .hex, .mem, .h; a text is hexadecimal where a token says so (0x, @, letters a-f), else
///           decimal
/// Throws    models::InputError for archives, and for bytes that no name explains
[[nodiscard]] DumpFormat detect_format(const std::filesystem::path& file);

/// Throws    models::InputError for a file that is not of the format
[[nodiscard]] std::unique_ptr<WordReader> open_words(const std::filesystem::path& file, const DumpSource& source);

/// All words; at most `limit`, more are an error.
[[nodiscard]] std::vector<std::int64_t> read_words(const std::filesystem::path& file, const DumpSource& source, std::uint64_t limit);

}  // namespace prelude::experiments
