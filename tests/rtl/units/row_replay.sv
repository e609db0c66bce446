// SPDX-License-Identifier: Apache-2.0
// Rows between two stages: one is written while the row before is read, in a ring with room for both.
//
//   write ──data_in──► [ ring of DEPTH words ] ──data_out──► the row again, from the cycle behind `start`
//
// Timing      a word a cycle each way; the first word of the row is there in the cycle behind `start`, the others follow without a pause
// Parameters  WIDTH of a word; DEPTH, a power of two: at least a row and what arrives between its first word and `start`
// Contract    rows of last_word + 1 words; a `start` for every row, in order, when its words are in the ring, and none while a row is being read
module row_replay #(
    parameter int WIDTH = 256,
    parameter int DEPTH = 512,
    parameter int INDEX_BITS = 8
) (
    input  logic                  clk,
    input  logic                  reset,
    input  logic [INDEX_BITS-1:0] last_word,
    input  logic                  write,
    input  logic [WIDTH-1:0]      data_in,
    input  logic                  start,
    output logic                  valid,
    output logic                  last,
    output logic [WIDTH-1:0]      data_out
);
  localparam int ADDRESS_BITS = $clog2(DEPTH);

  logic [WIDTH-1:0] ring[0:DEPTH-1];
  logic [ADDRESS_BITS-1:0] write_address, read_address;
  logic [INDEX_BITS-1:0] index;
  logic active, reading, at_last;

  assign reading = start | active;
  assign at_last = (start ? '0 : index) == last_word;

  always_ff @(posedge clk) begin
    if (write) ring[write_address] <= data_in;
    if (reading) data_out <= ring[read_address];
  end
  always_ff @(posedge clk) begin
    if (reset) begin
      write_address <= '0;
      read_address  <= '0;
      active        <= 1'b0;
      valid         <= 1'b0;
    end else begin
      if (write) write_address <= write_address + 1'b1;
      if (reading) read_address <= read_address + 1'b1;
      active <= reading & ~at_last;
      valid  <= reading;
    end
    last  <= reading & at_last;
    index <= (start ? '0 : index) + 1'b1;
  end
endmodule
