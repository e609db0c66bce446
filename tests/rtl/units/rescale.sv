// SPDX-License-Identifier: Apache-2.0
// A lane of the post unit: accumulator -> output word.
//
//   q = clamp(z + RNE((M RNE(acc 2^-r) + B) 2^-n), lo, hi)
//
// Timing  a word every cycle; latency 6: multiply 3 (operand rounding in front of the first register), add, shift, clamp
module rescale #(
    parameter int ACC_BITS = 63,   // of the sum
    parameter int OPERAND_BITS = 33, // of P: signed, one bit more than quant.rescale.operand_bits where rounding carries
    parameter int OFFSET_BITS = 62,
    parameter int OUT_BITS = 20
) (
    input  logic                           clk,
    input  logic                           valid_in,
    input  logic signed [ACC_BITS-1:0]     acc,
    input  logic [5:0]                     operand_shift,
    input  logic signed [16:0]             multiplier,
    input  logic signed [OFFSET_BITS-1:0]  offset,
    input  logic [5:0]                     shift,
    input  logic signed [OUT_BITS:0]       zero,
    input  logic signed [OUT_BITS:0]       lo,
    input  logic signed [OUT_BITS:0]       hi,
    output logic                           valid_out,
    output logic signed [OUT_BITS:0]       word
);
  `include "round.svh"

  // What belongs to a word travels with it.
  typedef struct packed {
    logic                          valid;
    logic signed [OFFSET_BITS-1:0] offset;
    logic [5:0]                    shift;
    logic signed [OUT_BITS:0]      zero, lo, hi;
  } side_t;

  side_t side[5];
  logic signed [OPERAND_BITS-1:0] operand;
  logic signed [16:0] factor;
  logic signed [63:0] product, product_out, sum, shifted, placed;

  always_ff @(posedge clk) begin
    // multiply: operands, product, output register of the multiplier
    operand <= OPERAND_BITS'(rne_shift(64'(acc), operand_shift));
    factor  <= multiplier;
    side[0] <= '{valid: valid_in, offset: offset, shift: shift, zero: zero, lo: lo, hi: hi};
    product <= 64'(operand) * 64'(factor);
    side[1] <= side[0];
    product_out <= product;
    side[2] <= side[1];
    sum <= product_out + 64'(side[2].offset);
    side[3] <= side[2];
    shifted <= rne_shift(sum, side[3].shift);
    side[4] <= side[3];
    word <= (OUT_BITS + 1)'(placed);
    valid_out <= side[4].valid;
  end

  always_comb begin
    placed = shifted + 64'(side[4].zero);
    if (placed < 64'(side[4].lo)) placed = 64'(side[4].lo);
    else if (placed > 64'(side[4].hi)) placed = 64'(side[4].hi);
  end
endmodule
