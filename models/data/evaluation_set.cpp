// SPDX-License-Identifier: Apache-2.0
#include "models/data/evaluation_set.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "models/data/raster.hpp"
#include "models/error.hpp"

namespace prelude::models {

namespace {

class GeneratedSet final : public EvaluationSet {
  public:
    GeneratedSet(std::vector<DataKind> kinds, Split split, std::uint64_t seed, int num_images, int size, PromptSchedule schedule)
        : kinds_(std::move(kinds)), split_(split), seed_(seed), num_images_(num_images), size_(size), schedule_(std::move(schedule)) {}

    [[nodiscard]] int size() const noexcept override { return num_images_; }

    [[nodiscard]] EvaluationImage image(int index) const override {
        const auto num_kinds = static_cast<int>(kinds_.size());
        auto sample = generate(kinds_[static_cast<std::size_t>(index % num_kinds)], split_, seed_, index / num_kinds, size_);
        EvaluationImage result{.name = std::move(sample.name), .image = std::move(sample.image), .prompts = {}};
        for (auto& instance : sample.instances) {
            for (const auto kind : schedule_.kinds) {
                if (static_cast<int>(result.prompts.size()) == schedule_.limit) return result;
                Prompt prompt;
                if (kind == PromptKind::box) {
                    prompt.box = instance.prompts.box;
                } else {
                    prompt.points.push_back({.position = instance.prompts.point, .label = 1});
                }
                result.prompts.push_back({.kind = kind, .prompt = std::move(prompt), .truth = instance.mask});
            }
        }
        return result;
    }

  private:
    std::vector<DataKind> kinds_;
    Split split_;
    std::uint64_t seed_;
    int num_images_, size_;
    PromptSchedule schedule_;
};

class InterleavedSet final : public EvaluationSet {
  public:
    explicit InterleavedSet(std::vector<std::unique_ptr<EvaluationSet>> sets) : sets_(std::move(sets)) {
        check(std::ranges::count_if(sets_, [](const auto& set) { return set->annotations() != nullptr; }) <= 1, "interleaved_set: detections of two sets");
        int most = 0;
        for (const auto& set : sets_) most = std::max(most, set->size());
        for (int round = 0; round < most; ++round)
            for (std::size_t set = 0; set < sets_.size(); ++set)
                if (round < sets_[set]->size()) order_.emplace_back(set, round);
    }

    [[nodiscard]] int size() const noexcept override { return static_cast<int>(order_.size()); }

    [[nodiscard]] EvaluationImage image(int index) const override {
        const auto [set, position] = order_[static_cast<std::size_t>(index)];
        return sets_[set]->image(position);
    }

    [[nodiscard]] std::vector<std::string> left_out() const override {
        std::vector<std::string> sentences;
        for (const auto& set : sets_) std::ranges::move(set->left_out(), std::back_inserter(sentences));
        return sentences;
    }

    [[nodiscard]] const CocoData* annotations() const noexcept override {
        for (const auto& set : sets_)
            if (const auto* data = set->annotations()) return data;
        return nullptr;
    }

  private:
    std::vector<std::unique_ptr<EvaluationSet>> sets_;
    std::vector<std::pair<std::size_t, int>> order_;  ///< set and position of every picture
};

}  // namespace

bool ask(EvaluationImage& image, const PromptSchedule& schedule, const Box& box, const Mask& truth, bool with_point) {
    for (const auto kind : schedule.kinds) {
        if (static_cast<int>(image.prompts.size()) >= schedule.limit) return false;
        Prompt prompt;
        if (kind == PromptKind::box) {
            prompt.box = box;
        } else if (with_point) {
            prompt.points.push_back({.position = deepest_point(truth), .label = 1});
        } else {
            continue;
        }
        image.prompts.push_back({.kind = kind, .prompt = std::move(prompt), .truth = truth});
    }
    return static_cast<int>(image.prompts.size()) < schedule.limit;
}

std::unique_ptr<EvaluationSet> interleaved_set(std::vector<std::unique_ptr<EvaluationSet>> sets) { return std::make_unique<InterleavedSet>(std::move(sets)); }

std::unique_ptr<EvaluationSet> generated_set(std::vector<DataKind> kinds, Split split, std::uint64_t seed, int num_images, int size,
                                             PromptSchedule schedule) {
    check(!kinds.empty() && !schedule.kinds.empty(), "generated_set: no kinds");
    return std::make_unique<GeneratedSet>(std::move(kinds), split, seed, num_images, size, std::move(schedule));
}

}  // namespace prelude::models
