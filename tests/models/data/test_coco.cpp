// SPDX-License-Identifier: Apache-2.0
#include "models/data/coco.hpp"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "models/data/coco_detections.hpp"
#include "models/data/raster.hpp"
#include "models/error.hpp"
#include "models/metrics.hpp"
#include "tests/models/checkpoint/support.hpp"

using namespace prelude::models;
using nlohmann::json;
namespace fs = std::filesystem;

namespace {

constexpr int kWidth = 12, kHeight = 9;

/// A folder with a COCO file of two pictures; `images/` holds the second.
struct Folder {
    test::TemporaryFolder folder;
    json content{{"images",
                  {{{"id", 7}, {"file_name", "a.png"}, {"width", kWidth}, {"height", kHeight}},
                   {{"id", 5}, {"file_name", "b.png"}, {"width", kWidth}, {"height", kHeight}}}},
                 {"annotations", json::array()},
                 {"categories", {{{"id", 3}, {"name", "thing"}}}}};

    Folder() {
        fs::create_directories(folder / "images");
        Image picture{.width = kWidth, .height = kHeight, .rgb = std::vector<std::uint8_t>(kWidth * kHeight * 3, 90)};
        write_png(folder / "a.png", picture);
        write_png(folder / "images/b.png", picture);
    }

    /// A rectangle of pixels as an annotation.
    void add(int image_id, Box box, bool crowd = false, const char* form = "runs") {
        Mask mask(kWidth, kHeight);
        for (int y = static_cast<int>(box.y0); y < box.y1; ++y)
            for (int x = static_cast<int>(box.x0); x < box.x1; ++x) mask.values[static_cast<std::size_t>(y * kWidth + x)] = 1;
        json region;
        if (std::string(form) == "runs") region = {{"size", {kHeight, kWidth}}, {"counts", run_lengths(mask)}};
        else if (std::string(form) == "text") region = {{"size", {kHeight, kWidth}}, {"counts", to_coco_rle(mask)}};
        else region = {{box.x0, box.y0, box.x1, box.y0, box.x1, box.y1, box.x0, box.y1}};
        content["annotations"].push_back({{"id", content["annotations"].size() + 1},
                                          {"image_id", image_id},
                                          {"category_id", 3},
                                          {"iscrowd", crowd ? 1 : 0},
                                          {"bbox", {box.x0, box.y0, box.x1 - box.x0, box.y1 - box.y0}},
                                          {"segmentation", region}});
    }

    [[nodiscard]] CocoData data() const { return read_coco(content.dump(), folder / "instances.json"); }
};

const PromptSchedule kBoxes{.kinds = {PromptKind::box}, .limit = 100};
const PromptSchedule kBoth{.kinds = {PromptKind::box, PromptKind::point}, .limit = 100};

}  // namespace

TEST_CASE("Polygons, run lengths and compressed run lengths of one region are one mask") {
    Folder folder;
    for (const char* form : {"runs", "text", "polygon"}) folder.add(7, {2, 1, 9, 6}, false, form);
    const auto data = folder.data();
    REQUIRE(data.annotations.size() == 3);
    for (const auto& annotation : data.annotations) {
        const auto mask = mask_of(annotation, data.images[0]);
        CHECK(area(mask) == 35);
        CHECK(tight_box(mask) == Box{2, 1, 9, 6});
        CHECK(annotation.box == Box{2, 1, 9, 6});
    }
}

TEST_CASE("A set shows images and annotations in file order, wherever the pictures lie") {
    Folder folder;
    folder.add(5, {0, 0, 4, 4});
    folder.add(7, {2, 1, 9, 6});
    folder.add(5, {5, 0, 9, 4});
    const CocoSet set(folder.data(), std::nullopt, 10, kBoth);
    REQUIRE(set.size() == 2);
    const auto a = set.image(0), b = set.image(1);
    CHECK(a.name == "a.png");
    CHECK(b.name == "b.png");
    REQUIRE(a.prompts.size() == 2);
    REQUIRE(b.prompts.size() == 4);
    CHECK(a.prompts[0].prompt.box == Box{2, 1, 9, 6});
    CHECK(b.prompts[0].prompt.box == Box{0, 0, 4, 4});
    CHECK(b.prompts[1].kind == PromptKind::point);
    CHECK(b.prompts[2].prompt.box == Box{5, 0, 9, 4});
    CHECK(area(b.prompts[3].truth) == 16);
    CHECK(set.skipped() == CocoSkipped{});
}

