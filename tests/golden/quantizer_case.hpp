// SPDX-License-Identifier: Apache-2.0
#pragma once

// What the kinds of golden/quant share: a file's tensors by name, comparison of a quantizer's output with flips at ties counted.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "golden.hpp"

namespace prelude::golden {

inline constexpr double kExact = 0, kLastPlaces = 1e-6;

/// A file's tensors, marked when used: a tensor no comparison has read is a failure.
class Tensors {
  public:
    explicit Tensors(const File& file) { tensors_.add(file); }
    [[nodiscard]] bool has(const std::string& name) const { return tensors_.contains(name); }
    [[nodiscard]] std::span<const float> floats(const std::string& name) { return tensors_.view<float>(name); }
    [[nodiscard]] std::span<const double> doubles(const std::string& name) { return tensors_.view<double>(name); }
    [[nodiscard]] std::span<const std::int64_t> integers(const std::string& name) { return tensors_.view<std::int64_t>(name); }
    [[nodiscard]] float scalar(const std::string& name) { return floats(name)[0]; }
    [[nodiscard]] const models::Shape& shape(const std::string& name) const { return tensors_.shape(name); }
    /// What stands before `suffix` in the names that end with it.
    [[nodiscard]] std::vector<std::string> stems(std::string_view suffix) const {
        std::vector<std::string> found;
        for (const auto& name : tensors_.names()) {
            if (name.ends_with(suffix)) found.push_back(name.substr(0, name.size() - suffix.size()));
        }
        return found;
    }
    void finish(Report& report) const {
        for (const auto& name : tensors_.unused()) report.require(false, name + " was not compared");
    }

  private:
    References tensors_;
};

inline std::vector<std::string> parts_of(const std::string& name) {
    std::vector<std::string> parts(1);
    for (const char c : name) {
        if (c == '.') parts.emplace_back();
        else parts.back() += c;
    }
    return parts;
}

/// Bits of the part "b4" of a name.
inline int bits_of(const std::string& name) {
    for (const auto& part : parts_of(name)) {
        if (part.size() == 2 && part[0] == 'b' && std::isdigit(static_cast<unsigned char>(part[1]))) return part[1] - '0';
    }
    throw std::invalid_argument(name + ": no part says how many bits");
}

inline std::string first_part(const std::string& name) { return name.substr(0, name.find('.')); }

/// Elements of a quantizer's output. One that differs is a flip, allowed if its input lies within an ulp of a tie: then the quantizer
/// gives the reference's value for a neighbouring float.
template <class Quantizer>
void compare_values(Report& report, const std::string& what, std::span<const float> x, std::span<const float> reference, const Quantizer& quantizer,
                    std::int64_t& flips) {
    std::vector<float> actual(x.size());
    for (std::size_t i = 0; i < x.size(); ++i) {
        actual[i] = quantizer(x[i], i);
        const auto differs = [&](float y) { return std::abs(y - reference[i]) > 1e-5F * std::max(std::abs(reference[i]), 1e-3F); };
        if (!differs(actual[i])) continue;
        for (const float other : {std::nextafter(x[i], -1e30F), std::nextafter(x[i], 1e30F), x[i] * (1 - 2e-7F), x[i] * (1 + 2e-7F)}) {
            if (!differs(quantizer(other, i))) {
                ++flips;
                actual[i] = reference[i];
                break;
            }
        }
    }
    report.compare(what, reference, actual);
}

inline void note_flips(Report& report, std::int64_t flips, std::int64_t limit) {
    if (flips > 0) report.note(fmt::format("{} elements within an ulp of a tie", flips));
    report.require(flips <= limit, fmt::format("{} elements at a tie, at most {} are plausible", flips, limit));
}

inline void compare_one(Report& report, const std::string& what, double reference, double actual) {
    report.deviation(what, std::abs(actual - reference) / std::max(std::abs(reference), 1e-30));
}

// Searches (quantizer_searches.cpp).
Report check_hybrid_search(const File& file);
Report check_bounded_search(const File& file);
Report check_grid_search(const File& file);
Report check_log_base_search(const File& file);
Report check_companding(const File& file);

}  // namespace prelude::golden
