// SPDX-License-Identifier: Apache-2.0
// Transforms that keep float outputs: the masks stay, and what calibration saw is changed to just what it would see of the new weights.
#include <catch2/catch.hpp>
#include <cmath>

#include "models/metrics.hpp"
#include "models/stress.hpp"
#include "quant/calibration/condition_number.hpp"
#include "tests/support/tiny_model.hpp"

using namespace prelude;
using namespace prelude::quant;
using namespace prelude::tests;

namespace {

models::ReferenceExecutor::Values inputs_of(const CalibratedModel& model) {
    models::ReferenceExecutor::Values inputs;
    for (const auto& [id, words] : model.words) inputs.emplace(id, model.reference.at(id));
    return inputs;
}

CalibratedModel with_weights(const CalibratedModel& model, const models::Weights& weights) {
    auto other = model;
    other.weights = weights;
    other.reference.clear();
    other.calibrate(inputs_of(model));
    return other;
}

/// Largest deviation of what was seen, against the largest magnitude of the value.
double deviation(const ValueRanges& actual, const ValueRanges& wanted) {
    double worst = 0;
    const double size = std::max(wanted.whole().max_abs(), 1e-6);
    for (std::size_t c = 0; c < wanted.channels.size(); ++c) {
        worst = std::max({worst, std::abs(actual.channels[c].lo - wanted.channels[c].lo) / size, std::abs(actual.channels[c].hi - wanted.channels[c].hi) / size});
    }
    for (std::size_t i = 0; i < wanted.rows.size(); ++i) worst = std::max(worst, std::abs(static_cast<double>(actual.rows[i]) - wanted.rows[i]) / size);
    for (std::size_t i = 0; i < wanted.sample.size(); ++i) worst = std::max(worst, std::abs(static_cast<double>(actual.sample[i]) - wanted.sample[i]) / size);
    return worst;
}

/// The masks of both, and the ranges that were changed without a walk against those of a walk.
void check_preserved(const CalibratedModel& before, const Observed& changed) {
    const auto after = with_weights(before, changed.weights);
    const auto masks = before.id(models::sam_values::kMasks);
    CHECK(models::relative_deviation(before.reference.at(masks).values(), after.reference.at(masks).values()) < 1e-4);
    for (const auto& [name, seen] : changed.ranges) {
        INFO(name);
        CHECK(deviation(seen, after.ranges.at(name)) < 2e-4);
    }
}

}  // namespace

TEST_CASE("Smoothed norms keep the masks, and their ranges are those of a new walk", "[property][mutation]") {
    auto model = trained_nano(2);
    model.calibration_observer = Observer::mse;
    model.calibrate(inputs_of(model));
    for (const double strength : {0.0, 0.5, 1.0}) {
        Observed observed{model.weights, model.ranges};
        smooth_norms(model.graph, strength, observed);
        check_preserved(model, observed);
        const auto norm = std::ranges::find_if(model.graph.nodes(), [](const models::Node& node) {
            const auto* op = std::get_if<models::LayerNorm>(&node.op);
            return op && op->gamma == "image_encoder.blocks.3.norm2.weight";
        });
        REQUIRE(norm != model.graph.nodes().end());
        const auto& channels = observed.ranges.at(model.graph.value(norm->output).name).channels;
        const auto [least, most] = std::ranges::minmax(channels, {}, &Range::max_abs);
        if (strength == 1.0) CHECK(most.max_abs() < 1.001 * least.max_abs());  // every channel as wide as the other
    }
}

