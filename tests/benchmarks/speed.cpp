// SPDX-License-Identifier: Apache-2.0
// How fast the datapath is simulated, in one process and thread, cold:
//   speed_benchmark [REPEATS]     (default: 3; the best run of each counts)
// Design points without words (sam_nano, SAM ViT-B and ViT-H, whole), sam_nano with words, and an encoder block on transaction-level units and on the
// verilated engines, buffers and array. Events: commands of the units and bursts of the memory, of the simulated segments.

#include <fmt/format.h>

#include <chrono>
#include <cstdlib>
#include <limits>

#include "sim/simulate.hpp"
#include "tests/rtl/block_run.hpp"
#include "tests/support/tiny_model.hpp"

using namespace prelude;

namespace {

sim::Design design() {
    sim::Design result;
    result.device.dsp_generation = "dsp48e2";
    result.clock_mhz = 300, result.dram.gb_per_s = 19.2;
    result.pe = {.rows = 16, .cols = 32, .depth = 8};
    result.buffers = {.weight_kib = 1024, .activation_kib = 1024, .partial_sum_kib = 512, .score_kib = 1024};
    return result;
}

struct Timed {
    double seconds = std::numeric_limits<double>::infinity();
    double cycles = 0, events = 0;  ///< simulated in it
};

template <class Run>
Timed best_of(int repeats, const Run& run) {
    Timed best;
    for (int i = 0; i < repeats; ++i) {
        const auto start = std::chrono::steady_clock::now();
        auto timed = run();
        timed.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
        if (timed.seconds < best.seconds) best = timed;
    }
    return best;
}

Timed work_of(const sim::NetworkResult& result) {
    Timed work;
    if (!result.infeasible.empty()) throw std::runtime_error(result.infeasible);
    for (const auto& segment : result.segments) {
        if (segment.reused) continue;
        work.cycles += static_cast<double>(segment.cycles);
        work.events += static_cast<double>(segment.dram.bursts);
        for (const auto& unit : segment.units) work.events += static_cast<double>(unit.num_commands);
    }
    return work;
}

void print_row(std::string_view what, const Timed& timed, bool whole_point) {
    fmt::print("{:<52}{:>9.3f} s", what, timed.seconds);
    if (whole_point) fmt::print("{:>9.2f} points/s", 1 / timed.seconds);
    if (timed.events > 0) fmt::print("{:>12.3g} events/s", timed.events / timed.seconds);
    if (timed.cycles > 0) fmt::print("{:>12.3g} cycles/s", timed.cycles / timed.seconds);
    fmt::print("\n");
}

void measure_networks(int repeats) {
    for (const auto* preset : {"sam_nano", "sam_vit_b", "sam_vit_h"}) {
        const auto graph = models::build_sam(*models::sam_preset(preset));
        const auto plan = quant::make_plan(graph, {});
        auto at = design();
        print_row(fmt::format("{}, timing, {} mapping candidates", preset, at.mapping_candidates), best_of(repeats, [&] {
                      auto timed = work_of(sim::simulate(graph, plan, at));
                      timed.cycles = timed.events = 0;  // those of candidates that were not chosen are not counted anywhere
                      return timed;
                  }), true);
        at.mapping_candidates = 1;
        print_row(fmt::format("{}, timing, 1 mapping candidate", preset), best_of(repeats, [&] { return work_of(sim::simulate(graph, plan, at)); }), true);
    }
}

void measure_words(int repeats) {
    const auto model = tests::trained_nano(3);
    const auto quantized = model.quantize({});
    const sim::FunctionalInput input{.quantized = &quantized, .inputs = model.words, .wanted = {model.id(models::sam_values::kMasks)}};
    print_row("sam_nano, with words", best_of(repeats, [&] { return work_of(sim::simulate(model.graph, quantized.plan, design(), {}, &input)); }), true);
}

void measure_block(int repeats) {
    using rtl::Engines;
    const auto network = rtl::small_network();
    const auto words = rtl::engine_words(network);
    for (const auto& [engines, name] : {std::pair{Engines::timing, "encoder block, transaction-level, timing"}, std::pair{Engines::functional, "encoder block, transaction-level, with words"},
                                        std::pair{Engines::rtl, "encoder block, Verilator's engines, buffers, array"}}) {
        print_row(name, best_of(repeats, [&] { return Timed{.cycles = static_cast<double>(run_block(network, words, rtl::block_design(), engines).cycles())}; }), false);
    }
}

}  // namespace

int main(int count, char** words) {
    const int repeats = count > 1 ? std::max(1, std::atoi(words[1])) : 3;
    measure_networks(repeats);
    measure_words(repeats);
    measure_block(repeats);
    return 0;
}
