// SPDX-License-Identifier: Apache-2.0
#include "models/checkpoint/problems.hpp"

#include <fmt/format.h>

#include "models/error.hpp"

namespace prelude::models {

std::string in_quotes(std::string_view name) {
    constexpr std::size_t kMaxPrinted = 160;
    std::string text = "'";
    for (const char character : name.substr(0, kMaxPrinted)) {
        const auto byte = static_cast<unsigned char>(character);
        if (byte < 0x20 || byte >= 0x7f) {
            text += fmt::format("\\x{:02x}", byte);
        } else {
            text += character;
        }
    }
    return text + (name.size() > kMaxPrinted ? "...'" : "'");
}

void Problems::add(std::string problem) {
    if (listed_.size() < kMaxListed) {
        listed_.push_back(std::move(problem));
    } else {
        ++num_unlisted_;
    }
}

void Problems::throw_if_any() const {
    if (listed_.empty()) return;
    auto all = listed_;
    if (num_unlisted_ > 0) all.push_back(fmt::format("and {} more like these", num_unlisted_));
    throw CheckpointError(file_, all);
}

void Problems::fail(std::string problem) {
    add(std::move(problem));
    throw_if_any();
    throw CheckpointError(file_);  // unreachable: a problem was just added
}

}  // namespace prelude::models
