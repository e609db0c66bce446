// SPDX-License-Identifier: Apache-2.0
// When the fields of a packed slice are emptied: every PERIOD products of a run, and at its end.
//
//   products ─► [ count ] ─► starts (the slice begins anew)     3 cycles on, with its P register: take, begins, then valid_out
//
// take: the fields go to the accumulators; begins: they replace what is there, because the run began in this chunk.
module dsp_chunks #(
    parameter int PERIOD = 4
) (
    input  logic clk,
    input  logic valid_in,
    input  logic first,
    input  logic last,
    output logic starts,
    output logic take,
    output logic begins,
    output logic valid_out
);
  localparam int COUNT_BITS = $clog2(PERIOD + 1);
  logic [COUNT_BITS-1:0] count;
  logic fills, run_is_first;
  logic [2:0] take_of, begins_of, ends_of;
  assign starts = first || count == 0;
  assign fills = last || (starts ? PERIOD == 1 : 32'(count) == PERIOD - 1);
  assign take = take_of[2];
  assign begins = begins_of[2];
  always_ff @(posedge clk) begin
    if (valid_in) count <= fills ? '0 : starts ? COUNT_BITS'(1) : count + COUNT_BITS'(1);
    if (valid_in && first) run_is_first <= 1'b1;
    else if (valid_in && fills) run_is_first <= 1'b0;
    take_of <= {take_of[1:0], valid_in && fills};
    begins_of <= {begins_of[1:0], first || run_is_first};
    ends_of <= {ends_of[1:0], valid_in && last};
    valid_out <= ends_of[2];
  end
endmodule
