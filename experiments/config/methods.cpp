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

// Round to nearest: what everyone compares with. No learned or searched quantity, equal steps everywhere.
constexpr std::array kRtn = {
    MethodDefault{"quant.calibration.observer", "min_max"},
    MethodDefault{"quant.calibration.margin", "1"},
    MethodDefault{"quant.groups", "1"},
    MethodDefault{"quant.weight_symmetric", "true"},
    MethodDefault{"quant.weight_granularity", "channel"},
    MethodDefault{"quant.weight_range", "extremes"},
    MethodDefault{"quant.mlp_hidden_scheme", "uniform"},
    MethodDefault{"quant.softmax.scheme", "uniform"},
    MethodDefault{"quant.softmax.scale", "one"},
};

// PTQ4SAM: bimodal keys folded, the base of the probabilities searched, one scale a tensor.
constexpr std::array kPtq4Sam = {
    MethodDefault{"quant.calibration.observer", "moving_average"},
    MethodDefault{"quant.calibration.margin", "1"},
    MethodDefault{"quant.groups", "1"},
    MethodDefault{"quant.weight_symmetric", "false"},
    MethodDefault{"quant.weight_granularity", "channel"},
    MethodDefault{"quant.weight_range", "mse_grid"},
    MethodDefault{"quant.big", "true"},
    MethodDefault{"quant.mlp_hidden_scheme", "uniform"},
    MethodDefault{"quant.softmax.scheme", "log"},
    MethodDefault{"quant.softmax.log_base", "search"},
    MethodDefault{"quant.softmax.scale", "tensor"},
};

// AHCPTQ: PTQ4SAM with channel groups and hybrid log-uniform codes.
constexpr std::array kAhcptq = {
    MethodDefault{"quant.calibration.observer", "moving_average"},
    MethodDefault{"quant.calibration.margin", "1"},
    MethodDefault{"quant.groups", "4"},
    MethodDefault{"quant.group_rule", "kmeans_raw"},
    MethodDefault{"quant.weight_symmetric", "false"},
    MethodDefault{"quant.weight_granularity", "channel"},
    MethodDefault{"quant.weight_range", "mse_grid"},
    MethodDefault{"quant.big", "true"},
    MethodDefault{"quant.mlp_hidden_scheme", "hluq"},
    MethodDefault{"quant.softmax.scheme", "log"},
    MethodDefault{"quant.softmax.log_base", "search"},
    MethodDefault{"quant.softmax.scale", "tensor"},
};

// AHCQ-SAM: AHCPTQ with companded probabilities and weights of reduced condition number.
constexpr std::array kAhcqSam = {
    MethodDefault{"quant.calibration.observer", "moving_average"},
    MethodDefault{"quant.calibration.margin", "1"},
    MethodDefault{"quant.groups", "4"},
    MethodDefault{"quant.group_rule", "kmeans_raw"},
    MethodDefault{"quant.weight_symmetric", "false"},
    MethodDefault{"quant.weight_granularity", "channel"},
    MethodDefault{"quant.weight_range", "mse_grid"},
    MethodDefault{"quant.acnr", "true"},
    MethodDefault{"quant.big", "true"},
    MethodDefault{"quant.mlp_hidden_scheme", "hluq"},
    MethodDefault{"quant.softmax.scheme", "lnq"},
    MethodDefault{"quant.softmax.form", "lut"},
    MethodDefault{"quant.softmax.scale", "tensor"},
};

// RepQ-ViT: percentiles, per-channel outputs of norms folded into one scale, probabilities of base sqrt2.
constexpr std::array kRepq = {
    MethodDefault{"quant.calibration.observer", "percentile"},
    MethodDefault{"quant.calibration.margin", "1"},
    MethodDefault{"quant.groups", "1"},
    MethodDefault{"quant.reparam", "true"},
    MethodDefault{"quant.weight_symmetric", "false"},
    MethodDefault{"quant.weight_granularity", "channel"},
    MethodDefault{"quant.weight_range", "percentile"},
    MethodDefault{"quant.mlp_hidden_scheme", "uniform"},
    MethodDefault{"quant.softmax.scheme", "log"},
    MethodDefault{"quant.softmax.log_base", "sqrt2"},
    MethodDefault{"quant.softmax.scale", "tensor"},
};

// DFQ-SAM: RepQ-ViT on the image encoder; the decoder, float there, has 16-bit codes here. Its synthetic calibration picture is not part of this.
constexpr std::array kDfqSam = {
    MethodDefault{"quant.calibration.observer", "percentile"},
    MethodDefault{"quant.calibration.margin", "1"},
    MethodDefault{"quant.groups", "1"},
    MethodDefault{"quant.reparam", "true"},
    MethodDefault{"quant.weight_symmetric", "false"},
    MethodDefault{"quant.weight_granularity", "channel"},
    MethodDefault{"quant.weight_range", "percentile"},
    MethodDefault{"quant.decoder_bits", "16"},
    MethodDefault{"quant.mlp_hidden_scheme", "uniform"},
    MethodDefault{"quant.softmax.scheme", "log"},
    MethodDefault{"quant.softmax.log_base", "sqrt2"},
    MethodDefault{"quant.softmax.scale", "tensor"},
};

// Ours: what kept the masks best on the development split at the least cost on the datapath: one scale a tensor everywhere, so that no group flushes;
// the small decoder at 8 bits.
constexpr std::array kOurs = {
    MethodDefault{"quant.calibration.observer", "mse"},
    MethodDefault{"quant.calibration.margin", "1"},
    MethodDefault{"quant.groups", "1"},
    MethodDefault{"quant.reparam", "true"},
    MethodDefault{"quant.weight_symmetric", "false"},
    MethodDefault{"quant.weight_granularity", "channel"},
    MethodDefault{"quant.weight_range", "mse"},
    MethodDefault{"quant.decoder_bits", "8"},
    MethodDefault{"quant.mlp_hidden_scheme", "search"},
    MethodDefault{"quant.softmax.scheme", "log"},
    MethodDefault{"quant.softmax.log_base", "search"},
    MethodDefault{"quant.softmax.scale", "row"},
};

constexpr std::array kFp32 = {MethodDefault{"quant.datatype", "fp32"}};

constexpr std::array kMethods = {
    Method{"custom", "The defaults of the keys.", {}},
    Method{"rtn", "Round to nearest: ranges from extremes, one scale per tensor, equal steps; the baseline of the literature.", kRtn},
    Method{"ptq4sam", "PTQ4SAM without reconstruction: bimodal keys folded, searched log base and scale of the probabilities, weight ranges by a grid search.",
           kPtq4Sam},
    Method{"ahcptq", "AHCPTQ without reconstruction: PTQ4SAM with 4 channel groups by k-means and hybrid log-uniform codes entering lin2.", kAhcptq},
    Method{"ahcq_sam", "AHCQ-SAM without reconstruction: AHCPTQ with companded probabilities and weights of reduced condition number.", kAhcqSam},
    Method{"repq", "RepQ-ViT: percentile ranges, scale reparameterization of the encoder's norms, probabilities of base sqrt2.", kRepq},
    Method{"dfq_sam", "DFQ-SAM without image synthesis: RepQ-ViT on the image encoder, 16-bit codes in the decoder.", kDfqSam},
    Method{"ours", "This project's recipe without gradients: reparameterized norms, ranges and hidden-layer codes by search, searched log base a row, an 8-bit decoder.", kOurs},
    Method{"fp32", "The unquantized network: accuracy only.", kFp32},
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