TEST_CASE("Reparameterized norms keep the masks when windows are padded with -b, and lose them when padded with 0", "[property][mutation]") {
    const auto model = trained_nano(2);
    Settings settings;
    settings.weight_bits = settings.activation_bits = 4;
    settings.reparam = true;
    Observed observed{model.weights, model.ranges};
    reparameterise_norms(model.graph, settings, make_plan(model.graph, settings), observed);
    REQUIRE_FALSE(observed.padding.empty());
    const models::ReferenceExecutor executor(model.graph, observed.weights);
    const auto masks = model.id(models::sam_values::kMasks);
    const auto walk = [&](const models::EdgeHook& hook) {
        const auto values = executor.run(inputs_of(model), std::vector{masks}, hook);
        return models::relative_deviation(model.reference.at(masks).values(), values.at(masks).values());
    };
    const auto pad = [&](const models::Node* node, models::ValueId id, models::Tensor& tensor) {
        const auto found = observed.padding.find(model.graph.value(id).name);
        if (found == observed.padding.end()) return;
        const auto& op = std::get<models::WindowPartition>(node->op);
        const auto across = (op.width + op.window - 1) / op.window;
        const auto channels = tensor.shape()[2], tokens = op.window * op.window;
        for (std::int64_t row = 0; row < tensor.shape().num_rows(); ++row) {
            const auto window = row / tokens, token = row % tokens;
            const auto y = window / across * op.window + token / op.window, x = window % across * op.window + token % op.window;
            if (y < op.height && x < op.width) continue;
            for (std::int64_t c = 0; c < channels; ++c) tensor[static_cast<std::size_t>(row * channels + c)] = static_cast<float>(found->second[static_cast<std::size_t>(c)]);
        }
    };
    const double padded = walk(pad), zeros = walk({});
    CHECK(padded < 1e-4);
    CHECK(zeros > 100 * padded);

    // One scale and zero point a norm, the same for all of its channels; windows are padded with the code nearest to -b.
    const auto quantized = model.quantize(settings);
    for (const auto& [name, b] : observed.padding) {
        const auto& meaning = quantized.meanings.at(name);
        CHECK(meaning.scale.size() == 1);
        for (const auto& range : observed.ranges.at(name).channels) {
            CHECK(range.lo == Approx(-meaning.scale[0] * meaning.zero_point[0]).margin(1e-9));
            CHECK(range.hi == Approx(meaning.scale[0] * (15 - meaning.zero_point[0])).margin(1e-9));
        }
        const auto* producer = model.graph.producer(model.id(name));
        const auto& padding = std::get<MoveOp>(quantized.operation(producer->name)).padding;
        for (std::size_t c = 0; c < padding.size(); ++c) {
            CHECK(std::abs(meaning.scale[0] * (padding[c] - meaning.zero_point[0]) - std::clamp(b[c], -meaning.scale[0] * meaning.zero_point[0], meaning.scale[0] * (15 - meaning.zero_point[0]))) <=
                  0.5001 * meaning.scale[0]);
        }
    }
}

TEST_CASE("Keys that stress moved apart are found bimodal and folded, and the masks and ranges stay true", "[property][mutation]") {
    const auto plain = trained_nano(2);
    CHECK(token_to_image_keys(plain.graph).size() == 3);
    const auto stressed = with_weights(plain, models::stress(plain.config, plain.weights, {.bimodal = 6}).weights);
    Observed observed{stressed.weights, stressed.ranges};
    CHECK(fold_bimodal_keys(stressed.graph, observed).size() == 3);
    check_preserved(stressed, observed);
    for (const auto& keys : token_to_image_keys(stressed.graph)) {
        // The channels that were moved down now lie where the others do.
        CHECK(observed.ranges.at(keys).whole().hi - observed.ranges.at(keys).whole().lo < 0.8 * (stressed.ranges.at(keys).whole().hi - stressed.ranges.at(keys).whole().lo));
    }
    Observed again = observed;
    CHECK(fold_bimodal_keys(stressed.graph, again).empty());

    Observed without{stressed.weights, stressed.ranges};
    for (auto& [name, seen] : without.ranges) seen.rows.clear();
    CHECK_THROWS_AS(fold_bimodal_keys(stressed.graph, without), SettingsError);
}

TEST_CASE("Transforms and conditioning show in the integers of the layers they are for, and only there") {
    const auto plain = trained_nano(2);
    const auto split = with_weights(plain, models::stress(plain.config, plain.weights, {.bimodal = 6}).weights);
    const auto conditioned = with_weights(plain, models::stress(plain.config, plain.weights, {.condition = 300}).weights);
    const auto codes = [](const QuantizedGraph& graph, const std::string& node) { return std::get<Contraction>(graph.operation(node)).weights; };
    Settings settings;
    settings.weight_bits = settings.activation_bits = 4;
    const auto changed = [&](const CalibratedModel& model, const Settings& other) {
        std::vector<std::string> names;
        const auto base = model.quantize(settings), quantized = model.quantize(other);
        for (const auto& node : model.graph.nodes()) {
            if (std::holds_alternative<models::Linear>(node.op) && codes(quantized, node.name) != codes(base, node.name)) names.push_back(node.name);
        }
        return names;
    };
    auto big = settings, smooth = settings, acnr = settings;
    big.big = true;
    CHECK(changed(split, big).size() == 6);  // keys and queries of three attentions
    smooth.smooth = 0.5;
    CHECK(changed(plain, smooth).size() == 12);  // qkv and lin1 of six blocks
    acnr.acnr = true;
    const auto names = changed(conditioned, acnr);
    for (const auto& name : names) {
        const auto& op = std::get<models::Linear>(conditioned.graph.node(*conditioned.graph.find_node(name)).op);
        CHECK(reduce_condition(conditioned.weights.values(op.weight), op.out_features, op.in_features, std::vector<float>(static_cast<std::size_t>(op.in_features)), {}).condition_before >= 100);
    }
    CHECK_FALSE(names.empty());
}
