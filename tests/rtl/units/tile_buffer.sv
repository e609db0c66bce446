// SPDX-License-Identifier: Apache-2.0
// A buffer of operand tiles in front of the array: bytes come as the load engine receives them, blocks of ROWS x WORDS words leave for a beat.
//
//   bytes (tile, offset) ─► row, word of the row ─► bank (row mod ROWS, word mod WORDS) of the tile's slot ─► [ROWS][WORDS] ─► array
//
// A tile lies in lines, as its runs lie in DRAM: a line is a row, or (`columns`) a word of every row. The line of a byte is its offset times the reciprocal
// of the line's length, 2^-28 rounded up: exact for tiles of up to 64 KiB and lines of up to 4 KiB.
//
// Timing      a beat of every port and a block each cycle; a block is there the cycle behind its address
// Parameters  ROWS and WORDS powers of two, WORDS and ROWS at least PORT_BYTES: the bytes of a beat lie in different banks, so a bank has a write port for
//             each port of the engine and never more. A slot is written or read, not both (tokens see to it).
// Limits      words of 8 bits
module tile_buffer #(
    parameter int ROWS = 8,
    parameter int WORDS = 8,
    parameter int PORTS = 2,
    parameter int PORT_BYTES = 8,
    parameter int SLOTS = 2,
    parameter int SLOT_BLOCKS = 256,
    localparam int SLOT_BITS = $clog2(SLOTS),
    localparam int ADDRESS_BITS = $clog2(SLOTS * SLOT_BLOCKS)
) (
    input  logic                          clk,
    // the next tile of the engine: where it goes and how it lies
    input  logic                          describe,
    input  logic [2:0]                    describe_tile,
    input  logic [SLOT_BITS-1:0]          describe_slot,
    input  logic                          describe_columns,
    input  logic [15:0]                   describe_line,        // bytes
    input  logic [28:0]                   describe_reciprocal,
    input  logic [15:0]                   describe_blocks,      // of a row
    input  logic [23:0]                   describe_bytes,       // what lies behind is not of the operand
    // from the engine
    input  logic [PORTS-1:0]              byte_valid,
    input  logic [PORTS*3-1:0]            byte_tile,
    input  logic [PORTS*24-1:0]           byte_offset,
    input  logic [PORTS*8-1:0]            byte_count,
    input  logic [PORTS*PORT_BYTES*8-1:0] byte_data,
    // to the array: words from `used` on are 0
    input  logic                          read,
    input  logic [SLOT_BITS-1:0]          read_slot,
    input  logic [15:0]                   read_block,
    input  logic [15:0]                   read_used,
    output logic [ROWS*WORDS*8-1:0]       words
);
  localparam int ROW_BITS = $clog2(ROWS), WORD_BITS = $clog2(WORDS), BYTES = PORTS * PORT_BYTES;

  logic [SLOT_BITS-1:0] slot_of[8];
  logic columns_of[8];
  logic [15:0] line_of[8], blocks_of[8];
  logic [28:0] reciprocal_of[8];
  logic [23:0] bytes_of[8];
  always_ff @(posedge clk) begin
    if (describe) begin
      slot_of[describe_tile] <= describe_slot;
      columns_of[describe_tile] <= describe_columns;
      line_of[describe_tile] <= describe_line;
      reciprocal_of[describe_tile] <= describe_reciprocal;
      blocks_of[describe_tile] <= describe_blocks;
      bytes_of[describe_tile] <= describe_bytes;
    end
  end

  // Every byte's bank and address.
  logic [BYTES-1:0] hit;
  logic [ROW_BITS+WORD_BITS-1:0] bank_of[BYTES];
  logic [ADDRESS_BITS-1:0] address_of[BYTES];
  genvar b;
  generate
    for (b = 0; b < BYTES; b++) begin : g_byte
      localparam int PORT = b / PORT_BYTES, PLACE = b % PORT_BYTES;
      logic [2:0] tile;
      logic [23:0] offset;
      logic [15:0] line, position, row, word;
      assign tile = byte_tile[PORT*3 +: 3];
      assign offset = byte_offset[PORT*24 +: 24] + 24'(PLACE);
      assign line = 16'((53'(offset) * 53'(reciprocal_of[tile])) >> 28);
      assign position = 16'(offset) - line * line_of[tile];
      assign row = columns_of[tile] ? position : line;
      assign word = columns_of[tile] ? line : position;
      assign hit[b] = byte_valid[PORT] && PLACE < 32'(byte_count[PORT*8 +: 8]) && offset < bytes_of[tile];
      assign bank_of[b] = {row[ROW_BITS-1:0], word[WORD_BITS-1:0]};
      assign address_of[b] = ADDRESS_BITS'(slot_of[tile]) * ADDRESS_BITS'(SLOT_BLOCKS) +
                             ADDRESS_BITS'(row >> ROW_BITS) * ADDRESS_BITS'(blocks_of[tile]) + ADDRESS_BITS'(word >> WORD_BITS);
    end
  endgenerate

  logic [15:0] used;
  logic [ADDRESS_BITS-1:0] read_address;
  assign read_address = ADDRESS_BITS'(read_slot) * ADDRESS_BITS'(SLOT_BLOCKS) + ADDRESS_BITS'(read_block);
  always_ff @(posedge clk) if (read) used <= read_used;
  generate
    for (b = 0; b < ROWS * WORDS; b++) begin : g_bank
      logic [7:0] memory[0:SLOTS*SLOT_BLOCKS-1];
      logic [7:0] word;
      integer i;
      always_ff @(posedge clk) begin
        if (byte_valid != '0)
          for (i = 0; i < BYTES; i = i + 1)
            if (hit[i] && bank_of[i] == (ROW_BITS + WORD_BITS)'(b)) memory[address_of[i]] <= byte_data[i*8 +: 8];
        if (read) word <= memory[read_address];
      end
      assign words[b*8 +: 8] = (b % WORDS) < 32'(used) ? word : 8'd0;
    end
  endgenerate
endmodule
