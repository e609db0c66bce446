// SPDX-License-Identifier: Apache-2.0
// An array and the partial-sum buffer behind it: contractions of several terms. Ports and timing are theirs.
module pe_terms #(
    parameter int KIND = 0,
    parameter int ROWS = 4,
    parameter int COLS = 4,
    parameter int DEPTH = 4,
    parameter int LEFT_BITS = 8,
    parameter int RIGHT_BITS = 8,
    parameter int TAU_LOG2 = 0,
    parameter int CAP = 15,
    parameter int LEVELS = 16,
    parameter int ZERO = -1,
    parameter int DRAIN_ROWS = 2,
    parameter int SUM_BITS = 48,
    parameter int ACC_BITS = 63
) (
    input  logic                             clk,
    input  logic                             reset,
    input  logic                             load,
    input  logic [7:0]                       load_entry,
    input  logic [15:0]                      load_multiplier,
    input  logic [5:0]                       load_exponent,
    input  logic                             valid_in,
    output logic                             ready_in,
    input  logic [ROWS*DEPTH*LEFT_BITS-1:0]  left,
    input  logic [COLS*DEPTH*RIGHT_BITS-1:0] right,
    input  logic                             first,
    input  logic                             last,
    input  logic [15:0]                      used_rows,
    input  logic signed [16:0]               left_zero,
    input  logic [7:0]                       tag,
    output logic                             valid_out,
    output logic [15:0]                      group_out,
    output logic [DRAIN_ROWS*COLS*ACC_BITS-1:0] accumulators
);
  localparam int NUM_SUMS = (KIND == 0) ? 1 : (KIND == 1) ? (1 << TAU_LOG2) : 2;
  localparam int GROUPS = (ROWS + DRAIN_ROWS - 1) / DRAIN_ROWS;
  logic array_valid, array_last;
  logic [15:0] group;
  logic [3:0] sum;
  logic [7:0] array_tag;
  logic [DRAIN_ROWS*COLS*SUM_BITS-1:0] sums;
  pe_array #(.KIND(KIND), .ROWS(ROWS), .COLS(COLS), .DEPTH(DEPTH), .LEFT_BITS(LEFT_BITS), .RIGHT_BITS(RIGHT_BITS), .TAU_LOG2(TAU_LOG2), .CAP(CAP),
             .LEVELS(LEVELS), .ZERO(ZERO), .DRAIN_ROWS(DRAIN_ROWS), .ACC_BITS(SUM_BITS)) array (
      .clk, .reset, .valid_in, .ready_in, .left, .right, .left_is_signed(1'b0), .right_is_signed(1'b1), .hold_right(1'b0), .first, .last, .part_shift(5'd0),
      .counts_left(1'b1), .counts_right(1'b1), .used_rows, .left_zero, .right_zero(17'sd0), .zero_product('0), .tag, .valid_out(array_valid),
      .group_out(group), .sum_out(sum), .last_out(array_last), .tag_out(array_tag), .sums);
  partial_sums #(.LANES(DRAIN_ROWS * COLS), .GROUPS(GROUPS), .NUM_SUMS(NUM_SUMS), .SUM_BITS(SUM_BITS), .ACC_BITS(ACC_BITS)) buffer (
      .clk, .load, .load_entry, .load_multiplier, .load_exponent, .valid_in(array_valid), .group, .sum, .tag(array_tag), .sums, .valid_out, .group_out,
      .accumulators);
endmodule
