// SPDX-License-Identifier: Apache-2.0
#include "sim/datapath/accelerator.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "sim/bounds.hpp"
#include "sim/simulate.hpp"

namespace prelude::sim {

Accelerator::Accelerator(const sc_core::sc_module_name& name, Run& run, const Substitutes& substitutes)
    : sc_module(name),
      run_(run),
      controller_("controller", run),
      memory_("memory_controller", *run.hardware),
      post_unit_("post_unit", run),
      activation_unit_("activation_unit", run.hardware->gelu_lanes),
      layernorm_unit_("layernorm_unit", run),
      softmax_unit_("softmax_unit", run) {
    for (auto id : {UnitId::weight_dma, UnitId::activation_dma, UnitId::operand_dma, UnitId::store_dma}) {
        const auto* unit_name = kUnitNames[static_cast<std::size_t>(id)];
        dmas_.push_back(substitutes.dma ? substitutes.dma(unit_name, id, run) : std::make_unique<Dma>(unit_name, id, run));
        dmas_.back()->burst_out.bind(memory_.burst_in);
        units_.push_back(dmas_.back().get());
    }
    pe_array_ = substitutes.pe_array ? substitutes.pe_array("pe_array", run) : std::make_unique<PeArrayUnit>("pe_array", run);
    units_.insert(units_.end(), {pe_array_.get(), &post_unit_, &layernorm_unit_, &softmax_unit_});
    for (int c = 0; c < run.hardware->channels; ++c) {
        channels_.push_back(std::make_unique<DramChannel>(("dram" + std::to_string(c)).c_str(), *run.hardware));
        memory_.access_out.bind(channels_.back()->access_in);
    }
    for (std::size_t b = 0; b < kNumBuffers; ++b) {
        buffers_.push_back(std::make_unique<Buffer>((std::string(kBufferNames[b]) + "_buffer").c_str(),
                                                    buffer_width_bits(*run.hardware, static_cast<BufferId>(b))));
    }
    for (auto* unit : units_) {
        controller_.attach(*unit);
        unit->weight_out.bind(buffers_[0]->tile_in);
        unit->activation_out.bind(buffers_[1]->tile_in);
        unit->partial_sum_out.bind(buffers_[2]->tile_in);
        unit->score_out.bind(buffers_[3]->tile_in);
    }
    post_unit_.words_out.bind(activation_unit_.words_in);
    SC_HAS_PROCESS(Accelerator);
    SC_THREAD(work);
}

void Accelerator::place_values() {
    // Every stored value in its own region; equal segments get equal addresses. Regions share no DRAM row and start in different banks,
    // so that streams over several of them do not close each other's rows.
    const auto page = run_.hardware->row_bytes * run_.hardware->channels, align = page * run_.hardware->num_banks,
               skew = page * (run_.hardware->num_banks / 4 + 1);
    std::int64_t address = 0, next_skew = 0;
    run_.regions.clear();
    for (auto id : run_.program->values) {
        const auto& value = run_.graph->value(id);
        run_.regions[id] = address + next_skew;
        next_skew = (next_skew + skew) % align;
        address += (packed_bytes(value, run_.bits_of(id)) / align + 2) * align;
    }
    run_.constants_base = address + next_skew;
}

void Accelerator::run_segment() {
    finished_ = false;
    go_.notify(sc_core::SC_ZERO_TIME);
    sc_core::sc_start();
    if (finished_) return;
    throw SimulationError(deadlock());
}

std::string Accelerator::deadlock() const {
    std::string text = "the datapath is stuck:";
    for (const auto* unit : units_) {
        const auto token = unit->waits_for();
        if (token == Unit::kNothing) continue;
        const auto name = [](const Unit& which) { return kUnitNames[static_cast<std::size_t>(which.id())]; };
        const auto& stream = run_.program->stream(unit->id());
        text += fmt::format(" {} waits in command {} of {} for {},", name(*unit), unit->stats().num_commands, stream.size(),
                            kStallNames[static_cast<std::size_t>(run_.tokens[static_cast<std::size_t>(token)].cause())]);
        std::string givers;
        for (const auto* giver : units_) {
            const auto& commands = run_.program->stream(giver->id());
            const auto done = giver->waits_for() == Unit::kNothing ? giver->stats().num_commands : giver->stats().num_commands - 1;
            const auto next = std::find_if(commands.begin() + done, commands.end(), [&](const Command& command) { return std::ranges::find(command.release, token) != command.release.end(); });
            if (next == commands.end()) continue;
            givers += fmt::format("{}{} in its command {}", givers.empty() ? "" : " or ", name(*giver), next - commands.begin() + 1);
        }
        text += givers.empty() ? " which nobody gives any more;" : " which comes from " + givers + ";";
    }
    text.pop_back();
    return text;
}

void Accelerator::work() {
    for (;;) {
        wait(go_);
        run_.tokens.clear();
        for (const auto& spec : run_.program->tokens) run_.tokens.emplace_back(spec);
        place_values();
        memory_.reset();
        for (auto& channel : channels_) channel->reset();
        for (auto& buffer : buffers_) buffer->reset(run_.functional != nullptr);
        for (auto* unit : units_) unit->reset();
        activation_unit_.reset();
        collect(controller_.run_segment());
        finished_ = true;
    }
}

void Accelerator::collect(Cycle cycles) {
    auto& stats = *run_.stats;
    stats.cycles = cycles;
    stats.dram = memory_.stats();
    for (const auto& channel : channels_) {
        const auto& part = channel->stats();
        stats.dram.bus_bytes += part.bus_bytes;
        stats.dram.row_hits += part.row_hits;
        stats.dram.row_misses += part.row_misses;
        stats.dram.turnarounds += part.turnarounds;
        stats.dram.refreshes += part.refreshes;
    }
    for (std::size_t u = 0; u < kNumUnits; ++u) stats.units[u] = units_[u]->stats();
    for (std::size_t b = 0; b < kNumBuffers; ++b) stats.buffers[b] = buffers_[b]->stats();
    stats.bounds = bounds(*run_.hardware, *run_.graph, *run_.program, stats, activation_unit_.busy_cycles());
}

}  // namespace prelude::sim
