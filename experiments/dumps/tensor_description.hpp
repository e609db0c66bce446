// SPDX-License-Identifier: Apache-2.0
#pragma once

// What the words of a dump are: the JSON file beside a tensor of an export.

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "experiments/dumps/word_format.hpp"
#include "quant/quantized_graph.hpp"

namespace prelude::experiments {

/// Words of a value: codes, probabilities and pixels unsigned, all others two's complement.
[[nodiscard]] WordFormat word_format_of(const quant::Format& format) noexcept;

enum class TensorRole {
    input,        ///< read by exported nodes, computed by none of them
    output,       ///< computed by an exported node
    accumulator,  ///< exact sums of a contraction before they are rescaled
    constant,     ///< weights, constants of rescales, tables
};
[[nodiscard]] std::string_view name_of(TensorRole role) noexcept;

/// A digit of the mixed-radix number that the index of a word is: what an architect calls the word by.
struct Coordinate {
    std::string name;  ///< "token", "channel", "head", "window", "query", "key", "y", "x", ...
    std::int64_t extent = 1;
    friend bool operator==(const Coordinate&, const Coordinate&) = default;
};

/// Words of a tile in the mapping of the node, by the coordinate they belong to.
struct TileExtent {
    std::string coordinate;
    std::int64_t extent = 0;
    friend bool operator==(const TileExtent&, const TileExtent&) = default;
};

struct TensorDescription {
    std::string name;  ///< of the value, or node.field
    std::string node;  ///< that computes it, or reads it (inputs: empty)
    TensorRole role = TensorRole::output;
    models::Shape shape;
    std::size_t channel_axis = 0;         ///< of shape
    std::vector<Coordinate> coordinates;  ///< outermost first; their extents multiply to the number of words
    std::vector<TileExtent> tile{};       ///< empty: no mapping says
    WordFormat word;
    std::string kind;          ///< of number: "code", "fixed", "score", "probability", ... ; constants: "integer"
    quant::Meaning meaning{};  ///< real values; constants and accumulators: scale 1
    bool has_meaning = false;
    nlohmann::ordered_json format{};  ///< further parameters of the format, for people
    std::string sha256;               ///< of the .npy file

    [[nodiscard]] std::uint64_t num_words() const noexcept { return static_cast<std::uint64_t>(shape.num_elements()); }
    /// "token 3, channel 17 (tile 0, 1)"
    [[nodiscard]] std::string place_of(std::uint64_t index) const;
    /// Channel of a word.
    [[nodiscard]] std::size_t channel_of(std::uint64_t index) const noexcept;
    /// The real number a word stands for; nothing where the words have no scale, or the word is none of the format.
    [[nodiscard]] std::optional<double> real_value(std::uint64_t index, std::int64_t value) const;
    /// Whether every word has a value of its own, so that dumps in real units tell words.
    [[nodiscard]] bool has_real_values() const;
    /// The word whose value a real number is, to a hundredth of a step; nothing where there is none.
    [[nodiscard]] std::optional<std::int64_t> word_of(std::uint64_t index, double value) const;
};

[[nodiscard]] nlohmann::ordered_json to_json(const TensorDescription& tensor);

/// Limits    names of up to 256 characters; rank up to 8; up to 2^40 words; vectors of meanings fit the channels
/// Throws    models::InputError listing every problem of the file
[[nodiscard]] TensorDescription tensor_description_of(const nlohmann::json& json, const std::string& file);
[[nodiscard]] TensorDescription read_tensor_description(const std::filesystem::path& file);

/// A JSON file of up to `max_bytes`.
/// Throws    models::InputError "FILE:LINE: ..."
[[nodiscard]] nlohmann::json read_json(const std::filesystem::path& file, std::size_t max_bytes = std::size_t{64} << 20);

}  // namespace prelude::experiments
