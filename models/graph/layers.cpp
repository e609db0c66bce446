// SPDX-License-Identifier: Apache-2.0
#include "models/graph/layers.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "models/graph/scope.hpp"

namespace prelude::models {

namespace {

constexpr double kNormEps = 1e-6;
constexpr std::int64_t kMaxFilterSize = 64;  // kernel, stride and padding

/// What a name stands for: a value, one that could not be made, or nothing yet.
constexpr ValueId kNothing = -1, kWrong = -2;

/// Words that `of` takes beside the names of layers.
constexpr std::string_view kPrevious = "previous", kInput = "input";

class Builder {
  public:
    LayerGraph run(const LayerGroup& network) {
        names_.emplace_back();
        walk(network.items, 0, Scope(result_.graph, Part::encoder, ""));
        return std::move(result_);
    }

  private:
    struct Frame {
        std::map<std::string, ValueId> layers{};
        ValueId input = kNothing;  ///< what the repetition began with
    };

    static std::size_t count(const std::vector<LayerItem>& items) {
        std::size_t number = 0;
        for (const auto& item : items) {
            const auto* group = std::get_if<LayerGroup>(&item);
            number += 1 + (group ? count(group->items) : 0);
        }
        return number;
    }

    void walk(const std::vector<LayerItem>& items, std::size_t first, const Scope& scope) {
        for (std::size_t i = 0, number = first; i < items.size() && !full_; ++i) {
            item_ = number;
            const auto* group = std::get_if<LayerGroup>(&items[i]);
            if (group == nullptr) {
                add(std::get<Layer>(items[i]), scope);
                ++number;
                continue;
            }
            for (std::int64_t repetition = 0; repetition < group->repeat.value_or(1) && !full_; ++repetition) {
                item_ = number;
                const auto name = group->repeat ? fmt::format("{}{}", group->name, repetition) : group->name;
                if (!take_name(name, scope)) break;
                names_.push_back({.layers = {}, .input = previous_});
                const bool is_block = names_.size() == 2 && group->repeat;
                walk(group->items, number + 1, is_block ? scope.block(name, static_cast<int>(repetition)) : scope.inside(name));
                names_.pop_back();
                names_.back().layers[name] = previous_;
            }
            number += 1 + count(group->items);
        }
    }

    /// Whether a layer or repetition may have this name, and the network one more of them: every repetition counts.
    bool take_name(const std::string& name, const Scope& scope) {
        name_ = scope.full(name);
        full_ = ++num_layers_ > LayerLimits::kMaxLayers;
        if (full_) refuse("", fmt::format("{}: more than {} layers, repetitions counted", name_, LayerLimits::kMaxLayers));
        const bool is_reserved = name == kPrevious || name == kInput;
        if (is_reserved) refuse("name", fmt::format("{}: the name means another value", name_));
        const bool is_new = names_.back().layers.emplace(name, kWrong).second;
        if (!is_new) refuse("name", fmt::format("{}: a name stands twice", name_));
        return is_new && !is_reserved && !full_;
    }

    void refuse(std::string field, std::string message) {
        if (reported_.emplace(item_, field).second) result_.problems.push_back({item_, std::move(field), std::move(message)});
    }

    void add(const Layer& layer, Scope scope) {
        previous_ = take_name(layer.name, scope) ? made(layer, scope) : kWrong;
        names_.back().layers[layer.name] = previous_;
    }

    ValueId made(const Layer& layer, Scope& scope) {
        const auto problems = result_.problems.size();
        const auto& entry = entry_of(layer.kind);
        for (const auto& field : layer_fields()) {
            if (layer.*field.value && !entry.has(field.name)) refuse(std::string(field.name), fmt::format("{}: {} has no {}", name_, entry.name, field.name));
        }
        if (layer.transposed && layer.kind != LayerKind::matmul) refuse("transposed", fmt::format("{}: {} has no transposed", name_, entry.name));
        for (const auto field : entry.required) {
            if (!size(layer, field)) refuse("", fmt::format("{}: {} needs {}", name_, entry.name, field));
        }
        const bool is_complete = result_.problems.size() == problems;
        const auto operands = operands_of(layer, scope);
        if (!is_complete || !operands || std::ranges::find(*operands, kWrong) != operands->end()) return kWrong;
        return has_stated_sizes(layer, *operands) ? emit(layer, scope, *operands) : kWrong;
    }

