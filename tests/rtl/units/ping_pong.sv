// SPDX-License-Identifier: Apache-2.0
// A buffer of two slots: one is written while the other is read.
//
//   data_in ──► [ slot 0 | slot 1 ] ──► data_out      a transfer of b bits takes ceil(b / WIDTH) cycles of a port
//
//   A slot belongs to the writer until its last word is in, then to the reader until its last word is read: the two never meet in one.
//   A slot is read once more, from its beginning, where `again` is held while its last word is fetched.
//
// Timing      a word a cycle each way; a word is there 2 cycles behind the last word of its slot, or a cycle behind the word before it.
//             T transfers of n cycles each, from the first word in to the last word out: (T + 1) n + 1
// Parameters  WIDTH of the ports; DEPTH: words of a slot
module ping_pong #(
    parameter int WIDTH = 128,
    parameter int DEPTH = 512
) (
    input  logic             clk,
    input  logic             reset,
    input  logic             valid_in,
    output logic             ready_in,
    input  logic             last_in,
    input  logic [WIDTH-1:0] data_in,
    output logic             valid_out,
    input  logic             ready_out,
    output logic             last_out,
    input  logic             again,
    output logic [WIDTH-1:0] data_out
);
  localparam int ADDRESS_BITS = $clog2(DEPTH);

  logic [WIDTH-1:0] slots[0:2**(ADDRESS_BITS+1)-1];
  logic [ADDRESS_BITS-1:0] write_address, read_address;
  logic [ADDRESS_BITS-1:0] last_address[0:1];
  logic [1:0] full;
  logic write_slot, read_slot, writes, reads, read_ends;

  assign ready_in = !full[write_slot];
  assign writes = valid_in && ready_in;
  assign reads = full[read_slot] && (!valid_out || ready_out);
  assign read_ends = reads && read_address == last_address[read_slot];

  always_ff @(posedge clk) begin
    if (writes) slots[{write_slot, write_address}] <= data_in;
    if (reads) data_out <= slots[{read_slot, read_address}];
  end
  always_ff @(posedge clk) begin
    if (writes && last_in) last_address[write_slot] <= write_address;
    if (reads) last_out <= read_ends;
    if (reset) begin
      write_address <= '0;
      read_address  <= '0;
      write_slot    <= 1'b0;
      read_slot     <= 1'b0;
      full          <= 2'b00;
      valid_out     <= 1'b0;
    end else begin
      if (writes) write_address <= last_in ? '0 : write_address + 1'b1;
      if (writes && last_in) begin
        full[write_slot] <= 1'b1;
        write_slot <= ~write_slot;
      end
      if (reads) read_address <= read_ends ? '0 : read_address + 1'b1;
      if (read_ends && !again) begin
        full[read_slot] <= 1'b0;
        read_slot <= ~read_slot;
      end
      valid_out <= reads || (valid_out && !ready_out);
    end
  end
endmodule
