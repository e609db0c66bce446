// SPDX-License-Identifier: Apache-2.0
// The operand toggles of a tile are those of the operand registers in the waveform of pe_array.sv.
#include <catch2/catch.hpp>

#include <verilated_vcd_c.h>

#include <filesystem>
#include <fstream>

#include "TracedArray.h"
#include "tests/rtl/ports.hpp"
#include "tests/sim/random_network.hpp"

using namespace prelude;
using namespace prelude::rtl;

namespace {

constexpr int kRows = 4, kCols = 4, kDepth = 4, kBits = 8;

/// Changes of the bits of one signal in a value change dump.
class Waveform {
  public:
    Waveform(const std::filesystem::path& file, const std::string& signal) {
        std::ifstream lines(file);
        std::string id, before;
        for (std::string line; std::getline(lines, line);) {
            std::istringstream words(line);
            std::string first, type, width, code, name;
            words >> first;
            if (first == "$var" && id.empty()) {
                words >> type >> width >> code >> name;
                if (name == signal) id = code;
            } else if (!first.empty() && first[0] == 'b' && words >> code && code == id) {
                auto value = first.substr(1);
                if (value.size() < kWidest) value.insert(0, kWidest - value.size(), '0');
                values_.push_back(value);
            }
        }
        REQUIRE_FALSE(id.empty());
    }
    /// From the first value of the tile, which `skip` values of the reset go before.
    [[nodiscard]] std::int64_t toggles(std::size_t skip) const {
        std::int64_t count = 0;
        for (std::size_t i = skip + 1; i < values_.size(); ++i)
            for (std::size_t bit = 0; bit < kWidest; ++bit) count += values_[i][bit] != values_[i - 1][bit] ? 1 : 0;
        return count;
    }

  private:
    static constexpr std::size_t kWidest = 256;
    std::vector<std::string> values_;
};

sim::testing::RandomNetwork layer(std::int64_t rows, std::int64_t depth, std::int64_t cols) {
    models::Graph graph;
    graph.add("layer", models::Part::encoder, 0, models::Linear{"w", "b", depth, cols}, {graph.add_input("x", {1, rows, depth}, 2)});
    quant::Settings settings;
    settings.weight_bits = settings.activation_bits = kBits;
    return sim::testing::randomise(std::move(graph), {}, settings, 5);
}

struct Counts {
    std::int64_t left = 0, right = 0;
};

/// The tile on the verilated array, a beat a cycle, and what its operand registers do in the waveform.
Counts waveform_of(const models::IntTensor& codes, const std::vector<std::int32_t>& weights, std::int64_t rows, std::int64_t depth, std::int64_t cols) {
    const auto file = std::filesystem::temp_directory_path() / "prelude_test_toggles.vcd";
    {
        VerilatedContext context;
        context.traceEverOn(true);
        TracedArray array(&context);
        VerilatedVcdC dump;
        array.trace(&dump, 2);
        dump.open(file.c_str());
        std::uint64_t time = 0;
        const auto tick = [&] {
            array.clk = 1;
            array.eval();
            dump.dump(time++);
            array.clk = 0;
            array.eval();
            dump.dump(time++);
        };
        array.clk = 0;
        array.reset = 1;
        array.valid_in = 0;
        tick();
        array.reset = 0;
        const auto set = [&](auto& port, const std::int32_t* words, std::int64_t first, std::int64_t count, int lanes, std::int64_t block) {
            for (int lane = 0; lane < lanes; ++lane)
                for (int d = 0; d < kDepth; ++d) {
                    const auto row = first + lane, k = block * kDepth + d;
                    set_field(port, static_cast<std::size_t>((lane * kDepth + d) * kBits), kBits, row < count && k < depth ? words[row * depth + k] : 0);
                }
        };
        const auto blocks = (depth + kDepth - 1) / kDepth;
        array.right_is_signed = 1;
        array.valid_in = 1;
        for (std::int64_t c = 0; c < cols; c += kCols)
            for (std::int64_t r = 0; r < rows; r += kRows)
                for (std::int64_t block = 0; block < blocks; ++block) {
                    set(array.left, codes.values().data(), r, rows, kRows, block);
                    set(array.right, weights.data(), c, cols, kCols, block);
                    array.first = block == 0;
                    array.last = block + 1 == blocks;
                    array.used_rows = kRows;
                    array.eval();
                    while (!array.ready_in) tick();
                    tick();
                }
        dump.close();
        array.final();
    }
    const Counts counts{Waveform(file, "left_q").toggles(1), Waveform(file, "right_q").toggles(1)};
    std::filesystem::remove(file);
    return counts;
}

}  // namespace

TEST_CASE("The operand toggles of a tile agree with the waveform of the array", "[rtl]") {
    for (const auto& [rows, depth, cols] : {std::array<std::int64_t, 3>{16, 23, 12}, {8, 16, 4}, {4, 37, 20}}) {
        const auto network = layer(rows, depth, cols);
        sim::Design design;
        design.clock_mhz = 200;
        design.dram.gb_per_s = 12.8;
        design.pe = {.rows = kRows, .cols = kCols, .depth = kDepth, .precision = sim::PePrecision::fixed};
        design.dataflow = sim::Dataflow::output_stationary;
        sim::FunctionalInput input{.quantized = &network.quantized, .inputs = network.inputs, .wanted = {}};
        sim::Options whole;
        whole.pinned = {{"layer", {.tile_rows = rows, .tile_cols = cols, .tile_depth = depth}}};
        const auto result = sim::simulate(network.graph, network.quantized.plan, design, whole, &input);
        const auto& counted = result.segments.at(0).toggles;
        const auto& contraction = std::get<quant::Contraction>(network.quantized.operation("layer"));
        const auto seen = waveform_of(network.inputs.begin()->second, contraction.weights, rows, depth, cols);
        INFO(rows << " x " << depth << " x " << cols);
        CHECK(counted.activation_toggles == seen.left);
        CHECK(counted.weight_toggles == seen.right);
        CHECK(seen.left > 0);
    }
}
