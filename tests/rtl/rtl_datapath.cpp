// SPDX-License-Identifier: Apache-2.0
#include "tests/rtl/rtl_datapath.hpp"

namespace prelude::rtl {

using sim::Command;
using sim::Opcode;
using sim::UnitId;

namespace {

constexpr std::int64_t ceil_div(std::int64_t a, std::int64_t b) noexcept { return (a + b - 1) / b; }
constexpr std::size_t index_of(UnitId id) noexcept { return static_cast<std::size_t>(id); }

}  // namespace

// ---- units

Cycle RtlDma::execute(const Command& command) {
    sim::Tile* tile = nullptr;
    std::vector<ByteRun> runs;
    std::vector<std::uint8_t> bytes;
    if (command.opcode == Opcode::store) {
        (void)access(command.left, false, sim::tile_bits(run_, command), &tile);
        sim::store_runs(run_, command, runs);
        sim::store_tile(run_, command, *tile);
        for (auto row = command.rows.begin; row < command.rows.end; ++row)
            for (auto col = command.cols.begin; col < command.cols.end; ++col)
                if (program().output->place(command.batch, row, col)) append_bytes(bytes, tile->row(row)[static_cast<std::size_t>(col)], program().output_bits);
    } else {
        (void)access(command.target, true, sim::tile_bits(run_, command), &tile);
        sim::load_runs(run_, command, runs);
        sim::fill_tile(run_, command, *tile);
    }
    if (runs.empty()) return sim::now();
    open_.push_back(&command);
    models_.transfer(id(), command, runs, std::move(bytes));
    return kLater;
}

void RtlDma::tile_done() {
    const auto& done = *open_.front();
    open_.pop_front();
    finish(done, sim::now());
}

Cycle RtlPeArray::execute(const Command& command) {
    const auto& use = program().products[static_cast<std::size_t>(command.product)];
    models::check(!use.swap && !use.weight_stationary, "RTL array: output stationary, operands in their places");
    RtlDatapath::Product product{.command = &command, .from_scores = command.left.buffer == sim::BufferId::score};
    (void)access(command.left, false, 0, &product.left);
    (void)access(command.target, true, 0, &product.sums);
    if (command.opcode == Opcode::relative) {
        product.relative = &operation<quant::RelativePositionOp>(use.node);
        product.left_zero = product.relative->q_zero_point;
    } else if (const auto* contraction = sim::contraction_of(run_, use.node)) {
        models::check(contraction->terms.size() == 1 && contraction->code.kind == quant::OperandKind::uniform, "RTL array: one term");
        product.constant = contraction->terms.front();
        product.left_zero = product.constant.zero_point;
    } else {
        const auto& form = operation<quant::Product>(use.node);
        models::check(form.code.kind == quant::OperandKind::uniform, "RTL array: uniform words");
        if (form.row_normalised) sim::keep_codes(command, *product.left, *product.sums);
        product.is_product = true;
        product.left_zero = form.left_zero_point;
        product.right_zero = form.right_zero_point;
        product.right_is_signed = false;
    }
    models_.multiply(std::move(product));
    return kLater;
}

// ---- models

RtlDatapath::RtlDatapath(const sc_core::sc_module_name& name, sim::Run& run) : sc_module(name), run_(run) {
    const auto transport = [this](UnitId id) {
        return [this, id](tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) { dmas_[index_of(id)]->burst_out->b_transport(payload, delay); };
    };
    for (auto id : {UnitId::weight_dma, UnitId::activation_dma, UnitId::operand_dma}) {
        const auto model_name = std::string(sim::kUnitNames[index_of(id)]) + "_model";
        loads_.push_back(std::make_unique<LoadEngine<BlockLoad>>(model_name.c_str(), *run.hardware, transport(id), [this](std::int64_t address) { return image_.at(address); }));
    }
    store_ = std::make_unique<StoreEngine<BlockStore>>(
        "store_dma_model", *run.hardware, transport(UnitId::store_dma),
        [this](std::int64_t tile, std::int64_t offset) {
            const auto& tiles = tiles_[index_of(UnitId::store_dma)];
            const auto place = static_cast<std::size_t>(tile - store_->num_done());
            if (place >= tiles.size() || offset >= static_cast<std::int64_t>(tiles[place].size())) return DramImage::kUnknown;
            return tiles[place][static_cast<std::size_t>(offset)];
        },
        [this](std::int64_t address, std::uint8_t byte, bool asked) {
            written_.write(address, byte);
            if (!asked) ++differences_.stored_bytes;
        });
    engine_->reset = 1;
    engine_.tick();
    engine_->reset = 0;
    SC_HAS_PROCESS(RtlDatapath);
    SC_THREAD(clock);
}

sim::Substitutes RtlDatapath::substitutes(std::unique_ptr<RtlDatapath>& datapath) {
    const auto models = [&datapath](sim::Run& run) -> RtlDatapath& {
        if (!datapath) datapath = std::make_unique<RtlDatapath>("rtl", run);
        return *datapath;
    };
    return {.dma =
                [models](const char* name, UnitId id, sim::Run& run) {
                    auto& owner = models(run);
                    auto unit = std::make_unique<RtlDma>(name, id, run, owner);
                    owner.dmas_[index_of(id)] = unit.get();
                    return unit;
                },
            .pe_array =
                [models](const char* name, sim::Run& run) {
                    auto& owner = models(run);
                    auto unit = std::make_unique<RtlPeArray>(name, run, owner);
                    owner.array_ = unit.get();
                    return unit;
                }};
}

void RtlDatapath::begin_segment() {
    program_ = run_.program;
    image_.fill(run_);
    written_ = image_;
}

void RtlDatapath::end_segment() {
    if (program_ != run_.program) return;
    image_.place_output(run_);
    differences_.stored_bytes += image_.differences(written_) + store_->take_wrong_ends();
    program_ = nullptr;
}

void RtlDatapath::transfer(UnitId id, const Command& command, const std::vector<ByteRun>& runs, std::vector<std::uint8_t> bytes) {
    if (program_ != run_.program) begin_segment();
    if (command.opcode == Opcode::load) {
        for (const auto& run : runs)
            for (auto address = run.begin; address < run.end; ++address) bytes.push_back(image_.at(address));
        describe(id, command);
    }
    tiles_[index_of(id)].push_back(std::move(bytes));
    ++num_submitted_[index_of(id)];
    ++num_open_;
    wake_.notify(sc_core::SC_ZERO_TIME);
    const auto work_through = [&](auto& engine) {
        engine.submit(runs);
        while (!engine.has_taken_all()) wait(cycle_);
    };
    if (id == UnitId::store_dma) {
        work_through(*store_);
    } else {
        work_through(load_engine(id));
    }
}

void RtlDatapath::describe(UnitId id, const Command& command) {
    const bool right = id == UnitId::weight_dma && command.target.buffer == sim::BufferId::weight;
    const bool left = id == UnitId::activation_dma && command.target.buffer == sim::BufferId::activation;
    if (program_->products.empty() || !(left || right)) return;
    const auto& operand = program_->operands[static_cast<std::size_t>(command.operand)];
    models::check(operand.bits == 8 && !(operand.map && operand.map->gathers_patches()), "RTL buffers: rows of 8-bit words");
    const bool columns = operand.map && operand.map->runs_across_rows();
    Description tile{.id = id, .tile = num_submitted_[index_of(id)], .slot = command.target.index, .line = columns ? command.rows.size() : command.depth.size(),
                     .blocks = ceil_div(command.depth.size(), EngineShape::kDepth), .bytes = command.rows.size() * command.depth.size(), .columns = columns};
    models::check(tile.bytes <= 1 << 16 && tile.line <= 1 << 12 && ceil_div(command.rows.size(), EngineShape::kRows) * tile.blocks <= EngineShape::kSlotBlocks,
                  "RTL buffers: a tile is too large");
    descriptions_.push_back(tile);
}

void RtlDatapath::multiply(Product product) {
    product.accumulators.assign(static_cast<std::size_t>(product.rows() * product.cols()), 0);
    models::check(ceil_div(product.rows(), EngineShape::kRows) * ceil_div(product.cols(), EngineShape::kCols) * EngineShape::kGroups <= EngineShape::kSlotGroups,
                  "RTL partial sums: a tile is too large");
    waiting_.push_back(std::move(product));
    ++num_open_;
    wake_.notify(sc_core::SC_ZERO_TIME);
    walk_ended_ = false;
    while (!walk_ended_) wait(cycle_);
}

// ---- the clock

void RtlDatapath::clock() {
    for (;;) {
        while (idle()) wait(wake_);
        for (auto& load : loads_) load->before_tick();
        store_->before_tick();
        drive_descriptions();
        drive_bytes(UnitId::weight_dma);
        drive_bytes(UnitId::activation_dma);
        drive_bytes(UnitId::operand_dma);
        drive_product();
        engine_.eval();
        const bool starts = engine_->start && engine_->ready, reads_scores = engine_->score_read;
        walk_ended_ |= static_cast<bool>(engine_->walk_ends);
        if (reads_scores) {
            const auto& product = running_.back();
            const auto block = std::int64_t{engine_->score_block}, blocks = ceil_div(product.command->depth.size(), EngineShape::kDepth);
            const auto row_tile = block / blocks, begin = product.command->depth.begin + block % blocks * EngineShape::kDepth;
            score_words_.assign(EngineShape::kRows * EngineShape::kDepth, 0);
            for (int r = 0; r < EngineShape::kRows; ++r) {
                const auto row = product.command->rows.begin + row_tile * EngineShape::kRows + r;
                if (row >= product.command->rows.end) break;
                for (int d = 0; d < static_cast<int>(engine_->score_used); ++d)
                    score_words_[static_cast<std::size_t>(r * EngineShape::kDepth + d)] = product.left->row(row)[static_cast<std::size_t>(begin + d)];
            }
        }
        for (auto& load : loads_) load->tick();
        store_->tick();
        engine_.tick();
        if (reads_scores)
            for (std::size_t i = 0; i < score_words_.size(); ++i) set_field(engine_->score_words, i * 8, 8, score_words_[i]);
        if (starts) {
            running_.push_back(std::move(waiting_.front()));
            waiting_.pop_front();
        }
        wait(sim::ticks(1));
        after_tick();
        cycle_.notify(sc_core::SC_ZERO_TIME);
    }
}

void RtlDatapath::drive_descriptions() {
    engine_->describe = 0;
    if (descriptions_.empty()) return;
    const auto tile = descriptions_.front();
    descriptions_.pop_front();
    engine_->describe = tile.id == UnitId::weight_dma ? 2 : 1;
    engine_->describe_tile = static_cast<std::uint8_t>(tile.tile % 8);
    engine_->describe_slot = static_cast<std::uint8_t>(tile.slot);
    engine_->describe_columns = tile.columns;
    engine_->describe_line = static_cast<std::uint16_t>(tile.line);
    engine_->describe_reciprocal = static_cast<std::uint32_t>(ceil_div(std::int64_t{1} << 28, tile.line));
    engine_->describe_blocks = static_cast<std::uint16_t>(tile.blocks);
    engine_->describe_bytes = static_cast<std::uint32_t>(tile.bytes);
}

void RtlDatapath::drive_bytes(UnitId id) {
    auto& load = load_engine(id);
    load.for_each_byte([&](std::int64_t tile, std::int64_t offset, std::uint8_t byte) {
        const auto& tiles = tiles_[index_of(id)];
        const auto place = static_cast<std::size_t>(tile - load.num_done());
        const bool right = place < tiles.size() && offset < static_cast<std::int64_t>(tiles[place].size()) && tiles[place][static_cast<std::size_t>(offset)] == byte;
        differences_.loaded_bytes += right ? 0 : 1;
    });
    const auto& from = load.module();
    if (id == UnitId::weight_dma) {
        engine_->right_valid = from.byte_valid, engine_->right_tile = from.byte_tile, engine_->right_offset = from.byte_offset;
        engine_->right_count = from.byte_count, engine_->right_data = from.byte_data;
    } else if (id == UnitId::activation_dma) {
        engine_->left_valid = from.byte_valid, engine_->left_tile = from.byte_tile, engine_->left_offset = from.byte_offset;
        engine_->left_count = from.byte_count, engine_->left_data = from.byte_data;
    }
}

void RtlDatapath::drive_product() {
    engine_->start = 0;
    engine_->load = 0;
    if (waiting_.empty()) return;
    const auto& product = waiting_.front();
    if (!(product.constant.multiplier == constant_.multiplier && product.constant.exponent == constant_.exponent && loads_constant_)) {
        if (!running_.empty()) return;  // constants belong to what is in flight
        engine_->load = 1;
        engine_->load_multiplier = static_cast<std::uint16_t>(product.constant.multiplier);
        engine_->load_exponent = static_cast<std::uint8_t>(product.constant.exponent);
        constant_ = product.constant;
        loads_constant_ = true;
        return;
    }
    const auto& command = *product.command;
    const auto rows = product.rows(), cols = product.cols(), depth = command.depth.size();
    const auto row_tiles = ceil_div(rows, EngineShape::kRows), blocks = ceil_div(depth, EngineShape::kDepth);
    engine_->start = 1;
    engine_->from_scores = product.from_scores;
    engine_->left_slot = static_cast<std::uint8_t>(product.from_scores ? 0 : command.left.index);
    engine_->right_slot = static_cast<std::uint8_t>(command.right.index);
    engine_->right_is_signed = product.right_is_signed;
    engine_->row_tiles = static_cast<std::uint16_t>(row_tiles);
    engine_->col_tiles = static_cast<std::uint16_t>(ceil_div(cols, EngineShape::kCols));
    engine_->blocks = static_cast<std::uint16_t>(blocks);
    engine_->last_rows = static_cast<std::uint16_t>(rows - (row_tiles - 1) * EngineShape::kRows);
    engine_->last_words = static_cast<std::uint16_t>(depth - (blocks - 1) * EngineShape::kDepth);
    engine_->left_zero = static_cast<std::uint32_t>(port_bits(product.left_zero, 17));
    engine_->right_zero = static_cast<std::uint32_t>(port_bits(product.right_zero, 17));
    engine_->zero_product = port_bits(depth * product.left_zero * product.right_zero, 48);
    engine_->sum_slot = static_cast<std::uint8_t>(command.target.index);
    engine_->first_part = command.first;
    engine_->last_part = command.last;
}

void RtlDatapath::after_tick() {
    take_sums();
    if (engine_->done) {
        auto product = std::move(running_.front());
        running_.pop_front();
        close(product);
        array_->finished(*product.command);
        --num_open_;
    }
    const auto end_tile = [&](UnitId id, bool done) {
        if (!done) return;
        tiles_[index_of(id)].pop_front();
        dmas_[index_of(id)]->tile_done();
        --num_open_;
    };
    for (auto id : {UnitId::weight_dma, UnitId::activation_dma, UnitId::operand_dma}) end_tile(id, load_engine(id).tile_done());
    end_tile(UnitId::store_dma, store_->tile_done());
}

void RtlDatapath::take_sums() {
    if (!engine_->valid_out) return;
    auto& product = running_.front();
    const auto group = std::int64_t{engine_->group_out}, piece = group / EngineShape::kGroups;
    const auto row_tiles = ceil_div(product.rows(), EngineShape::kRows);
    for (int r = 0; r < EngineShape::kDrainRows; ++r) {
        const auto row = piece % row_tiles * EngineShape::kRows + group % EngineShape::kGroups * EngineShape::kDrainRows + r;
        for (int c = 0; c < EngineShape::kCols; ++c) {
            const auto col = piece / row_tiles * EngineShape::kCols + c;
            if (row >= product.rows() || col >= product.cols()) continue;
            product.accumulators[static_cast<std::size_t>(row * product.cols() + col)] =
                signed_field(engine_->accumulators, static_cast<std::size_t>((r * EngineShape::kCols + c) * EngineShape::kAccBits), EngineShape::kAccBits);
        }
    }
}

void RtlDatapath::close(Product& product) {
    const auto& command = *product.command;
    auto& sums = *product.sums;
    if (product.relative) {  // the post unit makes the terms from the query words: here they are compared
        sums.words = product.left->words;
        sums.rows = product.left->rows, sums.stride = product.left->stride;
        const auto tables = table_words(run_, run_.program->products[static_cast<std::size_t>(command.product)].node);
        const auto depth = static_cast<std::size_t>(command.depth.size());
        for (std::size_t i = 0; i < product.accumulators.size(); ++i) {
            const auto row = command.rows.begin + static_cast<std::int64_t>(i) / product.cols();
            const auto* table = tables.data() + i % static_cast<std::size_t>(product.cols()) * depth;
            std::int64_t expected = 0;
            for (std::size_t k = 0; k < depth; ++k) expected += (product.left->row(row)[k] - product.left_zero) * table[k];
            differences_.relative_sums += product.accumulators[i] != expected ? 1 : 0;
        }
        return;
    }
    if (!command.last) return;
    if (product.is_product) {
        sums.products.assign(product.accumulators.size(), {});
        for (std::size_t i = 0; i < product.accumulators.size(); ++i) sums.products[i].term_sum[0] = product.accumulators[i];
    } else {
        sums.sums.assign(product.accumulators.size(), {});
        for (std::size_t i = 0; i < product.accumulators.size(); ++i) sums.sums[i].accumulator = product.accumulators[i];
    }
}

}  // namespace prelude::rtl
