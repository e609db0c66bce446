// SPDX-License-Identifier: Apache-2.0
// One output of the array: DEPTH lanes, their adder tree, and the sums of a piece in two banks.
//
//   left factors / powers ─┐
//                          ├─► [ multiply | shift ] ─► adder tree ─► + ─► bank 0 | bank 1
//   right words ───────────┘
//
// Sums    KIND 0: one. KIND 1: one for each residue. KIND 2: of powers, and of steps
// Timing  lane 1, tree ceil(log2 DEPTH), accumulator 1; everything moves while `advance`
module pe #(
    parameter int KIND = 0,
    parameter int DEPTH = 4,
    parameter int LEFT_BITS = 8,
    parameter int RIGHT_BITS = 8,
    parameter int CAP = 15,
    parameter int NUM_SUMS = 1,
    parameter int ACC_BITS = 32
) (
    input  logic                                 clk,
    input  logic                                 advance,
    input  logic [DEPTH*(LEFT_BITS+1)-1:0]       factors,
    input  logic [DEPTH-1:0]                     has_power,
    input  logic [DEPTH*5-1:0]                   shifts,
    input  logic [DEPTH*2-1:0]                   residues,
    input  logic [DEPTH*(RIGHT_BITS+1)-1:0]      rights,       // signed
    // of the beat that reaches the accumulators
    input  logic                                 accumulate,
    input  logic                                 first,
    input  logic                                 bank,
    input  logic [4:0]                           part_shift,
    input  logic                                 drain_bank,
    output logic [NUM_SUMS*ACC_BITS-1:0]         drained
);
  localparam int LEVELS = $clog2(DEPTH);
  localparam int LEAVES = 1 << LEVELS;
  // A lane's product: factor x right, or right shifted by up to CAP.
  localparam int LANE_BITS = (KIND == 0) ? LEFT_BITS + RIGHT_BITS + 2 : RIGHT_BITS + 1 + ((CAP > LEFT_BITS) ? CAP : LEFT_BITS + 1);

  logic signed [ACC_BITS-1:0] acc[2*NUM_SUMS];

  genvar s, d, l;
  generate
    for (s = 0; s < NUM_SUMS; s++) begin : g_sum
      // nodes of the tree: level l holds LEAVES >> l sums of LANE_BITS + l bits, all registered
      logic signed [LANE_BITS+LEVELS-1:0] node[LEVELS+1][LEAVES];
      for (d = 0; d < LEAVES; d++) begin : g_lane
        if (d < DEPTH) begin : g_used
          logic signed [RIGHT_BITS:0] right;
          logic signed [LEFT_BITS:0] factor;
          logic signed [LANE_BITS-1:0] product;
          assign right = rights[d*(RIGHT_BITS+1) +: RIGHT_BITS+1];
          assign factor = factors[d*(LEFT_BITS+1) +: LEFT_BITS+1];
          if (KIND == 0 || (KIND == 2 && s == 1)) begin : g_multiply
            assign product = LANE_BITS'(right) * LANE_BITS'(factor);
          end else begin : g_shift
            logic taken;
            assign taken = has_power[d] && (KIND == 2 || residues[d*2 +: 2] == 2'(s));
            assign product = taken ? LANE_BITS'(right) <<< shifts[d*5 +: 5] : '0;
          end
          always_ff @(posedge clk) if (advance) node[0][d] <= (LANE_BITS+LEVELS)'(product);
        end else begin : g_empty
          assign node[0][d] = '0;
        end
      end
      for (l = 1; l <= LEVELS; l++) begin : g_level
        for (d = 0; d < (LEAVES >> l); d++) begin : g_add
          always_ff @(posedge clk) if (advance) node[l][d] <= node[l-1][2*d] + node[l-1][2*d+1];
        end
        for (d = LEAVES >> l; d < LEAVES; d++) begin : g_rest
          assign node[l][d] = '0;
        end
      end
      logic signed [ACC_BITS-1:0] addend, held;
      assign addend = ACC_BITS'(node[LEVELS][0]) <<< part_shift;
      assign held = first ? '0 : (bank ? acc[2*s+1] : acc[2*s]);
      always_ff @(posedge clk) begin
        if (advance && accumulate) begin
          if (bank) acc[2*s+1] <= held + addend;
          else acc[2*s] <= held + addend;
        end
      end
      assign drained[s*ACC_BITS +: ACC_BITS] = drain_bank ? acc[2*s+1] : acc[2*s];
    end
  endgenerate
endmodule
