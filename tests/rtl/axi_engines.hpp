// SPDX-License-Identifier: Apache-2.0
#pragma once

// Verilated dma_read and dma_write with AXI slaves whose beats and answers come when the memory behind `transport` says. Their clock is the owner's:
// before_tick(), tick(), then wait for a cycle and look at tile_done().

#include <deque>
#include <functional>
#include <systemc>
#include <tlm>
#include <utility>
#include <vector>

#include "sim/datapath/memory_unit.hpp"
#include "tests/rtl/ports.hpp"

namespace prelude::rtl {

using sim::ByteRun;
using sim::Cycle;

/// Sends a burst to memory: may block while it cannot be taken; the delay is that of its completion.
using Transport = std::function<void(tlm::tlm_generic_payload&, sc_core::sc_time&)>;

/// What both engines have: runs on their way in, bursts on their way to memory.
template <class Module>
class AxiEngine : public sc_core::sc_module {
  public:
    AxiEngine(const sc_core::sc_module_name& name, const sim::Hardware& hardware, tlm::tlm_command direction, Transport transport)
        : sc_module(name), hardware_(hardware), direction_(direction), transport_(std::move(transport)) {
        dma_->reset = 1;
        dma_.tick();
        dma_->reset = 0;
        SC_HAS_PROCESS(AxiEngine);
        SC_THREAD(send);
    }

    /// A tile behind those submitted before.
    void submit(const std::vector<ByteRun>& runs) {
        for (std::size_t i = 0; i < runs.size(); ++i) runs_.push_back({runs[i], i + 1 == runs.size()});
    }
    /// The engine works on the last run, or has finished it.
    [[nodiscard]] bool has_taken_all() const noexcept { return runs_.empty(); }
    [[nodiscard]] bool tile_done() { return dma_->tile_done; }
    /// Tiles done so far, before this cycle's.
    [[nodiscard]] std::int64_t num_done() const noexcept { return num_done_; }

  protected:
    struct Request {
        std::size_t port = 0;
        ByteRun bytes;
    };

    void offer_run() {
        dma_->run_valid = !runs_.empty();
        if (runs_.empty()) return;
        dma_->run_address = static_cast<std::uint64_t>(runs_.front().first.begin);
        dma_->run_length = static_cast<std::uint32_t>(runs_.front().first.size());
        dma_->run_last = runs_.front().second;
    }
    void take_run() {
        if (dma_->run_valid && dma_->run_ready) runs_.pop_front();
    }
    /// All ports take an address, or none: one is on its way at a time.
    [[nodiscard]] std::uint8_t address_ready() const noexcept {
        return requests_.empty() ? static_cast<std::uint8_t>((1U << hardware_.ports) - 1) : std::uint8_t{0};
    }
    void take_address(unsigned valid_and_ready, std::uint64_t address, std::int64_t length) {
        for (std::size_t p = 0; p < static_cast<std::size_t>(hardware_.ports); ++p) {
            if (!(valid_and_ready >> p & 1U)) continue;
            requests_.push_back({p, {static_cast<std::int64_t>(address), static_cast<std::int64_t>(address) + length}});
            requested_.notify(sc_core::SC_ZERO_TIME);
        }
    }
    /// A burst was taken; it completes at `at`.
    virtual void accepted(const Request& request, Cycle at) = 0;
    void count_done() { num_done_ += dma_->tile_done ? 1 : 0; }

    const sim::Hardware& hardware_;
    Clocked<Module> dma_;

  private:
    void send() {
        for (;;) {
            while (requests_.empty()) wait(requested_);
            const auto request = requests_.front();
            tlm::tlm_generic_payload payload;
            payload.set_command(direction_);
            payload.set_address(static_cast<sc_dt::uint64>(request.bytes.begin));
            payload.set_data_length(static_cast<unsigned>(request.bytes.size()));
            auto delay = sc_core::SC_ZERO_TIME;
            transport_(payload, delay);
            accepted(request, sim::now() + static_cast<Cycle>(delay.value()));
            requests_.pop_front();
        }
    }