    static std::optional<std::int64_t> size(const Layer& layer, std::string_view name) {
        const auto field = std::ranges::find(layer_fields(), name, &LayerField::name);
        return layer.*field->value;
    }

    static std::size_t num_operands(LayerKind kind) {
        return kind == LayerKind::input ? 0 : kind == LayerKind::matmul || kind == LayerKind::add ? 2 : 1;
    }

    // What a layer reads.

    std::optional<std::vector<ValueId>> operands_of(const Layer& layer, Scope& scope) {
        const auto wanted = num_operands(layer.kind);
        const auto& entry = entry_of(layer.kind);
        if (!layer.of.empty()) return named(layer, wanted);
        if (wanted == 0) return std::vector<ValueId>{};
        std::string missing;
        bool stated = false;
        for (const auto field : entry.reads) {
            if (size(layer, field)) stated = true;
            else if (field != "batch") missing += (missing.empty() ? "" : ", ") + std::string(field);
        }
        if (stated && missing.empty()) return fresh(layer, scope);
        if (stated) {
            refuse("", fmt::format("{}: a fresh input needs {}, too; `of` names an earlier value", name_, missing));
            return std::nullopt;
        }
        if (wanted == 2) {
            refuse("", fmt::format("{}: reads two values; `of` names them", name_));
            return std::nullopt;
        }
        if (previous_ == kNothing) {
            refuse("", fmt::format("{}: nothing stands before it to read", name_));
            return std::nullopt;
        }
        return std::vector{previous_};
    }

    std::optional<std::vector<ValueId>> named(const Layer& layer, std::size_t wanted) {
        std::vector<ValueId> values;
        if (layer.of.size() + 1 == wanted && layer.kind == LayerKind::add) values.push_back(find(std::string(kPrevious)));
        for (const auto& name : layer.of) {
            values.push_back(find(name));
            if (values.back() != kNothing) continue;
            refuse("of", fmt::format("{}: there is no {} before it", name_, name));
            return std::nullopt;
        }
        if (values.size() != wanted) {
            refuse("of", fmt::format("{}: reads {} value{}, `of` names {}", name_, wanted, wanted == 1 ? "" : "s", layer.of.size()));
            return std::nullopt;
        }
        if (values[0] == kNothing) refuse("of", fmt::format("{}: nothing stands before it to read", name_));
        return values[0] == kNothing ? std::nullopt : std::optional(values);
    }

    [[nodiscard]] ValueId find(const std::string& name) const {
        if (name == kPrevious) return previous_;
        if (name == kInput) return names_.back().input;
        for (auto frame = names_.rbegin(); frame != names_.rend(); ++frame) {
            if (const auto found = frame->layers.find(name); found != frame->layers.end()) return found->second;
        }
        return kNothing;
    }

    std::optional<std::vector<ValueId>> fresh(const Layer& layer, Scope& scope) {
        const auto input = [&](const std::string& suffix, const Shape& shape) {
            return fits_memory(shape) ? scope.input(layer.name + suffix, shape, shape.rank() == 4 ? 1 : 2) : kWrong;
        };
        const auto batch = layer.batch.value_or(1);
        switch (layer.kind) {
            case LayerKind::linear: return std::vector{input(".input", Shape{batch, *layer.rows, *layer.depth})};
            case LayerKind::conv: return std::vector{input(".input", Shape{1, *layer.channels, *layer.height, *layer.width})};
            case LayerKind::matmul:
                return std::vector{input(".left", Shape{batch, *layer.rows, *layer.depth}),
                                   input(".right", layer.transposed ? Shape{batch, *layer.cols, *layer.depth} : Shape{batch, *layer.depth, *layer.cols})};
            case LayerKind::add:
                return std::vector{input(".left", Shape{batch, *layer.rows, *layer.cols}), input(".right", Shape{batch, *layer.rows, *layer.cols})};
            default: return std::vector{input(".input", Shape{batch, *layer.rows, *layer.cols})};
        }
    }

    // Sizes.

    bool fits_memory(const Shape& shape) {
        double elements = 1;
        for (std::size_t axis = 0; axis < shape.rank(); ++axis) elements *= static_cast<double>(shape[axis]);
        if (elements <= static_cast<double>(LayerLimits::kMaxElements)) return true;
        refuse("", fmt::format("{}: a value of {} has more than 2^28 elements", name_, shape.to_string()));
        return false;
    }

