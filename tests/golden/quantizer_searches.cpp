// SPDX-License-Identifier: Apache-2.0
// Searches of golden/quant: the same candidate as the public projects', or a loss not more than one per cent worse.

#include "quant/calibration/hybrid_search.hpp"
#include "quant/calibration/probability_search.hpp"
#include "quant/calibration/range_search.hpp"
#include "quant/fake/affine.hpp"
#include "quant/fake/nonlinear.hpp"
#include "quantizer_case.hpp"

namespace prelude::golden {

using namespace quant;
using fake::Affine;

namespace {

constexpr double kLossShare = 0.01;

/// Losses of a candidate that was not chosen: jagged functions, another minimum is allowed to be this much worse.
constexpr double kOtherShare = 0.1;

/// A found loss may be better than the reference's, and worse by one per cent.
void compare_loss(Report& report, const std::string& what, double reference, double actual) {
    report.deviation(what, std::max(0.0, actual / std::max(reference, 1e-30) - 1));
}

AttentionSample attention_sample(Tensors& t, const std::string& stem) {
    const auto &p = t.shape(stem + ".x"), &v = t.shape(stem + ".v");
    return {.batch = p[0], .rows = p[1], .keys = p[2], .columns = v[2], .probabilities = t.floats(stem + ".x"), .values = t.floats(stem + ".v")};
}

}  // namespace

Report check_hybrid_search(const File& file) {
    Report report(kLossShare);
    Tensors t(file);
    std::int64_t flips = 0;
    for (const auto& stem : t.stems(".losses")) {
        const auto source = first_part(stem);
        const auto& shape = t.shape(source + ".weight");
        const FloatLayer layer{.outputs = shape[0], .depth = shape[1], .weight = t.floats(source + ".weight")};
        (void)t.floats(source + ".bias");  // cancels in the difference of two outputs
        const auto variant = stem.ends_with("intended") ? fake::HybridVariant::intended : fake::HybridVariant::reference;
        fake::RunningRange range;
        std::array<double, kHybridCandidates.size()> sums{};
        for (std::size_t batch = 0; t.has(fmt::format("{}.batch{}.x", source, batch)); ++batch) {
            const auto x = t.floats(fmt::format("{}.batch{}.x", source, batch));
            const auto [lo, hi] = std::ranges::minmax(x);
            range.add(lo, hi);
            const auto losses = hybrid_losses(layer, x, range.lo(), range.hi(), bits_of(stem), variant);
            for (std::size_t c = 0; c < losses.size(); ++c) {
                compare_one(report, fmt::format("{} batch {} candidate {}", stem, batch, c), t.floats(stem + ".losses")[batch * losses.size() + c], losses[c]);
                sums[c] += losses[c];
            }
        }
        const auto best = kHybridCandidates[static_cast<std::size_t>(std::ranges::min_element(sums) - sums.begin())];
        report.require(best.range_share == t.scalar(stem + ".best_range_rate") && best.log_share == t.scalar(stem + ".best_grid_rate"),
                       stem + ": another candidate was chosen");
        const auto form = fake::hybrid_of_range(range.lo(), range.hi(), best.range_share, best.log_share, bits_of(stem), variant);
        compare_one(report, stem + ".fp_min", t.scalar(stem + ".fp_min"), range.lo());
        compare_one(report, stem + ".fp_max", t.scalar(stem + ".fp_max"), range.hi());
        compare_one(report, stem + ".scale_log", t.scalar(stem + ".scale_log"), form.log_scale);
        compare_one(report, stem + ".scale_uni", t.scalar(stem + ".scale_uni"), form.uniform_scale);
        compare_values(report, stem + ".batch0.y", t.floats(source + ".batch0.x"), t.floats(stem + ".batch0.y"), [&](float v, std::size_t) { return form(v); },
                       flips);
    }
    note_flips(report, flips, 20);
    t.finish(report);
    return report;
}

Report check_bounded_search(const File& file) {
    Report report(kLossShare);
    Tensors t(file);
    std::int64_t flips = 0;
    for (const auto& stem : t.stems(".batch0.loss")) {
        const auto source = first_part(stem);
        const bool symmetric = stem.ends_with(".sym");
        const auto x = t.floats(source + ".batch0.x");
        const int bits = bits_of(stem);
        compare_loss(report, stem, t.doubles(stem + ".batch0.loss")[0], search_bounded(x, bits, symmetric).loss);
        // The reference's own range has the reference's own loss.
        const auto own = fake::affine_of_range(static_cast<float>(t.doubles(stem + ".batch0.min")[0]), static_cast<float>(t.doubles(stem + ".batch0.max")[0]), bits,
                                               symmetric);
        compare_one(report, stem + " loss of its range", t.doubles(stem + ".batch0.loss")[0], quantization_loss(own, x));
        const auto form = fake::affine_of_range(static_cast<float>(t.doubles(stem + ".avg_min")[0]), static_cast<float>(t.doubles(stem + ".avg_max")[0]), bits, symmetric);
        compare_one(report, stem + ".scale", t.scalar(stem + ".scale"), form.scale);
        report.require(form.zero_point == t.scalar(stem + ".zero_point"), stem + ".zero_point");
        (void)t.floats(source + ".batch1.x");
        compare_values(report, stem + ".batch0.y", x, t.floats(stem + ".batch0.y"), [&](float v, std::size_t) { return form(v); }, flips);
    }
    note_flips(report, flips, 20);
    t.finish(report);
    return report;
}

Report check_grid_search(const File& file) {
    Report report(kLossShare);
    Tensors t(file);
    std::int64_t flips = 0;
    for (const auto& stem : t.stems(".loss")) {
        const auto source = first_part(stem);
        const auto x = t.floats(source + ".x");
        const auto channels = t.floats(stem + ".scale").size(), depth = x.size() / channels;
        const bool symmetric = stem.ends_with(".sym");
        std::vector<Affine> forms;
        for (std::size_t c = 0; c < channels; ++c) {
            for (const auto visit : {GridVisit::all, GridVisit::descent}) {
                compare_loss(report, stem, t.floats(stem + ".loss")[c], search_grid(x.subspan(c * depth, depth), bits_of(stem), symmetric, sides_of(x), visit).loss);
            }
            const auto own = fake::affine_of_range(t.floats(stem + ".min")[c], t.floats(stem + ".max")[c], bits_of(stem), symmetric);
            compare_one(report, stem + ".scale", t.floats(stem + ".scale")[c], own.scale);
            report.require(own.zero_point == t.floats(stem + ".zero_point")[c], stem + ".zero_point");
            forms.push_back(own);
        }
        compare_values(report, stem + ".y", x, t.floats(stem + ".y"), [&](float v, std::size_t i) { return forms[i / depth](v); }, flips);
    }
    note_flips(report, flips, 20);
    t.finish(report);
    return report;
}

Report check_log_base_search(const File& file) {
    Report report(kLossShare);
    Tensors t(file);
    std::int64_t flips = 0;
    for (const auto& stem : t.stems(".sum_errors")) {
        const auto source = first_part(stem);
        const int bits = bits_of(stem);
        const std::vector<CandidateLosses> batches{search_log_bases(attention_sample(t, source + ".batch0"), bits),
                                                   search_log_bases(attention_sample(t, source + ".batch1"), bits)};
        for (std::size_t i = 0; i < 3; ++i) {
            compare_loss(report, stem + ".batch0.errors", t.doubles(stem + ".batch0.errors")[i], batches[0].losses[i]);
            compare_loss(report, stem + ".sum_errors", t.doubles(stem + ".sum_errors")[i], batches[0].losses[i] + batches[1].losses[i]);
        }
        (void)t.doubles(stem + ".batch0.scales");
        const auto sums = t.doubles(stem + ".sum_errors"), scales = t.doubles(stem + ".avg_scales");
        const auto tau = static_cast<int>(t.integers(stem + ".tau")[0]);
        const auto choice = choose(batches);
        const auto theirs = static_cast<std::size_t>(std::ranges::find(kLogBaseCandidates, tau) - std::begin(kLogBaseCandidates));
        report.require(choice.index == theirs || choice.loss <= 1.01 * sums[theirs], stem + ": another base was chosen");
        compare_one(report, stem + ".scale", t.scalar(stem + ".scale"), scales[theirs]);
        for (const auto* suffix : {".batch0.y", ".batch0.y_f32scale"}) {
            const fake::Logarithmic form{.bits = bits, .tau = tau, .scale = t.scalar(stem + ".scale")};
            compare_values(report, stem + suffix, t.floats(source + ".batch0.x"), t.floats(stem + suffix), [&](float v, std::size_t) { return form(v); }, flips);
        }
    }
    note_flips(report, flips, 20);
    t.finish(report);
    return report;
}

Report check_companding(const File& file) {
    Report report(kLossShare);
    Tensors t(file);
    std::int64_t flips = 0, code_flips = 0;
    for (const auto& stem : t.stems(".sum_errors")) {
        const auto source = first_part(stem);
        const int bits = bits_of(stem);
        const std::vector<CandidateLosses> batches{search_compandings(attention_sample(t, source + ".batch0"), bits),
                                                   search_compandings(attention_sample(t, source + ".batch1"), bits)};
        const auto sums = t.doubles(stem + ".sum_errors");
        (void)t.doubles(stem + ".scales");
        const auto alpha = static_cast<float>(t.doubles(stem + ".alpha")[0]);
        const auto theirs = static_cast<std::size_t>(std::ranges::find(kCompandingCandidates, alpha) - std::begin(kCompandingCandidates));
        for (std::size_t i = 0; i < sums.size(); ++i) {
            const double sum = batches[0].losses[i] + batches[1].losses[i];
            if (i == theirs) compare_loss(report, stem + ".sum_errors", sums[i], sum);
            const auto single = t.doubles(stem + ".errors");
            for (std::size_t batch = 0; batch < 2; ++batch) {
                report.require(batches[batch].losses[i] <= (1 + kOtherShare) * single[batch * sums.size() + i],
                               fmt::format("{} batch {} candidate {}: loss {}, reference {}", stem, batch, i, batches[batch].losses[i], single[batch * sums.size() + i]));
            }
            report.require(sum <= (1 + kOtherShare) * sums[i], fmt::format("{} candidate {}: loss {}, reference {}", stem, i, sum, sums[i]));
        }
        const auto choice = choose(batches);
        report.require(choice.index == theirs || choice.loss <= 1.01 * sums[theirs], stem + ": another alpha was chosen");
        compare_one(report, stem + ".scale", t.scalar(stem + ".scale"), t.doubles(stem + ".avg_scales")[theirs]);
        for (const int extra : {0, 1}) {
            const auto steps = stem + (extra ? ".steps_2b" : ".steps_2b_minus_1");
            const fake::Companding form{.alpha = alpha, .scale = t.scalar(stem + ".scale"), .steps = (1 << bits) - 1 + extra};
            const auto x = t.floats(source + ".batch0.x");
            compare_values(report, steps + ".y", x, t.floats(steps + ".y"), [&](float v, std::size_t) { return form(v); }, flips);
            const auto codes = t.integers(steps + ".code");
            for (std::size_t i = 0; i < x.size(); ++i) {
                const auto distance = std::abs(form.code(x[i]) - codes[i]);
                report.require(distance <= 1, steps + ".code: more than one step away");
                code_flips += distance;
            }
        }
    }
    note_flips(report, flips, 40);
    report.require(code_flips <= 40, fmt::format("{} codes one step away", code_flips));
    t.finish(report);
    return report;
}

}  // namespace prelude::golden
