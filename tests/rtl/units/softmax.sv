// SPDX-License-Identifier: Apache-2.0
// Softmax of whole rows: maximum, (exponentials and their sum,) codes (docs/numerics.md section 4).
//
//   words_in ─► [ maximum ] ─► [ d = maximum - score ] ─┬─► [ code = ceil(tau d 2^-F - 1/2) ] ─────────────────────────┬─► words_out
//                                                       └─► [ EXP, sum ] ─► ring of rows ─► [ thresholds x sum, search ]┘
//
//   two stages    `direct`: logarithmic codes in row scale, straight from the distance
//   three stages  codes by thresholds of EXP(0) (`row_scale`) or of the row's sum: logarithmic (`is_log`), uniform, companded, of up to CODE_BITS
//
// Timing      LANES scores a cycle, W = last_word + 1 cycles a row; from the first word in to the last word out
//               two stages               (rows + 1) W + 8
//               three stages, row scale  (rows + 2) W + 11 + CODE_BITS
//               three stages, sum        3 W + (rows - 1) max(W, scale_words) + scale_words + 15 + CODE_BITS
//             a row's last word waits (`ready_in`) where its sum would come before the thresholds of the row before are scaled
// Parameters  LANES; MAX_WORDS of LANES scores a row; SCORE_BITS; CODE_BITS at most 8; EXP_BITS
// Tables      exponentials and thresholds as in exponential.sv and threshold_search.sv; in row scale, `scale_thresholds` for a cycle behind loading,
//             and CODE_BITS + scale_words cycles before the first row
// Contract    settings stay as they are while rows pass; rows of one length until the last word is out
module softmax #(
    parameter int LANES = 16,
    parameter int MAX_WORDS = 256,
    parameter int SCORE_BITS = 16,
    parameter int CODE_BITS = 8,
    parameter int EXP_BITS = 16,
    localparam int INDEX_BITS = $clog2(MAX_WORDS),
    localparam int LANE_BITS = $clog2(LANES + 1)
) (
    input  logic                        clk,
    input  logic                        reset,
    // of the operation
    input  logic                        direct,
    input  logic                        row_scale,
    input  logic                        is_log,
    input  logic [3:0]                  fraction,    // F
    input  logic [1:0]                  tau_shift,   // log2(tau)
    input  logic [3:0]                  code_shift,  // CODE_BITS - bits of a code
    input  logic [CODE_BITS:0]          levels,      // codes from here on are `beyond`
    input  logic [CODE_BITS-1:0]        beyond,
    input  logic [INDEX_BITS-1:0]       last_word,
    input  logic [LANE_BITS-1:0]        last_lanes,
    input  logic                        load_exponential,
    input  logic                        load_threshold,
    /* verilator lint_off UNUSEDSIGNAL */ // 65 ends of chords or 2^CODE_BITS thresholds
    input  logic [7:0]                  load_index,
    /* verilator lint_on UNUSEDSIGNAL */
    input  logic [EXP_BITS+5:0]         load_entry,  // an exponential; {shift, mantissa} of a threshold
    input  logic                        scale_thresholds,
    // rows
    input  logic                        valid_in,
    output logic                        ready_in,
    input  logic [LANES*SCORE_BITS-1:0] words_in,
    output logic                        valid_out,
    output logic [LANES*CODE_BITS-1:0]  words_out
);
  localparam int SUM_BITS = EXP_BITS + 12;
  localparam int SCALED_BITS = SCORE_BITS + 4;  // 2 tau d + 2^F - 1
  localparam int GROUPS = (LANES + 3) / 4;

  // Rows no closer than their thresholds can be scaled.
  logic taken, row_ends;
  logic [INDEX_BITS-1:0] index;
  logic [CODE_BITS-1:0] scale_words, pause;
  assign scale_words = CODE_BITS'(1 << (CODE_BITS - 1)) >> code_shift;
  assign row_ends = index == last_word;
  assign ready_in = !(row_ends && pause != 0);
  assign taken = valid_in && ready_in;
  always_ff @(posedge clk) begin
    if (reset) begin
      index <= '0;
      pause <= '0;
    end else begin
      if (taken) index <= row_ends ? '0 : index + 1'b1;
      if (taken && row_ends) pause <= direct || row_scale ? '0 : scale_words - 1'b1;
      else if (pause != 0) pause <= pause - 1'b1;
    end
  end

  // Stage 1.
  logic valid_score, last_score;
  logic [LANES*SCORE_BITS-1:0] scores;
  logic signed [SCORE_BITS-1:0] maximum;
  row_maximum #(.LANES(LANES), .WORD_BITS(SCORE_BITS), .MAX_WORDS(MAX_WORDS)) stage_1 (
      .clk(clk), .reset(reset), .last_word(last_word), .last_lanes(last_lanes), .valid_in(taken), .words_in(words_in),
      .valid_out(valid_score), .last_out(last_score), .words_out(scores), .maximum(maximum));

  // Stage 2: distance; behind it the direct code, or the exponential.
  logic [5:0] valid_at, last_at;  // behind the distance and each register of EXP
  logic [LANES-1:0] is_word;
  logic [LANES*EXP_BITS-1:0] e, row_e;
  logic [LANES*CODE_BITS-1:0] codes;

  generate
    for (genvar lane = 0; lane < LANES; lane++) begin : g_lane
      logic [SCORE_BITS-1:0] distance;
      logic [SCALED_BITS-1:0] scaled, shifted;
      logic [CODE_BITS-1:0] found, code, code_out, direct_code;
      always_ff @(posedge clk) begin
        distance <= maximum - scores[lane*SCORE_BITS+:SCORE_BITS];
        is_word[lane] <= !last_score || lane < 32'(last_lanes);
        scaled <= (SCALED_BITS'(distance) << (3'(tau_shift) + 3'd1)) + ((SCALED_BITS'(1) << fraction) - 1'b1);
        shifted <= scaled >> (5'(fraction) + 5'd1);
        direct_code <= shifted < SCALED_BITS'(levels) ? shifted[CODE_BITS-1:0] : beyond;
        code_out <= direct ? direct_code : code;
      end
      assign found = codes[lane*CODE_BITS+:CODE_BITS] >> code_shift;
      assign code = {1'b0, found} < levels ? found : beyond;
      assign words_out[lane*CODE_BITS+:CODE_BITS] = code_out;
      exponential #(.EXP_BITS(EXP_BITS), .DISTANCE_BITS(SCORE_BITS)) power (
          .clk(clk), .load(load_exponential), .load_index(load_index[6:0]), .load_entry(load_entry[EXP_BITS-1:0]), .fraction(fraction),
          .is_word(is_word[lane]), .distance(distance), .e(e[lane*EXP_BITS+:EXP_BITS]));
    end
  endgenerate

  always_ff @(posedge clk) begin
    if (reset) valid_at <= '0;
    else valid_at <= {valid_at[4:0], valid_score};
    last_at <= {last_at[4:0], last_score};
  end

  // The row's sum: four lanes, all, the row so far.
  logic [EXP_BITS+1:0] group_sum[0:GROUPS-1];
  logic [EXP_BITS+1:0] group_next[0:GROUPS-1];
  logic [SUM_BITS-1:0] word_sum, word_next, so_far, so_far_next, row_sum;
  logic valid_e, last_e, valid_of_groups, last_of_groups, valid_of_word, last_of_word, first, sum_ends, e_ends;
  assign valid_e = valid_at[5] && !direct;
  assign last_e = last_at[5];
  always_comb begin
    for (int group = 0; group < GROUPS; group++) group_next[group] = '0;
    for (int lane = 0; lane < LANES; lane++) group_next[lane/4] = group_next[lane/4] + (EXP_BITS + 2)'(e[lane*EXP_BITS+:EXP_BITS]);
    word_next = '0;
    for (int group = 0; group < GROUPS; group++) word_next = word_next + SUM_BITS'(group_sum[group]);
    so_far_next = first ? word_sum : so_far + word_sum;
  end
  always_ff @(posedge clk) begin
    for (int group = 0; group < GROUPS; group++) group_sum[group] <= group_next[group];
    word_sum <= word_next;
    last_of_groups <= last_e;
    last_of_word <= last_of_groups;
    if (valid_of_word) so_far <= so_far_next;
    row_sum <= so_far_next;
    if (reset) begin
      {valid_of_groups, valid_of_word, sum_ends, e_ends} <= '0;
      first <= 1'b1;
    end else begin
      valid_of_groups <= valid_e;
      valid_of_word <= valid_of_groups;
      sum_ends <= valid_of_word && last_of_word;
      e_ends <= valid_e && last_e;
      if (valid_of_word) first <= last_of_word;
    end
  end

  // Stage 3.
  logic scaled, valid_row_e;
  /* verilator lint_off UNUSEDSIGNAL */ // nothing ends behind this stage
  logic last_row_e;
  /* verilator lint_on UNUSEDSIGNAL */
  logic [CODE_BITS:0] valid_code;  // behind each level, and the code
  row_replay #(.WIDTH(LANES * EXP_BITS), .DEPTH(2 ** $clog2(MAX_WORDS + 2 ** (CODE_BITS - 1) + 8)), .INDEX_BITS(INDEX_BITS)) rows (
      .clk(clk), .reset(reset), .last_word(last_word), .write(valid_e), .data_in(e), .start(row_scale ? e_ends : scaled),
      .valid(valid_row_e), .last(last_row_e), .data_out(row_e));
  threshold_search #(.LANES(LANES), .EXP_BITS(EXP_BITS), .REFERENCE_BITS(SUM_BITS), .CODE_BITS(CODE_BITS)) search (
      .clk(clk), .reset(reset), .load(load_threshold), .load_index(load_index[CODE_BITS-1:0]), .load_mantissa(load_entry[15:0]),
      .load_shift(load_entry[21:16]), .inclusive(is_log), .scale_words(scale_words), .scale(row_scale ? scale_thresholds : sum_ends),
      .reference(row_scale ? SUM_BITS'(2 ** EXP_BITS - 1) : row_sum), .scaled(scaled), .e(row_e), .codes(codes));
  always_ff @(posedge clk) begin
    if (reset) valid_code <= '0;
    else valid_code <= {valid_code[CODE_BITS-1:0], valid_row_e};
  end
  assign valid_out = direct ? valid_at[4] : valid_code[CODE_BITS];
endmodule
