// SPDX-License-Identifier: Apache-2.0
#pragma once

// The head of a NumPy file.

#include <cstddef>
#include <span>
#include <string>

#include "experiments/dumps/word_reader.hpp"

namespace prelude::experiments {

struct NpyHeader {
    RawElements elements;
    models::Shape shape;
    std::size_t data_offset = 0;
};

inline constexpr std::size_t kMaxNpyHeader = 1 << 16;

/// Reads the head from the first bytes of a file.
///
/// Limits    versions 1 to 3; integers and floats of 1 to 8 bytes in C order; rank up to 8; heads of up to 64 KiB. Nothing is evaluated
/// Throws    models::InputError
/// Source    NumPy Enhancement Proposal 1
[[nodiscard]] NpyHeader parse_npy_header(std::span<const char> bytes, const std::string& name);

/// The head of a file of integers: version 1.0, data at a multiple of 64 bytes.
[[nodiscard]] std::string npy_header(const WordFormat& word, const models::Shape& shape);

}  // namespace prelude::experiments
