// SPDX-License-Identifier: Apache-2.0
#include "experiments/allocate/budget.hpp"

#include <charconv>
#include <cmath>

namespace prelude::experiments {

namespace {

/// "1.6ms": the number, and what follows it.
struct Amount {
    double number = 0;
    std::string_view unit;
};

std::optional<Amount> read_amount(std::string_view text) {
    Amount amount;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), amount.number);
    if (error != std::errc{} || !std::isfinite(amount.number) || amount.number <= 0) return std::nullopt;
    amount.unit = text.substr(static_cast<std::size_t>(end - text.data()));
    return amount;
}

}  // namespace

std::optional<Budget> parse_budget(std::string_view text) {
    const auto equals = text.find('=');
    if (equals == std::string_view::npos) return std::nullopt;
    const auto name = text.substr(0, equals);
    const auto amount = read_amount(text.substr(equals + 1));
    if (!amount) return std::nullopt;
    const auto budget = [&](Budget::Kind kind) { return Budget{kind, amount->number, std::string(text)}; };
    if (name == "weight_bits" && amount->unit.empty()) return budget(Budget::Kind::weight_bits);
    if (name == "weight_bytes" && amount->unit.empty()) return budget(Budget::Kind::weight_bytes);
    if (name != "latency") return std::nullopt;
    if (amount->unit.empty()) return budget(Budget::Kind::cycles);
    if (amount->unit == "ms") return budget(Budget::Kind::milliseconds);
    if (amount->unit == "x") return budget(Budget::Kind::relative_latency);
    return std::nullopt;
}

}  // namespace prelude::experiments
