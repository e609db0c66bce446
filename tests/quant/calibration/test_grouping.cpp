// SPDX-License-Identifier: Apache-2.0
// Channel groups: envelopes, counts, alignment, and the invariants of the extremes (one group, a group per channel).
#include <catch2/catch.hpp>

#include <algorithm>
#include <numeric>
#include <set>

#include "quant/calibration/grouping.hpp"
#include "tests/support/adversarial.hpp"
#include "tests/support/tiny_model.hpp"

using namespace prelude;
using quant::GroupRule;
using tests::Random;

namespace {

std::vector<quant::Range> random_channels(Random& random, int count) {
    std::vector<quant::Range> channels;
    for (int c = 0; c < count; ++c) {
        const double size = std::exp(random.normal());
        channels.push_back({-size * random.real(), size * random.real()});
    }
    return channels;
}

constexpr GroupRule kRules[] = {GroupRule::noise, GroupRule::kmeans, GroupRule::kmeans_raw};

double noise_power(std::span<const quant::Range> channels, const quant::Grouping& grouping) {
    double sum = 0;
    for (std::size_t c = 0; c < channels.size(); ++c) {
        const auto& range = grouping.ranges[static_cast<std::size_t>(grouping.group_of[c])];
        sum += (range.hi - range.lo) * (range.hi - range.lo);
    }
    return sum;
}

}  // namespace

TEST_CASE("groups of every rule, count and alignment hold their members and are as many as asked for", "[property]") {
    Random random(11);
    for (const auto rule : kRules) {
        for (const int count : {7, 53, 96}) {
            const auto channels = random_channels(random, count);
            for (const std::int64_t groups : {1, 2, 4, 7}) {
                for (const std::int64_t align : {1, 2, 8}) {
                    if (groups * align > count) continue;
                    const auto grouping = quant::group_channels(channels, {.num_groups = groups, .rule = rule, .align = align, .bits = 4});
                    INFO("rule " << static_cast<int>(rule) << " channels " << count << " groups " << groups << " align " << align);
                    REQUIRE(grouping.ranges.size() == static_cast<std::size_t>(groups));
                    std::vector<std::int64_t> sizes(grouping.ranges.size(), 0);
                    for (std::size_t c = 0; c < channels.size(); ++c) {
                        const auto g = static_cast<std::size_t>(grouping.group_of[c]);
                        ++sizes.at(g);
                        CHECK((grouping.ranges[g].lo <= channels[c].lo && grouping.ranges[g].hi >= channels[c].hi));
                    }
                    if (groups == count) continue;
                    for (std::size_t g = 0; g + 1 < sizes.size(); ++g) CHECK((sizes[g] > 0 && sizes[g] % align == 0));
                    CHECK(sizes.back() >= align);
                }
            }
        }
    }
}

TEST_CASE("as many groups as channels are the channels, one group is their envelope", "[property]") {
    Random random(12);
    const auto channels = random_channels(random, 24);
    for (const auto rule : kRules) {
        const auto each = quant::group_channels(channels, {.num_groups = 24, .rule = rule, .align = 8});
        CHECK(each.ranges == channels);
        CHECK(std::set(each.group_of.begin(), each.group_of.end()).size() == 24);
        const auto one = quant::group_channels(channels, {.num_groups = 1, .rule = rule});
        quant::Range envelope;
        for (const auto& channel : channels) envelope.include(channel);
        CHECK(one.ranges == std::vector{envelope});
    }
}

TEST_CASE("the order of the channels does not matter to the groups", "[property]") {
    Random random(13);
    const auto channels = random_channels(random, 40);
    std::vector<std::size_t> order(channels.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    for (std::size_t i = order.size(); i-- > 1;) std::swap(order[i], order[static_cast<std::size_t>(random.in(0, static_cast<std::int64_t>(i)))]);
    std::vector<quant::Range> moved;
    for (const auto c : order) moved.push_back(channels[c]);
    const auto here = quant::group_channels(channels, {.num_groups = 4}), there = quant::group_channels(moved, {.num_groups = 4});
    CHECK(here.ranges == there.ranges);
    for (std::size_t i = 0; i < order.size(); ++i) CHECK(there.group_of[i] == here.group_of[order[i]]);
}

TEST_CASE("more groups never raise the noise, and the rule of least noise is not beaten by clusters", "[property]") {
    Random random(14);
    for (int trial = 0; trial < 10; ++trial) {
        const auto channels = random_channels(random, 64);
        double before = std::numeric_limits<double>::infinity();
        for (const std::int64_t groups : {1, 2, 4, 8, 16, 64}) {
            const double noise = noise_power(channels, quant::group_channels(channels, {.num_groups = groups}));
            CHECK(noise <= before * (1 + 1e-12));
            before = noise;
        }
    }
}

TEST_CASE("power-of-two scales of groups lie on one grid, none smaller than free ones", "[property]") {
    const auto model = tests::random_model({.image_size = 40, .patch_size = 8, .width = 24, .mlp_width = 29, .depth = 2, .num_heads = 3, .window_size = 3,
                                            .global_blocks = {1}, .prompt_width = 16, .decoder_heads = 2, .decoder_mlp_width = 19, .iou_head_width = 13}, 5);
    quant::Settings settings;
    settings.groups = 4;
    const auto free = model.quantize(settings);
    settings.group_scales = quant::GroupScales::power_of_two;
    const auto shifted = model.quantize(settings);
    int grouped = 0;
    for (const auto& [name, meaning] : shifted.meanings) {
        if (shifted.plan.format(name).group_sizes.size() < 2 || shifted.plan.format(name).kind != quant::FormatKind::code || meaning.group_of.empty()) continue;
        const auto& other = free.meanings.at(name);
        if (other.scale.size() != 4) continue;
        ++grouped;
        for (std::size_t g = 0; g < meaning.scale.size(); ++g) {
            const double power = std::log2(meaning.scale[g] / std::ranges::min(meaning.scale));
            CHECK(power == std::round(power));
            CHECK((power >= 0 && power <= 6));
            CHECK(meaning.scale[g] >= other.scale[g] * (1 - 1e-9));
        }
    }
    CHECK(grouped > 0);
    for (const auto& [name, plan] : shifted.plan.contractions) {
        if (!plan.shifted_terms) continue;
        const auto& form = std::get<quant::Contraction>(shifted.operation(name));
        for (const auto& term : form.terms) CHECK((term.multiplier == 1 && term.exponent <= 6));
        CHECK(plan.accumulator_bits == plan.product_bits + 6);
    }
}
