// SPDX-License-Identifier: Apache-2.0
// From data keys to pictures; the reference photographs, where a machine has them, as $PRELUDE_BSDS500/instances.json.
#include "experiments/evaluate/model.hpp"

#include "experiments/evaluate/accuracy.hpp"
#include "experiments/evaluate/tasks.hpp"
#include "experiments/hash.hpp"
#include "experiments/sweep/grid.hpp"
#include "models/error.hpp"
#include "models/metrics.hpp"
#include "tests/support/program.hpp"
#include "tests/support/tiny_configuration.hpp"
#include "tests/paths.hpp"

#include <catch2/catch.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>

using namespace prelude;
using namespace prelude::experiments;
namespace fs = std::filesystem;

namespace {

/// Two pictures of one region each, the pictures in `images/`.
struct DataFolder {
    testing::TemporaryFolder folder;
    DataFolder() {
        fs::create_directories(folder / "images");
        const models::Image picture{.width = 8, .height = 6, .rgb = std::vector<std::uint8_t>(144, 50)};
        std::string images, annotations;
        for (int i = 1; i <= 2; ++i) {
            models::write_png(folder / fmt::format("images/{}.png", i), picture);
            images += fmt::format(R"({}{{"id":{},"file_name":"{}.png","width":8,"height":6}})", i == 1 ? "" : ",", i, i);
            annotations += fmt::format(R"({}{{"id":{},"image_id":{},"category_id":1,"bbox":[1,1,4,4],"segmentation":[[1,1,5,1,5,5,1,5]]}})", i == 1 ? "" : ",", i, i);
        }
        testing::write_file(folder / "instances.json", fmt::format(R"({{"images":[{}],"annotations":[{}]}})", images, annotations));
        testing::write_file(folder / "boxes.json", R"([{"image_id":2,"category_id":1,"bbox":[1,1,4,3.5],"score":1}])");
    }
    [[nodiscard]] Settings settings(const std::string& data) const {
        return read_configuration_text("model: {checkpoint: none}\ndata: {path: " + folder.path().string() + ", " + data + "}\n", "f.yaml", {}, PRELUDE_SOURCE_DIR "/arch_configs").base;
    }
};

std::vector<std::string> names_of(const models::EvaluationSet& set) {
    std::vector<std::string> names;
    for (int i = 0; i < set.size(); ++i) names.push_back(set.image(i).name);
    return names;
}

}  // namespace

TEST_CASE("A folder of masks gives its objects, and another mask is other data") {
    const testing::TemporaryFolder folder;
    fs::create_directories(folder / "images");
    fs::create_directories(folder / "masks");
    models::Image picture{.width = 8, .height = 6, .rgb = std::vector<std::uint8_t>(144, 0)};
    models::write_png(folder / "images/a.png", picture);
    models::write_png(folder / "images/b.png", picture);
    const auto draw = [&](std::uint8_t value) {  // a row of one label, a row of another
        for (std::size_t i = 0; i < 24; ++i) picture.rgb[48 + i] = 1, picture.rgb[96 + i] = value;
        models::write_png(folder / "masks/a.png", picture);
    };
    draw(2);
    auto settings = read_configuration_text("model: {checkpoint: none}\ndata: {kind: [masks, phantom], num_images: 4, prompts: [box], path: " + folder.path().string() + "}\n",
                                            "f.yaml", {}, PRELUDE_SOURCE_DIR "/arch_configs").base;
    const auto config = model_config(settings.model);
    const auto set = evaluation_set(settings.data, config);
    CHECK(set->size() == 3);  // one picture has masks, two are drawn
    CHECK(set->image(0).name == "a");
    CHECK(set->image(0).prompts.size() == 2);
    CHECK(set->left_out().size() == 1);  // b, which has none
    const auto labels = content_of_data(settings.data);
    CHECK(content_of_data(settings.data) == labels);
    draw(3);
    CHECK(content_of_data(settings.data) != labels);
    settings.data.masks.void_labels = {3};
    CHECK(evaluation_set(settings.data, config)->image(0).prompts.size() == 1);
    CHECK(calibration_set(settings, config)->size() == settings.quant.calibration.num_images);
}

