// SPDX-License-Identifier: Apache-2.0
#include "models/graph/movement.hpp"

namespace prelude::models {

IndexMap index_map(const Rearrange& op) {
    auto extents = op.view.extents();
    std::vector<std::int64_t> strides(extents.size());
    std::int64_t stride = 1;
    for (auto axis = extents.size(); axis-- > 0; stride *= extents[axis]) strides[axis] = stride;
    IndexMap map;
    if (op.slice_axis) {
        map.offset = op.slice_begin * strides[*op.slice_axis];
        extents[*op.slice_axis] = op.slice_count;
    }
    for (auto source : op.order) {
        const StridedAxis axis{.extent = extents[source], .stride = strides[source]};
        if (axis.extent == 1) continue;
        if (!map.axes.empty() && map.axes.back().stride == axis.extent * axis.stride) {
            map.axes.back() = {.extent = map.axes.back().extent * axis.extent, .stride = axis.stride};
        } else {
            map.axes.push_back(axis);
        }
    }
    return map;
}

bool is_reshape(const Rearrange& op) {
    const auto map = index_map(op);
    return op.view.num_elements() == op.result.num_elements() && (map.axes.empty() || (map.axes.size() == 1 && map.axes.front().stride == 1));
}

}  // namespace prelude::models
