// SPDX-License-Identifier: Apache-2.0
#include "quant/compat/observer.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "quant/calibration/range_search.hpp"
#include "quant/calibration/rows.hpp"
#include "quant/format_plan.hpp"

namespace prelude::quant::compat {

namespace {

constexpr int kMaxHybridBits = 8;  // 16-bit codes stay uniform
constexpr std::int64_t kSearchedWords = 1 << 17;
constexpr std::int64_t kRowsPerObservation = 64;
constexpr std::size_t kMaxRowWords = 1U << 22;

/// Appends rows [begin, begin + count) of depth `depth`, every `step`-th.
void append_rows(std::span<const float> values, std::int64_t depth, std::int64_t begin, std::int64_t count, std::int64_t step, std::vector<float>& to) {
    for (auto row = begin; row < begin + count; row += step) {
        const auto words = values.subspan(static_cast<std::size_t>(row * depth), static_cast<std::size_t>(depth));
        to.insert(to.end(), words.begin(), words.end());
    }
}

}  // namespace

Observer::Observer(const models::Graph& graph, const models::Weights& weights, const Settings& settings)
    : graph_(graph), weights_(weights), settings_(settings), points_(quantized_points(graph)), records_(points_.size()) {
    for (std::size_t i = 0; i < points_.size(); ++i) {
        const bool is_new = index_.emplace(points_[i].value, i).second;
        models::check(is_new, "compat: two quantizers on " + graph.value(points_[i].value).name);
    }
    for (const auto [range_share, log_share] : kHybridCandidates) {
        hybrid_candidates_.push_back({static_cast<float>(settings.hluq.alpha.value_or(static_cast<double>(range_share))),
                                      static_cast<float>(settings.hluq.beta.value_or(static_cast<double>(log_share)))});
    }
    log_bases_.assign(std::begin(kLogBaseCandidates), std::end(kLogBaseCandidates));
    if (settings.softmax.log_base != LogBase::search) log_bases_ = {tau_of(settings.softmax.log_base)};
    compandings_.assign(std::begin(kCompandingCandidates), std::end(kCompandingCandidates));
    if (settings.softmax.alpha) compandings_ = {static_cast<float>(*settings.softmax.alpha)};
}

bool Observer::is_hybrid(const Point& point) const noexcept {
    return point.kind == PointKind::hidden && settings_.mlp_hidden_scheme == HiddenScheme::hluq && settings_.activation_bits <= kMaxHybridBits;
}

bool Observer::is_searched(const Point& point) const noexcept {
    return point.kind == PointKind::probability && settings_.softmax.scheme != SoftmaxScheme::uniform;
}

FloatLayer Observer::layer_of(const Point& point) const {
    const auto weight = weights_.tensor(*weight_of(graph_.node(point.reader)));
    return {.outputs = weight.shape[0], .depth = weight.shape[1], .weight = weight.values};
}

void Observer::observe(models::ValueId id, const models::Tensor& tensor) {
    const auto found = index_.find(id);
    if (found == index_.end() || tensor.num_elements() == 0) return;
    observe_point(found->second, tensor);
    // V of an attention: its probabilities follow.
    for (const auto user : graph_.consumers(id)) {
        const auto& node = graph_.node(user);
        if (std::holds_alternative<models::MatMul>(node.op) && node.inputs[1] == id && is_searched(points_[index_.at(node.inputs[0])])) waiting_values_[id] = tensor;
    }
}

void Observer::observe_point(std::size_t index, const models::Tensor& tensor) {
    const auto& point = points_[index];
    auto& record = records_[index];
    const auto channels = is_per_channel(point) ? static_cast<std::size_t>(tensor.shape().back()) : 1;
    if (record.image.empty()) {
        for (std::size_t c = 0; c < channels; ++c) record.image.push_back({tensor[c], tensor[c]});
    }
    for (std::size_t i = 0; i < tensor.values().size(); ++i) {
        auto& [lo, hi] = record.image[i % channels];
        lo = std::min(lo, tensor[i]), hi = std::max(hi, tensor[i]);
    }
    if (is_hybrid(point) || has_searched_range(point)) {
        const auto depth = tensor.shape().back(), rows = tensor.shape().num_rows();
        append_rows(tensor.values(), depth, 0, rows, (tensor.num_elements() + kSearchedWords - 1) / kSearchedWords, record.inputs);
    }
    if (is_searched(point)) observe_attention(record, point, tensor);
    if (settings_.acnr && std::holds_alternative<models::Linear>(graph_.node(point.reader).op)) {
        sample_rows(RowForm{}, tensor, kRowsPerObservation, kMaxRowWords, record.rows);
    }
}

void Observer::observe_attention(Record& record, const Point& point, const models::Tensor& probabilities) {
    const auto node = waiting_values_.extract(graph_.node(point.reader).inputs[1]);
    models::check(!node.empty(), "compat: probabilities before the values they mix");
    const auto& values = node.mapped();
    const auto batch = probabilities.shape()[0], rows = probabilities.shape()[1], keys = probabilities.shape()[2], columns = values.shape()[2];
    const auto step = std::min(rows, (probabilities.num_elements() + kSearchedWords - 1) / kSearchedWords), kept = (rows + step - 1) / step;
    auto& batches = record.attentions;
    if (batches.empty() || batches.back().shape.rows != kept || batches.back().shape.keys != keys) {
        batches.push_back({.shape = {.rows = kept, .keys = keys, .columns = columns, .probabilities = {}, .values = {}}, .probabilities = {}, .values = {}});
    }
    auto& last = batches.back();
    last.shape.batch += batch;
    for (std::int64_t b = 0; b < batch; ++b) append_rows(probabilities.values(), keys, b * rows, rows, step, last.probabilities);
    last.values.insert(last.values.end(), values.values().begin(), values.values().end());
}

void Observer::end_image() {
    for (std::size_t i = 0; i < points_.size(); ++i) {
        if (!records_[i].image.empty()) end_image(points_[i], records_[i]);
    }
}

void Observer::end_image(const Point& point, Record& record) const {
    if (has_searched_range(point)) {
        const auto best = search_bounded(record.inputs, settings_.activation_bits, false);
        record.image = {{best.lo, best.hi}};
        record.inputs.clear();
    }
    record.ranges.resize(record.image.size());
    for (std::size_t c = 0; c < record.image.size(); ++c) record.ranges[c].add(record.image[c].lo, record.image[c].hi);
    record.image.clear();
    if (is_hybrid(point)) {
        record.losses.resize(hybrid_candidates_.size());
        const auto& range = record.ranges[0];
        for (std::size_t c = 0; c < hybrid_candidates_.size(); ++c) {
            const auto [range_share, log_share] = hybrid_candidates_[c];
            const auto form = fake::hybrid_of_range(range.lo(), range.hi(), range_share, log_share, settings_.activation_bits, settings_.hluq.variant);
            record.losses[c] += output_loss(layer_of(point), record.inputs, form);
        }
        record.inputs.clear();
    }
    for (const auto& batch : record.attentions) record.searched.push_back(search(batch));
    record.attentions.clear();
}

CandidateLosses Observer::search(const AttentionBatch& batch) const {
    auto sample = batch.shape;
    sample.probabilities = batch.probabilities, sample.values = batch.values;
    const int bits = probability_bits();
    return settings_.softmax.scheme == SoftmaxScheme::log ? search_log_bases(sample, bits, log_bases_) : search_compandings(sample, bits, compandings_);
}

Quantizer Observer::probability_quantizer(const Record& record) const {
    const auto choice = choose(record.searched);
    const auto scale = static_cast<float>(choice.scale);
    const int bits = probability_bits();
    if (settings_.softmax.scheme == SoftmaxScheme::log) return fake::Logarithmic{.bits = bits, .tau = log_bases_[choice.index], .scale = scale};
    return fake::Companding{.alpha = compandings_[choice.index], .scale = scale, .steps = 1 << bits};
}

Quantizer Observer::quantizer(const Point& point, const Record& record) const {
    const int bits = point.kind == PointKind::probability ? probability_bits() : settings_.activation_bits;
    if (is_searched(point)) return probability_quantizer(record);
    if (is_hybrid(point)) {
        const auto& range = record.ranges[0];
        const auto [range_share, log_share] = hybrid_candidates_[static_cast<std::size_t>(std::ranges::min_element(record.losses) - record.losses.begin())];
        return fake::hybrid_of_range(range.lo(), range.hi(), range_share, log_share, bits, settings_.hluq.variant);
    }
    ChannelAffine channels;
    for (const auto& range : record.ranges) channels.push_back(fake::affine_of_range(range.lo(), range.hi(), bits, false));
    if (!is_per_channel(point)) return channels.front();
    return settings_.groups == 0 ? channels : grouped(std::move(channels), settings_.groups);
}

Quantizers Observer::quantizers() const {
    std::vector<std::string> problems;
    Quantizers result;
    for (std::size_t i = 0; i < points_.size(); ++i) {
        const auto& name = graph_.value(points_[i].value).name;
        const auto& ranges = records_[i].ranges;
        if (ranges.empty()) {
            problems.push_back(fmt::format("calibration saw nothing of {}", name));
        } else if (is_per_channel(points_[i]) && settings_.groups > static_cast<int>(ranges.size())) {
            problems.push_back(fmt::format("quant.groups: {} groups asked for, but {} has {} channels", settings_.groups, graph_.node(points_[i].reader).name, ranges.size()));
        } else if (problems.empty()) {
            result.emplace(name, quantizer(points_[i], records_[i]));
        }
    }
    if (!problems.empty()) throw SettingsError(fmt::format("{}", fmt::join(problems, "\n")));
    return result;
}

std::span<const float> Observer::rows(const Point& point) const { return records_[index_.at(point.value)].rows; }

}  // namespace prelude::quant::compat
