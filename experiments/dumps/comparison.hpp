// SPDX-License-Identifier: Apache-2.0
#pragma once

// Every word of a dump against the golden one.

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "experiments/dumps/tensor_description.hpp"
#include "experiments/dumps/word_reader.hpp"

namespace prelude::experiments {

struct WordPair {
    std::uint64_t index = 0;
    std::int64_t golden = 0, actual = 0;
    friend bool operator==(const WordPair&, const WordPair&) = default;
};

/// Differences actual - golden by size: bucket i counts 2^(i-1) < |d| <= 2^i, bucket 0 |d| = 1.
struct ErrorHistogram {
    static constexpr std::size_t kNumBuckets = 24;  ///< the last takes everything beyond
    std::array<std::uint64_t, kNumBuckets> above{}, below{};
    void add(std::int64_t golden, std::int64_t actual) noexcept;
};

/// Mismatches over the tensor: its last axis across, all others down, in cells of equal numbers of words.
struct HeatMap {
    static constexpr std::size_t kMaxRows = 96, kMaxColumns = 128;
    std::size_t rows = 0, columns = 0;
    std::uint64_t words_down = 1, words_across = 1;  ///< of a cell
    std::uint64_t height = 1, width = 1;             ///< of the tensor, in words
    std::vector<std::uint64_t> mismatches;           ///< [rows, columns]
    /// Words of a cell: fewer at the lower and right edge.
    [[nodiscard]] std::uint64_t words_of(std::size_t row, std::size_t column) const noexcept;
};

/// Contract  words are compared in C order; nothing is left out: missing and extra words count, and neither is a pass.
struct TensorComparison {
    std::uint64_t num_golden = 0, num_actual = 0;
    std::uint64_t compared = 0, mismatched = 0;
    std::uint64_t undefined = 0;  ///< mismatches whose actual word has no value
    std::uint64_t outside = 0;    ///< mismatches whose actual word the format does not hold
    std::optional<WordPair> first, last;
    ErrorHistogram histogram;  ///< of mismatches that have a value
    std::uint64_t largest_error = 0;
    HeatMap map;
    std::string note;  ///< a shape other than the golden one

    [[nodiscard]] std::uint64_t missing() const noexcept { return num_golden > num_actual ? num_golden - num_actual : 0; }
    [[nodiscard]] std::uint64_t extra() const noexcept { return num_actual > num_golden ? num_actual - num_golden : 0; }
    [[nodiscard]] bool equal() const noexcept { return mismatched == 0 && num_golden == num_actual; }
};

/// Called now and then with the bytes read of both files.
using BytesDone = std::function<void(std::uint64_t)>;

/// Streams both: memory does not grow with them.
/// Throws    models::InputError of the readers; the golden file has as many words as it says
[[nodiscard]] TensorComparison compare_dumps(WordReader& golden, WordReader& actual, const TensorDescription& tensor,
                                             const BytesDone& done = {});

}  // namespace prelude::experiments
