// SPDX-License-Identifier: Apache-2.0
#include "experiments/report/masks.hpp"

#include <algorithm>
#include <limits>
#include <set>
#include <tuple>

#include "experiments/base64.hpp"
#include "experiments/evaluate/samples.hpp"
#include "models/data/coco_rle.hpp"
#include "models/overlay.hpp"

namespace prelude::experiments {

namespace {

using nlohmann::json;

constexpr std::size_t kReferenceColour = 5, kTruthColour = 2, kPointColour = 0;  ///< sky blue, green, vermilion; report.css names them, too
constexpr int kLayerSide = 256;

/// With its longest side kLayerSide, so that the contour is equally wide whatever the picture's size; nearest pixels.
models::Mask scaled(const models::Mask& mask) {
    const int longest = std::max(mask.width, mask.height);
    const auto side = [&](int length) { return std::max(1, length * kLayerSide / longest); };
    models::Mask result(side(mask.width), side(mask.height));
    for (int y = 0; y < result.height; ++y)
        for (int x = 0; x < result.width; ++x)
            result.values[static_cast<std::size_t>(y) * result.width + x] = mask.contains(x * mask.width / result.width, y * mask.height / result.height);
    return result;
}

json layer(const models::Mask& mask, std::size_t colour) {
    return {{"image", "data:image/png;base64," + base64(models::encode_mask_layer(scaled(mask), models::overlay_colour(colour)))}};
}

json layer(const models::Mask& mask, std::size_t colour, double iou) {
    auto result = layer(mask, colour);
    result["iou"] = iou;
    return result;
}

json drawn(const Sample& sample) {
    json result{{"name", sample.name},
                {"picture", "data:image/png;base64," + sample.png},
                {"truth", layer(sample.truth, kTruthColour)},
                {"reference", layer(sample.reference, kReferenceColour, sample.reference_iou)},
                {"answers", json::array()}};
    const double width = sample.truth.width, height = sample.truth.height;
    if (sample.box) result["box"] = {sample.box->x0 / width, sample.box->y0 / height, sample.box->x1 / width, sample.box->y1 / height};
    if (sample.point) result["point"] = {sample.point->x / width, sample.point->y / height};
    return result;
}

/// What the tasks behind a row say of the samples.
struct PointAnswers {
    std::int64_t point = 0;
    std::string reference;  ///< key of the task that kept the samples
    json answers;           ///< one a sample; null: the point is the FP32 model itself
};

PointAnswers answers_of(const Row& row, const Store& store) {
    PointAnswers result{row.point, {}, nullptr};
    for (const auto& key : store.keys_behind(row.point)) {
        const auto task = store.task(key);
        if (!task || !task->result.ok) continue;
        if (task->kind == name_of(TaskKind::reference)) result.reference = key;
        if (task->kind == name_of(TaskKind::accuracy)) result.answers = task->result.value.at("samples");
    }
    return result;
}

}  // namespace

std::vector<const Row*> points_with_masks(const Results& results) {
    const auto& ranking = results.ranking;
    const auto& among = ranking.num_on_front > 0 ? ranking.on_front : ranking.feasible;
    std::vector<const Row*> rows;
    std::set<std::string> numerics;
    for (std::size_t i = 0; i < results.rows.size(); ++i) {
        const auto& row = results.rows[i];
        if (among[i] && number_in(row, "miou") && numerics.insert(text_in(row, "numeric_hash")).second) rows.push_back(&row);
    }
    const auto accuracy = [](const Row* row) { return *number_in(*row, "miou"); };
    std::ranges::sort(rows, {}, [&](const Row* row) {
        return std::tuple(number_in(*row, "weights_mb").value_or(std::numeric_limits<double>::infinity()), accuracy(row), row->point);
    });
    const auto best = std::ranges::max_element(rows, {}, accuracy);
    if (best != rows.end()) std::rotate(best, best + 1, rows.end());
    if (rows.size() <= kMaxMaskPoints) return rows;
    std::vector<const Row*> spread;
    for (std::size_t k = 0; k < kMaxMaskPoints; ++k) spread.push_back(rows[k * (rows.size() - 1) / (kMaxMaskPoints - 1)]);
    return spread;
}

json masks_of(const Results& results, const Store& store, const std::filesystem::path& cache) {
    try {
        std::vector<PointAnswers> points;
        for (const auto* row : points_with_masks(results)) points.push_back(answers_of(*row, store));
        if (points.empty()) return nullptr;
        const auto reference = points.back().reference;
        const auto samples = load_samples(samples_file(cache, reference));
        if (!samples || samples->empty()) return nullptr;
        json result{{"points", json::array()}, {"samples", json::array()}};
        for (const auto& sample : *samples) result["samples"].push_back(drawn(sample));
        for (const auto& point : points) {
            if (point.reference != reference || point.answers.is_null()) continue;
            result["points"].push_back(point.point);
            for (std::size_t i = 0; i < samples->size(); ++i) {
                const auto answer = sample_answer(point.answers.at(i));
                result["samples"][i]["answers"].push_back(layer(answer.mask, kPointColour, answer.iou));
            }
        }
        return result;
    } catch (const json::exception&) {  // a store that somebody edited
    } catch (const models::RunLengthError&) {
    }
    return nullptr;
}

}  // namespace prelude::experiments
