// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

namespace prelude::experiments {

/// SHA-256 of the sources of each layer, made at build time (cmake/Fingerprint.cmake).
struct Fingerprint {
    std::string_view models, quant, sim;
};
extern const Fingerprint kFingerprint;

}  // namespace prelude::experiments
