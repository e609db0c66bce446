// SPDX-License-Identifier: Apache-2.0
#include "experiments/evaluate/stats_json.hpp"

namespace prelude::experiments {

using nlohmann::json;

namespace {

/// The members of each struct, once: `visit(name, member)` writes or reads.
template <class Visit>
void members(auto&& s, Visit&& visit) {
    visit("name", s.name);
    visit("kind", s.kind);
    visit("nodes", s.nodes);
    visit("block", s.block);
    visit("mapping", s.mapping);
    visit("reused", s.reused);
    visit("repeats", s.repeats);
    visit("m", s.m);
    visit("k", s.k);
    visit("n", s.n);
    visit("batch", s.batch);
    visit("left_bits", s.left_bits);
    visit("right_bits", s.right_bits);
    visit("cycles", s.cycles);
    visit("bound_compute", s.bounds.compute);
    visit("bound_memory", s.bounds.memory);
    visit("bound_vector", s.bounds.vector);
    visit("macs_useful", s.macs.useful);
    visit("macs_padding", s.macs.padding);
    visit("macs_recompute", s.macs.recompute);
    visit("macs_idle", s.macs.idle);
    visit("bytes_read", s.dram.bytes_read);
    visit("bytes_written", s.dram.bytes_written);
    visit("bus_bytes", s.dram.bus_bytes);
    visit("bursts", s.dram.bursts);
    visit("beats", s.dram.beats);
    visit("row_hits", s.dram.row_hits);
    visit("row_misses", s.dram.row_misses);
    visit("turnarounds", s.dram.turnarounds);
    visit("refreshes", s.dram.refreshes);
    visit("bytes_produced", s.bytes_produced);
    visit("compulsory_bytes", s.compulsory_bytes);
    visit("weight_bytes", s.weight_bytes);
    visit("activation_toggles", s.toggles.activation_toggles);
    visit("activation_toggle_bits", s.toggles.activation_bits);
    visit("weight_toggles", s.toggles.weight_toggles);
    visit("weight_toggle_bits", s.toggles.weight_bits);
    visit("zero_codes", s.toggles.zero_codes);
    visit("codes", s.toggles.codes);
    visit("shift_cycles", s.shift_cycles);
    visit("shift_only_cycles", s.shift_only_cycles);
    visit("overflows", s.overflows);
}

template <class Visit>
void unit_members(auto&& unit, Visit&& visit) {
    visit("busy", unit.busy_cycles);
    visit("stalls", unit.stall_cycles);
    visit("commands", unit.num_commands);
}

template <class Visit>
void buffer_members(auto&& buffer, Visit&& visit) {
    visit("bits_read", buffer.bits_read);
    visit("bits_written", buffer.bits_written);
    visit("reads", buffer.read_accesses);
    visit("writes", buffer.write_accesses);
}

struct Write {
    json& object;
    template <class T>
    void operator()(const char* name, const T& value) {
        object[name] = value;
    }
};

struct Read {
    const json& object;
    template <class T>
    void operator()(const char* name, T& value) {
        object.at(name).get_to(value);
    }
};

}  // namespace

json to_json(const sim::SegmentStats& stats) {
    json object = json::object();
    members(stats, Write{object});
    object["part"] = static_cast<int>(stats.part);
    for (const auto& unit : stats.units) unit_members(unit, Write{object["units"].emplace_back(json::object())});
    for (const auto& buffer : stats.buffers) buffer_members(buffer, Write{object["buffers"].emplace_back(json::object())});
    object["operations"] = json::array();
    for (const auto& [key, count] : stats.operations) object["operations"].push_back({key.kind, key.left_bits, key.right_bits, count});
    return object;
}

json to_json(const sim::ToggleStats& s) { return {s.activation_toggles, s.activation_bits, s.weight_toggles, s.weight_bits, s.zero_codes, s.codes}; }

sim::ToggleStats toggle_stats(const json& counts) {
    const auto at = [&](std::size_t i) { return counts.at(i).get<std::int64_t>(); };
    return {.activation_toggles = at(0), .activation_bits = at(1), .weight_toggles = at(2), .weight_bits = at(3), .zero_codes = at(4), .codes = at(5)};
}

sim::SegmentStats segment_stats(const json& object) {
    sim::SegmentStats stats;
    members(stats, Read{object});
    stats.part = static_cast<models::Part>(object.at("part").get<int>());
    for (std::size_t i = 0; i < sim::kNumUnits; ++i) unit_members(stats.units[i], Read{object.at("units").at(i)});
    for (std::size_t i = 0; i < sim::kNumBuffers; ++i) buffer_members(stats.buffers[i], Read{object.at("buffers").at(i)});
    for (const auto& entry : object.at("operations")) {
        stats.operations[{entry.at(0).get<std::string>(), entry.at(1).get<int>(), entry.at(2).get<int>()}] = entry.at(3).get<std::int64_t>();
    }
    return stats;
}

}  // namespace prelude::experiments
