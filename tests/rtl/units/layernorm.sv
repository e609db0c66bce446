// SPDX-License-Identifier: Apache-2.0
// LayerNorm of whole rows: statistics and normalisation as two overlapped stages, the root between them (docs/numerics.md section 5).
//
//   words_in ─┬─► [ sum S, sum of squares ] ─► [ V = D squares - S^2 + E ] ─► [ reciprocal root ] ─┐ y
//             └─► ring of rows ────────────────────────────────────────────────────────────────────┴─► [ (D x - S) y, M t + B, clamp ] ─► words_out
//
// Timing      LANES words a cycle, W = last_word + 1 cycles a row; from the first word in to the last word out (rows + 1) W + 14 + 16:
//             14 of the root (wide multiply 3, V, and reciprocal_root's 10), 5 more than a row for the sums, 11 of a lane
// Parameters  LANES; WORD_BITS of an input; LOG_CHANNELS: rows of up to 2^LOG_CHANNELS words; OFFSET_BITS, OUT_BITS as in rescale
// Tables      seeds; per channel M, B, n and z, one a cycle to a lane's word
// Contract    settings stay as they are while rows pass; rows of one length until the last word is out
module layernorm #(
    parameter int LANES = 16,
    parameter int WORD_BITS = 20,
    parameter int LOG_CHANNELS = 12,
    parameter int OFFSET_BITS = 58,
    parameter int OUT_BITS = 16,
    localparam int MAX_WORDS = (2 ** LOG_CHANNELS + LANES - 1) / LANES,
    localparam int INDEX_BITS = $clog2(MAX_WORDS),
    localparam int LANE_BITS = $clog2(LANES + 1)
) (
    input  logic                            clk,
    input  logic                            reset,
    // of the operation
    input  logic [LOG_CHANNELS:0]           channels,
    input  logic [62:0]                     epsilon,
    input  logic [4:0]                      fraction,  // F_t
    input  logic signed [OUT_BITS:0]        lo,
    input  logic signed [OUT_BITS:0]        hi,
    input  logic [INDEX_BITS-1:0]           last_word,
    input  logic [LANE_BITS-1:0]            last_lanes,
    input  logic                            load_seed,
    input  logic [7:0]                      load_index,
    input  logic [11:0]                     load_entry,
    input  logic                            load_channel,
    input  logic [INDEX_BITS-1:0]           load_word,
    input  logic [LANE_BITS-1:0]            load_lane,
    input  logic signed [16:0]              load_multiplier,
    input  logic signed [OFFSET_BITS-1:0]   load_offset,
    input  logic [5:0]                      load_shift,
    input  logic signed [OUT_BITS:0]        load_zero,
    // rows
    input  logic                            valid_in,
    input  logic [LANES*WORD_BITS-1:0]      words_in,
    output logic                            valid_out,
    output logic [LANES*(OUT_BITS+1)-1:0]   words_out
);
  localparam int SUM_BITS = WORD_BITS + LOG_CHANNELS;
  localparam int SQUARES_BITS = 2 * WORD_BITS - 1 + LOG_CHANNELS;
  localparam int ROOT = 14;

  // Stage 1; lanes without a word count as 0.
  logic [INDEX_BITS-1:0] index;
  logic at_last, valid_sums;
  logic [LANES*WORD_BITS-1:0] words;
  logic signed [SUM_BITS-1:0] sum;
  logic [SQUARES_BITS-1:0] squares;
  assign at_last = index == last_word;
  always_comb begin
    words = words_in;
    for (int lane = 0; lane < LANES; lane++) if (at_last && lane >= 32'(last_lanes)) words[lane*WORD_BITS+:WORD_BITS] = '0;
  end
  always_ff @(posedge clk) begin
    if (reset) index <= '0;
    else if (valid_in) index <= at_last ? '0 : index + 1'b1;
  end
  row_sums #(.LANES(LANES), .WORD_BITS(WORD_BITS), .LOG_CHANNELS(LOG_CHANNELS)) stage_1 (
      .clk(clk), .reset(reset), .valid_in(valid_in), .last_in(at_last), .words_in(words), .valid_out(valid_sums), .sum(sum), .squares(squares));

  // Root: wide products (parts, their sum, output), V, and what follows from it.
  logic [SQUARES_BITS+LOG_CHANNELS:0] scaled_parts, scaled_sum, scaled_squares;
  logic [2*SUM_BITS-1:0] square_parts, square_sum, square_of_sum;
  logic [63:0] difference, v;
  logic [15:0] y;
  logic [4:0] exponent;
  logic [ROOT-1:0] valid_root;
  logic [ROOT*SUM_BITS-1:0] sum_at;
  assign difference = 64'(scaled_squares) - 64'(square_of_sum) + {1'b0, epsilon};
  always_ff @(posedge clk) begin
    scaled_parts <= (SQUARES_BITS + LOG_CHANNELS + 1)'(squares) * (SQUARES_BITS + LOG_CHANNELS + 1)'(channels);
    scaled_sum <= scaled_parts;
    scaled_squares <= scaled_sum;
    square_parts <= (2 * SUM_BITS)'(sum) * (2 * SUM_BITS)'(sum);
    square_sum <= square_parts;
    square_of_sum <= square_sum;
    v <= difference == 0 ? 64'd1 : difference;
    sum_at <= {sum_at[(ROOT-1)*SUM_BITS-1:0], sum};
    if (reset) valid_root <= '0;
    else valid_root <= {valid_root[ROOT-2:0], valid_sums};
  end
  reciprocal_root root (.clk(clk), .load(load_seed), .load_index(load_index), .load_seed(load_entry), .v(v), .y(y), .exponent(exponent));

  // Stage 2: the row again, with what belongs to it.
  logic [4:0] valid_x, last_x;  // x, and behind each register of a lane
  logic [3:0] valid_past, last_past;
  logic valid_row, last_row;
  logic [LANES*WORD_BITS-1:0] x;
  row_replay #(.WIDTH(LANES * WORD_BITS), .DEPTH(2 ** $clog2(MAX_WORDS + 32)), .INDEX_BITS(INDEX_BITS)) rows (
      .clk(clk), .reset(reset), .last_word(last_word), .write(valid_in), .data_in(words), .start(valid_root[ROOT-2]),
      .valid(valid_row), .last(last_row), .data_out(x));
  assign valid_x = {valid_past, valid_row};
  assign last_x = {last_past, last_row};

  logic signed [SUM_BITS-1:0] row_sum, sum_at_product;
  logic [15:0] row_y, y_at_product, y_at_centred;
  logic [5:0] shift, row_shift;
  logic [5:0] shift_at[0:3];
  logic [INDEX_BITS-1:0] channel_word;
  logic valid_t;
  assign shift = 6'd19 + 6'(exponent) - 6'(fraction);
  always_ff @(posedge clk) begin
    if (valid_root[ROOT-1]) begin
      row_sum <= sum_at[(ROOT-1)*SUM_BITS+:SUM_BITS];
      row_y <= y;
      row_shift <= shift;
    end
    sum_at_product <= valid_root[ROOT-1] ? sum_at[(ROOT-1)*SUM_BITS+:SUM_BITS] : row_sum;
    y_at_product <= valid_root[ROOT-1] ? y : row_y;
    y_at_centred <= y_at_product;
    shift_at[0] <= valid_root[ROOT-1] ? shift : row_shift;
    for (int stage = 1; stage < 4; stage++) shift_at[stage] <= shift_at[stage-1];
    if (reset) begin
      valid_past <= '0;
      valid_t <= 1'b0;
      channel_word <= '0;
    end else begin
      valid_past <= valid_x[3:0];
      valid_t <= valid_x[4];
      if (valid_x[4]) channel_word <= last_x[4] ? '0 : channel_word + 1'b1;
    end
    last_past <= last_x[3:0];
  end

  /* verilator lint_off UNUSEDSIGNAL */ // the lanes walk in step
  logic [LANES-1:0] valid_word;
  /* verilator lint_on UNUSEDSIGNAL */
  assign valid_out = valid_word[0];
  generate
    for (genvar lane = 0; lane < LANES; lane++) begin : g_lane
      localparam int CONSTANT_BITS = 17 + OFFSET_BITS + 6 + OUT_BITS + 1;
      logic [CONSTANT_BITS-1:0] constants[0:MAX_WORDS-1];
      logic signed [16:0] multiplier;
      logic signed [OFFSET_BITS-1:0] offset;
      logic [5:0] out_shift;
      logic signed [OUT_BITS:0] zero;
      always_ff @(posedge clk) begin
        if (load_channel && 32'(load_lane) == lane) constants[load_word] <= {load_multiplier, load_offset, load_shift, load_zero};
        {multiplier, offset, out_shift, zero} <= constants[channel_word];
      end
      layernorm_lane #(.WORD_BITS(WORD_BITS), .LOG_CHANNELS(LOG_CHANNELS), .OFFSET_BITS(OFFSET_BITS), .OUT_BITS(OUT_BITS)) stage_2 (
          .clk(clk), .x(x[lane*WORD_BITS+:WORD_BITS]), .channels(channels), .sum(sum_at_product), .root(y_at_centred), .shift(shift_at[3]),
          .valid_in(valid_t), .multiplier(multiplier), .offset(offset), .out_shift(out_shift), .zero(zero), .lo(lo), .hi(hi),
          .valid_out(valid_word[lane]), .word(words_out[lane*(OUT_BITS+1)+:OUT_BITS+1]));
    end
  endgenerate
endmodule