TEST_CASE("A stressed model has other weights and, with long tails, a wider MLP, of which every graph knows") {
    auto settings = read_configuration_text("model: {preset: sam_nano, stress: {gelu_tail: 10, bimodal: true}}\n", "f.yaml", {}, PRELUDE_SOURCE_DIR "/arch_configs").base;
    CHECK(settings.model.stress.bimodal == 3);
    const auto plain = load_model({});
    const auto stressed = load_model(settings.model);
    CHECK(stressed.config.mlp_width == plain.config.mlp_width + 8);
    CHECK(model_config(settings.model).mlp_width == stressed.config.mlp_width);
    settings.model.checkpoint = "none";
    CHECK(model_config(settings.model).mlp_width == stressed.config.mlp_width);
    const std::string keys = "mask_decoder.transformer.layers.0.cross_attn_token_to_image.k_proj.bias";
    CHECK_FALSE(std::ranges::equal(stressed.weights->values(keys), plain.weights->values(keys)));
}

TEST_CASE("A COCO data set is found by its file or its folder and gives what it has") {
    const DataFolder data;
    auto settings = data.settings("kind: coco, num_images: 5, prompts: [box]");
    const auto config = model_config(settings.model);
    CHECK(names_of(*evaluation_set(settings.data, config)) == std::vector<std::string>{"1.png", "2.png"});
    settings.data.path = (data.folder / "instances.json").string();
    const auto set = evaluation_set(settings.data, config);
    REQUIRE(set->size() == 2);
    CHECK(set->image(1).prompts.at(0).prompt.box == models::Box{1, 1, 5, 5});
    CHECK(models::area(set->image(1).prompts.at(0).truth) == 16);
}

TEST_CASE("A detector's boxes take the place of the annotations'") {
    const DataFolder data;
    const auto settings = data.settings("kind: coco, num_images: 2, prompts: [box], boxes: " + (data.folder / "boxes.json").string());
    const auto set = evaluation_set(settings.data, model_config(settings.model));
    REQUIRE(set->size() == 2);
    CHECK(set->image(0).name == "2.png");
    CHECK(set->image(0).prompts.at(0).prompt.box == models::Box{1, 1, 5, 4.5});
    CHECK(set->image(1).prompts.empty());  // its region counts for average precision: nothing found it
}

TEST_CASE("Photographs and generated pictures alternate, and a short file leaves the rest to the others") {
    const DataFolder data;
    const auto settings = data.settings("kind: [scene, coco], num_images: 7");
    CHECK(names_of(*evaluation_set(settings.data, model_config(settings.model))) ==
          std::vector<std::string>{"scene-test-1-000000", "1.png", "scene-test-1-000001", "2.png", "scene-test-1-000002", "scene-test-1-000003"});
}

TEST_CASE("Calibration for photographs looks at generated scenes of the training split, or at the photographs when asked to") {
    const DataFolder data;
    auto settings = data.settings("kind: coco, num_images: 2");
    settings.quant.calibration.num_images = 1;
    const auto config = model_config(settings.model);
    CHECK(names_of(*calibration_set(settings, config)) == std::vector<std::string>{"scene-train-1-000000"});
    settings.quant.calibration.on_evaluated_images = true;
    CHECK(names_of(*calibration_set(settings, config)) == std::vector<std::string>{"1.png", "2.png"});
}

TEST_CASE("The content of a data set changes with its annotations and with the size of a picture") {
    const DataFolder data;
    const auto file = (data.folder / "instances.json").string();
    const auto content_of = [](const std::string& path) { return content_of_data({.kinds = {DataKind::coco}, .path = path}); };
    const auto before = content_of(file);
    CHECK(content_of(data.folder.path().string()) == before);
    testing::write_file(data.folder / "instances.json", testing::read_file(file) + "\n");
    const auto changed = content_of(file);
    CHECK(changed != before);
    testing::write_file(data.folder / "images/2.png", testing::read_file(data.folder / "images/2.png") + "more");
    testing::write_file(data.folder / "instances.json", testing::read_file(file) + "\n");
    CHECK(content_of(file) != changed);
    testing::write_file(data.folder / "instances.json", "{}");
    CHECK_THROWS_AS(content_of(file), models::DataError);
}

TEST_CASE("What a data set leaves out stands in the warnings of a row") {
    DataFolder data;
    auto json = nlohmann::json::parse(testing::read_file(data.folder / "instances.json"));
    json["annotations"].push_back({{"id", 9}, {"image_id", 1}, {"category_id", 1}, {"iscrowd", 1}, {"bbox", {0, 0, 8, 6}}, {"segmentation", {{"size", {6, 8}}, {"counts", {0, 48}}}}});
    testing::write_file(data.folder / "instances.json", json.dump());
    const auto configuration = read_configuration_text(
        testing::tiny_model() + "data: {kind: coco, num_images: 1, prompts: [box], path: " + data.folder.path().string() + "}\nquant: {datatype: fp32}\n", "f.yaml", {},
        PRELUDE_SOURCE_DIR "/arch_configs");
    const Grid grid(configuration);
    TaskResults results;
    for (const auto& task : tasks_of(grid, 0))
        if (task.kind == TaskKind::reference) results[task.key] = {true, {}, run_task(task, grid, data.folder.path())};
    REQUIRE(results.size() == 1);
    CHECK(make_row(grid, 0, results).cells.at("warnings") == "instances.json left out: 1 annotation of a crowd");
}

