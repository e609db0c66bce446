// SPDX-License-Identifier: Apache-2.0
#pragma once

// The hardware choices of a design point: what the `hw.*` keys resolve to, and the device it is built on.
// No field here may change an output bit (a property test varies every one).

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace prelude::sim {

enum class PePrecision { fixed, packed, fused };
enum class PeSize { given, fill };
enum class Multiplier { dsp, lut };
enum class ZeroPoint { correct, subtract };
enum class WeightPlacement { stream, resident, automatic };
enum class Dataflow { output_stationary, weight_stationary, automatic };
enum class AttentionFusion { unfused, fused_row, automatic, fused_recompute };

/// How wide two operands of a product are, either way round: the narrowest class that holds both.
inline constexpr int kMaxPortBits = 16;  ///< widest operand a multiplier takes at once; wider ones pass in parts

enum class OperandClass : std::uint8_t { w4a4, w4a8, w8a8, w4a16, w16a16 };
inline constexpr std::size_t kNumOperandClasses = 5;
inline constexpr std::array<const char*, kNumOperandClasses> kOperandClassNames{"w4a4", "w4a8", "w8a8", "w4a16", "w16a16"};

[[nodiscard]] constexpr OperandClass operand_class(int left_bits, int right_bits) noexcept {
    const int narrow = std::min(left_bits, right_bits), wide = std::max(left_bits, right_bits);
    if (wide <= 8) return wide <= 4 ? OperandClass::w4a4 : narrow <= 4 ? OperandClass::w4a8 : OperandClass::w8a8;
    return narrow <= 4 && wide <= 16 ? OperandClass::w4a16 : OperandClass::w16a16;
}

/// Products a DSP slice makes per cycle. The values are data: dsp.mac_per_cycle of the cost table (CostTable::packing).
/// The default does not pack.
struct DspPacking {
    std::array<double, kNumOperandClasses> products{1, 1, 1, 1, 1};  ///< by OperandClass
    [[nodiscard]] constexpr double rate(int left_bits, int right_bits) const noexcept {
        return products[static_cast<std::size_t>(operand_class(left_bits, right_bits))];
    }
    friend bool operator==(const DspPacking&, const DspPacking&) = default;
};

/// Where a figure comes from; the worst status of the terms used becomes the row's status.
enum class Provenance { measured, calibrated, published, assumed };

struct Figure {
    double value = 0;
    Provenance status = Provenance::assumed;
    std::string unit;
    std::string source;
    double low = value;  ///< 80 % band
    double high = value;
    std::string name{};  ///< "energy.lut_pj.versal" of a cost table, "zcu102.fmax_mhz" of a device
    friend bool operator==(const Figure&, const Figure&) = default;
};

/// What a platform takes of the device before the accelerator is placed: memory controllers, shell.
struct Reserved {
    std::int64_t lut = 0, ff = 0, dsp = 0, bram36 = 0, uram = 0;
    std::string source;
    friend bool operator==(const Reserved&, const Reserved&) = default;
};

/// One file of arch_configs/devices; the file gives unit, status and source of every figure.
struct Device {
    std::string name;  ///< "zcu102"
    std::string part;
    std::string family;          ///< 7series | ultrascale_plus | versal
    std::string dsp_generation;  ///< dsp48e1 | dsp48e2 | dsp58
    std::int64_t lut = 0, ff = 0, dsp = 0, bram36 = 0, uram = 0;
    double max_utilization_lut = 0.70, max_utilization_ff = 0.50, max_utilization_dsp = 0.80, max_utilization_bram = 0.80, max_utilization_uram = 0.80;
    double max_mean_utilization = 0.70;  ///< of the mean over BRAM, URAM and DSP
    Reserved reserved;
    Provenance capacity_status = Provenance::assumed;  ///< the worst among the five counts
    Figure fmax_mhz;
    Figure static_w;
    Figure processing_system_w;
    Figure dram_gb_per_s;
    std::string dram_kind;  ///< ddr3 | ddr4 | lpddr4 | hbm2
    int dram_channels = 1;  ///< that dram_gb_per_s is of; of HBM2 pseudo channels
    int num_dies = 1;
    friend bool operator==(const Device&, const Device&) = default;
};

struct PeArray {
    int rows = 16, cols = 16, depth = 8;  ///< output rows (tokens) x output columns x dot-product length per cycle
    int weight_bits = 0, activation_bits = 0;  ///< 0: auto = widest used
    int shift_lanes = 0;                       ///< shift-add lanes beside the slices of an output, for log codes; 0: the slices shift
    int drain_rows = 2;                        ///< rows of sums that leave the array per cycle
    PePrecision precision = PePrecision::packed;
    PeSize size = PeSize::given;
    int max_dsp = 0;  ///< fill: the whole design takes no more slices than these; 0: what the device lets close
    Multiplier multiplier = Multiplier::dsp;
    ZeroPoint zero_point = ZeroPoint::correct;
};

struct Buffers {
    int weight_kib = 256, activation_kib = 256, partial_sum_kib = 128, score_kib = 256;
};

struct Dram {
    double gb_per_s = 0;  ///< 0: the device's
    int channels = 0;     ///< 0: the device's
};

struct Axi {
    int ports = 4, data_bits = 128, outstanding = 8, max_burst = 16;  ///< burst length in beats
};

struct Design {
    [[nodiscard]] int dram_channels() const noexcept { return dram.channels > 0 ? dram.channels : device.dram_channels; }
    Device device;
    double clock_mhz = 0;  ///< 0: auto = the device's fmax
    PeArray pe;
    DspPacking packing;  ///< of the device's slices
    Buffers buffers;
    int softmax_lanes = 16, layernorm_lanes = 16, gelu_lanes = 16;
    int layernorm_dividers = 8;  ///< sequential, where roots are made by division
    Dram dram;
    Axi axi;
    WeightPlacement weights = WeightPlacement::stream;
    bool double_buffer = true;
    bool layer_overlap = false;  ///< prefetch of the next segment's first weights
    Dataflow dataflow = Dataflow::automatic;
    AttentionFusion attention = AttentionFusion::automatic;
    int mapping_candidates = 3;  ///< mappings of a segment, best estimates first, that are simulated before one is chosen; 1: the estimate decides
};

}  // namespace prelude::sim