TEST_CASE("A point prompt is the pixel centre deepest inside its region") {
    Folder folder;
    folder.add(7, {2, 1, 9, 6});
    const auto item = CocoSet(folder.data(), std::nullopt, 1, {.kinds = {PromptKind::point}, .limit = 1}).image(0);
    REQUIRE(item.prompts.size() == 1);
    CHECK(item.prompts[0].prompt.points.at(0).position == Point{4.5, 3.5});
    CHECK(item.prompts[0].prompt.points.at(0).label == 1);

    Mask ring(9, 9);
    for (int y = 0; y < 9; ++y)
        for (int x = 0; x < 9; ++x) ring.values[static_cast<std::size_t>(y * 9 + x)] = x < 2 || y < 2 || x > 5 || y > 5;
    const auto point = deepest_point(ring);
    CHECK(ring.contains(static_cast<int>(point.x), static_cast<int>(point.y)));
    CHECK(point.x > 6);
}

TEST_CASE("Prompts stop at the limit of the schedule") {
    Folder folder;
    for (int i = 0; i < 4; ++i) folder.add(7, {0, 0, 4.0 + i, 4});
    const CocoSet set(folder.data(), std::nullopt, 1, {.kinds = {PromptKind::box, PromptKind::point}, .limit = 3});
    const auto prompts = set.image(0).prompts;
    REQUIRE(prompts.size() == 3);
    CHECK(prompts[1].kind == PromptKind::point);
    CHECK(area(prompts[2].truth) == 20);
}

TEST_CASE("Crowds, empty regions and images without a region are left out and counted") {
    Folder folder;
    folder.add(7, {0, 0, 4, 4}, true);
    folder.add(7, {0, 0, 0, 0});
    folder.add(7, {0, 0, 4, 4});
    folder.add(5, {0, 0, 4, 4}, true);
    const CocoSet one(folder.data(), std::nullopt, 1, kBoxes), two(folder.data(), std::nullopt, 2, kBoxes);
    CHECK(one.size() == 1);
    CHECK(one.image(0).prompts.size() == 1);
    CHECK(one.skipped() == CocoSkipped{.crowds = 1, .empty = 1, .false_boxes = 0});
    CHECK(one.left_out() == std::vector<std::string>{"instances.json left out: 1 annotation of a crowd, 1 annotation without a pixel"});
    CHECK(two.size() == 1);
    CHECK(two.skipped().crowds == 2);
    CHECK(two.left_out() == std::vector<std::string>{"instances.json left out: 2 annotations of crowds, 1 annotation without a pixel"});

    Folder second_only;
    second_only.add(7, {0, 0, 4, 4}, true);
    second_only.add(5, {0, 0, 4, 4});
    CHECK(CocoSet(second_only.data(), std::nullopt, 1, kBoxes).image(0).name == "b.png");
}

TEST_CASE("Detections become prompts by falling score, each for the region it overlaps most") {
    Folder folder;
    folder.add(7, {0, 0, 4, 4});
    folder.add(7, {0, 0, 4, 5});
    folder.add(7, {6, 0, 12, 9}, true);
    const auto data = folder.data();
    const json boxes{{{"image_id", 7}, {"category_id", 3}, {"bbox", {0.0, 0.0, 4.0, 4.25}}, {"score", 0.3}},
                     {{"image_id", 7}, {"category_id", 1}, {"bbox", {0.0, 0.0, 4.0, 4.75}}, {"score", 0.9}},
                     {{"image_id", 7}, {"category_id", 3}, {"bbox", {0.0, 0.0, 4.0, 3.75}}, {"score", 0.3}},
                     {{"image_id", 7}, {"category_id", 3}, {"bbox", {6, 0, 6, 9}}, {"score", 1}},
                     {{"image_id", 5}, {"category_id", 3}, {"bbox", {0, 0, 4, 4}}, {"score", 1}}};
    const CocoSet set(data, read_coco_boxes(boxes.dump(), "boxes.json", data), 2, kBoth);
    const auto prompts = set.image(0).prompts;
    REQUIRE(prompts.size() == 5);
    CHECK(prompts[0].prompt.box == Box{0, 0, 4, 4.75});
    CHECK(area(prompts[0].truth) == 20);
    CHECK(prompts[1].kind == PromptKind::point);
    CHECK(prompts[2].prompt.box == Box{0, 0, 4, 4.25});
    CHECK(area(prompts[2].truth) == 16);
    CHECK(prompts[4].prompt.box == Box{0, 0, 4, 3.75});  // its region was already asked with a point
    CHECK(set.size() == 1);
    CHECK(set.skipped() == CocoSkipped{.crowds = 1, .empty = 0, .false_boxes = 2});
}

