// SPDX-License-Identifier: Apache-2.0
// Energy and power of a row: their parts, the toggles they follow, the assumed figures they stand on.
#include <catch2/catch.hpp>

#include <deque>

#include "experiments/evaluate/tasks.hpp"
#include "tests/paths.hpp"
#include "tests/support/program.hpp"
#include "tests/support/tiny_configuration.hpp"

using namespace prelude;
using namespace prelude::experiments;

namespace {

constexpr auto kLibrary = PRELUDE_SOURCE_DIR "/arch_configs";

double number(const Row& row, std::string_view column) { return std::stod(row.cells.at(std::string(column))); }

std::size_t layer_column(std::string_view name) { return static_cast<std::size_t>(std::ranges::find(layer_columns(), name) - layer_columns().begin()); }

TaskResults run_all(const Grid& grid, const std::filesystem::path& cache) {
    TaskResults results;
    for (const auto& task : tasks_of(grid, 0)) results[task.key] = {.ok = true, .reason = {}, .value = run_task(task, grid, cache)};
    return results;
}

const Task& task_of(const std::vector<Task>& tasks, TaskKind kind) { return *std::ranges::find(tasks, kind, &Task::kind); }

}  // namespace

TEST_CASE("Energies of the layers, standing power and the background of the memory add up to the row's energy") {
    const testing::TemporaryFolder folder;
    const auto configuration = read_configuration(PRELUDE_SOURCE_DIR "/arch_configs/quickstart.yaml", {"model.checkpoint=none"}, kLibrary);
    const Grid grid(configuration);
    const auto row = make_row(grid, 0, run_all(grid, folder.path()));
    const auto seconds = number(row, "latency_ms") * 1e-3;
    const auto settings = grid.combination(0).settings;
    const auto background = grid.configuration().costs.at(settings.cost_table).at("power.dram_background_w", settings.hw.device.dram_kind).value * settings.hw.dram_channels();
    double layers = 0;
    for (const auto& layer : row.layers) {
        const auto energy = std::stod(layer[layer_column("energy_mj")]);
        layers += energy * std::stod(layer[layer_column("repeats")]);
        double parts = 0;
        for (const auto* unit : {"array_mj", "post_mj", "vector_mj", "buffers_mj", "infrastructure_mj", "clock_mj", "dram_mj"}) parts += std::stod(layer[layer_column(unit)]);
        CHECK(parts == Approx(energy).epsilon(1e-12));
    }
    REQUIRE(layers > 0);
    CHECK(number(row, "energy_mj") == Approx(1e3 * seconds * (number(row, "power_w") + number(row, "dram_power_w"))).epsilon(1e-12));
    CHECK(layers == Approx(1e3 * seconds * (number(row, "dynamic_w") + number(row, "dram_power_w") - background)).epsilon(1e-12));
    CHECK(number(row, "power_w") == Approx(number(row, "static_w") + number(row, "dynamic_w") + settings.hw.device.processing_system_w.value).epsilon(1e-12));
}

