// SPDX-License-Identifier: Apache-2.0
// Two products of a shared operand in one DSP48E2, accumulated: (high 2^FIELD + low) x shared = high x shared 2^FIELD + low x shared.
//
// The lower field holds FIELD bits of its sum: after PERIOD products it may overflow, so both fields go to accumulators of their own before that. The lower
// field is signed; where it is negative it borrowed one from the upper, which is given back.
//
// Limits  PERIOD x |low x shared| < 2^(FIELD - 1); high x shared summed over PERIOD products fits the other 48 - FIELD bits
// Timing  a pair a cycle; the sums stand four cycles behind the last pair
// Source  Xilinx WP486
module dsp_pair #(
    parameter int OPERAND_BITS = 8,
    parameter int SHARED_BITS = 9,
    parameter int FIELD = 18,
    parameter int PERIOD = 4,
    parameter int ACC_BITS = 32
) (
    input  logic                           clk,
    input  logic                           valid_in,
    input  logic                           first,
    input  logic                           last,
    input  logic signed [OPERAND_BITS-1:0] high,
    input  logic signed [OPERAND_BITS-1:0] low,
    input  logic signed [SHARED_BITS-1:0]  shared,
    output logic                           valid_out,
    output logic signed [ACC_BITS-1:0]     high_sum,
    output logic signed [ACC_BITS-1:0]     low_sum
);
  logic starts, take, begins;
  dsp_chunks #(.PERIOD(PERIOD)) chunks (.clk, .valid_in, .first, .last, .starts, .take, .begins, .valid_out);

  logic signed [47:0] p;
  dsp48e2 slice (
      .clk, .enable(1'b1), .a(27'(high) <<< FIELD), .d(27'(low)), .b(18'(shared)), .accumulate(!starts), .p);

  logic signed [FIELD-1:0] low_field;
  logic signed [47-FIELD:0] high_field;
  assign low_field = p[FIELD-1:0];
  assign high_field = p[47:FIELD] + (48-FIELD)'(p[FIELD-1]);
  always_ff @(posedge clk) begin
    if (take) begin
      high_sum <= (begins ? '0 : high_sum) + ACC_BITS'(high_field);
      low_sum <= (begins ? '0 : low_sum) + ACC_BITS'(low_field);
    end
  end
endmodule
