// SPDX-License-Identifier: Apache-2.0
#pragma once

// The state dictionary inside a PyTorch checkpoint's `data.pkl`: a small subset of Python's pickle, read and never executed.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "models/checkpoint/problems.hpp"
#include "models/checkpoint/tensor_file.hpp"

namespace prelude::models {

/// A tensor as the pickle describes it: a strided view of a storage. Its values are elsewhere in the archive.
struct PickledTensor {
    std::string name;
    ElementType type = ElementType::f32;
    std::string storage = {};  ///< key of the storage: the archive member `data/<key>`
    std::int64_t storage_elements = 0;
    std::int64_t offset = 0;  ///< of the first element, in elements
    std::vector<std::int64_t> extents = {};
    std::vector<std::int64_t> strides = {};  ///< in elements, not negative
};

/// Reads the tensors of a state dictionary.
///
/// Meaning   the pickle's root is a dictionary {name: tensor}, or holds one under `model` or `state_dict` beside other values
///           (numbers, strings, lists, None, optimizer states), which are ignored
/// Limits    nothing is imported, constructed or called: a GLOBAL is only a name, and REDUCE is understood for
///           collections.OrderedDict, torch.Size and torch._utils._rebuild_{tensor, tensor_v2, parameter}. Any other global
///           is a problem. Up to 16 MiB, 2^20 values and memo slots, nesting 100; a container that holds itself is refused
/// Shapes    every tensor lies inside its storage; all arithmetic is checked for overflow
/// Source    opcodes: CPython's Lib/pickletools.py; the torch functions' arguments: torch/_utils.py
/// Throws    CheckpointError with `problems` if the bytes cannot be followed to the end; everything else goes to `problems`
[[nodiscard]] std::vector<PickledTensor> read_pickled_tensors(std::span<const std::byte> pickle, Problems& problems);

}  // namespace prelude::models