TEST_CASE("What a file says is computed once while its size and time stay, and again when one changes") {
    const testing::TemporaryFolder folder;
    const auto file = folder / "weights";
    testing::write_file(file, "a");
    const auto time = fs::last_write_time(file);
    int count = 0;
    const auto ask = [&](const fs::path& path) { return remembered("test", path, [&] { return std::to_string(++count); }); };
    CHECK(ask(file) == "1");
    CHECK(ask(file) == "1");
    CHECK(remembered("another test", file, [] { return std::string("other"); }) == "other");
    fs::last_write_time(file, time + std::chrono::seconds(1));
    CHECK(ask(file) == "2");
    testing::write_file(file, "ab");
    fs::last_write_time(file, time + std::chrono::seconds(1));
    CHECK(ask(file) == "3");
    CHECK(ask(folder.path()) == "4");
    CHECK(ask(folder.path()) == "5");
    CHECK_THROWS_AS(remembered("test", folder / "missing", [&] { return sha256_of_path(folder / "missing"); }), fs::filesystem_error);
}

TEST_CASE("The configurations of accuracy resolve to the points they promise") {
    const auto accuracy = read_configuration(PRELUDE_SOURCE_DIR "/arch_configs/sam_nano_accuracy.yaml", {}, PRELUDE_SOURCE_DIR "/arch_configs");
    const Grid grid(accuracy);
    REQUIRE(grid.size() == 3);
    CHECK(grid.at(0).settings.data.kinds == std::vector{DataKind::phantom});
    CHECK(grid.at(2).settings.data.kinds == std::vector{DataKind::phantom, DataKind::scene});
    const DataFolder data;
    const auto photographs =
        read_configuration(PRELUDE_SOURCE_DIR "/arch_configs/bsds500.yaml", {"data.path=" + data.folder.path().string()}, PRELUDE_SOURCE_DIR "/arch_configs");
    CHECK(photographs.base.data.num_images == 100);
    CHECK_THROWS_WITH(read_configuration(PRELUDE_SOURCE_DIR "/arch_configs/bsds500.yaml", {}, PRELUDE_SOURCE_DIR "/arch_configs"), Catch::Contains("coco needs data.path"));
}

TEST_CASE("The 745 regions of the photographs load, their filled boxes and ellipses score what their description says") {
    const char* folder = std::getenv("PRELUDE_BSDS500");
    if (folder == nullptr) {
        WARN("skipped: PRELUDE_BSDS500 names no folder with instances.json");
        return;
    }
    DataSettings settings{.kinds = {DataKind::coco}, .path = folder, .boxes = {}, .num_images = 100, .prompts_per_image = 10, .prompts = {PromptKind::box}};
    const auto set = evaluation_set(settings, models::SamConfig{});
    REQUIRE(set->size() == 100);
    std::vector<double> filled, elliptic;
    for (int i = 0; i < set->size(); ++i) {
        const auto item = set->image(i);
        for (const auto& prompt : item.prompts) {
            models::Mask box(item.image.width, item.image.height), ellipse = box;
            const auto& b = *prompt.prompt.box;
            for (int y = 0; y < box.height; ++y)
                for (int x = 0; x < box.width; ++x) {
                    const double u = (x + 0.5 - (b.x0 + b.x1) / 2) / ((b.x1 - b.x0) / 2), v = (y + 0.5 - (b.y0 + b.y1) / 2) / ((b.y1 - b.y0) / 2);
                    const auto at = static_cast<std::size_t>(y * box.width + x);
                    box.values[at] = std::abs(u) < 1 && std::abs(v) < 1;
                    ellipse.values[at] = u * u + v * v <= 1;
                }
            filled.push_back(models::intersection_over_union(box, prompt.truth));
            elliptic.push_back(models::intersection_over_union(ellipse, prompt.truth));
        }
    }
    CHECK(filled.size() == 745);
    CHECK(models::mean(filled) == Approx(0.556).margin(0.001));
    CHECK(models::mean(elliptic) == Approx(0.562).margin(0.001));
}
