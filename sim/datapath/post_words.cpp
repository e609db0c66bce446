// SPDX-License-Identifier: Apache-2.0
// The words of the post unit (functional mode): quant/arithmetic on tiles.
#include "quant/arithmetic/elementwise.hpp"
#include "quant/arithmetic/rescale.hpp"
#include "sim/datapath/payloads.hpp"
#include "sim/datapath/post_unit.hpp"

namespace prelude::sim {

namespace {

/// Acc -> word of one output of a contraction; a patch embedding has an offset per kind of patch.
class Finisher {
  public:
    Finisher(const Run& run, models::NodeId node) : node_(run.graph->node(node)), map_(*run.program->output) {
        const auto& operation = run.functional->quantized->operation(node_.name);
        patch_ = std::get_if<quant::PatchEmbedding>(&operation);
        product_ = std::get_if<quant::Product>(&operation);
        form_ = patch_ ? &patch_->contraction.rescale : product_ ? &product_->rescale : &std::get<quant::Contraction>(operation).rescale;
        if (!patch_) return;
        const auto& conv = std::get<models::Conv>(node_.op);
        const auto& in = run.graph->value(node_.inputs[0]).shape;
        height_ = conv.content_height ? conv.content_height : in[2];
        width_ = conv.content_width ? conv.content_width : in[3];
        across_ = run.graph->value(node_.output).shape[3];
        patched_ = *form_;
    }

    std::int32_t contraction(std::int64_t row, std::int64_t column, std::int64_t acc) {
        const auto channel = static_cast<std::size_t>(map_.channel_of(column));
        if (!patch_) return quant::rescale(*form_, channel, acc);
        const auto real = [&](std::int64_t index, std::int64_t extent) {
            return std::clamp<std::int64_t>(extent - index * patch_->patch, 0, patch_->patch);
        };
        const std::array key{real(row / across_, height_), real(row % across_, width_), column};
        auto [offset, is_new] = offsets_.try_emplace(key, 0);
        if (is_new) offset->second = quant::patch_offset(*patch_, channel, key[0], key[1]);
        patched_.offset[channel] = offset->second;
        return quant::rescale(patched_, channel, acc);
    }

    [[nodiscard]] const quant::Product* product() const noexcept { return product_; }

