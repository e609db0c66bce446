// SPDX-License-Identifier: Apache-2.0
#pragma once

// An on-chip buffer: BRAM or URAM banks side by side, as wide as its widest client, cut into slots that ping-pong.
//
//   clients ──tile_in──► slot port (read / write) ──► banks
//
// Parameters  width_bits (all banks together; buffer_width_bits() of mapping/hardware.hpp), functional
// Ports       tile_in (multi, blocking; address = slot): a transfer of b bits takes ceil(b / width) cycles of the slot's read
//             or write port;
//             transfers of one slot and direction queue, two slots never collide (they are different banks)
// Counters    bits and port accesses, read and written
// Limits      capacity is enforced by the mapper, not here

#include <tlm_utils/multi_passthrough_target_socket.h>

#include <map>
#include <systemc>
#include <tlm>

#include "sim/datapath/context.hpp"
#include "sim/datapath/tile.hpp"

namespace prelude::sim {

class Buffer final : public sc_core::sc_module {
  public:
    tlm_utils::multi_passthrough_target_socket<Buffer> tile_in{"tile_in"};

    Buffer(const sc_core::sc_module_name& name, std::int64_t width_bits) : sc_module(name), width_bits_(width_bits) {
        tile_in.register_b_transport(this, &Buffer::transport);
    }

    void reset(bool functional) {
        functional_ = functional;
        stats_ = {};
        slots_.clear();
    }
    [[nodiscard]] const BufferStats& stats() const noexcept { return stats_; }

  private:
    struct SlotState {
        Cycle read_free = 0, write_free = 0;
        Tile tile;
    };

    void transport(int, tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
        auto* access = payload.get_extension<TileExtension>();
        auto& slot = slots_[static_cast<std::int16_t>(payload.get_address())];
        const auto accesses = (access->bits + width_bits_ - 1) / width_bits_;
        const bool write = payload.is_write();
        (write ? stats_.bits_written : stats_.bits_read) += access->bits;
        (write ? stats_.write_accesses : stats_.read_accesses) += accesses;
        auto& free = write ? slot.write_free : slot.read_free;
        const auto arrival = now() + static_cast<Cycle>(delay.value());
        free = std::max(free, arrival) + accesses;
        delay += ticks(free - arrival);
        access->tile = functional_ ? &slot.tile : nullptr;
        payload.set_response_status(tlm::TLM_OK_RESPONSE);
    }

    std::int64_t width_bits_;
    bool functional_ = false;
    BufferStats stats_;
    std::map<std::int16_t, SlotState> slots_;
};

}  // namespace prelude::sim
