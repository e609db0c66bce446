// SPDX-License-Identifier: Apache-2.0
// Cycles of published kernels whose loops are known: ours is pe_occupancy (sim/mapping/pe_timing.hpp) at the kernel's own array, theirs is the closed
// form of their loops, written out as numbers. HG-PIPE's softmax and LayerNorm are not here: each takes one pair of rows through its three passes before
// it begins the next (98 x 3 x 196 and 98 x 3 x 192 cycles), while our units overlap the passes of successive rows, so no setting of them gives those numbers.
#include <catch2/catch.hpp>

#include "sim/mapping/pe_timing.hpp"

using namespace prelude::sim;

namespace {

PeShape array(int rows, int cols, int depth, int bits) {
    PeShape pe;
    pe.rows = rows, pe.cols = cols, pe.depth = depth;
    pe.weight_bits = pe.activation_bits = bits;
    pe.precision = PePrecision::fixed;
    pe.drain_rows = rows;  // the rows of a pair of tokens leave together
    return pe;
}

/// A product of `rows` x `depth` by `depth` x `cols`, output stationary.
std::int64_t cycles(const PeShape& pe, std::int64_t rows, std::int64_t depth, std::int64_t cols) {
    ProductForm form;
    form.left_bits = form.right_bits = form.left_word_bits = pe.weight_bits;
    form.term_ends = {depth};
    return pe_occupancy(pe, form, false, false, rows, cols, 0, depth).cycles;
}

}  // namespace

TEST_CASE("the products of HG-PIPE take the cycles of its loops over pairs of tokens") {
    // DeiT-Tiny, 196 tokens; TP x CIP x COP of each block from BlockCfg.scala; the simulated latencies (SPINAL/latency) have one cycle more, to begin.
    const auto product = [](int tp, int cip, int cop, std::int64_t rows, std::int64_t depth, std::int64_t cols) { return cycles(array(tp, cop, cip, 3), rows, depth, cols); };
    CHECK(product(2, 4, 7, 196, 64, 196) == 43'904);        // Q K^T, a head
    CHECK(product(2, 7, 4, 196, 196, 64) == 43'904);        // R V, a head
    CHECK(product(2, 16, 16, 196, 768, 192) + 1 == 56'449); // patch embedding
    CHECK(product(1, 4, 1, 1, 192, 1000) + 1 == 48'001);    // head
    CHECK(product(2, 6, 12, 196, 192, 192) == 50'176);      // Q, K, V each
    CHECK(product(2, 12, 6, 196, 192, 192) == 50'176);      // O
    CHECK(product(2, 12, 24, 196, 192, 768) == 50'176);     // FC1
    CHECK(product(2, 24, 12, 196, 768, 192) == 50'176);     // FC2
}

TEST_CASE("the attention products of Edge-MoE take the cycles of its loops over blocks of four queries") {
    // 33 blocks of 4 queries x 129 keys x 24 steps of 8 channels (3 heads of 64): 102,168; csynth says 102,241 and 102,188 with reading and writing.
    CHECK(3 * cycles(array(4, 1, 8, 16), 129, 64, 129) == 102'168);
    CHECK(3 * cycles(array(4, 8, 1, 16), 129, 129, 64) == 102'168);
}

TEST_CASE("the linear engine of Edge-MoE takes n (in / 16) (out / 16) cycles") {
    CHECK(cycles(array(1, 16, 16, 16), 129, 192, 768) == 129 * 12 * 48);
    CHECK(cycles(array(1, 16, 16, 16), 129, 768, 192) == 129 * 12 * 48);
}

TEST_CASE("32 multipliers make an output of 128 products every four cycles") {
    // csynth of the loop: 65,545 cycles for 16,384 outputs at an interval of 4, nine of them to fill its pipeline.
    CHECK(cycles(array(1, 1, 32, 16), 128, 128, 128) == 16'384 * 4);
}
