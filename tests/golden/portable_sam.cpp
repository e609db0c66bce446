// SPDX-License-Identifier: Apache-2.0
// Kind `sam-portable`: a full-size model whose weights and picture come from a formula (README of the reference data, section 1.3);
// sampled activations and statistics of complete tensors.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <ctime>
#include <fstream>

#include "../support/formula_sam.hpp"
#include "golden.hpp"
#include "models/checkpoint/sam_checkpoint.hpp"
#include "models/data/preprocess.hpp"
#include "models/graph/sam.hpp"
#include "models/predictor.hpp"
#include "models/reference/executor.hpp"

namespace prelude::golden {

namespace {

using models::ReferenceExecutor;
using models::SamConfig;
using models::Shape;
using models::Tensor;
using models::Weights;

constexpr double kTolerance = 1e-3;
constexpr double kMaxMemoryGb = 4.0;

Weights make_weights(const Json& document, Report& report) {
    return formula::make_weights(document, [&](const std::string& name, std::span<const float> values) {
        const auto& entry = document.at("tensors").at(name);
        const auto& first = entry.at("first");
        const bool equal = values.front() == first[0].get<float>() && (values.size() < 2 || values[1] == first[1].get<float>()) &&
                           values.back() == entry.at("last").get<float>();
        report.require(equal, name + ": the formula gives other values");
    });
}

Tensor make_image(const Json& document, std::int64_t side, Report& report) {
    const auto seed = document.at("seed").get<std::string>();
    const formula::Formula coarse(seed, "image_coarse"), fine(seed, "image_fine");
    Tensor image(Shape{1, 3, side, side});
    auto* value = image.data();
    for (std::int64_t c = 0; c < 3; ++c) {
        for (std::int64_t y = 0; y < side; ++y) {
            for (std::int64_t x = 0; x < side; ++x) {
                const auto cell = static_cast<std::uint64_t>((c * 32 + y / 32) * 32 + x / 32),
                           pixel = static_cast<std::uint64_t>((c * side + y) * side + x);
                *value++ = 2.0F * coarse(cell) + 0.5F * fine(pixel);
            }
        }
    }
    const auto& first = document.at("image_first");
    for (std::size_t index = 0; index < first.size(); ++index) report.require(image[index] == first[index].get<float>(), "image_first");
    report.require(image.values().back() == document.at("image_last").get<float>(), "image_last");
    return image;
}

/// Peak resident memory of this process in 10^9 bytes.
double peak_memory_gb() {
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);) {
        if (line.starts_with("VmHWM:")) return std::stod(line.substr(6)) * 1024e-9;
    }
    return 0;
}

class PortableTest final {
  public:
    PortableTest(const Json& document, References& references, Report& report)
        : document_(document), references_(references), report_(report) {}

    void run() {
        const auto weights = make_weights(document_, report_);
        const auto [config, assumed] = models::infer_sam_config(weights.file(), weights.shapes());
        models::check_sam(weights, config);
        const auto start = std::clock();
        const auto embedding = encode(weights, config);
        report_.note(fmt::format("encoder {:.1f} s of processor time", static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC));
        predict(weights, config, embedding, "point");
        predict(weights, config, embedding, "box");
        report_.note(fmt::format("peak memory {:.2f} GB", peak_memory_gb()));
        report_.require(peak_memory_gb() < kMaxMemoryGb, fmt::format("peak memory: limit {} GB", kMaxMemoryGb));
    }

  private:
    void compare(const std::string& name, std::span<const float> actual) { report_.compare(name, references_.view<float>(name), actual); }

    /// Mean, deviation, largest magnitude and sum of magnitudes of a complete tensor.
    void compare_statistics(const std::string& name, std::span<const float> values) {
        if (!document_.at("statistics").contains(name)) return;
        const auto& expected = document_["statistics"][name];
        double sum = 0, sum_abs = 0, largest = 0;
        for (const float value : values) {
            sum += value;
            sum_abs += std::abs(static_cast<double>(value));
            largest = std::max(largest, std::abs(static_cast<double>(value)));
        }
        const double count = static_cast<double>(values.size()), mean = sum / count;
        double squares = 0;
        for (const float value : values) squares += (value - mean) * (value - mean);
        const auto check = [&](const char* statistic, double actual, double scale) {
            report_.deviation(name + " " + statistic, std::abs(actual - expected.at(statistic).get<double>()) / scale);
        };
        check("mean", mean, largest);
        check("std", std::sqrt(squares / count), largest);
        check("absmax", largest, largest);
        check("sum_abs", sum_abs, sum_abs);
    }

