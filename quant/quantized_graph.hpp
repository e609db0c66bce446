// SPDX-License-Identifier: Apache-2.0
#pragma once

// Graph + FormatPlan + integers: the unit of reproducibility. Given this, every output bit is the same on every machine.

#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "models/graph/sam.hpp"
#include "quant/format_plan.hpp"
#include "quant/operations.hpp"

namespace prelude::quant {

/// The real meaning of a value's words: value = scale[g(c)] * (q - zero_point[g(c)]). Used to read results, never to compute them.
struct Meaning {
    std::vector<double> scale{1.0};
    std::vector<std::int32_t> zero_point{0};
    std::vector<std::int32_t> group_of{};  ///< per channel; empty = one group
    /// Hybrid codes: the value of every code. Then scale[0] is the smallest power of two, scale[1] the uniform step, `offset` the value of the zero code.
    std::vector<double> values{};
    double offset = 0;
    /// Companded probabilities: alpha S.
    double companding = 0;
};

/// The stored word nearest to a real number, saturated; a tie goes to the even code, of a hybrid format to the lower one.
///
/// Limits    code, hybrid, fixed and score formats
[[nodiscard]] std::int32_t word_of(const Format& form, const Meaning& meaning, std::size_t channel, double x);
/// The real number a word stands for.
[[nodiscard]] double value_of(const Meaning& meaning, std::size_t channel, std::int32_t word);

struct QuantizedGraph {
    models::SamConfig config;
    Settings settings;
    FormatPlan plan;
    std::map<std::string, Operation, std::less<>> operations;  ///< by node name
    std::map<std::string, Meaning, std::less<>> meanings;      ///< by value name
    std::vector<std::string> warnings;

    [[nodiscard]] const Operation& operation(std::string_view node) const;
    /// Real numbers of an integer tensor of value `name`, whose channel axis is `channel_axis`.
    [[nodiscard]] models::Tensor dequantize(std::string_view name, const IntTensor& words, std::size_t channel_axis) const;
};

/// What of it the nodes of `part` (models::subgraph) need: their integers, the formats and meanings of their values.
[[nodiscard]] QuantizedGraph restricted_to(const QuantizedGraph& graph, const models::Graph& part);

/// Writes `prelude.qgraph/1`: a safetensors file of integer tensors with JSON metadata. Atomic.
void save(const QuantizedGraph& graph, const std::filesystem::path& path);

/// Reads what save() wrote, for the graphs of `workload`: the integers fit them (quant/consistency.hpp), so any walk may follow.
/// Throws CheckpointError listing every problem; an unknown major version is refused.
[[nodiscard]] QuantizedGraph load(const std::filesystem::path& path, const models::SamWorkload& workload = {});
/// The same for a file that holds these nodes alone (restricted_to).
[[nodiscard]] QuantizedGraph load_part(const std::filesystem::path& path, const models::SamWorkload& workload, std::span<const std::string> nodes);

}  // namespace prelude::quant
