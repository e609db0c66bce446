// SPDX-License-Identifier: Apache-2.0
// Last stage of softmax: codes of exponentials by comparison with thresholds scaled to the row, CODE_BITS levels of a binary search.
//
//   reference ──► [ level 0 ] ─► [ level 1 ] ─► ...   each scales thresholds of its own, a cycle behind the level before
//   e ──────────► [ 1 bound ] ─► [ 2 bounds ] ─► ... ──► codes: the number of thresholds that e reaches (that it does not reach, where `inclusive` is set)
//
// Timing      search: LANES words a cycle, latency CODE_BITS. Scaling for n levels (`scale_words` = 2^(n-1)): a row every scale_words cycles;
//             `scaled` comes 2 + scale_words cycles behind `scale`, words that search with these bounds a cycle later at the earliest
// Parameters  as of threshold_level
// Contract    threshold t in [1, 2^n) of codes of n bits is written at t 2^(CODE_BITS-n); the code is then in the top n bits
module threshold_search #(
    parameter int LANES = 16,
    parameter int EXP_BITS = 16,
    parameter int REFERENCE_BITS = 28,
    parameter int CODE_BITS = 8
) (
    input  logic                       clk,
    input  logic                       reset,
    input  logic                       load,
    input  logic [CODE_BITS-1:0]       load_index,
    input  logic [15:0]                load_mantissa,
    input  logic [5:0]                 load_shift,
    input  logic                       inclusive,
    input  logic [CODE_BITS-1:0]       scale_words,
    input  logic                       scale,
    input  logic [REFERENCE_BITS-1:0]  reference,
    output logic                       scaled,
    input  logic [LANES*EXP_BITS-1:0]  e,
    output logic [LANES*CODE_BITS-1:0] codes
);
  localparam int E = LANES * EXP_BITS;
  localparam int C = LANES * CODE_BITS;
  localparam int R = REFERENCE_BITS;

  // Words and strobes as they reach each level.
  /* verilator lint_off UNUSEDSIGNAL */ // nobody is behind the last level
  logic [(CODE_BITS+1)*E-1:0] e_at;
  /* verilator lint_on UNUSEDSIGNAL */
  logic [(CODE_BITS+1)*C-1:0] codes_at;
  logic [CODE_BITS*R-1:0] reference_at;
  logic [(CODE_BITS-1)*R-1:0] reference_past;
  logic [CODE_BITS-1:0] scale_at, scale_bank_at, bank_at;
  logic [CODE_BITS-2:0] scale_past, scale_bank_past, bank_past;
  logic scale_bank, bank, counting, finished;
  logic [CODE_BITS-1:0] count;

  assign e_at[E-1:0] = e;
  assign codes_at[C-1:0] = '0;
  assign codes = codes_at[CODE_BITS*C+:C];
  assign reference_at = {reference_past, reference};
  assign scale_at = {scale_past, scale};
  assign scale_bank_at = {scale_bank_past, ~scale_bank};  // the bank that `bank` becomes
  assign bank_at = {bank_past, bank};

  always_ff @(posedge clk) begin
    finished <= counting && count == 0;
    scaled   <= finished;
    reference_past  <= reference_at[(CODE_BITS-1)*R-1:0];
    scale_past      <= reset ? '0 : scale_at[CODE_BITS-2:0];
    scale_bank_past <= scale_bank_at[CODE_BITS-2:0];
    bank_past       <= bank_at[CODE_BITS-2:0];
    count    <= scale ? scale_words - 1'b1 : count - 1'b1;
    if (reset) {scale_bank, bank, counting} <= '0;
    else begin
      scale_bank <= scale_bank ^ scale;
      bank       <= bank ^ scaled;
      counting   <= scale | (counting && count != 0);
    end
  end

  generate
    for (genvar level = 0; level < CODE_BITS; level++) begin : g_level
      localparam int TAIL = CODE_BITS - 1 - level;  // zeros behind the level's bit in the index of its thresholds
      localparam int INDEX_BITS = level == 0 ? 1 : level;
      logic mine;
      assign mine = load_index[TAIL:0] == (TAIL + 1)'(1 << TAIL);
      threshold_level #(.LEVEL(level), .LANES(LANES), .EXP_BITS(EXP_BITS), .REFERENCE_BITS(REFERENCE_BITS), .CODE_BITS(CODE_BITS)) search (
          .clk(clk), .reset(reset), .load(load && mine), .load_index(INDEX_BITS'({1'b0, load_index} >> (TAIL + 1))), .load_mantissa(load_mantissa),
          .load_shift(load_shift), .inclusive(inclusive), .scale(scale_at[level]), .scale_bank(scale_bank_at[level]),
          .reference(reference_at[level*R+:R]), .bank(bank_at[level]), .e_in(e_at[level*E+:E]), .codes_in(codes_at[level*C+:C]),
          .e_out(e_at[(level+1)*E+:E]), .codes_out(codes_at[(level+1)*C+:C]));
    end
  endgenerate
endmodule
