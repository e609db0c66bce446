// SPDX-License-Identifier: Apache-2.0
#pragma once

// Time of a process that runs ahead of the kernel as long as no other process can run: what it does is what it would have done waiting cycle by
// cycle, without the kernel's work for every burst. Rides on a tlm_generic_payload to whoever may have to wait in its stead.

#include <systemc>
#include <tlm>

#include "sim/datapath/context.hpp"

namespace prelude::sim {

/// Contract
///  - now() is at least the kernel's time; wait_until() is the only way on;
///  - other processes see effects in the order of time: the kernel catches up before anything else happens at or before now();
///  - `synchronise` before anything but payloads with this extension leaves the process.
class LocalTime final : public tlm::tlm_extension<LocalTime> {
  public:
    /// At the kernel's time.
    void start() {
        base_ = time_ = sim::now();
        const auto next = sc_core::sc_time_to_pending_activity();
        horizon_ = next == sc_core::SC_ZERO_TIME ? base_ : base_ + static_cast<Cycle>(std::min(next.value(), kFar));
    }
    [[nodiscard]] Cycle now() const noexcept { return time_; }
    /// Of the kernel, which stands still while time runs ahead.
    [[nodiscard]] Cycle kernel() const noexcept { return base_; }
    void wait_until(Cycle at) {
        if (at < horizon_) {
            time_ = std::max(time_, at);
        } else if (at > base_) {
            sc_core::wait(ticks(at - base_));
            start();
        }
    }
    void synchronise() {
        if (time_ > base_) {
            sc_core::wait(ticks(time_ - base_));
            start();
        }
    }

    [[nodiscard]] tlm::tlm_extension_base* clone() const override { return new LocalTime(*this); }
    void copy_from(const tlm::tlm_extension_base& other) override { *this = static_cast<const LocalTime&>(other); }

  private:
    static constexpr sc_dt::uint64 kFar = sc_dt::uint64{1} << 60;
    Cycle base_ = 0, time_ = 0, horizon_ = 0;
};

}  // namespace prelude::sim
