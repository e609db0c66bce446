// SPDX-License-Identifier: Apache-2.0
#pragma once

// What a simulation counts. Every table, resource, energy and bound is a pure function of these plain values.
// Contract
//  - counts are never negative; parts sum to totals (check_invariants in sim/simulate.cpp refuses anything else).
//  - one cycle is one datapath clock; MHz enter outside.

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "models/graph/graph.hpp"

namespace prelude::sim {

using Cycle = std::int64_t;

/// The command-driven units, in the order of the block diagram.
enum class UnitId : std::uint8_t { weight_dma, activation_dma, operand_dma, store_dma, pe_array, post_unit, layernorm_unit, softmax_unit };
inline constexpr std::size_t kNumUnits = 8;
inline constexpr std::array<const char*, kNumUnits> kUnitNames{"weight_dma", "activation_dma", "operand_dma",    "store_dma",
                                                               "pe_array",   "post_unit",      "layernorm_unit", "softmax_unit"};

/// What a unit waited for.
enum class StallCause : std::uint8_t { weights, activations, operands, partial_sums, scores, probabilities, outputs, buffer_space };
inline constexpr std::size_t kNumStallCauses = 8;
inline constexpr std::array<const char*, kNumStallCauses> kStallNames{"weights", "activations",   "operands", "partial_sums",
                                                                      "scores",  "probabilities", "outputs",  "buffer_space"};

enum class BufferId : std::uint8_t { weight, activation, partial_sum, score };
inline constexpr std::size_t kNumBuffers = 4;
inline constexpr std::array<const char*, kNumBuffers> kBufferNames{"weight", "activation", "partial_sum", "score"};

enum class Bound : std::uint8_t { compute, memory, vector };
inline constexpr std::array<const char*, 3> kBoundNames{"compute", "memory", "vector"};

struct UnitStats {
    Cycle busy_cycles = 0;
    std::array<Cycle, kNumStallCauses> stall_cycles{};
    std::int64_t num_commands = 0;
};

struct BufferStats {
    std::int64_t bits_read = 0, bits_written = 0;
    std::int64_t read_accesses = 0, write_accesses = 0;  ///< port cycles: words of the buffer's full width
};

struct DramStats {
    std::int64_t bytes_read = 0, bytes_written = 0;  ///< payload, as packed in DRAM
    std::int64_t bus_bytes = 0;                      ///< moved over the DRAM bus: whole access granules
    std::int64_t bursts = 0, beats = 0;              ///< on the AXI ports
    std::int64_t row_hits = 0, row_misses = 0, turnarounds = 0, refreshes = 0;
};

/// issued = useful + padding + recompute + idle, all in multiply-accumulate slots of the array at the operands' rate.
struct MacStats {
    std::int64_t useful = 0;     ///< the graph's
    std::int64_t padding = 0;    ///< tile remainders of rows, columns and depth
    std::int64_t recompute = 0;  ///< computed and thrown away (relative-position tables)
    std::int64_t idle = 0;       ///< lanes of a busy array waiting for a drain or flush
    [[nodiscard]] std::int64_t issued() const noexcept { return useful + padding + recompute + idle; }
};

/// Element operations by kind and operand widths: multiply, shift, prescale, flush, rescale, requantize, add, lookup, relative_add,
/// layer_norm, softmax, interpolate, prompt. In cycles: gather_conflict, root_divide, root_wait.
struct OperationKey {
    std::string kind;
    int left_bits = 0, right_bits = 0;
    friend auto operator<=>(const OperationKey&, const OperationKey&) = default;
};

/// Operand activity at the registers in front of the array; functional mode only (all zero in timing mode). Bits: words that may change times their width.
struct ToggleStats {
    std::int64_t activation_toggles = 0, activation_bits = 0;
    std::int64_t weight_toggles = 0, weight_bits = 0;
    std::int64_t zero_codes = 0, codes = 0;  ///< operand codes that contribute nothing
    void add(const ToggleStats& other, std::int64_t times = 1);
    /// Share of the bits at both ports that toggle; none where nothing was measured.
    [[nodiscard]] std::optional<double> rate() const;
};

/// Lower bounds of the cycles of a segment as it was mapped.
///   compute   multiply-accumulate slots needed / slots the array has per cycle
///   memory    bytes moved / peak bytes per cycle of DRAM or of the AXI ports, whichever is larger
///   vector    elements / lanes, the slowest of post, activation, LayerNorm and softmax unit
struct Bounds {
    Cycle compute = 0, memory = 0, vector = 0;
    [[nodiscard]] Cycle largest() const noexcept { return std::max(compute, std::max(memory, vector)); }
    [[nodiscard]] Bound limiting() const noexcept {
        return compute >= memory && compute >= vector ? Bound::compute : memory >= vector ? Bound::memory : Bound::vector;
    }
};

struct SegmentStats {
    std::string name;                  ///< its main node
    std::string kind;                  ///< linear, conv, matmul, attention, layer_norm, ...
    std::vector<std::string> nodes{};  ///< every node computed here, address maps included
    models::Part part = models::Part::encoder;
    int block = -1;
    std::string mapping;                          ///< printed tiling
    bool reused = false;                          ///< equal to an earlier segment, not simulated again
    std::int64_t repeats = 1;                     ///< how often it runs per image (prompts)
    std::int64_t m = 0, k = 0, n = 0, batch = 1;  ///< logical product shape (0: no product)
    int left_bits = 0, right_bits = 0;

    Cycle cycles = 0;
    Bounds bounds{};
    Cycle roofline_cycles = 0;  ///< compute bound, or compulsory_bytes at peak bandwidth, whichever is larger
    MacStats macs{};
    DramStats dram{};
    std::int64_t bytes_produced = 0;    ///< packed size of the values the segment creates; equals dram.bytes_written
    std::int64_t compulsory_bytes = 0;  ///< every input, weight and output moved once: the roofline's bytes
    std::int64_t weight_bytes = 0;      ///< constants read, counted once
    std::array<UnitStats, kNumUnits> units{};
    std::array<BufferStats, kNumBuffers> buffers{};
    std::map<OperationKey, std::int64_t> operations{};
    ToggleStats toggles{};
    Cycle shift_cycles = 0;       ///< busy cycles of the array in which shift-add lanes work
    Cycle shift_only_cycles = 0;  ///< of these, its multipliers rest
    std::int64_t overflows = 0;  ///< narrowed accumulators, functional mode
};

/// What a unit did or waited for, in cycles since its segment began.
struct TraceEvent {
    UnitId unit{};
    bool waits = false;
    std::uint8_t what = 0;  ///< an Opcode; of a wait a StallCause
    Cycle begin = 0, end = 0;
};

/// Sums over segments, each times its repeats.
struct Totals {
    Cycle cycles = 0, roofline_cycles = 0;
    MacStats macs{};
    DramStats dram{};
    std::array<UnitStats, kNumUnits> units{};
    std::array<BufferStats, kNumBuffers> buffers{};
    std::map<OperationKey, std::int64_t> operations{};
    ToggleStats toggles{};
    std::int64_t overflows = 0;
    void add(const SegmentStats& segment);
};

}  // namespace prelude::sim
