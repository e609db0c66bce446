// SPDX-License-Identifier: Apache-2.0
// Kinds of golden/quant: every published quantizer against the numbers of the public projects. A file is recognised by the tensors it
// holds; keys are taken apart at their dots.

#include "quant/calibration/bimodal.hpp"
#include "quant/calibration/condition_number.hpp"
#include "quant/calibration/kmeans.hpp"
#include "quant/fake/affine.hpp"
#include "quant/fake/nonlinear.hpp"
#include "quantizer_case.hpp"

namespace prelude::golden {

namespace {

using namespace quant;
using fake::Affine;

// ---- uniform -----------------------------------------------------------------------------------------------------------

/// Extremes of `x` per channel: axis 0 (`rows` consecutive runs) or the last axis.
struct Extremes {
    std::vector<float> lo, hi;
    Extremes(std::span<const float> x, std::size_t channels, bool first_axis)
        : lo(channels, std::numeric_limits<float>::infinity()), hi(channels, -std::numeric_limits<float>::infinity()) {
        for (std::size_t i = 0; i < x.size(); ++i) {
            const auto c = first_axis ? i / (x.size() / channels) : i % channels;
            lo[c] = std::min(lo[c], x[i]), hi[c] = std::max(hi[c], x[i]);
        }
    }
};

Report check_uniform(const File& file) {
    Report report(kExact);
    Tensors t(file);
    std::int64_t flips = 0;
    const auto ties = t.floats("ties.x");
    const Affine at_ties{.bits = bits_of(t.stems(".asym.y").at(0)), .scale = t.scalar("ties.scale"), .zero_point = t.scalar("ties.zero_point")};
    for (const auto& stem : t.stems(".y")) {
        const auto parts = parts_of(stem);
        const auto& source = parts[0];
        const auto x = t.floats(source + ".x");
        const int bits = bits_of(stem);
        if (source == "ties") {
            auto form = at_ties;
            form.bits = bits;
            compare_values(report, stem, ties, t.floats(stem + ".y"), [&](float v, std::size_t) { return form(v); }, flips);
            continue;
        }
        const auto channels = static_cast<std::size_t>(t.shape(stem + ".scale").num_elements());
        const bool first_axis = t.shape(source + ".x")[0] == static_cast<std::int64_t>(channels);
        Extremes range(x, channels, first_axis);
        std::vector<Affine> forms;
        for (std::size_t c = 0; c < channels; ++c) {
            const float share = parts.back() == "clip60" ? 0.6F : 1.0F;
            forms.push_back(fake::affine_of_range(range.lo[c] * share, range.hi[c] * share, bits, parts.back() == "sym"));
            report.require(forms.back().scale == t.floats(stem + ".scale")[c] && forms.back().zero_point == t.floats(stem + ".zero_point")[c],
                           fmt::format("{}: scale {} and zero point {} of channel {} differ", stem, forms.back().scale, forms.back().zero_point, c));
        }
        compare_values(report, stem, x, t.floats(stem + ".y"),
                       [&](float v, std::size_t i) { return forms[first_axis ? i / (x.size() / channels) : i % channels](v); }, flips);
    }
    note_flips(report, flips, 4);
    t.finish(report);
    return report;
}

Report check_running_range(const File& file) {
    Report report(kLastPlaces);
    Tensors t(file);
    fake::RunningRange range;
    for (int i = 0; t.has(fmt::format("batch{}.x", i)); ++i) {
        const auto [lo, hi] = std::ranges::minmax(t.floats(fmt::format("batch{}.x", i)));
        range.add(lo, hi);
        compare_one(report, fmt::format("batch{}.avg_min", i), t.scalar(fmt::format("batch{}.avg_min", i)), range.lo());
        compare_one(report, fmt::format("batch{}.avg_max", i), t.scalar(fmt::format("batch{}.avg_max", i)), range.hi());
    }
    for (const auto& stem : t.stems(".scale")) {
        const auto form = fake::affine_of_range(range.lo(), range.hi(), bits_of(stem), false);
        compare_one(report, stem + ".scale", t.scalar(stem + ".scale"), form.scale);
        report.require(form.zero_point == t.scalar(stem + ".zero_point"), stem + ".zero_point");
    }
    t.finish(report);
    return report;
}

// ---- unequal steps -----------------------------------------------------------------------------------------------------

Report check_log(const File& file) {
    Report report(kLastPlaces);
    Tensors t(file);
    std::int64_t flips = 0;
    for (const auto& stem : t.stems(".y")) {
        const auto parts = parts_of(stem);
        const fake::Logarithmic form{.bits = bits_of(stem), .tau = std::stoi(parts.back().substr(3)), .scale = t.scalar(parts[0] + "." + parts[1])};
        compare_values(report, stem, t.floats(parts[0] + ".x"), t.floats(stem + ".y"), [&](float v, std::size_t) { return form(v); }, flips);
    }
    note_flips(report, flips, 20);
    t.finish(report);
    return report;
}

Report check_hybrid(const File& file) {
    Report report(kLastPlaces);
    Tensors t(file);
    std::int64_t flips = 0;
    for (const auto& stem : t.stems(".y_intended")) {
        const auto parts = parts_of(stem);
        const float lo = t.scalar(parts[0] + ".fp_min"), hi = t.scalar(parts[0] + ".fp_max");
        const float range_share = std::stof(parts[2].substr(5)) / 100, log_share = std::stof(parts[3].substr(4)) / 1000;
        for (const auto variant : {fake::HybridVariant::intended, fake::HybridVariant::reference}) {
            const auto form = fake::hybrid_of_range(lo, hi, range_share, log_share, bits_of(stem), variant);
            compare_one(report, stem + ".scale_log", t.scalar(stem + ".scale_log"), form.log_scale);
            compare_one(report, stem + ".scale_uni", t.scalar(stem + ".scale_uni"), form.uniform_scale);
            const auto name = stem + (variant == fake::HybridVariant::intended ? ".y_intended" : ".y_reference");
            compare_values(report, name, t.floats(parts[0] + ".x"), t.floats(name), [&](float v, std::size_t) { return form(v); }, flips);
        }
    }
    note_flips(report, flips, 60);
    t.finish(report);
    return report;
}

// ---- groups, signs, conditioning, rounding -----------------------------------------------------------------------------

Report check_grouping(const File& file) {
    Report report(kLastPlaces);
    Tensors t(file);
    std::int64_t flips = 0;
    const auto x = t.floats("batch0.x");
    const auto channels = static_cast<std::size_t>(t.shape("batch0.x")[2]);
    std::vector<fake::RunningRange> ranges(channels);
    for (int i = 0; t.has(fmt::format("batch{}.x", i)); ++i) {
        const Extremes extremes(t.floats(fmt::format("batch{}.x", i)), channels, false);
        for (std::size_t c = 0; c < channels; ++c) ranges[c].add(extremes.lo[c], extremes.hi[c]);
    }
    for (const auto& stem : t.stems(".channel.scale")) {
        const auto own = stem + ".channel";
        std::vector<Affine> forms;
        std::vector<Point2> points;
        for (std::size_t c = 0; c < channels; ++c) {
            compare_one(report, own + ".min", t.floats(own + ".min")[c], ranges[c].lo());
            compare_one(report, own + ".max", t.floats(own + ".max")[c], ranges[c].hi());
            forms.push_back(fake::affine_of_range(ranges[c].lo(), ranges[c].hi(), bits_of(own), false));
            compare_one(report, own + ".scale", t.floats(own + ".scale")[c], forms[c].scale);
            report.require(forms[c].zero_point == t.floats(own + ".zero_point")[c], own + ".zero_point");
            points.push_back({static_cast<double>(t.floats(own + ".scale")[c]), static_cast<double>(t.floats(own + ".zero_point")[c])});
        }
        compare_values(report, own, x, t.floats(own + ".y_batch0"), [&](float v, std::size_t i) { return forms[i % channels](v); }, flips);
        for (const std::string stage : {".progressive.k32", ".progressive.k16", ".progressive.k8", ".progressive.k4", ".direct.k4"}) {
            const auto name = stem + stage;
            const auto scales = t.floats(name + ".group_scale"), zero_points = t.floats(name + ".group_zero_point");
            const auto labels = t.integers(name + ".labels");
            std::vector<Point2> input = points;
            if (t.has(name + ".input_points")) {
                const auto given = t.floats(name + ".input_points");
                for (std::size_t c = 0; c < channels; ++c) input[c] = {static_cast<double>(given[2 * c]), static_cast<double>(given[2 * c + 1])};
            }
            const auto found = kmeans(input, static_cast<std::int64_t>(scales.size()));
            const double theirs = t.doubles(name + ".inertia")[0];
            report.require(found.inertia <= 1.02 * theirs + 1e-12, fmt::format("{}: inertia {} of our k-means, {} of theirs", name, found.inertia, theirs));
            compare_values(report, name, x, t.floats(name + ".y_batch0"),
                           [&](float v, std::size_t i) {
                               const auto g = static_cast<std::size_t>(labels[i % channels]);
                               return Affine{.bits = bits_of(name), .scale = scales[g], .zero_point = zero_points[g]}(v);
                           },
                           flips);
        }
    }
    note_flips(report, flips, 40);
    t.finish(report);
    return report;
}

Report check_bimodal(const File& file) {
    Report report(1e-5);
    Tensors t(file);
    const auto floats_of = [](std::span<const double> values) { return std::vector<float>(values.begin(), values.end()); };
    for (const auto& stem : t.stems(".is_bimodal")) {
        const auto& shape = t.shape(stem + ".x");
        const auto x = t.floats(stem + ".x"), first = x.subspan(0, x.size() / static_cast<std::size_t>(shape[0]));
        const auto density = kernel_density(first);
        compare_one(report, stem + ".kde_bandwidth", t.doubles(stem + ".kde_bandwidth")[0], density.bandwidth);
        report.compare(stem + ".kde_grid", floats_of(t.doubles(stem + ".kde_grid")), floats_of(density.grid));
        report.compare(stem + ".kde_density", floats_of(t.doubles(stem + ".kde_density")), floats_of(density.density));
        const auto same = [](std::span<const std::int64_t> reference, const std::vector<std::size_t>& found) {
            return std::ranges::equal(reference, found, [](auto a, auto b) { return a == static_cast<std::int64_t>(b); });
        };
        report.require(same(t.integers(stem + ".all_local_maxima"), local_maxima(density.density)), stem + ".all_local_maxima");
        report.require(same(t.integers(stem + ".peaks"), peaks(density)), stem + ".peaks");
        report.require(is_bimodal(first) == (t.integers(stem + ".is_bimodal")[0] != 0), stem + ".is_bimodal");
        const auto signs = channel_signs(x, shape[2]);
        report.require(std::ranges::equal(signs, t.floats(stem + ".channel_sign")), stem + ".channel_sign");
        const auto fold = stem + ".fold.";
        if (!t.has(fold + "Wk")) continue;
        for (const std::string which : {"k", "q"}) {
            std::vector<float> weight(t.floats(fold + "W" + which).begin(), t.floats(fold + "W" + which).end());
            std::vector<float> bias(t.floats(fold + "b" + which).begin(), t.floats(fold + "b" + which).end());
            fold_signs(signs, weight, bias);
            report.require(std::ranges::equal(weight, t.floats(fold + "W" + which + "_folded")), fold + "W" + which);
            report.require(std::ranges::equal(bias, t.floats(fold + "b" + which + "_folded")), fold + "b" + which);
        }
        (void)t.floats(fold + "tokens");
        report.compare(fold + "scores", t.floats(fold + "scores_before"), t.floats(fold + "scores_after"));
    }
    t.finish(report);
    return report;
}

Report check_condition_number(const File& file) {
    Report report(1e-3);
    Tensors t(file);
    for (const auto& stem : t.stems(".sigma_before")) {
        const auto& shape = t.shape(stem + ".weight");
        for (const int steps : {0, 1, 10, 50, 200}) {
            const auto found = reduce_condition(t.floats(stem + ".weight"), shape[0], shape[1], t.floats(stem + ".input_error"),
                                                {.iterations = steps, .least_condition = 0});
            const std::vector<float> sigma(found.sigma.begin(), found.sigma.end());
            if (steps == 0) {
                report.compare(stem + ".sigma_before", t.floats(stem + ".sigma_before"), sigma);
                report.deviation(stem + ".condition_before", 0.1 * std::abs(found.condition_before / t.doubles(stem + ".condition_before")[0] - 1));
                continue;
            }
            const auto step = fmt::format("{}.step{}", stem, steps);
            report.compare(step + ".sigma", t.floats(step + ".sigma"), sigma);
            report.compare(step + ".weight", t.floats(step + ".weight"), found.weight);
            if (steps == 200) report.deviation(stem + ".condition_after", 0.1 * std::abs(found.condition_after / t.doubles(stem + ".condition_after")[0] - 1));
        }
    }
    t.finish(report);
    return report;
}

Report check_learned_rounding(const File& file) {
    Report report(kLastPlaces);
    Tensors t(file);
    std::int64_t flips = 0;
    const auto weight = t.floats("weight");
    const auto depth = static_cast<std::size_t>(t.shape("weight")[1]);
    for (const auto& stem : t.stems(".alpha_init")) {
        const auto form = [&](std::size_t i) {
            return Affine{.bits = bits_of(stem + "."), .scale = t.floats(stem + ".scale")[i / depth], .zero_point = t.floats(stem + ".zero_point")[i / depth]};
        };
        compare_values(report, stem + ".nearest", weight, t.floats(stem + ".nearest"), [&](float w, std::size_t i) { return form(i)(w); }, flips);
        compare_values(report, stem + ".alpha_init", weight, t.floats(stem + ".alpha_init"),
                       [&](float w, std::size_t i) { return fake::rounding_start(w, form(i).scale); }, flips);
        for (const std::string kind : {"_init", "_random"}) {
            const auto alpha = t.floats(stem + ".alpha" + kind);
            compare_values(report, stem + ".h" + kind, alpha, t.floats(stem + ".h" + kind), [&](float a, std::size_t) { return fake::rounding_share(a); }, flips);
            compare_values(report, stem + ".soft" + kind, weight, t.floats(stem + ".soft" + kind),
                           [&](float w, std::size_t i) { return fake::rounded_softly(form(i), w, alpha[i]); }, flips);
            compare_values(report, stem + ".hard" + kind, weight, t.floats(stem + ".hard" + kind),
                           [&](float w, std::size_t i) { return fake::rounded_hard(form(i), w, alpha[i]); }, flips);
        }
    }
    note_flips(report, flips, 8);
    t.finish(report);
    return report;
}

struct Kind {
    std::string_view name;
    std::vector<std::string_view> endings;  ///< a file of this kind has a tensor name with each of them
    Report (*check)(const File&);
};

/// The first that fits is it.
const std::vector<Kind>& kinds() {
    static const std::vector<Kind> all{
        {"acnr", {".sigma_before"}, check_condition_number},
        {"adaround", {".alpha_init"}, check_learned_rounding},
        {"lnq", {".alpha", ".sum_errors"}, check_companding},
        {"agq", {".tau", ".sum_errors"}, check_log_base_search},
        {"avg-minmax", {".avg_min", ".avg_max", "b4.zero_point"}, check_running_range},
        {"big", {".is_bimodal"}, check_bimodal},
        {"cag", {".progressive.k4.labels"}, check_grouping},
        {"hybrid-search", {".losses", ".best_range_rate"}, check_hybrid_search},
        {"hybrid", {".y_reference", ".y_intended"}, check_hybrid},
        {"log", {".tau1.y", ".tau4.y"}, check_log},
        {"mse-bounded", {".avg_min", ".batch0.loss"}, check_bounded_search},
        {"mse-grid", {".min", ".max", ".loss"}, check_grid_search},
        {"uniform", {".asym.scale", ".asym.zero_point", ".asym.y"}, check_uniform},
    };
    return all;
}

}  // namespace

std::vector<Case> find_quantizers(Directory& directory) {
    std::vector<Case> cases;
    for (auto* file : directory.unclaimed()) {
        if (!file->tensors || file->is_archive) continue;
        for (const auto& kind : kinds()) {
            const bool fits = std::ranges::all_of(kind.endings, [&](std::string_view ending) {
                return std::ranges::any_of(file->tensors->tensors(), [&](const auto& entry) { return entry.first.ends_with(ending); });
            });
            if (!fits) continue;
            file->claimed = true;
            cases.push_back({std::string(kind.name), without_extension(file->name), [file, check = kind.check] { return check(*file); }});
            break;
        }
    }
    return cases;
}

}  // namespace prelude::golden
