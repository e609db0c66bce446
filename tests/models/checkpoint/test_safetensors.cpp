// SPDX-License-Identifier: Apache-2.0
#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>

#include "models/checkpoint/safetensors.hpp"
#include "support.hpp"

using namespace prelude::models;
using namespace prelude::models::test;

namespace {

std::string contents(const std::filesystem::path& path) {
    std::ifstream stream(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
}

std::vector<std::byte> file_of(const std::string& header, std::size_t data_bytes, std::byte fill = std::byte{0}) {
    std::vector<std::byte> bytes(8 + header.size() + data_bytes, fill);
    const std::uint64_t length = header.size();
    std::memcpy(bytes.data(), &length, 8);
    std::memcpy(bytes.data() + 8, header.data(), header.size());
    return bytes;
}

}  // namespace

TEST_CASE("what write_safetensors writes, read_safetensors reads: every integer and float type, metadata, empty and 0-d tensors") {
    const TemporaryFolder folder;
    const std::vector<float> floats = {1.5f, -0.0f, std::numeric_limits<float>::infinity(), 1e-45f, 3.0f, 4.0f};
    const std::vector<double> doubles = {0.1};
    const std::vector<std::int64_t> longs = {std::numeric_limits<std::int64_t>::min(), -1, 7};
    const std::vector<std::int32_t> ints = {-5, 6};
    const std::vector<std::int16_t> shorts = {-32768};
    const std::vector<std::int8_t> chars = {-128, 127, 3};
    const std::vector<std::uint64_t> unsigned_longs = {~std::uint64_t{0}};
    const std::vector<std::uint32_t> unsigned_ints = {~std::uint32_t{0}};
    const std::vector<std::uint16_t> unsigned_shorts = {65535, 1};
    const std::vector<std::uint8_t> bytes = {0, 1, 255};
    const std::vector<float> none;
    const auto path = folder / "all.safetensors";
    write_safetensors(path,
                      {
                          to_write<std::int8_t>("i8", {3}, chars),
                          to_write<float>("f32 \"quoted\" \\ \u00e9", {2, 3}, floats),
                          to_write<std::uint8_t>("u8", {3, 1}, bytes),
                          to_write<double>("scalar", {}, doubles),
                          to_write<std::int64_t>("i64", {3}, longs),
                          to_write<std::int32_t>("i32", {2}, ints),
                          to_write<std::int16_t>("i16", {1}, shorts),
                          to_write<std::uint64_t>("u64", {1}, unsigned_longs),
                          to_write<std::uint32_t>("u32", {1}, unsigned_ints),
                          to_write<std::uint16_t>("u16", {2}, unsigned_shorts),
                          to_write<float>("empty", {0, 4}, none),
                          {"bool", ElementType::boolean, {2}, std::as_bytes(std::span(bytes).first(2))},
                      },
                      {{"format", "prelude.qgraph/1"}, {"line", "a\nb"}});

    const auto file = read_safetensors(path);
    CHECK(file.file() == path.string());
    CHECK(file.metadata() == TensorFile::Metadata{{"format", "prelude.qgraph/1"}, {"line", "a\nb"}});
    CHECK(file.tensors().size() == 12);
    const auto same = [](auto view, const auto& values) {
        return std::memcmp(view.data(), values.data(), view.size_bytes()) == 0 && view.size() == values.size();
    };
    CHECK(same(file.view<float>("f32 \"quoted\" \\ \u00e9"), floats));
    CHECK(same(file.view<double>("scalar"), doubles));
    CHECK(same(file.view<std::int64_t>("i64"), longs));
    CHECK(same(file.view<std::int32_t>("i32"), ints));
    CHECK(same(file.view<std::int16_t>("i16"), shorts));
    CHECK(same(file.view<std::int8_t>("i8"), chars));
    CHECK(same(file.view<std::uint64_t>("u64"), unsigned_longs));
    CHECK(same(file.view<std::uint32_t>("u32"), unsigned_ints));
    CHECK(same(file.view<std::uint16_t>("u16"), unsigned_shorts));
    CHECK(same(file.view<std::uint8_t>("u8"), bytes));
    CHECK(file.view<std::uint8_t>("bool").size() == 2);
    CHECK(file.tensor("scalar").shape == Shape{});
    CHECK(file.tensor("empty").shape == Shape{0, 4});
    CHECK(file.view<float>("empty").empty());
}

TEST_CASE("the same tensors give the same bytes, and only the file remains in the folder") {
    const TemporaryFolder folder;
    const std::vector<float> values = {1, 2, 3};
    for (const char* name : {"a", "b", "a"}) write_safetensors(folder / name, {to_write<float>("x", {3}, values)}, {{"k", "v"}});
    CHECK(contents(folder / "a") == contents(folder / "b"));
    CHECK(std::distance(std::filesystem::directory_iterator(folder.path()), {}) == 2);
}

TEST_CASE("a file that cannot be written is reported and leaves nothing behind") {
    const TemporaryFolder folder;
    const auto target = folder / "missing/x.safetensors";
    CHECK_THROWS_WITH(write_safetensors(target, {}), Catch::Contains(target.string() + ": cannot be created: No such file"));
    std::filesystem::create_directories(folder / "occupied/inside");
    CHECK_THROWS_WITH(write_safetensors(folder / "occupied", {}), Catch::Contains("cannot be renamed"));
    CHECK(std::distance(std::filesystem::directory_iterator(folder.path()), {}) == 1);
}

TEST_CASE("aligned tensors are viewed where they lie, unaligned ones are copied") {
    const std::string header = R"({"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})";
    for (std::size_t pad = 0; pad < 8; ++pad) {
        auto bytes = file_of(header + std::string(pad, ' '), 8);
        const float values[] = {1.0f, -2.0f};
        std::memcpy(bytes.data() + bytes.size() - 8, values, 8);
        const auto file = read_safetensors("memory", bytes);
        const auto view = file.view<float>("x");
        CHECK(view[0] == 1.0f);
        CHECK(view[1] == -2.0f);
        const auto* begin = reinterpret_cast<const std::byte*>(view.data());
        const bool in_place = begin >= bytes.data() && begin < bytes.data() + bytes.size();
        CHECK(in_place == ((8 + header.size() + pad) % 4 == 0));
    }
}

