// SPDX-License-Identifier: Apache-2.0
#pragma once

// Files of any size, read once from front to back: bytes, and the words of a text.

#include <array>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace prelude::experiments {

/// Contract  holds a descriptor and no more than its callers' buffers; errors name the file
class ByteSource final {
  public:
    /// Throws    models::InputError where the file is none or cannot be opened
    explicit ByteSource(const std::filesystem::path& file);
    ByteSource(const ByteSource&) = delete;
    ByteSource& operator=(const ByteSource&) = delete;
    ~ByteSource();

    /// Fills `bytes` as far as the file goes.
    std::size_t read(std::span<char> bytes);
    [[nodiscard]] std::uint64_t size() const noexcept { return size_; }
    [[nodiscard]] std::uint64_t position() const noexcept { return position_; }
    [[nodiscard]] const std::string& name() const noexcept { return name_; }

  private:
    std::string name_;
    int descriptor_;
    std::uint64_t size_ = 0, position_ = 0;
};

/// A text as tokens: runs of characters between blanks and separators.
///
/// Limits    tokens of up to kMaxToken characters; lines and files of any length
class TokenSource final {
  public:
    static constexpr std::size_t kMaxToken = 2048;
    struct Syntax {
        std::string_view separators{};  ///< count as blanks
        bool slash_comments = false;    ///< `//` to the end of the line, `/* */`
        bool hash_comments = false;     ///< `#` to the end of the line
    };
    TokenSource(const std::filesystem::path& file, const Syntax& syntax);

    /// The next token; empty at the end of the file. Valid until the next call.
    [[nodiscard]] std::string_view next();
    /// Passes over everything up to and including `character`, comments aside; false: there is none.
    [[nodiscard]] bool skip_behind(char character);
    /// Line of the last token.
    [[nodiscard]] std::uint64_t line() const noexcept { return line_; }
    [[nodiscard]] const ByteSource& source() const noexcept { return source_; }
    /// Throws    models::InputError "FILE:LINE: what"
    [[noreturn]] void refuse(std::string_view what) const;

  private:
    enum class Class : std::uint8_t { normal, blank, slash, hash };
    /// Keeps what lies behind `keep`, reads on behind it; false: nothing came.
    bool refill(std::size_t keep);
    void skip_line();
    /// The token that begins at `start`.
    [[nodiscard]] std::string_view token_from(std::size_t start);
    /// At a slash that begins a comment: passes over it.
    bool skip_slash_comment();

    ByteSource source_;
    std::array<Class, 256> classes_{};
    std::vector<char> buffer_;
    std::size_t at_ = 0, end_ = 0;
    std::uint64_t line_ = 1;
};

}  // namespace prelude::experiments
