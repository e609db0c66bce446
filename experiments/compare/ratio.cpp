// SPDX-License-Identifier: Apache-2.0
#include "experiments/compare/ratio.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "experiments/output/short_names.hpp"
#include "experiments/output/text_table.hpp"
#include "experiments/sweep/pareto.hpp"

namespace prelude::experiments {

namespace {

bool is_faster(const Row& a, const Row& b) { return number_in(a, "latency_ms").value_or(0) < number_in(b, "latency_ms").value_or(0); }

/// The fastest point of a side.
Ratios::Side side_of(const std::string& value, std::span<const Row* const> rows, std::span<const std::string> search) {
    Ratios::Side side{.value = value, .choice = {}, .reason = {}};
    for (const auto* row : rows) {
        if (text_in(*row, "status") != "ok" || !number_in(*row, "latency_ms")) {
            if (side.reason.empty()) side.reason = text_in(*row, "reason");
        } else if (side.best == nullptr || is_faster(*row, *side.best)) {
            side.best = row;
        }
    }
    if (side.best) side.choice = values_text(*side.best, search), side.reason.clear();
    return side;
}

double quotient(const Row* a, const Row* b, std::string_view column) {
    const auto above = a ? number_in(*a, column) : std::nullopt, below = b ? number_in(*b, column) : std::nullopt;
    return above && below && *below > 0 ? *above / *below : 0;
}

std::string worst_status(const Ratios& ratios, std::string_view column) {
    constexpr std::array<std::string_view, 4> kOrder{"measured", "calibrated", "published", "assumed"};
    std::size_t worst = 0;
    for (const auto& setting : ratios.settings) {
        for (const auto& side : setting.sides) {
            if (!side.best) continue;
            const auto found = std::ranges::find(kOrder, text_in(*side.best, column));
            if (found != kOrder.end()) worst = std::max(worst, static_cast<std::size_t>(found - kOrder.begin()));
        }
    }
    return std::string(kOrder[worst]);
}

std::string number_text(const Row& row, std::string_view column, int digits) {
    const auto value = number_in(row, column);
    return value ? fmt::format("{:.{}g}", *value, digits) : "-";
}

}  // namespace

Ratios ratios(const SweepInfo& info, std::span<const Row> rows, const RatioRequest& request) {
    Ratios result{.by = chosen_keys(request.by, info.swept), .search = request.search.empty() ? std::vector<std::string>{} : chosen_keys(request.search, info.swept), .settings = {},
                  .subject = request.subject, .latency_status = {}, .power_status = {}, .resource_status = {}};
    auto chosen = result.by;
    for (const auto& key : result.search) {
        if (std::ranges::find(chosen, key) != chosen.end()) throw SelectionError(fmt::format("{}: both of the sides and of the search", key), "one of the two");
        chosen.push_back(key);
    }
    std::vector<std::string> values;
    for (const auto& row : rows)
        if (auto text = values_text(row, result.by); std::ranges::find(values, text) == values.end()) values.push_back(std::move(text));
    if (result.subject.empty() && !values.empty()) result.subject = values.front();
    if (std::ranges::find(values, result.subject) == values.end())
        throw SelectionError(fmt::format("no point has {} {}", fmt::join(result.by, ","), result.subject), fmt::format("{}", fmt::join(values, ", ")));
    const auto others = other_keys(info.swept, chosen);
    for (const auto& slice : slices(rows, others)) {
        Ratios::Setting setting{.name = setting_text(slice, others), .sides = {}};
        for (const auto& value : values) {
            std::vector<const Row*> own;
            std::ranges::copy_if(slice.rows, std::back_inserter(own), [&](const Row* row) { return values_text(*row, result.by) == value; });
            if (!own.empty()) setting.sides.push_back(side_of(value, own, result.search));
        }
        const auto subject = std::ranges::find(setting.sides, result.subject, &Ratios::Side::value);
        const Row* held = subject == setting.sides.end() ? nullptr : subject->best;
        for (auto& side : setting.sides) {
            side.speed_up = quotient(side.best, held, "latency_ms");
            side.efficiency = quotient(held, side.best, "gops_per_w");
        }
        result.settings.push_back(std::move(setting));
    }
    result.latency_status = worst_status(result, "latency_status");
    result.power_status = worst_status(result, "power_status");
    result.resource_status = worst_status(result, "resource_status");
    return result;
}

std::string print_ratios(const Ratios& ratios, bool markdown) {
    std::string text;
    for (const auto& setting : ratios.settings) {
        const auto title = setting.name.empty() ? std::string("all points") : setting.name;
        text += markdown ? fmt::format("{}**{}**\n\n", text.empty() ? "" : "\n", title) : title + "\n";
        std::vector<TextTable::Head> heads{{fmt::format("{}", fmt::join(short_names(ratios.by), ",")), false}, {"point"}};
        if (!ratios.search.empty()) heads.push_back({fmt::format("{}", fmt::join(short_names(ratios.search), ",")), false});
        for (const auto* head : {"latency_ms", "gops", "power_w", "gops_per_w", "dsp", "lut"}) heads.push_back({head});
        heads.push_back({fmt::format("speed-up of {}", ratios.subject)});
        heads.push_back({"GOPS/W ratio"});
        TextTable table(std::move(heads));
        std::string refused;
        for (const auto& side : setting.sides) {
            std::vector<std::string> line{side.value, side.best ? std::to_string(side.best->point) : "-"};
            if (!ratios.search.empty()) line.push_back(side.best ? side.choice : "-");
            for (const auto* column : {"latency_ms", "gops", "power_w", "gops_per_w"}) line.push_back(side.best ? number_text(*side.best, column, 4) : "-");
            for (const auto* column : {"dsp", "lut"}) line.push_back(side.best ? text_in(*side.best, column) : "-");
            line.push_back(side.speed_up > 0 ? fmt::format("{:.2f}", side.speed_up) : "-");
            line.push_back(side.efficiency > 0 ? fmt::format("{:.2f}", side.efficiency) : "-");
            table.add(std::move(line));
            if (!side.best) refused += fmt::format("  {}: no feasible point ({})\n", side.value, side.reason);
        }
        text += (markdown ? table.markdown() : table.print("  ")) + refused;
    }
    text += fmt::format("{}each side: its fastest feasible point{}; speed-up: latency over that of {}; GOPS/W ratio: that of {} over the side's\n", markdown ? "\n" : "",
                        ratios.search.empty() ? "" : fmt::format(" over {}", fmt::join(ratios.search, ", ")), ratios.subject, ratios.subject);
    return text + fmt::format("status of the figures: latency {}, power {}, resources {}\n", ratios.latency_status, ratios.power_status, ratios.resource_status);
}

}  // namespace prelude::experiments
