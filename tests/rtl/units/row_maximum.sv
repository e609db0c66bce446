// SPDX-License-Identifier: Apache-2.0
// First stage of softmax: the maximum of a row, which then leaves again word by word beside it.
//
//   words_in ─► [ register ] ─► [ four lanes ] ─► [ all ] ─► [ the row so far ] ─► maximum
//                    └────────────► ring of rows ───────────────────────────────► words_out
//
// Timing      LANES words a cycle; a row leaves from the fourth cycle behind its last word, at the pace it may have come
// Parameters  LANES, WORD_BITS; MAX_WORDS: longest row in groups of LANES
// Contract    rows of last_word + 1 groups, the last with last_lanes words: lanes beyond do not count
module row_maximum #(
    parameter int LANES = 16,
    parameter int WORD_BITS = 16,
    parameter int MAX_WORDS = 256,
    localparam int INDEX_BITS = $clog2(MAX_WORDS),
    localparam int LANE_BITS = $clog2(LANES + 1)
) (
    input  logic                        clk,
    input  logic                        reset,
    input  logic [INDEX_BITS-1:0]       last_word,
    input  logic [LANE_BITS-1:0]        last_lanes,
    input  logic                        valid_in,
    input  logic [LANES*WORD_BITS-1:0]  words_in,
    output logic                        valid_out,
    output logic                        last_out,
    output logic [LANES*WORD_BITS-1:0]  words_out,
    output logic signed [WORD_BITS-1:0] maximum
);
  localparam int GROUPS = (LANES + 3) / 4;
  localparam logic signed [WORD_BITS-1:0] LOWEST = {1'b1, {(WORD_BITS - 1) {1'b0}}};

  logic [INDEX_BITS-1:0] index;
  logic at_last;
  logic valid, valid_of_groups, valid_of_word;  // in the first registers, behind four lanes, behind all
  logic last, last_of_groups, last_of_word, first;
  logic [LANES*WORD_BITS-1:0] words;
  logic signed [WORD_BITS-1:0] group_maximum[0:GROUPS-1];
  logic signed [WORD_BITS-1:0] group_next[0:GROUPS-1];
  logic signed [WORD_BITS-1:0] word_maximum, word_next, so_far, row_next, lane_word;

  assign at_last = index == last_word;
  always_ff @(posedge clk) begin
    words <= words_in;
    last  <= at_last;
    if (reset) begin
      index <= '0;
      first <= 1'b1;
      valid <= 1'b0;
      valid_of_groups <= 1'b0;
      valid_of_word <= 1'b0;
    end else begin
      if (valid_in) index <= at_last ? '0 : index + 1'b1;
      if (valid_of_word) first <= last_of_word;
      valid <= valid_in;
      valid_of_groups <= valid;
      valid_of_word <= valid_of_groups;
    end
    last_of_groups <= last;
    last_of_word   <= last_of_groups;
    for (int group = 0; group < GROUPS; group++) group_maximum[group] <= group_next[group];
    word_maximum <= word_next;
    if (valid_of_word) so_far <= row_next;
    if (valid_of_word && last_of_word) maximum <= row_next;
  end

  always_comb begin
    lane_word = LOWEST;
    for (int group = 0; group < GROUPS; group++) group_next[group] = LOWEST;
    for (int lane = 0; lane < LANES; lane++) begin
      lane_word = words[lane*WORD_BITS+:WORD_BITS];
      if (last && lane >= 32'(last_lanes)) lane_word = LOWEST;
      if (lane_word > group_next[lane/4]) group_next[lane/4] = lane_word;
    end
    word_next = group_maximum[0];
    for (int group = 1; group < GROUPS; group++) if (group_maximum[group] > word_next) word_next = group_maximum[group];
    row_next = first || word_maximum > so_far ? word_maximum : so_far;
  end

  row_replay #(.WIDTH(LANES * WORD_BITS), .DEPTH(2 ** $clog2(MAX_WORDS + 8)), .INDEX_BITS(INDEX_BITS)) rows (
      .clk(clk), .reset(reset), .last_word(last_word), .write(valid), .data_in(words), .start(valid_of_word & last_of_word),
      .valid(valid_out), .last(last_out), .data_out(words_out));
endmodule
