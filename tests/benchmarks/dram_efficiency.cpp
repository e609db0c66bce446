// SPDX-License-Identifier: Apache-2.0
// DRAM efficiency against burst length and stride, beside what the specification allows: "measured / allowed" in percent of the bandwidth.
#include <fmt/format.h>

#include "tests/support/dram_efficiency.hpp"

using namespace prelude::sim;
using namespace prelude::sim::testing;

int main() {
    for (const auto& [kind, gb_per_s] : kKindsOfMemory) {
        const auto hardware = channel_of(kind, gb_per_s);
        const auto row = hardware.row_bytes;
        fmt::print("{}, {} GB/s a channel: {}\n", kind, gb_per_s, dram_timing(kind).source);
        fmt::print("{:>8}  {:>15}  {:>15}  {:>15}\n", "bytes", "in order", "a row each", "one bank");
        for (const std::int64_t bytes : {32, 64, 128, 256, 512, 1024, 4096}) {
            fmt::print("{:>8}", bytes);
            for (const std::int64_t stride : {bytes, std::max(row, bytes), row * hardware.num_banks}) {
                const AccessStream stream{.bytes = bytes, .stride = stride};
                fmt::print("  {:>6.1f} / {:>6.1f}", 100 * efficiency(hardware, stream), 100 * allowed(hardware, stream));
            }
            fmt::print("\n");
        }
    }
}
