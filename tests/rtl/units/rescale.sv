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
  localparam int PRODUCT_BITS = OPERAND_BITS + 17;
  localparam int SUM_BITS = (PRODUCT_BITS > OFFSET_BITS ? PRODUCT_BITS : OFFSET_BITS) + 1;

  // What belongs to a word travels with it.
  typedef struct packed {
    logic                          valid;
    logic signed [OFFSET_BITS-1:0] offset;
    logic [5:0]                    shift;
    logic signed [OUT_BITS:0]      zero;
    logic signed [OUT_BITS:0]      lo;
    logic signed [OUT_BITS:0]      hi;
  } side_t;

  side_t side, side_of_product, side_of_output, side_of_sum;
  /* verilator lint_off UNUSEDSIGNAL */ // the last stage needs the ends alone; the operand fits after its shift
  side_t side_of_shifted;
  logic signed [ACC_BITS-1:0] rounded_acc;
  /* verilator lint_on UNUSEDSIGNAL */
  logic signed [OPERAND_BITS-1:0] operand;
  logic signed [16:0] factor;
  logic signed [PRODUCT_BITS-1:0] product, product_out;
  logic signed [SUM_BITS-1:0] sum, rounded_sum, shifted;
  logic signed [SUM_BITS:0] placed;

  round_shift #(.WIDTH(ACC_BITS)) operand_rounding (.word(acc), .shift(operand_shift), .rounded(rounded_acc));
  round_shift #(.WIDTH(SUM_BITS)) sum_rounding (.word(sum), .shift(side_of_sum.shift), .rounded(rounded_sum));

  always_ff @(posedge clk) begin
    // multiply: operands, product, output register of the multiplier
    operand <= OPERAND_BITS'(rounded_acc);
    factor  <= multiplier;
    side    <= {valid_in, offset, shift, zero, lo, hi};
    product <= PRODUCT_BITS'(operand) * PRODUCT_BITS'(factor);
    side_of_product <= side;
    product_out <= product;
    side_of_output <= side_of_product;
    sum <= SUM_BITS'(product_out) + SUM_BITS'(side_of_output.offset);
    side_of_sum <= side_of_output;
    shifted <= rounded_sum;
    side_of_shifted <= side_of_sum;
    valid_out <= side_of_shifted.valid;
    if (placed < (SUM_BITS + 1)'(side_of_shifted.lo)) word <= side_of_shifted.lo;
    else if (placed > (SUM_BITS + 1)'(side_of_shifted.hi)) word <= side_of_shifted.hi;
    else word <= (OUT_BITS + 1)'(placed);
  end
  assign placed = (SUM_BITS + 1)'(shifted) + (SUM_BITS + 1)'(side_of_shifted.zero);
endmodule
