// SPDX-License-Identifier: Apache-2.0
// A program whose tokens do not add up stops, and the message says who waits for whom.
#include <catch2/catch.hpp>

#include "quant/format_plan.hpp"
#include "sim/datapath/session.hpp"
#include "sim/mapping/build_program.hpp"
#include "tests/sim/datapath/kernel_bench.hpp"

using namespace prelude;
using namespace prelude::sim;
using Catch::Matchers::Contains;

namespace {

/// What a run says of the program of a small linear layer after `spoil`.
std::string message(const std::function<void(Program&)>& spoil) {
    return testing::in_kernel([&] {
        models::Graph graph;
        graph.add("layer", models::Part::encoder, 0, models::Linear{"w", "b", 24, 40}, {graph.add_input("x", {1, 64, 24}, 2)});
        Design design;
        design.clock_mhz = 200;
        design.dram.gb_per_s = 3.2;
        design.pe = {.rows = 4, .cols = 4, .depth = 4};
        design.buffers = {.weight_kib = 1, .activation_kib = 1, .partial_sum_kib = 2, .score_kib = 1};
        const auto plan = quant::make_plan(graph, {});
        const auto hardware = resolve(design, plan);
        const Layout layout{graph};
        const auto partition = Partitioner(graph, plan, {models::Part::encoder}).run({});
        auto program = build_program({graph, plan, hardware, layout}, partition.segments.front());
        spoil(program);
        static std::unique_ptr<Session> session;  // lives as long as the child: processes that are stuck cannot be taken down
        session = std::make_unique<Session>(layout, plan, hardware, nullptr, false);
        SegmentStats stats;
        session->run(program, stats);
        return std::string("it ended");
    });
}

}  // namespace

TEST_CASE("A program as it is built ends") { CHECK(message([](Program&) {}) == "it ended"); }

TEST_CASE("Sums that the array never hands on are named with who waits for them") {
    const auto text = message([](Program& program) {
        for (auto& command : program.stream(UnitId::pe_array)) command.release.count = 0;
    });
    CHECK_THAT(text, Contains("the datapath is stuck:"));
    CHECK_THAT(text, Contains("post_unit waits in command 1 of "));
    CHECK_THAT(text, Contains("for partial_sums, which nobody gives any more"));
    CHECK_THAT(text, Contains("store_dma waits in command 1 of "));
    CHECK_THAT(text, Contains("for outputs, which comes from post_unit in its command 1"));
}

TEST_CASE("Units that wait for each other in a circle are all named") {
    const auto text = message([](Program& program) {  // the first load waits for a product that waits for it
        const auto token = program.new_token(0, StallCause::buffer_space);
        program.stream(UnitId::weight_dma).front().acquire.add(token);
        program.stream(UnitId::pe_array).front().release.add(token);
    });
    CHECK_THAT(text, Contains("weight_dma waits in command 1 of "));
    CHECK_THAT(text, Contains("for buffer_space, which comes from pe_array in its command 1"));
    CHECK_THAT(text, Contains("for weights, which comes from weight_dma in its command 1"));
}
