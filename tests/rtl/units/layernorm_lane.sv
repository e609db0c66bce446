// SPDX-License-Identifier: Apache-2.0
// A lane of LayerNorm's second stage: word, sum and root of its row, constants of its channel -> output word.
//
//   t = sat_20(RNE((D x - S) y 2^-shift));  word = clamp(z + RNE((M t + B) 2^-n), lo, hi)
//
// Timing      a word every cycle; latency 11: multiply and subtract 2, multiply 2, shift, and rescale's 6; what belongs to a row or a channel comes when it is needed
// Parameters  WORD_BITS, LOG_CHANNELS as in row_sums; OFFSET_BITS, OUT_BITS as in rescale
module layernorm_lane #(
    parameter int WORD_BITS = 20,
    parameter int LOG_CHANNELS = 12,
    parameter int OFFSET_BITS = 58,
    parameter int OUT_BITS = 16,
    localparam int SUM_BITS = WORD_BITS + LOG_CHANNELS
) (
    input  logic                          clk,
    input  logic signed [WORD_BITS-1:0]   x,
    input  logic [LOG_CHANNELS:0]         channels,
    input  logic signed [SUM_BITS-1:0]    sum,         // a cycle behind x
    input  logic [15:0]                   root,        // 2
    input  logic [5:0]                    shift,       // 4; of the product's 8 fold
    input  logic                          valid_in,    // 5, as the constants
    input  logic signed [16:0]            multiplier,
    input  logic signed [OFFSET_BITS-1:0] offset,
    input  logic [5:0]                    out_shift,
    input  logic signed [OUT_BITS:0]      zero,
    input  logic signed [OUT_BITS:0]      lo,
    input  logic signed [OUT_BITS:0]      hi,
    output logic                          valid_out,
    output logic signed [OUT_BITS:0]      word
);
  localparam int CENTRED_BITS = SUM_BITS + 2;
  localparam int PRODUCT_BITS = CENTRED_BITS + 17;
  localparam int T_BITS = 20;
  localparam logic signed [PRODUCT_BITS+2:0] T_MAX = 2 ** (T_BITS - 1) - 1;
  localparam logic signed [PRODUCT_BITS+2:0] T_MIN = -(2 ** (T_BITS - 1));

  logic signed [CENTRED_BITS-1:0] scaled, centred;
  logic signed [PRODUCT_BITS-1:0] product, product_out;
  logic signed [PRODUCT_BITS+2:0] rounded;
  logic signed [T_BITS-1:0] t;

  round_shift #(.WIDTH(PRODUCT_BITS + 3)) rounding (.word({product_out, 3'b0}), .shift(shift), .rounded(rounded));
  always_ff @(posedge clk) begin
    scaled <= CENTRED_BITS'(x) * CENTRED_BITS'($signed({1'b0, channels}));
    centred <= scaled - CENTRED_BITS'(sum);
    product <= PRODUCT_BITS'(centred) * PRODUCT_BITS'($signed({1'b0, root}));
    product_out <= product;
    if (rounded > T_MAX) t <= T_BITS'(T_MAX);
    else if (rounded < T_MIN) t <= T_BITS'(T_MIN);
    else t <= T_BITS'(rounded);
  end
  rescale #(.ACC_BITS(T_BITS), .OPERAND_BITS(T_BITS), .OFFSET_BITS(OFFSET_BITS), .OUT_BITS(OUT_BITS)) rescaling (
      .clk(clk), .valid_in(valid_in), .acc(t), .operand_shift(6'd0), .multiplier(multiplier), .offset(offset), .shift(out_shift), .zero(zero),
      .lo(lo), .hi(hi), .valid_out(valid_out), .word(word));
endmodule
