// SPDX-License-Identifier: Apache-2.0
#include "experiments/config/domain.hpp"

#include "experiments/config/keys.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

namespace prelude::experiments {

namespace {

constexpr std::size_t kMaxTextBytes = 4096;

void refuse(std::vector<Refusal>& refusals, const Node& node, std::string allowed = {}) {
    refusals.push_back({node.where, "got " + node.describe(), std::move(allowed)});
}

/// The whole of `text` as a number; nothing for "1e3" (as an integer), "0x10", "8 " or a value that does not fit.
template <typename Number>
std::optional<Number> parse_number(std::string_view text) {
    if (text.starts_with('+')) text.remove_prefix(1);
    if (text.starts_with('+')) return std::nullopt;
    Number number{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return number;
}

std::string join(const std::vector<std::string>& parts) {
    std::string text;
    for (const auto& part : parts) text += (text.empty() ? "" : ", ") + part;
    return text;
}

bool is_plain_scalar(const Node& node) {
    return node.kind == Node::Kind::scalar && !node.quoted;
}

std::optional<std::string> read_text(const Node& node, std::vector<Refusal>& refusals, bool may_be_empty = false) {
    if (node.kind != Node::Kind::scalar || (node.text.empty() && !may_be_empty) || node.text.size() > kMaxTextBytes) {
        refuse(refusals, node);
        return std::nullopt;
    }
    return node.text;
}

/// One entry of `quant.layers`; its widths are those of the keys of the same name.
std::optional<quant::LayerOverride> read_layer(const Node& node, std::vector<Refusal>& refusals) {
    static constexpr std::string_view kForm = "{match: GLOB, weight_bits, activation_bits, groups}";
    if (node.kind != Node::Kind::mapping) {
        refuse(refusals, node, fmt::format("a mapping {}", kForm));
        return std::nullopt;
    }
    const auto before = refusals.size();
    quant::LayerOverride layer;
    const auto number = [&](const Member& member, std::string_view key, std::optional<int>& field) {
        const auto& domain = find_key(key)->domain;
        std::vector<Refusal> inner;
        if (const auto value = domain.read(member.value, inner)) field = static_cast<int>(std::get<std::int64_t>(*value));
        for (auto& refusal : inner)
            refusals.push_back({refusal.where, fmt::format("{}: {}", member.name, refusal.found), domain.allowed(), refusal.unavailable});
    };
    for (const auto& member : node.members) {
        if (member.name == "match") {
            if (auto text = read_text(member.value, refusals)) layer.match = std::move(*text);
        } else if (member.name == "weight_bits") {
            number(member, "quant.weight_bits", layer.weight_bits);
        } else if (member.name == "activation_bits") {
            number(member, "quant.activation_bits", layer.activation_bits);
        } else if (member.name == "groups") {
            number(member, "quant.groups", layer.groups);
        } else {
            const auto near = closest(member.name, {"match", "weight_bits", "activation_bits", "groups"});
            refusals.push_back({member.where,
                                fmt::format("unknown key '{}' in a layer override.{}", shown(member.name),
                                            near.empty() ? "" : fmt::format(" Did you mean '{}'?", near)),
                                std::string(kForm)});
        }
    }
    if (node.find("match") == nullptr) refusals.push_back({node.where, "a layer override without `match`", std::string(kForm)});
    if (refusals.size() != before) return std::nullopt;
    return layer;
}

std::string print_layer(const quant::LayerOverride& layer) {
    std::string text = "{match: " + print_quoted(layer.match);
    if (layer.weight_bits) text += fmt::format(", weight_bits: {}", *layer.weight_bits);
    if (layer.activation_bits) text += fmt::format(", activation_bits: {}", *layer.activation_bits);
    if (layer.groups) text += fmt::format(", groups: {}", *layer.groups);
    return text + "}";
}

}  // namespace

Domain Domain::boolean(bool true_available) {
    Domain domain(Kind::boolean);
    domain.words_ = {{"false", 0}, true_available ? Word{"true", 1} : later("true")};
    return domain;
}

Domain Domain::integers(std::vector<IntegerRange> ranges, std::vector<Word> words) {
    Domain domain(Kind::integer);
    domain.ranges_ = std::move(ranges);
    domain.words_ = std::move(words);
    return domain;
}

Domain Domain::reals(double low, double high, std::vector<Word> words) {
    Domain domain(Kind::real);
    domain.low_ = low;
    domain.high_ = high;
    domain.words_ = std::move(words);
    return domain;
}

Domain Domain::choice(std::vector<Word> words) {
    Domain domain(Kind::choice);
    domain.words_ = std::move(words);
    return domain;
}

Domain Domain::choices(std::vector<Word> words) {
    Domain domain(Kind::choices);
    domain.words_ = std::move(words);
    return domain;
}

Domain Domain::integer_list(IntegerRange each, std::vector<Word> words) {
    Domain domain(Kind::integers);
    domain.ranges_ = {each};
    domain.words_ = std::move(words);
    return domain;
}

Domain Domain::text(std::string_view what) {
    Domain domain(Kind::text);
    domain.what_ = what;
    return domain;
}

Domain Domain::texts(std::string_view what) {
    Domain domain(Kind::texts);
    domain.what_ = what;
    return domain;
}

Domain Domain::name(std::string_view what) {
    Domain domain(Kind::name);
    domain.what_ = what;
    return domain;
}

Domain Domain::path(std::vector<Word> words, bool may_be_folder) {
    Domain domain(Kind::path);
    domain.may_be_folder_ = may_be_folder;
    domain.words_ = std::move(words);
    return domain;
}

Domain Domain::layers() {
    return Domain(Kind::layers);
}

std::string Domain::allowed() const {
    std::vector<std::string> parts, coming;
    for (const auto& range : ranges_)
        parts.push_back(range.low == range.high ? fmt::format("{}", range.low) : fmt::format("{}..{}", range.low, range.high));
    if (kind_ == Kind::real) parts.push_back(print_real(low_) + ".." + print_real(high_));
    if (kind_ == Kind::path) parts.emplace_back(may_be_folder_ ? "the path of a file or folder" : "the path of a file");
    if (kind_ == Kind::integers) parts[0] = "a list of " + parts[0];
    for (const auto& word : words_) (word.available ? parts : coming).emplace_back(word.name);
    auto text = join(parts);
    if (kind_ == Kind::choices) text = "one of, or a list of different: " + text;
    if (kind_ == Kind::layers) text = "a list of {match: GLOB, weight_bits, activation_bits, groups}";
    if (!what_.empty()) text = std::string(what_);
    if (!coming.empty()) text += "; not available in this version: " + join(coming);
    return text;
}

const Word* Domain::find_word(std::string_view text) const noexcept {
    for (const auto& word : words_)
        if (word.name == text || std::find(word.also.begin(), word.also.end(), text) != word.also.end()) return &word;
    return nullptr;
}

std::string_view Domain::word_of(std::int64_t value) const noexcept {
    for (const auto& word : words_)
        if (word.available && word.value == value) return word.name;
    return {};
}

std::optional<std::int64_t> Domain::read_word(const Node& node, std::vector<Refusal>& refusals) const {
    const auto* word = node.kind == Node::Kind::scalar ? find_word(node.text) : nullptr;
    if (word == nullptr) {
        std::vector<std::string> names;
        for (const auto& candidate : words_) names.emplace_back(candidate.name);
        const auto near = node.kind == Node::Kind::scalar ? closest(node.text, names) : std::string{};
        refusals.push_back(
            {node.where, fmt::format("got {}{}", node.describe(), near.empty() ? "" : fmt::format(". Did you mean '{}'?", near))});
        return std::nullopt;
    }
    if (!word->available) {
        refusals.push_back({node.where, fmt::format("{} is not available in this version", word->name), {}, true});
        return std::nullopt;
    }
    return word->value;
}

std::optional<Value> Domain::read(const Node& node, std::vector<Refusal>& refusals) const {
    const auto before = refusals.size();
    const bool is_word = node.kind == Node::Kind::scalar && find_word(node.text) != nullptr;
    switch (kind_) {
        case Kind::boolean: {
            if (node.quoted) break;
            if (const auto word = read_word(node, refusals)) return *word != 0;
            return std::nullopt;
        }
        case Kind::integer: {
            if (is_word) {
                if (const auto word = read_word(node, refusals)) return *word;
                return std::nullopt;
            }
            const auto number = is_plain_scalar(node) ? parse_number<std::int64_t>(node.text) : std::nullopt;
            if (number)
                for (const auto& range : ranges_)
                    if (*number >= range.low && *number <= range.high) return *number;
            break;
        }
        case Kind::real: {
            if (is_word) {
                const auto word = read_word(node, refusals);
                if (!word) return std::nullopt;
                return *word == kUnset ? Value(kUnset) : Value(static_cast<double>(*word));
            }
            const auto number = is_plain_scalar(node) ? parse_number<double>(node.text) : std::nullopt;
            if (number && std::isfinite(*number) && *number >= low_ && *number <= high_) return *number;
            break;
        }
        case Kind::choice: {
            if (const auto word = read_word(node, refusals)) return *word;
            return std::nullopt;
        }
        case Kind::choices: {
            std::vector<std::int64_t> values;
            const auto add = [&](const Node& item) {
                const auto word = read_word(item, refusals);
                if (!word) return;
                if (std::find(values.begin(), values.end(), *word) != values.end())
                    refusals.push_back({item.where, fmt::format("{} is listed twice", item.describe())});
                else
                    values.push_back(*word);
            };
            if (node.kind == Node::Kind::sequence && !node.items.empty())
                for (const auto& item : node.items) add(item);
            else
                add(node);
            if (refusals.size() == before) return values;
            return std::nullopt;
        }
        case Kind::integers: {
            if (is_word) {
                if (const auto word = read_word(node, refusals)) return *word;
                return std::nullopt;
            }
            if (node.kind != Node::Kind::sequence) break;
            std::vector<std::int64_t> values;
            for (const auto& item : node.items) {
                const auto number = is_plain_scalar(item) ? parse_number<std::int64_t>(item.text) : std::nullopt;
                if (number && *number >= ranges_[0].low && *number <= ranges_[0].high)
                    values.push_back(*number);
                else
                    refuse(refusals, item);
            }
            if (refusals.size() == before) return values;
            return std::nullopt;
        }
        case Kind::name: {
            const auto fits = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; };
            if (node.kind != Node::Kind::scalar || node.text.empty() || node.text.size() > 64 ||
                !std::all_of(node.text.begin(), node.text.end(), fits))
                break;
            return node.text;
        }
        case Kind::path:
            if (is_word) {
                if (const auto word = read_word(node, refusals)) return std::string(word_of(*word));
                return std::nullopt;
            }
            [[fallthrough]];
        case Kind::text: {
            if (auto text = read_text(node, refusals)) return std::move(*text);
            return std::nullopt;
        }
        case Kind::texts: {
            std::vector<std::string> values;
            if (node.kind != Node::Kind::sequence) break;
            for (const auto& item : node.items)  // what the texts say, empty ones too, is checked by who uses them
                if (auto text = read_text(item, refusals, true)) values.push_back(std::move(*text));
            if (refusals.size() == before) return values;
            return std::nullopt;
        }
        case Kind::layers: {
            std::vector<quant::LayerOverride> values;
            if (node.kind != Node::Kind::sequence) break;
            for (const auto& item : node.items)
                if (auto layer = read_layer(item, refusals)) values.push_back(std::move(*layer));
            if (refusals.size() == before) return values;
            return std::nullopt;
        }
    }
    refuse(refusals, node);
    return std::nullopt;
}

std::string Domain::print(const Value& value) const {
    const auto list = [](const auto& items, auto&& print_item) {
        std::vector<std::string> parts;
        for (const auto& item : items) parts.push_back(print_item(item));
        return "[" + join(parts) + "]";
    };
    const auto number_or_word = [&](std::int64_t number) {
        const auto word = word_of(number);
        return word.empty() ? fmt::format("{}", number) : std::string(word);
    };
    if (const auto* truth = std::get_if<bool>(&value)) return *truth ? "true" : "false";
    if (const auto* number = std::get_if<std::int64_t>(&value)) return number_or_word(*number);
    if (const auto* real = std::get_if<double>(&value)) {
        for (const auto& word : words_)
            if (word.available && static_cast<double>(word.value) == *real) return std::string(word.name);
        return print_real(*real);
    }
    if (const auto* numbers = std::get_if<std::vector<std::int64_t>>(&value)) return list(*numbers, number_or_word);
    if (const auto* texts = std::get_if<std::vector<std::string>>(&value)) return list(*texts, print_quoted);
    if (const auto* layers = std::get_if<std::vector<quant::LayerOverride>>(&value)) return list(*layers, print_layer);
    const auto& text = std::get<std::string>(value);
    return kind_ == Kind::name || (kind_ == Kind::path && find_word(text) != nullptr) ? text : print_quoted(text);
}

std::string print_real(double value) {
    return fmt::format("{}", value);
}

std::string print_quoted(std::string_view text) {
    std::string result = "\"";
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\')
            result += {'\\', c};
        else if (c == '\n')
            result += "\\n";
        else if (byte < 0x20 || byte == 0x7F)
            result += fmt::format("\\x{:02x}", byte);
        else
            result += c;
    }
    return result + "\"";
}

}  // namespace prelude::experiments
