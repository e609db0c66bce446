// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <cstdio>
#include <optional>
#include <string>
#include <vector>

#include "experiments/handoff/verification.hpp"
#include "experiments/hls/params_header.hpp"
#include "models/graph/subgraph.hpp"
#include "tests/support/example_kernel.hpp"
#include "tests/support/host_compiler.hpp"
#include "tests/support/tiny_model.hpp"

// The example kernel, compiled as an HLS engineer would compile it, against the words of the integer engine.

namespace prelude::experiments {
namespace {

namespace fs = std::filesystem;

constexpr const char* kFaults = PRELUDE_SOURCE_DIR "/tests/experiments/hls/example_faults.txt";

/// Header and words of the example's layers in a model.
struct Exported {
    models::Graph part;
    quant::QuantizedGraph quantized;
    testing::ExampleData data;
    std::string header;
};

Exported exported(const tests::CalibratedModel& model) {
    const auto names = testing::example_nodes();
    Exported result{
        .part = models::subgraph(model.graph, models::nodes_named(model.graph, names)), .quantized = {}, .data = {}, .header = {}};
    REQUIRE(result.part.nodes().size() == names.size());
    const auto quantized = model.quantize(testing::example_settings());
    quant::Words words;
    const quant::Engine engine(model.graph, quantized);
    const std::vector<models::ValueId> wanted{model.id(models::sam_values::kMasks), model.id(models::sam_values::kIou)};
    (void)engine.run(model.words, wanted, [&](const models::Graph& graph, models::ValueId id, models::IntTensor& value) {
        if (const auto own = result.part.find_value(graph.value(id).name)) words[*own] = value;
    });
    result.quantized = quant::restricted_to(quantized, result.part);
    result.data = testing::example_data(result.part, result.quantized, words);
    result.header = params_header(result.part, result.quantized, {}, "the example");
    return result;
}

}  // namespace

TEST_CASE("the example kernel gives every word of the integer engine", "[hls][long]") {
    if (const auto missing = testing::missing_for_kernels(); !missing.empty()) {
        WARN("skipped: " << missing);
        return;
    }
    const auto model = tests::trained_nano(0);
    const auto layers = exported(model);
    const testing::TemporaryFolder folder;
    testing::write_data(folder / "golden", layers.data.inputs);
    testing::write_data(folder / "golden", layers.data.outputs);
    const testing::ExampleKernel kernel(folder / "kernel", layers.header);
    REQUIRE(kernel.build() == "");
    CHECK(kernel.run(folder / "golden", folder / "actual") == "");
    CHECK(testing::differing(layers.data.outputs, folder / "actual").empty());
    CHECK(kernel.run(folder / "golden", folder / "isolated", true) == "");
    CHECK(testing::differing(layers.data.outputs, folder / "isolated").empty());
}

TEST_CASE("every single fault of the example still finds its line", "[hls]") {
    const auto model = tests::trained_nano(0);
    const auto layers = exported(model);
    const auto faults = testing::read_faults(kFaults);
    CHECK(faults.size() >= 18);
    for (const auto& fault : faults) {
        const testing::TemporaryFolder folder;
        INFO(fault.name);
        CHECK(testing::ExampleKernel(folder.path(), layers.header).plant(fault));
    }
}

namespace {

/// The example's export, and its kernel with faults in it.
class FaultyBuilds {
  public:
    FaultyBuilds() {
        const auto ended = testing::run({EXPLORE, "export", "--config", PRELUDE_SOURCE_DIR "/experiments/hls_example/design.yaml",
                                         "--layers", layers(), "--formats", "bin", "--out", golden(), "--quiet"});
        INFO(ended.err);
        REQUIRE(ended.code == 0);
        header_ = testing::read_file(fs::path(golden()) / "hls" / "prelude_params.h");
    }
    [[nodiscard]] std::string golden() const { return folder_ / "golden"; }

    /// Runs the kernel with all of these faults in `own`; its words are in own/actual.
    void run(const std::vector<testing::Fault>& faults, const testing::TemporaryFolder& own) const {
        const testing::ExampleKernel kernel(own / "kernel", header_);
        for (const auto& fault : faults) REQUIRE(kernel.plant(fault));
        REQUIRE(kernel.build() == "");
        REQUIRE(kernel.run(fs::path(golden()) / "bin", own / "actual") == "");
    }