    tlm::tlm_command direction_;
    Transport transport_;
    std::deque<std::pair<ByteRun, bool>> runs_;  ///< and whether it is the last of its tile
    std::deque<Request> requests_;
    sc_core::sc_event requested_;
    std::int64_t num_done_ = 0;
};

template <class Module>
class LoadEngine final : public AxiEngine<Module> {
  public:
    using Base = AxiEngine<Module>;
    /// A byte of DRAM by address.
    using Memory = std::function<std::uint8_t(std::int64_t)>;
    LoadEngine(const sc_core::sc_module_name& name, const sim::Hardware& hardware, Transport transport, Memory memory)
        : Base(name, hardware, tlm::TLM_READ_COMMAND, std::move(transport)), memory_(std::move(memory)), bursts_(static_cast<std::size_t>(hardware.ports)) {}

    void before_tick() {
        auto& dma = this->dma_;
        this->count_done();
        this->offer_run();
        dma->ar_ready = this->address_ready();
        dma->r_valid = 0;
        dma.eval();
        for (std::size_t p = 0; p < bursts_.size(); ++p) beat(p);
        dma.eval();
    }
    void tick() {
        auto& dma = this->dma_;
        this->take_address(dma->ar_valid & dma->ar_ready, dma->ar_address, dma->ar_length);
        this->take_run();
        dma.tick();
    }
    /// Calls visit(tile, offset, byte) for what is received in this cycle; tiles are counted from 0.
    template <class Visit>
    void for_each_byte(Visit visit) {
        auto& dma = this->dma_;
        const auto bytes = static_cast<std::size_t>(this->hardware_.port_bytes);
        for (std::size_t p = 0; p < bursts_.size(); ++p) {
            if (!(dma->byte_valid >> p & 1U)) continue;
            const auto offset = signed_field(dma->byte_offset, p * 24, 24) & 0xFFFFFF, place = signed_field(dma->byte_tile, p * 3, 3) & 7;
            const auto count = static_cast<std::size_t>(signed_field(dma->byte_count, p * 8, 8) & 0xFF);
            auto tile = this->num_done();
            while (tile % 8 != place) ++tile;
            for (std::size_t i = 0; i < count; ++i)
                visit(tile, offset + static_cast<std::int64_t>(i), static_cast<std::uint8_t>(signed_field(dma->byte_data, (p * bytes + i) * 8, 8)));
        }
    }
    Module& module() { return *this->dma_; }

  private:
    struct Burst {
        ByteRun bytes;
        Cycle last = 0;  ///< the cycle in which its last beat is on the channel
        std::int64_t beats = 0, sent = 0;
    };
    void accepted(const typename Base::Request& request, Cycle at) override {
        const auto width = std::int64_t{this->hardware_.port_bytes};
        const auto beats = (request.bytes.end + width - 1) / width - request.bytes.begin / width;
        bursts_[request.port].push_back({.bytes = request.bytes, .last = at - 1, .beats = beats});
    }
    /// The port's next beat, if it is time: the beats of a burst end with its completion.
    void beat(std::size_t port) {
        if (bursts_[port].empty()) return;
        auto& burst = bursts_[port].front();
        if (sim::now() < burst.last - (burst.beats - 1 - burst.sent)) return;
        auto& dma = this->dma_;
        dma->r_valid |= static_cast<std::uint8_t>(1U << port);
        const auto width = std::int64_t{this->hardware_.port_bytes}, begin = (burst.bytes.begin / width + burst.sent) * width;
        for (std::int64_t i = 0; i < width; ++i)
            set_field(dma->r_data, static_cast<std::size_t>((static_cast<std::int64_t>(port) * width + i) * 8), 8, memory_(begin + i));
        if (++burst.sent == burst.beats) bursts_[port].pop_front();
    }

    Memory memory_;
    std::vector<std::deque<Burst>> bursts_;
};

template <class Module>
class StoreEngine final : public AxiEngine<Module> {
  public:
    using Base = AxiEngine<Module>;
    /// A byte that a tile holds; tiles are counted from 0.
    using Source = std::function<std::uint8_t(std::int64_t tile, std::int64_t offset)>;
    /// A byte on its way to DRAM; `asked`: it lies in the burst.
    using Sink = std::function<void(std::int64_t address, std::uint8_t byte, bool asked)>;
    StoreEngine(const sc_core::sc_module_name& name, const sim::Hardware& hardware, Transport transport, Source source, Sink sink)
        : Base(name, hardware, tlm::TLM_WRITE_COMMAND, std::move(transport)), source_(std::move(source)), sink_(std::move(sink)),
          bursts_(static_cast<std::size_t>(hardware.ports)), answers_(bursts_.size()), unanswered_(bursts_.size()) {}

