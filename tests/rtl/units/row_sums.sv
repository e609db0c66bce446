// SPDX-License-Identifier: Apache-2.0
// First stage of LayerNorm: the sum of a row's words and of their squares.
//
//   words_in ─► [ register ] ─► [ multiply 2 ] ─► [ four lanes ] ─► [ all ] ─► [ the row so far ] ─► sum, squares
//
// Timing      LANES words a cycle; sums 6 cycles behind the row's last word
// Parameters  LANES, WORD_BITS; LOG_CHANNELS: rows of up to 2^LOG_CHANNELS words
module row_sums #(
    parameter int LANES = 16,
    parameter int WORD_BITS = 20,
    parameter int LOG_CHANNELS = 12,
    localparam int SUM_BITS = WORD_BITS + LOG_CHANNELS,
    localparam int SQUARES_BITS = 2 * WORD_BITS - 1 + LOG_CHANNELS
) (
    input  logic                       clk,
    input  logic                       reset,
    input  logic                       valid_in,
    input  logic                       last_in,  // of the row
    input  logic [LANES*WORD_BITS-1:0] words_in, // 0 where a lane has none
    output logic                       valid_out,
    output logic signed [SUM_BITS-1:0] sum,
    output logic [SQUARES_BITS-1:0]    squares
);
  localparam int GROUPS = (LANES + 3) / 4;
  localparam int SQUARE_BITS = 2 * WORD_BITS - 1;

  logic [4:0] valid_at, last_at;  // behind each register
  logic first;
  logic [LANES*WORD_BITS-1:0] words, words_at_product, words_at_out;
  logic [SQUARE_BITS-1:0] product[0:LANES-1];
  logic [SQUARE_BITS-1:0] product_out[0:LANES-1];
  logic signed [WORD_BITS+1:0] group_sum[0:GROUPS-1];
  logic signed [WORD_BITS+1:0] group_sum_next[0:GROUPS-1];
  logic [SQUARE_BITS+1:0] group_squares[0:GROUPS-1];
  logic [SQUARE_BITS+1:0] group_squares_next[0:GROUPS-1];
  logic signed [SUM_BITS-1:0] word_sum, word_sum_next;
  logic [SQUARES_BITS-1:0] word_squares, word_squares_next;

  always_comb begin
    for (int group = 0; group < GROUPS; group++) begin
      group_sum_next[group] = '0;
      group_squares_next[group] = '0;
    end
    for (int lane = 0; lane < LANES; lane++) begin
      group_sum_next[lane/4] = group_sum_next[lane/4] + (WORD_BITS + 2)'($signed(words_at_out[lane*WORD_BITS+:WORD_BITS]));
      group_squares_next[lane/4] = group_squares_next[lane/4] + (SQUARE_BITS + 2)'(product_out[lane]);
    end
    word_sum_next = '0;
    word_squares_next = '0;
    for (int group = 0; group < GROUPS; group++) begin
      word_sum_next = word_sum_next + SUM_BITS'(group_sum[group]);
      word_squares_next = word_squares_next + SQUARES_BITS'(group_squares[group]);
    end
  end
  always_ff @(posedge clk) begin
    words <= words_in;
    words_at_product <= words;
    words_at_out <= words_at_product;
    for (int lane = 0; lane < LANES; lane++) begin
      product[lane] <= SQUARE_BITS'($signed(words[lane*WORD_BITS+:WORD_BITS])) * SQUARE_BITS'($signed(words[lane*WORD_BITS+:WORD_BITS]));
      product_out[lane] <= product[lane];
    end
    for (int group = 0; group < GROUPS; group++) begin
      group_sum[group] <= group_sum_next[group];
      group_squares[group] <= group_squares_next[group];
    end
    word_sum <= word_sum_next;
    word_squares <= word_squares_next;
    if (valid_at[4]) begin
      sum     <= first ? word_sum : sum + word_sum;
      squares <= first ? word_squares : squares + word_squares;
    end
    last_at <= {last_at[3:0], last_in};
    if (reset) begin
      valid_at  <= '0;
      valid_out <= 1'b0;
      first     <= 1'b1;
    end else begin
      valid_at  <= {valid_at[3:0], valid_in};
      valid_out <= valid_at[4] && last_at[4];
      if (valid_at[4]) first <= last_at[4];
    end
  end
endmodule