TEST_CASE("Scored detections are the best of every image up to the last one shown, with or without a region, and change no prompt") {
    Folder folder;
    folder.content["images"].push_back({{"id", 9}, {"file_name", "a.png"}, {"width", kWidth}, {"height", kHeight}});
    folder.add(5, {0, 0, 4, 4});
    const auto data = folder.data();
    const json boxes{{{"image_id", 7}, {"category_id", 4}, {"bbox", {1, 1, 2, 2}}, {"score", 0.2}},
                     {{"image_id", 7}, {"category_id", 3}, {"bbox", {8, 0, 9, 2}}, {"score", 0.4}},
                     {{"image_id", 7}, {"category_id", 3}, {"bbox", {2, 0, 2, 2}}, {"score", 0.3}},
                     {{"image_id", 5}, {"category_id", 3}, {"bbox", {0, 0, 4, 4}}, {"score", 1}},
                     {{"image_id", 5}, {"category_id", 3}, {"bbox", {0, 0, 1, 1}}, {"score", 1}},
                     {{"image_id", 9}, {"category_id", 3}, {"bbox", {0, 0, 1, 1}}, {"score", 1}}};
    const auto found = read_coco_boxes(boxes.dump(), "boxes.json", data);
    const CocoSet plain(data, found, 1, kBoxes), one(data, found, 1, kBoxes, 2), all(data, found, 2, kBoxes, 2);
    CHECK(plain.annotations() == nullptr);
    CHECK_FALSE(plain.image(0).annotated);
    REQUIRE(one.annotations() != nullptr);
    CHECK(one.annotations()->annotations.size() == 1);
    REQUIRE(one.size() == 2);  // not the third image: one was asked for, and it is the second
    REQUIRE(all.size() == 3);
    const auto with_region = all.image(0), first = all.image(1);
    CHECK(with_region.name == "b.png");
    CHECK(with_region.annotated == 1U);
    CHECK(with_region.prompts.size() == plain.image(0).prompts.size());
    CHECK(with_region.detections.size() == 2);
    CHECK(first.prompts.empty());
    CHECK(first.annotated == 0U);
    REQUIRE(first.detections.size() == 2);
    CHECK((first.detections[0].score == 0.4 && first.detections[0].box == Box{8, 0, kWidth, 2} && first.detections[1].score == 0.3));
    CHECK(all.image(2).annotated == 2U);
    CHECK(one.left_out() == std::vector<std::string>{"instances.json left out of the prompts with a truth: 4 detected boxes that mean no annotation"});
}

TEST_CASE("A box may stand out of its picture by the rounding of a pixel and is clipped") {
    Folder folder;
    folder.add(7, {0, 0, 4, 4});
    folder.content["annotations"][0]["bbox"] = {-0.5, -1, 5, kHeight + 1.5};
    CHECK(folder.data().annotations[0].box == Box{0, 0, 4.5, kHeight});
    folder.content["annotations"][0].erase("bbox");
    CHECK(folder.data().annotations[0].box == Box{0, 0, 4, 4});
}

