// SPDX-License-Identifier: Apache-2.0
// GELU, ReLU and the codes behind them by table, in the stream behind the post unit: input code -> output word.
//
//   up to 10 bits   word = T[q]
//   wider           word = clamp(RNE((T[i] 2^s + (T[i+1] - T[i]) g) 2^-(s + 8)), lo, hi),  s = INPUT_BITS - 8, i = q >> s, g = q mod 2^s
//
// Timing      LANES words a cycle; latency 2: entry; output register, or the segment's product, rounding and clamp
// Parameters  INPUT_BITS of a code; ENTRY_BITS of an entry (signed, with the 8 guard bits of a segment's end); WORD_BITS of an output (signed)
// Tables      one per lane, all written through one port: an entry a cycle, 2^INPUT_BITS entries or 257 ends of segments
module gelu_table #(
    parameter int LANES = 16,
    parameter int INPUT_BITS = 8,
    parameter int ENTRY_BITS = 9,
    parameter int WORD_BITS = 9,
    localparam int INDEX_BITS = INPUT_BITS > 10 ? 9 : INPUT_BITS
) (
    input  logic                         clk,
    input  logic                         load,
    input  logic [INDEX_BITS-1:0]        load_index,
    input  logic signed [ENTRY_BITS-1:0] load_entry,
    /* verilator lint_off UNUSEDSIGNAL */ // of segments alone: entries of codes are words
    input  logic signed [WORD_BITS-1:0]  lo,
    input  logic signed [WORD_BITS-1:0]  hi,
    /* verilator lint_on UNUSEDSIGNAL */
    input  logic                         valid_in,
    input  logic [LANES*INPUT_BITS-1:0]  words_in,
    output logic                         valid_out,
    output logic [LANES*WORD_BITS-1:0]   words_out
);
  logic valid;

  always_ff @(posedge clk) begin
    valid     <= valid_in;
    valid_out <= valid;
  end

  generate
    for (genvar lane = 0; lane < LANES; lane++) begin : g_lane
      logic [INPUT_BITS-1:0] code;
      logic signed [WORD_BITS-1:0] word;
      assign code = words_in[lane*INPUT_BITS+:INPUT_BITS];
      assign words_out[lane*WORD_BITS+:WORD_BITS] = word;

      if (INPUT_BITS > 10) begin : g_segments
        localparam int REST = INPUT_BITS - 8;
        localparam int SUM_BITS = ENTRY_BITS + REST + 2;
        logic signed [ENTRY_BITS-1:0] lefts[0:255];
        logic signed [ENTRY_BITS-1:0] rights[0:255];
        logic signed [ENTRY_BITS-1:0] left, right;
        logic signed [ENTRY_BITS:0] rise;
        logic [REST-1:0] rest;
        logic [7:0] segment;
        logic signed [SUM_BITS-1:0] sum, rounded;

        assign segment = load_index[7:0] - 8'd1;  // the one that ends here
        always_ff @(posedge clk) begin
          if (load && !load_index[8]) lefts[load_index[7:0]] <= load_entry;
          if (load && load_index != 0) rights[segment] <= load_entry;
          left  <= lefts[code[INPUT_BITS-1-:8]];
          right <= rights[code[INPUT_BITS-1-:8]];
          rest  <= code[REST-1:0];
          if (rounded < SUM_BITS'(lo)) word <= lo;
          else if (rounded > SUM_BITS'(hi)) word <= hi;
          else word <= WORD_BITS'(rounded);
        end
        assign rise = (ENTRY_BITS + 1)'(right) - (ENTRY_BITS + 1)'(left);
        assign sum = (SUM_BITS'(left) <<< REST) + SUM_BITS'(rise) * SUM_BITS'($signed({1'b0, rest}));
        round_shift #(.WIDTH(SUM_BITS), .SHIFT_BITS(5)) rounding (.word(sum), .shift(5'(REST + 8)), .rounded(rounded));
      end else begin : g_direct
        logic signed [ENTRY_BITS-1:0] entries[0:(1<<INPUT_BITS)-1];
        logic signed [ENTRY_BITS-1:0] entry;
        always_ff @(posedge clk) begin
          if (load) entries[load_index] <= load_entry;
          entry <= entries[code];
          word  <= WORD_BITS'(entry);
        end
      end
    end
  endgenerate
endmodule
