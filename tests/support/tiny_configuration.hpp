// SPDX-License-Identifier: Apache-2.0
#pragma once

// The tiny reference model (tests/data/golden/sam/tiny-a, random weights) as a configuration: fast enough for tests that run a network.

#include <string>

#include "tests/paths.hpp"

namespace prelude::testing {

/// The `model` section, in flow style; append further sections.
inline std::string tiny_model() {
    return std::string("model: {preset: custom, checkpoint: ") + PRELUDE_SOURCE_DIR + "/tests/data/golden/sam/tiny-a.safetensors, config: {decoder_heads: 4}}\n";
}

}  // namespace prelude::testing
