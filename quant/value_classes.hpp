// SPDX-License-Identifier: Apache-2.0
#pragma once

// Values that must share one number format because only data movement lies between them.

#include <span>
#include <vector>

#include "models/graph/graph.hpp"

namespace prelude::quant {

/// Partition of a graph's values. Movement nodes (rearrange, window partition and unpartition, concat) tie input and output,
/// except where a rearrange cuts the channels of its input into parts (q, k, v of one projection): such an input is composite,
/// its format is put together from the parts.
class ValueClasses {
  public:
    explicit ValueClasses(const models::Graph& graph);

    [[nodiscard]] models::ValueId root(models::ValueId id) const { return root_[static_cast<std::size_t>(id)]; }
    [[nodiscard]] std::span<const models::ValueId> members(models::ValueId root) const { return members_[static_cast<std::size_t>(root)]; }
    [[nodiscard]] bool is_composite(models::ValueId id) const { return composite_[static_cast<std::size_t>(id)]; }

  private:
    std::vector<models::ValueId> root_;
    std::vector<std::vector<models::ValueId>> members_;
    std::vector<bool> composite_;
};

/// Whether the node only moves words.
[[nodiscard]] bool is_movement(const models::Operator& op) noexcept;

/// Whether a rearrange keeps only some of its input's channels.
[[nodiscard]] bool cuts_channels(const models::Graph& graph, const models::Node& node);

}  // namespace prelude::quant
