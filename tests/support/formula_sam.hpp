// SPDX-License-Identifier: Apache-2.0
#pragma once

// A full-size SAM whose weights are a formula of their names: as heavy as a published checkpoint, and a few kilobytes to store.

#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <span>
#include <string>

#include "models/checkpoint/weights.hpp"

namespace prelude::formula {

/// Numbers in [-1, 1) from a name: exact in float, the same in every language.
///
/// Meaning   a hash of (seed, name, index); README of the reference data, section 1.3
class Formula final {
  public:
    Formula(const std::string& seed, const std::string& name);
    [[nodiscard]] float operator()(std::uint64_t index) const noexcept;

  private:
    std::uint64_t key_;
};

/// Weights of a document: {"seed", "tensors": {name: {"shape", "offset", "log2_scale"}}}; element i is offset + Formula(i) * 2^log2_scale.
///
/// `check` sees every tensor once it is filled
using CheckTensor = std::function<void(const std::string& name, std::span<const float> values)>;
[[nodiscard]] models::Weights make_weights(const nlohmann::json& document, const CheckTensor& check = {});

}  // namespace prelude::formula
