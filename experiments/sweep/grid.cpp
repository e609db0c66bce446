// SPDX-License-Identifier: Apache-2.0
#include "experiments/sweep/grid.hpp"

#include "experiments/config/canonical.hpp"
#include "experiments/config/methods.hpp"
#include "models/error.hpp"
#include "quant/probability_code.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <random>
#include <set>

namespace prelude::experiments {

namespace {

/// A width that is of no use is an error where it was pinned; met inside a sweep it is lowered.
void lower_softmax_bits(Settings& settings, const Configuration& configuration, std::vector<std::string>& warnings) {
    auto& softmax = settings.quant.softmax;
    if (!softmax.bits || !settings.quant.is_integer()) return;
    const int useful = quant::useful_code_bits(softmax);
    if (*softmax.bits <= useful) return;
    const auto swept = [&](std::string_view key) { return configuration.is_axis(find_key(key)); };
    if (!swept("quant.softmax.bits") && !swept("quant.softmax.log_base") && !swept("quant.softmax.scheme") &&
        !swept("quant.softmax.shift_cap") && !swept("quant.softmax.form") && !swept("quant.method"))
        return;
    warnings.push_back(fmt::format("quant.softmax.bits lowered from {} to {}, the useful maximum of {}", *softmax.bits, useful, softmax_code_text(settings)));
    softmax.bits = useful;
}

}  // namespace

std::optional<std::int64_t> count_combinations(const std::vector<Axis>& axes) noexcept {
    std::int64_t product = 1;
    for (const auto& axis : axes) {
        const auto size = static_cast<std::int64_t>(axis.tuples.size());
        if (size > 0 && product > Grid::kMaxCombinations / size) return std::nullopt;
        product *= size;
    }
    return product;
}

std::vector<std::int64_t> draw(std::int64_t count, std::int64_t bound, std::uint64_t seed) {
    std::mt19937_64 generator(seed);
    // Uniform below n by rejection: std::uniform_int_distribution differs between libraries.
    const auto below = [&](std::uint64_t n) {
        const std::uint64_t limit = std::numeric_limits<std::uint64_t>::max() / n * n;
        std::uint64_t number = generator();
        while (number >= limit) number = generator();
        return static_cast<std::int64_t>(number % n);
    };
    std::set<std::int64_t> chosen;
    for (std::int64_t j = bound - std::min(count, bound); j < bound; ++j)
        if (!chosen.insert(below(static_cast<std::uint64_t>(j) + 1)).second) chosen.insert(j);
    return {chosen.begin(), chosen.end()};
}

Grid::Grid(const Configuration& configuration) : configuration_(&configuration) {
    const auto count = count_combinations(configuration.axes);
    models::check(count.has_value(), "the number of combinations is checked when the configuration is read");
    num_combinations_ = *count;
    const auto& sweep = configuration.base.sweep;
    if (sweep.strategy == SweepStrategy::random) drawn_ = draw(sweep.samples, num_combinations_, sweep.seed);
}

std::int64_t Grid::size() const noexcept {
    return configuration_->base.sweep.strategy == SweepStrategy::random ? static_cast<std::int64_t>(drawn_.size()) : num_combinations_;
}

std::vector<std::string> Grid::columns() const {
    std::vector<std::string> columns;
    for (const auto& axis : configuration_->axes)
        for (const auto* key : axis.keys) columns.emplace_back(key->path);
    return columns;
}

Point Grid::at(std::int64_t i) const {
    models::check(i >= 0 && i < size(), "a point of the sweep");
    return combination(configuration_->base.sweep.strategy == SweepStrategy::random ? drawn_[static_cast<std::size_t>(i)] : i);
}

Point Grid::combination(std::int64_t index) const {
    models::check(index >= 0 && index < num_combinations_, "a point of the grid");
    const auto& axes = configuration_->axes;
    std::vector<std::size_t> digits(axes.size());
    auto rest = static_cast<std::uint64_t>(index);
    for (std::size_t a = axes.size(); a-- > 0;) {
        digits[a] = rest % axes[a].tuples.size();
        rest /= axes[a].tuples.size();
    }

    Point point;
    point.index = index;
    auto& settings = point.settings;
    settings = configuration_->base;
    // A swept method changes what lies under the assignments, so everything is put on anew.
    const auto* method = find_key("quant.method");
    if (configuration_->is_axis(method)) {
        settings = Settings{};
        for (std::size_t a = 0; a < axes.size(); ++a)
            for (std::size_t k = 0; k < axes[a].keys.size(); ++k)
                if (axes[a].keys[k] == method) method->set(settings, axes[a].tuples[digits[a]][k]);
        apply_method(std::string(settings.quant.method), settings);
        for (const auto& assignment : configuration_->assignments)
            if (assignment.key != method && !assignment.key->is_fixed()) assignment.key->set(settings, assignment.value);
    }
    for (std::size_t a = 0; a < axes.size(); ++a)
        for (std::size_t k = 0; k < axes[a].keys.size(); ++k) {
            const auto& key = *axes[a].keys[k];
            const auto& value = axes[a].tuples[digits[a]][k];
            if (!key.is_fixed()) key.set(settings, value);
            point.swept.push_back(key.domain.print(value));
        }
    configuration_->fill(settings);
    lower_softmax_bits(settings, *configuration_, point.warnings);
    return point;
}

}  // namespace prelude::experiments
