// SPDX-License-Identifier: Apache-2.0
#pragma once

// The presets of `quant.method`: named sets of defaults for other quant keys.

#include "experiments/config/settings.hpp"

#include <span>
#include <string>
#include <string_view>

namespace prelude::experiments {

struct MethodDefault {
    std::string_view key;
    std::string_view value;  ///< as written in YAML
};

struct Method {
    std::string_view name;
    std::string_view sentence;
    std::span<const MethodDefault> defaults;
};

[[nodiscard]] std::span<const Method> all_methods();

/// Sets what the method sets; `method` is a word of quant.method.
void apply_method(std::string_view method, Settings& settings);

/// The method, and which of its own defaults were overridden: "rtn", "rtn+quant.groups=4".
[[nodiscard]] std::string method_label(const Settings& settings);

}  // namespace prelude::experiments
