// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>
#include <set>

#include "models/data/random.hpp"
#include "models/graph/sam.hpp"
#include "models/reference/executor.hpp"

using namespace prelude::models;

namespace {

SamConfig small_config() {
    SamConfig config;
    config.image_size = 56, config.patch_size = 8, config.width = 24, config.mlp_width = 40, config.depth = 3, config.num_heads = 3,
    config.window_size = 3;
    config.global_blocks = {1}, config.prompt_width = 16, config.decoder_heads = 2, config.decoder_mlp_width = 20,
    config.iou_head_width = 12;
    return config;
}

Weights random_weights(const SamConfig& config) {
    Random random(7);
    return Weights::generate(expected_tensors(config), [&](const std::string&, std::span<float> values) {
        for (auto& value : values) value = static_cast<float>(random.uniform(-0.5, 0.5));
    });
}

struct Fixture {
    SamConfig config = small_config();
    Weights weights = random_weights(config);
    Graph graph = build_sam(config, {.num_prompt_tokens = 2, .original_height = 31, .original_width = 17});
    ReferenceExecutor executor{graph, weights};

    [[nodiscard]] ValueId id(std::string_view name) const { return *graph.find_value(name); }
    [[nodiscard]] Tensor image() const {
        Tensor image(graph.value(id(sam_values::kImage)).shape);
        Random random(3);
        for (auto& value : image.values()) value = static_cast<float>(random.uniform(-2, 2));
        return image;
    }
    [[nodiscard]] ReferenceExecutor::Values prompt() const {
        return {{id(sam_values::kPromptCoordinates), Tensor(Shape{2, 2}, {5, 6, 40, 30})},
                {id(sam_values::kPromptLabels), Tensor(Shape{2}, {2, 3})}};
    }
    [[nodiscard]] ReferenceExecutor::Values everything() const {
        auto given = prompt();
        given.emplace(id(sam_values::kImage), image());
        return given;
    }
};

}  // namespace

TEST_CASE_METHOD(Fixture, "running in two pieces gives the bits of running whole, wherever the cut is") {
    const std::vector wanted{id(sam_values::kMasks), id(sam_values::kIou), id(sam_values::kLowResLogits)};
    const auto whole = executor.run(everything(), wanted);
    for (const auto* cut : {"encoder.patch_tokens.out", "encoder.block0.add2.out", "encoder.block1.add1.out", "encoder.neck.conv1.in",
                            "encoder.neck.norm2.out"}) {
        INFO(cut);
        auto given = prompt();
        given.emplace(id(cut), executor.run_one({{id(sam_values::kImage), image()}}, cut));
        // a cut inside a block needs the image as well where the residual goes around it
        const auto pieces = executor.run(std::move(given), wanted);
        CHECK(pieces == whole);
    }
}

TEST_CASE_METHOD(Fixture, "every value of the graph can be asked for, and keeping all of them changes none") {
    std::vector<ValueId> all;
    for (std::size_t value = 0; value < graph.values().size(); ++value) all.push_back(static_cast<ValueId>(value));
    const auto kept = executor.run(everything(), all);
    REQUIRE(kept.size() == all.size());
    std::size_t num_seen = 0;
    const EdgeHook compare = [&](const Node*, ValueId value, Tensor& tensor) {
        ++num_seen;
        INFO(graph.value(value).name);
        CHECK(tensor == kept.at(value));
    };
    (void)executor.run(everything(), std::vector{id(sam_values::kMasks), id(sam_values::kIou)}, compare);
    CHECK(num_seen == all.size());
}

TEST_CASE_METHOD(Fixture, "the hook sees every computed value once, in order, with its producer, and the inputs of the graph") {
    std::vector<ValueId> seen;
    const EdgeHook observe = [&](const Node* producer, ValueId value, Tensor& tensor) {
        CHECK(producer == graph.producer(value));
        CHECK(tensor.shape() == graph.value(value).shape);
        seen.push_back(value);
    };
    const auto embedding = id(sam_values::kImageEmbedding);
    (void)executor.run_one({{id(sam_values::kImage), image()}}, sam_values::kImageEmbedding, observe);
    CHECK(seen.front() == id(sam_values::kImage));
    CHECK(seen.back() == embedding);
    CHECK(std::ranges::is_sorted(seen));
    CHECK(std::set(seen.begin(), seen.end()).size() == seen.size());

    seen.clear();
    auto given = prompt();
    given.emplace(embedding, Tensor(graph.value(embedding).shape));
    (void)executor.run(std::move(given), std::vector{id(sam_values::kIou)}, observe);
    CHECK(std::ranges::find(seen, embedding) == seen.end());  // given, not computed: whoever gave it has seen it
    CHECK(std::ranges::find(seen, id(sam_values::kPromptLabels)) != seen.end());
}