    Tensor encode(const Weights& weights, const SamConfig& config) {
        const auto graph = models::build_sam(config);
        const ReferenceExecutor executor(graph, weights);
        std::map<std::string, std::string> watched{{"encoder.patch_tokens.out", "patch_embed"}};
        for (std::int64_t block = 0; block < config.depth; ++block)
            watched.emplace(fmt::format("encoder.block{}.add2.out", block), fmt::format("block{}", block));
        const auto tokens = references_.view<std::int64_t>("token_index");
        const models::EdgeHook watch = [&](const models::Node*, models::ValueId id, Tensor& value) {
            const auto found = watched.find(graph.value(id).name);
            if (found == watched.end()) return;
            std::vector<float> sampled;
            for (const auto token : tokens) sampled.insert(sampled.end(), value.row(token).begin(), value.row(token).end());
            compare(found->second + ".tokens", sampled);
            compare_statistics(found->second, value.values());
        };
        ReferenceExecutor::Values given;
        given.emplace(*graph.find_value(models::sam_values::kImage), make_image(document_, config.image_size, report_));
        auto embedding = executor.run_one(std::move(given), models::sam_values::kImageEmbedding, watch);
        compare_statistics("image_embedding", embedding.values());
        compare("image_embedding.stride2", every_second(embedding));
        return embedding;
    }

    /// [..., ::2, ::2]
    static std::vector<float> every_second(const Tensor& images) {
        const auto& shape = images.shape();
        std::vector<float> result;
        for (std::int64_t row = 0; row < shape.num_rows(); ++row) {
            if (row % shape[shape.rank() - 2] % 2 != 0) continue;
            for (std::size_t column = 0; column < images.row(row).size(); column += 2) result.push_back(images.row(row)[column]);
        }
        return result;
    }

    void predict(const Weights& weights, const SamConfig& config, const Tensor& embedding, const std::string& name) {
        const bool is_box = references_.contains("prompt." + name);
        const auto coordinates = references_.view<float>(is_box ? "prompt." + name : "prompt." + name + ".coords");
        const auto batch = references_.shape(name + ".iou")[0];
        const auto stride = coordinates.size() / static_cast<std::size_t>(batch);
        std::vector<float> sparse, iou, logits;
        for (std::int64_t index = 0; index < batch; ++index) {
            const auto c = coordinates.subspan(static_cast<std::size_t>(index) * stride, stride);
            models::Prompt prompt;
            if (is_box) {
                prompt.box = models::Box{c[0], c[1], c[2], c[3]};
            } else {
                const auto labels =
                    references_.view<std::int64_t>("prompt." + name + ".labels").subspan(static_cast<std::size_t>(index) * stride / 2);
                for (std::size_t point = 0; point < stride / 2; ++point) {
                    prompt.points.push_back({{c[2 * point], c[2 * point + 1]}, static_cast<int>(labels[point])});
                }
            }
            const int side = static_cast<int>(config.image_size);
            const auto graph = models::build_sam(
                config, models::workload_of(prompt, models::frame_of(side, side, side), models::MaskSelection::multi, config));
            const ReferenceExecutor executor(graph, weights);
            auto given = models::prompt_values(graph, prompt);
            given.emplace(*graph.find_value(models::sam_values::kImageEmbedding), embedding);
            const auto low_res = *graph.find_value(models::sam_values::kLowResLogits),
                       quality = *graph.find_value(models::sam_values::kIou), tokens = *graph.find_value(models::sam_values::kSparse);
            const auto results = executor.run(std::move(given), std::vector{low_res, quality, tokens});
            const auto append = [](std::vector<float>& target, std::span<const float> values) {
                target.insert(target.end(), values.begin(), values.end());
            };
            const auto all = results.at(low_res).values();
            append(sparse, results.at(tokens).values());
            append(iou, results.at(quality).values().subspan(1));
            append(logits, all.subspan(all.size() / static_cast<std::size_t>(config.num_mask_tokens())));
        }
        compare(name + ".sparse", sparse);
        compare(name + ".iou", iou);
        compare_statistics(name + ".low_res_logits", logits);
        const auto side = 4 * config.grid_size();
        compare(name + ".low_res_logits.stride2", every_second(Tensor(Shape{batch, config.num_multimask_outputs, side, side}, logits)));
    }

    const Json& document_;
    References& references_;
    Report& report_;
};

}  // namespace

std::vector<Case> find_portable_sam(Directory& directory) {
    std::vector<Case> cases;
    for (auto* file : directory.unclaimed()) {
        if (!file->document || !has_keys(*file->document, {"seed", "tensors", "statistics"})) continue;
        std::vector<File*> siblings;
        for (auto* sibling : directory.siblings(*file)) {
            if (!sibling->tensors) continue;
            sibling->claimed = true;
            siblings.push_back(sibling);
        }
        file->claimed = true;
        cases.push_back({"sam-portable", without_extension(file->name), [=] {
                             Report report(kTolerance);
                             References references;
                             for (const auto* sibling : siblings) references.add(*sibling);
                             PortableTest(*file->document, references, report).run();
                             for (const auto& name : references.unused()) report.require(false, name + ": a tensor of unknown meaning");
                             return report;
                         }});
    }
    return cases;
}

}  // namespace prelude::golden
