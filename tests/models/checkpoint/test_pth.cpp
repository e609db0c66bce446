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

TEST_CASE("a file in memory reads like a mapped one") {
    const MappedFile mapping(data("golden/sam/pth-edge-cases.pth"));
    check_equal(read_pth("memory", mapping.bytes()), read_pth(data("golden/sam/pth-edge-cases.pth")));
}

TEST_CASE("contiguous views of one storage share its bytes") {
    const auto file = read_pth(data("golden/sam/tiny-a.pth"));
    CHECK(file.owners().size() <= file.tensors().size());
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
