// SPDX-License-Identifier: Apache-2.0
#pragma once

// The numeric choices of a design point: what the `quant.*` keys resolve to. Plain values; nothing here knows YAML.
// Defaults equal those of the configuration key table, which documents each key (docs/keys.md).

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "quant/fake/nonlinear.hpp"

namespace prelude::quant {

enum class Mode { clean, compat };  ///< compat: the published code with its deviations, in float (quant/compat); accuracy only
enum class Datatype { integer, fp16, fp32 };
enum class Observer { min_max, moving_average, mse, percentile, mse_grid, mse_bounded };
enum class GroupRule { noise, kmeans, kmeans_raw };     ///< which channels share a scale (quant/calibration/grouping.hpp)
enum class GroupScales { free, power_of_two };          ///< power_of_two: scales of groups differ by shifts, so that all sum up in one accumulator
enum class SoftmaxScheme { uniform, log, lnq };
enum class LogBase { two, sqrt_two, fourth_root_two, search };  ///< tau = 1, 2, 4; search: per attention, by the product with V
enum class SoftmaxForm { shift, lut, bucket };  ///< how companded (lnq) codes enter products: powers minus one, a table of factors, a sum per code
enum class ScaleMode { row, tensor, one };
enum class ZeroCode { reuse_top, saturate, escape };  ///< escape: a value more than b bits tell apart, stored with a bit more
enum class AccumulatorOverflow { exact, wrap, saturate };
enum class Nonlinear { table, ibert, ivit };  ///< exponential, root and GELU: tables, or the integer formulas of I-BERT or I-ViT

/// tau of base 2^(1/tau).
[[nodiscard]] constexpr int tau_of(LogBase base) noexcept {
    return base == LogBase::two ? 1 : base == LogBase::sqrt_two ? 2 : 4;
}

struct SoftmaxSettings {
    SoftmaxScheme scheme = SoftmaxScheme::log;
    LogBase log_base = LogBase::sqrt_two;
    SoftmaxForm form = SoftmaxForm::shift;
    std::optional<double> alpha;  ///< lnq, lut and bucket: strength of the companding; empty: searched
    int table_bits = 0;           ///< lnq, lut and bucket: width of a code's factor; 0: four more than the code's
    std::optional<int> bits;  ///< empty: follows activation_bits, lowered to the useful maximum of the base
    int shift_cap = 15;
    ScaleMode scale = ScaleMode::row;
    int exp_bits = 0;  ///< 0: 16 for codes up to 8 bits, else 20
    ZeroCode zero_code = ZeroCode::reuse_top;
    friend bool operator==(const SoftmaxSettings&, const SoftmaxSettings&) = default;
};

enum class WeightRounding { nearest, gptq, least_squares };
enum class WeightRange { extremes, mse, mse_grid, percentile };

/// Codes of the MLP's hidden layer, the input of lin2.
enum class HiddenScheme { uniform, hluq, search };  ///< search: for each layer what keeps its output better

struct HybridSettings {
    std::optional<double> alpha;  ///< logarithmic share of the range; empty: searched
    std::optional<double> beta;   ///< logarithmic share of the codes: 1/8, 1/4, 1/2; empty: searched
    int shift_cap = 15;
    fake::HybridVariant variant = fake::HybridVariant::intended;  ///< reference: in compat mode only
    bool aligned = false;         ///< the uniform step is a power of two of the smallest logarithmic level: one sum instead of two
    friend bool operator==(const HybridSettings&, const HybridSettings&) = default;
};

struct CalibrationSettings {
    Observer observer = Observer::min_max;
    int num_images = 16;
    std::uint64_t seed = 1;
    double margin = 1.0;  ///< observed ranges are widened by this factor
    bool on_evaluated_images = false;  ///< isolation studies: calibrate on the images that are evaluated
    friend bool operator==(const CalibrationSettings&, const CalibrationSettings&) = default;
};

struct AccumulatorSettings {
    int bits = 63;  ///< width studied when overflow is not `exact`
    AccumulatorOverflow overflow = AccumulatorOverflow::exact;
    int chunk = 64;
    friend bool operator==(const AccumulatorSettings&, const AccumulatorSettings&) = default;
};

struct FloatSettings {
    int k_block = 64;  ///< entries of a sum that meet in a balanced tree before they join the running sum: a power of two
    friend bool operator==(const FloatSettings&, const FloatSettings&) = default;
};

struct RescaleSettings {
    int term_bits = 16;     ///< width of the per-tensor term constants m_t
    int operand_bits = 32;  ///< width of the accumulator operand P of the output multiplication
    friend bool operator==(const RescaleSettings&, const RescaleSettings&) = default;
};

/// Widths of one contraction; `layers` overrides replace them by node name.
struct LayerBits {
    int weight_bits = 8;
    int activation_bits = 8;
    friend bool operator==(const LayerBits&, const LayerBits&) = default;
};

/// One entry of `quant.layers`: a glob over node names and what it overrides.
struct LayerOverride {
    std::string match;
    std::optional<int> weight_bits;
    std::optional<int> activation_bits;
    std::optional<int> groups;
    friend bool operator==(const LayerOverride&, const LayerOverride&) = default;
};

struct Settings {
    std::string method = "custom";
    Mode mode = Mode::clean;
    Datatype datatype = Datatype::integer;
    int weight_bits = 8;
    int activation_bits = 8;
    /// Activation groups of edges entering qkv, lin1 and the decoder's q/k/v and lin1: 1 = per tensor, 0 = per channel.
    int groups = 1;
    int group_align = 1;
    GroupRule group_rule = GroupRule::noise;
    GroupScales group_scales = GroupScales::free;
    bool weight_symmetric = true;
    bool weight_per_channel = true;
    WeightRounding weight_rounding = WeightRounding::nearest;
    WeightRange weight_range = WeightRange::extremes;
    bool acnr = false, big = false, reparam = false;
    std::optional<double> smooth;  ///< SmoothQuant's strength; empty: none
    /// Patch embedding, decoder weights and the decoder tail keep at least this many bits.
    int edge_bits = 8;
    /// Least width of weights and activations of prompt encoder and mask decoder; 0: none.
    int decoder_bits = 0;
    int gelu_input_bits = 0;  ///< 0: 8, or 10 at 8-bit activations
    int residual_bits = 16;
    int score_bits = 16;
    int rel_pos_bits = 8;
    AccumulatorSettings accumulator;
    RescaleSettings rescale;
    FloatSettings floating;
    SoftmaxSettings softmax;
    Nonlinear nonlinear = Nonlinear::table;
    HiddenScheme mlp_hidden_scheme = HiddenScheme::uniform;
    HybridSettings hluq;
    CalibrationSettings calibration;
    std::vector<LayerOverride> layers;
    friend bool operator==(const Settings&, const Settings&) = default;

    /// Whether the network becomes integers.
    [[nodiscard]] bool is_integer() const noexcept { return datatype == Datatype::integer && mode == Mode::clean; }
    [[nodiscard]] bool is_floating() const noexcept { return datatype != Datatype::integer; }
    /// Whether there is a datapath for these numbers; else accuracy is all there is.
    [[nodiscard]] bool has_datapath() const noexcept { return is_integer() || is_floating(); }
    /// Bits of a stored floating-point word; 0: integers.
    [[nodiscard]] int float_bits() const noexcept { return datatype == Datatype::fp32 ? 32 : datatype == Datatype::fp16 ? 16 : 0; }
    [[nodiscard]] bool is_fake_quantized() const noexcept { return datatype == Datatype::integer && mode == Mode::compat; }
};

}  // namespace prelude::quant
