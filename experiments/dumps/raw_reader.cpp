// SPDX-License-Identifier: Apache-2.0
#include "experiments/dumps/raw_reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <fstream>

#include "experiments/dumps/npy_header.hpp"
#include "experiments/dumps/token_source.hpp"
#include "models/error.hpp"

namespace prelude::experiments {

namespace {

static_assert(std::endian::native == std::endian::little);

constexpr std::size_t kPieceBytes = std::size_t{1} << 16;
constexpr std::array<unsigned char, 8> kTrailer{0x5a, 0x5a, 0xa5, 0xa5, 0x0f, 0x0f, 0xf0, 0xf0};
constexpr double kLargestWhole = 9007199254740992.0;  ///< 2^53

template <class T>
void widen(const char* from, std::span<std::int64_t> words) noexcept {
    for (std::size_t i = 0; i < words.size(); ++i) {
        T element;
        std::memcpy(&element, from + i * sizeof(T), sizeof(T));
        words[i] = static_cast<std::int64_t>(element);
    }
}

class RawReader final : public WordReader {
  public:
    /// Elements from `offset` to `end` of the file.
    RawReader(const std::filesystem::path& file, RawElements elements, std::uint64_t offset, std::uint64_t end,
              std::optional<models::Shape> shape)
        : source_(file), elements_(elements), shape_(std::move(shape)), left_(end - offset) {
        std::vector<char> head(offset);
        if (source_.size() < end || source_.read(head) < offset)
            throw models::InputError(fmt::format("{}: {} bytes; {} are needed", source_.name(), source_.size(), end));
        if (left_ % static_cast<std::uint64_t>(elements.bytes) != 0)
            throw models::InputError(
                fmt::format("{}: {} bytes of data are no whole number of elements of {} bytes", source_.name(), left_, elements.bytes));
    }

    std::size_t read(std::span<std::int64_t> words) override {
        const auto bytes = static_cast<std::size_t>(elements_.bytes);
        buffer_.resize(kPieceBytes);
        std::size_t filled = 0;
        while (filled < words.size()) {
            const auto count = read_raw(std::span(buffer_).first(std::min(kPieceBytes, (words.size() - filled) * bytes))) / bytes;
            words_of(std::span(buffer_).first(count * bytes), index_, words.subspan(filled, count));
            index_ += count;
            filled += count;
            if (count == 0) break;
        }
        return filled;
    }
    [[nodiscard]] std::optional<RawElements> raw() const override { return elements_; }
    [[nodiscard]] std::size_t read_raw(std::span<char> bytes) override {
        const auto count = source_.read(bytes.first(static_cast<std::size_t>(std::min<std::uint64_t>(bytes.size(), left_))));
        if (count < bytes.size() && count < left_)
            throw models::InputError(fmt::format("{}: ends {} bytes early", source_.name(), left_ - count));
        left_ -= count;
        return count;
    }
    void words_of(std::span<const char> bytes, std::uint64_t first, std::span<std::int64_t> words) const override {
        std::vector<char> swapped;
        const auto* from = bytes.data();
        if (elements_.is_big_endian && elements_.bytes > 1) {
            swapped.assign(bytes.begin(), bytes.end());
            for (std::size_t i = 0; i < swapped.size(); i += static_cast<std::size_t>(elements_.bytes))
                std::reverse(swapped.begin() + static_cast<std::ptrdiff_t>(i),
                             swapped.begin() + static_cast<std::ptrdiff_t>(i) + elements_.bytes);
            from = swapped.data();
        }
        if (elements_.is_floating) return elements_.bytes == 4 ? whole<float>(from, first, words) : whole<double>(from, first, words);
        switch (elements_.bytes * (elements_.is_signed ? 1 : -1)) {
            case 1: return widen<std::int8_t>(from, words);
            case -1: return widen<std::uint8_t>(from, words);
            case 2: return widen<std::int16_t>(from, words);
            case -2: return widen<std::uint16_t>(from, words);
            case 4: return widen<std::int32_t>(from, words);
            case -4: return widen<std::uint32_t>(from, words);
            default: return widen<std::int64_t>(from, words);
        }
    }
    [[nodiscard]] std::optional<models::Shape> shape() const override { return shape_; }
    [[nodiscard]] std::uint64_t bytes_read() const override { return source_.position(); }

  private:
    /// Floating-point elements that are integers.
    template <class T>
    void whole(const char* from, std::uint64_t first, std::span<std::int64_t> words) const {
        for (std::size_t i = 0; i < words.size(); ++i) {
            T element;
            std::memcpy(&element, from + i * sizeof(T), sizeof(T));
            const double value = element;
            if (!(std::abs(value) <= kLargestWhole) || value != std::trunc(value))
                throw models::InputError(fmt::format("{}: element {} is {}; words are whole numbers", source_.name(), first + i, value));
            words[i] = static_cast<std::int64_t>(value);
        }
    }

    ByteSource source_;
    RawElements elements_;
    std::optional<models::Shape> shape_;
    std::uint64_t left_, index_ = 0;
    std::vector<char> buffer_;
};

}  // namespace

std::unique_ptr<WordReader> open_npy(const std::filesystem::path& file) {
    std::vector<char> head(kMaxNpyHeader);
    std::uint64_t size = 0;
    {
        ByteSource source(file);
        size = source.size();
        head.resize(source.read(head));
    }
    auto header = parse_npy_header(head, file.string());
    const auto end =
        header.data_offset + static_cast<std::uint64_t>(header.shape.num_elements()) * static_cast<std::uint64_t>(header.elements.bytes);
    if (size != end)
        throw models::InputError(fmt::format("{}: {} bytes, but its header says {}: {} elements of {} bytes behind {} bytes", file.string(),
                                             size, end, header.shape.num_elements(), header.elements.bytes, header.data_offset));
    return std::make_unique<RawReader>(file, header.elements, header.data_offset, end, std::move(header.shape));
}

std::unique_ptr<WordReader> open_binary(const std::filesystem::path& file, const WordFormat& word) {
    return std::make_unique<RawReader>(file, RawElements{.bytes = word.storage_bytes(), .is_signed = word.is_signed}, 0,
                                       std::filesystem::file_size(file), std::nullopt);
}

std::unique_ptr<WordReader> open_binary_vectors(const std::filesystem::path& file, const WordFormat& word) {
    return std::make_unique<RawReader>(file, RawElements{.bytes = word.storage_bytes(), .is_signed = word.is_signed}, 0,
                                       std::filesystem::file_size(file) - kTrailer.size(), std::nullopt);
}

bool has_vector_trailer(const std::filesystem::path& file) {
    std::ifstream stream(file, std::ios::binary | std::ios::ate);
    std::array<unsigned char, kTrailer.size()> tail{};
    if (!stream || stream.tellg() < static_cast<std::streamoff>(tail.size())) return false;
    stream.seekg(-static_cast<std::streamoff>(tail.size()), std::ios::end);
    stream.read(reinterpret_cast<char*>(tail.data()), tail.size());
    return stream && tail == kTrailer;
}

}  // namespace prelude::experiments