TEST_CASE("Measured toggles are of the point's own design and price it, in proportion") {
    const testing::TemporaryFolder folder;
    testing::write_file(folder / "c.yaml", testing::tiny_model() + "data: {num_images: 1}\nquant: {calibration: {num_images: 1}}\nhw: {device: zcu102}\n");
    std::deque<Configuration> configurations;  // grids refer to theirs
    const auto grid_of = [&](std::vector<std::string> sets) { return Grid(configurations.emplace_back(read_configuration(folder / "c.yaml", sets, kLibrary))); };
    const auto assumed = grid_of({}), measured = grid_of({"sweep.toggles=measured"}), shallow = grid_of({"sweep.toggles=measured", "hw.pe.depth=4"}), elsewhere = grid_of({"hw.pe.depth=4"});
    const auto check_key = [](const Grid& grid) { return task_of(tasks_of(grid, 0), TaskKind::bit_check).key; };
    CHECK(check_key(assumed) == check_key(elsewhere));
    CHECK(check_key(measured) != check_key(assumed));
    CHECK(check_key(measured) != check_key(shallow));

    auto results = run_all(measured, folder.path());
    const auto row = make_row(measured, 0, results);
    INFO(row.cells.at("reason"));
    CHECK(row.cells.at("toggle_source") == "measured");
    const auto other = make_row(assumed, 0, run_all(assumed, folder.path()));
    CHECK(other.cells.at("toggle_source") == "assumed");
    CHECK(number(row, "dynamic_w") != number(other, "dynamic_w"));
    CHECK(number(row, "cycles") == number(other, "cycles"));
    CHECK(number(row, "static_w") == number(other, "static_w"));

    auto& check = results.at(check_key(measured)).value;
    const auto original = check.at("toggles");
    REQUIRE(original.size() > 20);
    const auto energy_of = [&](int times) {
        auto counts = original;
        for (auto& [name, values] : counts.items()) values[0] = values[0].get<std::int64_t>() * times, values[2] = values[2].get<std::int64_t>() * times;
        check["toggles"] = counts;
        return number(make_row(measured, 0, results), "energy_mj");
    };
    const auto none = energy_of(0), once = energy_of(1), twice = energy_of(2);
    CHECK(once == number(row, "energy_mj"));
    CHECK(once > none);
    CHECK(twice - once == Approx(once - none).epsilon(1e-9));
}

TEST_CASE("Measured toggles of a network without weights are refused, as one source is for the whole sweep") {
    CHECK_THROWS_WITH(read_configuration(PRELUDE_SOURCE_DIR "/arch_configs/quickstart.yaml", {"model.checkpoint=none", "sweep.toggles=measured"}, kLibrary),
                      Catch::Contains("sweep.toggles: measured with model.checkpoint none"));
    const testing::TemporaryFolder folder;
    testing::write_file(folder / "c.yaml", "model: {preset: sam_vit_b}\nsweep: {toggles: measured}\nworkload: {parts: decoder}\n");
    const auto configuration = read_configuration(folder / "c.yaml", {}, kLibrary);
    const Grid grid(configuration);
    const auto row = make_row(grid, 0, run_all(grid, folder.path()));
    CHECK(row.cells.at("status") == "failed");
    CHECK_THAT(row.cells.at("reason"), Catch::Contains("sweep.toggles measured: needs weights"));
}

TEST_CASE("A row names the assumed figures behind its power, all of them and no others") {
    const testing::TemporaryFolder folder;
    auto configuration = read_configuration(PRELUDE_SOURCE_DIR "/arch_configs/quickstart.yaml", {"model.checkpoint=none"}, kLibrary);
    const Grid grid(configuration);
    const auto names = make_row(grid, 0, run_all(grid, folder.path())).assumed.at("power_status");
    REQUIRE(names.size() > 3);
    // What is named becomes published, all but one.
    const auto grounds = [&](const std::string& spared) {
        auto changed = configuration;
        const auto publish = [&](sim::Figure& figure) {
            if (std::ranges::find(names, figure.name) != names.end() && figure.name != spared) figure.status = sim::Provenance::published;
        };
        for (auto& [table, costs] : changed.costs)
            for (auto& [term, figure] : costs.terms) publish(figure);
        for (auto& [name, device] : changed.devices)
            for (auto* figure : {&device.fmax_mhz, &device.static_w, &device.processing_system_w, &device.dram_gb_per_s}) publish(*figure);
        const Grid published(changed);
        const auto row = make_row(published, 0, run_all(published, folder.path()));
        return std::pair(row.cells.at("power_status"), row.assumed.at("power_status"));
    };
    CHECK(grounds("") == std::pair(std::string("published"), std::vector<std::string>{}));
    for (const auto& name : names) CHECK(grounds(name) == std::pair(std::string("assumed"), std::vector{name}));
}
