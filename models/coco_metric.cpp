// SPDX-License-Identifier: Apache-2.0
#include "models/coco_metric.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "models/error.hpp"

namespace prelude::models {

namespace {

constexpr std::size_t kThresholds = kNumCocoThresholds, kAreas = kNumCocoAreas;
constexpr int kRecallSteps = 100;

/// Formed as pycocotools forms them, so that an overlap of exactly one of them falls on the same side.
const std::array<double, kThresholds>& thresholds() {
    static const auto values = [] {
        std::array<double, kThresholds> all{};
        const double step = (0.95 - 0.5) / 9;
        for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<double>(i) * step + 0.5;
        all.back() = 0.95;
        return all;
    }();
    return values;
}

double recall_at(int step) { return step == kRecallSteps ? 1.0 : step * 0.01; }

bool inside(double area, std::size_t range) {
    constexpr double kLargest = 1e10, kSmall = 32 * 32, kMedium = 96 * 96;
    constexpr std::array<std::pair<double, double>, kAreas> kRanges{{{0, kLargest}, {0, kSmall}, {kSmall, kMedium}, {kMedium, kLargest}}};
    return area >= kRanges[range].first && area <= kRanges[range].second;
}

/// A region or a detection as it is compared; what does not change from pair to pair is formed once.
struct Extent {
    CocoRectangle rectangle;  ///< of masks: the tight box, for a quick no
    RunLengths runs;
    double area = 0;
};

Extent extent_of(RunLengths runs, const CocoImage& image) {
    const auto box = tight_box(runs, image.height);
    const auto pixels = static_cast<double>(area(runs));
    return {.rectangle = to_rectangle(box), .runs = std::move(runs), .area = pixels};
}

double overlap(const Extent& found, const Extent& truth, bool truth_is_crowd, CocoTask task) {
    const double of_boxes = coco_overlap(found.rectangle, truth.rectangle, truth_is_crowd);
    return task == CocoTask::boxes || of_boxes == 0 ? of_boxes : coco_overlap(found.runs, truth.runs, truth_is_crowd);
}

/// The annotations of one image and category, and which of them detections have taken.
class Regions {
  public:
    Regions(const CocoData& data, const std::vector<std::size_t>& annotations, const CocoImage& image, CocoTask task) : task_(task) {
        for (const auto i : annotations) {
            const auto& annotation = data.annotations[i];
            Region region{.extent = {}, .is_crowd = annotation.is_crowd, .counts = {}, .taken = {}};
            region.extent.rectangle = annotation.rectangle;
            if (task == CocoTask::masks) region.extent = extent_of(run_lengths_of(annotation, image), image);
            for (std::size_t range = 0; range < kAreas; ++range) region.counts[range] = !annotation.is_crowd && inside(annotation.area, range);
            regions_.push_back(std::move(region));
        }
    }

    [[nodiscard]] std::int64_t num_counted(std::size_t range) const {
        return std::ranges::count_if(regions_, [&](const auto& region) { return region.counts[range]; });
    }

    /// Has the detection, the best of those not yet asked, take a region at every threshold.
    CocoMatches::Detection take(const Extent& found, double score) {
        std::vector<Candidate> candidates;
        for (auto& region : regions_) {
            const double shared = overlap(found, region.extent, region.is_crowd, task_);
            if (shared >= thresholds()[0]) candidates.push_back({.region = &region, .overlap = shared});
        }
        CocoMatches::Detection result{.score = score, .matched = {}, .ignored = {}};
        for (std::size_t range = 0; range < kAreas; ++range) {
            for (std::size_t t = 0; t < kThresholds; ++t) {
                const auto bit = static_cast<std::uint16_t>(1U << t);
                auto* best = best_of(candidates, range, t, true);
                if (best == nullptr) best = best_of(candidates, range, t, false);
                if (best != nullptr) best->taken[range] |= bit, result.matched[range] |= bit;
                if (best != nullptr ? !best->counts[range] : !inside(found.area, range)) result.ignored[range] |= bit;
            }
        }
        return result;
    }

  private:
    struct Region {
        Extent extent;
        bool is_crowd = false;
        std::array<bool, kAreas> counts{};
        std::array<std::uint16_t, kAreas> taken{};  ///< bit t: at threshold t
    };
    struct Candidate {
        Region* region = nullptr;
        double overlap = 0;
    };

    /// The free candidate of the largest overlap, the last of equals, among those that count or those that do not.
    static Region* best_of(const std::vector<Candidate>& candidates, std::size_t range, std::size_t threshold, bool counting) {
        Region* best = nullptr;
        double most = thresholds()[threshold];
        for (const auto& [region, overlap] : candidates) {
            const bool is_free = region->is_crowd || (region->taken[range] >> threshold & 1) == 0;
            if (region->counts[range] != counting || !is_free || overlap < most) continue;
            most = overlap;
            best = region;
        }
        return best;
    }

