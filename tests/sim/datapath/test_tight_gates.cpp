// SPDX-License-Identifier: Apache-2.0
// Tight gates: a result is absent in the cycle before its closed form and present in that cycle.
#include <catch2/catch.hpp>

#include "sim/datapath/dma.hpp"
#include "sim/datapath/dram.hpp"
#include "sim/datapath/memory_controller.hpp"
#include "sim/datapath/pe_array.hpp"
#include "tests/sim/datapath/kernel_bench.hpp"

using namespace prelude;
using namespace prelude::sim;
using namespace prelude::sim::testing;

namespace {

/// One channel of 8 bytes a cycle behind one port of 8 bytes; refresh far away.
Hardware gate_hardware() {
    Hardware hardware;
    hardware.dram_bytes_numerator = 8, hardware.dram_bytes_denominator = 1;
    hardware.activate_cycles = 5, hardware.precharge_cycles = 7, hardware.turnaround_cycles = 3, hardware.latency_cycles = 11;
    hardware.refresh_cycles = 40, hardware.refresh_interval = 100'000;
    hardware.ports = 1, hardware.port_bytes = 8, hardware.outstanding = 8, hardware.burst_bytes = 128;
    return hardware;
}

struct Access {
    std::int64_t address = 0;
    unsigned bytes = 0;
    bool write = false;
};

/// Sends accesses in the same cycle and waits for the last.
class Initiator final : public sc_core::sc_module {
  public:
    tlm_utils::simple_initiator_socket<Initiator> out{"out"};
    Cycle arrived = -1;

    Initiator(const sc_core::sc_module_name& name, std::vector<Access> accesses) : sc_module(name), accesses_(std::move(accesses)) {
        SC_HAS_PROCESS(Initiator);
        SC_THREAD(work);
    }

  private:
    void work() {
        auto delay = sc_core::SC_ZERO_TIME;
        for (const auto& access : accesses_) {
            tlm::tlm_generic_payload payload;
            payload.set_command(access.write ? tlm::TLM_WRITE_COMMAND : tlm::TLM_READ_COMMAND);
            payload.set_address(static_cast<sc_dt::uint64>(access.address));
            payload.set_data_length(access.bytes);
            delay = sc_core::SC_ZERO_TIME;
            out->b_transport(payload, delay);
        }
        wait(delay);
        arrived = now();
    }
    std::vector<Access> accesses_;
};

std::string dram_gate(const Hardware& hardware, const std::vector<Access>& accesses, Cycle expected) {
    return in_kernel([&] {
        Initiator initiator("initiator", accesses);
        DramChannel channel("dram", hardware);
        initiator.out.bind(channel.access_in);
        return gate(expected, initiator.arrived);
    });
}

std::string dma_gate(const Hardware& hardware, std::int64_t bytes, Cycle expected) {
    return in_kernel([&] {
        Bench bench("bench", hardware);
        MemoryController memory("memory", hardware);
        DramChannel channel("dram", hardware);
        memory.access_out.bind(channel.access_in);
        Dma dma("dma", UnitId::weight_dma, bench.run);
        bench.attach(dma);
        dma.burst_out.bind(memory.burst_in);
        bench.program.operands.push_back({.kind = OperandSource::Kind::weights, .bits = 8, .row_words = bytes});
        return bench.gate_of(UnitId::weight_dma,
                             {.opcode = Opcode::load, .operand = 0, .rows = {0, 1}, .depth = {0, bytes}, .target = {BufferId::weight, 0}},
                             expected);
    });
}

struct Product {
    std::int64_t rows, cols, depth;
    bool log = false;
    int residues = 1;
};

/// The array alone: a product of 8 x 8 bits without zero points, or of log codes of largest shift 7.
std::string array_gate(const PeShape& pe, const Product& shape, Cycle expected) {
    return in_kernel([&] {
        auto hardware = gate_hardware();
        hardware.pe = pe;
        models::Graph graph;
        const auto x = graph.add_input("x", {1, shape.rows, shape.depth}, 2);
        graph.add("layer", models::Part::encoder, 0, models::Linear{"w", "b", shape.depth, shape.cols}, {x});
        const auto plan = quant::make_plan(graph, {});
        Bench bench("bench", hardware);
        bench.run.graph = &graph, bench.run.plan = &plan;
        PeArrayUnit array("pe_array", bench.run);
        bench.attach(array);
        const ProductForm form{
            .left_is_log = shape.log, .log_shift = shape.log ? 7 : 0, .num_residues = shape.residues, .left_zero_point = false};
        bench.program.products.push_back({.form = form, .node = *graph.find_node("layer")});
        return bench.gate_of(UnitId::pe_array,
                             {.opcode = Opcode::multiply,
                              .product = 0,
                              .first = true,
                              .last = true,
                              .rows = {0, shape.rows},
                              .cols = {0, shape.cols},
                              .depth = {0, shape.depth},
                              .left = {BufferId::activation, 0},
                              .right = {BufferId::weight, 0},
                              .target = {BufferId::partial_sum, 0}},
                             expected);
    });
}

}  // namespace

