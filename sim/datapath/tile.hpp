// SPDX-License-Identifier: Apache-2.0
#pragma once

// What an on-chip buffer slot holds in functional mode, and how units reach it: transactions carry the slot, and words only if there are
// any.

#include <cstdint>
#include <tlm>
#include <vector>

#include "quant/arithmetic/dot.hpp"
#include "sim/mapping/program.hpp"

namespace prelude::sim {

/// A tile of words or of sums. Rows are `stride` words apart; a tile that holds part of K is as wide as K.
struct Tile {
    Range rows, cols;
    std::int64_t stride = 0;
    std::vector<std::int32_t> words;
    std::vector<quant::OutputAccumulator> sums;
    std::vector<quant::ProductAccumulator> products;
    std::vector<std::int64_t> wide;  ///< rescaled relative-position terms, [rows][H + W]
    std::vector<float> reals;        ///< floating point: sums [rows][cols], or relative-position terms [rows][H + W]

    [[nodiscard]] std::span<std::int32_t> row(std::int64_t index) {
        return {words.data() + (index - rows.begin) * stride, static_cast<std::size_t>(stride)};
    }
    void resize(Range new_rows, std::int64_t new_stride) {
        rows = new_rows, stride = new_stride;
        words.assign(static_cast<std::size_t>(new_rows.size() * new_stride), 0);
    }
};

/// Rides on a tlm_generic_payload to a buffer: address = slot, data_length = bytes; the buffer fills in the tile in functional mode.
struct TileExtension : tlm::tlm_extension<TileExtension> {
    std::int64_t bits = 0;  ///< what passes the port
    Tile* tile = nullptr;   ///< null in timing mode
    tlm::tlm_extension_base* clone() const override { return new TileExtension(*this); }
    void copy_from(const tlm::tlm_extension_base& other) override { *this = static_cast<const TileExtension&>(other); }
};

}  // namespace prelude::sim
