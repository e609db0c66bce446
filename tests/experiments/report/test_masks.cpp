// SPDX-License-Identifier: Apache-2.0
#include "experiments/report/masks.hpp"

#include <catch2/catch.hpp>
#include <fmt/format.h>

#include "experiments/base64.hpp"
#include "experiments/evaluate/samples.hpp"
#include "experiments/hash.hpp"
#include "models/overlay.hpp"
#include "tests/support/program.hpp"

using namespace prelude;
using namespace prelude::experiments;
using prelude::testing::TemporaryFolder;

namespace {

models::Mask block(int width, int height, int filled) {
    models::Mask mask(width, height);
    for (int i = 0; i < filled * width; ++i) mask.values[static_cast<std::size_t>(i)] = 1;
    return mask;
}

Sample sample() {
    return {.name = "one", .png = "cGljdHVyZQ==", .box = models::Box{0, 1, 4, 2}, .point = {}, .truth = block(4, 2, 1), .reference = block(4, 2, 2), .reference_iou = 0.5};
}

Row row(std::int64_t point, const std::string& numerics, double miou, double weights_mb) {
    return {point, {{"status", "ok"}, {"miou", fmt::format("{}", miou)}, {"weights_mb", fmt::format("{}", weights_mb)}, {"numeric_hash", numerics}}, {}};
}

Results results_of(std::vector<Row> rows, bool with_front) {
    Results results{.info = {}, .rows = std::move(rows), .ranking = {}};
    results.ranking.feasible.assign(results.rows.size(), true);
    results.ranking.on_front.assign(results.rows.size(), with_front);
    results.ranking.num_on_front = with_front ? std::ssize(results.rows) : 0;
    return results;
}

std::vector<std::int64_t> numbers(const std::vector<const Row*>& rows) {
    std::vector<std::int64_t> result;
    for (const auto* row : rows) result.push_back(row->point);
    return result;
}

/// A store in which each point has an accuracy of its own, all against the reference named.
struct Sweep {
    TemporaryFolder folder;
    Store store{folder / "results.db"};
    Results results;

    explicit Sweep(const std::vector<std::string>& references) {
        auto transaction = store.transaction();
        SweepInfo info;
        info.num_points = std::ssize(references);
        store.begin(info, {});
        std::vector<Row> rows;
        for (std::size_t i = 0; i < references.size(); ++i) {
            const auto reference = sha256(references[i]), accuracy = sha256(fmt::format("accuracy {}", i));
            store.put_task(reference, {{true, {}, {{"miou", 0.9}}}, "reference", {}, 0});
            const nlohmann::json answers = {to_json(SampleAnswer{.mask = block(4, 2, 1), .iou = 0.25 + 0.1 * static_cast<double>(i)})};
            store.put_task(accuracy, {{true, {}, {{"samples", answers}}}, "accuracy", {}, 0});
            rows.push_back(row(static_cast<std::int64_t>(i), accuracy, 0.5 + 0.1 * static_cast<double>(i), 1));
            store.put_row(rows.back(), std::vector{reference, accuracy});
        }
        transaction.commit();
        results = results_of(rows, true);
    }
    [[nodiscard]] nlohmann::json masks() const { return masks_of(results, store, folder.path()); }
};

std::string layer(const models::Mask& mask, std::size_t colour) {
    return "data:image/png;base64," + base64(models::encode_mask_layer(mask, models::overlay_colour(colour)));
}

}  // namespace

TEST_CASE("Masks are shown of points from the fewest bits of weights to the most accurate one") {
    const std::vector rows{row(0, "a", 0.6, 2), row(1, "b", 0.5, 1), row(2, "c", 0.7, 2), row(3, "d", 0.9, 2), row(4, "e", 0.8, 4), row(5, "f", 0.55, 1), row(6, "g", 0.85, 4)};
    CHECK(numbers(points_with_masks(results_of(rows, true))) == std::vector<std::int64_t>{1, 0, 4, 3});
    CHECK(numbers(points_with_masks(results_of({rows[0], rows[1]}, true))) == std::vector<std::int64_t>{1, 0});
    CHECK(numbers(points_with_masks(results_of({rows[3], rows[1]}, false))) == std::vector<std::int64_t>{1, 3});
    CHECK(points_with_masks(results_of({}, true)).empty());
}

TEST_CASE("Points of equal numerics show their masks once, points without accuracy none") {
    auto without = row(2, "", 0, 1);
    without.cells.erase("miou");
    CHECK(numbers(points_with_masks(results_of({row(0, "a", 0.5, 1), row(1, "a", 0.5, 1), without}, true))) == std::vector<std::int64_t>{0});
}

TEST_CASE("The report gets picture, prompt, true mask, FP32 mask and those of the points with their IoU") {
    const Sweep sweep({"data", "data"});
    save_samples({sample()}, samples_file(sweep.folder.path(), sha256("data")));
    const auto masks = sweep.masks();
    CHECK(masks.at("points") == nlohmann::json{0, 1});
    const auto& shown = masks.at("samples").at(0);
    CHECK(shown.at("name") == "one");
    CHECK(shown.at("picture") == "data:image/png;base64,cGljdHVyZQ==");
    CHECK(shown.at("box") == nlohmann::json{0, 0.5, 1, 1});
    CHECK(shown.at("truth") == nlohmann::json{{"image", layer(block(256, 128, 64), 2)}});
    CHECK(shown.at("reference") == nlohmann::json{{"image", layer(block(256, 128, 128), 5)}, {"iou", 0.5}});
    CHECK(shown.at("answers").at(1) == nlohmann::json{{"image", layer(block(256, 128, 64), 0)}, {"iou", 0.35}});
}

TEST_CASE("Points that were evaluated on other data have no mask beside the samples") {
    const Sweep sweep({"other data", "data"});
    save_samples({sample()}, samples_file(sweep.folder.path(), sha256("data")));
    CHECK(sweep.masks().at("points") == nlohmann::json{1});
    CHECK(sweep.masks().at("samples").at(0).at("answers").size() == 1);
}

TEST_CASE("Without its pictures in the cache the report shows no masks") {
    const Sweep sweep({"data"});
    CHECK(sweep.masks().is_null());
    const auto file = samples_file(sweep.folder.path(), sha256("data"));
    save_samples({sample()}, file);
    CHECK(sweep.masks().is_object());
    testing::write_file(file, testing::read_file(file).substr(1));
    CHECK(sweep.masks().is_null());
}
