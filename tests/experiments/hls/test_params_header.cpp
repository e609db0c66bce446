// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "experiments/handoff/selection.hpp"
#include "experiments/hls/params_header.hpp"
#include "models/graph/subgraph.hpp"
#include "quant/arithmetic/elementwise.hpp"
#include "tests/support/host_compiler.hpp"
#include "tests/support/tiny_model.hpp"

// The header of a whole network in several number formats is compiled; its constants are compared with the integers by the compiler.

namespace prelude::experiments {
namespace {

struct Design {
    const char* name;
    quant::Settings settings;
};

std::vector<Design> designs() {
    const auto base = [] {
        quant::Settings settings;
        settings.weight_bits = settings.activation_bits = 4;
        return settings;
    };
    std::vector<Design> list;
    auto groups = base();
    groups.groups = 3;
    groups.mlp_hidden_scheme = quant::HiddenScheme::hluq;
    groups.softmax.log_base = quant::LogBase::two;
    list.push_back({"groups_hluq", groups});
    auto channels = base();
    channels.groups = 0;
    channels.softmax.log_base = quant::LogBase::sqrt_two;
    channels.softmax.scale = quant::ScaleMode::tensor;
    channels.weight_symmetric = false;
    list.push_back({"per_channel", channels});
    auto published = base();
    published.nonlinear = quant::Nonlinear::ibert;
    published.softmax.log_base = quant::LogBase::fourth_root_two;
    published.softmax.zero_code = quant::ZeroCode::escape;
    published.gelu_input_bits = 12;
    list.push_back({"published_forms", published});
    auto companded = base();
    companded.softmax.scheme = quant::SoftmaxScheme::lnq;
    companded.softmax.form = quant::SoftmaxForm::lut;
    companded.accumulator = {.bits = 14, .overflow = quant::AccumulatorOverflow::wrap, .chunk = 16};
    list.push_back({"companded", companded});
    auto uniform = base();
    uniform.weight_bits = uniform.activation_bits = 8;
    uniform.softmax.scheme = quant::SoftmaxScheme::uniform;
    uniform.nonlinear = quant::Nonlinear::ivit;
    list.push_back({"uniform", uniform});
    return list;
}

/// The text under a namespace of its own, so that several designs fit in one translation unit.
std::string renamed(std::string text, const std::string& name) {
    for (std::size_t at = 0; (at = text.find("namespace prelude_params", at)) != std::string::npos; at += 10)
        text.replace(at + 10, 14, name);
    return text;
}

/// Compile-time claims that the constants of every node are the operation's.
class Claims {
  public:
    Claims(std::string space) : space_(std::move(space)) {}

    void equal(const std::string& constant, std::int64_t value) {
        text_ += fmt::format("static_assert({}::{} == {}LL, \"\");\n", space_, constant, value);
        ++count_;
    }
    template <class T>
    void equal(const std::string& array, const std::vector<T>& values) {
        for (const std::size_t i : {std::size_t{0}, values.size() / 2, values.size() - 1})
            equal(fmt::format("{}[{}]", array, i), static_cast<std::int64_t>(values[i]));
        text_ += fmt::format("static_assert(sizeof({0}::{1}) / sizeof({0}::{1}[0]) == {2}, \"\");\n", space_, array, values.size());
    }
    [[nodiscard]] const std::string& text() const { return text_; }
    [[nodiscard]] int count() const { return count_; }

    void operator()(const quant::Contraction& op) {
        rescale(op.rescale);
        equal("kInputs", op.depth);
        equal("kOutputs", op.num_outputs);
        equal("kNumTerms", static_cast<std::int64_t>(op.terms.size()));
        equal("kTermsMultiplier[0]", op.terms[0].multiplier);
        equal("kTermsExponent[0]", op.terms[0].exponent);
        equal("kTermsZeroPoint[0]", op.terms[0].zero_point);
        if (!op.term_of.empty()) equal("kTermOf", op.term_of);
        equal("accumulator_t::width", op.accumulator_bits);
        equal("product_t::width", op.product_bits);
        equal("kNumWeights", static_cast<std::int64_t>(op.weights.size()));
        equal("weight_t::width", op.weight_bits + !op.weight_symmetric);
    }
    void operator()(const quant::PatchEmbedding& op) {
        (*this)(op.contraction);
        equal("kPatchOffset[0]", quant::patch_offset(op, 0, op.patch, op.patch));
    }
    void operator()(const quant::Product& op) {
        rescale(op.rescale);
        equal("kRowNormalised", op.row_normalised);
        if (op.code.kind == quant::OperandKind::table) equal("kCodeFactors", op.code.factors);
    }
    void operator()(const quant::SoftmaxOp& op) {
        equal("kTau", op.tau);
        equal("kScoreFraction", op.score_fraction);
        if (!op.exp_constants.empty()) equal("kExpConstants", op.exp_constants);
        if (!op.threshold_mantissa.empty())
            equal("kThresholdMantissa", op.threshold_mantissa), equal("kThresholdExponent", op.threshold_exponent);
    }
    void operator()(const quant::LayerNormOp& op) {
        rescale(op.rescale);
        equal("kEpsilon", op.epsilon);
        if (op.root == quant::Root::seeded) equal("kRootSeed[191]", 2050);  // round(sqrt(2^31 / 511))
    }
    void operator()(const quant::TableOp& op) { equal("kTable", op.table); }
    void operator()(const quant::AddOp& op) { equal("kOutputShift", op.output_shift); }
    void operator()(const quant::RequantizeOp& op) { rescale(op.rescale); }
    void operator()(const quant::RelativePositionOp& op) { equal("kTableHeight", op.table_height); }
    void operator()(const quant::PromptOp&) { equal("kSine[1024]", 32767); }
    void operator()(const auto&) {}