  private:
    const models::Node& node_;
    const OutputMap& map_;
    const quant::PatchEmbedding* patch_ = nullptr;
    const quant::Product* product_ = nullptr;
    const quant::Rescale* form_ = nullptr;
    quant::Rescale patched_;
    std::int64_t height_ = 0, width_ = 0, across_ = 1;
    std::map<std::array<std::int64_t, 3>, std::int64_t> offsets_;
};

/// Logical index of output (batch, row, column) of a contraction node.
std::int64_t logical_index(const Run& run, const models::Node& node, std::int64_t batch, std::int64_t row, std::int64_t column) {
    const OutputMap map(Layout{*run.graph}, node, node.output);
    return to_logical(run.graph->value(node.output).shape, *map.place(batch, row, column));
}

}  // namespace

namespace {

/// Requantize, GELU and ReLU: a table or a rescale per channel (a ReLU of codes too wide for a table is one that clamps).
std::int32_t activation_word(const quant::Operation& operation, std::size_t channel, std::int32_t word) {
    if (const auto* table = std::get_if<quant::TableOp>(&operation)) return quant::lookup(*table, word);
    return quant::rescale(std::get<quant::RequantizeOp>(operation).rescale, channel, word);
}

}  // namespace

void PostUnit::finish_words(const Command& command, Tile& sums, Tile& output, Tile* extra) {
    const auto& use = program().products[static_cast<std::size_t>(command.product)];
    const auto& segment = program().segment;
    const auto& node = run_.graph->node(use.node);
    const bool scores = segment.kind == SegmentKind::attention && command.product == 0;
    const auto stored = scores ? run_.graph->node(segment.softmax).inputs[0] : segment.output;
    const bool keep = node.output != stored && is_wanted(run_, node.output);
    const quant::RelativePositionOp* relative =
        segment.relative >= 0 && command.product == 0 ? &operation<quant::RelativePositionOp>(segment.relative) : nullptr;
    const bool keep_scores = scores && is_wanted(run_, stored);

    Finisher finisher(run_, use.node);
    std::vector<const quant::Operation*> steps;
    for (auto id : segment.post) steps.push_back(&run_.functional->quantized->operation(run_.graph->node(id).name));
    // A score row gathers its key tiles; everything else is one tile.
    if (!scores || command.first) output.resize(command.rows, scores ? program().cols : command.cols.end);
    std::size_t i = 0;
    for (auto row = command.rows.begin; row < command.rows.end; ++row) {
        quant::Reciprocal divisor{};
        const auto* product = finisher.product();
        if (product && product->row_normalised) divisor = quant::reciprocal(quant::row_sum(*product, sums.row(row)));
        auto words = output.row(row);
        for (auto col = command.cols.begin; col < command.cols.end; ++col, ++i) {
            std::int32_t word = 0;
            if (product) {
                run_.stats->overflows += sums.products[i].overflows;
                word = quant::finish(*product, quant::combine(*product, sums.products[i]), divisor);
            } else {
                run_.stats->overflows += sums.sums[i].overflows;
                word = finisher.contraction(row, col, sums.sums[i].accumulator);
            }
            if (keep) capture(run_, node.output, logical_index(run_, node, command.batch, row, col), word);
            if (relative) {
                const auto* terms = extra->wide.data() + (row - command.rows.begin) * (relative->height + relative->width);
                word = static_cast<std::int32_t>(
                    quant::saturate(word + terms[col / relative->width] + terms[relative->height + col % relative->width],
                                    quant::signed_min(relative->score_bits), quant::signed_max(relative->score_bits)));
            }
            for (std::size_t s = 0; s < steps.size(); ++s) {
                if (const auto* form = std::get_if<quant::AddOp>(steps[s])) {
                    const auto other = extra->row(row)[static_cast<std::size_t>(col)];
                    const bool is_right = segment.residual == run_.graph->node(segment.post[s]).inputs[1];
                    word = is_right ? quant::add(*form, word, other) : quant::add(*form, other, word);
                } else {
                    word = activation_word(*steps[s], static_cast<std::size_t>(col), word);
                }
            }
            words[static_cast<std::size_t>(col)] = word;
            if (keep_scores) {
                const auto& shape = run_.graph->value(stored).shape;
                capture(run_, stored, (command.batch * shape[1] + row) * shape[2] + col, word);
            }
        }
    }
}

void PostUnit::elementwise_words(const Command& command, Tile& input, Tile* second, Tile& output) {
    const auto& segment = program().segment;
    const auto& node = run_.graph->node(segment.main);
    if (segment.kind == SegmentKind::resize) return resize_words(command, input, output);
    const auto& form = run_.functional->quantized->operation(node.name);
    output.resize(command.rows, command.cols.end);
    for (auto row = command.rows.begin; row < command.rows.end; ++row) {
        auto to = output.row(row);
        if (segment.kind == SegmentKind::prompt) {
            const auto point = input.row(row);
            quant::prompt_row(operation<quant::PromptOp>(segment.main), point[0], point[1], second->words[static_cast<std::size_t>(row)],
                              to);
            continue;
        }
        const auto from = input.row(row);
        for (std::size_t c = 0; c < to.size(); ++c) {
            const auto* sum = std::get_if<quant::AddOp>(&form);
            to[c] = sum ? quant::add(*sum, from[c], second->row(row)[c]) : activation_word(form, c, from[c]);
        }
    }
}

void PostUnit::resize_words(const Command& command, Tile& input, Tile& output) {
    const auto& segment = program().segment;
    const auto& node = run_.graph->node(segment.main);
    const auto& op = std::get<models::Resize>(node.op);
    const auto& form = operation<quant::ResizeOp>(segment.main);
    const auto &in = run_.graph->value(node.inputs[0]).shape, &out = run_.graph->value(segment.output).shape;
    const auto channels = in[1];
    output.resize({command.rows.begin * out[3], command.rows.end * out[3]}, channels);
    std::vector<std::int32_t> top(static_cast<std::size_t>(in[3])), bottom(top.size());
    for (auto line = command.rows.begin; line < command.rows.end; ++line) {
        const auto down = quant::tap(line % out[2], in[2], op.height);
        const auto image = line / out[2] * in[2];
        for (std::int64_t c = 0; c < channels; ++c) {
            for (std::int64_t x = 0; x < in[3]; ++x) {
                top[static_cast<std::size_t>(x)] = input.row((image + down.first) * in[3] + x)[static_cast<std::size_t>(c)];
                bottom[static_cast<std::size_t>(x)] = input.row((image + down.second) * in[3] + x)[static_cast<std::size_t>(c)];
            }
            for (std::int64_t x = 0; x < out[3]; ++x) {
                output.row(line * out[3] + x)[static_cast<std::size_t>(c)] =
                    quant::interpolate(form, top.data(), bottom.data(), down.weight, quant::tap(x, in[3], op.width));
            }
        }
    }
}

}  // namespace prelude::sim
