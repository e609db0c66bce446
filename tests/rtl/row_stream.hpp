// SPDX-License-Identifier: Apache-2.0
#pragma once

// Rows of words through a unit of several lanes: LANES words a cycle in, as many out, and the cycles that took.

#include <stdexcept>
#include <vector>

#include "tests/rtl/ports.hpp"
#include "tests/support/adversarial.hpp"

namespace prelude::rtl {

using Row = std::vector<std::int64_t>;
using Rows = std::vector<Row>;

/// A whole port.
template <class Port>
void set_port(Port& port, int bits, std::int64_t word) {
    set_field(port, 0, bits, word);
}

struct Lanes {
    int count = 1, in_bits = 1, out_bits = 1;
    bool out_signed = false;
    [[nodiscard]] static std::size_t at(int lane, int bits) noexcept { return static_cast<std::size_t>(lane * bits); }
    [[nodiscard]] std::int64_t words(std::int64_t row) const noexcept { return (row + count - 1) / count; }
};

struct Passage {
    Rows out;
    std::int64_t cycles = 0;  ///< from the cycle of the first word in to that of the last word out, both included
};

/// Contract  words_in is taken where valid_in and `ready()`; rows of one length; words_out leave in order while valid_out
/// `gaps`    cycles without a word now and then: time is the unit's own only without them
template <class Module, class Ready>
[[nodiscard]] Passage pass(Clocked<Module>& unit, const Lanes& lanes, const Rows& rows, const Ready& ready, tests::Random* gaps = nullptr) {
    const auto length = static_cast<std::int64_t>(rows.front().size()), words = lanes.words(length), all = static_cast<std::int64_t>(rows.size()) * words;
    Passage passage{Rows(rows.size(), Row(rows.front().size())), 0};
    std::int64_t sent = 0, got = 0, first = unit.cycles(), idle = 0;
    while (got < all) {
        const bool offers = sent < all && !(gaps != nullptr && gaps->one_in(3));
        unit->valid_in = offers ? 1 : 0;
        for (int lane = 0; lane < lanes.count; ++lane) {  // lanes without a word hold the largest: they must not matter
            const auto index = sent % words * lanes.count + lane;
            const bool is_word = offers && index < length;
            const auto word = is_word ? rows[static_cast<std::size_t>(sent / words)][static_cast<std::size_t>(index)] : (std::int64_t{1} << (lanes.in_bits - 1)) - 1;
            set_field(unit->words_in, lanes.at(lane, lanes.in_bits), lanes.in_bits, word);
        }
        unit.eval();
        sent += offers && ready() ? 1 : 0;
        unit.tick();
        ++idle;
        if (idle > 20'000) throw std::runtime_error("the unit gives no more words");
        if (!unit->valid_out) continue;
        idle = 0;
        auto& row = passage.out[static_cast<std::size_t>(got / words)];
        for (int lane = 0; lane < lanes.count; ++lane) {
            const auto index = got % words * lanes.count + lane;
            if (index >= length) break;
            const auto word = signed_field(unit->words_out, lanes.at(lane, lanes.out_bits), lanes.out_bits);
            row[static_cast<std::size_t>(index)] = lanes.out_signed ? word : static_cast<std::int64_t>(port_bits(word, lanes.out_bits));
        }
        ++got;
    }
    unit->valid_in = 0;
    passage.cycles = unit.cycles() - first + 1;
    return passage;
}
template <class Module>
[[nodiscard]] Passage pass(Clocked<Module>& unit, const Lanes& lanes, const Rows& rows) {
    return pass(unit, lanes, rows, [] { return true; });
}

/// Shapes on which remainders and overlaps show: primes, powers, rows narrower than the lanes, single rows.
struct Shape {
    std::int64_t rows = 0, words = 0;
};
[[nodiscard]] inline std::vector<Shape> shapes(std::int64_t widest) {
    std::vector<Shape> out;
    for (const std::int64_t words : {1, 2, 3, 5, 7, 13, 16, 17, 31, 64, 97, 196, 256, 257, 509}) {
        if (words > widest) break;
        for (const std::int64_t rows : {1, 2, 3, 7, 16, 29}) out.push_back({rows, words});
    }
    return out;
}

/// Words of a row each after a pattern of its own.
[[nodiscard]] inline Rows adversarial_rows(tests::Random& random, const Shape& shape, std::int64_t lo, std::int64_t hi) {
    Rows rows;
    for (std::int64_t r = 0; r < shape.rows; ++r) {
        const auto words = tests::words(random, random.of(tests::kPatterns), shape.words, lo, hi, shape.words);
        rows.emplace_back(words.begin(), words.end());
    }
    return rows;
}

}  // namespace prelude::rtl
