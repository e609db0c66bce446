// SPDX-License-Identifier: Apache-2.0
#pragma once

// Ties a key to the field of Settings that holds it: one accessor gives both the getter and the setter.
//
//     field({.path = "quant.groups", ...}, [](auto& s) -> auto& { return s.quant.groups; })

#include "experiments/config/keys.hpp"

#include <concepts>
#include <type_traits>

namespace prelude::experiments {

// Conditions that keys of several sections share.
[[nodiscard]] inline bool is_quantized(const Settings& s) {
    return s.quant.datatype == quant::Datatype::integer;
}
[[nodiscard]] inline bool is_integer(const Settings& s) {
    return s.quant.is_integer();
}
[[nodiscard]] inline bool is_floating(const Settings& s) {
    return s.quant.is_floating();
}
inline const Condition kFloating = {"quant.datatype is fp16 or fp32", is_floating};
inline const Condition kQuantized = {"quant.datatype is int", is_quantized};
inline const Condition kInteger = {"quant.datatype is int and quant.mode is clean", is_integer};

namespace field_conversion {

template <typename T>
concept Number = (std::integral<T> && !std::same_as<T, bool>) || std::is_enum_v<T>;

template <Number T>
Value to_value(const T& field, const Domain&) {
    return static_cast<std::int64_t>(field);
}

inline Value to_value(const bool& field, const Domain& domain) {
    if (domain.kind() == Domain::Kind::boolean) return field;
    return static_cast<std::int64_t>(field);
}

inline Value to_value(const double& field, const Domain&) {
    return field;
}

/// A string field holds the word of a choice; "" is the word of 0 where the domain is a path.
inline Value to_value(const std::string& field, const Domain& domain) {
    if (domain.kind() == Domain::Kind::choice) {
        for (const auto& word : domain.words())
            if (word.name == field) return word.value;
        return kUnset;
    }
    if (field.empty() && domain.kind() == Domain::Kind::path) return std::string(domain.word_of(0));
    return field;
}

template <Number T>
Value to_value(const std::vector<T>& field, const Domain&) {
    std::vector<std::int64_t> values;
    for (const auto item : field) values.push_back(static_cast<std::int64_t>(item));
    return values;
}

inline Value to_value(const std::vector<std::string>& field, const Domain&) {
    return field;
}
inline Value to_value(const std::vector<quant::LayerOverride>& field, const Domain&) {
    return field;
}

template <typename T>
Value to_value(const std::optional<T>& field, const Domain& domain) {
    return field ? to_value(*field, domain) : Value(kUnset);
}

template <Number T>
void assign(T& field, const Value& value, const Domain&) {
    field = static_cast<T>(std::get<std::int64_t>(value));
}

inline void assign(bool& field, const Value& value, const Domain&) {
    const auto* truth = std::get_if<bool>(&value);
    field = truth != nullptr ? *truth : std::get<std::int64_t>(value) != 0;
}

inline void assign(double& field, const Value& value, const Domain&) {
    field = std::get<double>(value);
}

inline void assign(std::string& field, const Value& value, const Domain& domain) {
    if (const auto* word = std::get_if<std::int64_t>(&value))
        field = domain.word_of(*word);
    else
        field = std::get<std::string>(value);
    if (domain.kind() == Domain::Kind::path && field == domain.word_of(0)) field.clear();
}

template <Number T>
void assign(std::vector<T>& field, const Value& value, const Domain&) {
    field.clear();
    for (const auto item : std::get<std::vector<std::int64_t>>(value)) field.push_back(static_cast<T>(item));
}

inline void assign(std::vector<std::string>& field, const Value& value, const Domain&) {
    field = std::get<std::vector<std::string>>(value);
}
inline void assign(std::vector<quant::LayerOverride>& field, const Value& value, const Domain&) {
    field = std::get<std::vector<quant::LayerOverride>>(value);
}

template <typename T>
void assign(std::optional<T>& field, const Value& value, const Domain& domain) {
    const auto* number = std::get_if<std::int64_t>(&value);
    if (number != nullptr && *number == kUnset)
        field.reset();
    else
        assign(field.emplace(), value, domain);
}

}  // namespace field_conversion

template <typename Access>
[[nodiscard]] Key field(Key key, Access access) {
    key.get = [access, domain = key.domain](const Settings& settings) { return field_conversion::to_value(access(settings), domain); };
    key.set = [access, domain = key.domain](Settings& settings, const Value& value) {
        field_conversion::assign(access(settings), value, domain);
    };
    return key;
}

}  // namespace prelude::experiments
