// SPDX-License-Identifier: Apache-2.0
#pragma once

// Dumps whose elements lie as in memory: NumPy files, raw integers, binary vectors of co-simulation.

#include <filesystem>
#include <memory>

#include "experiments/dumps/word_reader.hpp"

namespace prelude::experiments {

[[nodiscard]] std::unique_ptr<WordReader> open_npy(const std::filesystem::path& file);
/// Elements of word.storage_bytes(), little-endian.
[[nodiscard]] std::unique_ptr<WordReader> open_binary(const std::filesystem::path& file, const WordFormat& word);
/// The same before the trailer of binary vectors.
[[nodiscard]] std::unique_ptr<WordReader> open_binary_vectors(const std::filesystem::path& file, const WordFormat& word);
/// The file ends as binary vectors of Vitis HLS 2022.2 do: 5a5aa5a5 0f0ff0f0.
[[nodiscard]] bool has_vector_trailer(const std::filesystem::path& file);

}  // namespace prelude::experiments
