// SPDX-License-Identifier: Apache-2.0
// A load engine: runs of bytes become bursts on AXI read channels, and come back as bytes of a tile.
//
//   runs (address, length) ─► cut at stripes ─► ports in turn, OUTSTANDING bursts each ─► AR    R ─► bytes [offset, offset + count) of the tile
//
// A burst never crosses a stripe of BURST_BYTES. The next burst goes to the next port; it waits there until an entry is free. Beats of PORT_BYTES come in
// order on every port; the first and the last of a burst hold fewer bytes where it is not aligned.
//
// Timing  a burst leaves every cycle; a tile is there with the last beat of its last burst
// Limits  tiles of up to 2^24 bytes, eight of them under way; runs of at least a byte
module dma_read #(
    parameter int PORTS = 2,
    parameter int PORT_BYTES = 16,
    parameter int BURST_BYTES = 256,
    parameter int OUTSTANDING = 4,
    parameter int ADDRESS_BITS = 40
) (
    input  logic                          clk,
    input  logic                          reset,
    // runs, the last of a tile marked
    input  logic                          run_valid,
    output logic                          run_ready,
    input  logic [ADDRESS_BITS-1:0]       run_address,
    input  logic [23:0]                   run_length,
    input  logic                          run_last,
    // AXI read: one address a cycle over all ports
    output logic [PORTS-1:0]              ar_valid,
    input  logic [PORTS-1:0]              ar_ready,
    output logic [ADDRESS_BITS-1:0]       ar_address,
    output logic [15:0]                   ar_length,    // bytes
    input  logic [PORTS-1:0]              r_valid,
    input  logic [PORTS*PORT_BYTES*8-1:0] r_data,
    // to the buffer: a beat a cycle and port
    output logic [PORTS-1:0]              byte_valid,
    output logic [PORTS*24-1:0]           byte_offset,
    output logic [PORTS*8-1:0]            byte_count,
    output logic [PORTS*3-1:0]            byte_tile,    // tiles are counted modulo 8
    output logic [PORTS*PORT_BYTES*8-1:0] byte_data,    // the first byte lowest
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
      .clk, .reset, .run_valid, .run_ready, .run_address, .run_length, .run_last, .room, .ready(ar_ready), .valid(ar_valid), .issue,
      .address(ar_address), .length, .offset, .tile, .burst_ends, .tile_of, .tile_done);
  assign ar_length = length;

  // ---- ports: what is under way on each, oldest first
  genvar g;
  generate
    for (g = 0; g < PORTS; g++) begin : g_port
      logic [23:0] entry_offset[1<<ENTRY_BITS];
      logic [15:0] entry_left[1<<ENTRY_BITS];
      logic [LANE_BITS-1:0] entry_lane[1<<ENTRY_BITS];
      logic [2:0] entry_tile[1<<ENTRY_BITS];
      logic [ENTRY_BITS-1:0] head, tail;
      logic [ENTRY_BITS:0] count;
      logic [15:0] done_bytes;
      logic [LANE_BITS-1:0] lane;
      logic [15:0] remaining, taken;
      logic mine;
      assign mine = issue[g];
      assign room[g] = 32'(count) < OUTSTANDING;
      assign lane = (done_bytes == 0) ? entry_lane[head] : '0;
      assign remaining = entry_left[head] - done_bytes;
      assign taken = (remaining < 16'(PORT_BYTES) - 16'(lane)) ? remaining : 16'(PORT_BYTES) - 16'(lane);
      assign burst_ends[g] = r_valid[g] && taken == remaining;
      assign tile_of[g*3 +: 3] = entry_tile[head];
      assign byte_valid[g] = r_valid[g];
      assign byte_tile[g*3 +: 3] = entry_tile[head];
      assign byte_offset[g*24 +: 24] = entry_offset[head] + 24'(done_bytes);
      assign byte_count[g*8 +: 8] = 8'(taken);
      assign byte_data[g*PORT_BYTES*8 +: PORT_BYTES*8] = r_data[g*PORT_BYTES*8 +: PORT_BYTES*8] >> {lane, 3'b000};
      always_ff @(posedge clk) begin
        if (reset) begin
          head <= '0;
          tail <= '0;
          count <= '0;
          done_bytes <= '0;
        end else begin
          if (mine) begin
            entry_offset[tail] <= offset;
            entry_left[tail] <= length;
            entry_tile[tail] <= tile;
            entry_lane[tail] <= ar_address[LANE_BITS-1:0];
            tail <= (32'(tail) == OUTSTANDING - 1) ? '0 : tail + 1'b1;
          end
          if (r_valid[g]) done_bytes <= burst_ends[g] ? '0 : done_bytes + taken;
          if (burst_ends[g]) head <= (32'(head) == OUTSTANDING - 1) ? '0 : head + 1'b1;
          count <= count + (ENTRY_BITS+1)'(mine) - (ENTRY_BITS+1)'(burst_ends[g]);
        end
      end
    end
  endgenerate
endmodule
