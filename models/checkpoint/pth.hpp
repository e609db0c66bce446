// SPDX-License-Identifier: Apache-2.0
#pragma once

// PyTorch's zip checkpoints (`.pth`, `.pt`): a pickle that describes tensors, and one archive member per storage.
// Limits: little-endian; no TorchScript, no legacy (before PyTorch 1.6) files, no sharded or quantized storages.

#include <filesystem>
#include <span>
#include <string>

#include "models/checkpoint/tensor_file.hpp"

namespace prelude::models {

/// Reads the state dictionary of a PyTorch zip file; executes nothing and writes nothing.
///
/// Meaning   {name: tensor} at the top or under `model` or `state_dict`; nn.Parameter as its tensor; strided views in logical
///           (row-major) order; views of one storage share its bytes where they are contiguous
/// Limits    checked before any storage is read: member names (no path leaves the archive), duplicates, encryption, sizes that
///           add up to more than the file, compressed members that expand more than 16-fold (beyond 1 MiB), byte order, pickle
///           (see pickle.hpp), storage size = elements x width, tensors that add up to more than 4 times the storages (beyond 16 MiB)
/// Units     peak memory: the storages the dictionary uses, once, plus copies of non-contiguous views
/// Throws    CheckpointError with every problem of the file; a checksum that does not match names the tensor
[[nodiscard]] TensorFile read_pth(const std::filesystem::path& path);

/// The same over bytes in memory, needed only during the call. `file` is only for messages.
[[nodiscard]] TensorFile read_pth(std::string file, std::span<const std::byte> bytes);

}  // namespace prelude::models
