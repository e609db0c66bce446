// SPDX-License-Identifier: Apache-2.0
#pragma once

// The values a configuration key may take: how they are written, checked and printed.

#include "experiments/config/located_yaml.hpp"
#include "quant/settings.hpp"

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace prelude::experiments {

/// A key that follows another one ("auto", "activation_bits"): an empty std::optional in the settings.
inline constexpr std::int64_t kUnset = std::numeric_limits<std::int64_t>::min();

/// One value of a key, independent of where it is stored. Choices are the integers of their names.
using Value = std::variant<bool, std::int64_t, double, std::string, std::vector<std::int64_t>, std::vector<std::string>,
                           std::vector<quant::LayerOverride>>;

/// A word with the number it stands for. A word that belongs to the vocabulary but not to this version is refused by name.
struct Word {
    std::string_view name;
    std::int64_t value = 0;
    bool available = true;
    std::vector<std::string_view> also = {};  ///< other spellings
};

/// The word of something that a later version will do.
[[nodiscard]] inline Word later(std::string_view name) {
    return {name, kUnset, false, {}};
}

struct IntegerRange {
    std::int64_t low = 0, high = 0;
};

/// Why a value is refused, and where; a list can have several wrong items.
struct Refusal {
    Location where;
    std::string found;         ///< "got 9"
    std::string allowed = {};  ///< when it differs from the domain's
    bool unavailable = false;  ///< a later version will know it
};

class Domain {
  public:
    enum class Kind { boolean, integer, real, choice, choices, integers, text, texts, name, path, layers };

    [[nodiscard]] static Domain boolean(bool true_available = true);
    [[nodiscard]] static Domain integers(std::vector<IntegerRange> ranges, std::vector<Word> words = {});
    [[nodiscard]] static Domain reals(double low, double high, std::vector<Word> words = {});
    [[nodiscard]] static Domain choice(std::vector<Word> words);
    /// One word or a list of different words.
    [[nodiscard]] static Domain choices(std::vector<Word> words);
    [[nodiscard]] static Domain integer_list(IntegerRange each, std::vector<Word> words = {});
    [[nodiscard]] static Domain text(std::string_view what);
    [[nodiscard]] static Domain texts(std::string_view what);
    /// Lower-case letters, digits and underscores: looked up in a folder of arch_configs/, so never a path.
    [[nodiscard]] static Domain name(std::string_view what);
    /// A file or folder; the words stand for no path. Whether it exists is checked by the reader of the configuration.
    [[nodiscard]] static Domain path(std::vector<Word> words = {}, bool may_be_folder = false);
    [[nodiscard]] static Domain layers();

    [[nodiscard]] Kind kind() const noexcept { return kind_; }
    /// "2..8, 16, auto"
    [[nodiscard]] std::string allowed() const;
    /// The value written in `node`, or nothing and at least one refusal.
    [[nodiscard]] std::optional<Value> read(const Node& node, std::vector<Refusal>& refusals) const;
    /// As YAML on one line; read(print(v)) == v.
    [[nodiscard]] std::string print(const Value& value) const;
    /// The word that stands for `value`, or empty.
    [[nodiscard]] std::string_view word_of(std::int64_t value) const noexcept;
    [[nodiscard]] const std::vector<Word>& words() const noexcept { return words_; }
    [[nodiscard]] bool may_be_folder() const noexcept { return may_be_folder_; }

  private:
    explicit Domain(Kind kind) : kind_(kind) {}
    [[nodiscard]] const Word* find_word(std::string_view text) const noexcept;
    [[nodiscard]] std::optional<std::int64_t> read_word(const Node& node, std::vector<Refusal>& refusals) const;

    Kind kind_;
    std::vector<IntegerRange> ranges_;
    double low_ = 0, high_ = 0;
    std::vector<Word> words_;
    std::string_view what_;
    bool may_be_folder_ = false;
};

/// Shortest decimal form that reads back to the same double; integers without a point.
[[nodiscard]] std::string print_real(double value);
/// As a double-quoted YAML scalar.
[[nodiscard]] std::string print_quoted(std::string_view text);

}  // namespace prelude::experiments
