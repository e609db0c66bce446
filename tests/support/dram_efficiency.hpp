// SPDX-License-Identifier: Apache-2.0
#pragma once

// Share of a DRAM channel's bandwidth that a stream of accesses gets, and the share its specification allows.

#include <algorithm>
#include <deque>

#include "sim/datapath/dram.hpp"
#include "sim/mapping/dram_timing.hpp"
#include "tests/sim/datapath/kernel_bench.hpp"

namespace prelude::sim::testing {

/// Reads of `bytes` at multiples of `stride`, as many of them outstanding as hide the latency, for 40 refresh intervals.
struct AccessStream {
    std::int64_t bytes = 64, stride = 64;
};

/// A channel of a kind of memory at its usual bandwidth, in cycles of a fast clock: rounding to cycles plays no part.
inline Hardware channel_of(std::string_view kind, double gb_per_s) {
    Design design;
    design.device.dram_kind = kind;
    design.clock_mhz = 4000;
    design.dram.gb_per_s = gb_per_s;
    design.dram.channels = 1;
    return resolve(design, {});
}

/// Bytes over the bytes that the bus could have moved in that time.
inline double efficiency(const Hardware& hardware, const AccessStream& stream) {
    const auto text = in_kernel([&] {
        class Reader final : public sc_core::sc_module {
          public:
            tlm_utils::simple_initiator_socket<Reader> out{"out"};
            Cycle last = -1;
            std::int64_t count = 0;
            Reader(const sc_core::sc_module_name& name, const AccessStream& accesses, Cycle until) : sc_module(name), accesses_(accesses), until_(until) {
                SC_HAS_PROCESS(Reader);
                SC_THREAD(work);
            }

          private:
            void work() {
                constexpr std::size_t kOutstanding = 64;
                std::deque<Cycle> under_way;
                Cycle end = 0;
                for (; end < until_; ++count) {
                    if (under_way.size() == kOutstanding) {
                        if (under_way.front() > now()) wait(ticks(under_way.front() - now()));
                        under_way.pop_front();
                    }
                    tlm::tlm_generic_payload payload;
                    payload.set_command(tlm::TLM_READ_COMMAND);
                    payload.set_address(static_cast<sc_dt::uint64>(count * accesses_.stride));
                    payload.set_data_length(static_cast<unsigned>(accesses_.bytes));
                    auto delay = sc_core::SC_ZERO_TIME;
                    out->b_transport(payload, delay);
                    end = now() + static_cast<Cycle>(delay.value());
                    under_way.push_back(end);
                }
                last = end;
            }
            AccessStream accesses_;
            Cycle until_;
        };
        Reader reader("reader", stream, 40 * hardware.refresh_interval);
        DramChannel channel("dram", hardware);
        reader.out.bind(channel.access_in);
        while (reader.last < 0) sc_core::sc_start(ticks(100'000));
        const auto moved = static_cast<double>(stream.bytes * reader.count * hardware.dram_bytes_denominator);
        return std::to_string(moved / static_cast<double>((reader.last - hardware.latency_cycles) * hardware.dram_bytes_numerator));
    });
    return std::stod(text);
}

/// The most the specification allows the stream.
///
/// Meaning   the slowest of: the bus with whole granules; a row every max(tRRD, tFAW / 4); where all accesses meet one bank, a row every
///           max(tRAS, tRCD + transfer) + tRP; of all of it the time that refresh leaves
inline double allowed(const Hardware& hardware, const AccessStream& stream) {
    const auto& h = hardware;
    const double bytes_per_cycle = static_cast<double>(h.dram_bytes_numerator) / static_cast<double>(h.dram_bytes_denominator);
    const auto granules = (stream.bytes + h.granule_bytes - 1) / h.granule_bytes * h.granule_bytes;
    const double transfer = static_cast<double>(granules) / bytes_per_cycle;
    const bool new_row = stream.stride >= h.row_bytes, one_bank = stream.stride % (h.row_bytes * h.num_banks) == 0;
    double period = transfer;
    if (new_row) period = std::max({period, static_cast<double>(h.activate_gap_cycles), static_cast<double>(h.four_activates_cycles) / 4});
    if (new_row && one_bank)
        period = std::max(period, std::max(static_cast<double>(h.row_active_cycles), static_cast<double>(h.activate_cycles) + transfer) + static_cast<double>(h.precharge_cycles));
    const double refresh = 1 - static_cast<double>(h.refresh_cycles) / static_cast<double>(h.refresh_interval);
    return static_cast<double>(stream.bytes) / bytes_per_cycle / period * refresh;
}

struct KindOfMemory {
    const char* kind;
    double gb_per_s;  ///< of a channel
};
inline constexpr KindOfMemory kKindsOfMemory[] = {{"ddr3", 8.53}, {"ddr4", 19.2}, {"lpddr4", 6.4}, {"hbm2", 14.375}};

}  // namespace prelude::sim::testing
