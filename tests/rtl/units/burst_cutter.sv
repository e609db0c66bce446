// SPDX-License-Identifier: Apache-2.0
// Cuts runs of bytes into bursts that never cross a stripe of BURST_BYTES, sends them to the ports in turn, and knows when all bursts of a tile have ended.
//
// Timing  a burst a cycle, while the next port has room and takes it
// Limits  tiles of up to 2^24 bytes, eight of them under way; runs of at least a byte
module burst_cutter #(
    parameter int PORTS = 2,
    parameter int BURST_BYTES = 256,
    parameter int ADDRESS_BITS = 40
) (
    input  logic                    clk,
    input  logic                    reset,
    // runs, the last of a tile marked
    input  logic                    run_valid,
    output logic                    run_ready,
    input  logic [ADDRESS_BITS-1:0] run_address,
    input  logic [23:0]             run_length,
    input  logic                    run_last,
    // bursts: the port of the next one, whether it leaves
    input  logic [PORTS-1:0]        room,
    input  logic [PORTS-1:0]        ready,
    output logic [PORTS-1:0]        valid,
    output logic [PORTS-1:0]        issue,
    output logic [ADDRESS_BITS-1:0] address,
    output logic [15:0]             length,   // bytes
    output logic [23:0]             offset,   // in the tile
    output logic [2:0]              tile,
    // what has ended, and the tile it belongs to
    input  logic [PORTS-1:0]        burst_ends,
    input  logic [PORTS*3-1:0]      tile_of,
    output logic                    tile_done
);
  localparam int STRIPE_BITS = $clog2(BURST_BYTES);
  localparam int PORT_BITS = (PORTS > 1) ? $clog2(PORTS) : 1;

  logic [23:0] left;
  logic active, ends_tile, run_ends, leaves;
  logic [15:0] to_stripe;
  logic [PORT_BITS-1:0] port;
  logic [7:0] all_left;
  logic [2:0] oldest;
  assign to_stripe = 16'(BURST_BYTES) - 16'(address[STRIPE_BITS-1:0]);
  assign length = (left < 24'(to_stripe)) ? 16'(left) : to_stripe;
  assign valid = (active && room[port] && !all_left[tile]) ? PORTS'(1) << port : '0;  // with a tile in every place it waits for the oldest
  assign issue = valid & ready;
  assign leaves = issue != '0;
  assign run_ends = leaves && left == 24'(length);
  assign run_ready = !active || run_ends;

  logic [15:0] pending[8];
  logic [15:0] returned[8];
  integer p, t;
  always_comb begin
    for (t = 0; t < 8; t = t + 1) begin
      returned[t] = '0;
      for (p = 0; p < PORTS; p = p + 1) returned[t] = returned[t] + 16'(burst_ends[p] && tile_of[p*3 +: 3] == 3'(t));
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
      if (leaves) begin
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
      for (t = 0; t < 8; t = t + 1) pending[t] <= pending[t] + 16'(leaves && tile == 3'(t)) - returned[t];
      if (all_left[oldest] && pending[oldest] == returned[oldest]) begin
        tile_done <= 1'b1;
        all_left[oldest] <= 1'b0;
        oldest <= oldest + 3'd1;
      end
    end
  end
endmodule
