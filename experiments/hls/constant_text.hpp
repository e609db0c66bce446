// SPDX-License-Identifier: Apache-2.0
#pragma once

// Members of operations as constants of C++: an archive for quant/serialize.hpp, so that no member can be forgotten.

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "quant/serialize.hpp"

namespace prelude::experiments {

/// "ap_uint<4>", or with a sign "ap_int<4>".
[[nodiscard]] std::string word_type(int bits, bool is_signed);
/// The narrowest word that holds every value.
[[nodiscard]] std::string narrowest_word(std::span<const std::int64_t> values);
/// "rescale.multiplier" -> "RescaleMultiplier".
[[nodiscard]] std::string camel_case(std::string_view path);

class ConstantText {
  public:
    /// Appends to `text`; `node` names the data files.
    ConstantText(std::string& text, std::string node) : text_(text), node_(std::move(node)) {}

    template <class T>
    void scalar(const char* name, const T& value) {
        if constexpr (std::is_enum_v<T>) {
            enumerator(name, static_cast<int>(value), meaning_of(value));
        } else {
            integer(name, static_cast<std::int64_t>(value));
        }
    }
    template <class T>
    void vector(const char* name, const std::vector<T>& values) {
        numbers(name, {values.begin(), values.end()});
    }
    template <class T, std::size_t N>
    void array(const char* name, const std::array<T, N>& values) {
        numbers(name, {values.begin(), values.end()});
    }
    void tensor(const char* name, const quant::IntTensor& tensor) { data_file(name, {tensor.values().begin(), tensor.values().end()}); }
    void terms(const char* name, const std::vector<quant::Term>& terms);
    template <class T>
    void object(const char* name, const T& value) {
        const auto outer = path_;
        path_ += prefix_of(name);
        quant::fields(*this, value, static_cast<const T*>(nullptr));
        path_ = outer;
    }

    /// One more constant, whose name is `name` in camel case behind a k.
    void integer(std::string_view name, std::int64_t value);
    /// An array and the typedef of its words; nothing of an empty one.
    void numbers(std::string_view name, const std::vector<std::int64_t>& values);
    void comment(std::string_view line);

  private:
    /// Members of a member: none of a patch embedding's contraction, whose members are the node's; `accumulator` would clash with accumulator_bits.
    static std::string prefix_of(std::string_view name) {
        return name == "contraction" ? "" : name == "accumulator" ? "narrowing." : std::string(name) + ".";
    }
    static std::string_view meaning_of(quant::OperandKind kind) noexcept;
    static std::string_view meaning_of(quant::AccumulatorOverflow overflow) noexcept;
    static std::string_view meaning_of(quant::ScaleMode mode) noexcept;
    static std::string_view meaning_of(quant::Exponential form) noexcept;
    static std::string_view meaning_of(quant::Root form) noexcept;
    void enumerator(std::string_view name, int value, std::string_view meaning);
    void data_file(std::string_view name, const std::vector<std::int64_t>& values);
    void declare_word(std::string_view name, std::span<const std::int64_t> values);

    std::string& text_;
    std::string node_, path_;
};

}  // namespace prelude::experiments
