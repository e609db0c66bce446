// SPDX-License-Identifier: Apache-2.0
#pragma once

// The bytes of DRAM while a segment runs: stored values in their regions, constants in tile order.

#include <vector>

#include "quant/arithmetic/dot.hpp"
#include "sim/datapath/memory_unit.hpp"
#include "sim/datapath/payloads.hpp"

namespace prelude::rtl {

/// Words of whole bytes, the low byte first.
inline void append_bytes(std::vector<std::uint8_t>& bytes, std::int32_t word, int bits) {
    for (int done = 0; done < bits; done += 8) bytes.push_back(static_cast<std::uint8_t>(static_cast<std::uint32_t>(word) >> done));
}

/// Words of the relative-position tables, as they are loaded: those of heights, then those of widths.
inline const std::vector<std::int32_t> table_words(const sim::Run& run, models::NodeId node) {
    const auto& op = std::get<quant::RelativePositionOp>(run.functional->quantized->operation(run.graph->node(node).name));
    auto words = op.table_height;
    words.insert(words.end(), op.table_width.begin(), op.table_width.end());
    return words;
}

class DramImage final {
  public:
    static constexpr std::uint8_t kUnknown = 0xA5;

    /// Of the program that `run` starts.
    void fill(const sim::Run& run) {
        bytes_.clear();
        for (auto id : run.program->values) {
            const auto found = run.functional->memory->find(id);
            if (found != run.functional->memory->end() && id != run.program->segment.output) place(run, id, found->second);
        }
        for (const auto& stream : {run.program->stream(sim::UnitId::weight_dma), run.program->stream(sim::UnitId::activation_dma)}) {
            for (const auto& load : stream) place_constants(run, load);
        }
    }
    /// The output as the datapath's memory has it.
    void place_output(const sim::Run& run) { place(run, run.program->segment.output, run.functional->memory->at(run.program->segment.output)); }

    [[nodiscard]] std::uint8_t at(std::int64_t address) const {
        const auto i = static_cast<std::size_t>(address);
        return i < bytes_.size() ? bytes_[i] : kUnknown;
    }
    void write(std::int64_t address, std::uint8_t byte) {
        const auto i = static_cast<std::size_t>(address);
        if (i >= bytes_.size()) bytes_.resize(i + 1, kUnknown);
        bytes_[i] = byte;
    }
    /// Addresses at which two images differ.
    [[nodiscard]] std::int64_t differences(const DramImage& other) const {
        std::int64_t count = 0;
        for (std::int64_t i = 0; i < static_cast<std::int64_t>(std::max(bytes_.size(), other.bytes_.size())); ++i) count += at(i) != other.at(i) ? 1 : 0;
        return count;
    }

  private:
    void place(const sim::Run& run, models::ValueId id, const models::IntTensor& words) {
        const auto& value = run.graph->value(id);
        const auto bits = run.bits_of(id), columns = static_cast<int>(sim::row_length(value));
        models::check(bits % 8 == 0, "DRAM image: words of whole bytes only, " + value.name);
        std::vector<std::uint8_t> bytes;
        for (std::int64_t i = 0; i < value.shape.num_elements(); ++i) append_bytes(bytes, words[static_cast<std::size_t>(sim::to_logical(value.shape, i))], bits);
        models::check(static_cast<std::int64_t>(bytes.size()) == sim::packed_bytes(value, bits) && columns > 0, "DRAM image: size of " + value.name);
        for (std::size_t i = 0; i < bytes.size(); ++i) write(run.regions.at(id) + static_cast<std::int64_t>(i), bytes[i]);
    }

    void place_constants(const sim::Run& run, const sim::Command& load) {
        const auto& operand = run.program->operands[static_cast<std::size_t>(load.operand)];
        if (operand.kind == sim::OperandSource::Kind::value) return;
        std::vector<sim::ByteRun> runs;
        sim::load_runs(run, load, runs);
        if (runs.empty()) return;
        std::vector<std::uint8_t> bytes;
        if (operand.kind == sim::OperandSource::Kind::tables) {
            for (auto word : table_words(run, operand.node)) append_bytes(bytes, word, operand.bits);
        } else if (sim::contraction_of(run, operand.node) && load.rows.size() > 0) {
            sim::Tile tile;
            sim::fill_tile(run, load, tile);
            for (auto row = load.rows.begin; row < load.rows.end; ++row)
                for (auto k = load.depth.begin; k < load.depth.end; ++k) append_bytes(bytes, tile.row(row)[static_cast<std::size_t>(k)], operand.bits);
        }
        for (std::size_t i = 0; i < bytes.size(); ++i) write(runs.front().begin + static_cast<std::int64_t>(i), bytes[i]);
    }

    std::vector<std::uint8_t> bytes_;
};

}  // namespace prelude::rtl
