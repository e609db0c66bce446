// SPDX-License-Identifier: Apache-2.0
// One encoder block with verilated engines, buffers and array between the datapath's controller and its memory: the words of the integer engine, and the
// cycles of the transaction-level units.
#include <catch2/catch.hpp>

#include <fmt/format.h>

#include "tests/rtl/block_run.hpp"

using namespace prelude;
using namespace prelude::rtl;
using namespace prelude::sim;

namespace {

void check_block(const Design& design, Bound bound) {
    static const auto network = small_network();
    static const auto words = engine_words(network);
    const auto model = run_block(network, words, design, Engines::functional), rtl = run_block(network, words, design, Engines::rtl);
    INFO(model.problem << rtl.problem);
    REQUIRE(model.segments.size() == rtl.segments.size());
    REQUIRE(model.segments.size() >= 5);
    std::array<Cycle, 3> bounds{};
    std::string cycles;
    for (std::size_t i = 0; i < model.segments.size(); ++i) {
        bounds[static_cast<std::size_t>(model.segments[i].bound)] += model.segments[i].cycles;
        cycles += fmt::format("{}: {}-bound, model {} cycles, RTL {}\n", model.segments[i].name, kBoundNames[static_cast<std::size_t>(model.segments[i].bound)],
                              model.segments[i].cycles, rtl.segments[i].cycles);
    }
    INFO(cycles << "block: model " << model.cycles() << ", RTL " << rtl.cycles());
    CHECK(rtl.problem.empty());
    CHECK(run_block(network, words, design, Engines::timing).cycles() == model.cycles());
    CHECK(model.different_words() == 0);
    CHECK(rtl.different_words() == 0);
    CHECK(rtl.found.loaded_bytes == 0);
    CHECK(rtl.found.stored_bytes == 0);
    CHECK(rtl.found.relative_sums == 0);
    CHECK(std::ranges::max_element(bounds) - bounds.begin() == static_cast<std::ptrdiff_t>(bound));
    CHECK(std::abs(static_cast<double>(rtl.cycles() - model.cycles())) <= 0.05 * static_cast<double>(model.cycles()));
}

}  // namespace

TEST_CASE("An encoder block on verilated engines, buffers and array has the words and within 5 % the cycles of the model where the array is the bound", "[rtl]") {
    check_block(block_design(), Bound::compute);
}

TEST_CASE("An encoder block on verilated engines, buffers and array has the words and within 5 % the cycles of the model where DRAM is the bound", "[rtl]") {
    auto design = block_design();
    design.dram.gb_per_s = 0.8;
    check_block(design, Bound::memory);
}

TEST_CASE("An encoder block on verilated engines, buffers and array has the words and within 5 % the cycles of the model where vector units are the bound", "[rtl]") {
    auto design = block_design();
    design.softmax_lanes = design.layernorm_lanes = design.gelu_lanes = 1;
    check_block(design, Bound::vector);
}
