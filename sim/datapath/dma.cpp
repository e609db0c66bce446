// SPDX-License-Identifier: Apache-2.0
#include "sim/datapath/dma.hpp"

#include <algorithm>

#include "sim/datapath/payloads.hpp"

namespace prelude::sim {

Cycle Dma::execute(const Command& command) {
    return command.opcode == Opcode::load ? load(command) : store(command);
}

void Dma::add_run(std::int64_t address, std::int64_t length) {
    if (!runs_.empty() && runs_.back().end == address) {
        runs_.back().end += length;
    } else {
        runs_.push_back({address, address + length});
    }
}

void Dma::merge_overlaps() {
    std::ranges::sort(runs_, {}, &ByteRun::begin);
    std::size_t kept = 0;
    for (const auto& run : runs_) {
        if (kept > 0 && run.begin <= runs_[kept - 1].end) {
            runs_[kept - 1].end = std::max(runs_[kept - 1].end, run.end);
        } else {
            runs_[kept++] = run;
        }
    }
    runs_.resize(kept);
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

Cycle Dma::load(const Command& command) {
    const auto& operand = program().operands[static_cast<std::size_t>(command.operand)];
    std::int64_t tile_bits = 0;
    if (operand.kind != OperandSource::Kind::value) {
        tile_bits = command.rows.size() * command.depth.size() * operand.bits + 8 * command.extra_bytes;
        const auto bytes = (command.rows.size() * command.depth.size() * operand.bits + 7) / 8 + command.extra_bytes;
        const auto offset = (command.rows.begin * operand.row_words + command.depth.begin * command.rows.size()) * operand.bits / 8;
        if (!operand.resident && !command.prefetched) add_run(run_.constants_base + offset, bytes);
    } else {
        const auto& map = *operand.map;
        const bool residual = command.depth.size() == 0;
        const auto visit = [&](Place place, std::int64_t count) {
            const auto row = row_length(run_.graph->value(place.value));
            const auto row_bytes = (row * operand.bits + 7) / 8;
            const auto first = place.index % row * operand.bits, last = first + count * operand.bits;
            add_run(run_.regions.at(place.value) + place.index / row * row_bytes + first / 8, (last + 7) / 8 - first / 8);
        };
        if (residual) {
            const auto columns = row_length(run_.graph->value(program().segment.output));
            for (auto row = command.rows.begin; row < command.rows.end; ++row) {
                const auto place = program().output->place(command.batch, row, 0);
                if (place) map.for_each_run(0, *place / columns, *place / columns + 1, command.cols.begin, command.cols.end, visit);
            }
            tile_bits = command.rows.size() * command.cols.size() * operand.bits;
        } else {
            map.for_each_run(command.batch, command.rows.begin, command.rows.end, command.depth.begin, command.depth.end, visit);
            tile_bits = command.rows.size() * command.depth.size() * operand.bits;
        }
        if (map.gathers_patches()) merge_overlaps();
    }
    const auto completion = transfer(false);
    Tile* tile = nullptr;
    const auto written = access(command.target, true, tile_bits, &tile);
    if (tile) fill_tile(run_, command, *tile);
    return std::max(completion, written);
}

Cycle Dma::store(const Command& command) {
    const auto& map = *program().output;
    const auto bits = program().output_bits;
    const auto columns = row_length(run_.graph->value(map.value()));
    const auto row_bytes = (columns * bits + 7) / 8, base = run_.regions.at(map.value());
    // A byte belongs to the tile that holds its last word.
    const auto byte_of = [&](std::int64_t column) { return column == columns ? row_bytes : column * bits / 8; };
    for (auto row = command.rows.begin; row < command.rows.end; ++row) {
        for (auto col = command.cols.begin; col < command.cols.end;) {
            const auto stop = std::min(command.cols.end, (col / map.run() + 1) * map.run());
            if (auto place = map.place(command.batch, row, col)) {
                for (auto index = *place, end = *place + stop - col;
                     index < end;) {  // a run may span several channel rows (transposed convolution)
                    const auto next = std::min(end, (index / columns + 1) * columns);
                    const auto first = index % columns, last = first + next - index;
                    if (byte_of(last) > byte_of(first))
                        add_run(base + index / columns * row_bytes + byte_of(first), byte_of(last) - byte_of(first));
                    index = next;
                }
            }
            col = stop;
        }
    }
    Tile* tile = nullptr;
    const auto read = access(command.left, false, command.rows.size() * command.cols.size() * bits, &tile);
    if (tile) store_tile(run_, command, *tile);
    return std::max(transfer(true), read);
}

}  // namespace prelude::sim
