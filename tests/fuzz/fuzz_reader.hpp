// SPDX-License-Identifier: Apache-2.0
#pragma once

// What both checkpoint fuzzers do with a file that was accepted: touch every byte and every converted value.

#include <cmath>
#include <cstdint>

#include "models/checkpoint/sam_checkpoint.hpp"
#include "models/error.hpp"

namespace prelude::fuzz {

inline void use(const models::TensorFile& file) {
    volatile std::uint8_t sink = 0;
    for (const auto& [name, tensor] : file.tensors()) {
        for (auto byte : tensor.bytes) sink = static_cast<std::uint8_t>(sink ^ std::to_integer<unsigned>(byte));
    }
    const auto weights = models::Weights::from(file);
    for (const auto& name : weights.names()) {
        if (!models::is_floating_point(weights.stored_type(name))) continue;
        for (float value : weights.values(name)) sink = static_cast<std::uint8_t>(sink ^ std::uint8_t{std::isnan(value)});
    }
    const auto inferred = models::infer_sam_config(weights.file(), weights.shapes());
    models::check_sam(weights, inferred.config);
}

}  // namespace prelude::fuzz
