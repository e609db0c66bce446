// SPDX-License-Identifier: Apache-2.0
#pragma once

// Periodic noise planes that textures, warps and level sets are sampled from, each at its own place, angle and scale.
// They are computed once from a fixed key: a sample's variety comes from where and how it reads them.

#include <vector>

namespace prelude::models {

enum class NoiseKind {
    rough,   ///< all octaves, slow decay: grass, gravel, foliage
    pink,    ///< all octaves, 1/f amplitude: the statistics of natural pictures
    smooth,  ///< long waves only: clouds, warps, shading
    band,    ///< one octave: spots and patches of one size
    cells,   ///< distance to the nearest of scattered points: scales, pebbles, cracks
    grain,   ///< independent per cell: sensor noise, speckle
};

/// Zero mean, unit deviation, period kSize in both directions.
class NoisePlane {
  public:
    static constexpr int kSize = 256;

    NoisePlane(NoiseKind kind, int variant);

    /// Bilinear; |u|, |v| < 2^20.
    [[nodiscard]] float at(float u, float v) const noexcept;

  private:
    std::vector<float> values_;
};

inline constexpr int kNumNoiseVariants = 4;

[[nodiscard]] const NoisePlane& noise_plane(NoiseKind kind, int variant);

}  // namespace prelude::models
