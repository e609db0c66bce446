// SPDX-License-Identifier: Apache-2.0
// dma_read.sv and dma_write.sv beside the DMA of the datapath, both in front of the same memory controller and DRAM: every byte of a tile, and the cycles of
// all tiles.
#include <catch2/catch.hpp>

#include <fmt/format.h>

#include <deque>
#include <random>

#include "LoadOnePort.h"
#include "LoadTwoPorts.h"
#include "StoreOnePort.h"
#include "StoreTwoPorts.h"
#include "sim/datapath/dma.hpp"
#include "sim/datapath/dram.hpp"
#include "sim/datapath/memory_controller.hpp"
#include "tests/rtl/ports.hpp"
#include "tests/sim/datapath/kernel_bench.hpp"

using namespace prelude;
using namespace prelude::rtl;
using namespace prelude::sim;
using namespace prelude::sim::testing;

namespace {

struct Load {
    std::int64_t address = 0, length = 0;
};

/// What stands at an address of DRAM.
std::uint8_t byte_at(std::int64_t address) { return static_cast<std::uint8_t>((static_cast<std::uint64_t>(address) * 0x9E3779B97F4A7C15U) >> 56); }

Hardware hardware_of(int ports, int port_bytes, int outstanding) {
    Hardware hardware;
    hardware.dram_bytes_numerator = 13, hardware.dram_bytes_denominator = 1;
    hardware.activate_cycles = 5, hardware.precharge_cycles = 7, hardware.turnaround_cycles = 3, hardware.latency_cycles = 23;
    hardware.refresh_cycles = 40, hardware.refresh_interval = 1'900;
    hardware.ports = ports, hardware.port_bytes = port_bytes, hardware.outstanding = outstanding, hardware.burst_bytes = 256;
    return hardware;
}

/// Cycles the datapath's DMA takes for the loads.
std::string cycles_of_loads(const Hardware& hardware, const std::vector<Load>& loads) {
    return in_kernel([&] {
        Bench bench("bench", hardware);
        MemoryController memory("memory", hardware);
        DramChannel channel("dram", hardware);
        memory.access_out.bind(channel.access_in);
        Dma dma("dma", UnitId::weight_dma, bench.run);
        bench.attach(dma);
        dma.burst_out.bind(memory.burst_in);
        bench.program.operands.push_back({.kind = OperandSource::Kind::weights, .bits = 8, .row_words = 1});
        Cycle last = -1;
        dma.done = [&](Cycle cycle) { last = cycle; };
        for (const auto& load : loads) {
            bench.program.stream(UnitId::weight_dma)
                .push_back({.opcode = Opcode::load, .operand = 0, .rows = {0, 1}, .depth = {load.address, load.address + load.length}, .target = {BufferId::weight, 0}});
        }
        sc_core::sc_start(sc_core::SC_ZERO_TIME);
        dma.start.notify(sc_core::SC_ZERO_TIME);
        while (last < 0) sc_core::sc_start(ticks(1'000));
        return std::to_string(last);
    });
}

/// A verilated dma_read with AXI slaves whose beats come when the memory controller and the DRAM of the datapath say.
template <class Module>
class RtlLoads final : public sc_core::sc_module {
  public:
    tlm_utils::simple_initiator_socket<RtlLoads> burst_out{"burst_out"};
    Cycle finished = -1;
    std::int64_t wrong_bytes = 0, right_bytes = 0;

    RtlLoads(const sc_core::sc_module_name& name, const Hardware& hardware, std::vector<Load> loads)
        : sc_module(name), hardware_(hardware), loads_(std::move(loads)), bursts_(static_cast<std::size_t>(hardware.ports)) {
        SC_HAS_PROCESS(RtlLoads);
        SC_THREAD(work);
    }

  private:
    struct Burst {
        Load load;
        Cycle last = 0;  ///< the cycle in which its last beat is on the channel
        std::int64_t beats = 0, sent = 0;
    };

    void work() {
        dma_->reset = 1;
        dma_.tick();
        dma_->reset = 0;
        std::size_t next = 0, done = 0;
        while (done < loads_.size()) {
            dma_->run_valid = next < loads_.size();
            if (next < loads_.size()) {
                dma_->run_address = static_cast<std::uint64_t>(loads_[next].address);
                dma_->run_length = static_cast<std::uint32_t>(loads_[next].length);
                dma_->run_last = 1;
            }
            dma_->ar_ready = static_cast<std::uint8_t>((1U << hardware_.ports) - 1);
            dma_->r_valid = 0;
            dma_.eval();
            for (std::size_t p = 0; p < bursts_.size(); ++p) beat(p);
            dma_.eval();
            take_bytes();
            for (std::size_t p = 0; p < bursts_.size(); ++p)
                if (dma_->ar_valid >> p & 1U) accept(p, {static_cast<std::int64_t>(dma_->ar_address), dma_->ar_length});
            if (dma_->run_valid && dma_->run_ready) ++next;
            dma_.tick();
            wait(ticks(1));
            if (dma_->tile_done) ++done;
        }
        finished = now();
    }

    void accept(std::size_t port, Load load) {
        tlm::tlm_generic_payload payload;
        payload.set_command(tlm::TLM_READ_COMMAND);
        payload.set_address(static_cast<sc_dt::uint64>(load.address));
        payload.set_data_length(static_cast<unsigned>(load.length));
        auto delay = sc_core::SC_ZERO_TIME;
        burst_out->b_transport(payload, delay);
        const auto beats = (load.address + load.length + hardware_.port_bytes - 1) / hardware_.port_bytes - load.address / hardware_.port_bytes;
        bursts_[port].push_back({.load = load, .last = now() + static_cast<Cycle>(delay.value()) - 1, .beats = beats});
    }

    /// The port's next beat, if it is time: the beats of a burst end with its completion.
    void beat(std::size_t port) {
        if (bursts_[port].empty()) return;
        auto& burst = bursts_[port].front();
        if (now() < burst.last - (burst.beats - 1 - burst.sent)) return;
        dma_->r_valid |= static_cast<std::uint8_t>(1U << port);
        const auto bytes = static_cast<std::int64_t>(hardware_.port_bytes), begin = (burst.load.address / bytes + burst.sent) * bytes;
        for (std::int64_t i = 0; i < bytes; ++i)
            set_field(dma_->r_data, static_cast<std::size_t>((static_cast<std::int64_t>(port) * bytes + i) * 8), 8, byte_at(begin + i));
        if (++burst.sent == burst.beats) bursts_[port].pop_front();
    }

    /// Bytes belong to the oldest tile that lacks them: tiles come back in order on every port, and byte by byte their place is known.
    void take_bytes() {
        const auto bytes = static_cast<std::size_t>(hardware_.port_bytes);
        for (std::size_t p = 0; p < bursts_.size(); ++p) {
            if (!(dma_->byte_valid >> p & 1U)) continue;
            const auto offset = static_cast<std::uint64_t>(signed_field(dma_->byte_offset, p * 24, 24)) & 0xFFFFFF;
            const auto count = static_cast<std::uint64_t>(signed_field(dma_->byte_count, p * 8, 8)) & 0xFF;
            for (std::size_t i = 0; i < count; ++i) received_.push_back({offset + i, static_cast<std::uint8_t>(signed_field(dma_->byte_data, (p * bytes + i) * 8, 8))});
        }
        settle();
    }

    /// Each received byte is looked up among the tiles it may belong to, oldest first.
    void settle() {
        for (const auto& [offset, value] : received_) {
            bool found = false;
            for (std::size_t t = first_open_; t < loads_.size() && !found; ++t) {
                auto& left = missing(t);
                if (offset >= left.size() || !left[offset] || byte_at(loads_[t].address + static_cast<std::int64_t>(offset)) != value) continue;
                left[offset] = false;
                found = true;
                ++right_bytes;
                if (--open_bytes_[t] == 0 && t == first_open_) {
                    while (first_open_ < loads_.size() && first_open_ < open_bytes_.size() && open_bytes_[first_open_] == 0) ++first_open_;
                }
            }
            wrong_bytes += found ? 0 : 1;
        }
        received_.clear();
    }

    std::vector<bool>& missing(std::size_t tile) {
        while (missing_.size() <= tile) {
            const auto length = static_cast<std::size_t>(loads_[missing_.size()].length);
            missing_.emplace_back(length, true);
            open_bytes_.push_back(length);
        }
        return missing_[tile];
    }

    const Hardware& hardware_;
    std::vector<Load> loads_;
    Clocked<Module> dma_;
    std::vector<std::deque<Burst>> bursts_;
    std::vector<std::pair<std::uint64_t, std::uint8_t>> received_;
    std::vector<std::vector<bool>> missing_;
    std::vector<std::size_t> open_bytes_;
    std::size_t first_open_ = 0;
};

/// "CYCLES RIGHT WRONG"
template <class Module>
std::string cycles_of_rtl_loads(const Hardware& hardware, const std::vector<Load>& loads) {
    return in_kernel([&] {
        RtlLoads<Module> dma("dma", hardware, loads);
        MemoryController memory("memory", hardware);
        DramChannel channel("dram", hardware);
        memory.access_out.bind(channel.access_in);
        dma.burst_out.bind(memory.burst_in);
        while (dma.finished < 0 && now() < 10'000'000) sc_core::sc_start(ticks(1'000));
        return fmt::format("{} {} {}", dma.finished, dma.right_bytes, dma.wrong_bytes);
    });
}

template <class Module>
void check_loads(const Hardware& hardware, int lists, std::uint64_t seed) {
    std::mt19937_64 random(seed);
    for (int list = 0; list < lists; ++list) {
        std::vector<Load> loads;
        std::int64_t bytes = 0;
        const auto longest = 64U << random() % 8;
        const bool scattered = random() % 2 == 0;
        for (int i = 0; i < 24; ++i) {
            const auto length = static_cast<std::int64_t>(1 + random() % longest);
            const auto before = loads.empty() ? std::int64_t{0} : loads.back().address + loads.back().length;
            loads.push_back({scattered ? static_cast<std::int64_t>(random() % (1U << 22)) : before, length});
            bytes += length;
        }
        const auto model = std::stoll(cycles_of_loads(hardware, loads));
        const auto text = cycles_of_rtl_loads<Module>(hardware, loads);
        INFO(list << ": " << loads.size() << " tiles of up to " << longest << " bytes" << (scattered ? ", scattered" : "") << ": model " << model << " cycles, RTL (cycles right wrong) " << text);
        long long cycles = 0, right = 0, wrong = 0;
        REQUIRE(std::sscanf(text.c_str(), "%lld %lld %lld", &cycles, &right, &wrong) == 3);
        CHECK(right == bytes);
        CHECK(wrong == 0);
        CHECK(std::abs(static_cast<double>(cycles - model)) <= 0.01 * static_cast<double>(model) + 1);
    }
}

/// Tiles of a matrix of bytes in DRAM.
struct Matrix {
    std::int64_t rows = 0, cols = 0;
};
struct Store {
    Range rows, cols;

    /// The runs of bytes it is made of, neighbours merged.
    [[nodiscard]] std::vector<Load> runs(const Matrix& matrix) const {
        std::vector<Load> runs;
        for (auto row = rows.begin; row < rows.end; ++row) {
            const auto address = row * matrix.cols + cols.begin;
            if (!runs.empty() && runs.back().address + runs.back().length == address) {
                runs.back().length += cols.size();
            } else {
                runs.push_back({address, cols.size()});
            }
        }
        return runs;
    }
};

/// Cycles the datapath's DMA takes for the stores.
std::string cycles_of_stores(const Hardware& hardware, const Matrix& matrix, const std::vector<Store>& stores) {
    return in_kernel([&] {
        models::Graph graph;
        const models::Shape shape{1, matrix.rows, matrix.cols};
        const auto sum = graph.add("sum", models::Part::encoder, 0, models::Add{}, {graph.add_input("a", shape, 2), graph.add_input("b", shape, 2)});
        const Layout layout{graph};
        Bench bench("bench", hardware);
        bench.run.graph = &graph;
        bench.run.regions[sum] = 0;
        bench.program.output = std::make_shared<OutputMap>(layout, *graph.producer(sum), sum);
        bench.program.output_bits = 8;
        MemoryController memory("memory", hardware);
        DramChannel channel("dram", hardware);
        memory.access_out.bind(channel.access_in);
        Dma dma("dma", UnitId::store_dma, bench.run);
        bench.attach(dma);
        dma.burst_out.bind(memory.burst_in);
        Cycle last = -1;
        dma.done = [&](Cycle cycle) { last = cycle; };
        for (const auto& store : stores)
            bench.program.stream(UnitId::store_dma).push_back({.opcode = Opcode::store, .rows = store.rows, .cols = store.cols, .left = {BufferId::activation, 0}});
        sc_core::sc_start(sc_core::SC_ZERO_TIME);
        dma.start.notify(sc_core::SC_ZERO_TIME);
        while (last < 0) sc_core::sc_start(ticks(1'000));
        return std::to_string(last);
    });
}

/// A verilated dma_write with AXI slaves that answer when the memory controller and the DRAM of the datapath say.
template <class Module>
class RtlStores final : public sc_core::sc_module {
  public:
    tlm_utils::simple_initiator_socket<RtlStores> burst_out{"burst_out"};
    Cycle finished = -1;
    std::vector<int> written;  ///< by address: -1 not at all, -2 twice or where nothing is asked for

    RtlStores(const sc_core::sc_module_name& name, const Hardware& hardware, const Matrix& matrix, std::vector<Store> stores)
        : sc_module(name), written(static_cast<std::size_t>(matrix.rows * matrix.cols), -1), hardware_(hardware), bursts_(static_cast<std::size_t>(hardware.ports)) {
        for (const auto& store : stores) {
            tiles_.push_back({});
            const auto runs = store.runs(matrix);
            for (std::size_t r = 0; r < runs.size(); ++r) {
                for (std::int64_t i = 0; i < runs[r].length; ++i) tiles_.back().push_back(byte_at(runs[r].address + i));
                runs_.push_back({runs[r], r + 1 == runs.size()});
            }
        }
        SC_HAS_PROCESS(RtlStores);
        SC_THREAD(work);
    }

  private:
    struct Burst {
        Load load;
        std::int64_t sent = 0;
        Cycle answer = 0;
    };

    void work() {
        dma_->reset = 1;
        dma_.tick();
        dma_->reset = 0;
        std::size_t next = 0, done = 0;
        while (done < tiles_.size()) {
            dma_->run_valid = next < runs_.size();
            if (next < runs_.size()) {
                dma_->run_address = static_cast<std::uint64_t>(runs_[next].first.address);
                dma_->run_length = static_cast<std::uint32_t>(runs_[next].first.length);
                dma_->run_last = runs_[next].second;
            }
            dma_->aw_ready = static_cast<std::uint8_t>((1U << hardware_.ports) - 1);
            dma_->b_valid = 0;
            for (std::size_t p = 0; p < bursts_.size(); ++p) {
                if (answers_[p].empty() || now() < answers_[p].front()) continue;
                dma_->b_valid |= static_cast<std::uint8_t>(1U << p);
                answers_[p].pop_front();
            }
            dma_.eval();
            give_bytes(done);
            dma_.eval();
            for (std::size_t p = 0; p < bursts_.size(); ++p) {
                if (dma_->w_valid >> p & 1U) beat(p);
                if (dma_->aw_valid >> p & 1U) accept(p, {static_cast<std::int64_t>(dma_->aw_address), dma_->aw_length});
            }
            if (dma_->run_valid && dma_->run_ready) ++next;
            dma_.tick();
            wait(ticks(1));
            if (dma_->tile_done) ++done;
        }
        finished = now();
    }

    /// What the engine asks for: PORT_BYTES from an offset of one of the tiles that are not done.
    void give_bytes(std::size_t done) {
        const auto bytes = static_cast<std::size_t>(hardware_.port_bytes);
        for (std::size_t p = 0; p < bursts_.size(); ++p) {
            const auto offset = static_cast<std::size_t>(signed_field(dma_->byte_offset, p * 24, 24)) & 0xFFFFFF, place = static_cast<std::size_t>(signed_field(dma_->byte_tile, p * 3, 3)) & 7;
            auto tile = done;
            while (tile % 8 != place) ++tile;
            for (std::size_t i = 0; i < bytes; ++i) {
                const bool inside = tile < tiles_.size() && offset + i < tiles_[tile].size();
                set_field(dma_->byte_data, (p * bytes + i) * 8, 8, inside ? tiles_[tile][offset + i] : 0xA5);
            }
        }
    }

    void accept(std::size_t port, Load load) {
        tlm::tlm_generic_payload payload;
        payload.set_command(tlm::TLM_WRITE_COMMAND);
        payload.set_address(static_cast<sc_dt::uint64>(load.address));
        payload.set_data_length(static_cast<unsigned>(load.length));
        auto delay = sc_core::SC_ZERO_TIME;
        burst_out->b_transport(payload, delay);
        bursts_[port].push_back({.load = load});
        answers_[port].push_back(now() + static_cast<Cycle>(delay.value()) - 1);
    }

    void beat(std::size_t port) {
        auto& burst = bursts_[port].front();
        const auto bytes = static_cast<std::int64_t>(hardware_.port_bytes), begin = (burst.load.address / bytes + burst.sent) * bytes;
        for (std::int64_t i = 0; i < bytes; ++i) {
            const auto at = static_cast<std::size_t>(static_cast<std::int64_t>(port) * bytes + i);
            const bool strobe = signed_field(dma_->w_strobe, at, 1) != 0;
            const bool asked = begin + i >= burst.load.address && begin + i < burst.load.address + burst.load.length;
            if (!strobe && !asked) continue;
            auto& word = written[static_cast<std::size_t>(begin + i)];
            word = strobe && asked && word == -1 ? static_cast<int>(signed_field(dma_->w_data, at * 8, 8) & 0xFF) : -2;
        }
        ++burst.sent;
        const bool ends = (burst.load.address / bytes + burst.sent) * bytes >= burst.load.address + burst.load.length;
        if (ends != ((dma_->w_last >> port & 1U) != 0)) written.front() = -2;
        if (ends) bursts_[port].pop_front();
    }

    const Hardware& hardware_;
    std::vector<std::vector<std::uint8_t>> tiles_;
    std::vector<std::pair<Load, bool>> runs_;
    Clocked<Module> dma_;
    std::vector<std::deque<Burst>> bursts_;
    std::vector<std::deque<Cycle>> answers_{bursts_.size()};
};

template <class Module>
void check_stores(const Hardware& hardware, int lists, std::uint64_t seed) {
    std::mt19937_64 random(seed);
    for (int list = 0; list < lists; ++list) {
        const Matrix matrix{.rows = static_cast<std::int64_t>(24 + random() % 40), .cols = static_cast<std::int64_t>(40 + random() % 300)};
        std::vector<Store> stores;  // tiles that cover the matrix
        const auto tile_rows = static_cast<std::int64_t>(1 + random() % 17), tile_cols = random() % 3 == 0 ? matrix.cols : static_cast<std::int64_t>(17 + random() % 90);
        for (std::int64_t r = 0; r < matrix.rows; r += tile_rows)
            for (std::int64_t c = 0; c < matrix.cols; c += tile_cols)
                stores.push_back({.rows = {r, std::min(matrix.rows, r + tile_rows)}, .cols = {c, std::min(matrix.cols, c + tile_cols)}});
        const auto model = std::stoll(cycles_of_stores(hardware, matrix, stores));
        const auto text = in_kernel([&] {
            RtlStores<Module> dma("dma", hardware, matrix, stores);
            MemoryController memory("memory", hardware);
            DramChannel channel("dram", hardware);
            memory.access_out.bind(channel.access_in);
            dma.burst_out.bind(memory.burst_in);
            while (dma.finished < 0 && now() < 10'000'000) sc_core::sc_start(ticks(1'000));
            std::int64_t wrong = 0;
            for (std::size_t i = 0; i < dma.written.size(); ++i) wrong += dma.written[i] != byte_at(static_cast<std::int64_t>(i)) ? 1 : 0;
            return fmt::format("{} {}", dma.finished, wrong);
        });
        INFO(list << ": tiles of " << tile_rows << " x " << tile_cols << " of " << matrix.rows << " x " << matrix.cols << ": model " << model << " cycles, RTL (cycles wrong) " << text);
        long long cycles = 0, wrong = 0;
        REQUIRE(std::sscanf(text.c_str(), "%lld %lld", &cycles, &wrong) == 2);
        CHECK(wrong == 0);
        CHECK(std::abs(static_cast<double>(cycles - model)) <= 0.01 * static_cast<double>(model) + 1);
    }
}

}  // namespace

TEST_CASE("A load engine brings every byte of its tiles, in the cycles of the datapath's DMA", "[rtl]") {
    check_loads<LoadOnePort>(hardware_of(1, 8, 4), 30, 1);
    check_loads<LoadTwoPorts>(hardware_of(2, 16, 3), 30, 2);
}

TEST_CASE("A store engine writes every byte of its tiles once, in the cycles of the datapath's DMA", "[rtl]") {
    check_stores<StoreOnePort>(hardware_of(1, 8, 4), 30, 3);
    check_stores<StoreTwoPorts>(hardware_of(2, 16, 3), 30, 4);
}
