// SPDX-License-Identifier: Apache-2.0
// Four products of two pairs of 4-bit operands in one DSP48E2, accumulated: (w1 2^22 + w0) x (a1 2^11 + a0) has w0 a0, w0 a1, w1 a0 and w1 a1 in fields of
// 11 bits.
//
// Limits  PERIOD x |w a| < 2^10: eight products of a signed and an unsigned 4-bit word
// Timing  four products a cycle; the sums stand four cycles behind the last
// Source  Xilinx WP521
module dsp_quad #(
    parameter int PERIOD = 8,
    parameter int ACC_BITS = 24
) (
    input  logic                        clk,
    input  logic                        valid_in,
    input  logic                        first,
    input  logic                        last,
    input  logic signed [3:0]           w0,
    input  logic signed [3:0]           w1,
    input  logic signed [4:0]           a0,   // unsigned codes
    input  logic signed [4:0]           a1,
    output logic                        valid_out,
    output logic [4*ACC_BITS-1:0]       sums  // w0 a0, w0 a1, w1 a0, w1 a1
);
  localparam int FIELD = 11;
  logic starts, take, begins;
  dsp_chunks #(.PERIOD(PERIOD)) chunks (.clk, .valid_in, .first, .last, .starts, .take, .begins, .valid_out);

  logic signed [47:0] p;
  dsp48e2 slice (
      .clk, .enable(1'b1), .a(27'(w1) <<< (2 * FIELD)), .d(27'(w0)), .b((18'(a1) <<< FIELD) + 18'(a0)), .accumulate(!starts), .p);

  // Each field borrowed one from the next where what lies below it is negative.
  logic signed [FIELD-1:0] field[3];
  logic signed [47-3*FIELD:0] top;
  assign field[0] = p[0 +: FIELD];
  assign field[1] = p[FIELD +: FIELD] + FIELD'(p[FIELD-1]);
  assign field[2] = p[2*FIELD +: FIELD] + FIELD'(p[2*FIELD-1]);
  assign top = p[47:3*FIELD] + (48-3*FIELD)'(p[3*FIELD-1]);

  genvar i;
  generate
    for (i = 0; i < 4; i++) begin : g_sum
      logic signed [ACC_BITS-1:0] held, added;
      assign held = begins ? '0 : sums[i*ACC_BITS +: ACC_BITS];
      if (i < 3) begin : g_field
        assign added = ACC_BITS'(field[i]);
      end else begin : g_top
        assign added = ACC_BITS'(top);
      end
      always_ff @(posedge clk) if (take) sums[i*ACC_BITS +: ACC_BITS] <= held + added;
    end
  endgenerate
endmodule
