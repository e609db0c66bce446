// SPDX-License-Identifier: Apache-2.0
// Three products of 9-bit and 8-bit operands in a DSP58 and their sum, accumulated in 58 bits: the vector mode of the slice, without fields to overflow.
//
// Timing  three products a cycle; operand, product and P registers: the sum stands three cycles behind the last
// Source  AMD AM004
module dsp58_dot (
    input  logic               clk,
    input  logic               valid_in,
    input  logic               first,
    input  logic               last,
    input  logic [26:0]        a,   // three signed words of 9 bits
    input  logic [23:0]        b,   // three signed words of 8 bits
    output logic               valid_out,
    output logic signed [57:0] p
);
  logic [26:0] a_q;
  logic [23:0] b_q;
  logic signed [18:0] m;   // three products of 17 bits
  logic [1:0] valid, begins, ends;
  integer i;
  logic signed [18:0] dot;
  always_comb begin
    dot = '0;
    for (i = 0; i < 3; i = i + 1) dot = dot + 19'($signed(a_q[9*i +: 9])) * 19'($signed(b_q[8*i +: 8]));
  end
  always_ff @(posedge clk) begin
    a_q <= a;
    b_q <= b;
    m <= dot;
    valid <= {valid[0], valid_in};
    begins <= {begins[0], first};
    ends <= {ends[0], valid_in && last};
    if (valid[1]) p <= 58'(m) + (begins[1] ? 58'sd0 : p);
    valid_out <= ends[1];
  end
endmodule
