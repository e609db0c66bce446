// SPDX-License-Identifier: Apache-2.0
#pragma once

// What the model says of a published design before its figure is looked at: from what is published, everything else at its default,
// with the range that the assumptions span.

#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "experiments/config/configuration.hpp"
#include "experiments/sweep/task_set.hpp"
#include "experiments/validation/protocol.hpp"

namespace prelude::experiments {

/// Contract
///   - `standard` is the first of the design's own alternatives (its axes: what is not published), every assumed key at its default;
///   - `low` and `high` are the least and the greatest over all alternatives at the default and at both ends, where every assumed key is slow or
///     every one is fast, and over the first alternative with one key at a time at either of its ends;
///   - a design that was built has closed: limits of utilization and clock do not count, what the device does not have does. Such points are left out,
///     with their reasons.
struct Prediction {
    double low = 0, standard = 0, high = 0;
    bool is_feasible = true;            ///< false: the default itself is not
    int num_points = 0;
    std::set<std::string> assumed;      ///< keys that no configuration of the design states
    std::string decisive;               ///< the one of them that alone moves the figure most, with how far: "hw.axi.ports +12 %"; empty: none does
    std::vector<std::string> left_out;  ///< "edge_moe_qk, fast: uram 65 of 64 ..."
};

/// Predicts designs; a configuration that several of them name is run once.
class Predictor {
  public:
    Predictor(const Protocol& protocol, std::filesystem::path folder, std::filesystem::path arch_configs, const TaskSet& task_set)
        : protocol_(protocol), folder_(std::move(folder)), arch_configs_(std::move(arch_configs)), task_set_(task_set) {}

    /// Throws    ConfigError for a configuration of the design
    [[nodiscard]] Prediction of(const PublishedDesign& design);

  private:
    /// A point of a configuration: which end it is ("default", "slow", "fast", or the one key that is not at its default).
    struct RunPoint {
        std::string end;
        Row row;
    };
    /// All points of a configuration, the default first.
    struct Run {
        std::vector<RunPoint> points;
        std::set<std::string> assumed;
    };
    const Run& run(const std::string& name);
    /// Runs the points [first, count) of the grid; `ends` names those of its last axis, which moves fastest.
    void add_points(const Configuration& configuration, const std::vector<std::string>& ends, std::int64_t count, Run& run, std::int64_t first = 0) const;

    const Protocol& protocol_;
    std::filesystem::path folder_, arch_configs_;
    const TaskSet& task_set_;
    std::map<std::string, Run> runs_;
};

/// The design's predictions beside what was published: a row each, unknown cells empty.
struct ValidationRow {
    const PublishedDesign* design = nullptr;
    Prediction prediction;
    const sim::Figure* published = nullptr;
    [[nodiscard]] double deviation() const noexcept { return prediction.standard / published->value - 1.0; }
    [[nodiscard]] bool is_inside() const noexcept { return prediction.low <= published->value && published->value <= prediction.high; }
};

enum class ValidationForm { text, markdown, csv };
[[nodiscard]] std::string print_validation(const std::vector<ValidationRow>& rows, ValidationForm form);

}  // namespace prelude::experiments
