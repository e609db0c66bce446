// SPDX-License-Identifier: Apache-2.0
#include "experiments/dumps/text_readers.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>

#include "experiments/dumps/token_source.hpp"

namespace prelude::experiments {

namespace {

constexpr double kLargestWhole = 9007199254740992.0;  ///< 2^53

/// A text of which every token gives some words.
class TextReader : public WordReader {
  public:
    TextReader(const std::filesystem::path& file, const TokenSource::Syntax& syntax) : tokens_(file, syntax) {}
    [[nodiscard]] std::uint64_t bytes_read() const override { return tokens_.source().position(); }

  protected:
    [[noreturn]] void refuse(std::string_view token, std::string_view expected) const {
        std::string shown(token.substr(0, 40));
        for (auto& c : shown)
            if (c < ' ' || c > '~') c = '?';
        tokens_.refuse(fmt::format("found '{}'; {}", shown, expected));
    }
    TokenSource tokens_;
};

constexpr int kNotADigit = -1, kUndefinedDigit = 16, kSpacer = 17;

constexpr std::array<std::int8_t, 256> make_digits() {
    std::array<std::int8_t, 256> digits{};
    digits.fill(kNotADigit);
    for (int i = 0; i < 10; ++i) digits[static_cast<std::size_t>('0' + i)] = static_cast<std::int8_t>(i);
    for (int i = 0; i < 6; ++i)
        digits[static_cast<std::size_t>('a' + i)] = digits[static_cast<std::size_t>('A' + i)] = static_cast<std::int8_t>(10 + i);
    for (const char c : {'x', 'X', 'z', 'Z'}) digits[static_cast<unsigned char>(c)] = kUndefinedDigit;
    digits[static_cast<unsigned char>('_')] = kSpacer;
    return digits;
}
constexpr auto kDigits = make_digits();

/// The elements of a hexadecimal word.
class HexWord {
  public:
    explicit HexWord(const DumpSource& source)
        : word_(source.word), packing_(source.packing), elements_(packing_.elements_per_word(word_.bits)) {}

    [[nodiscard]] int num_elements() const noexcept { return elements_; }

    /// Takes the digits; false: one is none.
    bool parse(std::string_view digits) {
        std::uint64_t pattern = 0;
        int others = 0;
        if (digits.size() <= kDigitsPerLimb) {  // most words
            for (const char c : digits) {
                const int digit = kDigits[static_cast<unsigned char>(c)];
                others |= digit;
                pattern = pattern << 4 | static_cast<std::uint64_t>(digit & 15);
            }
            if (static_cast<unsigned>(others) < 16 && !digits.empty()) {
                limbs_[0] = pattern;
                used_ = 1;
                undefined_ = false;
                num_digits_ = digits.size();
                return true;
            }
        }
        return parse_long(digits);
    }
    [[nodiscard]] std::int64_t element(int index) const noexcept {
        if (undefined_) return kUndefinedWord;
        if (elements_ == 1) return alone();
        const int at = packing_.order == ElementOrder::lsb_first ? index : elements_ - 1 - index;
        return word_.of_pattern(bits_at(static_cast<std::size_t>(at * word_.bits)));
    }

  private:
    static constexpr std::size_t kDigitsPerLimb = 16;

    /// Any number of digits, undefined ones and spacers among them.
    bool parse_long(std::string_view digits) {
        limbs_.fill(0);
        used_ = 1;
        undefined_ = false;
        std::size_t place = 0;
        for (auto at = digits.size(); at-- > 0;) {
            const int digit = kDigits[static_cast<unsigned char>(digits[at])];
            if (digit == kSpacer) continue;
            if (digit == kNotADigit) return false;
            const auto limb = place / kDigitsPerLimb;
            if (digit == kUndefinedDigit) {
                undefined_ = true;
            } else if (digit != 0) {
                if (limb >= limbs_.size()) return false;
                limbs_[limb] |= static_cast<std::uint64_t>(digit) << (4 * (place % kDigitsPerLimb));
                used_ = std::max(used_, limb + 1);
            }
            ++place;
        }
        num_digits_ = place;
        return place > 0;
    }
    /// A word that holds one element: its digits beyond the element's bits are 0 or the sign, or the word is another one.
    [[nodiscard]] std::int64_t alone() const noexcept {
        const auto pattern = word_.pattern_of(static_cast<std::int64_t>(limbs_[0]));
        const auto word = word_.of_pattern(pattern);
        const bool wider = used_ > 1;
        if (!wider && limbs_[0] == pattern) return word;
        const auto width = std::min<std::size_t>(64, 4 * num_digits_);
        const auto sign_extended = static_cast<std::uint64_t>(word) << (64 - width) >> (64 - width);
        if (word < 0 && sign_extended == limbs_[0] && (!wider || beyond_is_ones())) return word;
        return wider || limbs_[0] >> 63 ? std::numeric_limits<std::int64_t>::max() : static_cast<std::int64_t>(limbs_[0]);
    }
    [[nodiscard]] bool beyond_is_ones() const noexcept {
        for (std::size_t digit = kDigitsPerLimb; digit < num_digits_ && digit < kDigitsPerLimb * used_; ++digit)
            if ((limbs_[digit / kDigitsPerLimb] >> (4 * (digit % kDigitsPerLimb)) & 15) != 15) return false;
        return true;
    }
    [[nodiscard]] std::uint64_t bits_at(std::size_t bit) const noexcept {
        const auto limb = bit / 64, offset = bit % 64;
        auto value = limb < used_ ? limbs_[limb] >> offset : 0;
        if (offset != 0 && limb + 1 < used_) value |= limbs_[limb + 1] << (64 - offset);
        return value;
    }

