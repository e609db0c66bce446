// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>
#include <cstring>
#include <fstream>

#include "models/checkpoint/mapped_file.hpp"
#include "models/checkpoint/pth.hpp"
#include "models/checkpoint/safetensors.hpp"
#include "support.hpp"

using namespace prelude::models;
using namespace prelude::models::test;

namespace {

void check_equal(const TensorFile& actual, const TensorFile& expected) {
    for (const auto& [name, tensor] : actual.tensors()) {
        INFO(name);
        REQUIRE(expected.contains(name));
        const auto& other = expected.tensor(name);
        CHECK(tensor.type == other.type);
        CHECK(tensor.shape == other.shape);
        CHECK(std::equal(tensor.bytes.begin(), tensor.bytes.end(), other.bytes.begin(), other.bytes.end()));
    }
}

}  // namespace

TEST_CASE("views, shared storage, half, 0-d, int64, empty and nn.Parameter of torch.save equal their row-major twins") {
    const auto file = read_pth(data("golden/sam/pth-edge-cases.pth"));
    const auto expected = read_safetensors(data("golden/sam/pth-edge-cases.safetensors"));
    CHECK(file.tensors().size() == expected.tensors().size());
    check_equal(file, expected);
}

TEST_CASE("a state dictionary nested under 'model' beside an integer is found") {
    const auto file = read_pth(data("golden/sam/pth-nested.pth"));
    CHECK(file.tensors().size() == 8);
    check_equal(file, read_safetensors(data("golden/sam/pth-edge-cases.safetensors")));
}

TEST_CASE("the .pth and .safetensors files of tiny-a hold the same tensors") {
    const auto file = read_pth(data("golden/sam/tiny-a.pth"));
    const auto expected = read_safetensors(data("golden/sam/tiny-a.safetensors"));
    CHECK(file.tensors().size() == expected.tensors().size());
    check_equal(file, expected);
}

TEST_CASE("the .pth and .safetensors files of tiny-b hold the same tensors") {
    const auto path = large_golden("sam/tiny-b.pth");
    if (path.empty()) {
        WARN("skipped: PRELUDE_GOLDEN names no folder with sam/tiny-b.pth");
        return;
    }
    check_equal(read_pth(path), read_safetensors(large_golden("sam/tiny-b.safetensors")));
}

TEST_CASE("a training checkpoint gives its model's tensors and ignores everything beside them") {
    for (const char* name : {"checkpoints/training.pth", "checkpoints/protocol4.pth"}) {  // under 'model', under 'state_dict'
        INFO(name);
        const auto file = read_pth(data(name));
        CHECK(file.tensors().size() == 7);
        const auto weight = file.view<float>("0.weight");
        CHECK(std::vector<float>(weight.begin(), weight.end()) == std::vector<float>{0, 1, 2, 3, 4, 5});
        CHECK(file.tensor("0.weight").shape == Shape{2, 3});
        CHECK(file.view<std::int64_t>("1.num_batches_tracked")[0] == 1);
        CHECK(file.tensor("1.num_batches_tracked").shape == Shape{});
    }
}

TEST_CASE("every storage type that torch.save writes is read") {
    const auto file = read_pth(data("checkpoints/types.pth"));
    CHECK(file.tensors().size() == 10);
    for (const auto& [name, tensor] : file.tensors()) {
        INFO(name);
        CHECK(tensor.shape == Shape{2, 3});
        CHECK(tensor.bytes.size() == 6 * size_in_bytes(tensor.type));
    }
    for (int index = 0; index < 6; ++index) {
        const auto at = static_cast<std::size_t>(index);
        CHECK(file.view<double>("f64")[at] == index);
        CHECK(file.view<float>("f32")[at] == static_cast<float>(index));
        CHECK(file.view<std::int64_t>("i64")[at] == index);
        CHECK(file.view<std::int32_t>("i32")[at] == index);
        CHECK(file.view<std::int16_t>("i16")[at] == index);
        CHECK(file.view<std::int8_t>("i8")[at] == index);
        CHECK(file.view<std::uint8_t>("u8")[at] == index);
        CHECK(file.view<std::uint8_t>("bool")[at] == (index != 0));
    }
    CHECK(file.tensor("f16").type == ElementType::f16);
    CHECK(file.tensor("bf16").type == ElementType::bf16);
}

TEST_CASE("views are read in row-major order: expanded, permuted, strided, one column") {
    const auto file = read_pth(data("checkpoints/views.pth"));
    const auto values = [&](const char* name) { return std::vector<float>(file.view<float>(name).begin(), file.view<float>(name).end()); };
    CHECK(values("expanded") == std::vector<float>(15, 13.0f));
    CHECK(values("permuted") == std::vector<float>{0, 4, 8, 12, 16, 20, 1, 5, 9, 13, 17, 21, 2, 6, 10, 14, 18, 22, 3, 7, 11, 15, 19, 23});
    CHECK(file.tensor("permuted").shape == Shape{4, 2, 3});
    CHECK(values("strided") == std::vector<float>{1, 2, 9, 10, 13, 14, 21, 22});
    CHECK(values("one") == std::vector<float>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11});
    CHECK(file.tensor("one").shape == Shape{3, 1, 4});
    CHECK(values("column") == std::vector<float>{3, 7, 11});
    CHECK(values("parameter") == std::vector<float>{12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23});
}

TEST_CASE("a file in memory reads like a mapped one") {
    const MappedFile mapping(data("golden/sam/pth-edge-cases.pth"));
    check_equal(read_pth("memory", mapping.bytes()), read_pth(data("golden/sam/pth-edge-cases.pth")));
}

TEST_CASE("contiguous views of one storage share its bytes") {
    const auto file = read_pth(data("checkpoints/views.pth"));
    CHECK(file.view<float>("parameter").data() == file.view<float>("base").data() + 12);
    CHECK(file.view<float>("one").data() == file.view<float>("base").data());
    CHECK(file.owners().size() == 5);  // the storage, and a copy of each view that is not contiguous
}

TEST_CASE("no prefix of a valid .pth and no changed byte does more than raise a checkpoint error") {
    std::ifstream stream(data("golden/sam/pth-edge-cases.pth"), std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(stream), {}};
    const auto whole = std::as_bytes(std::span(text));
    for (std::size_t length = 0; length < whole.size(); length += 3) {
        INFO("first " << length << " bytes");
        CHECK_THROWS_AS(read_pth("memory", whole.first(length)), CheckpointError);
    }
    std::size_t accepted = 0;
    for (std::size_t at = 0; at < whole.size(); ++at) {
        std::vector<std::byte> bytes(whole.begin(), whole.end());
        bytes[at] ^= std::byte{0x41};
        try {
            const auto file = read_pth("memory", bytes);
            ++accepted;  // padding, dates, or a version nobody reads
            check_equal(file, read_pth("memory", whole));
        } catch (const CheckpointError&) {
        }
    }
    CHECK(accepted < whole.size());
}
