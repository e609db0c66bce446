// SPDX-License-Identifier: Apache-2.0
#pragma once

// Fields of a port, however wide it is.

#include <verilated.h>

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "tests/rtl/clocked.hpp"

namespace prelude::rtl {

/// Sets bits [offset, offset + bits) of a port.
template <class Port>
void set_field(Port& port, std::size_t offset, int bits, std::int64_t word) {
    const auto value = port_bits(word, bits);
    if constexpr (std::is_integral_v<Port>) {
        const auto mask = port_bits(-1, bits) << offset;
        port = static_cast<Port>((port & ~mask) | (value << offset));
    } else {
        constexpr std::size_t kPiece = 32;
        for (int done = 0; done < bits;) {
            const auto at = offset + static_cast<std::size_t>(done);
            const auto shift = static_cast<int>(at % kPiece), taken = std::min<int>(bits - done, static_cast<int>(kPiece) - shift);
            const auto mask = static_cast<std::uint32_t>(port_bits(-1, taken)) << shift;
            port[at / kPiece] = (port[at / kPiece] & ~mask) | (static_cast<std::uint32_t>(value >> done) << shift & mask);
            done += taken;
        }
    }
}

/// Bits [offset, offset + bits) of a port as a signed word.
template <class Port>
[[nodiscard]] std::int64_t signed_field(const Port& port, std::size_t offset, int bits) {
    std::uint64_t value = 0;
    if constexpr (std::is_integral_v<Port>) {
        value = static_cast<std::uint64_t>(port) >> offset;
    } else {
        constexpr std::size_t kPiece = 32;
        for (int done = 0; done < bits;) {
            const auto at = offset + static_cast<std::size_t>(done);
            const auto shift = static_cast<int>(at % kPiece), taken = std::min<int>(bits - done, static_cast<int>(kPiece) - shift);
            value |= (static_cast<std::uint64_t>(port[at / kPiece]) >> shift & port_bits(-1, taken)) << done;
            done += taken;
        }
    }
    return signed_word(port_bits(static_cast<std::int64_t>(value), bits), bits);
}

}  // namespace prelude::rtl