    void before_tick() {
        auto& dma = this->dma_;
        this->count_done();
        this->offer_run();
        dma->aw_ready = this->address_ready();
        dma->b_valid = 0;
        for (std::size_t p = 0; p < answers_.size(); ++p) {
            if (answers_[p].empty() || sim::now() < answers_[p].front() || unanswered_[p] == 0) continue;
            dma->b_valid |= static_cast<std::uint8_t>(1U << p);
            answers_[p].pop_front();
            --unanswered_[p];
        }
        dma.eval();
        give_bytes();
        dma.eval();
    }
    void tick() {
        auto& dma = this->dma_;
        for (std::size_t p = 0; p < bursts_.size(); ++p) {
            if (dma->w_valid >> p & 1U) beat(p);
            if (dma->aw_valid & dma->aw_ready & (1U << p)) bursts_[p].push_back({{static_cast<std::int64_t>(dma->aw_address), static_cast<std::int64_t>(dma->aw_address) + dma->aw_length}});
        }
        this->take_address(dma->aw_valid & dma->aw_ready, dma->aw_address, dma->aw_length);
        this->take_run();
        dma.tick();
    }
    /// Beats since the last call that were not marked as the last of their burst and are, or the other way round.
    [[nodiscard]] std::int64_t take_wrong_ends() noexcept { return std::exchange(wrong_ends_, 0); }

  private:
    struct Burst {
        ByteRun bytes;
        std::int64_t sent = 0;
    };
    void accepted(const typename Base::Request& request, Cycle at) override { answers_[request.port].push_back(at - 1); }
    /// What the engine asks for: beats from an offset of one of the tiles that are not done.
    void give_bytes() {
        auto& dma = this->dma_;
        const auto width = static_cast<std::size_t>(this->hardware_.port_bytes);
        for (std::size_t p = 0; p < bursts_.size(); ++p) {
            const auto offset = signed_field(dma->byte_offset, p * 24, 24) & 0xFFFFFF, place = signed_field(dma->byte_tile, p * 3, 3) & 7;
            auto tile = this->num_done();
            while (tile % 8 != place) ++tile;
            for (std::size_t i = 0; i < width; ++i) set_field(dma->byte_data, (p * width + i) * 8, 8, source_(tile, offset + static_cast<std::int64_t>(i)));
        }
    }
    void beat(std::size_t port) {
        auto& dma = this->dma_;
        auto& burst = bursts_[port].front();
        const auto width = std::int64_t{this->hardware_.port_bytes}, begin = (burst.bytes.begin / width + burst.sent) * width;
        for (std::int64_t i = 0; i < width; ++i) {
            const auto at = static_cast<std::size_t>(static_cast<std::int64_t>(port) * width + i);
            const bool asked = begin + i >= burst.bytes.begin && begin + i < burst.bytes.end, strobe = signed_field(dma->w_strobe, at, 1) != 0;
            if (strobe) sink_(begin + i, static_cast<std::uint8_t>(signed_field(dma->w_data, at * 8, 8)), asked);
        }
        ++burst.sent;
        const bool ends = begin + width >= burst.bytes.end;
        wrong_ends_ += ends != ((dma->w_last >> port & 1U) != 0) ? 1 : 0;
        if (!ends) return;
        bursts_[port].pop_front();
        ++unanswered_[port];
    }

    Source source_;
    Sink sink_;
    std::vector<std::deque<Burst>> bursts_;
    std::vector<std::deque<Cycle>> answers_;  ///< when memory has the bursts, oldest first
    std::vector<int> unanswered_;             ///< bursts whose last beat has come: none is answered before
    std::int64_t wrong_ends_ = 0;
};

}  // namespace prelude::rtl
