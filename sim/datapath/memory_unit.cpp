// SPDX-License-Identifier: Apache-2.0
#include "sim/datapath/memory_unit.hpp"

#include <algorithm>

namespace prelude::sim {

namespace {

void add_run(std::vector<ByteRun>& runs, std::int64_t address, std::int64_t length) {
    if (!runs.empty() && runs.back().end == address) {
        runs.back().end += length;
    } else {
        runs.push_back({address, address + length});
    }
}

void merge_overlaps(std::vector<ByteRun>& runs) {
    std::ranges::sort(runs, {}, &ByteRun::begin);
    std::size_t kept = 0;
    for (const auto& run : runs) {
        if (kept > 0 && run.begin <= runs[kept - 1].end) {
            runs[kept - 1].end = std::max(runs[kept - 1].end, run.end);
        } else {
            runs[kept++] = run;
        }
    }
    runs.resize(kept);
}

}  // namespace

void load_runs(const Run& run, const Command& load, std::vector<ByteRun>& runs) {
    const auto& program = *run.program;
    const auto& operand = program.operands[static_cast<std::size_t>(load.operand)];
    if (operand.kind != OperandSource::Kind::value) {
        const auto bytes = (load.rows.size() * load.depth.size() * operand.bits + 7) / 8 + load.extra_bytes;
        const auto offset = (load.rows.begin * operand.row_words + load.depth.begin * load.rows.size()) * operand.bits / 8;
        if (!operand.resident && !load.prefetched) add_run(runs, run.constants_base + offset, bytes);
        return;
    }
    const auto& map = *operand.map;
    const auto visit = [&](Place place, std::int64_t count) {
        const auto row = row_length(run.graph->value(place.value));
        const auto row_bytes = (row * operand.bits + 7) / 8;
        const auto first = place.index % row * operand.bits, last = first + count * operand.bits;
        add_run(runs, run.regions.at(place.value) + place.index / row * row_bytes + first / 8, (last + 7) / 8 - first / 8);
    };
    if (load.depth.size() == 0) {  // rows of the stored output
        const auto columns = row_length(run.graph->value(program.segment.output));
        for (auto row = load.rows.begin; row < load.rows.end; ++row) {
            const auto place = program.output->place(load.batch, row, 0);
            if (place) map.for_each_run(0, *place / columns, *place / columns + 1, load.cols.begin, load.cols.end, visit);
        }
    } else {
        map.for_each_run(load.batch, load.rows.begin, load.rows.end, load.depth.begin, load.depth.end, visit);
    }
    if (map.gathers_patches()) merge_overlaps(runs);
}

void store_runs(const Run& run, const Command& store, std::vector<ByteRun>& runs) {
    const auto& map = *run.program->output;
    const auto bits = run.program->output_bits;
    const auto columns = row_length(run.graph->value(map.value()));
    const auto row_bytes = (columns * bits + 7) / 8, base = run.regions.at(map.value());
    // A byte belongs to the tile that holds its last word.
    const auto byte_of = [&](std::int64_t column) { return column == columns ? row_bytes : column * bits / 8; };
    for (auto row = store.rows.begin; row < store.rows.end; ++row) {
        for (auto col = store.cols.begin; col < store.cols.end;) {
            const auto stop = std::min(store.cols.end, (col / map.run() + 1) * map.run());
            if (auto place = map.place(store.batch, row, col)) {
                // A run may span several channel rows (transposed convolution).
                for (auto index = *place, end = *place + stop - col; index < end;) {
                    const auto next = std::min(end, (index / columns + 1) * columns);
                    const auto first = index % columns, last = first + next - index;
                    if (byte_of(last) > byte_of(first)) add_run(runs, base + index / columns * row_bytes + byte_of(first), byte_of(last) - byte_of(first));
                    index = next;
                }
            }
            col = stop;
        }
    }
}

std::int64_t tile_bits(const Run& run, const Command& command) {
    if (command.opcode == Opcode::store) return command.rows.size() * command.cols.size() * run.program->output_bits;
    const auto& operand = run.program->operands[static_cast<std::size_t>(command.operand)];
    const bool residual = operand.kind == OperandSource::Kind::value && command.depth.size() == 0;
    return command.rows.size() * (residual ? command.cols.size() : command.depth.size()) * operand.bits + 8 * command.extra_bytes;
}

}  // namespace prelude::sim
