// SPDX-License-Identifier: Apache-2.0
// Run lengths against pycocotools' own (tests/data/golden/coco, or all of $PRELUDE_GOLDEN/coco), and what is no run length.
#include "models/data/coco_rle.hpp"

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "models/data/coco.hpp"
#include "models/data/random.hpp"
#include "tests/paths.hpp"

using namespace prelude::models;

namespace {

nlohmann::json golden() {
    std::ifstream stream(PRELUDE_SOURCE_DIR "/tests/data/golden/coco/rle.json");
    return nlohmann::json::parse(stream);
}

Mask mask_of_rows(const nlohmann::json& rows) {
    const auto first = rows.at(0).get<std::string>();
    Mask mask(static_cast<int>(first.size()), static_cast<int>(rows.size()));
    std::size_t at = 0;
    for (const auto& row : rows)
        for (const char pixel : row.get<std::string>()) mask.values[at++] = pixel == '1';
    return mask;
}

Box box_of(const nlohmann::json& xywh) {
    const auto v = xywh.get<std::vector<double>>();
    return {v[0], v[1], v[0] + v[2], v[1] + v[3]};
}

std::string refusal(std::string_view text, std::int64_t num_pixels) {
    try {
        (void)decompress(text, num_pixels);
    } catch (const RunLengthError& error) {
        return error.what();
    }
    return "accepted";
}

}  // namespace

TEST_CASE("Masks have the run lengths, texts, areas and boxes of pycocotools") {
    const auto cases = golden().at("masks");
    REQUIRE(cases.size() >= 10);
    for (const auto& item : cases) {
        const auto mask = mask_of_rows(item.at("mask_rows"));
        const auto runs = item.at("uncompressed_counts").get<RunLengths>();
        const auto text = item.at("compressed_counts").get<std::string>();
        INFO(text);
        CHECK(run_lengths(mask) == runs);
        CHECK(compress(runs) == text);
        CHECK(to_coco_rle(mask) == text);
        CHECK(decompress(text, static_cast<std::int64_t>(mask.values.size())) == runs);
        Mask drawn(mask.width, mask.height);
        draw_run_lengths(drawn, runs);
        CHECK(drawn == mask);
        CHECK(area(runs) == item.at("area").get<std::int64_t>());
        CHECK(tight_box(mask) == box_of(item.at("bbox_xywh")));
    }
}

TEST_CASE("Polygons cover the pixels that pycocotools gives them") {
    const auto cases = golden().at("polygons");
    REQUIRE(cases.size() >= 10);
    for (const auto& item : cases) {
        INFO(item.dump());
        const int height = item.at("size").at(0), width = item.at("size").at(1);
        Mask mask(width, height);
        for (const auto& polygon : item.at("polygons")) draw_run_lengths(mask, rasterise_outline(polygon.get<std::vector<double>>(), width, height));
        CHECK(to_coco_rle(mask) == item.at("compressed_counts").get<std::string>());
        CHECK(area(mask) == item.at("area").get<std::int64_t>());
        CHECK(tight_box(mask) == box_of(item.at("bbox_xywh")));
    }
}

TEST_CASE("A box drawn as an outline covers the pixels that pycocotools gives it") {
    const auto reference = golden();
    for (const auto& item : reference.at("boxes")) {
        INFO(item.dump());
        const auto box = box_of(item.at("bbox_xywh"));
        const std::vector<double> outline{box.x0, box.y0, box.x0, box.y1, box.x1, box.y1, box.x1, box.y0};
        const auto runs = rasterise_outline(outline, item.at("size").at(1), item.at("size").at(0));
        CHECK(compress(runs) == item.at("compressed_counts").get<std::string>());
        CHECK(area(runs) == item.at("area").get<std::int64_t>());
    }
}

TEST_CASE("Compressed run lengths read back as they were, and so do masks") {
    Random random(7);
    for (int round = 0; round < 300; ++round) {
        Mask mask(random.integer(1, 40), random.integer(1, 40));
        const double share = random.uniform();
        for (auto& value : mask.values) value = random.uniform() < share;
        const auto runs = run_lengths(mask);
        CHECK(decompress(compress(runs), static_cast<std::int64_t>(mask.values.size())) == runs);
        Mask drawn(mask.width, mask.height);
        draw_run_lengths(drawn, runs);
        CHECK(drawn == mask);
        CHECK(area(runs) == area(mask));
    }
    const RunLengths large{0, 1u << 26, 5, 1u << 25, 3, 1, 1u << 26};
    CHECK(decompress(compress(large), (std::int64_t{1} << 27) + (1 << 25) + 9) == large);
}

TEST_CASE("Outlines that leave the picture, touch it or have no area rasterise to what is inside") {
    const auto runs_of = [](std::vector<double> outline) { return rasterise_outline(outline, 6, 4); };
    CHECK(area(runs_of({-9, -9, 20, -9, 20, 20, -9, 20})) == 24);
    CHECK(area(runs_of({10, 10, 20, 10, 20, 20})) == 0);
    CHECK(area(runs_of({-20, -20, -10, -20, -10, -10})) == 0);
    CHECK(area(runs_of({3, 1, 3, 1, 3, 1})) == 0);
    CHECK(area(runs_of({1, 1, 5, 1, 1, 1})) == 0);
    CHECK(area(runs_of({2, 0, 4, 0, 4, 4, 2, 4})) == 8);
    for (const auto& outline : {std::vector<double>{0, 0, 6, 0, 6, 4, 0, 4}, {0, 0, 0, 4, 6, 4, 6, 0}, {6, 4, 0, 4, 0, 0, 6, 0, 6, 4}}) CHECK(area(runs_of(outline)) == 24);
}