TEST_CASE_METHOD(Fixture, "what a hook puts in place of a value is what its consumers read") {
    const auto middle = id("encoder.block1.add2.out");
    const auto whole = executor.run_one({{id(sam_values::kImage), image()}}, sam_values::kImageEmbedding);
    const EdgeHook replace = [&](const Node*, ValueId value, Tensor& tensor) {
        if (value != middle) return;
        for (auto& element : tensor.values()) element = 0.25F;
    };
    const auto replaced = executor.run_one({{id(sam_values::kImage), image()}}, sam_values::kImageEmbedding, replace);
    Tensor constant(graph.value(middle).shape);
    for (auto& element : constant.values()) element = 0.25F;
    CHECK(replaced == executor.run_one({{middle, constant}}, sam_values::kImageEmbedding));
    CHECK(replaced != whole);
}

TEST_CASE_METHOD(Fixture, "a value that is missing or misshapen is named") {
    const std::vector wanted{id(sam_values::kIou)};
    CHECK_THROWS_WITH(executor.run(prompt(), wanted), "the value 'image' is needed and was not given");
    auto given = everything();
    given.at(id(sam_values::kPromptLabels)) = Tensor(Shape{3});
    CHECK_THROWS_WITH(executor.run(given, wanted), "the value 'prompt.labels' is given with shape [3], its shape is [2]");
    CHECK_THROWS_WITH(executor.run_one({}, "decoder.nothing"), "the graph has no value 'decoder.nothing'");
}

TEST_CASE_METHOD(Fixture, "weights that a slice lacks or holds in another shape are listed, those it does not use may be missing") {
    Weights partial("partial");
    for (const auto& [name, shape] : expected_tensors(config)) {
        if (!name.starts_with("image_encoder.") || name == "image_encoder.neck.0.weight") continue;
        partial.insert(name, Tensor(name == "image_encoder.blocks.1.attn.rel_pos_h" ? Shape{5, 8} : shape));
    }
    const ReferenceExecutor incomplete(graph, partial);
    CHECK_NOTHROW(incomplete.run_one({{id(sam_values::kImage), image()}}, "encoder.block0.add2.out"));
    CHECK_THROWS_WITH(incomplete.run_one({{id(sam_values::kImage), image()}}, sam_values::kImageEmbedding),
                      "partial: 'image_encoder.blocks.1.attn.rel_pos_h' has shape [5, 8], encoder.block1.rel_pos needs [13, 8]\n"
                      "partial: no tensor 'image_encoder.neck.0.weight', which encoder.neck.conv1 needs\n"
                      "2 problems in 1 file; nothing was run.");
}

TEST_CASE_METHOD(Fixture, "the weight operands of all nodes are the tensors a SAM checkpoint holds") {
    const auto with_mask = build_sam(config, {.num_prompt_tokens = 2, .mask_prompt = true});
    std::set<std::string> read, expected;
    for (const Graph* walk : {static_cast<const Graph*>(&graph), &with_mask}) {
        for (const auto& node : walk->nodes()) {
            std::int64_t count = 0;
            for (const auto& [name, shape] : weight_operands(*walk, node)) {
                read.insert(name);
                // the Gaussian matrix is shared: counted where the dense position code reads it
                if (!std::holds_alternative<PromptEmbedding>(node.op) || !name.ends_with("gaussian_matrix")) count += shape.num_elements();
            }
            CHECK(count == num_parameters(*walk, node));
        }
    }
    for (const auto& [name, shape] : expected_tensors(config)) expected.insert(name);
    CHECK(read == expected);
}
