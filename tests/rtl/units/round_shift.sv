// SPDX-License-Identifier: Apache-2.0
// RNE(word 2^-shift): to nearest, ties to the even neighbour (docs/numerics.md section 2).
//
//   floor, the bit behind it and whether anything is set further down; one more where that is above a half, or a half behind an odd floor
//
// Timing      combinational
// Parameters  WIDTH of the word, SHIFT_BITS of the shift; any shift, also beyond the word
module round_shift #(
    parameter int WIDTH = 32,
    parameter int SHIFT_BITS = 6
) (
    input  logic signed [WIDTH-1:0] word,
    input  logic [SHIFT_BITS-1:0]   shift,
    output logic signed [WIDTH-1:0] rounded
);
  logic signed [WIDTH:0] twice;
  logic [WIDTH-1:0] kept, below;
  logic up;

  always_comb begin
    twice   = $signed({word, 1'b0}) >>> shift;
    kept    = {WIDTH{1'b1}} << shift;
    below   = word & (~kept >> 1);  // what lies behind the bit behind the floor
    up      = twice[0] & (twice[1] | (|below));
    rounded = $signed(twice[WIDTH:1]) + $signed({{(WIDTH - 1) {1'b0}}, up});
  end
endmodule
