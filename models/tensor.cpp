// SPDX-License-Identifier: Apache-2.0
#include "models/tensor.hpp"

#include <fmt/ranges.h>

namespace prelude::models {

std::string Shape::to_string() const { return fmt::format("[{}]", fmt::join(extents_, ", ")); }

}  // namespace prelude::models
