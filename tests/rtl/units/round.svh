// SPDX-License-Identifier: Apache-2.0
// Rounding shared by the units: to nearest, ties to the even neighbour (docs/numerics.md section 2).
`ifndef PRELUDE_ROUND_SVH
`define PRELUDE_ROUND_SVH

// RNE(v * 2^-n), 0 <= n < 64: half of the last bit less one, and one more where the bit that is kept is odd.
function automatic logic signed [63:0] rne_shift(input logic signed [63:0] v, input logic [5:0] n);
  logic signed [64:0] wide;
  if (n == 0) return v;
  wide = 65'(v);
  wide = wide + ((65'sd1 << (n - 6'd1)) - 65'sd1) + $signed({64'b0, v[n]});
  return 64'(wide >>> n);
endfunction

`endif
