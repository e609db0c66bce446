// SPDX-License-Identifier: Apache-2.0
#pragma once

// What calibration saw: the range of every value, per channel, over the calibration pictures.

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "models/graph/graph.hpp"
#include "quant/calibration/rows.hpp"
#include "quant/settings.hpp"

namespace prelude::quant {

struct Range {
    double lo = 0, hi = 0;
    [[nodiscard]] double max_abs() const noexcept { return std::max(-lo, hi); }
    void include(const Range& other) noexcept { lo = std::min(lo, other.lo), hi = std::max(hi, other.hi); }
    friend bool operator==(const Range&, const Range&) = default;
};

/// The observed ranges of one value. Real 0 is inside every range: padding and ReLU need it exact.
struct ValueRanges {
    std::vector<Range> channels;  ///< along the value's channel axis
    std::vector<float> sample;    ///< of the elements, spread over all of them (observers that search)
    std::vector<std::int32_t> sample_channel;  ///< of each
    std::vector<float> rows;      ///< a sample of rows [R, row_length] of the inputs that a search judges by a layer's output (of the length first seen)
    std::int64_t row_length = 0;
    [[nodiscard]] Range whole() const noexcept;
};

using Ranges = std::map<std::string, ValueRanges, std::less<>>;

/// Collects ranges through the reference walk's hook.
///
/// Meaning   min_max: extremes over all pictures; moving_average: mean over pictures of each picture's extremes
///           (running mean, as the reference projects do); others: extremes, and a sample for the search (quant/calibration/code_range.hpp)
/// Contract
///  - observe() may be called any number of times per picture (several prompts); end_image() closes the picture.
///  - the result depends on the order of pictures only in rounding, and is the same for equal input.
class RangeObserver {
  public:
    /// `row_forms`: the values whose rows are sampled too.
    explicit RangeObserver(Observer kind, RowForms row_forms = {}) : kind_(kind), row_forms_(std::move(row_forms)) {}

    void observe(const models::Value& value, const models::Tensor& tensor);
    void end_image();
    /// All ranges, widened by `margin`.
    [[nodiscard]] Ranges ranges(double margin) const;
    /// Values that were NaN or infinite: "NAME: COUNT of TOTAL values are not finite", in the order they were first met.
    [[nodiscard]] std::vector<std::string> not_finite() const;

  private:
    struct Record {
        std::vector<Range> image, total;
        std::vector<float> sample, rows;
        std::vector<std::int32_t> sample_channel;
        std::int64_t row_length = 0, num_images = 0;
        bool touched = false;
    };
    Observer kind_;
    RowForms row_forms_;
    struct NotFinite {
        std::string name;
        std::int64_t count = 0, total = 0;
    };
    std::map<std::string, Record, std::less<>> records_;
    std::vector<NotFinite> not_finite_;
};

}  // namespace prelude::quant
