// SPDX-License-Identifier: Apache-2.0
#include "models/data/evaluation_set.hpp"

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

}  // namespace

std::unique_ptr<EvaluationSet> generated_set(std::vector<DataKind> kinds, Split split, std::uint64_t seed, int num_images, int size,
                                             PromptSchedule schedule) {
    check(!kinds.empty() && !schedule.kinds.empty(), "generated_set: no kinds");
    return std::make_unique<GeneratedSet>(std::move(kinds), split, seed, num_images, size, std::move(schedule));
}

}  // namespace prelude::models
