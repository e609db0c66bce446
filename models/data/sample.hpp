// SPDX-License-Identifier: Apache-2.0
#pragma once

// One generated example: a picture, the exact masks of what is in it, and prompts for each. Any index of any split can
// be asked for directly; the same (kind, split, seed, index, size) gives the same bytes on every machine.

#include <cstdint>
#include <string>
#include <vector>

#include "models/data/image.hpp"

namespace prelude::models {

enum class DataKind { phantom, scene };
enum class Split { train, dev, test };

/// What a user gives the model for one instance. Points are in SAM's frame: (0, 0) is the centre of the first pixel.
struct Prompts {
    Box box;         ///< the tight box with 4 % deviation a side, as detectors draw it
    Point point;     ///< well inside the visible part
    Point positive;  ///< a pair: another inside point and ...
    Point negative;  ///< ... one outside, near the instance

    friend bool operator==(const Prompts&, const Prompts&) = default;
};

struct Instance {
    Mask mask;
    Box box;  ///< tight
    std::string category;
    Prompts prompts;
};

struct Sample {
    Image image;
    std::vector<Instance> instances;
    std::int64_t id = 0;
    std::string name;  ///< "scene-test-7-000042"
};

/// Share of the picture an instance covers, at least and at most.
inline constexpr double kMinInstanceShare = 0.012;
inline constexpr double kMaxInstanceShare = 0.60;
inline constexpr int kMaxInstances = 10;

[[nodiscard]] const char* to_string(DataKind kind) noexcept;
[[nodiscard]] const char* to_string(Split split) noexcept;

/// The key of one sample's generator. Distinct (kind, split, index) have distinct keys for every seed: the splits
/// cannot share a sample. Needs 0 <= index < 2^48.
[[nodiscard]] std::uint64_t sample_key(DataKind kind, Split split, std::uint64_t seed, std::int64_t index) noexcept;

/// Longest side `size` (32..1024); at least one instance, at most kMaxInstances, in random order.
[[nodiscard]] Sample generate(DataKind kind, Split split, std::uint64_t seed, std::int64_t index, int size);

}  // namespace prelude::models