TEST_CASE("Order of the sections, unknown keys and nested extras do not matter") {
    const std::string text = R"({"annotations": [{"extra": [[1, {"id": 9}]], "segmentation": {"counts": "4X3", "size": [9, 12], "more": {"size": 1}},
        "image_id": 1, "keypoints": [1, 2], "id": 1, "category_id": 2}], "licenses": [{"id": 1}], "images": [{"license": 1, "id": 1, "height": 9, "width": 12,
        "file_name": "folder/x.jpg", "nested": {"id": 4}}]})";
    const auto data = read_coco(text, "x.json");
    REQUIRE(data.annotations.size() == 1);
    CHECK(data.images[0].id == 1);
    CHECK(area(data.annotations[0].runs) == 104);
    CHECK(picture_path(data, data.images[0]) == fs::path("folder/x.jpg"));
}

TEST_CASE("The reference data of the COCO metric load, areas and boxes are those that pycocotools wrote") {
    const auto gt = test::data("golden/coco/gt.json");
    const auto data = read_coco(gt);
    std::ifstream stream(gt);
    const auto annotations = json::parse(stream).at("annotations");
    REQUIRE(data.images.size() == 30);
    REQUIRE(data.annotations.size() == annotations.size());
    for (std::size_t i = 0; i < annotations.size(); ++i) {
        const auto& annotation = data.annotations[i];
        INFO("annotation " << annotation.id);
        const auto mask = mask_of(annotation, data.images[annotation.image]);
        CHECK(static_cast<double>(area(mask)) == annotations[i].at("area").get<double>());
        CHECK(annotation.area == annotations[i].at("area").get<double>());
        const auto box = annotations[i].at("bbox").get<std::vector<double>>();
        CHECK(tight_box(mask) == Box{box[0], box[1], box[0] + box[2], box[1] + box[3]});
    }
    CHECK(read_coco_boxes(gt.parent_path() / "det_bbox.json", data).size() > 100);
}

TEST_CASE("Categories are those the file lists, else those of its annotations") {
    Folder folder;
    folder.content["categories"] = {{{"id", 9}, {"name", "cat"}}, {{"id", 3}}};
    folder.add(7, {0, 0, 4, 4});
    auto data = folder.data();
    REQUIRE(data.categories.size() == 2);
    CHECK((data.categories[0].id == 9 && data.categories[0].name == "cat"));
    CHECK((data.categories[1].id == 3 && data.categories[1].name.empty()));
    folder.content.erase("categories");
    folder.content["annotations"][0]["category_id"] = 40;
    folder.add(5, {0, 0, 2, 2});
    data = folder.data();
    REQUIRE(data.categories.size() == 2);
    CHECK((data.categories[0].id == 3 && data.categories[1].id == 40));
}

TEST_CASE("Area and box come from the file, else from the mask") {
    Folder folder;
    folder.add(7, {2, 1, 9, 6});
    folder.add(7, {2, 1, 9, 6});
    folder.content["annotations"][0]["area"] = 12.5;
    folder.content["annotations"][0]["bbox"] = {-0.5, 1, 7, 5};
    folder.content["annotations"][1].erase("bbox");
    const auto data = folder.data();
    CHECK(data.annotations[0].area == 12.5);
    CHECK(data.annotations[0].rectangle == CocoRectangle{-0.5, 1, 7, 5});
    CHECK(data.annotations[0].box == Box{0, 1, 6.5, 6});
    CHECK(data.annotations[1].area == 35);
    CHECK(data.annotations[1].rectangle == CocoRectangle{2, 1, 7, 5});
    CHECK(data.annotations[1].box == Box{2, 1, 9, 6});
}

TEST_CASE("Detected masks are read as text or as a list, with a box beside them or without") {
    const auto data = Folder().data();
    const json detections{{{"image_id", 5}, {"category_id", 3}, {"score", 0.5}, {"segmentation", {{"size", {kHeight, kWidth}}, {"counts", {10, 5, 93}}}}},
                          {{"image_id", 7}, {"category_id", 8}, {"score", -2}, {"bbox", "none"}, {"segmentation", {{"size", {kHeight, kWidth}}, {"counts", compress(RunLengths{10, 5, 93})}}}}};
    const auto found = read_coco_detections(detections.dump(), "masks", data, CocoTask::masks);
    REQUIRE(found.size() == 2);
    CHECK((found[0].image == 1 && found[0].category == 3 && found[0].score == 0.5));
    CHECK((found[1].image == 0 && found[1].category == 8 && found[1].score == -2));
    for (const auto& each : found) CHECK(each.runs == RunLengths{10, 5, 93});
}
