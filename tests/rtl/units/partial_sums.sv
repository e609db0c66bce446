// SPDX-License-Identifier: Apache-2.0
// The partial-sum buffer behind the array: sums of terms meet here, each times its constant.
//
//   Acc = sum over terms t, residues s of m 2^x A,  (m, x) the constants of entry t NUM_SUMS + s
//
// Groups of rows come as they leave the array, LANES sums a cycle: constant, product, then read, add and write back in one cycle (distributed RAM: the next
// access to the same group may follow at once). With the last sum of the last term the accumulators leave.
//
// Timing  a group a cycle; what leaves stands three cycles behind what came
module partial_sums #(
    parameter int LANES = 8,
    parameter int GROUPS = 2,
    parameter int NUM_SUMS = 1,
    parameter int SUM_BITS = 48,
    parameter int ACC_BITS = 63,
    parameter int CONSTANTS = 64
) (
    input  logic                        clk,
    // constants are written before the first sums come
    input  logic                        load,
    input  logic [7:0]                  load_entry,
    input  logic [15:0]                 load_multiplier,
    input  logic [5:0]                  load_exponent,
    input  logic                        valid_in,
    input  logic [15:0]                 group,
    input  logic [3:0]                  sum,
    input  logic [7:0]                  tag,       // {term[5:0], last, first}
    input  logic [LANES*SUM_BITS-1:0]   sums,
    output logic                        valid_out,
    output logic [15:0]                 group_out,
    output logic [LANES*ACC_BITS-1:0]   accumulators
);
  localparam int GROUP_BITS = (GROUPS > 1) ? $clog2(GROUPS) : 1;
  logic [15:0] multiplier[CONSTANTS];
  logic [5:0] exponent[CONSTANTS];
  logic [LANES*ACC_BITS-1:0] memory[1<<GROUP_BITS];
  logic [7:0] entry;
  assign entry = 8'(tag[7:2]) * 8'(NUM_SUMS) + 8'(sum);

  logic [1:0] valid, is_first, is_last;
  logic [15:0] group_of[2];
  logic [15:0] m;
  logic [5:0] x, x_next;
  logic [LANES*SUM_BITS-1:0] sums_q;
  logic [LANES*ACC_BITS-1:0] weighed, total, held;
  assign held = memory[group_of[1][GROUP_BITS-1:0]];

  genvar i;
  generate
    for (i = 0; i < LANES; i++) begin : g_lane
      logic signed [SUM_BITS-1:0] a;
      logic signed [ACC_BITS-1:0] product;
      assign a = sums_q[i*SUM_BITS +: SUM_BITS];
      always_ff @(posedge clk) product <= ACC_BITS'(a) * $signed({{(ACC_BITS-16){1'b0}}, m});
      assign weighed[i*ACC_BITS +: ACC_BITS] = product <<< x_next;
      assign total[i*ACC_BITS +: ACC_BITS] = (is_first[1] ? '0 : held[i*ACC_BITS +: ACC_BITS]) + weighed[i*ACC_BITS +: ACC_BITS];
    end
  endgenerate

  always_ff @(posedge clk) begin
    if (load) begin
      multiplier[load_entry[$clog2(CONSTANTS)-1:0]] <= load_multiplier;
      exponent[load_entry[$clog2(CONSTANTS)-1:0]] <= load_exponent;
    end
    m <= multiplier[entry[$clog2(CONSTANTS)-1:0]];
    x <= exponent[entry[$clog2(CONSTANTS)-1:0]];
    x_next <= x;
    sums_q <= sums;
    valid <= {valid[0], valid_in};
    is_first <= {is_first[0], tag[0] && sum == 4'd0};
    is_last <= {is_last[0], tag[1] && sum == 4'(NUM_SUMS - 1)};
    group_of[0] <= group;
    group_of[1] <= group_of[0];
    if (valid[1]) memory[group_of[1][GROUP_BITS-1:0]] <= total;
    valid_out <= valid[1] && is_last[1];
    group_out <= group_of[1];
    accumulators <= total;
  end
endmodule
