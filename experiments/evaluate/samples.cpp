// SPDX-License-Identifier: Apache-2.0
#include "experiments/evaluate/samples.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "experiments/base64.hpp"
#include "experiments/evaluate/accuracy.hpp"
#include "experiments/store/cache.hpp"
#include "models/data/coco_rle.hpp"

namespace prelude::experiments {

namespace {

using nlohmann::json;

constexpr std::string_view kFormat = "prelude.samples/1";

/// The picture with its longest side at most kMaxSampleSide.
std::string reduced_png(const models::Image& image) {
    const int longest = std::max(image.width, image.height);
    if (longest <= kMaxSampleSide) return base64(models::encode_png(image));
    const auto side = [&](int length) { return std::max(1, length * kMaxSampleSide / longest); };
    return base64(models::encode_png(models::resize_bilinear(image, side(image.width), side(image.height))));
}

json mask_json(const models::Mask& mask) {
    return {{"width", mask.width}, {"height", mask.height}, {"runs", models::to_coco_rle(mask)}};
}

models::Mask mask_in(const json& json) {
    models::Mask mask(json.at("width").get<int>(), json.at("height").get<int>());
    models::draw_run_lengths(mask, models::decompress(json.at("runs").get_ref<const std::string&>(), static_cast<std::int64_t>(mask.values.size())));
    return mask;
}

json sample_json(const Sample& sample) {
    json result{{"name", sample.name},
                {"png", sample.png},
                {"truth", mask_json(sample.truth)},
                {"reference", mask_json(sample.reference)},
                {"reference_iou", sample.reference_iou}};
    if (sample.box) result["box"] = {sample.box->x0, sample.box->y0, sample.box->x1, sample.box->y1};
    if (sample.point) result["point"] = {sample.point->x, sample.point->y};
    return result;
}

Sample sample_in(const json& json) {
    Sample sample{.name = json.at("name").get<std::string>(),
                  .png = json.at("png").get<std::string>(),
                  .box = {},
                  .point = {},
                  .truth = mask_in(json.at("truth")),
                  .reference = mask_in(json.at("reference")),
                  .reference_iou = json.at("reference_iou").get<double>()};
    if (json.contains("box")) {
        const auto box = json.at("box").get<std::array<double, 4>>();
        sample.box = models::Box{box[0], box[1], box[2], box[3]};
    }
    if (json.contains("point")) {
        const auto point = json.at("point").get<std::array<double, 2>>();
        sample.point = models::Point{point[0], point[1]};
    }
    return sample;
}

}  // namespace

const models::PromptedMask* sample_prompt(int index, const models::EvaluationImage& item) {
    if (index >= kNumSamples || item.prompts.empty()) return nullptr;
    return &*std::ranges::max_element(item.prompts, {}, [](const models::PromptedMask& prompt) {
        return std::pair(prompt.kind == models::PromptKind::box, models::area(prompt.truth));
    });
}

std::vector<Sample> samples_of(const models::EvaluationSet& set, const ReferenceAnswers& answers) {
    std::vector<Sample> samples;
    std::size_t first = 0;  ///< of the picture's prompts among the answers
    for (int index = 0; index < std::min(set.size(), kNumSamples); ++index) {
        const auto item = set.image(index);
        if (const auto* prompt = sample_prompt(index, item)) {
            const auto number = first + static_cast<std::size_t>(prompt - item.prompts.data());
            Sample sample{.name = item.name,
                          .png = reduced_png(item.image),
                          .box = prompt->prompt.box,
                          .point = {},
                          .truth = prompt->truth,
                          .reference = answers.masks.at(number),
                          .reference_iou = answers.iou.at(number)};
            if (!prompt->prompt.points.empty()) sample.point = prompt->prompt.points.front().position;
            samples.push_back(std::move(sample));
        }
        first += item.prompts.size();
    }
    return samples;
}

std::filesystem::path samples_file(const std::filesystem::path& cache, std::string_view reference_key) {
    return cache / (std::string(reference_key) + ".samples");
}

void save_samples(const std::vector<Sample>& samples, const std::filesystem::path& file) {
    auto list = json::array();
    for (const auto& sample : samples) list.push_back(sample_json(sample));
    const json content{{"format", kFormat}, {"samples", std::move(list)}};
    write_sealed(file, content.dump(-1, ' ', false, json::error_handler_t::replace));
}

std::optional<std::vector<Sample>> load_samples(const std::filesystem::path& file) {
    const auto bytes = read_sealed(file);
    if (!bytes) return std::nullopt;
    const auto content = json::parse(*bytes);
    if (content.at("format") != kFormat) return std::nullopt;
    std::vector<Sample> samples;
    for (const auto& sample : content.at("samples")) samples.push_back(sample_in(sample));
    return samples;
}

json to_json(const SampleAnswer& answer) { return {{"iou", answer.iou}, {"mask", mask_json(answer.mask)}}; }

SampleAnswer sample_answer(const json& json) { return {.mask = mask_in(json.at("mask")), .iou = json.at("iou").get<double>()}; }

}  // namespace prelude::experiments
