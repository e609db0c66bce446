// SPDX-License-Identifier: Apache-2.0
#include "experiments/config/methods.hpp"

#include "experiments/config/keys.hpp"
#include "models/error.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace prelude::experiments {

namespace {

// What a preset leaves open is the same for all of them: widths, weight rounding, the fixed-point parts of the datapath. A preset says all else,
// so that none depends on the defaults of the keys. Published methods without their learned reconstruction.

/// Keys and their values, later ones replacing earlier ones.
class Preset {
  public:
    constexpr Preset(std::initializer_list<MethodDefault> entries) {
        for (const auto& entry : entries) set(entry);
    }
    [[nodiscard]] constexpr Preset with(std::initializer_list<MethodDefault> changes) const {
        Preset changed = *this;
        for (const auto& entry : changes) changed.set(entry);
        return changed;
    }
    [[nodiscard]] constexpr std::span<const MethodDefault> entries() const { return {entries_.data(), count_}; }

  private:
    constexpr void set(const MethodDefault& entry) {
        std::size_t i = 0;
        while (i < count_ && entries_[i].key != entry.key) ++i;
        entries_[i] = entry;
        count_ = std::max(count_, i + 1);
    }
    std::array<MethodDefault, 24> entries_{};
    std::size_t count_ = 0;
};

// Round to nearest: what everyone compares with. No learned or searched quantity, equal steps everywhere.
constexpr Preset kRtn = {{"quant.calibration.observer", "min_max"},
                         {"quant.calibration.margin", "1"},
                         {"quant.groups", "1"},
                         {"quant.weight_symmetric", "true"},
                         {"quant.weight_granularity", "channel"},
                         {"quant.weight_range", "extremes"},
                         {"quant.mlp_hidden_scheme", "uniform"},
                         {"quant.softmax.scheme", "uniform"},
                         {"quant.softmax.scale", "one"}};

// PTQ4SAM: bimodal keys folded, the base of the probabilities searched, one scale a tensor.
constexpr Preset kPtq4Sam = kRtn.with({{"quant.calibration.observer", "moving_average"},
                                       {"quant.weight_symmetric", "false"},
                                       {"quant.weight_range", "mse_grid"},
                                       {"quant.big", "true"},
                                       {"quant.softmax.scheme", "log"},
                                       {"quant.softmax.log_base", "search"},
                                       {"quant.softmax.scale", "tensor"}});

// AHCPTQ: PTQ4SAM with channel groups and hybrid log-uniform codes.
constexpr Preset kAhcptq = kPtq4Sam.with({{"quant.groups", "4"}, {"quant.group_rule", "kmeans_raw"}, {"quant.mlp_hidden_scheme", "hluq"}});

// AHCQ-SAM: AHCPTQ with companded probabilities and weights of reduced condition number.
constexpr Preset kAhcqSam = kAhcptq.with({{"quant.acnr", "true"},
                                          {"quant.softmax.scheme", "lnq"},
                                          {"quant.softmax.form", "lut"},
                                          {"quant.softmax.log_base", "sqrt2"}});  // the default again: tables have no base

// RepQ-ViT: percentiles, per-channel outputs of norms folded into one scale, probabilities of base sqrt2.
constexpr Preset kRepq = kRtn.with({{"quant.calibration.observer", "percentile"},
                                    {"quant.reparam", "true"},
                                    {"quant.weight_symmetric", "false"},
                                    {"quant.weight_range", "percentile"},
                                    {"quant.softmax.scheme", "log"},
                                    {"quant.softmax.log_base", "sqrt2"},
                                    {"quant.softmax.scale", "tensor"}});

// DFQ-SAM: RepQ-ViT on the image encoder; the decoder, float there, has 16-bit codes here. Its synthetic calibration picture is not part of this.
constexpr Preset kDfqSam = kRepq.with({{"quant.decoder_bits", "16"}});

// Ours: what kept the masks best on the development split at the least cost on the datapath: one scale a tensor everywhere, so that no group flushes;
// the small decoder at 8 bits.
constexpr Preset kOurs = kRtn.with({{"quant.calibration.observer", "mse"},
                                    {"quant.reparam", "true"},
                                    {"quant.weight_symmetric", "false"},
                                    {"quant.weight_range", "mse"},
                                    {"quant.decoder_bits", "8"},
                                    {"quant.mlp_hidden_scheme", "search"},
                                    {"quant.softmax.scheme", "log"},
                                    {"quant.softmax.log_base", "search"},
                                    {"quant.softmax.scale", "row"}});

constexpr Preset kFp32 = {{"quant.datatype", "fp32"}};

constexpr std::array kMethods = {
    Method{"custom", "The defaults of the keys.", {}},
    Method{"rtn", "Round to nearest: ranges from extremes, one scale per tensor, equal steps; the baseline of the literature.", kRtn.entries()},
    Method{"ptq4sam", "PTQ4SAM without reconstruction: bimodal keys folded, searched log base and scale of the probabilities, weight ranges by a grid search.",
           kPtq4Sam.entries()},
    Method{"ahcptq", "AHCPTQ without reconstruction: PTQ4SAM with 4 channel groups by k-means and hybrid log-uniform codes entering lin2.", kAhcptq.entries()},
    Method{"ahcq_sam", "AHCQ-SAM without reconstruction: AHCPTQ with companded probabilities and weights of reduced condition number.", kAhcqSam.entries()},
    Method{"repq", "RepQ-ViT: percentile ranges, scale reparameterization of the encoder's norms, probabilities of base sqrt2.", kRepq.entries()},
    Method{"dfq_sam", "DFQ-SAM without image synthesis: RepQ-ViT on the image encoder, 16-bit codes in the decoder.", kDfqSam.entries()},
    Method{"ours", "This project's recipe without gradients: reparameterized norms, ranges and hidden-layer codes by search, searched log base a row, an 8-bit decoder.", kOurs.entries()},
    Method{"fp32", "The unquantized network in binary32: what quantized designs are compared with.", kFp32.entries()},
};

Value parse(const Key& key, std::string_view text) {
    Node node;
    node.kind = Node::Kind::scalar;
    node.text = text;
    std::vector<Refusal> refusals;
    auto value = key.domain.read(node, refusals);
    models::check(value.has_value(), fmt::format("a method preset has a bad value for {}", key.path));
    return *value;
}

}  // namespace

std::span<const Method> all_methods() {
    return kMethods;
}

void apply_method(std::string_view name, Settings& settings) {
    const auto method = std::find_if(kMethods.begin(), kMethods.end(), [&](const Method& candidate) { return candidate.name == name; });
    models::check(method != kMethods.end(), "a method without a preset");
    for (const auto& preset : method->defaults) {
        const auto& key = *find_key(preset.key);
        key.set(settings, parse(key, preset.value));
    }
    settings.quant.method = name;
}

std::string method_label(const Settings& settings) {
    Settings pure;
    apply_method(settings.quant.method, pure);
    std::string label = settings.quant.method;
    for (const auto& method : kMethods) {
        if (method.name != settings.quant.method) continue;
        for (const auto& preset : method.defaults) {
            const auto& key = *find_key(preset.key);
            if (const auto text = key.print(settings); text != key.print(pure)) label += fmt::format("+{}={}", preset.key, text);
        }
    }
    return label;
}

}  // namespace prelude::experiments
