// SPDX-License-Identifier: Apache-2.0
#pragma once

// COCO's compressed run lengths: columns first, runs of zeros and ones in turn, each from the fourth on stored as the
// difference to the run two before it, in 5-bit pieces (least first, sixth bit = more follow) offset by 48 into ASCII.

#include <string>

#include "models/data/image.hpp"

namespace prelude::models {

[[nodiscard]] std::string to_coco_rle(const Mask& mask);

}  // namespace prelude::models
