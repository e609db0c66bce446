// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>
#include <fstream>
#include <random>
#include <unistd.h>

#include "models/checkpoint/safetensors.hpp"
#include "models/graph/subgraph.hpp"
#include "quant/consistency.hpp"
#include "quant/engine/engine.hpp"
#include "quant/serialize.hpp"
#include "tests/support/tiny_model.hpp"

using namespace prelude;

namespace {

models::SamConfig minute() {
    models::SamConfig config;
    config.image_size = 32, config.patch_size = 8, config.width = 8, config.mlp_width = 12, config.depth = 2, config.num_heads = 2, config.window_size = 3;
    config.global_blocks = {1}, config.prompt_width = 16, config.mask_in_channels = 4, config.decoder_depth = 1, config.decoder_heads = 2;
    config.decoder_mlp_width = 10, config.iou_head_width = 6;
    return config;
}

std::filesystem::path temporary(const char* name) {
    return std::filesystem::temp_directory_path() / ("prelude_" + std::to_string(::getpid()) + "_" + name);
}

/// An archive that spoils the field it counts to: what a hostile file may say about any member of any operation.
class Spoiler {
  public:
    Spoiler(std::uint64_t seed, int field) : random_(seed), field_(field) {}
    [[nodiscard]] int num_fields() const { return seen_; }
    [[nodiscard]] const std::string& name() const { return name_; }

    template <class T>
    void scalar(const char* name, T& value) {
        if (mine(name)) value = extreme<T>();
    }
    template <class T>
    void vector(const char* name, std::vector<T>& values) {
        if (!mine(name)) return;
        if (values.empty() || random_() % 3 == 0) {
            values.resize(random_() % 2 == 0 ? values.size() / 2 : values.size() + 1 + random_() % 40);
        } else {
            values[random_() % values.size()] = extreme<T>();
        }
    }
    template <class T, std::size_t N>
    void array(const char* name, std::array<T, N>& values) {
        if (mine(name)) values[random_() % N] = extreme<T>();
    }
    void tensor(const char* name, models::IntTensor& tensor) {
        if (!mine(name)) return;
        if (random_() % 2 == 0) tensor = models::IntTensor(models::Shape{1 + static_cast<std::int64_t>(random_() % 9)});
        else tensor[0] = extreme<std::int32_t>();
    }
    void terms(const char* name, std::vector<quant::Term>& terms) {
        if (!mine(name)) return;
        if (random_() % 2 == 0 || terms.empty()) terms.resize(random_() % 3);
        else terms[0] = {.multiplier = extreme<std::uint32_t>(), .exponent = extreme<int>(), .zero_point = extreme<std::int32_t>()};
    }
    template <class T>
    void object(const char*, T& value) {
        fields(*this, value, static_cast<const T*>(nullptr));
    }

  private:
    bool mine(const char* name) {
        if (seen_++ != field_) return false;
        name_ = name;
        return true;
    }
    template <class T>
    T extreme() {
        if constexpr (std::is_same_v<T, bool>) {
            return random_() % 2 == 0;
        } else {
            const std::array<std::int64_t, 10> choices{0, 1, -1, 2, 7, 64, 65, -40, std::numeric_limits<std::int32_t>::max(), std::numeric_limits<std::int32_t>::min()};
            return static_cast<T>(choices[random_() % choices.size()]);
        }
    }
    std::mt19937_64 random_;
    int field_, seen_ = 0;
    std::string name_;
};

}  // namespace

TEST_CASE("Spoiling any member of any operation is refused, or runs to an end inside its arrays") {
    const auto model = tests::random_model(minute(), 6);
    quant::Settings settings;
    settings.weight_bits = settings.activation_bits = 4, settings.groups = 3;
    settings.softmax.scale = quant::ScaleMode::tensor;
    settings.nonlinear = GENERATE(quant::Nonlinear::table, quant::Nonlinear::ibert);
    const auto good = model.quantize(settings);
    REQUIRE(quant::inconsistencies(model.graph, good).empty());
    const std::vector wanted{model.id(models::sam_values::kMasks)};
    std::map<std::size_t, int> tried;  // a few nodes of each kind of operation
    int refused = 0, ran = 0;
    for (const auto& [name, operation] : good.operations) {
        if (tried[operation.index()]++ >= 2) continue;
        const auto spoil = [&](quant::Operation& op, Spoiler& spoiler) {
            std::visit([&]<class T>(T& form) { fields(spoiler, form, static_cast<const T*>(nullptr)); }, op);
        };
        Spoiler count(0, -1);
        auto copy = operation;
        spoil(copy, count);
        for (int field = 0; field < count.num_fields(); ++field) {
            for (std::uint64_t seed = 0; seed < 6; ++seed) {
                auto bad = good;
                Spoiler spoiler(seed, field);
                spoil(bad.operations.at(name), spoiler);
                INFO(name << " " << spoiler.name() << " seed " << seed);
                if (!quant::inconsistencies(model.graph, bad).empty()) {
                    ++refused;
                } else {
                    ++ran;
                    CHECK(quant::Engine(model.graph, bad).run(model.words, wanted).size() == 1);
                }
            }
        }
    }
    CHECK(refused > 200);
    CHECK(ran > 20);
}