    WordFormat word_;
    Packing packing_;
    int elements_;
    std::array<std::uint64_t, kMaxPackedBits / 64> limbs_{};
    std::size_t used_ = 0, num_digits_ = 0;  ///< limbs that hold digits
    bool undefined_ = false;
};

/// The words of hexadecimal tokens, in as many reads as it takes.
class HexTokens : public TextReader {
  public:
    HexTokens(const std::filesystem::path& file, const DumpSource& source, const TokenSource::Syntax& syntax)
        : TextReader(file, syntax), hex_(source), num_words_(source.num_words.value_or(std::numeric_limits<std::uint64_t>::max())) {}

    std::size_t read(std::span<std::int64_t> words) override {
        std::size_t filled = 0;
        while (filled < words.size()) {
            if (gap_ > 0) {
                words[filled++] = kUndefinedWord, --gap_, ++index_;
            } else if (next_ < hex_.num_elements()) {
                const auto word = hex_.element(next_++);
                if (index_ >= num_words_ && hex_.num_elements() > 1 && word == 0) continue;  // padding of the last word
                words[filled++] = word, ++index_;
            } else {
                auto token = tokens_.next();
                if (!accept(token)) return filled;
                if (!token.empty()) {
                    if (token.starts_with("0x") || token.starts_with("0X")) token.remove_prefix(2);
                    if (!hex_.parse(token))
                        refuse(token, fmt::format("a word of hexadecimal digits of up to {} bits was expected", kMaxPackedBits));
                    next_ = 0;
                    ++file_words_;
                }
            }
        }
        return filled;
    }

  protected:
    /// False: nothing follows. A token that is no word is taken here and left empty.
    virtual bool accept(std::string_view& token) = 0;

    HexWord hex_;
    std::uint64_t gap_ = 0, file_words_ = 0, index_ = 0;

  private:
    std::uint64_t num_words_;
    int next_ = std::numeric_limits<int>::max();
};

class HexReader final : public HexTokens {
  public:
    HexReader(const std::filesystem::path& file, const DumpSource& source)
        : HexTokens(file, source, {.separators = ",", .slash_comments = true}) {}

  private:
    bool accept(std::string_view& token) override {
        if (token.empty()) return false;
        if (token[0] != '@') return true;
        std::uint64_t address = 0;
        const auto [end, error] = std::from_chars(token.data() + 1, token.data() + token.size(), address, 16);
        if (error != std::errc{} || end != token.data() + token.size()) refuse(token, "an address is @ and hexadecimal digits");
        if (address < file_words_) refuse(token, fmt::format("addresses ascend, and {:x} words were already read", file_words_));
        const auto per_word = static_cast<std::uint64_t>(hex_.num_elements());
        constexpr std::uint64_t kMaxGap = std::uint64_t{1} << 40;
        if (address - file_words_ > kMaxGap) refuse(token, "an address that far behind the last word");
        gap_ = (address - file_words_) * per_word;
        file_words_ = address;
        token = {};
        return true;
    }
};

class VectorReader final : public HexTokens {
  public:
    VectorReader(const std::filesystem::path& file, const DumpSource& source) : HexTokens(file, source, {}) {
        if (const auto token = tokens_.next(); token != "[[[runtime]]]") refuse(token, "vectors of co-simulation begin with [[[runtime]]]");
    }

  private:
    bool accept(std::string_view& token) override {
        if (ended_) return false;
        if (token.empty()) tokens_.refuse(in_transaction_ ? "ends inside a transaction" : "ends without [[[/runtime]]]");
        if (in_transaction_) {
            if (token == "[[/transaction]]")
                in_transaction_ = false, token = {};
            else if (!token.starts_with("0x"))
                refuse(token, "a word 0x... or [[/transaction]] was expected");
            return true;
        }
        if (token == "[[[/runtime]]]") {
            ended_ = true;
            if (const auto more = tokens_.next(); !more.empty()) refuse(more, "nothing follows [[[/runtime]]]");
            return false;
        }
        if (token != "[[transaction]]") refuse(token, "[[transaction]] or [[[/runtime]]] was expected");
        const auto number = tokens_.next();
        if (number.empty() || number.find_first_not_of("0123456789") != std::string_view::npos)
            refuse(number, "the number of a transaction was expected");
        in_transaction_ = true;
        token = {};
        return true;
    }
    bool in_transaction_ = false, ended_ = false;
};

/// Whole numbers, whatever they are written as.
class NumberReader : public TextReader {
  public:
    using TextReader::TextReader;