    CocoTask task_;
    std::vector<Region> regions_;
};

/// The detections of one category and all images by falling score, and how far down its image's list each stands.
struct Ranking {
    struct Entry {
        const CocoMatches::Detection* detection = nullptr;
        int rank = 0;
    };
    std::vector<Entry> entries;
    std::array<std::int64_t, kAreas> num_regions{};
};

struct Curve {
    double precision = 0, recall = 0;
};

/// Precision averaged over recall, and the recall in the end, of the first `limit` detections of every image.
Curve curve_of(const Ranking& ranking, std::size_t range, int limit, std::size_t threshold, std::vector<double>& precisions, std::vector<double>& recalls) {
    precisions.clear();
    recalls.clear();
    std::int64_t right = 0, wrong = 0;
    for (const auto& [detection, rank] : ranking.entries) {
        if (rank >= limit || (detection->ignored[range] >> threshold & 1) != 0) continue;
        ++((detection->matched[range] >> threshold & 1) != 0 ? right : wrong);
        recalls.push_back(static_cast<double>(right) / static_cast<double>(ranking.num_regions[range]));
        precisions.push_back(static_cast<double>(right) / (static_cast<double>(wrong) + static_cast<double>(right) + std::numeric_limits<double>::epsilon()));
    }
    if (recalls.empty()) return {};
    for (auto i = precisions.size() - 1; i > 0; --i) precisions[i - 1] = std::max(precisions[i - 1], precisions[i]);
    double sum = 0;
    auto at = recalls.begin();
    for (int step = 0; step <= kRecallSteps; ++step) {
        at = std::lower_bound(at, recalls.end(), recall_at(step));
        if (at == recalls.end()) break;
        sum += precisions[static_cast<std::size_t>(at - recalls.begin())];
    }
    return {.precision = sum / (kRecallSteps + 1), .recall = recalls.back()};
}

std::vector<std::int64_t> category_ids(const CocoData& data) {
    std::vector<std::int64_t> ids;
    for (const auto& category : data.categories) ids.push_back(category.id);
    std::ranges::sort(ids);
    return ids;
}

}  // namespace

CocoScores::CocoScores(std::vector<std::int64_t> categories, std::vector<int> limits) : categories_(std::move(categories)), limits_(std::move(limits)) {
    precisions_.assign(num_groups() * kAreas * limits_.size() * kThresholds, kCocoUndefined);
    recalls_ = precisions_;
}

std::size_t CocoScores::at(std::size_t group, std::size_t area, std::size_t limit, std::size_t threshold) const noexcept {
    return ((group * kAreas + area) * limits_.size() + limit) * kThresholds + threshold;
}

double CocoScores::mean(const std::vector<double>& values, const CocoSelection& selection) const {
    const auto limit = selection.limit.value_or(limits_.size() - 1);
    check(limit < limits_.size() && selection.category.value_or(0) < num_groups(), "CocoScores: no such limit or category");
    check(selection.threshold.value_or(0) >= 0 && selection.threshold.value_or(0) < kNumCocoThresholds, "CocoScores: no such threshold");
    double sum = 0;
    std::int64_t count = 0;
    for (std::size_t group = 0; group < num_groups(); ++group) {
        if (selection.category && *selection.category != group) continue;
        for (std::size_t t = 0; t < kThresholds; ++t) {
            if (selection.threshold && static_cast<std::size_t>(*selection.threshold) != t) continue;
            const double value = values[at(group, static_cast<std::size_t>(selection.area), limit, t)];
            if (value == kCocoUndefined) continue;
            sum += value;
            ++count;
        }
    }
    return count == 0 ? kCocoUndefined : sum / static_cast<double>(count);
}

CocoSummary CocoScores::summary() const {
    const auto hundred = std::ranges::find(limits_, 100);
    CocoSummary summary;
    summary.precision = average_precision({.limit = hundred == limits_.end() ? limits_.size() - 1 : static_cast<std::size_t>(hundred - limits_.begin())});
    summary.precision_50 = average_precision({.threshold = 0});
    summary.precision_75 = average_precision({.threshold = 5});
    summary.precision_small = average_precision({.area = CocoArea::small});
    summary.precision_medium = average_precision({.area = CocoArea::medium});
    summary.precision_large = average_precision({.area = CocoArea::large});
    for (std::size_t limit = 0; limit < limits_.size(); ++limit) summary.recall.push_back(average_recall({.limit = limit}));
    summary.recall_small = average_recall({.area = CocoArea::small});
    summary.recall_medium = average_recall({.area = CocoArea::medium});
    summary.recall_large = average_recall({.area = CocoArea::large});
    return summary;
}

CocoMetric::CocoMetric(const CocoData& data, CocoMetricOptions options)
    : data_(data), options_(std::move(options)), categories_(category_ids(data)), annotations_of_(data.images.size()) {
    const auto& limits = options_.limits;
    const bool ascending = std::ranges::adjacent_find(limits, std::greater_equal{}) == limits.end();
    check(!limits.empty() && limits[0] >= 1 && ascending, "CocoMetric: limits have to ascend from 1 up");
    for (std::size_t i = 0; i < data.annotations.size(); ++i) annotations_of_[data.annotations[i].image].push_back(i);
}

CocoMatches CocoMetric::match(std::size_t image, std::span<const CocoDetection> detections) const {
    check(image < data_.images.size(), "CocoMetric: no such image");
    struct Group {
        std::vector<std::size_t> annotations;
        std::vector<const CocoDetection*> detections;
    };
    const auto& picture = data_.images[image];
    std::map<std::size_t, Group> groups;  // by index of the category: where categories are not told apart, they follow in this order
    const auto category_of = [&](std::int64_t id) -> std::optional<std::size_t> {
        const auto found = std::ranges::lower_bound(categories_, id);
        if (found == categories_.end() || *found != id) return std::nullopt;
        return static_cast<std::size_t>(found - categories_.begin());
    };
    for (const auto i : annotations_of_[image])
        if (const auto category = category_of(data_.annotations[i].category)) groups[*category].annotations.push_back(i);
    for (const auto& detection : detections) {
        check(detection.image == image && std::isfinite(detection.score), "CocoMetric: a detection of another image or without a score");
        if (const auto category = category_of(detection.category)) groups[*category].detections.push_back(&detection);
    }
    if (!options_.by_category && !groups.empty()) {
        Group all;
        for (const auto& [category, group] : groups) {
            all.annotations.insert(all.annotations.end(), group.annotations.begin(), group.annotations.end());
            all.detections.insert(all.detections.end(), group.detections.begin(), group.detections.end());
        }
        groups = {{0, std::move(all)}};
    }

    CocoMatches result{.image_id = picture.id, .categories = {}};
    const auto most = static_cast<std::size_t>(options_.limits.back());
    for (auto& [index, group] : groups) {
        Regions regions(data_, group.annotations, picture, options_.task);
        CocoMatches::Category category{.index = index, .num_regions = {}, .detections = {}};
        for (std::size_t range = 0; range < kAreas; ++range) category.num_regions[range] = regions.num_counted(range);
        std::ranges::stable_sort(group.detections, std::greater{}, &CocoDetection::score);
        if (group.detections.size() > most) group.detections.resize(most);
        for (const auto* detection : group.detections) {
            const auto& box = detection->rectangle;
            const auto found = options_.task == CocoTask::masks ? extent_of(detection->runs, picture)
                                                                : Extent{.rectangle = box, .runs = {}, .area = box.width * box.height};
            category.detections.push_back(regions.take(found, detection->score));
        }
        result.categories.push_back(std::move(category));
    }
    return result;
}

void CocoMetric::add(CocoMatches matches) {
    const auto id = matches.image_id;
    check(images_.emplace(id, std::move(matches)).second, "CocoMetric: an image was added twice");
}

CocoScores CocoMetric::scores() const {
    CocoScores scores(options_.by_category ? categories_ : std::vector<std::int64_t>{}, options_.limits);
    std::vector<Ranking> rankings(scores.num_groups());
    for (const auto& [id, image] : images_) {
        for (const auto& category : image.categories) {
            auto& ranking = rankings.at(category.index);
            for (std::size_t range = 0; range < kAreas; ++range) ranking.num_regions[range] += category.num_regions[range];
            int rank = 0;
            for (const auto& detection : category.detections) ranking.entries.push_back({.detection = &detection, .rank = rank++});
        }
    }
    std::vector<double> precisions, recalls;
    for (std::size_t group = 0; group < rankings.size(); ++group) {
        auto& ranking = rankings[group];
        std::ranges::stable_sort(ranking.entries, std::greater{}, [](const auto& entry) { return entry.detection->score; });
        for (std::size_t range = 0; range < kAreas; ++range) {
            if (ranking.num_regions[range] == 0) continue;
            for (std::size_t limit = 0; limit < options_.limits.size(); ++limit) {
                for (std::size_t t = 0; t < kThresholds; ++t) {
                    const auto curve = curve_of(ranking, range, options_.limits[limit], t, precisions, recalls);
                    scores.precisions_[scores.at(group, range, limit, t)] = curve.precision;
                    scores.recalls_[scores.at(group, range, limit, t)] = curve.recall;
                }
            }
        }
    }
    return scores;
}

CocoScores coco_scores(const CocoData& data, std::vector<CocoDetection> detections, const CocoMetricOptions& options,
                       std::optional<std::span<const std::size_t>> images) {
    CocoMetric metric(data, options);
    std::ranges::stable_sort(detections, {}, &CocoDetection::image);
    const auto add = [&](std::size_t image) {
        const auto own = std::ranges::equal_range(detections, image, {}, &CocoDetection::image);
        metric.add(metric.match(image, {own.begin(), own.end()}));
    };
    if (images)
        for (const auto image : *images) add(image);
    else
        for (std::size_t image = 0; image < data.images.size(); ++image) add(image);
    return metric.scores();
}

}  // namespace prelude::models
