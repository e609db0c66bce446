// SPDX-License-Identifier: Apache-2.0
#pragma once

// explore report DIR: the files of a sweep, written again from its store; shards are merged first.

#include <filesystem>

namespace prelude::experiments {

/// Contract
///   - shards: all n must be there, finished writing, and of the same resolved configuration; they are merged into results.db;
///   - a results.db of another configuration beside shards is never overwritten.
/// Throws    StoreError naming what is missing
[[nodiscard]] int report(const std::filesystem::path& folder);

}  // namespace prelude::experiments
