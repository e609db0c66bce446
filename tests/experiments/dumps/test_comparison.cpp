// SPDX-License-Identifier: Apache-2.0
// Every word of a dump is compared, and what differs is told by where it lies.
#include <catch2/catch.hpp>
#include <numeric>

#include "experiments/dumps/comparison.hpp"
#include "models/error.hpp"

using namespace prelude;
using namespace prelude::experiments;
using Catch::Contains;

namespace {

/// Words from memory.
class MemoryReader final : public WordReader {
  public:
    explicit MemoryReader(std::vector<std::int64_t> words) : words_(std::move(words)) {}
    std::size_t read(std::span<std::int64_t> words) override {
        const auto count = std::min(words.size(), words_.size() - at_);
        std::copy_n(words_.begin() + static_cast<std::ptrdiff_t>(at_), count, words.begin());
        at_ += count;
        return count;
    }
    [[nodiscard]] std::uint64_t bytes_read() const override { return at_; }

  private:
    std::vector<std::int64_t> words_;
    std::size_t at_ = 0;
};

TensorDescription description(const models::Shape& shape) {
    TensorDescription tensor{.name = "t",
                             .node = "n",
                             .shape = shape,
                             .channel_axis = shape.rank() - 1,
                             .coordinates = {{"window", 1}, {"token", shape[0]}, {"channel", shape[1]}},
                             .word = {8, true},
                             .kind = "code",
                             .sha256 = {}};
    tensor.tile = {{"token", 4}, {"channel", 5}};
    tensor.has_meaning = true;
    tensor.meaning.scale = {0.5};
    tensor.meaning.zero_point = {3};
    return tensor;
}

TensorComparison compare(const std::vector<std::int64_t>& golden, const std::vector<std::int64_t>& actual,
                         const TensorDescription& tensor) {
    MemoryReader a(golden), b(actual);
    return compare_dumps(a, b, tensor);
}

}  // namespace

TEST_CASE("Mismatches are counted, placed and sized") {
    const auto tensor = description({9, 11});
    std::vector<std::int64_t> golden(99);
    std::iota(golden.begin(), golden.end(), -50);
    CHECK(compare(golden, golden, tensor).equal());
    auto actual = golden;
    actual[40] += 1, actual[41] -= 1, actual[42] += 5, actual[98] = kUndefinedWord, actual[97] = 1000;
    const auto c = compare(golden, actual, tensor);
    CHECK_FALSE(c.equal());
    CHECK(c.compared == 99);
    CHECK(c.mismatched == 5);
    CHECK(c.first == WordPair{40, golden[40], actual[40]});
    CHECK(c.last == WordPair{98, golden[98], kUndefinedWord});
    CHECK(c.undefined == 1);
    CHECK(c.outside == 1);
    CHECK(c.largest_error == static_cast<std::uint64_t>(1000 - golden[97]));
    CHECK(c.histogram.above[0] == 1);
    CHECK(c.histogram.below[0] == 1);
    CHECK(c.histogram.above[3] == 1);  // 5 lies in (4, 8]
    CHECK(c.histogram.above[10] == 1);
    CHECK(std::accumulate(c.map.mismatches.begin(), c.map.mismatches.end(), std::uint64_t{0}) == 5);
    CHECK(c.map.mismatches[40 / 11 * 11 + 40 % 11] == 1);
    CHECK(tensor.place_of(40) == "token 3, channel 7 (tile 0, 1)");
    CHECK(tensor.place_of(98) == "token 8, channel 10 (tile 2, 2)");
    CHECK(tensor.real_value(40, 5) == 1.0);
    CHECK_FALSE(tensor.real_value(40, 1000).has_value());
}

TEST_CASE("Missing and extra words are no pass, wherever the compared ones end") {
    const auto tensor = description({9, 11});
    std::vector<std::int64_t> golden(99, 4), shorter(98, 4), longer(100, 4), none;
    const auto missing = compare(golden, shorter, tensor), extra = compare(golden, longer, tensor), empty = compare(golden, none, tensor);
    CHECK((missing.missing() == 1 && missing.compared == 98 && missing.mismatched == 0 && !missing.equal()));
    CHECK((extra.extra() == 1 && extra.compared == 99 && extra.mismatched == 0 && !extra.equal()));
    CHECK((empty.missing() == 99 && !empty.equal()));
    const std::vector<std::int64_t> many(200'000, 1), more(200'001, 1);
    TensorDescription large = description({400, 500});
    large.tile.clear();
    CHECK(compare(many, many, large).equal());
    CHECK(compare(many, more, large).extra() == 1);
}

TEST_CASE("Heat maps of large tensors keep to their cells") {
    const auto tensor = description({1000, 777});
    std::vector<std::int64_t> golden(777'000, 1), actual = golden;
    actual[0] = actual[776] = actual[776'999] = 0;
    const auto map = compare(golden, actual, tensor).map;
    CHECK(map.rows <= HeatMap::kMaxRows);
    CHECK(map.columns <= HeatMap::kMaxColumns);
    std::uint64_t words = 0;
    for (std::size_t row = 0; row < map.rows; ++row)
        for (std::size_t column = 0; column < map.columns; ++column) words += map.words_of(row, column);
    CHECK(words == 777'000);
    CHECK(map.mismatches.front() == 1);
    CHECK(map.mismatches[map.columns - 1] == 1);
    CHECK(map.mismatches.back() == 1);
}

TEST_CASE("A side-car says what it said before, and every problem of a broken one is listed") {
    const auto tensor = description({9, 11});
    const auto json = to_json(tensor);
    const auto again = tensor_description_of(nlohmann::json::parse(json.dump()), "t.json");
    CHECK(to_json(again) == json);
    const auto fails = [&](auto&& change, const std::string& message) {
        auto broken = nlohmann::json::parse(json.dump());
        change(broken);
        CHECK_THROWS_WITH(tensor_description_of(broken, "t.json"), Contains("t.json") && Contains(message));
    };
    fails([](auto& j) { j["format"] = "prelude.tensor/2"; }, "format 'prelude.tensor/2'; this version reads prelude.tensor/1");
    fails([](auto& j) { j["shape"] = {1 << 20, 1 << 20, 1 << 20}; }, "shape: extents of at least 1 are needed");
    fails([](auto& j) { j["shape"] = {9, 0}; }, "shape: extents of at least 1");
    fails([](auto& j) { j["shape"] = "9"; }, "shape: a list");
    fails([](auto& j) { j["bits"] = 64; }, "bits: a whole number from 1 to 63");
    fails([](auto& j) { j["coordinates"] = {{"token", 9}}; }, "coordinates: their extents do not multiply");
    fails([](auto& j) { j["tile"] = {{"token", 0}}; }, "tile: a list of up to 8 pairs");
    fails([](auto& j) { j["group_of"] = std::vector<int>(11, 1); }, "group_of: the group of every channel is needed");
    fails([](auto& j) { j["zero_point"] = {1, 2}; }, "zero_point: as many entries");
    fails([](auto& j) { j["channel_axis"] = 2; }, "channel_axis: a whole number from 0 to 1");
    fails([](auto& j) { j["role"] = "king", j["bits"] = 0; }, "role: got 'king'");
    fails([](auto& j) { j = 3; }, "not a JSON object");
}
