// SPDX-License-Identifier: Apache-2.0
#include "sim/datapath/dma.hpp"

#include <algorithm>

#include "sim/datapath/payloads.hpp"

namespace prelude::sim {

Cycle Dma::execute(const Command& command) {
    Tile* tile = nullptr;
    if (command.opcode == Opcode::store) {
        store_runs(run_, command, runs_);
        const auto read = access(command.left, false, tile_bits(run_, command), &tile);
        if (tile) store_tile(run_, command, *tile);
        return std::max(transfer(true), read);
    }
    load_runs(run_, command, runs_);
    const auto completion = transfer(false);
    const auto written = access(command.target, true, tile_bits(run_, command), &tile);
    if (tile) fill_tile(run_, command, *tile);
    return std::max(completion, written);
}

Cycle Dma::transfer(bool write) {
    const auto stripe = run_.hardware->burst_bytes;
    Cycle completion = now();
    time_.start();
    burst_.set_command(write ? tlm::TLM_WRITE_COMMAND : tlm::TLM_READ_COMMAND);
    for (const auto& run : runs_) {
        for (auto address = run.begin; address < run.end;) {
            const auto end = std::min(run.end, (address / stripe + 1) * stripe);
            burst_.set_address(static_cast<sc_dt::uint64>(address));
            burst_.set_data_length(static_cast<unsigned>(end - address));
            auto delay = sc_core::SC_ZERO_TIME;
            burst_out->b_transport(burst_, delay);
            completion = std::max(completion, time_.kernel() + static_cast<Cycle>(delay.value()));
            address = end;
            time_.wait_until(time_.now() + 1);
        }
    }
    time_.synchronise();
    runs_.clear();
    return completion;
}

}  // namespace prelude::sim
