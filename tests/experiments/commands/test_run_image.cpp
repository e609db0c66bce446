// SPDX-License-Identifier: Apache-2.0
#include "experiments/commands/run_image.hpp"

#include "models/error.hpp"
#include "models/metrics.hpp"
#include "tests/support/program.hpp"
#include "tests/support/tiny_configuration.hpp"
#include "tests/paths.hpp"

#include <catch2/catch.hpp>

#include <cmath>

using namespace prelude;
using namespace prelude::experiments;
using Catch::Contains;
namespace fs = std::filesystem;

namespace {

constexpr int kSide = 96;

/// A bright disc on a shaded ground.
models::Image disc() {
    models::Image picture{.width = kSide, .height = kSide, .rgb = {}};
    for (int y = 0; y < kSide; ++y)
        for (int x = 0; x < kSide; ++x) {
            const bool inside = (x - 35) * (x - 35) + (y - 40) * (y - 40) < 25 * 25;
            for (int c = 0; c < 3; ++c) picture.rgb.push_back(static_cast<std::uint8_t>(inside ? 220 - 20 * c : 30 + x / 2 + 10 * c));
        }
    return picture;
}

/// An evaluation whose hardware is known without a simulation.
TaskSet without_simulation() {
    return {.tasks_of = [](const Grid&, std::int64_t index) { return std::vector<Task>{{TaskKind::ranges, std::string(64, 'a'), index, {}}, {TaskKind::timing, std::string(64, 'b'), index, {}}}; },
            .run_task = [](const Task&, const Grid&, const fs::path&, const models::ReportProgress&) { return nlohmann::json{{"ms", 3}}; },
            .make_row =
                [](const Grid&, std::int64_t index, const TaskResults& results) {
                    Row row{.point = index, .cells = {{"cycles", "600"}, {"latency_status", "assumed"}}, .layers = {}};
                    for (const auto& [key, result] : results)
                        if (result.ok) row.cells["latency_ms"] = result.value.at("ms").dump();
                    return row;
                },
            .layer_columns = {}};
}

struct Setting {
    testing::TemporaryFolder folder;
    Configuration configuration;
    Grid grid;
    RunCommand command;

    explicit Setting(const std::string& text = {})
        : configuration(read_configuration_text(testing::tiny_model() + "data: {kind: scene, prompts_per_image: 2}\nquant: {calibration: {num_images: 2}" + text + "}\n", "f.yaml", {},
                                                PRELUDE_SOURCE_DIR "/arch_configs")),
          grid(configuration) {
        command.image = folder / "picture.png";
        models::write_png(command.image, disc());
        command.boxes = {{10, 12, 60, 70}};
    }
    [[nodiscard]] RunOutcome run(const fs::path& cache = {}) const { return run_on_image(command, grid, without_simulation(), cache); }
};

}  // namespace

TEST_CASE("A picture is masked by the integers and by FP32, prompt by prompt") {
    Setting setting;
    setting.command.points = {{40, 40}};
    const auto outcome = setting.run(setting.folder / "cache");
    REQUIRE(outcome.prompts.size() == 2);
    CHECK(outcome.prompts[0].prompt == "box 10,12,60,70");
    CHECK(outcome.prompts[1].prompt == "point 40,40");
    for (const auto& prompt : outcome.prompts) {
        CHECK(prompt.reference.width == kSide);
        CHECK(prompt.quantized.height == kSide);
        CHECK(prompt.agreement == models::intersection_over_union(prompt.quantized, prompt.reference));
        CHECK(prompt.agreement > 0.5);
        CHECK(prompt.sqnr_db > 10);
    }
    CHECK(outcome.latency == "3 ms, 600 cycles (assumed)");
}

TEST_CASE("Calibrated ranges are kept, used again, and made anew when the file is broken") {
    const Setting setting;
    const auto cache = setting.folder / "cache", file = ranges_file(cache, std::string(64, 'a'));
    const auto first = setting.run(cache);
    REQUIRE(fs::exists(file));
    const auto bytes = testing::read_file(file);
    const auto second = setting.run(cache);
    CHECK(second.prompts[0].quantized == first.prompts[0].quantized);
    testing::write_file(file, bytes.substr(0, bytes.size() / 2));
    const auto third = setting.run(cache);
    CHECK(third.prompts[0].quantized == first.prompts[0].quantized);
    CHECK(testing::read_file(file) == bytes);
    CHECK(setting.run().prompts[0].quantized == first.prompts[0].quantized);
}