  private:
    static std::string layers() {
        std::string list;
        for (const auto& node : testing::example_nodes()) list += (list.empty() ? "" : ",") + node;
        return list;
    }
    testing::TemporaryFolder folder_;
    std::string header_;
};

/// First word of two files of raw words that differs, found without the program; nothing: they are equal.
std::optional<std::uint64_t> first_difference(const fs::path& golden, const fs::path& actual, int bytes_per_word) {
    const auto a = testing::read_file(golden), b = testing::read_file(actual);
    for (std::size_t i = 0; i < a.size(); ++i)
        if (i >= b.size() || a[i] != b[i]) return i / static_cast<std::size_t>(bytes_per_word);
    return std::nullopt;
}

/// Verifies the build; every mismatch has to be where it is. Returns the first tensor that differs.
TensorResult verify_build(const FaultyBuilds& builds, const testing::TemporaryFolder& own) {
    const auto verification = verify_dumps({.golden = builds.golden(), .actual = own / "actual", .only = {}});
    CHECK_FALSE(verification.passed());
    std::optional<TensorResult> first;
    for (const auto& tensor : verification.tensors) {
        if (tensor.actual.empty()) continue;
        INFO(tensor.description.name);
        const auto expected = first_difference(fs::path(builds.golden()) / "bin" / (tensor.description.name + ".bin"), tensor.actual,
                                               tensor.description.word.storage_bytes());
        const auto found = tensor.comparison.first;
        CHECK(expected.has_value() == (tensor.verdict == TensorVerdict::differs));
        if (expected && found) CHECK(found->index == *expected);
        if (!first && tensor.verdict == TensorVerdict::differs) first = tensor;
    }
    REQUIRE(first.has_value());
    return *first;
}

}  // namespace

/// Minutes: `test_experiments [faults]`.
TEST_CASE(
    "Single faults of the example fail, are placed exactly and named rightly in four of five cases, wrongly in less than one of twenty",
    "[.][faults]") {
    const FaultyBuilds builds;
    const auto faults = testing::read_faults(kFaults);
    std::size_t named = 0, wrong = 0;
    for (const auto& fault : faults) {
        const testing::TemporaryFolder own;
        INFO(fault.name);
        builds.run({fault}, own);
        const auto result = verify_build(builds, own);
        const auto cause = result.diagnosis.cause();
        const bool is_right = cause && name_of(*cause) == fault.cause;
        named += is_right;
        wrong += cause && !is_right;
        std::printf("%-34s %-8s %s: %s\n", fault.name.c_str(),
                    is_right ? "named"
                    : cause  ? "WRONG"
                             : "unknown",
                    result.description.name.c_str(), result.diagnosis.text().c_str());
        std::fflush(stdout);
    }
    std::printf("%zu single faults: %zu named, %zu named wrongly\n", faults.size(), named, wrong);
    CHECK(faults.size() >= 16);
    CHECK(5 * named >= 4 * faults.size());
    CHECK(20 * wrong <= faults.size());
}

TEST_CASE("Pairs of faults of the example fail and are placed exactly", "[.][faults]") {
    const FaultyBuilds builds;
    const auto faults = testing::read_faults(kFaults);
    const auto fault = [&](const std::string& name) {
        const auto found = std::ranges::find(faults, name, &testing::Fault::name);
        INFO(name);
        REQUIRE(found != faults.end());
        return *found;
    };
    constexpr std::array<std::array<const char*, 2>, 10> kPairs{{{"rescale_truncates", "lin1_bias_missing"},
                                                                 {"lin1_zero_point_dropped", "lin2_power_off_by_one"},
                                                                 {"lin1_groups_swapped", "gelu_wrong_entry"},
                                                                 {"weights_transposed", "lin1_last_input_missing"},
                                                                 {"norm_stale_sum", "norm_wraps"},
                                                                 {"lin1_sums_not_cleared", "lin1_shift_off_by_one"},
                                                                 {"rescale_half_up", "add_residual_missing"},
                                                                 {"softmax_threshold_one_on", "requantize_zero_point_dropped"},
                                                                 {"big_endian_words", "lin1_outputs_in_tile_order"},
                                                                 {"lin1_sum_too_narrow", "lin2_constant_part_missing"}}};
    for (const auto& [a, b] : kPairs) {
        const testing::TemporaryFolder own;
        INFO(a << " and " << b);
        builds.run({fault(a), fault(b)}, own);
        const auto result = verify_build(builds, own);
        std::printf("%-28s %-28s %s: %s\n", a, b, result.description.name.c_str(), result.diagnosis.text().c_str());
        std::fflush(stdout);
    }
}

}  // namespace prelude::experiments
