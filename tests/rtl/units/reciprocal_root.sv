// SPDX-License-Identifier: Apache-2.0
// 1 / sqrt(v) = y 2^-(16 + exponent) by a seed and a Newton step that does not divide (docs/numerics.md section 5).
//
//   v = m 4^exponent, m with 20 fraction bits;  s = seed[(m >> 14) - 64];  y = RNE((3 2^44 - m s^2) s 2^-41)
//
//   The formula's limit of y, 2^16 - 1, is not there: y is largest at m = 2^20, 65535
//
// Timing      a root every cycle; latency 10: leading one, shift, seed, multiply 2 (s^2), multiply and subtract 2, multiply 2, round
// Tables      192 seeds of 12 bits, written one a cycle
module reciprocal_root (
    input  logic        clk,
    input  logic        load,
    input  logic [7:0]  load_index,
    input  logic [11:0] load_seed,
    input  logic [63:0] v,  // at least 1
    output logic [15:0] y,
    output logic [4:0]  exponent
);
  localparam logic [45:0] THREE = 46'd3 << 44;

  logic [11:0] seeds[0:191];
  logic [4:0] leading;
  logic [4:0] exponent_at[0:8];
  logic [63:0] v_at_shift;
  logic [21:0] m, m_at_seed, m_at_square, m_at_out;
  logic [11:0] s, s_at_square, s_at_out, s_at_product, s_at_factor;
  logic [23:0] square, square_out;
  logic [45:0] product, factor;
  logic [57:0] last_product, last_out;
  /* verilator lint_off UNUSEDSIGNAL */ // the leading bits alone: 22 of a normalised v, 16 of the root
  logic [63:0] normalised;
  logic signed [58:0] rounded;
  /* verilator lint_on UNUSEDSIGNAL */

  always_comb begin
    leading = 5'd0;
    for (int pair = 1; pair < 32; pair++) if (v[2*pair+:2] != 0) leading = 5'(pair);
    normalised = v_at_shift << {5'd31 - exponent_at[0], 1'b0};
  end
  round_shift #(.WIDTH(59)) rounding (.word({1'b0, last_out}), .shift(6'd41), .rounded(rounded));

  always_ff @(posedge clk) begin
    if (load) seeds[load_index] <= load_seed;
    exponent_at[0] <= leading;
    v_at_shift <= v;
    m <= normalised[63-:22];
    s <= seeds[m[21:14]-8'd64];
    m_at_seed <= m;
    square <= 24'(s) * 24'(s);
    m_at_square <= m_at_seed;
    s_at_square <= s;
    square_out <= square;
    m_at_out <= m_at_square;
    s_at_out <= s_at_square;
    product <= 46'(m_at_out) * 46'(square_out);
    s_at_product <= s_at_out;
    factor <= THREE - product;
    s_at_factor <= s_at_product;
    last_product <= 58'(factor) * 58'(s_at_factor);
    last_out <= last_product;
    y <= rounded[15:0];
    for (int stage = 1; stage < 9; stage++) exponent_at[stage] <= exponent_at[stage-1];
    exponent <= exponent_at[8];
  end
endmodule
