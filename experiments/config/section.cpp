// SPDX-License-Identifier: Apache-2.0
#include "experiments/config/section.hpp"

#include "experiments/config/domain.hpp"
#include "experiments/config/library.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

namespace prelude::experiments {

namespace {

using sim::Figure;
using sim::Provenance;

constexpr std::array kStatuses = {
    std::pair{std::string_view("measured"), Provenance::measured}, std::pair{std::string_view("calibrated"), Provenance::calibrated},
    std::pair{std::string_view("published"), Provenance::published}, std::pair{std::string_view("assumed"), Provenance::assumed}};

}  // namespace

Section::Section(const Node& node, std::string path, Problems& problems) : node_(node), path_(std::move(path)), problems_(problems) {
    if (node_.kind != Node::Kind::mapping)
        problems_.add(
            {node_.where, {}, fmt::format("{}: got {}", path_.empty() ? "the file" : path_, node_.describe()), "a mapping", {}});
}

void Section::finish() {
    for (const auto& member : node_.members) {
        if (std::find(asked_.begin(), asked_.end(), member.name) != asked_.end()) continue;
        const auto near = closest(member.name, asked_);
        problems_.add(member.where, fmt::format("{}: unknown key.{}", key(member.name),
                                                near.empty() ? "" : fmt::format(" Did you mean '{}'?", near)));
    }
}

const Node* Section::get(std::string_view name, bool required) {
    asked_.emplace_back(name);
    const auto* found = node_.find(name);
    if (found == nullptr && required && node_.kind == Node::Kind::mapping)
        problems_.add(node_.where, fmt::format("{}: missing", key(name)));
    return found;
}

std::string Section::text(std::string_view name) {
    const auto* node = get(name);
    if (node == nullptr) return {};
    if (node->kind == Node::Kind::scalar && !node->text.empty()) return node->text;
    refuse(name, *node, "a text");
    return {};
}

std::string Section::word(std::string_view name, const std::vector<std::string>& words) {
    const auto* node = get(name);
    if (node == nullptr) return {};
    if (node->kind == Node::Kind::scalar && std::find(words.begin(), words.end(), node->text) != words.end()) return node->text;
    refuse(name, *node, fmt::format("{}", fmt::join(words, ", ")));
    return {};
}

double Section::number(std::string_view name, double low, double high, std::optional<double> fallback) {
    const auto* node = get(name, !fallback);
    if (node == nullptr) return fallback.value_or(low);
    const auto domain = Domain::reals(low, high);
    std::vector<Refusal> refusals;
    if (const auto value = domain.read(*node, refusals)) return std::get<double>(*value);
    refuse(name, *node, domain.allowed());
    return low;
}

std::int64_t Section::count(std::string_view name) {
    const auto value = number(name, 0, 1e9);
    if (value == std::floor(value)) return static_cast<std::int64_t>(value);
    refuse(name, *node_.find(name), "a whole number");
    return 0;
}

std::optional<std::int64_t> Section::integer(std::string_view name, std::int64_t low, std::int64_t high) {
    const auto* node = get(name, false);
    if (node == nullptr) return std::nullopt;
    const auto domain = Domain::integers({{low, high}});
    std::vector<Refusal> refusals;
    if (const auto value = domain.read(*node, refusals)) return std::get<std::int64_t>(*value);
    refuse(name, *node, domain.allowed());
    return std::nullopt;
}

Figure Section::figure(std::string_view name, std::string_view unit, double low, double high) {
    Figure result;
    const auto* node = get(name);
    if (node == nullptr) return result;
    Section inner(*node, key(name), problems_);
    if (node->kind != Node::Kind::mapping) return result;
    const auto before = problems_.size();
    result.value = inner.number("value", low, high);
    result.low = inner.number("low", low, high, result.value);
    result.high = inner.number("high", low, high, result.value);
    result.unit = inner.word("unit", {std::string(unit)});
    const auto status = inner.word("status", {"measured", "calibrated", "published", "assumed"});
    for (const auto& [word, meaning] : kStatuses)
        if (word == status) result.status = meaning;
    result.source = inner.text("source");
    result.name = name;
    inner.finish();
    if (problems_.size() == before && (result.low > result.value || result.high < result.value))
        problems_.add({node->where,
                       {},
                       fmt::format("{}: got low {}, value {}, high {}", key(name), result.low, result.value, result.high),
                       "low <= value <= high",
                       {}});
    return result;
}

std::string Section::key(std::string_view name) const {
    return path_.empty() ? std::string(name) : fmt::format("{}.{}", path_, name);
}

void Section::refuse(std::string_view name, const Node& node, std::string allowed) {
    // Not Problem::key: these are keys of a data file, which `explore explain` does not know.
    problems_.add({node.where, {}, fmt::format("{}: got {}", key(name), node.describe()), std::move(allowed), {}});
}

std::string_view name_of(sim::Provenance status) noexcept {
    for (const auto& [word, meaning] : kStatuses)
        if (meaning == status) return word;
    return {};
}

}  // namespace prelude::experiments
