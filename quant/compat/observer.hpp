// SPDX-License-Identifier: Apache-2.0
#pragma once

// Calibration of the published activation quantizers, as the float model runs: ranges as running means over pictures, searches per picture.

#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "models/checkpoint/weights.hpp"
#include "models/reference/executor.hpp"
#include "quant/calibration/hybrid_search.hpp"
#include "quant/calibration/probability_search.hpp"
#include "quant/compat/points.hpp"
#include "quant/compat/predictor.hpp"
#include "quant/settings.hpp"

namespace prelude::quant::compat {

/// Settles the quantizer of every point from the values that pass by.
///
/// Meaning   uniform, group: running mean of each picture's extremes; key: of the ranges that are best for each picture (mean |x^ - x|^2.4);
///           hidden: the running range so far and nine shares per picture, judged by the output of lin2; probability: base or companding and a scale per picture, judged by the product with V; scales are averaged
///           over pictures, losses added, the first smallest wins. Companded codes are searched with 2^b - 1 steps and run with 2^b
/// Contract
///  - observe() sees a picture's encoder once and its decoder once per prompt; the prompts of a picture are one batch. end_image() closes it.
///  - the graph and the weights outlive the observer; the graph names the values of every workload observed.
/// Source    PTQ4SAM, AHCPTQ, AHCQ-SAM: the calibration pass before reconstruction
/// Differs   searches see an even sample of the rows where a value has more than 2^17 numbers
class Observer final {
  public:
    Observer(const models::Graph& graph, const models::Weights& weights, const Settings& settings);

    void observe(models::ValueId id, const models::Tensor& tensor);
    void end_image();

    /// Throws    SettingsError naming layers with fewer channels than groups, and values that no picture reached
    [[nodiscard]] Quantizers quantizers() const;

    /// Sampled inputs [rows, K] of a point that a layer reads; kept for quant.acnr alone.
    [[nodiscard]] std::span<const float> rows(const Point& point) const;

    [[nodiscard]] std::span<const Point> points() const noexcept { return points_; }

  private:
    /// Probabilities and values of equally shaped attentions, side by side.
    struct AttentionBatch {
        AttentionSample shape;
        std::vector<float> probabilities, values;
    };
    struct Extremes {
        float lo = 0, hi = 0;
    };
    struct Record {
        std::vector<Extremes> image;             ///< of this picture, per channel or in all; empty: not seen
        std::vector<fake::RunningRange> ranges;
        std::vector<float> inputs;               ///< hidden, key: of this picture
        std::vector<double> losses;              ///< hidden: per candidate, over pictures
        std::vector<AttentionBatch> attentions;  ///< probability: of this picture
        std::vector<CandidateLosses> searched;   ///< probability: per batch
        std::vector<float> rows;
    };

    void observe_point(std::size_t index, const models::Tensor& tensor);
    void observe_attention(Record& record, const Point& point, const models::Tensor& probabilities);
    void end_image(const Point& point, Record& record) const;
    [[nodiscard]] Quantizer quantizer(const Point& point, const Record& record) const;
    [[nodiscard]] Quantizer probability_quantizer(const Record& record) const;
    [[nodiscard]] CandidateLosses search(const AttentionBatch& batch) const;
    [[nodiscard]] bool is_per_channel(const Point& point) const noexcept { return point.kind == PointKind::group && settings_.groups != 1; }
    [[nodiscard]] bool is_hybrid(const Point& point) const noexcept;
    [[nodiscard]] bool is_searched(const Point& point) const noexcept;
    [[nodiscard]] bool has_searched_range(const Point& point) const noexcept { return point.kind == PointKind::key && settings_.activation_bits <= 8; }
    [[nodiscard]] int probability_bits() const noexcept { return settings_.softmax.bits.value_or(settings_.activation_bits); }
    [[nodiscard]] FloatLayer layer_of(const Point& point) const;

    const models::Graph& graph_;
    const models::Weights& weights_;
    Settings settings_;
    std::vector<Point> points_;
    std::vector<Record> records_;                               ///< of each point
    std::map<models::ValueId, std::size_t> index_;              ///< of a value's point
    std::map<models::ValueId, models::Tensor> waiting_values_;  ///< V, until the probabilities they are mixed by are seen
    std::vector<HybridCandidate> hybrid_candidates_;
    std::vector<int> log_bases_;
    std::vector<float> compandings_;
};

}  // namespace prelude::quant::compat