TEST_CASE("a tensor asked for as another type, and a tensor that is not there, are named") {
    const auto bytes = file_of(R"({"x":{"dtype":"F16","shape":[2],"data_offsets":[0,4]}})", 4);
    const auto file = read_safetensors("memory", bytes);
    CHECK_THROWS_WITH(file.view<float>("x"), Catch::Contains("memory: 'x': stored as F16, needed as F32"));
    CHECK_THROWS_WITH(file.view<float>("y"), Catch::Contains("memory: no tensor 'y'"));
}

TEST_CASE("a path that is not a readable file is named with its reason") {
    const TemporaryFolder folder;
    CHECK_THROWS_WITH(read_safetensors(folder / "none"), Catch::Contains((folder / "none").string() + ": cannot be opened: No such file"));
    CHECK_THROWS_WITH(read_safetensors(folder.path()), Catch::Contains("is not a regular file"));
    const auto pipe = folder / "pipe";
    REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
    CHECK_THROWS_WITH(read_safetensors(pipe), Catch::Contains("is not a regular file"));
}

TEST_CASE("no prefix of a valid file and no single changed header byte does more than raise a checkpoint error") {
    const std::string header =
        R"({"__metadata__":{"k":"v"},"x":{"dtype":"F16","shape":[2,1],"data_offsets":[0,4]},"y":{"dtype":"I64","shape":[1],"data_offsets":[4,12]}})";
    const auto whole = file_of(header, 12);
    REQUIRE_NOTHROW(read_safetensors("memory", whole));
    for (std::size_t length = 0; length < whole.size(); ++length) {
        INFO("first " << length << " bytes");
        CHECK_THROWS_AS(read_safetensors("memory", std::span(whole).first(length)), CheckpointError);
    }
    int accepted = 0;
    for (std::size_t at = 0; at < 8 + header.size(); ++at) {
        for (const int change : {1, 2, 16, 128}) {
            auto bytes = whole;
            bytes[at] ^= std::byte(change);
            try {
                const auto file = read_safetensors("memory", bytes);
                ++accepted;  // a letter of a name or of the metadata, or F16 -> U16
                CHECK(file.tensors().size() == 2);
            } catch (const CheckpointError&) {
            }
        }
    }
    CHECK(accepted > 0);
    CHECK(accepted < 40);
}

TEST_CASE("binary16 is converted exactly, all 65536 values") {
    for (std::uint32_t bits = 0; bits < 65536; ++bits) {
        const int exponent = static_cast<int>(bits >> 10 & 31);
        const int fraction = static_cast<int>(bits & 1023);
        const float value = half_to_float(static_cast<std::uint16_t>(bits));
        if (exponent == 31) {
            CHECK((fraction == 0 ? std::isinf(value) : std::isnan(value)));
        } else {
            const double magnitude = exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25);
            if (static_cast<double>(std::fabs(value)) != magnitude) FAIL("code " << bits << " gives " << value);
        }
        if (std::signbit(value) != (bits >> 15 != 0)) FAIL("code " << bits << " has the wrong sign");
    }
}

TEST_CASE("bfloat16 is the upper half of a float, all 65536 values") {
    for (std::uint32_t bits = 0; bits < 65536; ++bits) {
        const float value = bfloat16_to_float(static_cast<std::uint16_t>(bits));
        std::uint32_t word = 0;
        std::memcpy(&word, &value, 4);
        if (word != bits << 16) FAIL("code " << bits << " gives " << value);
    }
}
