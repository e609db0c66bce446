// SPDX-License-Identifier: Apache-2.0
#pragma once

// Simulation of a design point, and the cells and layer rows that follow from its counters.

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "experiments/evaluate/design_point.hpp"
#include "quant/float/float_graph.hpp"
#include "quant/quantized_graph.hpp"

namespace prelude::experiments {

using Cells = std::map<std::string, std::string, std::less<>>;

/// Runs the datapath without payload. {"segments": [...], "infeasible": reason, "host_ops": [[name, bytes]], "warnings": [...]}
/// `trace`: where the timeline of a feasible point goes (sim/trace.hpp); empty: nowhere.
[[nodiscard]] nlohmann::json simulate_timing(const DesignPoint& point, const WorkloadSettings& workload, const std::filesystem::path& trace = {});

/// Runs the datapath with payload on one picture and its first prompt, and compares every value with the engine.
/// {"equal": bool, "detail": first difference, "values": compared, "words": compared, "whole": encoder included, "toggles": {segment: [...]}},
/// or {"infeasible": reason}
[[nodiscard]] nlohmann::json check_bits(const DesignPoint& point, const quant::QuantizedGraph& quantized, const models::EvaluationImage& item);
[[nodiscard]] nlohmann::json check_bits(const DesignPoint& point, const quant::FloatGraph& floats, const models::EvaluationImage& item);

/// What the FP32 model scores: the cells ..._fp32.
void reference_cells(const nlohmann::json& accuracy, Cells& cells);

/// Cells of the accuracy task (or of the FP32 reference alone).
void accuracy_cells(const nlohmann::json& accuracy, Cells& cells);

/// Assumed figures behind a column of status, by its name.
using AssumedFigures = std::map<std::string, std::vector<std::string>, std::less<>>;

/// LUT ... limiting_resource, resource_status.
void resource_cells(const DesignPoint& point, Cells& cells, AssumedFigures& assumed);

/// Segments of a feasible timing task.
[[nodiscard]] std::vector<sim::SegmentStats> segments_of(const nlohmann::json& timing);

/// Gives segments the operand toggles that a bit check counted; those it has no like of, the mean of all.
void measured_toggles(const nlohmann::json& check, std::vector<sim::SegmentStats>& segments);

/// Latency, energy, power, traffic, utilisation, and what to warn of.
void hardware_cells(std::span<const sim::SegmentStats> segments, const DesignPoint& point, const sim::CostTable& costs, Cells& cells, AssumedFigures& assumed,
                    std::vector<std::string>& warnings);

/// Rows of layers.csv without the point number; `sqnr` by node name.
[[nodiscard]] std::vector<std::vector<std::string>> layer_rows(std::span<const sim::SegmentStats> segments, const DesignPoint& point, const sim::CostTable& costs,
                                                               const nlohmann::json& sqnr);

}  // namespace prelude::experiments
