// SPDX-License-Identifier: Apache-2.0
#include "experiments/handoff/tensors.hpp"

#include <algorithm>
#include <array>

#include "experiments/handoff/selection.hpp"
#include "quant/serialize.hpp"

namespace prelude::experiments {

namespace {

constexpr std::array<std::string_view, 8> kKinds{"pixel", "code", "fixed", "score", "probability", "hybrid", "coordinate", "float"};

nlohmann::ordered_json format_json(const quant::Format& format) {
    using quant::FormatKind;
    nlohmann::ordered_json json{{"kind", kKinds[static_cast<std::size_t>(format.kind)]}, {"bits", format.bits}};
    if (format.num_groups() > 1) json["group_sizes"] = format.group_sizes;
    if (format.kind == FormatKind::probability || format.kind == FormatKind::hybrid) {
        if (format.tau > 0) json["log_base"] = format.tau == 1 ? "2" : format.tau == 2 ? "2^(1/2)" : "2^(1/4)";
        if (format.log_levels > 0) json["log_levels"] = format.log_levels;
        if (format.shift_cap > 0) json["shift_cap"] = format.shift_cap;
        if (format.zero_code >= 0) json["zero_code"] = format.zero_code;
        if (format.alignment >= 0) json["alignment"] = format.alignment;
    }
    return json;
}

/// The narrowest format of all values, signed only where one is negative.
WordFormat narrowest(std::span<const std::int64_t> words) {
    std::int64_t lowest = 0, highest = 1;
    for (const auto word : words) lowest = std::min(lowest, word), highest = std::max(highest, word);
    WordFormat format{.bits = 1, .is_signed = lowest < 0};
    while (format.bits < kMaxWordBits && (format.lowest() > lowest || format.highest() < highest)) ++format.bits;
    return format;
}

/// Collects the lists among an operation's members (quant/serialize.hpp names them).
class Collector {
  public:
    Collector(std::string prefix, std::vector<ExportedTensor>& tensors) : prefix_(std::move(prefix)), tensors_(tensors) {}

    template <class T>
    void scalar(const char*, const T&) {}
    template <class T, std::size_t N>
    void array(const char* name, const std::array<T, N>& values) {
        put(name, models::Shape{static_cast<std::int64_t>(N)}, std::span<const T>(values));
    }
    template <class T>
    void vector(const char* name, const std::vector<T>& values) {
        put(name, models::Shape{static_cast<std::int64_t>(values.size())}, std::span<const T>(values));
    }
    void tensor(const char* name, const models::IntTensor& values) { put(name, values.shape(), values.values()); }
    void terms(const char* name, const std::vector<quant::Term>& terms) {
        std::vector<std::int64_t> words;
        for (const auto& term : terms) words.insert(words.end(), {term.multiplier, term.exponent, term.zero_point});
        put(name, models::Shape{static_cast<std::int64_t>(terms.size()), 3}, std::span<const std::int64_t>(words));
    }
    template <class T>
    void object(const char* name, const T& value) {
        Collector inner(prefix_ + name + ".", tensors_);
        fields(inner, value, static_cast<const T*>(nullptr));
    }

