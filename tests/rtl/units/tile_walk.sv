// SPDX-License-Identifier: Apache-2.0
// The order in which the array visits a tile: columns of sub-tiles, their rows, the blocks of K; output stationary.
//
//   start ─► for column tile, for row tile, for block: a beat (left block, right block, first, last)
//
// Timing  a beat every cycle that the array takes one; the next tile may start in the cycle behind the last beat
module tile_walk (
    input  logic        clk,
    input  logic        reset,
    input  logic        start,
    output logic        ready,       // for the next tile
    input  logic [15:0] row_tiles,
    input  logic [15:0] col_tiles,
    input  logic [15:0] blocks,
    output logic        valid,
    input  logic        step,        // the beat is taken
    output logic [15:0] left_block,  // row tile * blocks + block
    output logic [15:0] right_block,
    output logic        first,       // block of a sub-tile
    output logic        last,
    output logic        last_row,    // row tile
    output logic        ends         // the last beat of all
);
  logic [15:0] row, col, block, right_base;
  assign first = block == 0;
  assign last = block == blocks - 1'b1;
  assign last_row = row == row_tiles - 1'b1;
  assign ends = last && last_row && col == col_tiles - 1'b1;
  assign right_block = right_base + block;
  assign ready = !valid;
  always_ff @(posedge clk) begin
    if (reset) valid <= 1'b0;
    else if (start && ready) begin
      valid <= 1'b1;
      {row, col, block, left_block, right_base} <= '0;
    end else if (step) begin
      valid <= !ends;
      block <= last ? '0 : block + 1'b1;
      left_block <= left_block + 1'b1;
      if (last) begin
        row <= last_row ? '0 : row + 1'b1;
        if (last_row) begin
          left_block <= '0;
          col <= col + 1'b1;
          right_base <= right_base + blocks;
        end
      end
    end
  end
endmodule
