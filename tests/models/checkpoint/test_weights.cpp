// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>
#include <cstring>

#include "models/checkpoint/safetensors.hpp"
#include "models/checkpoint/sam_checkpoint.hpp"
#include "models/checkpoint/sam_names.hpp"
#include "models/checkpoint/weights.hpp"
#include "support.hpp"

using namespace prelude::models;
using namespace prelude::models::test;

namespace {

/// Equality of bits, so that NaN and -0 count.
bool same_values(const Weights& a, const Weights& b) {
    if (a.names() != b.names()) return false;
    for (const auto& name : a.names()) {
        const auto left = a.values(name), right = b.values(name);
        if (a.shape(name) != b.shape(name) || std::memcmp(left.data(), right.data(), left.size_bytes()) != 0) return false;
    }
    return true;
}

/// tiny-a under other names.
template <class Rename>
std::vector<TensorToWrite> renamed(const TensorFile& file, Rename rename) {
    std::vector<TensorToWrite> tensors;
    for (const auto& [name, raw] : file.tensors()) tensors.push_back({rename(name), raw.type, raw.shape, raw.bytes});
    return tensors;
}

}  // namespace

TEST_CASE("tiny-a opens the same from .pth, from .safetensors, and under Hugging Face's names with and without a prefix") {
    const TemporaryFolder folder;
    const auto meta = Weights::open(data("golden/sam/tiny-a.safetensors"));
    CHECK(meta.names().size() == 202);
    CHECK(same_values(meta, Weights::open(data("golden/sam/tiny-a.pth"))));
    const auto file = read_safetensors(data("golden/sam/tiny-a.safetensors"));
    for (const std::string prefix : {"", "sam."}) {
        auto tensors = renamed(file, [&](const auto& name) { return prefix + to_huggingface_name(name); });
        const auto& gaussian = file.tensor("prompt_encoder.pe_layer.positional_encoding_gaussian_matrix");
        tensors.push_back({prefix + "shared_image_embedding.positional_embedding", gaussian.type, gaussian.shape, gaussian.bytes});
        const auto path = folder / ("hf" + prefix + "safetensors");
        write_safetensors(path, tensors, {{"format", "pt"}});
        const auto weights = Weights::open(path);
        CHECK(same_values(meta, weights));
        CHECK(weights.metadata() == TensorFile::Metadata{{"format", "pt"}});
    }
}

TEST_CASE("the extension does not matter") {
    const TemporaryFolder folder;
    std::filesystem::copy_file(data("golden/sam/tiny-a.pth"), folder / "weights.safetensors");
    std::filesystem::copy_file(data("golden/sam/tiny-a.safetensors"), folder / "weights.bin");
    CHECK(same_values(Weights::open(folder / "weights.safetensors"), Weights::open(folder / "weights.bin")));
}

TEST_CASE("half, bfloat16 and double become float, integers keep their shape only") {
    const std::vector<std::uint16_t> half = {0x3c00, 0xc000, 0x0001, 0x7c00}, brain = {0x3f80, 0xc000};
    const std::vector<double> wide = {1.0 + 0x1p-24, 0.1};
    const std::vector<std::int64_t> whole = {1, 2};
    const TemporaryFolder folder;
    write_safetensors(folder / "x", {{"half", ElementType::f16, {2, 2}, std::as_bytes(std::span(half))},
                                     {"brain", ElementType::bf16, {2}, std::as_bytes(std::span(brain))},
                                     to_write<double>("wide", {2}, wide),
                                     to_write<std::int64_t>("whole", {2}, whole)});
    const auto weights = Weights::open(folder / "x");
    const auto values = [&](const char* name) { return std::vector<float>(weights.values(name).begin(), weights.values(name).end()); };
    CHECK(values("half") == std::vector<float>{1.0f, -2.0f, 0x1p-24f, std::numeric_limits<float>::infinity()});
    CHECK(values("brain") == std::vector<float>{1.0f, -2.0f});
    CHECK(values("wide") == std::vector<float>{1.0f, 0.1f});
    CHECK(weights.shape("whole") == Shape{2});
    CHECK(weights.stored_type("half") == ElementType::f16);
    CHECK_THROWS_WITH(weights.values("whole"), Catch::Contains("'whole': stored as I64, not as floating point"));
    CHECK_THROWS_WITH(weights.values("none"), Catch::Contains("no tensor 'none'"));
}

TEST_CASE("values outlive the file object and the original, and stay in one place") {
    const float* place = nullptr;
    Weights copy;
    {
        const auto weights = Weights::open(data("golden/sam/tiny-a.safetensors"));
        place = weights.values("image_encoder.pos_embed").data();
        copy = weights;
    }
    CHECK(copy.values("image_encoder.pos_embed").data() == place);
    CHECK(copy.tensor("image_encoder.pos_embed").shape == Shape{1, 8, 8, 64});
    CHECK(copy.values("image_encoder.pos_embed").size() == 8 * 8 * 64);
}

TEST_CASE("weights can be made in memory, one by one or by a function") {
    Weights weights;
    weights.insert("x", Tensor(Shape{2}, {1.0f, 2.0f}));
    CHECK(weights.contains("x"));
    CHECK_FALSE(weights.contains("y"));
    CHECK(weights.values("x")[1] == 2.0f);

    const auto config = *sam_preset("sam_nano");
    const auto generated = Weights::generate(expected_tensors(config), [](const std::string& name, std::span<float> values) {
        for (std::size_t index = 0; index < values.size(); ++index) values[index] = static_cast<float>(name.size() + index);
    });
    CHECK(generated.names().size() == expected_tensors(config).size());
    CHECK(generated.values("mask_decoder.iou_token.weight")[2] == 31.0f);
    CHECK_NOTHROW(check_sam(generated, config));
}
