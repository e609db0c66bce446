// SPDX-License-Identifier: Apache-2.0
// A left word as the lanes of a row use it: a factor to multiply by, a power to shift by, or both.
//
//   KIND 0  uniform      factor = the code (or a part of it: unsigned, or signed where it is the top part of a centred word)
//   KIND 1  powers       2^(CAP - e), c = tau e + f: shift CAP - e into the sum of residue f; ZERO and codes beyond the levels are 0
//   KIND 2  hybrid       codes below LEVELS are 2^(CAP - c), 0 where c > CAP; from LEVELS on 2^CAP and a step of c - LEVELS, the first of them 0
//
// Timing  combinational, once per left word, shared by all columns
module pe_decode #(
    parameter int KIND = 0,
    parameter int BITS = 8,
    parameter int TAU_LOG2 = 0,
    parameter int CAP = 15,
    parameter int LEVELS = 16,   // codes that carry powers
    parameter int ZERO = -1      // powers: the code of 0; -1: none
) (
    input  logic [BITS-1:0]      code,
    input  logic                 code_is_signed,
    output logic signed [BITS:0] factor,
    output logic                 has_power,
    output logic [4:0]           shift,
    output logic [1:0]           residue
);
  logic [31:0] wide, octave;
  always_comb begin
    wide = 32'(code);
    octave = wide >> TAU_LOG2;
    factor = '0;
    has_power = 1'b0;
    shift = '0;
    residue = '0;
    if (KIND == 0) begin
      factor = {code_is_signed & code[BITS-1], code};
    end else if (KIND == 1) begin
      has_power = wide < LEVELS && wide != 32'(ZERO) && octave <= CAP;
      shift = 5'(CAP - octave);
      residue = 2'(wide) & 2'((1 << TAU_LOG2) - 1);
    end else if (wide < LEVELS) begin
      has_power = wide <= CAP;
      shift = 5'(CAP - wide);
    end else begin
      has_power = wide != LEVELS;
      shift = 5'(CAP);
      factor = (BITS + 1)'(wide - LEVELS);
    end
  end
endmodule
