// SPDX-License-Identifier: Apache-2.0
// Every NAME.json in tests/data/bad/coco must be refused with exactly the message in NAME.expected; detections in NAME.boxes and
// NAME.masks are read with it. The files come from tests/data/bad/make_coco.py; a new one is found by itself.
#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <vector>

#include "models/data/coco_detections.hpp"
#include "models/error.hpp"
#include "tests/support/cheap_refusal.hpp"
#include "tests/support/expected_text.hpp"
#include "tests/paths.hpp"

using namespace prelude::models;
namespace fs = std::filesystem;

namespace {

const fs::path kFolder = PRELUDE_SOURCE_DIR "/tests/data/bad/coco";

fs::path beside(fs::path file, const char* extension) { return file.replace_extension(extension); }

std::vector<fs::path> bad_files() {
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(kFolder))
        if (entry.path().extension() == ".json") files.push_back(entry.path());
    std::sort(files.begin(), files.end());
    return files;
}

std::string message_of(const fs::path& file) {
    try {
        auto data = read_coco(file);
        std::optional<std::vector<CocoBox>> boxes;
        if (const auto path = beside(file, ".boxes"); fs::exists(path)) boxes = read_coco_boxes(path, data);
        if (const auto path = beside(file, ".masks"); fs::exists(path)) (void)read_coco_detections(path, data, CocoTask::masks);
        const CocoSet set(std::move(data), boxes, 1000, {});
        for (int i = 0; i < set.size(); ++i) (void)set.image(i);
    } catch (const DataError& error) {
        return error.what();
    }
    return "accepted";
}

}  // namespace

TEST_CASE("Every broken COCO file is refused with the message beside it", "[expected]") {
    const auto files = bad_files();
    CHECK(files.size() >= 20);
    for (const auto& file : files) {
        INFO(file.filename().string());
        auto message = message_of(file);
        CHECK(message != "accepted");
        message = with_placeholder(with_placeholder(message, file.string(), "{file}"), kFolder.string(), "{folder}");
        check_expected_text(beside(file, ".expected"), message + "\n");
    }
}

TEST_CASE("Every message of a broken COCO file stands beside one") {
    for (const auto& entry : fs::directory_iterator(kFolder)) {
        INFO(entry.path().string());
        const auto extension = entry.path().extension();
        if (extension == ".expected" || extension == ".boxes" || extension == ".masks") CHECK(fs::exists(beside(entry.path(), ".json")));
    }
}

// The sanitizers' own memory and time would be measured.
#if !defined(__SANITIZE_ADDRESS__)
TEST_CASE("Every broken COCO file is refused within a second of processor time and 200 MB") {
    check_cheap_refusals(bad_files(), [](const auto& file) { return message_of(file) != "accepted"; });
}
#endif
