// SPDX-License-Identifier: Apache-2.0
// explore sensitivity: rankings and allocations of a small model, and what is refused.
#include <catch2/catch.hpp>

#include <csignal>
#include <map>
#include <sstream>

#include "tests/paths.hpp"
#include "tests/support/csv_rows.hpp"
#include "tests/support/program.hpp"
#include "tests/support/tiny_configuration.hpp"

using namespace prelude::testing;
using Catch::Contains;

namespace {

constexpr const char* kHardware = "hw: {device: zcu102, pe: {size: given, rows: 8, cols: 16, depth: 8}}\n";

std::string configuration(const TemporaryFolder& folder, const std::string& quant = "quant: {weight_bits: 4, activation_bits: 4, calibration: {num_images: 2}}\n",
                          const std::string& rest = kHardware) {
    const auto file = folder / "tiny.yaml";
    write_file(file, tiny_model() + "data: {num_images: 2, prompts_per_image: 1}\n" + quant + rest);
    return file.string();
}

Ended sensitivity(const std::string& config, const std::filesystem::path& out, std::vector<std::string> more = {}) {
    std::vector<std::string> arguments{EXPLORE, "sensitivity", "--config", config, "--out", out.string(), "--quiet", "--images", "1"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run(arguments);
}

}  // namespace

TEST_CASE("The ranking falls, holds layers at their floors, and does not depend on the number of jobs", "[long]") {
    const TemporaryFolder folder;
    const auto config = configuration(folder);
    const auto ranked = [&](const char* out, const char* jobs) { return sensitivity(config, folder / out, {"--jobs", jobs, "--layers", "encoder.block0.*,encoder.neck.conv2"}); };
    const auto one = ranked("one", "1"), two = ranked("two", "2");
    INFO(one.out << one.err);
    REQUIRE(one.code == 0);
    REQUIRE(two.code == 0);
    CHECK(read_file(folder / "one/sensitivity.csv") == read_file(folder / "two/sensitivity.csv"));
    CHECK(one.out.substr(0, one.out.rfind("held at")) == two.out.substr(0, two.out.rfind("held at")));
    CHECK_THAT(one.out, Contains("W4A4: error of the mask logits") && Contains("encoder.block0.qkv") && Contains("by quant.edge_bits"));
    const auto rows = csv_rows(folder / "one/sensitivity.csv");
    double last = 1e300;
    std::size_t unranked = 0;
    for (const auto& row : rows) {
        CAPTURE(row.at("layer"));
        if (row.at("rank").empty()) {
            ++unranked;
            CHECK((row.at("both_damage").empty() && row.at("weight_damage").empty() && row.at("activation_damage").empty()));
            continue;
        }
        CHECK((row.at("layer").starts_with("encoder.block0.") || row.at("layer") == "encoder.neck.conv2"));
        const double damage = std::stod(row.at("both_damage"));
        CHECK(damage <= last);
        last = damage;
    }
    CHECK(rows.size() > 40);
    CHECK(rows.size() - unranked > 5);
}

TEST_CASE("An allocation keeps its budget, and its configuration alone gives the same row", "[long]") {
    const TemporaryFolder folder;
    const auto config = configuration(folder);
    const auto out = folder / "out";
    const auto ended = sensitivity(config, out, {"--budget", "weight_bits=4", "--widths", "3,4,6", "--layers", "encoder.block0.*,encoder.neck.*"});
    INFO(ended.out << ended.err);
    REQUIRE(ended.code == 0);
    CHECK_THAT(ended.out, Contains("uniform W4") && Contains("allocated") && Contains("predicted"));
    double uniform = 0, allocated = 0;
    for (const auto& row : csv_rows(out / "allocation.csv")) {
        if (row.at("operand") != "weights" || (row.at("bits") != row.at("allocated"))) continue;
        uniform += std::stod(row.at("weights")) * std::stod(row.at("uniform"));
        allocated += std::stod(row.at("weights")) * std::stod(row.at("allocated"));
    }
    CHECK(allocated > 0);
    CHECK(allocated <= uniform);
    const auto again = run({EXPLORE, "--config", (out / "allocated.yaml").string(), "--out", (folder / "again").string(), "--quiet"});
    INFO(again.out << again.err);
    REQUIRE(again.code == 0);
    const auto row = csv_rows(folder / "again/results.csv").at(0);
    // The store of the command holds both points: the report command writes them out.
    REQUIRE(run({EXPLORE, "report", out.string()}).code == 0);
    const auto evaluated = csv_rows(out / "results.csv").at(1);
    for (const auto* column : {"miou", "sqnr_db", "cycles", "energy_mj", "lut", "bits_checked", "numeric_hash", "hardware_hash"}) {
        CAPTURE(column);
        CHECK(row.at(column) == evaluated.at(column));
    }
    // The list alone, pasted, gives the same bits.
    const auto pasted = folder / "pasted.yaml";
    auto list = read_file(out / "quant_layers.yaml");
    list.replace(list.find("quant:\n"), 7, "quant:\n  weight_bits: 4\n  activation_bits: 4\n  calibration: {num_images: 2}\n");
    write_file(pasted, tiny_model() + "data: {num_images: 2, prompts_per_image: 1}\n" + list + kHardware);
    const auto third = run({EXPLORE, "--config", pasted.string(), "--out", (folder / "third").string(), "--quiet"});
    INFO(third.err);
    REQUIRE(third.code == 0);
    CHECK(csv_rows(folder / "third/results.csv").at(0).at("numeric_hash") == row.at("numeric_hash"));
}

TEST_CASE("A latency budget is kept by the network as a whole, not only by the sum of its parts", "[long]") {
    const TemporaryFolder folder;
    const auto config = configuration(folder);
    const auto out = folder / "out";
    // The configured point is at 4 bits, where this array is fastest: a little more time buys wider layers.
    const auto ended = sensitivity(config, out, {"--budget", "latency=1.02x", "--widths", "4,8", "--layers", "encoder.block0.*"});
    INFO(ended.out << ended.err);
    REQUIRE(ended.code == 0);
    REQUIRE(run({EXPLORE, "report", out.string()}).code == 0);
    const auto configured = run({EXPLORE, "--config", config, "--out", (folder / "configured").string(), "--quiet"});
    REQUIRE(configured.code == 0);
    const double cycles = std::stod(csv_rows(folder / "configured/results.csv").at(0).at("cycles")), allocated = std::stod(csv_rows(out / "results.csv").at(1).at("cycles"));
    CHECK(allocated <= 1.02 * cycles);
}

TEST_CASE("Budgets out of reach and datapaths without reward are refused with what is possible", "[long]") {
    const TemporaryFolder folder;
    const auto config = configuration(folder);
    const auto small = sensitivity(config, folder / "out", {"--budget", "weight_bits=1.5"});
    CHECK(small.code == 3);
    CHECK_THAT(small.err, Contains("--budget: got weight_bits=1.5, which is") && Contains("bytes or more, with widths 2,3,4,5,6,7,8") && Contains("quant.edge_bits"));
    const auto fast = sensitivity(config, folder / "out", {"--budget", "latency=1000", "--widths", "4,8"});
    CHECK(fast.code == 3);
    CHECK_THAT(fast.err, Contains("--budget: got latency=1000, which is 1000 cycles") && Contains("cycles (") && Contains("or more, with widths 4,8"));
    const auto rigid = sensitivity(configuration(folder, "quant: {weight_bits: 4, activation_bits: 4}\n", "hw: {device: kv260, pe: {size: given, rows: 4, cols: 4, depth: 4, precision: fixed}}\n"),
                                   folder / "out", {"--budget", "latency=1ms", "--widths", "4,8"});
    INFO(rigid.err);
    CHECK(rigid.code == 3);
    const auto crowded = sensitivity(configuration(folder, "quant: {weight_bits: 4, activation_bits: 4}\n", "hw: {device: kv260, clock_mhz: 246, pe: {size: given, rows: 8, cols: 8, depth: 8, precision: fixed}}\n"),
                                     folder / "out", {"--budget", "latency=1ms", "--widths", "4,8"});
    CHECK(crowded.code == 3);
    CHECK_THAT(crowded.err, Contains("--widths: got 4,8, but W") && Contains("is infeasible on this array: clock 246 MHz is above") && Contains("widths that all fit the device"));
    CHECK_THAT(rigid.err, Contains("the network takes") && Contains("hw.pe.precision packed") && Contains("nothing to gain here by widths"));
}

TEST_CASE("Sensitivity refuses networks without integers or weights, and texts it cannot read") {
    const TemporaryFolder folder;
    const auto refused = [&](const std::string& quant, std::vector<std::string> more) { return sensitivity(configuration(folder, quant), folder / "out", std::move(more)); };
    const auto floats = refused("quant: {datatype: fp32}\n", {});
    CHECK(floats.code == 3);
    CHECK_THAT(floats.err, Contains("quant.datatype: a design point without integers"));
    CHECK(refused("quant: {mode: compat, method: ahcptq}\n", {}).code == 3);
    const auto shapes = refused("", {"--set", "model.checkpoint=none", "--set", "model.preset=sam_nano", "--set", "model.config.decoder_heads=auto"});
    CHECK(shapes.code == 3);
    CHECK_THAT(shapes.err, Contains("model.checkpoint: no weights for sam_nano"));
    const auto budget = refused("", {"--budget", "energy=3"});
    CHECK(budget.code == 3);
    CHECK_THAT(budget.err, Contains("--budget: got energy=3") && Contains("weight_bits=4.0") && Contains("latency=0.9x"));
    for (const auto* layers : {"encoder.block9.*", "encoder.*,", ",", "encoder"}) {
        CAPTURE(layers);
        const auto ended = refused("", {"--layers", layers});
        CHECK(ended.code == 3);
        CHECK_THAT(ended.err, Contains(std::string("--layers: got ") + layers) && Contains("patterns that layers match"));
    }
    for (const auto* widths : {"1,4", "4,4", "4;8", "9", "4,"}) {
        CAPTURE(widths);
        const auto ended = refused("", {"--budget", "weight_bits=4", "--widths", widths});
        CHECK(ended.code == 3);
        CHECK_THAT(ended.err, Contains("--widths: got ") && Contains("joined by commas"));
    }
    CHECK(run({EXPLORE, "sensitivity"}).code == 2);
}

TEST_CASE("Ctrl-C ends a study with 130, and the same command goes on from there", "[long]") {
    const TemporaryFolder folder;
    const auto config = configuration(folder);
    const auto out = folder / "out";
    const std::vector<std::string> command{EXPLORE, "sensitivity", "--config", config, "--out", out.string(), "--images", "1", "--jobs", "1", "--miou", "--layers", "encoder.block1.*"};
    Running running(command);
    REQUIRE(eventually([&] { return std::filesystem::exists(out / "study/results.db"); }));
    running.send(SIGINT);
    const auto ended = running.wait();
    INFO(ended.err);
    CHECK(ended.code == 130);
    CHECK_THAT(ended.err, Contains("the same command resumes"));
    CHECK_FALSE(std::filesystem::exists(out / "sensitivity.csv"));
    const auto again = run(command);
    INFO(again.err);
    REQUIRE(again.code == 0);
    CHECK_THAT(again.out, Contains("mean IoU "));
    for (const auto& row : csv_rows(out / "sensitivity.csv")) CHECK(row.at("miou").empty() == row.at("rank").empty());
}
