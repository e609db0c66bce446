// SPDX-License-Identifier: Apache-2.0
#include "experiments/dumps/comparison.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "models/error.hpp"

namespace prelude::experiments {

namespace {

constexpr std::size_t kPieceWords = std::size_t{1} << 15;
constexpr std::uint64_t kReportBytes = std::uint64_t{16} << 20;

std::uint64_t distance(std::int64_t a, std::int64_t b) noexcept {
    return a > b ? static_cast<std::uint64_t>(a) - static_cast<std::uint64_t>(b)
                 : static_cast<std::uint64_t>(b) - static_cast<std::uint64_t>(a);
}

class Comparer {
  public:
    Comparer(WordReader& golden, WordReader& actual, const TensorDescription& tensor, const BytesDone& done)
        : golden_(golden), actual_(actual), tensor_(tensor), done_(done) {
        width_ = tensor.shape.rank() == 0 ? 1 : static_cast<std::uint64_t>(tensor.shape.back());
        const auto height = std::max<std::uint64_t>(1, tensor.num_words() / std::max<std::uint64_t>(1, width_));
        auto& map = result_.map;
        map.words_across = (width_ + HeatMap::kMaxColumns - 1) / HeatMap::kMaxColumns;
        map.words_down = (height + HeatMap::kMaxRows - 1) / HeatMap::kMaxRows;
        map.columns = static_cast<std::size_t>((width_ + map.words_across - 1) / map.words_across);
        map.height = height, map.width = width_;
        map.rows = static_cast<std::size_t>((height + map.words_down - 1) / map.words_down);
        map.mismatches.assign(map.rows * map.columns, 0);
        result_.num_golden = tensor.num_words();
        if (const auto shape = actual.shape(); shape && *shape != tensor.shape)
            result_.note = fmt::format("its shape is {}, the golden one {}", shape->to_string(), tensor.shape.to_string());
    }

    TensorComparison run() {
        const auto raw = golden_.raw();
        if (raw && raw == actual_.raw() && !raw->is_floating)
            compare_bytes(*raw);
        else
            compare_words();
        count_extra();
        return std::move(result_);
    }

  private:
    void report() {
        const auto bytes = golden_.bytes_read() + actual_.bytes_read();
        if (!done_ || bytes < reported_ + kReportBytes) return;
        reported_ = bytes;
        done_(bytes);
    }

    void compare_bytes(const RawElements& elements) {
        const auto bytes = static_cast<std::size_t>(elements.bytes);
        std::vector<char> left(kPieceWords * bytes), right(kPieceWords * bytes);
        std::vector<std::int64_t> a(kPieceWords), b(kPieceWords);
        while (result_.compared < result_.num_golden) {
            const auto count = golden_.read_raw(left), other = actual_.read_raw(std::span(right).first(count));
            models::check(count > 0, "a golden dump has the words its header says");
            const auto num_words = std::min(count, other) / bytes;
            if (std::memcmp(left.data(), right.data(), num_words * bytes) != 0) {
                golden_.words_of(std::span(left).first(num_words * bytes), result_.compared, std::span(a).first(num_words));
                actual_.words_of(std::span(right).first(num_words * bytes), result_.compared, std::span(b).first(num_words));
                judge(std::span(a).first(num_words), std::span(b).first(num_words));
            }
            advance(num_words);
            if (other < count) return;
        }
    }

    void compare_words() {
        std::vector<std::int64_t> a(kPieceWords), b(kPieceWords);
        while (result_.compared < result_.num_golden) {
            const auto count = golden_.read(a);
            models::check(count > 0, "a golden dump has the words its header says");
            const auto num_words = actual_.read(std::span(b).first(count));
            judge(std::span(a).first(num_words), std::span(b).first(num_words));
            advance(num_words);
            if (num_words < count) return;
        }
    }

    void advance(std::size_t num_words) {
        result_.compared += num_words;
        result_.num_actual += num_words;
        report();
    }

    void judge(std::span<const std::int64_t> golden, std::span<const std::int64_t> actual) {
        for (std::size_t i = 0; i < golden.size(); ++i)
            if (golden[i] != actual[i]) note_mismatch({result_.compared + i, golden[i], actual[i]});
    }

    void note_mismatch(const WordPair& pair) {
        ++result_.mismatched;
        if (!result_.first) result_.first = pair;
        result_.last = pair;
        auto& map = result_.map;
        ++map.mismatches[static_cast<std::size_t>(pair.index / width_ / map.words_down * map.columns +
                                                  pair.index % width_ / map.words_across)];
        if (pair.actual == kUndefinedWord) {
            ++result_.undefined;
            return;
        }
        if (pair.actual < tensor_.word.lowest() || pair.actual > tensor_.word.highest()) ++result_.outside;
        result_.histogram.add(pair.golden, pair.actual);
        result_.largest_error = std::max(result_.largest_error, distance(pair.golden, pair.actual));
    }

    /// The words behind the last golden one; the file is read to its end, so that a broken end shows.
    void count_extra() {
        std::vector<std::int64_t> words(kPieceWords);
        while (result_.compared == result_.num_golden) {
            const auto count = actual_.read(words);
            result_.num_actual += count;
            report();
            if (count < words.size()) return;
        }
    }

    WordReader& golden_;
    WordReader& actual_;
    const TensorDescription& tensor_;
    const BytesDone& done_;
    TensorComparison result_;
    std::uint64_t width_ = 1, reported_ = 0;
};

}  // namespace

void ErrorHistogram::add(std::int64_t golden, std::int64_t actual) noexcept {
    const auto size = distance(golden, actual);
    const auto bucket =
        size <= 1 ? std::size_t{0} : std::min<std::size_t>(kNumBuckets - 1, static_cast<std::size_t>(std::bit_width(size - 1)));
    ++(actual > golden ? above : below)[bucket];
}

std::uint64_t HeatMap::words_of(std::size_t row, std::size_t column) const noexcept {
    return std::min(words_down, height - row * words_down) * std::min(words_across, width - column * words_across);
}

TensorComparison compare_dumps(WordReader& golden, WordReader& actual, const TensorDescription& tensor, const BytesDone& done) {
    return Comparer(golden, actual, tensor, done).run();
}

}  // namespace prelude::experiments
