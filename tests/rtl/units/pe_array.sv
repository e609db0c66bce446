// SPDX-License-Identifier: Apache-2.0
// The array of ROWS x COLS outputs, DEPTH products of each a beat, output stationary: operands stream past accumulators that stand twice, so that
// the sums of one piece leave, DRAIN_ROWS rows a cycle, while the next piece streams.
//
//   left  [ROWS][DEPTH] ─► decode ─┐
//                                  ├─► ROWS x COLS outputs ─► banks ─► correction ─► sums [DRAIN_ROWS][COLS]
//   right [COLS][DEPTH] ───────────┘        row sums, column sums ────────┘
//
// A piece is a run of beats that accumulate into one sum: a term of a contraction, or all of it; a product of wide words takes a beat for each pair of
// parts. Where zero points are corrected raw codes are multiplied, and beside the array the sums of every left row and right column form:
//   sum (l - z_l)(r - z_r) = sum l r - z_l sum r - z_r sum l + K z_l z_r
//
// Weight stationary: right words are loaded by a cycle without a beat and held; every beat is a piece, whose sums go on in a partial-sum buffer.
//
// Timing  a beat a cycle; the first beat of a piece waits in front of the accumulators until its bank has drained. A piece drains in
//         ceil(used_rows / DRAIN_ROWS) x NUM_SUMS cycles. From the last beat to the first sums: operand registers 1, lanes 1, tree ceil(log2 DEPTH),
//         accumulator 1, drain register 1, correction 1
// Limits  positions beyond the depth of a piece hold 0 in both operands; sums fit ACC_BITS
module pe_array #(
    parameter int KIND = 0,          // of left words: pe_decode.sv
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
    parameter int ACC_BITS = 48,
    localparam int NUM_SUMS = (KIND == 0) ? 1 : (KIND == 1) ? (1 << TAU_LOG2) : 2
) (
    input  logic                                  clk,
    input  logic                                  reset,
    input  logic                                  valid_in,
    output logic                                  ready_in,
    input  logic [ROWS*DEPTH*LEFT_BITS-1:0]       left,
    input  logic [COLS*DEPTH*RIGHT_BITS-1:0]      right,
    input  logic                                  left_is_signed,
    input  logic                                  right_is_signed,
    input  logic                                  hold_right,     // the right words stay as they are: weight stationary
    input  logic                                  first,
    input  logic                                  last,
    input  logic [4:0]                            part_shift,
    input  logic                                  counts_left,    // of the beats that hold a part of the left words one enters the row sums,
    input  logic                                  counts_right,   // of those with a part of the right words one the column sums
    // of a piece, taken with its last beat
    input  logic [15:0]                           used_rows,
    input  logic signed [16:0]                    left_zero,
    input  logic signed [16:0]                    right_zero,
    input  logic signed [ACC_BITS-1:0]            zero_product,   // K z_l z_r
    input  logic [7:0]                            tag,            // comes out with the sums
    output logic                                  valid_out,
    output logic [15:0]                           group_out,      // rows group_out * DRAIN_ROWS ..
    output logic [3:0]                            sum_out,        // residue; of hybrid words 0: powers, 1: steps
    output logic                                  last_out,
    output logic [7:0]                            tag_out,
    output logic [DRAIN_ROWS*COLS*ACC_BITS-1:0]   sums
);
  localparam int TREE = $clog2(DEPTH);
  localparam int STAGES = 1 + TREE;  // between the operand registers and the accumulators

  // ---- the beat's side of the pipeline: what belongs to a beat travels beside its products
  logic [STAGES:0] valid, is_first, is_last, counts_left_of, counts_right_of;
  logic [4:0] shift_of[STAGES+1];
  logic [15:0] rows_of[STAGES+1];
  logic signed [16:0] left_zero_of[STAGES+1], right_zero_of[STAGES+1];
  logic signed [ACC_BITS-1:0] product_of[STAGES+1];
  logic [7:0] tag_of[STAGES+1];
  logic advance, bank;
  logic [1:0] full;
  logic drain_bank, drain_ends;

  // The beat in front of the accumulators waits for its bank; a bank whose last rows leave now is free.
  assign advance = !(valid[STAGES] && is_first[STAGES] && full[bank] && !(drain_ends && drain_bank == bank));
  assign ready_in = advance;

  logic [ROWS*DEPTH*LEFT_BITS-1:0] left_q;
  logic [COLS*DEPTH*RIGHT_BITS-1:0] right_q;
  logic left_signed_q, right_signed_q;
  integer i;
  always_ff @(posedge clk) begin
    if (reset) begin
      valid <= '0;
    end else if (advance) begin
      valid <= {valid[STAGES-1:0], valid_in};
    end
    if (advance) begin
      left_q <= left;
      left_signed_q <= left_is_signed;
      if (!hold_right) begin
        right_q <= right;
        right_signed_q <= right_is_signed;
      end
      is_first <= {is_first[STAGES-1:0], first};
      is_last <= {is_last[STAGES-1:0], last};
      counts_left_of <= {counts_left_of[STAGES-1:0], counts_left};
      counts_right_of <= {counts_right_of[STAGES-1:0], counts_right};
      shift_of[0] <= part_shift;
      rows_of[0] <= used_rows;
      left_zero_of[0] <= left_zero;
      right_zero_of[0] <= right_zero;
      product_of[0] <= zero_product;
      tag_of[0] <= tag;
      for (i = 1; i <= STAGES; i = i + 1) begin
        shift_of[i] <= shift_of[i-1];
        rows_of[i] <= rows_of[i-1];
        left_zero_of[i] <= left_zero_of[i-1];
        right_zero_of[i] <= right_zero_of[i-1];
        product_of[i] <= product_of[i-1];
        tag_of[i] <= tag_of[i-1];
      end
    end
  end

  // ---- banks: filled in turns, drained in the same turns
  logic [15:0] bank_rows[2];
  logic signed [16:0] bank_left_zero[2], bank_right_zero[2];
  logic signed [ACC_BITS-1:0] bank_product[2];
  logic [7:0] bank_tag[2], drain_tag;
  logic [15:0] group;
  logic [3:0] sum;
  logic [15:0] last_group;
  assign last_group = 16'((32'(bank_rows[drain_bank]) + DRAIN_ROWS - 1) / DRAIN_ROWS - 1);
  assign drain_ends = full[drain_bank] && group == last_group && sum == 4'(NUM_SUMS - 1);
  always_ff @(posedge clk) begin
    if (reset) begin
      bank <= 1'b0;
      drain_bank <= 1'b0;
      full <= '0;
      group <= '0;
      sum <= '0;
    end else begin
      if (full[drain_bank]) begin
        if (drain_ends) begin
          full[drain_bank] <= 1'b0;
          drain_bank <= !drain_bank;
          group <= '0;
          sum <= '0;
        end else if (sum == 4'(NUM_SUMS - 1)) begin
          sum <= '0;
          group <= group + 16'd1;
        end else begin
          sum <= sum + 4'd1;
        end
      end
      if (advance && valid[STAGES] && is_last[STAGES]) begin
        full[bank] <= 1'b1;
        bank <= !bank;
      end
    end
    if (advance && valid[STAGES] && is_last[STAGES]) begin
      bank_rows[bank] <= rows_of[STAGES];
      bank_left_zero[bank] <= left_zero_of[STAGES];
      bank_right_zero[bank] <= right_zero_of[STAGES];
      bank_product[bank] <= product_of[STAGES];
      bank_tag[bank] <= tag_of[STAGES];
    end
  end

  // ---- outputs, and the sums of rows and columns: outputs whose other operand is 1
  logic [ROWS*DEPTH*(LEFT_BITS+1)-1:0] factors;
  logic [ROWS*DEPTH-1:0] has_power;
  logic [ROWS*DEPTH*5-1:0] shifts;
  logic [ROWS*DEPTH*2-1:0] residues;
  logic [COLS*DEPTH*(RIGHT_BITS+1)-1:0] rights;
  logic [DEPTH*(LEFT_BITS+1)-1:0] one_factors;
  logic [DEPTH*(RIGHT_BITS+1)-1:0] one_rights;
  logic [NUM_SUMS*ACC_BITS-1:0] drained[ROWS*COLS];
  logic [NUM_SUMS*ACC_BITS-1:0] row_sums[ROWS];
  logic [ACC_BITS-1:0] column_sums[COLS];
  logic accumulate;
  assign accumulate = valid[STAGES];

  genvar r, c, d;
  generate
    for (d = 0; d < DEPTH; d++) begin : g_one
      assign one_factors[d*(LEFT_BITS+1) +: LEFT_BITS+1] = (LEFT_BITS+1)'(1);
      assign one_rights[d*(RIGHT_BITS+1) +: RIGHT_BITS+1] = (RIGHT_BITS+1)'(1);
    end
    for (r = 0; r < ROWS; r++) begin : g_left
      for (d = 0; d < DEPTH; d++) begin : g_word
        pe_decode #(.KIND(KIND), .BITS(LEFT_BITS), .TAU_LOG2(TAU_LOG2), .CAP(CAP), .LEVELS(LEVELS), .ZERO(ZERO)) decode (
            .code(left_q[(r*DEPTH+d)*LEFT_BITS +: LEFT_BITS]),
            .code_is_signed(left_signed_q),
            .factor(factors[(r*DEPTH+d)*(LEFT_BITS+1) +: LEFT_BITS+1]),
            .has_power(has_power[r*DEPTH+d]),
            .shift(shifts[(r*DEPTH+d)*5 +: 5]),
            .residue(residues[(r*DEPTH+d)*2 +: 2]));
      end
      pe #(.KIND(KIND), .DEPTH(DEPTH), .LEFT_BITS(LEFT_BITS), .RIGHT_BITS(RIGHT_BITS), .CAP(CAP), .NUM_SUMS(NUM_SUMS), .ACC_BITS(ACC_BITS)) row_sum (
          .clk, .advance, .accumulate(accumulate && counts_left_of[STAGES]), .bank, .drain_bank,
          .factors(factors[r*DEPTH*(LEFT_BITS+1) +: DEPTH*(LEFT_BITS+1)]), .has_power(has_power[r*DEPTH +: DEPTH]),
          .shifts(shifts[r*DEPTH*5 +: DEPTH*5]), .residues(residues[r*DEPTH*2 +: DEPTH*2]), .rights(one_rights),
          .first(is_first[STAGES]), .part_shift(shift_of[STAGES]), .drained(row_sums[r]));
    end
    for (c = 0; c < COLS; c++) begin : g_right
      for (d = 0; d < DEPTH; d++) begin : g_word
        assign rights[(c*DEPTH+d)*(RIGHT_BITS+1) +: RIGHT_BITS+1] = {right_signed_q & right_q[(c*DEPTH+d+1)*RIGHT_BITS-1], right_q[(c*DEPTH+d)*RIGHT_BITS +: RIGHT_BITS]};
      end
      pe #(.KIND(0), .DEPTH(DEPTH), .LEFT_BITS(LEFT_BITS), .RIGHT_BITS(RIGHT_BITS), .CAP(CAP), .NUM_SUMS(1), .ACC_BITS(ACC_BITS)) column_sum (
          .clk, .advance, .accumulate(accumulate && counts_right_of[STAGES]), .bank, .drain_bank,
          .factors(one_factors), .has_power('0), .shifts('0), .residues('0), .rights(rights[c*DEPTH*(RIGHT_BITS+1) +: DEPTH*(RIGHT_BITS+1)]),
          .first(is_first[STAGES]), .part_shift(shift_of[STAGES]), .drained(column_sums[c]));
      for (r = 0; r < ROWS; r++) begin : g_output
        pe #(.KIND(KIND), .DEPTH(DEPTH), .LEFT_BITS(LEFT_BITS), .RIGHT_BITS(RIGHT_BITS), .CAP(CAP), .NUM_SUMS(NUM_SUMS), .ACC_BITS(ACC_BITS)) lanes (
            .clk, .advance, .accumulate, .bank, .drain_bank,
            .factors(factors[r*DEPTH*(LEFT_BITS+1) +: DEPTH*(LEFT_BITS+1)]), .has_power(has_power[r*DEPTH +: DEPTH]),
            .shifts(shifts[r*DEPTH*5 +: DEPTH*5]), .residues(residues[r*DEPTH*2 +: DEPTH*2]), .rights(rights[c*DEPTH*(RIGHT_BITS+1) +: DEPTH*(RIGHT_BITS+1)]),
            .first(is_first[STAGES]), .part_shift(shift_of[STAGES]), .drained(drained[r*COLS+c]));
      end
    end
  endgenerate

  // ---- drain: DRAIN_ROWS rows of one sum, then the correction
  logic drain_valid, drain_last;
  logic [15:0] drain_group;
  logic [3:0] drain_sum;
  logic signed [ACC_BITS-1:0] raw[DRAIN_ROWS*COLS], raw_rows[DRAIN_ROWS], raw_columns[COLS], constant;
  logic signed [16:0] drain_left_zero, drain_right_zero;
  generate
    for (r = 0; r < DRAIN_ROWS; r++) begin : g_drain
      logic [31:0] row;
      assign row = (32'(group) * DRAIN_ROWS + r < ROWS) ? 32'(group) * DRAIN_ROWS + r : 32'(ROWS - 1);
      for (c = 0; c < COLS; c++) begin : g_word
        always_ff @(posedge clk) raw[r*COLS+c] <= drained[row*COLS+c][sum*ACC_BITS +: ACC_BITS];
        logic signed [ACC_BITS-1:0] corrected;
        always_comb begin
          corrected = raw[r*COLS+c];
          if (KIND == 0) corrected = corrected - ACC_BITS'(drain_left_zero) * raw_columns[c] + constant;
          corrected = corrected - ACC_BITS'(drain_right_zero) * raw_rows[r];
        end
        always_ff @(posedge clk) sums[(r*COLS+c)*ACC_BITS +: ACC_BITS] <= corrected;
      end
      always_ff @(posedge clk) raw_rows[r] <= row_sums[row][sum*ACC_BITS +: ACC_BITS];
    end
    for (c = 0; c < COLS; c++) begin : g_columns
      always_ff @(posedge clk) raw_columns[c] <= column_sums[c];
    end
  endgenerate
  always_ff @(posedge clk) begin
    drain_valid <= full[drain_bank] && !reset;
    drain_last <= drain_ends;
    drain_group <= group;
    drain_sum <= sum;
    drain_left_zero <= bank_left_zero[drain_bank];
    drain_right_zero <= bank_right_zero[drain_bank];
    constant <= bank_product[drain_bank];
    drain_tag <= bank_tag[drain_bank];
    tag_out <= drain_tag;
    valid_out <= drain_valid && !reset;
    last_out <= drain_last;
    group_out <= drain_group;
    sum_out <= drain_sum;
  end
endmodule