TEST_CASE("A DRAM access is absent the cycle before activation, transfer and latency are over, and there in that cycle", "[gate]") {
    const auto hardware = gate_hardware();
    const Cycle activate = 5, precharge = 7, latency = 11;
    CHECK(dram_gate(hardware, {{.address = 0, .bytes = 64}}, activate + 64 / 8 + latency) == "");
    CHECK(dram_gate(hardware, {{.address = 60, .bytes = 8}}, activate + 128 / 8 + latency) == "");  // two granules
    CHECK(dram_gate(hardware, {{.address = 0, .bytes = 512}}, activate + 512 / 8 + latency) == "");
    // The same row: transfers follow each other. Another bank: activated beside the first. The same bank: after it.
    CHECK(dram_gate(hardware, {{.address = 0, .bytes = 64}, {.address = 64, .bytes = 128}}, activate + 192 / 8 + latency) == "");
    CHECK(dram_gate(hardware, {{.address = 0, .bytes = 64}, {.address = 8192, .bytes = 64}}, activate + 128 / 8 + latency) == "");
    const std::int64_t next_row = 8192 * 16;
    CHECK(dram_gate(hardware, {{.address = 0, .bytes = 64}, {.address = next_row, .bytes = 64}},
                    activate + 64 / 8 + precharge + activate + 64 / 8 + latency) == "");
    // 16/3 bytes a cycle: 64 bytes take 12.
    auto slow = hardware;
    slow.dram_bytes_numerator = 16, slow.dram_bytes_denominator = 3;
    CHECK(dram_gate(slow, {{.address = 0, .bytes = 64}}, activate + 12 + latency) == "");
    // A refresh due at 60 waits for the first burst, closes its row, and holds the second until that is open again.
    auto due = hardware;
    due.refresh_interval = 60, due.refresh_cycles = 12;
    CHECK(dram_gate(due, {{.address = 0, .bytes = 512}, {.address = 512, .bytes = 64}}, activate + 512 / 8 + precharge + 12 + activate + 64 / 8 + latency) == "");
    // Activations of other banks: no closer than tRRD, five of them no closer than tFAW. A row stays open for tRAS.
    auto slow_rows = hardware;
    slow_rows.activate_gap_cycles = 9;
    CHECK(dram_gate(slow_rows, {{.address = 0, .bytes = 8}, {.address = 8192, .bytes = 8}}, 9 + activate + 64 / 8 + latency) == "");
    slow_rows.activate_gap_cycles = 1, slow_rows.four_activates_cycles = 60;
    CHECK(dram_gate(slow_rows, {{.address = 0, .bytes = 8}, {.address = 8192, .bytes = 8}, {.address = 16384, .bytes = 8}, {.address = 24576, .bytes = 8}, {.address = 32768, .bytes = 8}},
                    60 + activate + 64 / 8 + latency) == "");
    slow_rows = hardware, slow_rows.row_active_cycles = 50;
    CHECK(dram_gate(slow_rows, {{.address = 0, .bytes = 64}, {.address = next_row, .bytes = 64}}, 50 + precharge + activate + 64 / 8 + latency) == "");
    CHECK(dram_gate(hardware, {{.address = 0, .bytes = 64}}, activate + 64 / 8 + latency + 1) != "");  // the gates themselves can fail
    CHECK(dram_gate(hardware, {{.address = 0, .bytes = 64}}, activate + 64 / 8 + latency - 1) != "");
}

TEST_CASE("A tile that a DMA loads is absent the cycle before its last burst is there, and there in that cycle", "[gate]") {
    const auto hardware = gate_hardware();
    const Cycle fetch = 1, activate = 5, latency = 11;
    for (const std::int64_t bytes : {64, 128, 320, 1024}) {  // 1 to 8 bursts of 128 bytes
        INFO(bytes << " bytes");
        CHECK(dma_gate(hardware, bytes, fetch + activate + bytes / 8 + latency) == "");
    }
    CHECK(dma_gate(hardware, 300, fetch + activate + 320 / 8 + latency) == "");  // whole granules
    // One burst under way at a time: the next leaves when the last is there, its row open.
    auto one = hardware;
    one.outstanding = 1;
    CHECK(dma_gate(one, 384, fetch + activate + 3 * (128 / 8 + latency)) == "");
}

TEST_CASE("Sums of the array are absent the cycle before occupancy and latency are over, and there in that cycle", "[gate]") {
    const PeShape pe{.rows = 4, .cols = 6, .depth = 5};
    const Cycle fetch = 1, latency = 4 + 3 + 1;  // multiplier and accumulator, tree of 5, zero-point stage
    // 2 x 3 sub-tiles of 5 steps; one sub-tile; one step, bound by the drain of 4 and 3 rows; the same two rows a cycle.
    CHECK(array_gate(pe, {7, 13, 23}, fetch + 2 * 3 * 5 + latency) == "");
    CHECK(array_gate(pe, {4, 6, 40}, fetch + 8 + latency) == "");
    CHECK(array_gate(pe, {7, 13, 1}, fetch + 3 * (4 + 3) + latency) == "");
    auto wide = pe;
    wide.drain_rows = 2;
    CHECK(array_gate(wide, {7, 13, 1}, fetch + 3 * (2 + 2) + latency) == "");
    // Operands of 8 bits on ports of 4: four passes.
    auto narrow = pe;
    narrow.weight_bits = narrow.activation_bits = 4;
    CHECK(array_gate(narrow, {4, 6, 40}, fetch + 4 * 8 + latency) == "");
    // Log codes: a pass a residue in slices; three shift-add lanes take 40 positions in 14 cycles, two residues drain in 8.
    CHECK(array_gate(pe, {4, 6, 40, true, 2}, fetch + 2 * 8 + latency) == "");
    auto shifting = pe;
    shifting.shift_lanes = 3;
    CHECK(array_gate(shifting, {4, 6, 40, true, 2}, fetch + 14 + latency) == "");
    CHECK(array_gate(shifting, {4, 6, 3, true, 2}, fetch + 8 + latency) == "");
}