    bool has_stated_sizes(const Layer& layer, const std::vector<ValueId>& operands) {
        if (operands.empty()) return true;
        const auto& shape = result_.graph.value(operands[0]).shape;
        const bool is_image = shape.rank() == 4, wants_image = layer.kind == LayerKind::conv || layer.kind == LayerKind::tokens;
        const bool takes_both = layer.kind == LayerKind::layer_norm || layer.kind == LayerKind::gelu || layer.kind == LayerKind::relu || layer.kind == LayerKind::add;
        if (!takes_both && is_image != wants_image) {
            refuse("", fmt::format("{}: reads {} {}, needs {}", name_, is_image ? "an image" : "tokens", shape.to_string(),
                                   wants_image ? "an image [1, channels, height, width]" : "tokens [batch, rows, channels]"));
            return false;
        }
        const auto axis_of = [&](std::string_view field) -> std::size_t {
            if (field == "batch") return 0;
            if (field == "channels" || field == "rows") return 1;
            return field == "width" ? 3 : 2;  // height, depth, cols
        };
        bool good = true;
        for (const auto field : entry_of(layer.kind).reads) {
            const auto stated = size(layer, field);
            if (!stated || (layer.kind == LayerKind::matmul && field == "cols")) continue;
            const auto found = axis_of(field) < shape.rank() ? shape[axis_of(field)] : 0;
            if (found == *stated) continue;
            refuse(std::string(field), fmt::format("{}: says {} {}, but reads {}", name_, field, *stated, shape.to_string()));
            good = false;
        }
        return good;
    }

    bool affordable(double macs, double weights) {
        macs_ += macs;
        if (weights > static_cast<double>(LayerLimits::kMaxElements)) refuse("", fmt::format("{}: more than 2^28 weights", name_));
        if (macs_ > static_cast<double>(LayerLimits::kMaxMacs)) {
            full_ = true;
            refuse("", fmt::format("{}: up to here the network has more than {:.0f} TMAC", name_, static_cast<double>(LayerLimits::kMaxMacs) * 1e-12));
        }
        return !full_ && weights <= static_cast<double>(LayerLimits::kMaxElements);
    }

    // Nodes.

    /// The operand codes of a product: those of a sum are a value of their own beside the residual stream.
    ValueId codes(Scope& scope, const std::string& consumer, ValueId value) {
        const auto* producer = result_.graph.producer(value);
        while (producer != nullptr && std::holds_alternative<Rearrange>(producer->op)) producer = result_.graph.producer(producer->inputs[0]);
        return producer != nullptr && std::holds_alternative<Add>(producer->op) ? scope.operand(consumer, value) : value;
    }

    ValueId emit(const Layer& layer, Scope& scope, const std::vector<ValueId>& in) {
        const auto shape = in.empty() ? Shape{} : result_.graph.value(in[0]).shape;
        const auto channels = in.empty() ? 0 : shape[shape.rank() == 4 ? 1 : shape.rank() - 1];
        switch (layer.kind) {
            case LayerKind::input: return emit_input(layer, scope);
            case LayerKind::linear: return emit_linear(layer, scope, in[0]);
            case LayerKind::matmul: return emit_matmul(layer, scope, in);
            case LayerKind::conv: return emit_conv(layer, scope, in[0]);
            case LayerKind::layer_norm: return scope.layer_norm(layer.name, name_, in[0], kNormEps);
            case LayerKind::softmax: return scope.add(layer.name, Softmax{}, in);
            case LayerKind::gelu: return scope.add(layer.name, Gelu{}, in);
            case LayerKind::relu: return scope.add(layer.name, Relu{}, in);
            case LayerKind::add: return emit_add(layer, scope, in);
            case LayerKind::attention: return emit_attention(layer, scope, in[0]);
            case LayerKind::tokens: return scope.to_tokens(layer.name, in[0]);
            case LayerKind::class_token:
                if (shape[0] != 1) return wrong("", fmt::format("a class token needs a batch of 1, reads {}", shape.to_string()));
                return scope.add(layer.name, Concat{.axis = 1}, {scope.parameter(layer.name + ".token", name_ + ".token", Shape{1, 1, channels}, 2), in[0]});
            case LayerKind::position:
                return scope.add(layer.name, Add{}, {in[0], scope.parameter(layer.name + ".table", name_ + ".table", shape, 2)});
        }
        return kWrong;
    }

