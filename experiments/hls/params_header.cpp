// SPDX-License-Identifier: Apache-2.0
#include "experiments/hls/params_header.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "experiments/handoff/selection.hpp"
#include "experiments/hls/constant_text.hpp"
#include "models/overloaded.hpp"
#include "quant/arithmetic/elementwise.hpp"
#include "quant/arithmetic/layernorm.hpp"

namespace prelude::experiments {

// Written by cmake/EmbedFiles.cmake.
namespace assets {
extern const std::string_view types, words;
}

namespace {

using models::Graph;
using models::Node;
using models::Shape;
using models::ValueId;

constexpr int kNormalisedBits = 20;  // of a norm's t, docs/numerics.md section 5

bool is_signed(quant::FormatKind kind) {
    switch (kind) {
        case quant::FormatKind::fixed:
        case quant::FormatKind::score:
        case quant::FormatKind::coordinate: return true;
        default: return false;
    }
}

std::string describe(const quant::Format& format) {
    switch (format.kind) {
        case quant::FormatKind::pixel: return "pixel";
        case quant::FormatKind::code: return "code";
        case quant::FormatKind::fixed: return "fixed";
        case quant::FormatKind::score: return "score, log2 units";
        case quant::FormatKind::probability: return "probability";
        case quant::FormatKind::hybrid: return "hybrid code";
        case quant::FormatKind::coordinate: return "coordinate";
        case quant::FormatKind::floating: return "floating point";
    }
    return "";
}

/// The namespace of one node.
class NodeText {
  public:
    NodeText(const Graph& part, const Node& node, const quant::QuantizedGraph& quantized, std::string& text)
        : part_(part), node_(node), quantized_(quantized), text_(text), constants_(text, node.name) {}

    void write(const Tile* tile) {
        const auto found = quantized_.operations.find(node_.name);
        if (found == quantized_.operations.end())
            throw models::InputError(node_.name + ": no integers of this node; a header holds exported layers alone");
        const auto& operation = found->second;
        text_ += fmt::format("// {}: {}\nnamespace {} {{\n\n", node_.name, models::operator_name(node_.op), c_name(node_.name));
        for (std::size_t i = 0; i < node_.inputs.size(); ++i) value(fmt::format("input{}", i), node_.inputs[i]);
        value("output", node_.output);
        std::visit([&](const auto& op) { words_of(op); }, operation);
        text_ += '\n';
        bounds();
        if (tile != nullptr) {
            for (const auto& [name, size] :
                 {std::pair{"tile_rows", tile->rows}, {"tile_inputs", tile->inputs}, {"tile_outputs", tile->outputs}})
                if (size > 0) constants_.integer(name, size);
        }
        text_ += '\n';
        std::visit([&](const auto& op) { quant::fields(constants_, op, &op); }, operation);
        std::visit([&](const auto& op) { tables_of(op); }, operation);
        text_ += fmt::format("\n}}  // namespace {}\n\n", c_name(node_.name));
    }

  private:
    /// Types, shape and real meaning of a value.
    void value(const std::string& role, ValueId id) {
        const auto& value = part_.value(id);
        const auto format = quantized_.plan.formats.find(value.name);
        if (format == quantized_.plan.formats.end())
            throw models::InputError(value.name + ": no format of this value; a header holds values of exported layers alone");
        const auto& form = format->second;
        constants_.comment(
            fmt::format("{}: {} [{}], {} of {} bits", role, value.name, fmt::join(value.shape.extents(), ", "), describe(form), form.bits));
        meaning(value.name, form);
        text_ += fmt::format("typedef {} {}_t;\n", word_type(form.bits, is_signed(form.kind)), role);
        if (form.kind == quant::FormatKind::fixed || form.kind == quant::FormatKind::score) fixed_point(role, value.name, form.bits);
        text_ += fmt::format("constexpr int k{}Shape[{}] = {{{}}};\n", camel_case(role), std::max<std::size_t>(value.shape.rank(), 1),
                             value.shape.rank() == 0 ? "1" : fmt::format("{}", fmt::join(value.shape.extents(), ", ")));
        constants_.integer(role + "_elements", value.shape.num_elements());
    }

    void fixed_point(const std::string& role, const std::string& name, int bits) {
        const auto found = quantized_.meanings.find(name);
        if (found == quantized_.meanings.end() || found->second.scale.size() != 1) return;
        int exponent = 0;
        if (std::frexp(found->second.scale[0], &exponent) != 0.5) return;
        const int fraction = 1 - exponent;  // the scale is 2^-fraction
        text_ += fmt::format("typedef ap_fixed<{}, {}, AP_RND_CONV, AP_SAT> {}_fixed_t;\n", bits, bits - fraction, role);
        constants_.integer(role + "_point", fraction);
    }

