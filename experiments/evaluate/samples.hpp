// SPDX-License-Identifier: Apache-2.0
#pragma once

// A few of the evaluated prompts with their pictures and masks, kept for people to look at. What is kept is data: the report draws it.

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "models/data/evaluation_set.hpp"

namespace prelude::experiments {

struct ReferenceAnswers;

inline constexpr int kNumSamples = 4;       ///< pictures with a sample, the first ones: of every kind, and nobody chose them
inline constexpr int kMaxSampleSide = 256;  ///< a larger picture is kept reduced; masks keep its sides

/// One prompt on one picture and what the FP32 model answers. Masks, box and point are in pixels of the picture as evaluated.
struct Sample {
    std::string name;
    std::string png;  ///< the picture as base64
    std::optional<models::Box> box;
    std::optional<models::Point> point;
    models::Mask truth, reference;
    double reference_iou = 0;
};

/// The quantized model's answer to a sample's prompt.
struct SampleAnswer {
    models::Mask mask;
    double iou = 0;
};

/// The prompt of a picture that is a sample: of its boxes (without one, of its prompts) that with the largest true mask, the first of
/// equals; nullptr if there is none. No model's answer plays a part.
[[nodiscard]] const models::PromptedMask* sample_prompt(int index, const models::EvaluationImage& item);

[[nodiscard]] std::vector<Sample> samples_of(const models::EvaluationSet& set, const ReferenceAnswers& answers);

/// Where a reference task leaves its samples; the answers to them stand in the results of the accuracy tasks.
[[nodiscard]] std::filesystem::path samples_file(const std::filesystem::path& cache, std::string_view reference_key);
void save_samples(const std::vector<Sample>& samples, const std::filesystem::path& file);
/// Nothing when the file is not there or not intact.
[[nodiscard]] std::optional<std::vector<Sample>> load_samples(const std::filesystem::path& file);

[[nodiscard]] nlohmann::json to_json(const SampleAnswer& answer);
/// Throws    nlohmann::json::exception, models::RunLengthError for JSON of another shape
[[nodiscard]] SampleAnswer sample_answer(const nlohmann::json& json);

}  // namespace prelude::experiments