  private:
    void rescale(const quant::Rescale& form) {
        equal("kRescaleMultiplier", form.multiplier);
        equal("kRescaleOffset", form.offset);
        equal("kRescaleShift", form.shift);
        equal("kRescaleZeroPoint", form.zero_point);
        equal("kRescaleOperandShift", form.operand_shift);
        equal("kRescaleLo", form.lo);
        equal("kRescaleHi", form.hi);
    }

    std::string space_, text_;
    int count_ = 0;
};

}  // namespace

TEST_CASE("the header of a whole network compiles without a warning and holds its integers, in several number formats", "[hls]") {
    const auto model = tests::tiny_model();
    REQUIRE(model);
    if (const auto missing = testing::missing_for_kernels(); !missing.empty()) {
        WARN("skipped: " << missing);
        return;
    }
    std::string text;
    int claims = 0;
    for (const auto& design : designs()) {
        const auto quantized = model->quantize(design.settings);
        text += renamed(params_header(model->graph, quantized, {}, design.name), design.name);
        for (const auto& node : model->graph.nodes()) {
            Claims claim(fmt::format("{}::{}", design.name, c_name(node.name)));
            std::visit(claim, quantized.operation(node.name));
            text += claim.text();
            claims += claim.count();
        }
    }
    CHECK(claims > 5000);
    text.erase(text.find("#pragma once"), 12);
    for (auto at = text.find("#pragma once"); at != std::string::npos; at = text.find("#pragma once", at)) text.erase(at, 12);
    const testing::TemporaryFolder folder;
    testing::write_kernel_headers(folder.path());
    testing::write_file(folder / "headers.cpp", text);
    const auto ended = testing::run(
        {"g++", "-std=c++17", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only", (folder / "headers.cpp").string()});
    INFO(ended.err.substr(0, 4000));
    CHECK(ended.code == 0);
}

TEST_CASE("the test bench of exported layers compiles against their header, and tiles stand where they are known", "[hls]") {
    const auto model = tests::tiny_model();
    REQUIRE(model);
    const std::vector<std::string> names{"encoder.block0.norm2",   "encoder.block0.lin1", "encoder.block0.qk",
                                         "encoder.block0.softmax", "encoder.block0.add2", "decoder.layer0.lin1.in"};
    const auto part = models::subgraph(model->graph, models::nodes_named(model->graph, names));
    const auto quantized = quant::restricted_to(model->quantize(designs()[0].settings), part);
    const auto header =
        params_header(part, quantized, {{"encoder.block0.lin1", {.rows = 16, .inputs = 8, .outputs = 4}}}, "a design\nof two lines");
    CHECK(header.find("// Parameters of exported layers: a design of two lines.") == 0);
    CHECK(header.find("constexpr int kTileRows = 16;\nconstexpr int kTileInputs = 8;\nconstexpr int kTileOutputs = 4;\n") !=
          std::string::npos);
    CHECK(header.find("typedef ap_fixed<16, ") != std::string::npos);
    CHECK(header.find("//   value = ") != std::string::npos);
    CHECK(header.find("namespace decoder_layer0_lin1_in {") != std::string::npos);
    if (const auto missing = testing::missing_for_kernels(); !missing.empty()) {
        WARN("skipped: " << missing);
        return;
    }
    const testing::TemporaryFolder folder;
    testing::write_kernel_headers(folder.path());
    testing::write_file(folder / "prelude_params.h", header);
    testing::write_file(folder / "test_bench.cpp", test_bench_skeleton(part, quantized));
    const auto ended = testing::run(
        {"g++", "-std=c++17", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only", (folder / "test_bench.cpp").string()});
    INFO(ended.err.substr(0, 4000));
    CHECK(ended.code == 0);
}

TEST_CASE("a header of layers without integers names the layer", "[hls]") {
    const auto model = tests::tiny_model();
    REQUIRE(model);
    const std::vector<std::string> one{"encoder.block0.norm2"}, other{"encoder.block0.lin1"};
    const auto part = models::subgraph(model->graph, models::nodes_named(model->graph, one));
    const auto quantized = quant::restricted_to(model->quantize(designs()[0].settings),
                                                models::subgraph(model->graph, models::nodes_named(model->graph, other)));
    CHECK_THROWS_WITH(params_header(part, quantized, {}, ""),
                      "encoder.block0.norm2: no integers of this node; a header holds exported layers alone");
}

}  // namespace prelude::experiments
