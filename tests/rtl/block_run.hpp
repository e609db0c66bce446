// SPDX-License-Identifier: Apache-2.0
#pragma once

// One encoder block on the datapath, segment by segment: on the transaction-level units, or with verilated engines, buffers and array in their place.

#include <string>
#include <vector>

#include "quant/engine/engine.hpp"
#include "tests/rtl/rtl_datapath.hpp"
#include "tests/sim/random_network.hpp"

namespace prelude::rtl {

/// A picture of 256 tokens in four windows, 128 channels, four heads.
[[nodiscard]] sim::testing::RandomNetwork small_network();

/// Every value of the network by the integer engine, the inputs included.
[[nodiscard]] quant::Words engine_words(const sim::testing::RandomNetwork& network);

/// With the parameters that the models were verilated with.
[[nodiscard]] sim::Design block_design();

enum class Engines { timing, functional, rtl };  ///< transaction-level units without words, with them; verilated ones

struct SegmentRun {
    std::string name;
    sim::Cycle cycles = 0;
    int bound = 0;
    std::int64_t different_words = 0;
};
struct BlockRun {
    std::vector<SegmentRun> segments;
    Differences found;
    std::string problem;
    [[nodiscard]] sim::Cycle cycles() const;
    [[nodiscard]] std::int64_t different_words() const;
};

/// Runs every segment of the first block, each on the words that those before it wrote.
[[nodiscard]] BlockRun run_block(const sim::testing::RandomNetwork& network, const quant::Words& words, const sim::Design& design, Engines engines);

}  // namespace prelude::rtl