    void meaning(const std::string& name, const quant::Format& form) {
        const auto found = quantized_.meanings.find(name);
        if (found == quantized_.meanings.end()) return;
        const auto& meaning = found->second;
        if (form.kind == quant::FormatKind::hybrid) {
            return constants_.comment(fmt::format(
                "  value = {:.9g} + a power of two above {:.9g}, or {:.9g} + steps of {:.9g}; kCode.. of the node that reads it say which",
                meaning.offset, meaning.scale[0], meaning.offset, meaning.scale.size() > 1 ? meaning.scale[1] : 0.0));
        }
        if (form.kind == quant::FormatKind::probability && form.code == quant::OperandKind::logarithmic) {
            const auto unit = form.scale == quant::ScaleMode::row ? std::string("the row's largest") : fmt::format("{:.9g}", meaning.scale[0]);
            const auto zero = form.zero_code >= 0 ? fmt::format(", word {}: 0", form.zero_code) : std::string();
            return constants_.comment(fmt::format("  value = {} * 2^(-word / {}){}", unit, form.tau, zero));
        }
        if (form.kind == quant::FormatKind::probability && form.code != quant::OperandKind::uniform)
            return constants_.comment("  the value of a word is its factor in the node that reads it");
        constexpr std::size_t kMostGroups = 16;
        const auto groups = std::min(meaning.scale.size(), kMostGroups);
        for (std::size_t g = 0; g < groups; ++g) {
            constants_.comment(fmt::format("  value = {:.9g} * (word - {}){}", meaning.scale[g],
                                           meaning.zero_point[std::min(g, meaning.zero_point.size() - 1)],
                                           meaning.scale.size() > 1 ? fmt::format(" in group {}", g) : ""));
        }
        if (groups < meaning.scale.size())
            constants_.comment(
                fmt::format("  and {} further groups: their scales stand in the side-car of {}", meaning.scale.size() - groups, name));
    }

    // Words inside the unit.
    void words_of(const quant::Contraction& op) {
        text_ += fmt::format("typedef {} weight_t;  // centred: w - z_w\n", word_type(op.weight_bits + !op.weight_symmetric, true));
        sums(op.product_bits, op.accumulator_bits, op.rescale.operand_shift);
    }
    void words_of(const quant::PatchEmbedding& op) { words_of(op.contraction); }
    void words_of(const quant::Product& op) { sums(op.product_bits, op.accumulator_bits, op.rescale.operand_shift); }
    void words_of(const quant::LayerNormOp&) {
        text_ += fmt::format("typedef {} normalised_t;  // t\n", word_type(kNormalisedBits, true));
        text_ += "typedef ap_uint<16> root_t;  // y\n";
        text_ += fmt::format("typedef {} variance_t;  // V\n", word_type(63, false));
        constants_.integer("channel_stride", channel_stride());
    }
    void words_of(const quant::SoftmaxOp& op) { text_ += fmt::format("typedef {} exponential_t;\n", word_type(op.exp_bits, false)); }
    void words_of(const auto&) {}

    void sums(int product_bits, int accumulator_bits, int operand_shift) {
        text_ += fmt::format("typedef {} product_t;  // A_t\n", word_type(std::max(product_bits, 1), true));
        text_ += fmt::format("typedef {} accumulator_t;  // Acc\n", word_type(std::max(accumulator_bits, 1), true));
        text_ += fmt::format("typedef {} operand_t;  // P\n",
                             word_type(std::max(accumulator_bits - operand_shift, 1) + (operand_shift > 0), true));
    }

    /// Words between two channels of a pixel or token.
    [[nodiscard]] std::int64_t channel_stride() const {
        const auto& value = part_.value(node_.output);
        std::int64_t stride = 1;
        for (auto axis = value.channel_axis + 1; axis < value.shape.rank(); ++axis) stride *= value.shape[axis];
        return stride;
    }

    void matrix(std::int64_t batch, std::int64_t rows, std::int64_t inputs, std::int64_t outputs) {
        for (const auto& [name, size] : {std::pair{"batch", batch}, {"rows", rows}, {"inputs", inputs}, {"outputs", outputs}})
            constants_.integer(name, size);
    }
    void values(std::initializer_list<std::pair<const char*, std::int64_t>> list) {
        for (const auto& [name, size] : list) constants_.integer(name, size);
    }

