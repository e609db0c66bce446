// SPDX-License-Identifier: Apache-2.0
#include "experiments/commands/diff.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <optional>

#include "experiments/columns.hpp"
#include "experiments/sweep/pareto.hpp"
#include "experiments/sweep/run.hpp"

namespace prelude::experiments {

namespace {

constexpr std::size_t kShownLayers = 25;

struct Line {
    std::string name, a, b, note;
};

/// "x1.52": how many times a is b.
std::string ratio(std::optional<double> a, std::optional<double> b) {
    if (!a || !b || *a == 0 || (*a > 0) != (*b > 0)) return {};
    return fmt::format("x{:.4g}", *b / *a);
}

/// Numbers to six digits: enough to compare, and readable.
std::string cell_text(const Row& row, std::string_view column) {
    const auto& text = text_in(row, column);
    if (text.empty()) return "-";
    const auto number = number_in(row, column);
    return number && text.find('.') != std::string::npos ? fmt::format("{:.6g}", *number) : text;
}

std::string print_lines(const std::string& title, const std::string& a, const std::string& b, const std::vector<Line>& lines) {
    std::size_t name = title.size(), left = a.size(), right = b.size();
    for (const auto& line : lines) {
        name = std::max(name, line.name.size());
        left = std::max(left, line.a.size());
        right = std::max(right, line.b.size());
    }
    auto text = fmt::format("{:<{}}  {:>{}}  {:>{}}\n", title, name, a, left, b, right);
    for (const auto& line : lines) {
        auto row = fmt::format("  {:<{}}  {:>{}}  {:>{}}  {}", line.name, name - std::min<std::size_t>(2, name), line.a, left, line.b,
                               right, line.note);
        row.erase(row.find_last_not_of(' ') + 1);
        text += row + "\n";
    }
    return text;
}

/// One operator of the network at one or both points.
struct LayerPair {
    std::string name;
    std::optional<double> a, b;
    std::string bound_a, bound_b;
    [[nodiscard]] double change() const { return b.value_or(0) - a.value_or(0); }
};

std::optional<std::size_t> position(const std::vector<std::string>& columns, std::string_view name) {
    const auto found = std::find(columns.begin(), columns.end(), name);
    if (found == columns.end()) return std::nullopt;
    return static_cast<std::size_t>(found - columns.begin());
}

std::vector<LayerPair> pair_layers(const SweepInfo& info, const Row& a, const Row& b) {
    const auto name_at = position(info.layer_columns, "layer"), cycles_at = position(info.layer_columns, "cycles"),
               repeats_at = position(info.layer_columns, "repeats"), bound_at = position(info.layer_columns, "bound");
    std::vector<LayerPair> pairs;
    if (!name_at || !cycles_at) return pairs;
    const auto cell = [](const std::vector<std::string>& layer, std::optional<std::size_t> at) {
        return at && *at < layer.size() ? layer[*at] : std::string();
    };
    const auto take = [&](const Row& row, bool second) {
        for (const auto& layer : row.layers) {
            const auto name = cell(layer, name_at);
            auto pair = std::find_if(pairs.begin(), pairs.end(),
                                     [&](const LayerPair& known) { return known.name == name && !(second ? known.b : known.a); });
            if (pair == pairs.end()) pair = pairs.insert(pairs.end(), {name, {}, {}, {}, {}});
            auto cycles = number_of(cell(layer, cycles_at));
            if (cycles) *cycles *= number_of(cell(layer, repeats_at)).value_or(1);  // equal segments are one row
            (second ? pair->b : pair->a) = cycles;
            (second ? pair->bound_b : pair->bound_a) = cell(layer, bound_at);
        }
    };
    take(a, false);
    take(b, true);
    return pairs;
}

std::string number_text(std::optional<double> number) {
    return number ? fmt::format("{:.0f}", *number) : "-";
}

std::string print_layers(const SweepInfo& info, const Row& a, const Row& b, const std::string& name_a, const std::string& name_b) {
    auto pairs = pair_layers(info, a, b);
    if (pairs.empty()) return "No layers are known of these points.\n";
    double total = 0;
    for (const auto& pair : pairs) total += pair.change();
    std::erase_if(pairs, [](const LayerPair& pair) { return pair.change() == 0 && pair.bound_a == pair.bound_b; });
    if (pairs.empty()) return "Every layer takes the same cycles.\n";
    std::stable_sort(pairs.begin(), pairs.end(), [](const auto& x, const auto& y) { return std::abs(x.change()) > std::abs(y.change()); });
    std::vector<Line> lines;
    double shown = 0;
    for (std::size_t i = 0; i < std::min(pairs.size(), kShownLayers); ++i) {
        const auto& pair = pairs[i];
        shown += pair.change();
        auto note = fmt::format("{:+.0f} cycles", pair.change());
        if (const auto text = ratio(pair.a, pair.b); !text.empty()) note += "  " + text;
        if (!pair.bound_a.empty() || !pair.bound_b.empty())
            note += pair.bound_a == pair.bound_b ? fmt::format("  {} bound", pair.bound_a)
                                                 : fmt::format("  {} -> {} bound", pair.bound_a, pair.bound_b);
        lines.push_back({pair.name, number_text(pair.a), number_text(pair.b), std::move(note)});
    }
    auto text = print_lines("cycles per layer", name_a, name_b, lines);
    if (pairs.size() > kShownLayers)
        text += fmt::format("  and {} more layers with {:+.0f} cycles together\n", pairs.size() - kShownLayers, total - shown);
    return text + fmt::format("All layers together: {:+.0f} cycles.\n", total);
}

}  // namespace

std::string print_diff(const SweepInfo& info, const Row& a, const Row& b) {
    const auto name_a = fmt::format("point {}", a.point), name_b = fmt::format("point {}", b.point);
    std::vector<Line> keys, results;
    for (const auto& key : info.swept)
        if (text_in(a, key) != text_in(b, key)) keys.push_back({key, text_in(a, key), text_in(b, key), {}});
    for (const auto& column : all_columns()) {
        const auto &left = text_in(a, column.name), &right = text_in(b, column.name);
        if (left == right || column.name == "point") continue;
        if (column.name.ends_with("_hash") || column.name.ends_with("_low") || column.name.ends_with("_high")) continue;
        results.push_back({std::string(column.name), cell_text(a, column.name), cell_text(b, column.name),
                           ratio(number_in(a, column.name), number_in(b, column.name))});
    }
    auto text = keys.empty() ? std::string("No swept key differs.\n") : print_lines("keys", name_a, name_b, keys);
    text += "\n" + (results.empty() ? std::string("No result differs.\n") : print_lines("results", name_a, name_b, results));
    return text + "\n" + print_layers(info, a, b, name_a, name_b);
}

int diff(const std::filesystem::path& folder, std::int64_t a, std::int64_t b) {
    const auto store = Store::open_existing(store_path(folder, {}), false);
    const auto info = store.info();
    if (!info) throw StoreError(fmt::format("{}: holds no sweep", store.file().string()));
    const auto find = [&](std::int64_t point) {
        auto row = store.row(point);
        if (row) return *std::move(row);
        throw StoreError(fmt::format("{}: has no point {}\n    allowed   the numbers in the column `point` of results.csv",
                                     store.file().string(), point));
    };
    std::fputs(print_diff(*info, find(a), find(b)).c_str(), stdout);
    return 0;
}

}  // namespace prelude::experiments