    ValueId wrong(std::string field, const std::string& message) {
        refuse(std::move(field), fmt::format("{}: {}", name_, message));
        return kWrong;
    }

    ValueId emit_input(const Layer& layer, Scope& scope) {
        const bool tokens = layer.rows && layer.cols, image = layer.channels && layer.height && layer.width;
        const bool mixed = (layer.channels || layer.height || layer.width) && (layer.batch || layer.rows || layer.cols);
        if ((!tokens && !image) || mixed) return wrong("", "an input has rows and cols (and batch), or channels, height and width");
        const auto shape = tokens ? Shape{layer.batch.value_or(1), *layer.rows, *layer.cols} : Shape{1, *layer.channels, *layer.height, *layer.width};
        return fits_memory(shape) ? scope.input(layer.name, shape, tokens ? 2 : 1) : kWrong;
    }

    ValueId emit_linear(const Layer& layer, Scope& scope, ValueId in) {
        const auto shape = result_.graph.value(in).shape;
        const double elements = static_cast<double>(shape.num_elements()), cols = static_cast<double>(*layer.cols);
        if (!fits_memory(Shape{shape[0], shape[1], *layer.cols}) || !affordable(elements * cols, cols * static_cast<double>(shape[2]))) return kWrong;
        return scope.linear(layer.name, name_, codes(scope, layer.name, in), *layer.cols);
    }

    ValueId emit_matmul(const Layer& layer, Scope& scope, const std::vector<ValueId>& in) {
        const auto left = result_.graph.value(in[0]).shape, right = result_.graph.value(in[1]).shape;
        if (right.rank() != 3 || right[0] != left[0] || right[layer.transposed ? 2 : 1] != left[2])
            return wrong("of", fmt::format("cannot multiply {} by {}{}", left.to_string(), right.to_string(), layer.transposed ? " transposed" : ""));
        const auto cols = right[layer.transposed ? 1 : 2];
        if (layer.cols && *layer.cols != cols) return wrong("cols", fmt::format("says cols {}, but reads {}", *layer.cols, right.to_string()));
        const auto* producer = result_.graph.producer(in[1]);
        if (producer != nullptr && std::holds_alternative<Softmax>(producer->op))
            return wrong("of", "the probabilities of a softmax are the left operand of a product");
        if (!fits_memory(Shape{left[0], left[1], cols}) || !affordable(static_cast<double>(left.num_elements()) * static_cast<double>(cols), 0)) return kWrong;
        return scope.add(layer.name, MatMul{.transpose_right = layer.transposed}, {codes(scope, layer.name + ".left", in[0]), codes(scope, layer.name + ".right", in[1])});
    }

    ValueId emit_conv(const Layer& layer, Scope& scope, ValueId in) {
        const auto shape = result_.graph.value(in).shape;
        const auto stride = layer.stride.value_or(1), padding = layer.padding.value_or(0);
        const auto extent = [&](std::int64_t before) { return (before + 2 * padding - *layer.kernel) / stride + 1; };
        if (std::min(shape[2], shape[3]) + 2 * padding < *layer.kernel)
            return wrong("kernel", fmt::format("a kernel of {} does not fit into {} padded by {}", *layer.kernel, shape.to_string(), padding));
        const Shape out{1, *layer.filters, extent(shape[2]), extent(shape[3])};
        const auto weights = static_cast<double>(shape[1] * *layer.kernel * *layer.kernel);
        if (!fits_memory(out) || !affordable(static_cast<double>(out.num_elements()) * weights, weights * static_cast<double>(*layer.filters))) return kWrong;
        return scope.add(layer.name,
                         Conv{.weight = name_ + ".weight", .bias = name_ + ".bias", .in_channels = shape[1], .out_channels = *layer.filters, .kernel = *layer.kernel,
                              .stride = stride, .padding = padding},
                         {codes(scope, layer.name, in)});
    }

    ValueId emit_add(const Layer& layer, Scope& scope, const std::vector<ValueId>& in) {
        const auto &left = result_.graph.value(in[0]).shape, &right = result_.graph.value(in[1]).shape;
        bool fits = left.rank() == right.rank();
        for (std::size_t axis = 0; fits && axis < left.rank(); ++axis) fits = right[axis] == left[axis] || right[axis] == 1;
        if (!fits) return wrong("of", fmt::format("cannot add {} and {}", left.to_string(), right.to_string()));
        return scope.add(layer.name, Add{}, in);
    }

