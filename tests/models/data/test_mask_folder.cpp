// SPDX-License-Identifier: Apache-2.0
// Folders of pictures and masks. Every folder in tests/data/bad/masks (tests/data/bad/make_masks.py) must be refused with exactly the
// message in NAME.expected; a new one is found by itself.
#include "models/data/mask_folder.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "models/error.hpp"
#include "tests/support/expected_text.hpp"
#include "tests/models/checkpoint/support.hpp"
#include "tests/paths.hpp"

using namespace prelude::models;
namespace fs = std::filesystem;

namespace {

constexpr int kWidth = 13, kHeight = 11;
const PromptSchedule kBoth{.kinds = {PromptKind::box, PromptKind::point}, .limit = 100};

Mask rectangle(int x0, int y0, int x1, int y1) {
    Mask mask(kWidth, kHeight);
    for (int y = y0; y < y1; ++y)
        for (int x = x0; x < x1; ++x) mask.values[static_cast<std::size_t>(y * kWidth + x)] = 1;
    return mask;
}

/// A grey value a pixel, as a colour PNG: labels read the same.
Image grey_values(const Mask& one, std::uint8_t value, const Mask& two = {}, std::uint8_t other = 0) {
    Image image{.width = kWidth, .height = kHeight, .rgb = std::vector<std::uint8_t>(kWidth * kHeight * 3)};
    for (std::size_t i = 0; i < one.values.size(); ++i)
        for (std::size_t c = 0; c < 3; ++c) image.rgb[3 * i + c] = one.values[i] != 0 ? value : !two.values.empty() && two.values[i] != 0 ? other : std::uint8_t{0};
    return image;
}

struct Folder {
    test::TemporaryFolder folder;

    Folder() {
        fs::create_directories(folder / "images");
        fs::create_directories(folder / "masks");
    }
    void picture(const std::string& name) const {
        write_png(folder / ("images/" + name), Image{.width = kWidth, .height = kHeight, .rgb = std::vector<std::uint8_t>(kWidth * kHeight * 3, 90)});
    }
    template <class Picture>
    void mask(const std::string& name, const Picture& picture) const {
        fs::create_directories((folder / ("masks/" + name)).parent_path());
        write_png(folder / ("masks/" + name), picture);
    }
    [[nodiscard]] MaskFolderSet set(MaskReading reading = {}, int num_images = 100, const PromptSchedule& schedule = kBoth) const {
        return {read_mask_folder(folder.path()), std::move(reading), num_images, schedule};
    }
};

std::string message_of(const fs::path& folder) {
    try {
        const MaskFolderSet set(read_mask_folder(folder), {}, 1000, {});
        for (int i = 0; i < set.size(); ++i) (void)set.image(i);
    } catch (const DataError& error) {
        return error.what();
    }
    return "accepted";
}

std::string refusal(const LabelMap& map, const MaskReading& reading) {
    try {
        (void)objects_in(map, reading, "mask");
    } catch (const DataError& error) {
        return error.what();
    }
    return "accepted";
}

LabelMap map_of(std::vector<std::uint32_t> values) { return {.width = static_cast<int>(values.size()), .height = 1, .values = std::move(values)}; }

}  // namespace

TEST_CASE("A set shows pictures by name, the masks of each in order, box and deepest point of each object") {
    const Folder folder;
    for (const char* name : {"b.png", "a.png", "a_1.png", "c.PNG"}) folder.picture(name);
    folder.mask("b_mask.png", rectangle(1, 1, 4, 10));
    folder.mask("a.png", rectangle(2, 3, 9, 8));
    folder.mask("a_1.png", rectangle(0, 0, 3, 3));         // of the picture a_1: the longest name
    folder.mask("a_1_left.png", rectangle(5, 5, 6, 6));    // of a_1
    folder.mask("a_2_0.png", rectangle(12, 10, 13, 11));   // of a
    folder.mask("a/x.png", rectangle(0, 10, 13, 11));      // of a, last
    folder.mask("c.png", Mask(kWidth, kHeight));           // empty
    const auto set = folder.set();
    REQUIRE(set.size() == 3);
    CHECK(set.skipped() == MaskFolderSkipped{.without_mask = 0, .empty = 1});
    const auto a = set.image(0);
    CHECK(a.name == "a");
    REQUIRE(a.prompts.size() == 6);
    CHECK(a.prompts[0].kind == PromptKind::box);
    CHECK(a.prompts[0].prompt.box == Box{2, 3, 9, 8});
    CHECK(a.prompts[0].truth == rectangle(2, 3, 9, 8));
    CHECK(a.prompts[1].kind == PromptKind::point);
    REQUIRE(a.prompts[1].prompt.points.size() == 1);
    CHECK(a.prompts[1].prompt.points[0].position == Point{4.5, 5.5});
    CHECK(a.prompts[2].truth == rectangle(12, 10, 13, 11));
    CHECK(a.prompts[4].truth == rectangle(0, 10, 13, 11));
    CHECK(set.image(1).name == "a_1");
    CHECK(set.image(1).prompts.size() == 4);
    CHECK(set.image(2).prompts[0].prompt.box == Box{1, 1, 4, 10});
}

TEST_CASE("Pictures without a mask or an object are passed over and counted, and the number of images and prompts is kept") {
    const Folder folder;
    for (const char* name : {"a.png", "b.png", "c.png", "d.png", "e.png"}) folder.picture(name);
    folder.mask("b.png", Mask(kWidth, kHeight));
    for (const char* name : {"c.png", "c_2.png", "d.png", "e.png"}) folder.mask(name, rectangle(1, 1, 3, 3));
    const auto two = folder.set({}, 2, {.kinds = {PromptKind::point}, .limit = 1});
    REQUIRE(two.size() == 2);
    CHECK(two.skipped() == MaskFolderSkipped{.without_mask = 1, .empty = 1});
    CHECK(two.image(0).name == "c");
    CHECK(two.image(0).prompts.size() == 1);
    CHECK(two.image(0).prompts[0].kind == PromptKind::point);
    CHECK(folder.set().size() == 3);
}

