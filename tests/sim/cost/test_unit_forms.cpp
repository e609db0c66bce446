// SPDX-License-Identifier: Apache-2.0
// Counts that are facts of the device: slices of a product, blocks of a memory; and what a form does with its shape.
#include <catch2/catch.hpp>

#include "sim/cost/unit_forms.hpp"

using namespace prelude::sim;

namespace {

CostTable ones() {
    CostTable table;
    for (const auto& term : cost_terms()) table.terms.emplace(term.name, Figure{.value = 1, .unit = {}, .source = {}, .low = 1, .high = 1});
    return table;
}

}  // namespace

TEST_CASE("A product takes as many slices as its operands have parts of 27 and 18 bits, signs included") {
    CHECK(slices_of(8, 8) == 1);
    CHECK(slices_of(27, 18) == 1);
    CHECK(slices_of(18, 27) == 1);
    CHECK(slices_of(28, 18) == 2);
    CHECK(slices_of(27, 19) == 2);
    CHECK(slices_of(33, 17) == 2);  // M x P of a rescale
    CHECK(slices_of(53, 18) == 2);
    CHECK(slices_of(54, 18) == 3);
    CHECK(slices_of(32, 32) == 4);
}

TEST_CASE("Memories take the blocks that reports count for them") {
    CHECK(uram_of(65536, 64) == 16);   // reconstruction accelerator, Vitis HLS 2025.1
    CHECK(bram18_of(65536, 8) == 32);  // the same
    CHECK(uram_of(4096, 72) == 1);
    CHECK(uram_of(4097, 73) == 4);
}

TEST_CASE("A block RAM of 18 Kib has each of its shapes, and one bit or word more takes another") {
    struct Shape {
        int words, width;
    };
    for (const auto& [words, width] : {Shape{512, 36}, {1024, 18}, {2048, 9}, {4096, 4}, {8192, 2}, {16384, 1}}) {
        INFO(words << " x " << width);
        CHECK(bram18_of(words, width) == 1);
        CHECK(bram18_of(words, width + 1) == 2);
        CHECK(bram18_of(words + 1, width) == 2);
    }
    CHECK(bram18_of(4096, 128) == 30);  // fifteen blocks of 36 Kib, 4096 x 9 each: less than 32 halves
}

TEST_CASE("Distributed memories are made of 32 x 14 and 64 x 7 bits, eight LUTs each") {
    CHECK(lutram_of(32, 14) == 8);
    CHECK(lutram_of(32, 15) == 16);
    CHECK(lutram_of(33, 7) == 8);
    CHECK(lutram_of(64, 16) == 24);
    CHECK(lutram_of(256, 9) == 64);
    CHECK(lutram_of(80, 7) == 16);
}

TEST_CASE("Registers of products may lie in the slices that make them: the band spans both") {
    const auto costs = ones();
    const auto form = rescale_form({});
    const auto inside = packed_ff_of(form, costs);
    const auto outside = ff_of(form, costs);
    CHECK(form.slice_ff == 33 + 17 + 2 * 50);
    CHECK(outside.value - inside.value == Approx(form.slice_ff));
    CHECK(inside.high == outside.value);
}

TEST_CASE("Cascades are as long as the fields of their slices allow") {
    CHECK(slice_period(18, 8, 8) == 4);  // tests/rtl: runs of four, not of five
    CHECK(slice_period(11, 4, 4) == 8);  // of eight, not of nine
    CHECK(slice_period(18, 8, 4) == 64);
    CHECK(slice_period(20, 16, 4) == 1);
    const ArrayShape array{.rows = 2, .cols = 2, .depth = 8};
    const auto costs = ones();
    CHECK(array_cascades(array, 8).lut.front().count == 0);  // one cascade an output: nothing to add
    CHECK(lut_of(array_cascades(array, 4), costs).value == 4 * (18 + 2 + 1) + 8 * 4 * 8);  // one addition of two; operands delayed
    CHECK(ff_of(array_cascades(array, 4), costs).value == 4 * (18 + 2 + 1));
}

TEST_CASE("An array without zero points has no sums of rows and columns, no correction and no slices for it") {
    ArrayShape array{.rows = 4, .cols = 8, .depth = 2, .drain_rows = 2, .sum_bits = 24};
    CHECK(array_frame(array).dsp == 8 + 2);
    array.sum_bits = 28;  // in two parts
    CHECK(array_frame(array).dsp == 2 * (8 + 2));
    array.corrects_zero_points = false;
    CHECK(array_frame(array).dsp == 0);
    CHECK(array_edge_sums(array).lut.empty());
}

TEST_CASE("Lanes add up: a unit of twice the lanes has twice what lanes have, and no more") {
    const auto costs = ones();
    const auto lanes = [&](int n) { return lut_of(softmax_exponentials({.lanes = n}), costs).value; };
    CHECK(lanes(32) == Approx(2 * lanes(16)));
    const auto unit = [&](int n) { return lut_of(softmax_form({.lanes = n}), costs).value; };
    CHECK(unit(32) < 2 * unit(16));
    CHECK(unit(32) > 1.5 * unit(16));
}
