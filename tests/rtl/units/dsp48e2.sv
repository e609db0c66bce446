// SPDX-License-Identifier: Apache-2.0
// What a DSP48E2 slice computes, as far as the units use it: P = (A + D) x B, + P where it accumulates.
//
// Ports   A, D 27 bits (the pre-adder keeps 27), B 18, P 48, all signed, modulo their width
// Timing  pre-adder and B register, multiplier register, P register: three cycles
module dsp48e2 (
    input  logic               clk,
    input  logic               enable,
    input  logic signed [26:0] a,
    input  logic signed [26:0] d,
    input  logic signed [17:0] b,
    input  logic               accumulate,   // with the operands it belongs to
    output logic signed [47:0] p
);
  logic signed [26:0] ad;
  logic signed [17:0] b_q;
  logic signed [44:0] m;
  logic [1:0] accumulate_q;
  always_ff @(posedge clk) begin
    if (enable) begin
      ad <= a + d;
      b_q <= b;
      m <= 45'(ad) * 45'(b_q);
      accumulate_q <= {accumulate_q[0], accumulate};
      p <= 48'(m) + (accumulate_q[1] ? p : 48'sd0);
    end
  end
endmodule
