// SPDX-License-Identifier: Apache-2.0
#pragma once

// Reading data files (devices, cost tables, layer lists): one mapping at a time, every defect with its place.

#include "experiments/config/error.hpp"
#include "experiments/config/located_yaml.hpp"
#include "sim/design.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace prelude::experiments {

/// The members of one mapping; what is missing, unknown or wrong becomes a problem.
///
/// Contract
///   - the node outlives the section;
///   - what is read has a value even where the file does not, so that reading goes on and finds the next defect.
class Section {
  public:
    Section(const Node& node, std::string path, Problems& problems);

    /// Complains about members that no reader asked for.
    void finish();

    const Node* get(std::string_view name, bool required = true);
    std::string text(std::string_view name);
    std::string word(std::string_view name, const std::vector<std::string>& words);
    double number(std::string_view name, double low, double high, std::optional<double> fallback = {});
    std::int64_t count(std::string_view name);
    /// A whole number, or nothing where the member is missing or wrong.
    std::optional<std::int64_t> integer(std::string_view name, std::int64_t low, std::int64_t high);
    sim::Figure figure(std::string_view name, std::string_view unit, double low, double high);
    void refuse(std::string_view name, const Node& node, std::string allowed);

  private:
    [[nodiscard]] std::string key(std::string_view name) const;

    const Node& node_;
    std::string path_;
    Problems& problems_;
    std::vector<std::string> asked_;
};

}  // namespace prelude::experiments
