// SPDX-License-Identifier: Apache-2.0
#include "experiments/output/short_names.hpp"

#include <algorithm>

namespace prelude::experiments {

std::vector<std::string> short_names(const std::vector<std::string>& keys) {
    const auto ending = [](const std::string& key, std::size_t parts) {
        auto start = key.size();
        for (std::size_t i = 0; i < parts && start != std::string::npos && start > 0; ++i) start = key.rfind('.', start - 1);
        return start == std::string::npos || start == 0 ? key : key.substr(start + 1);
    };
    std::vector<std::string> names;
    for (const auto& key : keys) {
        std::size_t parts = 1;
        const auto is_shared = [&](const std::string& name) {
            return std::count_if(keys.begin(), keys.end(),
                                 [&](const auto& other) { return other == name || other.ends_with("." + name); }) > 1;
        };
        while (ending(key, parts) != key && is_shared(ending(key, parts))) ++parts;
        names.push_back(ending(key, parts));
    }
    return names;
}

}  // namespace prelude::experiments