    std::size_t read(std::span<std::int64_t> words) override {
        std::size_t filled = 0;
        while (filled < words.size()) {
            const auto token = tokens_.next();
            if (!accept(token)) break;
            words[filled++] = number(token);
        }
        return filled;
    }

  protected:
    virtual bool accept(std::string_view token) { return !token.empty(); }
    virtual std::int64_t number(std::string_view token) const {
        const auto digits = token.substr(token.starts_with('+') ? 1 : 0);
        std::int64_t word = 0;
        const auto* last = digits.data() + digits.size();
        const auto [end, error] = std::from_chars(digits.data(), last, word);
        if (error == std::errc{} && end == last) return word;
        double value = 0;
        const auto [real_end, real_error] = std::from_chars(digits.data(), last, value);
        if (digits == "x" || digits == "X" || digits == "z" || digits == "Z")
            return kUndefinedWord;  // what $fwrite makes of undefined words
        if (real_error != std::errc{} || real_end != last)
            refuse(token, "a number was expected; hexadecimal words are read with --format hex");
        if (!(std::abs(value) <= kLargestWhole) || value != std::trunc(value)) refuse(token, "words are whole numbers of up to 2^53");
        return static_cast<std::int64_t>(value);
    }
};

class DecimalReader final : public NumberReader {
  public:
    explicit DecimalReader(const std::filesystem::path& file)
        : NumberReader(file, TokenSource::Syntax{.separators = ",", .hash_comments = true}) {}
};

/// Numbers in real units.
class RealReader final : public TextReader {
  public:
    RealReader(const std::filesystem::path& file, const DumpSource& source)
        : TextReader(file, TokenSource::Syntax{.separators = ",", .hash_comments = true}), word_of_(source.word_of) {
        if (!word_of_) tokens_.refuse("words of this tensor have no real values");
    }

    std::size_t read(std::span<std::int64_t> words) override {
        std::size_t filled = 0;
        while (filled < words.size()) {
            const auto token = tokens_.next();
            if (token.empty()) break;
            const auto digits = token.substr(token.starts_with('+') ? 1 : 0);
            double value = 0;
            const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
            if (error != std::errc{} || end != digits.data() + digits.size() || !std::isfinite(value)) refuse(token, "a number was expected");
            const auto word = word_of_(index_, value);
            if (!word) refuse(token, "no word of this tensor has that value: it is no multiple of its scale");
            words[filled++] = *word;
            ++index_;
        }
        return filled;
    }

  private:
    std::function<std::optional<std::int64_t>(std::uint64_t, double)> word_of_;
    std::uint64_t index_ = 0;
};

class HeaderReader final : public NumberReader {
  public:
    explicit HeaderReader(const std::filesystem::path& file)
        : NumberReader(file, TokenSource::Syntax{.separators = ",{}", .slash_comments = true, .hash_comments = true}) {
        if (!tokens_.skip_behind('=') || !tokens_.skip_behind('{')) tokens_.refuse("no array initialiser `= { ... };`");
    }

  private:
    bool accept(std::string_view token) override {
        if (ended_) return false;
        if (token.empty()) tokens_.refuse("ends inside an array initialiser");
        if (token[0] != ';') return true;
        ended_ = true;
        if (token.size() > 1 || tokens_.skip_behind('{')) tokens_.refuse("more than one array; a file holds one");
        return false;
    }
    std::int64_t number(std::string_view token) const override {
        while (!token.empty() && std::string_view("uUlL").find(token.back()) != std::string_view::npos) token.remove_suffix(1);
        const bool negative = token.starts_with('-');
        const auto digits = token.substr(negative ? 1 : 0);
        if (!digits.starts_with("0x") && !digits.starts_with("0X")) return NumberReader::number(token);
        std::int64_t word = 0;
        const auto [end, error] = std::from_chars(digits.data() + 2, digits.data() + digits.size(), word, 16);
        if (error != std::errc{} || end != digits.data() + digits.size()) refuse(token, "a number was expected");
        return negative ? -word : word;
    }
    bool ended_ = false;
};

}  // namespace

std::unique_ptr<WordReader> open_hex(const std::filesystem::path& file, const DumpSource& source) {
    return std::make_unique<HexReader>(file, source);
}
std::unique_ptr<WordReader> open_decimal(const std::filesystem::path& file) {
    return std::make_unique<DecimalReader>(file);
}
std::unique_ptr<WordReader> open_text_vectors(const std::filesystem::path& file, const DumpSource& source) {
    return std::make_unique<VectorReader>(file, source);
}
std::unique_ptr<WordReader> open_real(const std::filesystem::path& file, const DumpSource& source) {
    return std::make_unique<RealReader>(file, source);
}
std::unique_ptr<WordReader> open_header(const std::filesystem::path& file) {
    return std::make_unique<HeaderReader>(file);
}

}  // namespace prelude::experiments
