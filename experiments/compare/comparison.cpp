// SPDX-License-Identifier: Apache-2.0
#include "experiments/compare/comparison.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <set>

#include "experiments/output/csv.hpp"
#include "experiments/output/short_names.hpp"
#include "experiments/output/text_table.hpp"
#include "experiments/sweep/pareto.hpp"

namespace prelude::experiments {

namespace {

using nlohmann::json;

constexpr std::uint64_t kBootstrapSeed = 1;

std::optional<PromptScores> scores_of_task(const std::optional<StoredTask>& task) {
    if (!task || !task->result.ok) return std::nullopt;
    try {
        const auto& value = task->result.value;
        return PromptScores{value.at("iou").get<models::Clusters>(), value.at("asked").get<std::string>()};
    } catch (const json::exception&) {  // of an older version, or edited
        return std::nullopt;
    }
}

std::size_t num_samples(const models::Clusters& clusters) {
    std::size_t count = 0;
    for (const auto& cluster : clusters) count += cluster.size();
    return count;
}

bool pair_up(const PromptScores& a, const PromptScores& b) {
    return a.asked == b.asked && std::ranges::equal(a.iou, b.iou, {}, &std::vector<double>::size, &std::vector<double>::size);
}

/// A point with its accuracy; points without are not compared.
struct Scored {
    const Row* row;
    PromptScores scores;
};

ComparedPair compared(const Scored& a, const Scored& b, std::span<const std::string> by) {
    if (!pair_up(a.scores, b.scores))
        throw SelectionError(fmt::format("{}: points {} and {} were not asked the same prompts", fmt::join(by, ","), a.row->point, b.row->point),
                             "keys that change neither pictures nor prompts");
    return {.point_a = a.row->point,
            .point_b = b.row->point,
            .a = values_text(*a.row, by),
            .b = values_text(*b.row, by),
            .miou_a = models::mean(a.scores.iou),
            .miou_b = models::mean(b.scores.iou),
            .difference = models::paired_difference(a.scores.iou, b.scores.iou, kBootstrapSeed),
            .num_images = a.scores.iou.size(),
            .num_prompts = num_samples(a.scores.iou)};
}

/// Each with its predecessor, then with the reference.
std::vector<ComparedPair> pairs_of(const std::vector<Scored>& points, std::string_view reference, std::span<const std::string> by) {
    std::vector<ComparedPair> pairs;
    for (std::size_t i = 1; i < points.size(); ++i) pairs.push_back(compared(points[i - 1], points[i], by));
    const auto standard = std::ranges::find(points, reference, [&](const Scored& point) { return values_text(*point.row, by); });
    if (standard == points.end()) return pairs;
    for (auto point = points.begin(); point != points.end(); ++point)
        if (point != standard && point != standard + 1) pairs.push_back(compared(*standard, *point, by));
    return pairs;
}

/// The reference as asked for, or the first of the sweep.
std::string reference_in(std::span<const Row> rows, std::span<const std::string> by, std::string_view wanted) {
    std::vector<std::string> values;
    for (const auto& row : rows)
        if (auto text = values_text(row, by); std::ranges::find(values, text) == values.end()) values.push_back(std::move(text));
    if (wanted.empty()) return values.empty() ? std::string{} : values.front();
    if (std::ranges::find(values, wanted) != values.end()) return std::string(wanted);
    throw SelectionError(fmt::format("{}: no point has the value {}", fmt::join(by, ","), wanted), fmt::format("{}", fmt::join(values, "  ")));
}

std::string interval_text(const models::Interval& interval) {
    return std::isfinite(interval.low) ? fmt::format("{:+.4f} .. {:+.4f}", interval.low, interval.high) : "one image";
}

}  // namespace

ScoresOf scores_in(const Store& store) {
    // Many points of a sweep have equal numerics.
    return [&store, known = std::make_shared<std::map<std::string, std::optional<PromptScores>>>()](const Row& row) {
        const auto& numerics = text_in(row, "numeric_hash");
        if (const auto found = known->find(numerics); found != known->end()) return found->second;
        std::optional<PromptScores> scores;
        // The task a row's accuracy is of; a point that was not finished has none.
        if (number_in(row, "miou")) scores = scores_of_task(store.task(numerics));
        known->emplace(numerics, scores);
        return scores;
    };
}

std::string_view ComparedPair::verdict() const noexcept {
    return difference.is_undecided() ? "undecided" : difference.mean > 0 ? "better" : "worse";
}

PairedComparison compare(const SweepInfo& info, std::span<const Row> rows, const ScoresOf& scores_of, std::string_view by, std::string_view reference) {
    PairedComparison result;
    result.by = chosen_keys(by, info.swept);
    result.others = other_keys(info.swept, result.by);
    const auto standard = reference_in(rows, result.by, reference);
    for (const auto& slice : slices(rows, result.others)) {
        std::vector<Scored> points;
        for (const auto* row : slice.rows) {
            if (auto scores = scores_of(*row)) points.push_back({row, *std::move(scores)});
            else result.lacking.push_back(fmt::format("{} ({})", row->point, text_in(*row, "status")));
        }
        auto pairs = pairs_of(points, standard, result.by);
        if (!pairs.empty()) result.settings.push_back({.name = setting_text(slice, result.others), .values = slice.values, .pairs = std::move(pairs)});
    }
    return result;
}

std::string print_comparison(const PairedComparison& comparison) {
    std::set<std::pair<std::size_t, std::size_t>> counts;
    for (const auto& setting : comparison.settings)
        for (const auto& pair : setting.pairs) counts.emplace(pair.num_images, pair.num_prompts);
    auto text = fmt::format("Compared along {}: mean IoU of B minus that of A, paired by prompt", fmt::join(comparison.by, ","));
    if (counts.size() == 1) text += fmt::format(" ({} prompts on {} images)", counts.begin()->second, counts.begin()->first);
    text += ", 95 % bootstrap interval over images\n";
    for (const auto& setting : comparison.settings) {
        if (!setting.name.empty()) text += setting.name + "\n";
        TextTable table({{"A", false}, {"B", false}, {"mIoU A"}, {"mIoU B"}, {"B - A"}, {"95 %"}, {"verdict", false}});
        for (const auto& pair : setting.pairs)
            table.add({pair.a, pair.b, fmt::format("{:.4f}", pair.miou_a), fmt::format("{:.4f}", pair.miou_b), fmt::format("{:+.4f}", pair.difference.mean),
                       interval_text(pair.difference.interval), std::string(pair.verdict())});
        text += table.print("  ");
    }
    if (comparison.settings.empty()) text += "  no two points to compare\n";
    if (!comparison.lacking.empty()) text += fmt::format("  left out for lack of accuracy: point {}\n", fmt::join(comparison.lacking, ", "));
    return text;
}

std::string comparison_csv(const PairedComparison& comparison) {
    std::vector<std::string> fields{"point_a", "point_b"};
    fields.insert(fields.end(), comparison.others.begin(), comparison.others.end());
    fields.insert(fields.end(), {"by", "a", "b", "miou_a", "miou_b", "difference", "ci95_low", "ci95_high", "verdict", "num_images", "num_prompts"});
    auto text = csv_line(fields);
    const auto number = [](double value) { return std::isfinite(value) ? fmt::format("{}", value) : std::string{}; };
    for (const auto& setting : comparison.settings)
        for (const auto& pair : setting.pairs) {
            fields = {std::to_string(pair.point_a), std::to_string(pair.point_b)};
            fields.insert(fields.end(), setting.values.begin(), setting.values.end());
            fields.insert(fields.end(), {fmt::format("{}", fmt::join(comparison.by, ",")), pair.a, pair.b, number(pair.miou_a), number(pair.miou_b),
                                         number(pair.difference.mean), number(pair.difference.interval.low), number(pair.difference.interval.high),
                                         std::string(pair.verdict()), std::to_string(pair.num_images), std::to_string(pair.num_prompts)});
            text += csv_line(fields);
        }
    return text;
}

json to_json(const PairedComparison& comparison) {
    json result{{"by", fmt::format("{}", fmt::join(comparison.by, ","))}, {"others", short_names(comparison.others)}, {"pairs", json::array()}, {"lacking", comparison.lacking}};
    const auto number = [](double value) { return std::isfinite(value) ? json(value) : json(nullptr); };
    for (const auto& setting : comparison.settings)
        for (const auto& pair : setting.pairs)
            result["pairs"].push_back({{"setting", setting.values},
                                       {"a", pair.a},
                                       {"b", pair.b},
                                       {"point_a", pair.point_a},
                                       {"point_b", pair.point_b},
                                       {"miou_a", pair.miou_a},
                                       {"miou_b", pair.miou_b},
                                       {"difference", pair.difference.mean},
                                       {"low", number(pair.difference.interval.low)},
                                       {"high", number(pair.difference.interval.high)},
                                       {"verdict", pair.verdict()}});
    return result;
}

}  // namespace prelude::experiments