TEST_CASE("One value is one object, several are labels, and a form or void labels decide where 255 is among them") {
    const Folder folder;
    folder.picture("a.png");
    const auto one = rectangle(0, 0, 4, 4), two = rectangle(6, 6, 9, 10);
    const auto truths = [&](const MaskReading& reading) {
        std::vector<Mask> masks;
        for (const auto& prompt : folder.set(reading, 1, {.kinds = {PromptKind::box}, .limit = 9}).image(0).prompts) masks.push_back(prompt.truth);
        return masks;
    };
    folder.mask("a.png", grey_values(one, 1));
    CHECK(truths({}) == std::vector<Mask>{one});
    CHECK(truths({.form = MaskForm::binary}) == std::vector<Mask>{one});
    folder.mask("a.png", grey_values(one, 200, two, 7));
    CHECK(truths({}) == std::vector<Mask>{two, one});
    CHECK(truths({.form = MaskForm::binary}) == std::vector<Mask>{one});
    CHECK(truths({.void_labels = {200}}) == std::vector<Mask>{two});
    folder.mask("a.png", grey_values(one, 255, two, 7));
    CHECK_THROWS_AS(truths({}), DataError);
    CHECK(truths({.form = MaskForm::labels}) == std::vector<Mask>{two, one});
    CHECK(truths({.form = MaskForm::binary}) == std::vector<Mask>{one});
    CHECK(truths({.void_labels = {255}}) == std::vector<Mask>{two});
    folder.mask("a.png", one);
    CHECK(truths({.form = MaskForm::labels}) == std::vector<Mask>{one});
}

TEST_CASE("Objects of a map are its values, ascending") {
    const auto found = objects_in(map_of({0, 9, 9, 3, 0, 70000, 9}), {.void_labels = {3}}, "mask");
    CHECK(found.labels == std::vector<std::uint32_t>{9, 70000});
    CHECK(found.mask_of(9).values == std::vector<std::uint8_t>{0, 1, 1, 0, 0, 0, 1});
    CHECK(found.mask_of(70000).values == std::vector<std::uint8_t>{0, 0, 0, 0, 0, 1, 0});
    CHECK(objects_in(map_of({0, 0}), {}, "mask").labels.empty());
    CHECK(objects_in(map_of({0, 0}), {.form = MaskForm::binary}, "mask").labels.empty());
    CHECK(objects_in(map_of({}), {.form = MaskForm::binary}, "mask").labels.empty());
    const auto soft = objects_in(map_of({0, 127, 128, 255}), {.form = MaskForm::binary}, "mask");
    CHECK(soft.mask_of(1).values == std::vector<std::uint8_t>{0, 0, 1, 1});

    std::vector<std::uint32_t> many(kMaxLabels);
    for (std::size_t i = 0; i < many.size(); ++i) many[i] = static_cast<std::uint32_t>(1000 + i);
    CHECK(refusal(map_of(many), {}) == "accepted");
    many.push_back(1);
    CHECK(refusal(map_of(many), {}) == "mask: more than 4096 values, too many for labels of objects");
    CHECK(refusal(map_of({0, 1, 255}), {}) == "mask: 2 values besides 0, among them 255: a mask with a soft edge, or labels with a void one? Say which");
}

TEST_CASE("Every broken folder of masks is refused with the message beside it", "[expected]") {
    const fs::path bad = PRELUDE_SOURCE_DIR "/tests/data/bad/masks";
    std::vector<fs::path> folders;
    for (const auto& entry : fs::directory_iterator(bad)) {
        if (entry.is_directory()) folders.push_back(entry.path());
        else CHECK(fs::is_directory(fs::path(entry.path()).replace_extension()));
    }
    std::ranges::sort(folders);
    CHECK(folders.size() >= 8);
    for (const auto& folder : folders) {
        INFO(folder.string());
        auto message = message_of(folder);
        CHECK(message != "accepted");
        for (auto at = message.find(folder.string()); at != std::string::npos; at = message.find(folder.string())) message.replace(at, folder.string().size(), "{folder}");
        check_expected_text(folder.string() + ".expected", message + "\n");
    }
}

TEST_CASE("Names of files cannot write to the terminal") {
    const Folder folder;
    folder.picture("a.png");
    std::ofstream(folder.folder / "masks/\x1b[31mred.png") << "x";
    CHECK(message_of(folder.folder.path()) == folder.folder.path().string() + ": 'masks/\\x1b[31mred.png': belongs to no picture\n1 problem in 1 file; nothing was run.");
}

TEST_CASE("A broken mask is named from the folder on, as it may be printed") {
    const Folder folder;
    folder.picture("a.png");
    std::ofstream(folder.folder / "masks/a_\x1b[31mred.png") << "x";
    CHECK(message_of(folder.folder.path()) ==
          folder.folder.path().string() + ": 'masks/a_\\x1b[31mred.png': neither a PNG nor a JPEG file\n1 problem in 1 file; nothing was run.");
}

TEST_CASE("A mask that changes after it was checked is refused, not used") {
    const Folder folder;
    folder.picture("a.png");
    folder.mask("a.png", rectangle(1, 1, 3, 3));
    const auto set = folder.set();
    folder.mask("a.png", Mask(3, 3));
    CHECK_THROWS_AS(set.image(0), DataError);
}
