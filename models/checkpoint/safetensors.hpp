// SPDX-License-Identifier: Apache-2.0
#pragma once

// The safetensors format: an 8-byte little-endian header length, a JSON header, raw tensors. Read in place, written atomically.
// Limits: little-endian machines; header up to 100 MB, up to 2^20 tensors of rank up to 16.

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "models/checkpoint/tensor_file.hpp"

namespace prelude::models {

/// Reads a safetensors file through a memory mapping; aligned tensors are not copied.
///
/// Meaning   header {name: {"dtype", "shape", "data_offsets": [begin, end]}}, offsets relative to the end of the header;
///           `__metadata__` maps strings to strings
/// Limits    as the format demands: the header starts with '{', no name twice, byte ranges cover the data without overlap, hole
///           or rest, end - begin = size of type x shape. An unknown key in an entry is refused rather than ignored
/// Source    the format's description in huggingface/safetensors, README
/// Differs   tensors whose bytes are not aligned to their elements (headers of odd length) are copied once, on reading
/// Throws    CheckpointError with every problem of the file
[[nodiscard]] TensorFile read_safetensors(const std::filesystem::path& path);

/// The same over bytes in memory, which the caller keeps alive as long as the result. `file` is only for messages.
[[nodiscard]] TensorFile read_safetensors(std::string file, std::span<const std::byte> bytes);

/// A tensor to be written; the bytes need to live until write_safetensors() returns.
struct TensorToWrite {
    std::string name;
    ElementType type;
    Shape shape;
    std::span<const std::byte> bytes;
};

template <class T>
[[nodiscard]] TensorToWrite to_write(std::string name, Shape shape, std::span<const T> values) {
    return {std::move(name), TensorFile::element_type_of<T>(), std::move(shape), std::as_bytes(values)};
}

/// Writes a safetensors file: complete under its name, or not at all.
///
/// Meaning   written to a temporary name beside the target, fsync, rename; widest elements first, so every tensor is aligned
/// Limits    the same tensors and metadata give the same bytes; names are unique UTF-8 and none is `__metadata__` (else a
///           programming error)
/// Throws    CheckpointError if the file system refuses; the temporary file is removed
void write_safetensors(const std::filesystem::path& path, const std::vector<TensorToWrite>& tensors,
                       const TensorFile::Metadata& metadata = {});

}  // namespace prelude::models
