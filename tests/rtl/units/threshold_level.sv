// SPDX-License-Identifier: Apache-2.0
// A level of the binary search for a probability's code: scales 2^LEVEL thresholds to a row, compares every lane with one of them.
//
//   bound_k = the least e that reaches m_k 2^-s_k reference (that lies above it, where `inclusive` is not set)
//   code'   = 2 code + [e >= bound_code], or [e < bound_code] where codes rise as e falls
//
// Timing      search: a word a cycle, latency 1. Scaling: 2^LEVEL cycles a row, the last bound there 3 cycles later; it fills the bank that is not in use
// Parameters  LEVEL; REFERENCE_BITS of a row's sum
module threshold_level #(
    parameter int LEVEL = 3,
    parameter int LANES = 16,
    parameter int EXP_BITS = 16,
    parameter int REFERENCE_BITS = 28,
    parameter int CODE_BITS = 8,
    localparam int INDEX_BITS = LEVEL == 0 ? 1 : LEVEL
) (
    input  logic                       clk,
    input  logic                       reset,
    input  logic                       load,
    input  logic [INDEX_BITS-1:0]      load_index,
    input  logic [15:0]                load_mantissa,
    input  logic [5:0]                 load_shift,
    input  logic                       inclusive,
    input  logic                       scale,
    input  logic                       scale_bank,
    input  logic [REFERENCE_BITS-1:0]  reference,
    input  logic                       bank,
    input  logic [LANES*EXP_BITS-1:0]  e_in,
    input  logic [LANES*CODE_BITS-1:0] codes_in,
    output logic [LANES*EXP_BITS-1:0]  e_out,
    output logic [LANES*CODE_BITS-1:0] codes_out
);
  localparam int PRODUCT_BITS = 16 + REFERENCE_BITS;
  localparam int BOUND_BITS = EXP_BITS + 1;

  logic [15:0] mantissas[0:2**INDEX_BITS-1];
  logic [5:0] shifts[0:2**INDEX_BITS-1];
  logic [BOUND_BITS-1:0] bounds[0:2**(INDEX_BITS+1)-1];

  // Scaling: index, operands, product, output register of the multiplier.
  logic busy, issue, issue_bank, held_bank;
  logic [INDEX_BITS-1:0] next, index;
  logic [REFERENCE_BITS-1:0] held;
  logic valid_operand, valid_product, valid_out;
  logic [INDEX_BITS:0] at_operand, at_product, at_out;
  logic [15:0] mantissa;
  logic [REFERENCE_BITS-1:0] factor;
  logic [5:0] shift_operand, shift_product, shift_out;
  logic [PRODUCT_BITS-1:0] product, product_out, whole;
  logic more;
  logic [BOUND_BITS-1:0] bound;

  assign issue = scale | busy;
  assign index = scale ? '0 : next;
  assign issue_bank = scale ? scale_bank : held_bank;
  always_ff @(posedge clk) begin
    if (load) mantissas[load_index] <= load_mantissa;
    if (load) shifts[load_index] <= load_shift;
    if (scale) held <= reference;
    held_bank <= issue_bank;
    next <= index + 1'b1;
    mantissa <= mantissas[index];
    shift_operand <= shifts[index];
    factor <= scale ? reference : held;
    at_operand <= {issue_bank, index};
    product <= PRODUCT_BITS'(mantissa) * PRODUCT_BITS'(factor);
    shift_product <= shift_operand;
    at_product <= at_operand;
    product_out <= product;
    shift_out <= shift_product;
    at_out <= at_product;
    if (valid_out) bounds[at_out] <= bound;
    if (reset) {busy, valid_operand, valid_product, valid_out} <= '0;
    else begin
      busy <= issue && index != INDEX_BITS'(2 ** LEVEL - 1);
      {valid_operand, valid_product, valid_out} <= {issue, valid_operand, valid_product};
    end
  end
  always_comb begin
    whole = product_out >> shift_out;
    more  = !inclusive || (whole << shift_out) != product_out;
    bound = whole > PRODUCT_BITS'(2 ** EXP_BITS) ? {BOUND_BITS{1'b1}} : BOUND_BITS'(whole) + BOUND_BITS'(more);
  end

  // Search.
  generate
    for (genvar lane = 0; lane < LANES; lane++) begin : g_lane
      logic [CODE_BITS-1:0] code;
      logic [EXP_BITS-1:0] e;
      logic reached;
      assign code = codes_in[lane*CODE_BITS+:CODE_BITS];
      assign e = e_in[lane*EXP_BITS+:EXP_BITS];
      assign reached = BOUND_BITS'(e) >= bounds[{bank, code[INDEX_BITS-1:0]}];
      always_ff @(posedge clk) begin
        e_out[lane*EXP_BITS+:EXP_BITS] <= e;
        codes_out[lane*CODE_BITS+:CODE_BITS] <= CODE_BITS'({code, reached ^ inclusive});
      end
    end
  endgenerate
endmodule
