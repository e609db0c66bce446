// SPDX-License-Identifier: Apache-2.0
#include "sim/datapath/payloads.hpp"

#include <algorithm>

namespace prelude::sim {

namespace {

/// What a word that no memory holds is: the code of the real zero.
class Padding {
  public:
    Padding(const Run& run, const OperandSource& operand, const quant::Contraction* contraction) : contraction_(contraction) {
        for (auto id : operand.map->movement()) {
            const auto& node = run.graph->node(id);
            if (std::holds_alternative<models::WindowPartition>(node.op)) {
                window_ = &std::get<quant::MoveOp>(run.functional->quantized->operation(node.name)).padding;
            }
        }
    }
    [[nodiscard]] std::int32_t word(std::int64_t k) const {
        const auto i = static_cast<std::size_t>(k);
        if (window_) return (*window_)[i];
        const auto term = contraction_->term_of.empty() ? 0 : static_cast<std::size_t>(contraction_->term_of[i]);
        return contraction_->terms[term].zero_point;
    }

  private:
    const quant::Contraction* contraction_;
    const std::vector<std::int32_t>* window_ = nullptr;
};

void fill_weights(const Run& run, const OperandSource& operand, const Command& load, Tile& tile) {
    const auto* contraction = contraction_of(run, operand.node);
    if (!contraction || load.rows.size() == 0) return;  // per-channel constants of a vector unit: read from the operation
    tile.resize(load.rows, contraction->depth);
    for (auto row = load.rows.begin; row < load.rows.end; ++row) {
        const auto* from = contraction->weights.data() + run.program->output->column_of(row) * contraction->depth;
        std::copy_n(from, contraction->depth, tile.row(row).data());
    }
}

}  // namespace

const quant::Contraction* contraction_of(const Run& run, models::NodeId node) {
    const auto& operation = run.functional->quantized->operation(run.graph->node(node).name);
    if (const auto* patch = std::get_if<quant::PatchEmbedding>(&operation)) return &patch->contraction;
    return std::get_if<quant::Contraction>(&operation);
}

void fill_tile(const Run& run, const Command& load, Tile& tile) {
    const auto& operand = run.program->operands[static_cast<std::size_t>(load.operand)];
    if (operand.kind == OperandSource::Kind::tables) return;
    if (operand.kind == OperandSource::Kind::weights) return fill_weights(run, operand, load, tile);

    const auto& map = *operand.map;
    const bool residual = load.depth.size() == 0;  // rows x cols of the stored output
    const auto* contraction =
        load.operand == 0 && !run.program->products.empty() ? contraction_of(run, run.program->products[0].node) : nullptr;
    const Padding padding(run, operand, contraction);
    const auto order = contraction ? quant::term_order(*contraction) : quant::TermOrder{};
    const auto columns = residual ? load.cols : load.depth;
    tile.resize(load.rows, residual ? load.cols.end : map.depth());
    const auto output_columns = residual ? row_length(run.graph->value(run.program->segment.output)) : 0;
    for (auto row = load.rows.begin; row < load.rows.end; ++row) {
        auto source_row = row;
        if (residual) {
            const auto place = run.program->output->place(load.batch, row, 0);
            if (!place) continue;
            source_row = *place / output_columns;
        }
        auto words = tile.row(row);
        for (auto p = columns.begin; p < columns.end; ++p) {
            const auto k = contraction ? static_cast<std::int64_t>(order.k_of[static_cast<std::size_t>(p)]) : p;
            const auto place = map.locate(load.batch, source_row, k);
            auto& word = words[static_cast<std::size_t>(k)];
            if (place.value < 0) {
                word = padding.word(k);
                continue;
            }
            const auto& stored = run.functional->memory->at(place.value);
            word = stored[static_cast<std::size_t>(to_logical(stored.shape(), place.index))];
        }
    }
}

void keep_codes(const Command& multiply, Tile& left, Tile& sums) {
    if (multiply.first) sums.resize(multiply.rows, left.stride);
    for (auto row = multiply.rows.begin; row < multiply.rows.end; ++row) {
        const auto from = left.row(row);
        std::copy(from.begin() + multiply.depth.begin, from.begin() + multiply.depth.end, sums.row(row).begin() + multiply.depth.begin);
    }
}

void store_tile(const Run& run, const Command& store, Tile& tile) {
    const auto value = run.program->segment.output;
    auto& memory = (*run.functional->memory)[value];
    const auto& shape = run.graph->value(value).shape;
    if (memory.num_elements() != shape.num_elements()) memory = models::IntTensor(shape);
    for (auto row = store.rows.begin; row < store.rows.end; ++row) {
        const auto words = tile.row(row);
        for (auto col = store.cols.begin; col < store.cols.end; ++col) {
            if (const auto place = run.program->output->place(store.batch, row, col)) {
                memory[static_cast<std::size_t>(to_logical(shape, *place))] = words[static_cast<std::size_t>(col)];
            }
        }
    }
}

bool is_wanted(const Run& run, models::ValueId value) {
    const auto* wanted = run.functional->wanted;
    return wanted && std::ranges::find(*wanted, value) != wanted->end();
}

void capture(const Run& run, models::ValueId value, std::int64_t logical_index, std::int32_t word) {
    auto& kept = (*run.functional->captured)[value];
    const auto& shape = run.graph->value(value).shape;
    if (kept.num_elements() != shape.num_elements()) kept = models::IntTensor(shape);
    kept[static_cast<std::size_t>(logical_index)] = word;
}

}  // namespace prelude::sim