TEST_CASE("A point in floating point gives the mask of the datapath's own sums, next to that of the FP32 model") {
    for (const auto* datatype : {", datatype: fp32", ", datatype: fp16"}) {
        const Setting setting(datatype);
        const auto outcome = setting.run();
        CHECK(outcome.is_floating);
        CHECK(outcome.prompts[0].agreement > 0.98);
        CHECK(outcome.prompts[0].sqnr_db > (std::string(datatype) == ", datatype: fp32" ? 90 : 35));
        CHECK(outcome.calibration_s == 0);
    }
}

TEST_CASE("A point of mode compat gives the fake-quantized mask and no latency") {
    const Setting setting(", mode: compat, weight_bits: 4, activation_bits: 8");
    const auto outcome = setting.run();
    CHECK_FALSE(outcome.is_floating);
    const auto& prompt = outcome.prompts[0];
    CHECK(prompt.agreement == models::intersection_over_union(prompt.quantized, prompt.reference));
    CHECK((prompt.sqnr_db > 0 && prompt.sqnr_db < 40));
    CHECK(outcome.latency == "none: compat is fake quantization in float");
}

TEST_CASE("Prompts that miss the picture are refused, all of them at once") {
    Setting setting;
    setting.command.boxes = {{-1, 0, 5, 5}, {5, 5, 5, 9}, {0, 0, 96, 96}, {0, 0, 97, 5}, {std::nan(""), 0, 5, 5}};
    setting.command.points = {{96, 5}, {5, -0.5}, {95.5, 0}};
    try {
        (void)setting.run();
        FAIL("accepted");
    } catch (const models::DataError& error) {
        const std::string text = error.what();
        CHECK_THAT(text, Contains("box -1,0,5,5: allowed x0 < x1 and y0 < y1 inside the picture; the picture has 96 x 96 pixels"));
        CHECK_THAT(text, Contains("point 96,5: allowed a position inside the picture"));
        CHECK_THAT(text, Contains("6 problems in 1 file; nothing was run."));
        CHECK_THAT(text, !Contains("box 0,0,96,96"));
    }
}

TEST_CASE("Without weights or without a picture nothing is run") {
    Setting setting;
    setting.command.image = setting.folder / "nowhere.png";
    CHECK_THROWS_WITH(setting.run(), Contains("nowhere.png: cannot be read"));
    const auto shapes = read_configuration_text("model: {checkpoint: none}\n", "f.yaml", {}, PRELUDE_SOURCE_DIR "/arch_configs");
    const Grid grid(shapes);
    CHECK_THROWS_WITH(run_on_image(setting.command, grid, without_simulation(), {}), Contains("f.yaml:1:21: model.checkpoint: no weights for sam_nano: a mask needs them"));
}

TEST_CASE("explore run writes mask and overlay, and what it refuses is exit code 3 with nothing written") {
    const Setting setting;
    testing::write_file(setting.folder / "tiny.yaml", testing::tiny_model() + "data: {kind: scene}\nquant: {calibration: {num_images: 1}}\n");
    const auto run = [&](std::vector<std::string> more) {
        std::vector<std::string> arguments{FAKE_EXPLORE, "run", "--config", (setting.folder / "tiny.yaml").string(), "--out", (setting.folder / "out").string()};
        arguments.insert(arguments.end(), more.begin(), more.end());
        return testing::run(arguments);
    };
    const auto picture = setting.command.image.string();
    for (const auto& refused : {run({"--image", picture, "--box", "0,0,500,5"}), run({"--image", (setting.folder / "tiny.yaml").string(), "--point", "1,1"}),
                                run({"--image", picture, "--point", "1,1", "--set", "model.checkpoint=none"})}) {
        CHECK(refused.code == 3);
        CHECK_FALSE(refused.err.empty());
        CHECK_FALSE(fs::exists(setting.folder / "out"));
    }
    const auto one = run({"--image", picture, "--box", "10,12,60,70"});
    INFO(one.err);
    REQUIRE(one.code == 0);
    CHECK_THAT(one.out, Contains("IoU to FP32") && Contains("latency") && Contains("mask.png"));
    CHECK(models::image_sides(setting.folder / "out/mask.png").width == kSide);
    CHECK(models::image_sides(setting.folder / "out/overlay.png").width == 2 * kSide + 4);
    CHECK(run({"--image", picture, "--box", "10,12,60,70", "--point", "40,40", "--point", "20,20"}).code == 0);
    CHECK(fs::exists(setting.folder / "out/mask-3.png"));
}
