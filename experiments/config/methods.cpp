// SPDX-License-Identifier: Apache-2.0
#include "experiments/config/methods.hpp"

#include "experiments/config/keys.hpp"
#include "models/error.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace prelude::experiments {

namespace {

// Round to nearest: what everyone compares with. No learned or searched quantity, equal steps everywhere.
constexpr std::array kRtn = {
    MethodDefault{"quant.calibration.observer", "min_max"},
    MethodDefault{"quant.calibration.margin", "1"},
    MethodDefault{"quant.groups", "1"},
    MethodDefault{"quant.weight_symmetric", "true"},
    MethodDefault{"quant.weight_granularity", "channel"},
    MethodDefault{"quant.softmax.scheme", "uniform"},
    MethodDefault{"quant.softmax.scale", "one"},
};

constexpr std::array kFp32 = {MethodDefault{"quant.datatype", "fp32"}};

constexpr std::array kMethods = {
    Method{"custom", "The defaults of the keys.", {}},
    Method{"rtn", "Round to nearest: ranges from extremes, one scale per tensor, equal steps; the baseline of the literature.", kRtn},
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
