// SPDX-License-Identifier: Apache-2.0
// The heart of the datapath: operand buffers, the array that walks their tiles, the partial-sum buffer behind it.
//
//   activation DMA ─bytes─► [ tiles ] ─┐
//   codes from the score buffer ───────┼─► left  ┐
//   weight DMA ─────bytes─► [ tiles ] ─── right ─┴─► array ─► partial sums ─► accumulators, as the last part of K arrives
//
// Timing  a tile's walk starts in the cycle behind `start`; the first beat enters the array two cycles later (address, words)
// Limits  one sum an output (a term, uniform words of 8 bits); a slot of partial sums holds SLOT_GROUPS groups of DRAIN_ROWS rows of a sub-tile
module tile_engine #(
    parameter int ROWS = 8,
    parameter int COLS = 8,
    parameter int DEPTH = 8,
    parameter int DRAIN_ROWS = 2,
    parameter int PORTS = 2,
    parameter int PORT_BYTES = 8,
    parameter int LEFT_SLOTS = 2,
    parameter int RIGHT_SLOTS = 8,
    parameter int SUM_SLOTS = 2,
    parameter int SLOT_BLOCKS = 256,
    parameter int SLOT_GROUPS = 256,
    parameter int ACC_BITS = 63,
    localparam int LEFT_SLOT_BITS = $clog2(LEFT_SLOTS),
    localparam int RIGHT_SLOT_BITS = $clog2(RIGHT_SLOTS)
) (
    input  logic                          clk,
    input  logic                          reset,
    // tiles of the two load engines
    input  logic [1:0]                    describe,          // {right, left}
    input  logic [2:0]                    describe_tile,
    input  logic [RIGHT_SLOT_BITS-1:0]    describe_slot,
    input  logic                          describe_columns,
    input  logic [15:0]                   describe_line,
    input  logic [28:0]                   describe_reciprocal,
    input  logic [15:0]                   describe_blocks,
    input  logic [23:0]                   describe_bytes,
    input  logic [PORTS-1:0]              left_valid,
    input  logic [PORTS*3-1:0]            left_tile,
    input  logic [PORTS*24-1:0]           left_offset,
    input  logic [PORTS*8-1:0]            left_count,
    input  logic [PORTS*PORT_BYTES*8-1:0] left_data,
    input  logic [PORTS-1:0]              right_valid,
    input  logic [PORTS*3-1:0]            right_tile,
    input  logic [PORTS*24-1:0]           right_offset,
    input  logic [PORTS*8-1:0]            right_count,
    input  logic [PORTS*PORT_BYTES*8-1:0] right_data,
    // the constant of the sums
    input  logic                          load,
    input  logic [15:0]                   load_multiplier,
    input  logic [5:0]                    load_exponent,
    // a tile product
    input  logic                          start,
    output logic                          ready,
    input  logic                          from_scores,
    input  logic [RIGHT_SLOT_BITS-1:0]    left_slot,
    input  logic [RIGHT_SLOT_BITS-1:0]    right_slot,
    input  logic                          right_is_signed,
    input  logic [15:0]                   row_tiles,
    input  logic [15:0]                   col_tiles,
    input  logic [15:0]                   blocks,
    input  logic [15:0]                   last_rows,         // rows of the last row tile
    input  logic [15:0]                   last_words,        // words of the last block
    input  logic signed [16:0]            left_zero,
    input  logic signed [16:0]            right_zero,
    input  logic signed [47:0]            zero_product,
    input  logic [7:0]                    sum_slot,
    input  logic                          first_part,        // of K
    input  logic                          last_part,
    // the score buffer: words asked for are there a cycle later
    output logic                          score_read,
    output logic [15:0]                   score_block,
    output logic [15:0]                   score_used,
    input  logic [ROWS*DEPTH*8-1:0]       score_words,
    output logic                          walk_ends,         // the last beat has left for the array
    output logic                          done,              // all sums of a tile product are there
    output logic                          valid_out,
    output logic [15:0]                   group_out,         // sub-tile * groups of a sub-tile + group
    output logic [DRAIN_ROWS*COLS*ACC_BITS-1:0] accumulators
);
  localparam int GROUPS = (ROWS + DRAIN_ROWS - 1) / DRAIN_ROWS;

  // ---- the tile product under way
  logic scores, right_signed, part_first, part_last;
  logic [RIGHT_SLOT_BITS-1:0] left_at, right_at;
  logic [15:0] rows_at_end, words_at_end;
  logic signed [16:0] zero_left, zero_right;
  logic signed [47:0] zeros;
  logic [7:0] sums_at;
  logic starts;
  assign starts = start && ready;
  always_ff @(posedge clk) begin
    if (starts) begin
      scores <= from_scores;
      right_signed <= right_is_signed;
      {left_at, right_at} <= {left_slot, right_slot};
      {rows_at_end, words_at_end} <= {last_rows, last_words};
      {zero_left, zero_right, zeros} <= {left_zero, right_zero, zero_product};
      {sums_at, part_first, part_last} <= {sum_slot, first_part, last_part};
    end
  end

  logic beat, step, first, last, last_row, ends, array_ready;
  logic [15:0] left_block, right_block, used;
  logic walk_ready;
  tile_walk walk (.clk, .reset, .start(starts), .ready(walk_ready), .row_tiles, .col_tiles, .blocks, .valid(beat), .step, .left_block, .right_block,
                  .first, .last, .last_row, .ends);

  // ---- words: a cycle behind their addresses, held while the array waits
  logic words_valid, words_first, words_last, words_end, words_from_scores, words_right_signed;
  logic [15:0] words_rows;
  logic signed [16:0] words_left_zero, words_right_zero;
  logic signed [47:0] words_zeros;
  logic [1:0] words_tag;
  assign step = beat && (!words_valid || array_ready);
  assign used = last ? words_at_end : 16'(DEPTH);
  assign score_read = step && scores;
  assign score_block = left_block;
  assign score_used = used;
  assign walk_ends = step && ends;
  logic [ROWS*DEPTH*8-1:0] left_words;
  logic [COLS*DEPTH*8-1:0] right_words;
  tile_buffer #(.ROWS(ROWS), .WORDS(DEPTH), .PORTS(PORTS), .PORT_BYTES(PORT_BYTES), .SLOTS(LEFT_SLOTS), .SLOT_BLOCKS(SLOT_BLOCKS)) left_tiles (
      .clk, .describe(describe[0]), .describe_tile, .describe_slot(describe_slot[LEFT_SLOT_BITS-1:0]), .describe_columns, .describe_line,
      .describe_reciprocal, .describe_blocks, .describe_bytes, .byte_valid(left_valid), .byte_tile(left_tile), .byte_offset(left_offset),
      .byte_count(left_count), .byte_data(left_data), .read(step), .read_slot(left_at[LEFT_SLOT_BITS-1:0]), .read_block(left_block), .read_used(used),
      .words(left_words));
  tile_buffer #(.ROWS(COLS), .WORDS(DEPTH), .PORTS(PORTS), .PORT_BYTES(PORT_BYTES), .SLOTS(RIGHT_SLOTS), .SLOT_BLOCKS(SLOT_BLOCKS)) right_tiles (
      .clk, .describe(describe[1]), .describe_tile, .describe_slot, .describe_columns, .describe_line, .describe_reciprocal, .describe_blocks,
      .describe_bytes, .byte_valid(right_valid), .byte_tile(right_tile), .byte_offset(right_offset), .byte_count(right_count), .byte_data(right_data),
      .read(step), .read_slot(right_at), .read_block(right_block), .read_used(used), .words(right_words));
  always_ff @(posedge clk) begin
    if (reset) words_valid <= 1'b0;
    else if (!words_valid || array_ready) words_valid <= beat;
    if (step) begin
      {words_first, words_last, words_end} <= {first, last, ends};
      {words_from_scores, words_right_signed} <= {scores, right_signed};
      words_rows <= last_row ? rows_at_end : 16'(ROWS);
      {words_left_zero, words_right_zero, words_zeros} <= {zero_left, zero_right, zeros};
      words_tag <= {part_last, part_first};
    end
  end

  // ---- products
  logic sums_valid, sums_last;
  logic [15:0] group;
  logic [3:0] sum;
  logic [7:0] tag;
  logic [DRAIN_ROWS*COLS*48-1:0] sums;
  pe_array #(.ROWS(ROWS), .COLS(COLS), .DEPTH(DEPTH), .DRAIN_ROWS(DRAIN_ROWS)) array (
      .clk, .reset, .valid_in(words_valid), .ready_in(array_ready), .left(words_from_scores ? score_words : left_words), .right(right_words),
      .left_is_signed(1'b0), .right_is_signed(words_right_signed), .hold_right(1'b0), .first(words_first), .last(words_last), .part_shift(5'd0),
      .counts_left(1'b1), .counts_right(1'b1), .used_rows(words_rows), .left_zero(words_left_zero), .right_zero(words_right_zero),
      .zero_product(words_zeros), .tag({5'd0, words_end, words_tag}), .valid_out(sums_valid), .group_out(group), .sum_out(sum), .last_out(sums_last),
      .tag_out(tag), .sums);

  // ---- partial sums: tile products come out in the order they went in, each counts its sub-tiles from its slot on
  logic [7:0] slots_waiting[4];
  logic [1:0] oldest, newest;
  logic [15:0] subtile_group;
  assign ready = walk_ready && newest + 2'd1 != oldest;
  always_ff @(posedge clk) begin
    if (reset) begin
      {oldest, newest} <= '0;
      subtile_group <= '0;
    end else begin
      if (starts) begin
        slots_waiting[newest] <= sum_slot;
        newest <= newest + 2'd1;
      end
      if (sums_valid && sums_last) begin
        subtile_group <= tag[2] ? '0 : subtile_group + 16'(GROUPS);
        if (tag[2]) oldest <= oldest + 2'd1;
      end
    end
  end
  logic [15:0] slot_base, place, place_out;
  logic [1:0] ends_at;
  assign slot_base = 16'(slots_waiting[oldest]) * 16'(SLOT_GROUPS);
  assign place = slot_base + subtile_group + group;
  partial_sums #(.LANES(DRAIN_ROWS * COLS), .GROUPS(SUM_SLOTS * SLOT_GROUPS), .ACC_BITS(ACC_BITS), .CONSTANTS(2)) buffer (
      .clk, .load, .load_entry(8'd0), .load_multiplier, .load_exponent, .valid_in(sums_valid), .group(place), .sum, .tag({6'd0, tag[1:0]}), .sums,
      .valid_out, .group_out(place_out), .accumulators);
  assign group_out = place_out & 16'(SLOT_GROUPS - 1);
  always_ff @(posedge clk) begin
    ends_at <= {ends_at[0], sums_valid && sums_last && tag[2]};
    done <= ends_at[1] && !reset;
  end
endmodule
