// SPDX-License-Identifier: Apache-2.0
// dma_read.sv and dma_write.sv beside the DMA of the datapath, both in front of the same memory controller and DRAM: every byte of a tile, and the cycles of
// all tiles.
#include <catch2/catch.hpp>

#include <fmt/format.h>

#include <random>

#include "LoadOnePort.h"
#include "LoadTwoPorts.h"
#include "StoreOnePort.h"
#include "StoreTwoPorts.h"
#include "sim/datapath/dma.hpp"
#include "sim/datapath/dram.hpp"
#include "sim/datapath/memory_controller.hpp"
#include "tests/rtl/axi_engines.hpp"
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

/// An engine in front of the datapath's memory controller and DRAM, clocked until it has worked through its tiles.
template <class Engine>
class EngineBench final : public sc_core::sc_module {
  public:
    tlm_utils::simple_initiator_socket<EngineBench> burst_out{"burst_out"};

    EngineBench(const sc_core::sc_module_name& name, const Hardware& hardware) : sc_module(name), memory_("memory", hardware), channel_("dram", hardware) {
        memory_.access_out.bind(channel_.access_in);
        burst_out.bind(memory_.burst_in);
        SC_HAS_PROCESS(EngineBench);
        SC_THREAD(work);
    }
    Transport transport() {
        return [this](tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) { burst_out->b_transport(payload, delay); };
    }
    /// Cycles until `tiles` are done; `watch` is called in every cycle before its clock edge.
    Cycle run(Engine& engine, std::size_t tiles, std::function<void()> watch) {
        engine_ = &engine, tiles_ = tiles, watch_ = std::move(watch);
        while (finished_ < 0 && now() < 10'000'000) sc_core::sc_start(ticks(1'000));
        return finished_;
    }

  private:
    void work() {
        for (std::size_t done = 0; done < tiles_;) {
            engine_->before_tick();
            watch_();
            engine_->tick();
            wait(ticks(1));
            done += engine_->tile_done() ? 1 : 0;
        }
        finished_ = now();
    }
    MemoryController memory_;
    DramChannel channel_;
    Engine* engine_ = nullptr;
    std::size_t tiles_ = 0;
    std::function<void()> watch_;
    Cycle finished_ = -1;
};

/// "CYCLES RIGHT WRONG"
template <class Module>
std::string cycles_of_rtl_loads(const Hardware& hardware, const std::vector<Load>& loads) {
    return in_kernel([&] {
        EngineBench<LoadEngine<Module>> bench("bench", hardware);
        LoadEngine<Module> engine("engine", hardware, bench.transport(), byte_at);
        std::vector<std::vector<bool>> seen;
        for (const auto& load : loads) {
            engine.submit({{load.address, load.address + load.length}});
            seen.emplace_back(static_cast<std::size_t>(load.length), false);
        }
        std::int64_t right = 0, wrong = 0;
        const auto cycles = bench.run(engine, loads.size(), [&] {
            engine.for_each_byte([&](std::int64_t tile, std::int64_t offset, std::uint8_t byte) {
                const auto t = static_cast<std::size_t>(tile), o = static_cast<std::size_t>(offset);
                const bool is_new = t < loads.size() && o < seen[t].size() && !seen[t][o];
                if (is_new) seen[t][o] = true;
                ++(is_new && byte == byte_at(loads[t].address + offset) ? right : wrong);
            });
        });
        return fmt::format("{} {} {}", cycles, right, wrong);
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

/// "CYCLES WRONG": bytes that are not there, are others, or were written twice or unasked.
template <class Module>
std::string cycles_of_rtl_stores(const Hardware& hardware, const Matrix& matrix, const std::vector<Store>& stores) {
    return in_kernel([&] {
        std::vector<std::vector<std::uint8_t>> tiles;
        std::vector<int> times(static_cast<std::size_t>(matrix.rows * matrix.cols), 0);
        std::int64_t wrong = 0;
        EngineBench<StoreEngine<Module>> bench("bench", hardware);
        StoreEngine<Module> engine(
            "engine", hardware, bench.transport(),
            [&](std::int64_t tile, std::int64_t offset) {
                const auto t = static_cast<std::size_t>(tile), o = static_cast<std::size_t>(offset);
                return t < tiles.size() && o < tiles[t].size() ? tiles[t][o] : std::uint8_t{0xA5};
            },
            [&](std::int64_t address, std::uint8_t byte, bool asked) {
                const bool once = asked && ++times[static_cast<std::size_t>(address)] == 1;
                wrong += once && byte == byte_at(address) ? 0 : 1;
            });
        for (const auto& store : stores) {
            auto& bytes = tiles.emplace_back();
            std::vector<ByteRun> runs;
            for (const auto& run : store.runs(matrix)) {
                runs.push_back({run.address, run.address + run.length});
                for (auto address = runs.back().begin; address < runs.back().end; ++address) bytes.push_back(byte_at(address));
            }
            engine.submit(runs);
        }
        const auto cycles = bench.run(engine, stores.size(), [] {});
        for (const auto count : times) wrong += count == 1 ? 0 : 1;
        return fmt::format("{} {}", cycles, wrong + engine.take_wrong_ends());
    });
}

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
        const auto text = cycles_of_rtl_stores<Module>(hardware, matrix, stores);
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