    /// Loop bounds and what else the operator says.
    void bounds() {
        const auto& out = part_.value(node_.output).shape;
        const auto in = [&](std::size_t i) -> const Shape& { return part_.value(node_.inputs[i]).shape; };
        const auto rows = [&] { return out.rank() > 1 ? out[out.rank() - 2] : 1; };
        const auto batch = [&] { return out.num_rows() / rows(); };
        std::visit(
            models::Overloaded{[&](const models::Linear& op) { matrix(batch(), rows(), op.in_features, op.out_features); },
                               [&](const models::MatMul&) { matrix(in(0)[0], in(0)[1], in(0)[2], out[2]); },
                               [&](const models::Conv& op) {
                                   matrix(out[0], out[2] * out[3], op.in_channels * op.kernel * op.kernel, op.out_channels);
                                   values({{"kernel", op.kernel},
                                           {"stride", op.stride},
                                           {"padding", op.padding},
                                           {"content_height", op.content_height},
                                           {"content_width", op.content_width}});
                               },
                               [&](const models::ConvTranspose& op) {
                                   matrix(in(0)[0], in(0)[2] * in(0)[3], op.in_channels, op.out_channels * op.kernel * op.kernel);
                                   values({{"kernel", op.kernel}});
                               },
                               [&](const models::WindowPartition& op) {
                                   values({{"height", op.height}, {"width", op.width}, {"window", op.window}});
                               },
                               [&](const models::WindowUnpartition& op) {
                                   values({{"height", op.height}, {"width", op.width}, {"window", op.window}});
                               },
                               [&](const models::Concat& op) {
                                   values({{"axis", static_cast<std::int64_t>(op.axis)}});
                               },
                               [&](const models::Resize& op) {
                                   values({{"resized_height", op.height}, {"resized_width", op.width}});
                               },
                               [&](const models::Rearrange& op) { rearrangement(op); },
                               [&](const auto&) {
                                   const auto channels = out.rank() > 0 ? out[part_.value(node_.output).channel_axis] : 1;
                                   values({{"rows", out.num_elements() / std::max<std::int64_t>(channels, 1)}, {"inputs", channels}});
                               }},
            node_.op);
    }

    void rearrangement(const models::Rearrange& op) {
        constants_.comment(
            "the input viewed as kView, of axis kSliceAxis (-1: none) [kSliceBegin, kSliceBegin + kSliceCount) kept, axes in the order "
            "kOrder");
        constants_.numbers("view", op.view.extents());
        constants_.numbers("order", {op.order.begin(), op.order.end()});
        values({{"slice_axis", op.slice_axis ? static_cast<std::int64_t>(*op.slice_axis) : -1},
                {"slice_begin", op.slice_begin},
                {"slice_count", op.slice_count}});
    }

    // Tables that are not members of the operation.
    void tables_of(const quant::LayerNormOp& op) {
        if (op.root != quant::Root::seeded) return;
        const auto seeds = quant::root_seeds();
        constants_.numbers("root_seed", {seeds.begin(), seeds.end()});
    }
    void tables_of(const quant::PromptOp&) {
        const auto sine = quant::sine_turn();
        constants_.numbers("sine", {sine.begin(), sine.end()});
        values({{"coordinate_fraction", quant::kCoordinateFraction}});
    }
    void tables_of(const quant::ResizeOp&) { values({{"tap_bits", quant::kTapBits}}); }
    void tables_of(const quant::PatchEmbedding& op) {
        const auto& conv = std::get<models::Conv>(node_.op);
        const auto& in = part_.value(node_.inputs[0]).shape;
        const auto height = conv.content_height ? conv.content_height : in[2], width = conv.content_width ? conv.content_width : in[3];
        constants_.comment(
            "offsets of patches with kPatch, kContentHeight % kPatch and 0 real rows, times columns likewise, times outputs: in place of "
            "kRescaleOffset");
        std::vector<std::int64_t> offsets;
        for (const auto rows : {op.patch, height % op.patch, std::int64_t{0}})
            for (const auto cols : {op.patch, width % op.patch, std::int64_t{0}})
                for (std::int64_t o = 0; o < op.contraction.num_outputs; ++o)
                    offsets.push_back(quant::patch_offset(op, static_cast<std::size_t>(o), rows, cols));
        constants_.numbers("patch_offset", offsets);
    }
    void tables_of(const auto&) {}

    const Graph& part_;
    const Node& node_;
    const quant::QuantizedGraph& quantized_;
    std::string& text_;
    ConstantText constants_;
};

/// A line that ends no comment and holds no control character.
std::string one_line(std::string_view text) {
    std::string line;
    for (const char c : text) line += static_cast<unsigned char>(c) < ' ' || c == '\\' ? ' ' : c;
    return line;
}

}  // namespace

std::string_view ap_types_header() {
    return assets::types;
}
std::string_view words_header() {
    return assets::words;
}

std::string params_header(const Graph& part, const quant::QuantizedGraph& quantized, const Tiles& tiles, const std::string& design) {
    std::string text = fmt::format(
        "// Parameters of exported layers{}. Written by `explore export`: edits are lost.\n"
        "// What the layers compute is docs/numerics.md of Prelude. Arrays are C++ integers; a synthesis tool trims a memory to the word "
        "it is read into,\n"
        "// which the typedef before each array names.\n"
        "#pragma once\n\n#include <cstdint>\n\n#include \"prelude_ap_types.h\"\n\nnamespace prelude_params {{\n\n",
        design.empty() ? "" : ": " + one_line(design));
    for (const auto& node : part.nodes()) {
        const auto tile = tiles.find(node.name);
        NodeText(part, node, quantized, text).write(tile == tiles.end() ? nullptr : &tile->second);
    }
    return text + "}  // namespace prelude_params\n";
}

}  // namespace prelude::experiments