TEST_CASE("A quantized graph that lacks an operation, a format or a scale is refused by name") {
    const auto model = tests::random_model(minute(), 6);
    const auto good = model.quantize({});
    const auto refuse = [&](auto&& change, const std::string& message) {
        auto bad = good;
        change(bad);
        const auto file = temporary("lacking.safetensors");
        quant::save(bad, file);
        CHECK_THROWS_WITH(quant::load(file), Catch::Contains(message));
        std::filesystem::remove(file);
    };
    refuse([](auto& g) { g.operations.erase("encoder.block0.lin1"); }, "encoder.block0.lin1: no integers");
    refuse([](auto& g) { g.plan.formats.erase("encoder.block0.lin1.out"); }, "encoder.block0.lin1.out: no format");
    refuse([](auto& g) { g.meanings.erase("encoder.block0.lin1.out"); }, "encoder.block0.lin1.out: no scale");
    for (const auto change : {+[](quant::ContractionPlan& plan) { plan.factor_bits = 0; }, +[](quant::ContractionPlan& plan) { plan.shift = 3; },
                              +[](quant::ContractionPlan& plan) { plan.left = quant::OperandKind::hybrid; },
                              +[](quant::ContractionPlan& plan) { plan.right_symmetric = !plan.right_symmetric; }}) {
        refuse([&](auto& g) { change(g.plan.contractions.at("encoder.block0.lin1")); }, "encoder.block0.lin1: its plan says another left operand");
    }
    refuse([](auto& g) { g.plan.exponential = quant::Exponential::shift; }, "encoder.block0.softmax: an exponential out of range, or another than its plan's");
    refuse([](auto& g) { g.plan.root = quant::Root::newton; }, "encoder.block0.norm1: a norm of other channels, a constant out of range, or a root other than");
    refuse([](auto& g) { g.plan.root = static_cast<quant::Root>(3); }, "a plan of unknown exponential or root");
    refuse([](auto& g) { g.plan.exponential = static_cast<quant::Exponential>(-1); }, "a plan of unknown exponential or root");
    refuse([](auto& g) { g.operations.at("encoder.block0.lin1") = quant::AddOp{}; }, "encoder.block0.lin1: integers of another operator");
}

TEST_CASE("A saved quantized graph loads to the same integers, formats and bits") {
    const auto model = tests::random_model(minute(), 5);
    quant::Settings settings;
    for (const int bits : {4, 16}) {
        settings.weight_bits = settings.activation_bits = bits;
        settings.groups = bits == 4 ? 3 : 1;
        settings.nonlinear = bits == 4 ? quant::Nonlinear::ibert : quant::Nonlinear::ivit;
        const auto quantized = model.quantize(settings);
        const auto file = temporary("qgraph.safetensors");
        quant::save(quantized, file);
        const auto again = quant::load(file);
        std::filesystem::remove(file);
        CHECK(again.operations == quantized.operations);
        CHECK(again.plan.formats == quantized.plan.formats);
        CHECK(again.plan.contractions == quantized.plan.contractions);
        CHECK((again.plan.exponential == quantized.plan.exponential && again.plan.root == quantized.plan.root));
        CHECK(again.config == quantized.config);
        const std::vector wanted{model.id(models::sam_values::kMasks)};
        CHECK(quant::Engine(model.graph, again).run(model.words, wanted) == quant::Engine(model.graph, quantized).run(model.words, wanted));
    }
}

TEST_CASE("A quantized graph of another major version, and a file that is none, are refused by what they are") {
    const auto file = temporary("other.safetensors");
    models::write_safetensors(file, {}, {{"format", "prelude.qgraph/2"}, {"graph", "{}"}});
    CHECK_THROWS_WITH(quant::load(file), Catch::Contains("prelude.qgraph/2") && Catch::Contains("prelude.qgraph/1"));
    models::write_safetensors(file, {}, {{"format", "pt"}});
    CHECK_THROWS_WITH(quant::load(file), Catch::Contains("not a quantized graph"));
    models::write_safetensors(file, {}, {{"format", "prelude.qgraph/1"}, {"graph", "{\"config\": 3}"}});
    CHECK_THROWS_AS(quant::load(file), models::CheckpointError);
    std::filesystem::remove(file);
}

TEST_CASE("The integers of a part of the network load alone, compute the same words and are refused where they do not fit") {
    const auto model = tests::random_model(minute(), 7);
    const auto quantized = model.quantize({});
    const std::vector<std::string> names{"encoder.block0.norm2", "encoder.block0.lin1"};
    const auto part = models::subgraph(model.graph, models::nodes_named(model.graph, names));
    const auto file = temporary("part.safetensors");
    quant::save(quant::restricted_to(quantized, part), file);
    const auto again = quant::load_part(file, {}, names);
    CHECK(again.operations.size() == 2);
    const std::vector wanted{model.id("encoder.block0.lin1.out"), model.id("encoder.block0.add1.out")};
    const auto whole_words = quant::Engine(model.graph, quantized).run(model.words, wanted);
    const auto words = quant::Engine(part, again).run({{part.inputs()[0], whole_words.at(wanted[1])}}, std::vector{*part.find_value("encoder.block0.lin1.out")});
    CHECK(words.begin()->second == whole_words.at(wanted[0]));
    CHECK_THROWS_WITH(quant::load(file), Catch::Contains("no format"));
    CHECK_THROWS_WITH(quant::load_part(file, {}, std::vector<std::string>{"encoder.block0.lin2"}), Catch::Contains("encoder.block0.lin2"));
    std::filesystem::remove(file);
}
