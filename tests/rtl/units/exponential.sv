// SPDX-License-Identifier: Apache-2.0
// A lane of softmax: 2^-d of a distance d in 2^-F, by 64 chords an octave (docs/numerics.md section 4).
//
//   d 2^(14-F) = I 2^14 + i 2^8 + g:  e = RNE((T[i] 2^8 - (T[i] - T[i+1]) g) 2^-(8 + I)), 0 for I > EXP_BITS
//
// Timing      a word every cycle; latency 5: align, entry, multiply 2 (product, difference), shift
// Parameters  EXP_BITS x: e of 0 is 2^x - 1; DISTANCE_BITS; fraction F is at most 14
// Tables      65 ends of chords, written one a cycle
module exponential #(
    parameter int EXP_BITS = 16,
    parameter int DISTANCE_BITS = 16
) (
    input  logic                     clk,
    input  logic                     load,
    input  logic [6:0]               load_index,
    input  logic [EXP_BITS-1:0]      load_entry,
    input  logic [3:0]               fraction,
    input  logic                     is_word,  // else e is 0
    input  logic [DISTANCE_BITS-1:0] distance,
    output logic [EXP_BITS-1:0]      e
);
  localparam int ALIGNED_BITS = DISTANCE_BITS + 14;
  localparam int FALL_BITS = EXP_BITS - 5;  // an end less the next: below 2^x / 64
  localparam int SUM_BITS = EXP_BITS + 9;

  logic [EXP_BITS-1:0] lefts[0:63];
  logic [EXP_BITS-1:0] rights[0:63];
  logic [5:0] chord;
  logic [ALIGNED_BITS-1:0] shifted, aligned;
  logic [7:0] rest;
  logic [EXP_BITS-1:0] left, right, base;
  logic [FALL_BITS+7:0] product;
  logic [4:0] octave_of_entry, octave_of_product, octave_of_sum;
  logic zero, zero_of_entry, zero_of_product, zero_of_sum, is_word_aligned;
  logic signed [SUM_BITS-1:0] sum;
  /* verilator lint_off UNUSEDSIGNAL */ // what fits by the limits above
  logic [EXP_BITS-1:0] fall;
  logic signed [SUM_BITS-1:0] rounded;
  /* verilator lint_on UNUSEDSIGNAL */

  assign shifted = ALIGNED_BITS'(distance) << (4'd14 - fraction);
  assign zero = !is_word_aligned || (aligned >> 14) > ALIGNED_BITS'(EXP_BITS);
  assign chord = load_index[5:0] - 6'd1;  // the one that ends here
  assign fall = left - right;

  always_ff @(posedge clk) begin
    if (load && !load_index[6]) lefts[load_index[5:0]] <= load_entry;
    if (load && load_index != 0) rights[chord] <= load_entry;

    aligned <= shifted;
    is_word_aligned <= is_word;
    left  <= lefts[aligned[13:8]];
    right <= rights[aligned[13:8]];
    rest  <= aligned[7:0];
    octave_of_entry <= aligned[18:14];
    zero_of_entry   <= zero;
    product <= (FALL_BITS + 8)'(fall[FALL_BITS-1:0]) * (FALL_BITS + 8)'(rest);
    base    <= left;
    octave_of_product <= octave_of_entry;
    zero_of_product   <= zero_of_entry;
    sum <= $signed({1'b0, base, 8'b0}) - $signed(SUM_BITS'(product));
    octave_of_sum <= octave_of_product;
    zero_of_sum   <= zero_of_product;
    e <= zero_of_sum ? '0 : rounded[EXP_BITS-1:0];
  end

  round_shift #(.WIDTH(SUM_BITS)) rounding (.word(sum), .shift(6'd8 + 6'(octave_of_sum)), .rounded(rounded));
endmodule
