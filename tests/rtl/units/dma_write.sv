// SPDX-License-Identifier: Apache-2.0
// A store engine: runs of bytes of a tile become bursts on AXI write channels.
//
//   runs (address, length) ─► cut at stripes ─► ports in turn, OUTSTANDING bursts each ─► AW    tile bytes ─► W    B ─► done
//
// A burst never crosses a stripe of BURST_BYTES. The next burst goes to the next port; it waits there until an entry is free. Every port reads the bytes of
// its oldest burst from the tile, up to PORT_BYTES a cycle, shifted to the lanes of its address; strobes mark the bytes that are written.
//
// Timing  a burst leaves every cycle, a beat on every port; a tile is done with the response to its last burst
// Limits  tiles of up to 2^24 bytes, eight of them under way; runs of at least a byte
module dma_write #(
    parameter int PORTS = 2,
    parameter int PORT_BYTES = 16,
    parameter int BURST_BYTES = 256,
    parameter int OUTSTANDING = 4,
    parameter int ADDRESS_BITS = 40
) (
    input  logic                          clk,
    input  logic                          reset,
    input  logic                          run_valid,
    output logic                          run_ready,
    input  logic [ADDRESS_BITS-1:0]       run_address,
    input  logic [23:0]                   run_length,
    input  logic                          run_last,
    // AXI write
    output logic [PORTS-1:0]              aw_valid,
    input  logic [PORTS-1:0]              aw_ready,
    output logic [ADDRESS_BITS-1:0]       aw_address,
    output logic [15:0]                   aw_length,    // bytes
    output logic [PORTS-1:0]              w_valid,
    output logic [PORTS*PORT_BYTES*8-1:0] w_data,
    output logic [PORTS*PORT_BYTES-1:0]   w_strobe,
    output logic [PORTS-1:0]              w_last,
    input  logic [PORTS-1:0]              b_valid,
    // from the buffer: the bytes at an offset of a tile, read as they are asked for
    output logic [PORTS*24-1:0]           byte_offset,
    output logic [PORTS*3-1:0]            byte_tile,
    input  logic [PORTS*PORT_BYTES*8-1:0] byte_data,    // the first byte lowest
    output logic                          tile_done
);
  localparam int LANE_BITS = $clog2(PORT_BYTES);
  localparam int ENTRY_BITS = (OUTSTANDING > 1) ? $clog2(OUTSTANDING) : 1;

  logic [PORTS-1:0] room, issue, burst_ends;
  logic [PORTS*3-1:0] tile_of;
  logic [15:0] length;
  logic [23:0] offset;
  logic [2:0] tile;
  burst_cutter #(.PORTS(PORTS), .BURST_BYTES(BURST_BYTES), .ADDRESS_BITS(ADDRESS_BITS)) cutter (
      .clk, .reset, .run_valid, .run_ready, .run_address, .run_length, .run_last, .room, .ready(aw_ready), .valid(aw_valid), .issue,
      .address(aw_address), .length, .offset, .tile, .burst_ends, .tile_of, .tile_done);
  assign aw_length = length;

  genvar g;
  generate
    for (g = 0; g < PORTS; g++) begin : g_port
      // Entries between head and tail are under way; those between `sending` and tail still have beats to send.
      logic [23:0] entry_offset[1<<ENTRY_BITS];
      logic [15:0] entry_left[1<<ENTRY_BITS];
      logic [LANE_BITS-1:0] entry_lane[1<<ENTRY_BITS];
      logic [2:0] entry_tile[1<<ENTRY_BITS];
      logic [ENTRY_BITS-1:0] head, sending, tail;
      logic [ENTRY_BITS:0] count, unsent;
      logic [15:0] done_bytes, remaining, taken;
      logic [LANE_BITS-1:0] lane;
      logic mine, beat, beat_ends;
      assign mine = issue[g];
      assign burst_ends[g] = b_valid[g];
      assign room[g] = 32'(count) < OUTSTANDING;
      assign tile_of[g*3 +: 3] = entry_tile[head];
      assign beat = unsent != 0;
      assign lane = (done_bytes == 0) ? entry_lane[sending] : '0;
      assign remaining = entry_left[sending] - done_bytes;
      assign taken = (remaining < 16'(PORT_BYTES) - 16'(lane)) ? remaining : 16'(PORT_BYTES) - 16'(lane);
      assign beat_ends = beat && taken == remaining;
      assign byte_offset[g*24 +: 24] = entry_offset[sending] + 24'(done_bytes);
      assign byte_tile[g*3 +: 3] = entry_tile[sending];
      assign w_valid[g] = beat;
      assign w_last[g] = beat_ends;
      assign w_data[g*PORT_BYTES*8 +: PORT_BYTES*8] = byte_data[g*PORT_BYTES*8 +: PORT_BYTES*8] << {lane, 3'b000};
      assign w_strobe[g*PORT_BYTES +: PORT_BYTES] = ((PORT_BYTES'(1) << taken[LANE_BITS:0]) - PORT_BYTES'(1)) << lane;
      always_ff @(posedge clk) begin
        if (reset) begin
          head <= '0;
          sending <= '0;
          tail <= '0;
          count <= '0;
          unsent <= '0;
          done_bytes <= '0;
        end else begin
          if (mine) begin
            entry_offset[tail] <= offset;
            entry_left[tail] <= length;
            entry_lane[tail] <= aw_address[LANE_BITS-1:0];
            entry_tile[tail] <= tile;
            tail <= (32'(tail) == OUTSTANDING - 1) ? '0 : tail + 1'b1;
          end
          if (beat) done_bytes <= beat_ends ? '0 : done_bytes + taken;
          if (beat_ends) sending <= (32'(sending) == OUTSTANDING - 1) ? '0 : sending + 1'b1;
          if (b_valid[g]) head <= (32'(head) == OUTSTANDING - 1) ? '0 : head + 1'b1;
          count <= count + (ENTRY_BITS+1)'(mine) - (ENTRY_BITS+1)'(b_valid[g]);
          unsent <= unsent + (ENTRY_BITS+1)'(mine) - (ENTRY_BITS+1)'(beat_ends);
        end
      end
    end
  endgenerate
endmodule