  private:
    template <class T>
    void put(const char* name, models::Shape shape, std::span<const T> values) {
        if (values.empty()) return;
        auto& tensor = tensors_.emplace_back();
        tensor.words.assign(values.begin(), values.end());
        auto& description = tensor.description;
        description.name = prefix_ + name;
        description.role = TensorRole::constant;
        description.word = narrowest(tensor.words);
        description.kind = "integer";
        description.shape = std::move(shape);
    }
    std::string prefix_;
    std::vector<ExportedTensor>& tensors_;
};

void name_coordinates(TensorDescription& tensor, const std::vector<std::string>& names) {
    tensor.coordinates.clear();
    for (std::size_t axis = 0; axis < tensor.shape.rank(); ++axis)
        tensor.coordinates.push_back({names[std::min(axis, names.size() - 1)], tensor.shape[axis]});
    tensor.channel_axis = 0;
}

const quant::Contraction* contraction_of(const quant::Operation& operation) {
    if (const auto* patch = std::get_if<quant::PatchEmbedding>(&operation)) return &patch->contraction;
    return std::get_if<quant::Contraction>(&operation);
}

}  // namespace

TensorDescription describe_value(const models::Graph& part, const quant::QuantizedGraph& quantized, models::ValueId id, TensorRole role,
                                 const sim::Mapping* mapping) {
    const auto& value = part.value(id);
    const auto& format = quantized.plan.format(value.name);
    const auto* producer = part.producer(id);
    TensorDescription tensor{.name = value.name,
                             .node = producer ? producer->name : "",
                             .role = role,
                             .shape = value.shape,
                             .channel_axis = value.channel_axis,
                             .coordinates = coordinates_of(part, id, quantized.config),
                             .word = word_format_of(format),
                             .kind = std::string(kKinds[static_cast<std::size_t>(format.kind)]),
                             .format = format_json(format),
                             .sha256 = {}};
    if (mapping != nullptr && mapping->tile_rows > 0 && mapping->tile_cols > 0) {
        const bool is_image = value.shape.rank() == 4;
        for (const auto& coordinate : tensor.coordinates) {
            if (!is_image && (coordinate.name == "token" || coordinate.name == "query"))
                tensor.tile.push_back({coordinate.name, mapping->tile_rows});
            if (coordinate.name == "channel" || coordinate.name == "key") tensor.tile.push_back({coordinate.name, mapping->tile_cols});
        }
    }
    // Row-scaled and companded probabilities have no scale of their own: their row's sum decides.
    const auto found = quantized.meanings.find(value.name);
    const bool is_scaled = format.kind == quant::FormatKind::code || format.kind == quant::FormatKind::fixed ||
                           format.kind == quant::FormatKind::score || format.kind == quant::FormatKind::hybrid;
    if (found != quantized.meanings.end() && is_scaled) {
        tensor.meaning = found->second;
        tensor.has_meaning = true;
    }
    return tensor;
}

TensorDescription describe_accumulators(const models::Graph& part, const quant::QuantizedGraph& quantized, const models::Node& node) {
    auto tensor = describe_value(part, quantized, node.output, TensorRole::accumulator);
    tensor.name = node.name + ".accumulators";
    tensor.word = {.bits = std::min(kMaxWordBits, std::max(2, quantized.plan.contraction(node.name).accumulator_bits)), .is_signed = true};
    tensor.kind = "integer";
    tensor.format = {};
    tensor.meaning = {};
    tensor.has_meaning = false;
    return tensor;
}

std::vector<ExportedTensor> constants_of(const models::Node& node, const quant::Operation& operation) {
    std::vector<ExportedTensor> tensors;
    if (std::holds_alternative<quant::ConstantOp>(operation)) return tensors;  // the node's own value
    Collector collector(node.name + ".", tensors);
    std::visit([&]<class T>(const T& form) { fields(collector, form, static_cast<const T*>(nullptr)); }, operation);
    const auto* contraction = contraction_of(operation);
    for (auto& tensor : tensors) {
        auto& description = tensor.description;
        description.node = node.name;
        const auto member = std::string_view(description.name).substr(description.name.find_last_of('.') + 1);
        if (member == "weights") {
            description.shape = models::Shape{contraction->num_outputs, contraction->depth};
            description.word = {.bits = std::max(contraction->weight_bits, description.word.bits), .is_signed = true};
            name_coordinates(description, {"output", "input"});
        } else if (member == "terms") {
            name_coordinates(description, {"group", "constant"});
        } else {
            name_coordinates(description, {member == "term_of"                                                     ? "input"
                                           : member == "table" || member == "exp_constants" || member == "factors" ? "entry"
                                                                                                                   : "channel"});
        }
    }
    return tensors;
}

void for_each_tensor(const models::Graph& part, const quant::QuantizedGraph& quantized, const quant::Words& words,
                     const std::map<std::string, sim::Mapping, std::less<>>& mappings, const TakeTensor& take) {
    const auto emit = [&](TensorDescription&& description, models::ValueId id) {
        const auto& values = words.at(id).values();
        take({std::move(description), std::vector<std::int64_t>(values.begin(), values.end())});
    };
    for (const auto id : part.inputs()) emit(describe_value(part, quantized, id, TensorRole::input), id);
    const quant::Engine engine(part, quantized);
    for (const auto& node : part.nodes()) {
        const auto& operation = quantized.operation(node.name);
        for (auto& constant : constants_of(node, operation)) take(std::move(constant));
        const auto mapping = mappings.find(node.name);
        const auto* tiles = mapping == mappings.end() ? nullptr : &mapping->second;
        if (contraction_of(operation) != nullptr || std::holds_alternative<quant::Product>(operation)) {
            std::vector<const models::IntTensor*> inputs;
            for (const auto id : node.inputs) inputs.push_back(&words.at(id));
            auto sums = engine.accumulators(node, inputs);
            auto description = describe_accumulators(part, quantized, node);
            if (tiles != nullptr) description.tile = describe_value(part, quantized, node.output, TensorRole::output, tiles).tile;
            take({std::move(description), std::vector<std::int64_t>(sums.values().begin(), sums.values().end())});
        }
        const bool is_constant = std::holds_alternative<quant::ConstantOp>(operation);
        emit(describe_value(part, quantized, node.output, is_constant ? TensorRole::constant : TensorRole::output, tiles), node.output);
    }
}

}  // namespace prelude::experiments
