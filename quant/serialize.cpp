// SPDX-License-Identifier: Apache-2.0
#include "quant/serialize.hpp"

#include <fmt/format.h>

#include <array>
#include <functional>
#include <limits>
#include <list>
#include <nlohmann/json.hpp>

#include "models/checkpoint/safetensors.hpp"
#include "models/graph/subgraph.hpp"
#include "quant/consistency.hpp"

namespace prelude::quant {

using nlohmann::json;

namespace {

constexpr std::string_view kFormat = "prelude.qgraph/1", kFormatFamily = "prelude.qgraph/";
constexpr std::array<std::string_view, std::variant_size_v<Operation>> kOperationNames{
    "contraction", "patch_embedding", "product", "relative_position", "softmax", "layer_norm", "table", "add", "requantize", "constant", "prompt", "move",
    "resize"};

// Integers go out as the narrowest tensor type that holds them.

class Writer {
  public:
    template <class T>
    void integers(const std::string& name, const Shape& shape, std::span<const T> values) {
        std::int64_t lo = 0, hi = 0;
        for (auto v : values) lo = std::min<std::int64_t>(lo, v), hi = std::max<std::int64_t>(hi, v);
        const auto fits = [&]<class N>(N) { return lo >= std::numeric_limits<N>::min() && hi <= std::numeric_limits<N>::max(); };
        if (fits(std::int8_t{})) return put<std::int8_t>(name, shape, values);
        if (fits(std::int16_t{})) return put<std::int16_t>(name, shape, values);
        if (fits(std::int32_t{})) return put<std::int32_t>(name, shape, values);
        put<std::int64_t>(name, shape, values);
    }
    [[nodiscard]] const std::vector<models::TensorToWrite>& tensors() const noexcept { return tensors_; }

  private:
    template <class N, class T>
    void put(const std::string& name, const Shape& shape, std::span<const T> values) {
        auto& bytes = storage_.emplace_back(values.size() * sizeof(N));
        auto* to = reinterpret_cast<N*>(bytes.data());
        for (std::size_t i = 0; i < values.size(); ++i) to[i] = static_cast<N>(values[i]);
        tensors_.push_back({name, models::TensorFile::element_type_of<N>(), shape, bytes});
    }
    std::list<std::vector<std::byte>> storage_;
    std::vector<models::TensorToWrite> tensors_;
};

class Saver {
  public:
    Saver(Writer& writer, json& object, std::string prefix) : writer_(writer), object_(object), prefix_(std::move(prefix)) {}

    template <class T>
    void scalar(const char* name, const T& value) {
        if constexpr (std::is_enum_v<T>) {
            object_[name] = static_cast<int>(value);
        } else {
            object_[name] = value;
        }
    }
    template <class T>
    void vector(const char* name, const std::vector<T>& values) {
        writer_.integers<T>(prefix_ + name, Shape{static_cast<std::int64_t>(values.size())}, values);
    }
    template <class T, std::size_t N>
    void array(const char* name, const std::array<T, N>& values) {
        object_[name] = values;
    }
    void tensor(const char* name, const IntTensor& tensor) { writer_.integers<std::int32_t>(prefix_ + name, tensor.shape(), tensor.values()); }
    void terms(const char* name, const std::vector<Term>& terms) {
        std::vector<std::int64_t> words;
        for (const auto& term : terms) words.insert(words.end(), {term.multiplier, term.exponent, term.zero_point});
        writer_.integers<std::int64_t>(prefix_ + name, Shape{static_cast<std::int64_t>(terms.size()), 3}, words);
    }
    template <class T>
    void object(const char* name, const T& value) {
        Saver inner(writer_, object_[name] = json::object(), prefix_ + name + ".");
        fields(inner, value, static_cast<const T*>(nullptr));
    }

  private:
    Writer& writer_;
    json& object_;
    std::string prefix_;
};

class Loader {
  public:
    Loader(const models::TensorFile& file, const json& object, std::string prefix, std::vector<std::string>& problems)
        : file_(file), object_(object), prefix_(std::move(prefix)), problems_(problems) {}