    ValueId emit_attention(const Layer& layer, Scope& scope, ValueId in) {
        const auto shape = result_.graph.value(in).shape;
        const auto heads = *layer.heads;
        if (shape[2] % (3 * heads) != 0)
            return wrong("heads", fmt::format("{} heads of queries, keys and values do not divide the {} channels it reads", heads, shape[2]));
        const auto width = shape[2] / 3;
        const Shape scores_shape{shape[0] * heads, shape[1], shape[1]};
        if (!fits_memory(scores_shape) || !affordable(2.0 * static_cast<double>(scores_shape.num_elements()) * static_cast<double>(width / heads), 0)) return kWrong;
        auto inside = scope.inside(layer.name);
        const auto q = inside.split_heads("q", in, heads, 3, 0), k = inside.split_heads("k", in, heads, 3, 1), v = inside.split_heads("v", in, heads, 3, 2);
        const auto probabilities = inside.add("softmax", Softmax{}, {inside.add("qk", MatMul{.transpose_right = true}, {q, k})});
        return inside.merge_heads("merge", inside.add("pv", MatMul{}, {probabilities, v}), heads);
    }

    LayerGraph result_{};
    std::vector<Frame> names_{};
    std::string name_;  ///< of the layer at hand, in full
    std::size_t item_ = 0;
    ValueId previous_ = kNothing;
    std::int64_t num_layers_ = 0;
    double macs_ = 0;
    bool full_ = false;  ///< a limit of the whole network is passed: nothing more is read
    std::set<std::pair<std::size_t, std::string>> reported_;
};

}  // namespace

std::span<const LayerField> layer_fields() noexcept {
    static constexpr std::array kFields{
        LayerField{"batch", &Layer::batch},       LayerField{"rows", &Layer::rows},     LayerField{"depth", &Layer::depth},
        LayerField{"cols", &Layer::cols},         LayerField{"channels", &Layer::channels}, LayerField{"height", &Layer::height},
        LayerField{"width", &Layer::width},       LayerField{"filters", &Layer::filters},   LayerField{"kernel", &Layer::kernel, 1, kMaxFilterSize},
        LayerField{"stride", &Layer::stride, 1, kMaxFilterSize}, LayerField{"padding", &Layer::padding, 0, kMaxFilterSize},
        LayerField{"heads", &Layer::heads, 1, 1024}};
    return kFields;
}

bool LayerKindEntry::has(std::string_view field) const noexcept {
    const auto holds = [&](const auto& names) { return std::ranges::find(names, field) != names.end(); };
    return holds(reads) || holds(required) || holds(optional);
}

std::span<const LayerKindEntry> layer_kinds() {
    static const std::vector<LayerKindEntry> kKinds{
        {"input", LayerKind::input, {}, {}, {"batch", "rows", "cols", "channels", "height", "width"}},
        {"linear", LayerKind::linear, {"batch", "rows", "depth"}, {"cols"}, {}},
        {"matmul", LayerKind::matmul, {"batch", "rows", "depth", "cols"}, {}, {}},
        {"conv", LayerKind::conv, {"channels", "height", "width"}, {"filters", "kernel"}, {"stride", "padding"}},
        {"layer_norm", LayerKind::layer_norm, {"batch", "rows", "cols"}, {}, {}},
        {"softmax", LayerKind::softmax, {"batch", "rows", "cols"}, {}, {}},
        {"gelu", LayerKind::gelu, {"batch", "rows", "cols"}, {}, {}},
        {"relu", LayerKind::relu, {"batch", "rows", "cols"}, {}, {}},
        {"add", LayerKind::add, {"batch", "rows", "cols"}, {}, {}},
        {"attention", LayerKind::attention, {"batch", "rows", "cols"}, {"heads"}, {}},
        {"tokens", LayerKind::tokens, {}, {}, {}},
        {"class_token", LayerKind::class_token, {}, {}, {}},
        {"position", LayerKind::position, {}, {}, {}}};
    return kKinds;
}

const LayerKindEntry& entry_of(LayerKind kind) {
    const auto kinds = layer_kinds();
    return *std::ranges::find(kinds, kind, &LayerKindEntry::kind);
}

LayerGraph build_layers(const LayerGroup& network) { return Builder{}.run(network); }

}  // namespace prelude::models