TEST_CASE("What is no compressed run lengths is refused with what was found") {
    CHECK(refusal("", 1) == "runs sum to 0, the picture has 1 pixels");
    CHECK(refusal("4", 4) == "accepted");
    CHECK(refusal("4", 5) == "runs sum to 4, the picture has 5 pixels");
    CHECK(refusal("4o", 4) == "the text ends within a number");
    CHECK(refusal("4 ", 4) == "byte 1 is 0x20, allowed 0x30..0x6f");
    CHECK(refusal("4\xff", 4) == "byte 1 is 0xff, allowed 0x30..0x6f");
    CHECK(refusal(std::string("4\0", 2), 4) == "byte 1 is 0x00, allowed 0x30..0x6f");
    CHECK(refusal("oooooooo0", 4) == "the number at byte 0 has more than 7 pieces");
    CHECK(refusal("O", 4) == "run 0 is -1, allowed 0..4");
    CHECK(refusal("9", 4) == "run 0 is 9, allowed 0..4");
}

TEST_CASE("Shared pixels, merges and boxes of run lengths are those of the masks, at sides from 1 to primes") {
    Random random(5);
    for (int round = 0; round < 400; ++round) {
        const int width = round % 5 == 0 ? 1 : random.integer(1, 31), height = round % 7 == 0 ? 1 : random.integer(1, 29);
        Mask a(width, height), b(width, height), either(width, height), both(width, height);
        const double share_a = random.uniform(-0.2, 1.2), share_b = random.uniform(-0.2, 1.2);
        for (std::size_t i = 0; i < a.values.size(); ++i) {
            a.values[i] = random.uniform() < share_a;
            b.values[i] = random.uniform() < share_b;
            either.values[i] = a.values[i] | b.values[i];
            both.values[i] = a.values[i] & b.values[i];
        }
        INFO(width << " x " << height << ": " << to_coco_rle(a) << " and " << to_coco_rle(b));
        const auto runs_a = run_lengths(a), runs_b = run_lengths(b);
        CHECK(shared_area(runs_a, runs_b) == area(both));
        CHECK(merge(runs_a, runs_b, Merge::either) == run_lengths(either));
        CHECK(merge(runs_a, runs_b, Merge::both) == run_lengths(both));
        CHECK(tight_box(runs_a, height) == tight_box(a));
        const double shared = static_cast<double>(area(both));
        CHECK(coco_overlap(runs_a, runs_b, false) == (shared == 0 ? 0 : shared / static_cast<double>(area(either))));
        CHECK(coco_overlap(runs_a, runs_b, true) == (shared == 0 ? 0 : shared / static_cast<double>(area(a))));
    }
}

TEST_CASE("Runs of no pixels change nothing") {
    const RunLengths plain{3, 4, 5}, padded{0, 0, 3, 2, 0, 2, 0, 0, 5, 0, 0}, leading{0, 0, 3, 4, 5};
    CHECK(shared_area(plain, padded) == 4);
    CHECK(merge(plain, padded, Merge::either) == plain);
    CHECK(merge(padded, leading, Merge::both) == plain);
    CHECK(tight_box(padded, 4) == tight_box(plain, 4));
    CHECK(tight_box(RunLengths{12, 0}, 4) == Box{});
    CHECK(tight_box(RunLengths{}, 4) == Box{});
}

TEST_CASE("Boxes overlap by their shared part, over the found box alone for a crowd") {
    const CocoRectangle box{10, 20, 4, 6};
    CHECK(coco_overlap(box, box, false) == 1);
    CHECK(coco_overlap(box, {12, 20, 4, 6}, false) == Approx(1.0 / 3));
    CHECK(coco_overlap(box, {12, 20, 40, 60}, true) == Approx(0.5));
    CHECK(coco_overlap(box, {14, 20, 4, 6}, false) == 0);  // touching
    CHECK(coco_overlap(box, {11, 21, 0, 3}, false) == 0);
    CHECK(coco_overlap({11, 21, 0, 3}, box, true) == 0);
}

TEST_CASE("An annotation of many outlines covers their union") {
    CocoAnnotation annotation;
    const CocoImage image{.id = 1, .file_name = {}, .width = 37, .height = 23};
    CHECK(run_lengths_of(annotation, image) == RunLengths{37 * 23});
    Mask drawn(image.width, image.height);
    Random random(3);
    for (int count = 1; count <= 13; ++count) {
        std::vector<double> outline;
        for (int i = 0; i < 8; ++i) outline.push_back(random.uniform(-5, 40));
        annotation.outlines.push_back(outline);
        draw_run_lengths(drawn, rasterise_outline(outline, image.width, image.height));
        INFO(count << " outlines");
        CHECK(run_lengths_of(annotation, image) == run_lengths(drawn));
        CHECK(mask_of(annotation, image) == drawn);
    }
}