    template <class T>
    void scalar(const char* name, T& value) {
        const auto found = object_.find(name);
        if constexpr (std::is_same_v<T, bool>) {
            if (found != object_.end() && found->is_boolean()) return void(value = found->template get<bool>());
        } else if (found != object_.end() && found->is_number_integer()) {
            const auto word = found->template get<std::int64_t>();
            if constexpr (std::is_enum_v<T>) {
                if (word >= 0 && word < 8) return void(value = static_cast<T>(word));
            } else if (word >= std::numeric_limits<T>::min() && word <= std::numeric_limits<T>::max()) {
                return void(value = static_cast<T>(word));
            }
        }
        problems_.push_back(fmt::format("{}{}: missing or not a number in range", prefix_, name));
    }
    template <class T>
    void vector(const char* name, std::vector<T>& values) {
        read(name, values);
    }
    template <class T, std::size_t N>
    void array(const char* name, std::array<T, N>& values) {
        const auto found = object_.find(name);
        bool good = found != object_.end() && found->is_array() && found->size() == N;
        for (std::size_t i = 0; good && i < N; ++i) good = (*found)[i].is_number_integer();
        if (!good) return problems_.push_back(fmt::format("{}{}: not {} integers", prefix_, name, N));
        for (std::size_t i = 0; i < N; ++i) values[i] = (*found)[i].template get<T>();
    }
    void tensor(const char* name, IntTensor& tensor) {
        std::vector<std::int32_t> words;
        if (read(name, words)) tensor = IntTensor(file_.tensor(prefix_ + name).shape, std::move(words));
    }
    void terms(const char* name, std::vector<Term>& terms) {
        std::vector<std::int64_t> words;
        if (!read(name, words)) return;
        if (words.size() % 3 != 0) return problems_.push_back(fmt::format("{}{}: not rows of three", prefix_, name));
        for (std::size_t i = 0; i < words.size(); i += 3) {
            const bool good = words[i] >= 0 && words[i] < (1 << 17) && words[i + 1] >= 0 && words[i + 1] < 63 && std::abs(words[i + 2]) < (1 << 17);
            if (!good) return problems_.push_back(fmt::format("{}{}: a term constant is out of range", prefix_, name));
            terms.push_back({static_cast<std::uint32_t>(words[i]), static_cast<int>(words[i + 1]), static_cast<std::int32_t>(words[i + 2])});
        }
    }
    template <class T>
    void object(const char* name, T& value) {
        static const json kEmpty = json::object();
        const auto found = object_.find(name);
        Loader inner(file_, found != object_.end() && found->is_object() ? *found : kEmpty, prefix_ + name + ".", problems_);
        fields(inner, value, static_cast<const T*>(nullptr));
    }

