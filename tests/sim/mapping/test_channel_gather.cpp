// SPDX-License-Identifier: Apache-2.0
// Channel groups in time: bank conflicts of the gather that brings channels into group order, and what a group's end costs the array.
#include <catch2/catch.hpp>

#include "sim/mapping/channel_gather.hpp"
#include "sim/mapping/pe_timing.hpp"
#include "tests/sim/random_network.hpp"

using namespace prelude;
using namespace prelude::sim;
using namespace prelude::sim::testing;

TEST_CASE("Channels in their own order meet no bank twice, channels of one bank wait for each other", "[sim]") {
    quant::Format format{.kind = quant::FormatKind::code, .group_sizes = {8, 8}};
    for (std::int32_t c = 0; c < 16; ++c) format.group_of.push_back(c / 8);
    CHECK(gather_conflicts(format, 16, 4) == 0);
    format.group_of.clear();
    for (std::int32_t c = 0; c < 16; ++c) format.group_of.push_back(c % 2);  // 0 2 4 6: banks 0 2 0 2
    CHECK(gather_conflicts(format, 16, 4) == 4);
    format.group_of.clear();
    format.group_sizes = {4, 4, 4, 4};
    for (std::int32_t c = 0; c < 16; ++c) format.group_of.push_back(c % 4);  // 0 4 8 12: one bank
    CHECK(gather_conflicts(format, 16, 4) == 12);
    CHECK(gather_conflicts(format, 16, 1) == 0);
    format.group_of.clear();
    const auto assumed = gather_conflicts(format, 16, 4);
    CHECK((assumed >= 0 && assumed <= 12));
}

TEST_CASE("Groups of a norm's output cost the norm its conflicts, and no more", "[sim]") {
    models::Graph graph;
    const auto x = graph.add_input("x", {1, 10, 24}, 2);
    const auto y = graph.add("norm", models::Part::encoder, 0, models::LayerNorm{"g", "b", 1e-6F}, {x});
    graph.add("layer", models::Part::encoder, 0, models::Linear{"w", "", 24, 6}, {y});
    quant::Settings settings;
    quant::LayerOverride layer;
    layer.match = "layer";
    const auto norm_segment = [&](int groups) {
        layer.groups = groups;
        settings.layers = {layer};
        const auto network = randomise(graph, {}, settings, 3);
        CHECK(differences(network, small_design()).empty());
        return std::pair(simulate(network.graph, network.quantized.plan, small_design()).segments.front(),
                         gather_conflicts(network.quantized.plan.format(network.graph.value(y).name), 24, small_design().layernorm_lanes));
    };
    const auto [plain, none] = norm_segment(1);
    const auto [grouped, conflicts] = norm_segment(3);
    CHECK(plain.operations.count({"gather_conflict", 16, 8}) == 0);
    REQUIRE(conflicts > 0);
    CHECK(grouped.operations.at({"gather_conflict", 16, 8}) == 10 * conflicts);
    CHECK(grouped.units[static_cast<std::size_t>(UnitId::layernorm_unit)].busy_cycles == plain.units[static_cast<std::size_t>(UnitId::layernorm_unit)].busy_cycles + 10 * conflicts);
}

TEST_CASE("Groups scaled by shifts pad every group to the depth but leave the array once", "[sim]") {
    const PeShape pe{.rows = 4, .cols = 4, .depth = 8, .drain_rows = 1};
    ProductForm form{.term_ends = {5, 16, 30}};
    const auto flushed = pe_occupancy(pe, form, false, false, 4, 4, 0, 30);
    form.shifted_terms = true;
    const auto shifted = pe_occupancy(pe, form, false, false, 4, 4, 0, 30);
    CHECK(flushed.stream_cycles == shifted.stream_cycles);
    CHECK(shifted.stream_cycles == 1 + 2 + 2);
    CHECK(flushed.cycles == 3 * 4);  // a drain of four rows per group
    CHECK(shifted.cycles == 5);
    CHECK((flushed.flushes == 48 && shifted.flushes == 0));
    CHECK((flushed.drained_rows == 12 && shifted.drained_rows == 4));
}
