// SPDX-License-Identifier: Apache-2.0
// prelude_generate: writes generated pictures as PNG files and their masks and prompts as one COCO file, which is what
// training reads. `prelude_prompts` of an annotation is an addition to COCO that other readers ignore.
#include <fmt/format.h>

#include <charconv>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "models/data/coco_rle.hpp"
#include "models/data/sample.hpp"
#include "models/error.hpp"

namespace {

using namespace prelude::models;

constexpr const char* kUsage =
    "usage: prelude_generate --kind scene|phantom --split train|dev|test --out DIR [--seed N] [--first N] [--count N] [--size N]\n"
    "  writes DIR/images/*.png and DIR/instances.json (COCO; masks as compressed RLE; prompts in `prelude_prompts`)\n";

struct Options {
    DataKind kind = DataKind::scene;
    Split split = Split::train;
    std::uint64_t seed = 1;
    std::int64_t first = 0;
    std::int64_t count = 100;
    int size = 128;
    std::filesystem::path out;
};

template <class T>
bool parse_number(std::string_view text, T& value, T low, T high) {
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
    return failure == std::errc{} && end == text.data() + text.size() && value >= low && value <= high;
}

std::optional<Options> parse(int argc, char** argv) {
    Options options;
    for (int i = 1; i < argc; i += 2) {
        const std::string_view key = argv[i];
        if (i + 1 == argc) return std::nullopt;
        const std::string_view value = argv[i + 1];
        bool ok = false;
        if (key == "--kind") {
            ok = value == "scene" || value == "phantom";
            options.kind = value == "phantom" ? DataKind::phantom : DataKind::scene;
        } else if (key == "--split") {
            ok = value == "train" || value == "dev" || value == "test";
            options.split = value == "train" ? Split::train : value == "dev" ? Split::dev : Split::test;
        } else if (key == "--out") {
            ok = true;
            options.out = value;
        } else if (key == "--seed") {
            ok = parse_number<std::uint64_t>(value, options.seed, 0, ~std::uint64_t{0});
        } else if (key == "--first") {
            ok = parse_number<std::int64_t>(value, options.first, 0, std::int64_t(1) << 40);
        } else if (key == "--count") {
            ok = parse_number<std::int64_t>(value, options.count, 1, 10'000'000);
        } else if (key == "--size") {
            ok = parse_number<int>(value, options.size, 32, 1024);
        }
        if (!ok) return std::nullopt;
    }
    if (options.out.empty()) return std::nullopt;
    return options;
}

nlohmann::json point_json(const Point& p) {
    return {p.x, p.y};
}

void run(const Options& options) {
    std::filesystem::create_directories(options.out / "images");
    nlohmann::json images = nlohmann::json::array();
    nlohmann::json annotations = nlohmann::json::array();
    std::map<std::string, int> categories;
    for (std::int64_t index = options.first; index < options.first + options.count; ++index) {
        const Sample sample = generate(options.kind, options.split, options.seed, index, options.size);
        const std::string file = sample.name + ".png";
        write_png(options.out / "images" / file, sample.image);
        images.push_back({{"id", index}, {"file_name", file}, {"width", sample.image.width}, {"height", sample.image.height}});
        for (const auto& instance : sample.instances) {
            const int category = categories.try_emplace(instance.category, int(categories.size()) + 1).first->second;
            const Box& box = instance.box;
            const Prompts& prompts = instance.prompts;
            annotations.push_back(
                {{"id", annotations.size() + 1},
                 {"image_id", index},
                 {"category_id", category},
                 {"iscrowd", 0},
                 {"area", area(instance.mask)},
                 {"bbox", {box.x0, box.y0, box.x1 - box.x0, box.y1 - box.y0}},
                 {"segmentation", {{"size", {instance.mask.height, instance.mask.width}}, {"counts", to_coco_rle(instance.mask)}}},
                 {"prelude_prompts",
                  {{"box", {prompts.box.x0, prompts.box.y0, prompts.box.x1, prompts.box.y1}},
                   {"point", point_json(prompts.point)},
                   {"positive", point_json(prompts.positive)},
                   {"negative", point_json(prompts.negative)}}}});
        }
    }
    nlohmann::json list = nlohmann::json::array();
    for (const auto& [name, id] : categories) list.push_back({{"id", id}, {"name", name}});
    const nlohmann::json document = {
        {"info",
         {{"description", fmt::format("prelude_generate {} {} seed {}", to_string(options.kind), to_string(options.split), options.seed)}}},
        {"images", std::move(images)},
        {"categories", std::move(list)},
        {"annotations", std::move(annotations)}};
    std::ofstream file(options.out / "instances.json", std::ios::binary | std::ios::trunc);
    file << document.dump() << '\n';
    file.close();
    if (!file) throw DataError(fmt::format("{}: cannot be written", (options.out / "instances.json").string()));
}

}  // namespace

int main(int argc, char** argv) {
    const auto options = parse(argc, argv);
    if (!options) {
        std::fputs(kUsage, stderr);
        return 2;
    }
    try {
        run(*options);
    } catch (const std::exception& problem) {
        fmt::print(stderr, "prelude_generate: {}\n", problem.what());
        return 3;
    }
    return 0;
}
