// SPDX-License-Identifier: Apache-2.0
#include "models/data/coco_rle.hpp"

#include <cstdint>
#include <vector>

namespace prelude::models {

std::string to_coco_rle(const Mask& mask) {
    std::vector<std::int64_t> runs;
    bool current = false;
    std::int64_t length = 0;
    for (int x = 0; x < mask.width; ++x)
        for (int y = 0; y < mask.height; ++y) {
            if (mask.contains(x, y) != current) {
                runs.push_back(length);
                length = 0;
                current = !current;
            }
            ++length;
        }
    runs.push_back(length);
    std::string text;
    for (std::size_t i = 0; i < runs.size(); ++i) {
        std::int64_t value = i > 2 ? runs[i] - runs[i - 2] : runs[i];
        for (bool more = true; more;) {
            std::int64_t piece = value & 31;
            value >>= 5;
            more = (piece & 16) != 0 ? value != -1 : value != 0;
            if (more) piece |= 32;
            text.push_back(static_cast<char>(piece + 48));
        }
    }
    return text;
}

}  // namespace prelude::models
