// SPDX-License-Identifier: Apache-2.0
#pragma once

// Pictures with prompts and true masks, whatever they come from: what accuracy is measured on and calibration looks at.

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "models/data/preprocess.hpp"
#include "models/data/sample.hpp"

namespace prelude::models {

enum class PromptKind { box, point };

struct PromptedMask {
    PromptKind kind = PromptKind::box;
    Prompt prompt;  ///< in pixels of the picture as given
    Mask truth;
};

struct CocoData;

/// A box that a detector found; it may mean an annotated region or none.
struct DetectedBox {
    Box box;
    std::int64_t category = 0;
    double score = 0;
};

struct EvaluationImage {
    std::string name;
    Image image;
    std::vector<PromptedMask> prompts;
    /// Image of the set's annotations() that the masks of `detections` are scored against, all of them together; nothing: they are not.
    std::optional<std::size_t> annotated = {};
    std::vector<DetectedBox> detections = {};  ///< by falling score
};

/// Contract  image(i) is a pure function of the set and i; i in [0, size())
class EvaluationSet {
  public:
    virtual ~EvaluationSet() = default;
    [[nodiscard]] virtual int size() const noexcept = 0;
    [[nodiscard]] virtual EvaluationImage image(int index) const = 0;
    /// What the source holds and the set leaves out, one sentence each: a reader of the results should know it.
    [[nodiscard]] virtual std::vector<std::string> left_out() const { return {}; }
    /// What detections are scored against, alive as long as the set; null where no picture has detections to score.
    [[nodiscard]] virtual const CocoData* annotations() const noexcept { return nullptr; }
};

/// Prompts of a picture with `instances` regions: kinds in turn on the first region, then the next; at most `limit`, none twice.
struct PromptSchedule {
    std::vector<PromptKind> kinds{PromptKind::box, PromptKind::point};
    int limit = 4;
};

/// Asks for one more region of a picture: its box, the point deepest inside it, as the schedule says; `with_point` false leaves the point out.
/// Returns   false once the limit is reached: nothing more will be asked
/// Contract  the truth has a pixel
[[nodiscard]] bool ask(EvaluationImage& image, const PromptSchedule& schedule, const Box& box, const Mask& truth, bool with_point = true);

/// Generated pictures: kinds in turn (picture i is of kind i mod n), indices ascending in the split.
[[nodiscard]] std::unique_ptr<EvaluationSet> generated_set(std::vector<DataKind> kinds, Split split, std::uint64_t seed, int num_images, int size,
                                                           PromptSchedule schedule);

/// The sets' pictures in turn, one of each; a set that has no more is passed over.
[[nodiscard]] std::unique_ptr<EvaluationSet> interleaved_set(std::vector<std::unique_ptr<EvaluationSet>> sets);

}  // namespace prelude::models
