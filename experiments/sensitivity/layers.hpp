// SPDX-License-Identifier: Apache-2.0
#pragma once

// The layers of a network as `quant.layers` sees them: which widths each has of its own, and what holds it where it is.

#include <map>
#include <span>
#include <string>
#include <vector>

#include "models/graph/graph.hpp"
#include "quant/settings.hpp"

namespace prelude::experiments {

/// One of a layer's two widths.
struct Width {
    int bits = 0;      ///< 0: the layer has none
    int floor = 2;     ///< least width the settings allow
    std::string held;  ///< the key that keeps it from going lower: "quant.edge_bits"; empty: none
    bool pinned = false;  ///< an entry of quant.layers in the configuration says it
    [[nodiscard]] bool exists() const noexcept { return bits > 0; }
    [[nodiscard]] bool may_fall() const noexcept { return exists() && bits > floor; }
};

/// A contraction: linear layer, convolution, or product of two values (which has no weights).
struct Layer {
    std::string node;
    models::Part part = models::Part::encoder;
    std::int64_t num_weights = 0;
    Width weights, activations;  ///< activations: of its inputs that are codes; pixels and softmax codes have widths of other keys
    bool studied = true;         ///< else its widths are left as they are
    std::size_t group = 0;       ///< layers of equal number read the same codes, or parts of one projection: their activations move together
};

/// The next narrower width a key allows: 16 -> 8, 8 -> 7, ...
[[nodiscard]] constexpr int narrower(int bits) noexcept { return bits > 8 ? 8 : bits - 1; }

/// Every contraction of a graph, in its order.
///
/// Meaning   widths are those of the plan that settings alone give; a floor is the width that is left when 2 bits are asked for everywhere
/// Contract  num_weights counts weights, not biases
/// Throws    quant::SettingsError
[[nodiscard]] std::vector<Layer> layers_of(const models::Graph& graph, const quant::Settings& settings);

/// Leaves alone what matches none of some patterns, joined by commas; false when nothing matches one of them.
[[nodiscard]] bool study_only(std::vector<Layer>& layers, std::string_view patterns);

/// Widths of some layers, by node; 0: as configured.
using WidthChoice = std::map<std::string, quant::LayerBits, std::less<>>;

/// The settings with these widths: entries of quant.layers after those there are, in the order of the layers, where they say something new.
[[nodiscard]] std::vector<quant::LayerOverride> with_widths(const quant::Settings& settings, std::span<const Layer> layers, const WidthChoice& choice);

/// Bytes of all weights, packed; `choice` as above.
[[nodiscard]] double weight_bytes(std::span<const Layer> layers, const WidthChoice& choice);

}  // namespace prelude::experiments