  private:
    template <class T>
    bool read(const char* name, std::vector<T>& values) {
        const auto full = prefix_ + name;
        if (!file_.contains(full)) {
            problems_.push_back(full + ": missing tensor");
            return false;
        }
        const auto copy = [&](auto view) {
            values.reserve(view.size());
            for (auto v : view) {
                if (v < std::numeric_limits<T>::min() || v > std::numeric_limits<T>::max()) {
                    problems_.push_back(full + ": a value does not fit");
                    return false;
                }
                values.push_back(static_cast<T>(v));
            }
            return true;
        };
        switch (file_.tensor(full).type) {
            case models::ElementType::i8: return copy(file_.view<std::int8_t>(full));
            case models::ElementType::i16: return copy(file_.view<std::int16_t>(full));
            case models::ElementType::i32: return copy(file_.view<std::int32_t>(full));
            case models::ElementType::i64: return copy(file_.view<std::int64_t>(full));
            default: problems_.push_back(full + ": not a signed integer tensor"); return false;
        }
    }
    const models::TensorFile& file_;
    const json& object_;
    std::string prefix_;
    std::vector<std::string>& problems_;
};

json config_json(const models::SamConfig& config) {
    json object{{"global_blocks", config.global_blocks}, {"relative_positions", config.relative_positions}};
    for (const auto& field : models::sam_config_fields()) object[std::string(field.name)] = config.*field.value;
    return object;
}

models::SamConfig config_of(const json& object) {
    models::SamConfig config;
    config.global_blocks = object.at("global_blocks").get<std::vector<std::int64_t>>();
    config.relative_positions = object.at("relative_positions").get<bool>();
    for (const auto& field : models::sam_config_fields()) config.*field.value = object.at(std::string(field.name)).get<std::int64_t>();
    return config;
}

json plan_json(const FormatPlan& plan) {
    json formats = json::object(), contractions = json::object();
    for (const auto& [name, f] : plan.formats) {
        formats[name] = {static_cast<int>(f.kind), f.bits, f.group_sizes, f.tau, f.shift_cap, static_cast<int>(f.scale), f.log_levels, f.alignment,
                         static_cast<int>(f.code), f.zero_code, f.entry_bits, f.group_of};
    }
    for (const auto& [name, c] : plan.contractions) {
        contractions[name] = {c.left_bits, c.right_bits, c.depth, c.term_sizes, static_cast<int>(c.left), c.factor_bits, c.shift, c.right_symmetric,
                                c.product_bits, c.accumulator_bits, c.shifted_terms};
    }
    return {{"formats", formats}, {"contractions", contractions}, {"assumed", plan.assumed}, {"exponential", static_cast<int>(plan.exponential)},
            {"root", static_cast<int>(plan.root)}};
}

FormatPlan plan_of(const json& object) {
    FormatPlan plan;
    for (const auto& [name, f] : object.at("formats").items()) {
        plan.formats[name] = Format{.kind = static_cast<FormatKind>(f.at(0).get<int>()), .bits = f.at(1), .group_sizes = f.at(2), .group_of = f.at(11),
                                    .code = static_cast<OperandKind>(f.at(8).get<int>()), .tau = f.at(3), .shift_cap = f.at(4), .log_levels = f.at(6),
                                    .zero_code = f.at(9), .entry_bits = f.at(10), .alignment = f.at(7), .scale = static_cast<ScaleMode>(f.at(5).get<int>())};
    }
    for (const auto& [name, c] : object.at("contractions").items()) {
        plan.contractions[name] = ContractionPlan{.left_bits = c.at(0), .right_bits = c.at(1), .depth = c.at(2), .term_sizes = c.at(3),
                                                  .left = static_cast<OperandKind>(c.at(4).get<int>()), .factor_bits = c.at(5), .shift = c.at(6),
                                                  .right_symmetric = c.at(7), .product_bits = c.at(8), .accumulator_bits = c.at(9), .shifted_terms = c.at(10)};
    }
    plan.assumed = object.at("assumed");
    plan.exponential = static_cast<Exponential>(object.at("exponential").get<int>());
    plan.root = static_cast<Root>(object.at("root").get<int>());
    return plan;
}

}  // namespace

void save(const QuantizedGraph& graph, const std::filesystem::path& path) {
    Writer writer;
    json operations = json::object(), meanings = json::object();
    for (const auto& [name, operation] : graph.operations) {
        auto& object = operations[name] = {{"operation", kOperationNames[operation.index()]}};
        Saver saver(writer, object, name + "/");
        std::visit([&](const auto& op) { fields(saver, op, static_cast<const std::remove_cvref_t<decltype(op)>*>(nullptr)); }, operation);
    }
    for (const auto& [name, meaning] : graph.meanings) meanings[name] = {meaning.scale, meaning.zero_point, meaning.group_of, meaning.values, meaning.offset, meaning.companding};
    const json header{{"config", config_json(graph.config)}, {"plan", plan_json(graph.plan)}, {"operations", operations}, {"meanings", meanings},
                      {"method", graph.settings.method}, {"warnings", graph.warnings}};
    models::write_safetensors(path, writer.tensors(), {{"format", std::string(kFormat)}, {"graph", header.dump()}});
}

namespace {

/// `graph_of(config)`: the graph that the integers have to fit.
QuantizedGraph load_for(const std::filesystem::path& path, const std::function<models::Graph(const models::SamConfig&)>& graph_of) {
    const auto file = models::read_safetensors(path);
    const auto entry = [&](const std::string& key) {
        const auto found = file.metadata().find(key);
        return found == file.metadata().end() ? std::string{} : found->second;
    };
    if (const auto format = entry("format"); format != kFormat) {
        throw models::CheckpointError(path.string(), {format.starts_with(kFormatFamily)
                                                          ? fmt::format("format {}: this version reads {}", format, kFormat)
                                                          : fmt::format("not a quantized graph (metadata 'format' is '{}', expected '{}')", format, kFormat)});
    }
    QuantizedGraph graph;
    std::vector<std::string> problems;
    try {
        const auto header = json::parse(entry("graph"));
        graph.config = config_of(header.at("config"));
        problems = models::validate(graph.config);
        graph.plan = plan_of(header.at("plan"));
        graph.settings.method = header.at("method");
        graph.warnings = header.at("warnings").get<std::vector<std::string>>();
        for (const auto& [name, m] : header.at("meanings").items()) graph.meanings[name] = Meaning{m.at(0), m.at(1), m.at(2), m.at(3), m.at(4), m.at(5)};
        for (const auto& [name, object] : header.at("operations").items()) {
            const auto kind = object.at("operation").get<std::string>();
            const auto index = std::ranges::find(kOperationNames, kind) - kOperationNames.begin();
            Loader loader(file, object, name + "/", problems);
            const auto read = [&]<class T>(T operation) {
                fields(loader, operation, static_cast<const T*>(nullptr));
                graph.operations.emplace(name, std::move(operation));
            };
            switch (index) {
                case 0: read(Contraction{}); break;
                case 1: read(PatchEmbedding{}); break;
                case 2: read(Product{}); break;
                case 3: read(RelativePositionOp{}); break;
                case 4: read(SoftmaxOp{}); break;
                case 5: read(LayerNormOp{}); break;
                case 6: read(TableOp{}); break;
                case 7: read(AddOp{}); break;
                case 8: read(RequantizeOp{}); break;
                case 9: read(ConstantOp{}); break;
                case 10: read(PromptOp{}); break;
                case 11: read(MoveOp{}); break;
                case 12: read(ResizeOp{}); break;
                default: problems.push_back(fmt::format("{}: unknown operation '{}'", name, kind));
            }
        }
    } catch (const json::exception& error) {
        problems.push_back(fmt::format("metadata 'graph': {}", error.what()));
    }
    if (problems.empty()) problems = inconsistencies(graph_of(graph.config), graph);
    if (!problems.empty()) throw models::CheckpointError(path.string(), problems);
    return graph;
}

}  // namespace

QuantizedGraph load(const std::filesystem::path& path, const models::SamWorkload& workload) {
    return load_for(path, [&](const models::SamConfig& config) { return models::build_sam(config, workload); });
}

QuantizedGraph load_part(const std::filesystem::path& path, const models::SamWorkload& workload, std::span<const std::string> nodes) {
    return load_for(path, [&](const models::SamConfig& config) {
        const auto whole = models::build_sam(config, workload);
        return models::subgraph(whole, models::nodes_named(whole, nodes));
    });
}

}  // namespace prelude::quant
