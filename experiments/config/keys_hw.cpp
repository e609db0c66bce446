// SPDX-License-Identifier: Apache-2.0
// The keys of `hw`: the device and the datapath built on it. None of them may change a bit of any output.
#include "experiments/config/field.hpp"

namespace prelude::experiments {

namespace {

bool divides_for_roots(const Settings& settings) { return settings.quant.is_integer() && settings.quant.nonlinear != quant::Nonlinear::table; }
bool multiplies_in_slices(const Settings& settings) { return is_quantized(settings) && settings.hw.pe.multiplier == sim::Multiplier::dsp; }

bool fills(const Settings& settings) { return settings.hw.pe.size == sim::PeSize::fill; }

const std::vector<IntegerRange> kBusWidths = {{32, 32}, {64, 64}, {128, 128}, {256, 256}, {512, 512}, {1024, 1024}};

void declare_array_keys(std::vector<Key>& keys) {
    const auto extent = [&](std::string_view path, std::string_view unit, std::string_view sentence, auto access) {
        keys.push_back(
            field({.path = path, .domain = Domain::integers({{1, 1024}}), .unit = unit, .sentence = sentence, .affects = Affects::hardware},
                  access));
    };
    extent("hw.pe.rows", "output rows (tokens)", "Rows of the processing-element array.", [](auto& s) -> auto& { return s.hw.pe.rows; });
    extent("hw.pe.cols", "output columns", "Columns of the array.", [](auto& s) -> auto& { return s.hw.pe.cols; });
    extent("hw.pe.depth", "products per element and cycle", "Length of the dot product that one element sums per cycle.",
           [](auto& s) -> auto& { return s.hw.pe.depth; });
    keys.push_back(field({.path = "hw.pe.shift_lanes",
                          .domain = Domain::integers({{0, 64}}),
                          .unit = "positions per output and cycle",
                          .sentence = "Shift-add lanes in LUTs beside the DSP slices, for log-coded operands; 0: the slices' multipliers shift. Arrays of LUT "
                                      "multipliers have one at every multiplier.",
                          .source = "sim/mapping/pe_timing.hpp, streams",
                          .affects = Affects::hardware,
                          .effective = {"quant.datatype is int and hw.pe.multiplier is dsp", multiplies_in_slices}},
                         [](auto& s) -> auto& { return s.hw.pe.shift_lanes; }));
    keys.push_back(field({.path = "hw.pe.drain_rows",
                          .domain = Domain::integers({{1, 16}}),
                          .unit = "rows of sums per cycle",
                          .sentence = "Rows of finished sums that leave the array per cycle; the post unit has cols x drain_rows lanes.",
                          .source = "sim/mapping/pe_timing.hpp, pe_occupancy",
                          .affects = Affects::hardware},
                         [](auto& s) -> auto& { return s.hw.pe.drain_rows; }));
    keys.push_back(field({.path = "hw.pe.weight_bits",
                          .domain = Domain::integers({{2, 8}, {16, 16}}, {{"auto", 0}}),
                          .unit = "bits per weight operand",
                          .sentence = "Weight operand of the multipliers; auto: the widest that the formats use.",
                          .because = "the product tables cover these widths; see sim/cost/cost_table.hpp",
                          .affects = Affects::hardware,
                          .effective = kQuantized},
                         [](auto& s) -> auto& { return s.hw.pe.weight_bits; }));
    keys.push_back(field({.path = "hw.pe.activation_bits",
                          .domain = Domain::integers({{2, 8}, {16, 16}}, {{"auto", 0}}),
                          .unit = "bits per activation operand",
                          .sentence = "Activation operand of the multipliers; auto: the widest that the formats use.",
                          .because = "the product tables cover these widths; see sim/cost/cost_table.hpp",
                          .affects = Affects::hardware,
                          .effective = kQuantized},
                         [](auto& s) -> auto& { return s.hw.pe.activation_bits; }));
    keys.push_back(field({.path = "hw.pe.precision",
                          .domain = Domain::choice({{"fixed", 0}, {"packed", 1}, {"fused", 2}}),
                          .sentence = "fixed: one product per DSP slice; packed: as many as the operand widths allow; fused: wide "
                                      "products built from narrow ones.",
                          .source = "Xilinx WP486, WP521; arch_configs/costs/default.yaml, dsp.mac_per_cycle",
                          .affects = Affects::hardware,
                          .effective = kQuantized},
                         [](auto& s) -> auto& { return s.hw.pe.precision; }));
    keys.push_back(field({.path = "hw.pe.size",
                          .domain = Domain::choice({{"given", 0}, {"fill", 1}}),
                          .sentence = "given: rows x cols x depth as written; fill: the largest array within the device's closure limits.",
                          .affects = Affects::hardware},
                         [](auto& s) -> auto& { return s.hw.pe.size; }));
    keys.push_back(field({.path = "hw.pe.max_dsp",
                          .domain = Domain::integers({{1, 100000}}, {{"device", 0}}),
                          .unit = "DSP slices",
                          .sentence = "Slices that a filled design may take, its vector units included; device: what the device lets close.",
                          .because = "equal slices for designs of different elements: the iso-DSP comparison",
                          .affects = Affects::hardware,
                          .effective = {"hw.pe.size is fill", fills}},
                         [](auto& s) -> auto& { return s.hw.pe.max_dsp; }));
    keys.push_back(field({.path = "hw.pe.multiplier",
                          .domain = Domain::choice({{"dsp", 0}, {"lut", 1}}),
                          .sentence = "What the products are made of: DSP slices or LUTs.",
                          .affects = Affects::hardware,
                          .effective = kQuantized},
                         [](auto& s) -> auto& { return s.hw.pe.multiplier; }));
    keys.push_back(field({.path = "hw.pe.zero_point",
                          .domain = Domain::choice({{"correct", 0}, {"subtract", 1}}),
                          .sentence = "correct: raw codes in the array, row and column sums beside it; subtract: operands one bit wider. "
                                      "Equal bits, different cost.",
                          .source = "docs/numerics.md section 1",
                          .affects = Affects::hardware,
                          .effective = kQuantized},
                         [](auto& s) -> auto& { return s.hw.pe.zero_point; }));
}

void declare_memory_keys(std::vector<Key>& keys) {
    const auto buffer = [&](std::string_view path, std::string_view sentence, auto access) {
        keys.push_back(field(
            {.path = path, .domain = Domain::integers({{1, 65536}}), .unit = "KiB", .sentence = sentence, .affects = Affects::hardware},
            access));
    };
    buffer("hw.buffers.weight_kib", "Weight buffer, both halves together.", [](auto& s) -> auto& { return s.hw.buffers.weight_kib; });
    buffer("hw.buffers.activation_kib", "Activation buffer, both halves together.",
           [](auto& s) -> auto& { return s.hw.buffers.activation_kib; });
    buffer("hw.buffers.partial_sum_kib", "Buffer of partial sums.", [](auto& s) -> auto& { return s.hw.buffers.partial_sum_kib; });
    buffer("hw.buffers.score_kib", "Buffer of attention scores: whole rows when attention is fused.",
           [](auto& s) -> auto& { return s.hw.buffers.score_kib; });
    keys.push_back(field({.path = "hw.weights",
                          .domain = Domain::choice({{"stream", 0}, {"resident", 1}, {"auto", 2}}),
                          .sentence = "Weights come from DRAM for every use, or stay on chip where they fit.",
                          .affects = Affects::hardware},
                         [](auto& s) -> auto& { return s.hw.weights; }));
    keys.push_back(field({.path = "hw.double_buffer",
                          .domain = Domain::boolean(),
                          .sentence = "Loads and stores overlap with computation (ping-pong buffers).",
                          .affects = Affects::hardware},
                         [](auto& s) -> auto& { return s.hw.double_buffer; }));
    keys.push_back(field({.path = "hw.layer_overlap",
                          .domain = Domain::boolean(),
                          .sentence = "The first weights of the next segment are fetched while this one computes.",
                          .affects = Affects::hardware},
                         [](auto& s) -> auto& { return s.hw.layer_overlap; }));
    keys.push_back(field({.path = "hw.dram.gb_per_s",
                          .domain = Domain::reals(0.01, 4096, {{"auto", 0}}),
                          .unit = "GB/s (10^9 bytes)",
                          .sentence = "Peak bandwidth of all channels together; auto: the device's.",
                          .affects = Affects::hardware},
                         [](auto& s) -> auto& { return s.hw.dram.gb_per_s; }));
    keys.push_back(field({.path = "hw.dram.channels",
                          .domain = Domain::integers({{1, 32}}, {{"auto", 0}}),
                          .unit = "channels",
                          .sentence = "Independent channels that share the bandwidth, interleaved by burst; auto: the device's.",
                          .source = "sim/mapping/dram_timing.hpp has the times of each kind of memory",
                          .affects = Affects::hardware},
                         [](auto& s) -> auto& { return s.hw.dram.channels; }));
    keys.push_back(field({.path = "hw.axi.ports",
                          .domain = Domain::integers({{1, 32}}),
                          .unit = "ports",
                          .sentence = "Memory ports of the accelerator.",
                          .affects = Affects::hardware},
                         [](auto& s) -> auto& { return s.hw.axi.ports; }));
    keys.push_back(field({.path = "hw.axi.data_bits",
                          .domain = Domain::integers(kBusWidths),
                          .unit = "bits",
                          .sentence = "Data width of a port.",
                          .because = "widths that AXI4 defines and memory controllers take",
                          .affects = Affects::hardware},
                         [](auto& s) -> auto& { return s.hw.axi.data_bits; }));
    keys.push_back(field({.path = "hw.axi.outstanding",
                          .domain = Domain::integers({{1, 256}}),
                          .unit = "bursts",
                          .sentence = "Read or write bursts a port may have under way.",
                          .affects = Affects::hardware},
                         [](auto& s) -> auto& { return s.hw.axi.outstanding; }));
    keys.push_back(field({.path = "hw.axi.max_burst",
                          .domain = Domain::integers({{1, 256}}),
                          .unit = "beats",
                          .sentence = "Longest burst; none crosses 4 KiB.",
                          .because = "AXI4 allows 256 beats",
                          .affects = Affects::hardware},
                         [](auto& s) -> auto& { return s.hw.axi.max_burst; }));
}

}  // namespace

void declare_hw_keys(std::vector<Key>& keys) {
    keys.push_back(field({.path = "hw.device",
                          .domain = Domain::name("the name of a file in arch_configs/devices, without .yaml"),
                          .sentence = "Device the design is built on: capacity, memory, clock and power figures, each with its source.",
                          .affects = Affects::hardware},
                         [](auto& s) -> auto& { return s.hw.device.name; }));
    keys.push_back(field({.path = "hw.costs",
                          .domain = Domain::name("the name of a file in arch_configs/costs, without .yaml"),
                          .sentence = "Cost table: LUT, FF and DSP per unit, energy per event, each with a band and its source.",
                          .affects = Affects::hardware},
                         [](auto& s) -> auto& { return s.cost_table; }));
    keys.push_back(field({.path = "hw.clock_mhz",
                          .domain = Domain::reals(1, 1000, {{"auto", 0}}),
                          .unit = "MHz",
                          .sentence = "Clock of the datapath; auto: the device's reachable clock. A clock above that is infeasible.",
                          .affects = Affects::hardware},
                         [](auto& s) -> auto& { return s.hw.clock_mhz; }));
    declare_array_keys(keys);
    declare_memory_keys(keys);
    const auto lanes = [&](std::string_view path, std::string_view sentence, auto access) {
        keys.push_back(field({.path = path,
                              .domain = Domain::integers({{1, 1024}}),
                              .unit = "elements per cycle",
                              .sentence = sentence,
                              .affects = Affects::hardware},
                             access));
    };
    lanes("hw.softmax.lanes", "Lanes of the softmax unit.", [](auto& s) -> auto& { return s.hw.softmax_lanes; });
    lanes("hw.layernorm.lanes", "Lanes of the LayerNorm unit.", [](auto& s) -> auto& { return s.hw.layernorm_lanes; });
    keys.push_back(field({.path = "hw.layernorm.dividers",
                          .domain = Domain::integers({{1, 64}}),
                          .unit = "dividers",
                          .sentence = "Sequential dividers that make the roots of LayerNorm, each of another row; rows wait for the next free one.",
                          .source = "sim/datapath/layernorm_unit.hpp",
                          .affects = Affects::hardware,
                          .effective = {"quant.nonlinear is ibert or ivit", divides_for_roots}},
                         [](auto& s) -> auto& { return s.hw.layernorm_dividers; }));
    lanes("hw.gelu.lanes", "Lanes of the GELU and ReLU unit.", [](auto& s) -> auto& { return s.hw.gelu_lanes; });
    keys.push_back(field({.path = "hw.dataflow",
                          .domain = Domain::choice({{"output_stationary", 0}, {"weight_stationary", 1}, {"auto", 2}}),
                          .sentence = "What stays in the array; auto: the faster of the two, layer by layer.",
                          .affects = Affects::hardware},
                         [](auto& s) -> auto& { return s.hw.dataflow; }));
    keys.push_back(field({.path = "hw.attention",
                          .domain = Domain::choice({{"unfused", 0}, {"fused_row", 1}, {"fused_recompute", 3}, {"auto", 2}}),
                          .sentence = "unfused: scores go through DRAM. fused_row: whole score rows of a query tile stay on chip. fused_recompute: scores of a tile of keys at a time, "
                                      "made again for every stage of the softmax: more products, less memory. The bits are the same. auto: fused_row where the rows "
                                      "fit, else unfused.",
                          .affects = Affects::hardware},
                         [](auto& s) -> auto& { return s.hw.attention; }));
    keys.push_back(field({.path = "hw.mapping",
                          .domain = Domain::path({{"auto", 0}}),
                          .sentence = "Tile sizes, loop orders, operand roles and dataflows: chosen by the mapper, or a file that pins those of some or all "
                                      "segments. `explore inspect --mapping-out FILE` writes one; the rest is chosen.",
                          .source = "experiments/config/mapping_file.hpp has the form of the file",
                          .affects = Affects::hardware},
                         [](auto& s) -> auto& { return s.mapping.path; }));
    keys.push_back(field({.path = "hw.mapping_candidates",
                          .domain = Domain::integers({{1, 16}}),
                          .unit = "mappings of a segment",
                          .sentence = "Mappings with the best estimates that are simulated before the fastest is chosen; 1: the estimate decides.",
                          .source = "sim/segment_runner.hpp",
                          .affects = Affects::hardware},
                         [](auto& s) -> auto& { return s.hw.mapping_candidates; }));
}

}  // namespace prelude::experiments
