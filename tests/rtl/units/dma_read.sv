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
    output logic [PORTS*PORT_BYTES*8-1:0] byte_data,    // the first byte lowest
    output logic                          tile_done
);
  localparam int LANE_BITS = $clog2(PORT_BYTES);
  localparam int STRIPE_BITS = $clog2(BURST_BYTES);
  localparam int PORT_BITS = (PORTS > 1) ? $clog2(PORTS) : 1;
  localparam int ENTRY_BITS = (OUTSTANDING > 1) ? $clog2(OUTSTANDING) : 1;

  // ---- cutting runs
  logic [ADDRESS_BITS-1:0] address;
  logic [23:0] left, offset;
  logic active, ends_tile;
  logic [15:0] to_stripe, length;
  logic [PORT_BITS-1:0] port;
  logic [PORTS-1:0] room;
  logic issue;
  logic [7:0] all_left;
  logic [2:0] tile, oldest;
  assign to_stripe = 16'(BURST_BYTES) - 16'(address[STRIPE_BITS-1:0]);
  assign length = (left < 24'(to_stripe)) ? 16'(left) : to_stripe;
  logic may_issue;
  assign may_issue = active && room[port] && !all_left[tile];  // a tile in every place: wait for the oldest
  assign issue = may_issue && ar_ready[port];
  assign ar_valid = may_issue ? PORTS'(1) << port : '0;
  assign ar_address = address;
  assign ar_length = length;
  logic run_ends;
  assign run_ends = issue && left == 24'(length);
  assign run_ready = !active || run_ends;

  // ---- tiles under way, up to eight: bursts of each that have not come back, and whether all have left
  logic [15:0] pending[8];
  logic [PORTS-1:0] burst_ends;
  logic [2:0] tile_of[PORTS];
  logic [15:0] returned[8];
  integer p, t;
  always_comb begin
    for (t = 0; t < 8; t = t + 1) begin
      returned[t] = '0;
      for (p = 0; p < PORTS; p = p + 1) returned[t] = returned[t] + 16'(burst_ends[p] && tile_of[p] == 3'(t));
    end
  end

  always_ff @(posedge clk) begin
    tile_done <= 1'b0;
    if (reset) begin
      active <= 1'b0;
      port <= '0;
      for (t = 0; t < 8; t = t + 1) pending[t] <= '0;
      all_left <= '0;
      tile <= '0;
      oldest <= '0;
      offset <= '0;
    end else begin
      if (issue) begin
        address <= address + ADDRESS_BITS'(length);
        left <= left - 24'(length);
        offset <= (run_ends && ends_tile) ? '0 : offset + 24'(length);
        port <= (32'(port) == PORTS - 1) ? '0 : port + 1'b1;
        if (run_ends) active <= 1'b0;
        if (run_ends && ends_tile) begin
          all_left[tile] <= 1'b1;
          tile <= tile + 3'd1;
        end
      end
      if (run_valid && run_ready) begin
        active <= 1'b1;
        address <= run_address;
        left <= run_length;
        ends_tile <= run_last;
      end
      for (t = 0; t < 8; t = t + 1) pending[t] <= pending[t] + 16'(issue && tile == 3'(t)) - returned[t];
      if (all_left[oldest] && pending[oldest] == returned[oldest]) begin
        tile_done <= 1'b1;
        all_left[oldest] <= 1'b0;
        oldest <= oldest + 3'd1;
      end
    end
  end

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
      assign mine = issue && port == PORT_BITS'(g);
      // An entry that ends now may be filled again now.
      assign room[g] = 32'(count) < OUTSTANDING || burst_ends[g];
      assign lane = (done_bytes == 0) ? entry_lane[head] : '0;
      assign remaining = entry_left[head] - done_bytes;
      assign taken = (remaining < 16'(PORT_BYTES) - 16'(lane)) ? remaining : 16'(PORT_BYTES) - 16'(lane);
      assign burst_ends[g] = r_valid[g] && taken == remaining;
      assign tile_of[g] = entry_tile[head];
      assign byte_valid[g] = r_valid[g];
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
            entry_lane[tail] <= address[LANE_BITS-1:0];
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
