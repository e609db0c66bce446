// SPDX-License-Identifier: Apache-2.0
// Cost terms fitted to builds whose true prices are known: made from the counts of real designs, with noise of a fixed seed.
#include <fmt/format.h>

#include <catch2/catch.hpp>

#include "experiments/config/library.hpp"
#include "experiments/hls/cost_fit.hpp"
#include "models/error.hpp"
#include "tests/support/adversarial.hpp"
#include "tests/support/hls_designs.hpp"
#include "tests/support/program.hpp"

using namespace prelude;
using namespace prelude::experiments;
using Catch::Contains;
using prelude::testing::HlsDesign;
using prelude::testing::kMlpNodes;
namespace fs = std::filesystem;

namespace {

struct Sample {
    std::string name;
    Expected expected;
};

/// Designs of two parts on small arrays; the last is larger than all others.
const std::vector<Sample>& samples() {
    static const std::vector<Sample> kSamples = [] {
        std::vector<Sample> all;
        const std::vector<std::string> attention{"encoder.block0.qk", "encoder.block0.rel_pos", "encoder.block0.softmax",
                                                 "encoder.block0.pv"};
        int lanes = 4;
        for (const auto& [rows, cols, depth] :
             {std::tuple{2, 4, 2}, {2, 4, 8}, {4, 4, 4}, {4, 8, 2}, {4, 8, 8}, {8, 8, 4}, {2, 8, 16}, {8, 16, 8}}) {
            for (const auto* multiplier : {"lut", "dsp"}) {
                const HlsDesign design({fmt::format("hw.pe.rows={}", rows), fmt::format("hw.pe.cols={}", cols),
                                        fmt::format("hw.pe.depth={}", depth), fmt::format("hw.pe.multiplier={}", multiplier),
                                        fmt::format("hw.layernorm.lanes={}", lanes), fmt::format("hw.softmax.lanes={}", lanes),
                                        fmt::format("hw.gelu.lanes={}", lanes)});
                const auto name = fmt::format("{}{}x{}x{}", multiplier, rows, cols, depth);
                all.push_back({name, design.expect(all.size() % 3 == 2 ? attention : kMlpNodes, name)});
                lanes = lanes == 16 ? 4 : 2 * lanes;
            }
        }
        return all;
    }();
    return kSamples;
}

const sim::CostTable& default_costs() {
    static const HlsDesign design({"hw.pe.rows=2", "hw.pe.cols=4", "hw.pe.depth=2"});
    return design.costs();
}

/// A table whose prices are somewhere in the bands of the default one.
sim::CostTable true_costs(std::uint64_t seed) {
    auto costs = default_costs();
    tests::Random random(seed);
    for (auto& [name, figure] : costs.terms) figure.value = figure.low + (figure.high - figure.low) * random.real();
    return costs;
}

enum class Reported { all, csynth, placed };

/// What tools would report of a design with these prices.
Build build_of(const Sample& sample, const sim::CostTable& truth, double noise, tests::Random& random, Reported reported = Reported::all) {
    const auto noisy = [&](double value) { return static_cast<std::int64_t>(std::llround(value * (1 + noise * random.normal()))); };
    const auto placed = repriced(sample.expected, truth);
    ToolReport csynth{.kind = ReportKind::csynth}, utilization{.kind = ReportKind::utilization, .status = "placed"},
        power{.kind = ReportKind::power};
    csynth.used.lut = noisy(placed.lut * truth.at("csynth.lut").value);
    csynth.used.ff = noisy(placed.ff * truth.at("csynth.ff").value);
    utilization.used.lut = noisy(placed.lut);
    utilization.used.ff = noisy(placed.ff);
    power.dynamic_w = placed.dynamic_w * (1 + noise * random.normal());
    Build build{.name = sample.name, .expected = sample.expected, .reports = {}};
    if (reported != Reported::placed) build.reports.push_back({"csynth.rpt", csynth});
    if (reported != Reported::csynth) build.reports.push_back({"utilization.rpt", utilization});
    if (reported == Reported::all) build.reports.push_back({"power.rpt", power});
    return build;
}

std::vector<Build> builds_of(std::size_t count, const sim::CostTable& truth, double noise, std::uint64_t seed,
                             Reported reported = Reported::all) {
    tests::Random random(seed);
    std::vector<Build> builds;
    for (std::size_t i = 0; i < count; ++i) builds.push_back(build_of(samples()[i], truth, noise, random, reported));
    return builds;
}

const ResourceFit& resource(const CostFit& fit, std::string_view name) {
    return *std::ranges::find(fit.resources, name, &ResourceFit::resource);
}

std::string utilization_text(std::int64_t lut, std::int64_t ff, const std::string& part = "xczu9eg-ffvb1156-2-e") {
    auto text = testing::read_file(PRELUDE_SOURCE_DIR "/tests/data/reports/top_utilization_placed.rpt");
    for (const auto& [from, to] : {std::pair{std::string("1320"), std::to_string(lut)},
                                   {std::string("2104"), std::to_string(ff)},
                                   {std::string("xczu9eg-ffvb1156-2-e"), part}}) {
        const auto at = text.find(from);
        REQUIRE(at != std::string::npos);
        text.replace(at, from.size(), to);
    }
    return text;
}

/// DIR/NAME/{expected.json, utilization.rpt} of the first `count` samples.
void write_builds(const fs::path& folder, std::size_t count, const sim::CostTable& truth) {
    for (std::size_t i = 0; i < count; ++i) {
        const auto& sample = samples()[i];
        const auto placed = repriced(sample.expected, truth);
        fs::create_directories(folder / sample.name);
        testing::write_file(folder / sample.name / "expected.json", to_json(sample.expected).dump(1));
        testing::write_file(folder / sample.name / "utilization.rpt", utilization_text(std::llround(placed.lut), std::llround(placed.ff)));
    }
}

testing::Ended calibrate(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {EXPLORE, "calibrate-costs"});
    return testing::run(arguments);
}

}  // namespace

TEST_CASE("Fits of builds predict designs they have not seen better than the table did") {
    for (const std::uint64_t seed : {1, 2, 3}) {
        INFO(seed);
        const auto truth = true_costs(seed);
        auto builds = builds_of(16, truth, 0.02, seed + 100);
        const std::array unseen{builds[3].expected, builds[10].expected};
        builds.erase(builds.begin() + 10);
        builds.erase(builds.begin() + 3);
        const auto fit = fit_costs(builds, default_costs());
        CHECK(fit.family == "ultrascale_plus");
        CHECK(fit.builds.size() == 14);
        for (const auto* name : {"lut", "ff", "dynamic_w"}) {
            INFO(name);
            const auto& of = resource(fit, name);
            INFO(of.before.mean_pct << " " << of.left_out.mean_pct << " " << of.not_fitted);
            CHECK(of.not_fitted.empty());
            CHECK(of.left_out.mean_pct < of.before.mean_pct);
            CHECK(of.left_out.mean_pct < 6);
            CHECK(of.num_reports == (std::string_view(name) == "dynamic_w" ? 14U : 28U));
        }
        for (const auto& design : unseen) {
            const auto wanted = repriced(design, truth), after = repriced(design, fit.table);
            CHECK(after.lut == Approx(wanted.lut).epsilon(0.04));
            CHECK(after.ff == Approx(wanted.ff).epsilon(0.04));
            CHECK(after.dynamic_w == Approx(wanted.dynamic_w).epsilon(0.04));
        }
    }
}

TEST_CASE("Without noise a fit finds the placed figures of its builds and the factor between csynth and placement") {
    const auto truth = true_costs(5);
    const auto fit = fit_costs(builds_of(16, truth, 0, 1), default_costs());
    CHECK(resource(fit, "lut").left_out.mean_pct < 0.2 * resource(fit, "lut").before.mean_pct);
    CHECK(fit.table.at("csynth.lut").value == Approx(truth.at("csynth.lut").value).epsilon(0.02));
    CHECK(fit.table.at("csynth.ff").value == Approx(truth.at("csynth.ff").value).epsilon(0.02));
}

TEST_CASE("Fitted terms say so, with reports, error and band, others keep value and status and are named") {
    const auto fit = fit_costs(builds_of(14, true_costs(1), 0.02, 9), default_costs());
    const auto& lut = resource(fit, "lut");
    REQUIRE(lut.terms.size() > 5);
    std::set<std::string> named;
    for (const auto& term : lut.terms) {
        INFO(term.term);
        named.insert(term.term);
        const auto& figure = fit.table.at(term.term);
        CHECK(figure == term.after);
        CHECK(figure.status == sim::Provenance::calibrated);
        CHECK(figure.unit == default_costs().at(term.term).unit);
        CHECK(figure.source == fmt::format("28 reports of 14 designs, leave-one-out {:.1f} %", lut.left_out.mean_pct));
        CHECK(figure.low <= figure.value);
        CHECK(figure.value <= figure.high);
        CHECK(figure.low < figure.high);
        CHECK(figure.value >= 0);
    }
    CHECK(named.count("control.lut") == 1);  // assumed before, and in every design
    for (const auto& kept : lut.kept) {
        INFO(kept.term);
        CHECK(named.insert(kept.term).second);
        CHECK(fit.table.at(kept.term) == default_costs().at(kept.term));
        CHECK_FALSE(kept.reason.empty());
    }
    for (const auto& term : sim::cost_terms())
        if (term.unit == "LUT" || term.unit.starts_with("LUT/")) CHECK(named.count(std::string(term.name)) == 1);
    CHECK(named.count("float.add_lut") == 1);
    CHECK(fit.table.at("float.add_lut") == default_costs().at("float.add_lut"));
    CHECK(fit.table.at("energy.lut_pj.versal") == default_costs().at("energy.lut_pj.versal"));
    CHECK(fit.table.at("energy.lut_pj.ultrascale_plus").status == sim::Provenance::calibrated);
}

TEST_CASE("Fewer than three designs calibrate nothing, and neither do reports that the table already predicts") {
    const auto two = fit_costs(builds_of(2, true_costs(1), 0, 1), default_costs());
    CHECK_FALSE(two.is_fitted());
    CHECK_THAT(resource(two, "lut").not_fitted, Contains("reports of 2 designs; leaving one out needs 3"));
    CHECK(resource(two, "lut").before.mean_pct > 0);
    CHECK(two.table == default_costs());
    CHECK(fit_costs(builds_of(3, true_costs(1), 0, 1), default_costs()).resources.front().num_reports == 6);
    const auto known = fit_costs(builds_of(6, default_costs(), 0, 1, Reported::placed), default_costs());
    CHECK_THAT(resource(known, "lut").not_fitted, Contains("nothing is gained"));
    CHECK_THAT(resource(known, "dynamic_w").not_fitted, Contains("no report"));
    CHECK(known.table == default_costs());
}

TEST_CASE("Left-out designs are predicted without their own reports") {
    auto builds = builds_of(8, true_costs(6), 0.01, 2, Reported::placed);
    auto& odd = builds[5].reports.front().report.used.lut;  // nothing like the others: who has seen it is nearer to it
    odd = *odd * 3 / 2;
    const auto fit = fit_costs(builds, default_costs());
    const auto& lut = resource(fit, "lut");
    REQUIRE(lut.left_out.worst == builds[5].name);
    const auto measured = static_cast<double>(*odd);
    const auto off = [&](const sim::CostTable& table) {
        return 100 * std::abs(repriced(samples()[5].expected, table).lut - measured) / measured;
    };
    builds.erase(builds.begin() + 5);
    CHECK(off(fit.table) < lut.left_out.worst_pct - 1);
    CHECK(lut.left_out.worst_pct == Approx(off(fit_costs(builds, default_costs()).table)).epsilon(0.1));
}

TEST_CASE("Reports of one stage say nothing of the factors of others") {
    const auto placed = fit_costs(builds_of(10, true_costs(4), 0.01, 1, Reported::placed), default_costs());
    CHECK(placed.table.at("csynth.lut") == default_costs().at("csynth.lut"));
    CHECK(placed.table.at("band.lut").status == sim::Provenance::calibrated);
    const auto csynth = fit_costs(builds_of(10, true_costs(4), 0.01, 1, Reported::csynth), default_costs());
    CHECK(csynth.table.at("csynth.lut") != default_costs().at("csynth.lut"));
    auto builds = builds_of(10, true_costs(4), 0.01, 1, Reported::placed);
    for (auto& build : builds) build.reports.front().report.status = "synthesized";
    const auto synthesized = fit_costs(builds, default_costs());
    CHECK(synthesized.table.at("band.lut") == default_costs().at("band.lut"));
}

TEST_CASE("A design with counts beyond those of the fit is told, term by term") {
    const auto fit = fit_costs(builds_of(14, true_costs(1), 0.01, 1), default_costs());
    for (std::size_t i = 0; i < 14; ++i) {
        INFO(samples()[i].name);
        CHECK(extrapolations(fit, samples()[i].expected).empty());
    }
    const auto& seen = resource(fit, "lut").seen;
    CHECK(seen.at("control.lut").least == 1);
    CHECK(seen.at("layernorm.root_lut").least == 0);         // the first design has one, the third does not
    CHECK(seen.at("softmax.lut_per_adder_bit").least == 0);  // the other way round
    CHECK(seen.at("softmax.lut_per_adder_bit").most > 0);
    const auto outside = extrapolations(fit, samples().back().expected);
    const auto operands = std::ranges::find(outside, "array.operand_ff_per_bit", &Extrapolation::term);
    REQUIRE(operands != outside.end());
    CHECK(operands->count > operands->seen->most);
    CHECK(std::ranges::find(outside, "control.lut", &Extrapolation::term) == outside.end());  // every design has one
    const HlsDesign floating({"hw.pe.rows=4", "hw.pe.cols=8", "hw.pe.depth=4", "quant.datatype=fp16"});
    const auto other = extrapolations(fit, floating.expect(kMlpNodes));
    const auto sums = std::ranges::find(other, "float.add_lut", &Extrapolation::term);
    REQUIRE(sums != other.end());
    CHECK_FALSE(sums->seen.has_value());
}

TEST_CASE("Two reports of a kind that disagree are refused, those that agree count once") {
    auto builds = builds_of(4, true_costs(1), 0, 1, Reported::placed);
    builds[1].reports.push_back(builds[1].reports.front());
    CHECK(resource(fit_costs(builds, default_costs()), "lut").num_reports == 4);
    builds[1].reports.back().file = "other.rpt";
    builds[1].reports.back().report.used.lut = 7;
    CHECK_THROWS_WITH(fit_costs(builds, default_costs()), Contains("other.rpt: lut is 7 here and"));
}

TEST_CASE("A cost table is written as a file that is read back the same") {
    const testing::TemporaryFolder folder;
    auto costs = true_costs(8);
    costs.name = "mine";
    costs.terms.find("control.lut")->second.source = "a \"quoted\" \\ source: {with} # signs";
    testing::write_file(folder / "mine.yaml", to_yaml(costs));
    Problems problems;
    const auto again = read_cost_table(folder / "mine.yaml", problems);
    INFO(problems.text());
    REQUIRE(again.has_value());
    CHECK(*again == costs);
}

TEST_CASE("explore calibrate-costs writes a table that a configuration can name, and nothing else by itself") {
    const testing::TemporaryFolder folder;
    const auto builds = folder / "builds";
    write_builds(builds, 8, true_costs(2));
    testing::write_file(builds / samples()[0].name / "notes.txt", "no report\n");
    fs::create_directories(builds / "empty");
    const auto out = folder / "mine.yaml", check = folder / "check.json";
    testing::write_file(check, to_json(samples().back().expected).dump());

    const auto plain = calibrate({"--reports", builds, "--check", check});
    INFO(plain.err);
    CHECK(plain.code == 0);
    CHECK_THAT(plain.out, Contains("notes.txt") && Contains("empty: no expected.json") && Contains("terms fitted") &&
                              Contains("extrapolated:") && Contains("array.operand_ff_per_bit") &&
                              Contains("no report says anything of it"));
    CHECK_FALSE(fs::exists(out));

    const auto written = calibrate({"--reports", builds, "--out", out, "--json"});
    CHECK(written.code == 0);
    const auto json = nlohmann::json::parse(written.out);
    CHECK(json.at("written").at(0) == out.string());
    CHECK(json.at("groups").at(0).at("designs").size() == 8);
    Problems problems;
    const auto table = read_cost_table(out, problems);
    REQUIRE(table.has_value());
    CHECK(table->name == "mine");
    CHECK(table->at("control.lut").status == sim::Provenance::calibrated);

    const auto before = testing::read_file(out);
    const auto again = calibrate({"--reports", builds, "--out", out});
    CHECK(again.code == 3);
    CHECK_THAT(again.err, Contains("mine.yaml: exists; --overwrite replaces it"));
    CHECK(testing::read_file(out) == before);
    CHECK(calibrate({"--reports", builds, "--out", out, "--overwrite"}).code == 0);

    fs::create_directories(folder / "library" / "costs");
    fs::create_directories(folder / "library" / "devices");
    fs::copy(out, folder / "library" / "costs" / "mine.yaml");
    fs::copy(PRELUDE_SOURCE_DIR "/arch_configs/devices/zcu102.yaml", folder / "library" / "devices" / "zcu102.yaml");
    const auto configuration =
        read_configuration_text("model: {preset: sam_nano, checkpoint: none}\nhw: {costs: mine}\n", "c.yaml", {}, folder / "library");
    CHECK(configuration.costs.at("mine") == *table);
}

TEST_CASE("What calibrate-costs cannot use is refused with its place, and nothing is written") {
    const testing::TemporaryFolder folder;
    const auto builds = folder / "builds";
    write_builds(builds, 2, true_costs(2));
    const auto out = folder / "mine.yaml";
    const auto refused = [&](const std::vector<std::string>& arguments, const std::string& message) {
        const auto ended = calibrate(arguments);
        INFO(message);
        CHECK(ended.code == 3);
        CHECK_THAT(ended.err, Contains(message));
        CHECK(ended.out.empty());
        CHECK_FALSE(fs::exists(out));
    };
    refused({"--reports", builds, "--out", out}, "no resource could be fitted");
    CHECK(calibrate({"--reports", builds}).code == 0);
    CHECK_THAT(calibrate({"--reports", builds}).out, Contains("leaving one out needs 3"));
    refused({"--reports", folder / "nowhere"}, "no such folder");
    refused({"--reports", folder / "builds" / samples()[0].name}, "no folder in it holds an expected.json");
    write_builds(builds, 4, true_costs(2));
    refused({"--reports", builds, "--out", folder / "Mine.yaml"}, "lower-case letters");
    refused({"--reports", builds, "--out", folder / "missing" / "mine.yaml"}, "there is no folder");
    refused({"--reports", builds, "--check", folder / "none.json"}, "none.json: no such file");
    auto other = to_json(samples()[0].expected);
    other["device"]["family"] = "../../evil";
    testing::write_file(builds / samples()[0].name / "expected.json", other.dump());
    testing::write_file(builds / samples()[1].name / "expected.json", "{");
    refused({"--reports", builds, "--out", out}, "device.family: got \"../../evil\"");
    refused({"--reports", builds, "--out", out}, "not JSON");
    other["device"]["family"] = "ultrascale_plus", other["cost_table"] = "../default";
    testing::write_file(builds / samples()[0].name / "expected.json", other.dump());
    testing::write_file(builds / samples()[1].name / "expected.json", to_json(samples()[1].expected).dump());
    refused({"--reports", builds, "--out", out}, "several cost tables");
    CHECK(calibrate({}).code == 2);
}

TEST_CASE("Designs of several families are fitted apart, each to a table of its own") {
    const testing::TemporaryFolder folder;
    const auto builds = folder / "builds";
    write_builds(builds, 4, true_costs(2));
    const auto truth = true_costs(3);
    for (const auto& [rows, depth] : {std::pair{2, 2}, {2, 4}, {4, 2}, {4, 4}}) {
        const HlsDesign design(
            {"hw.device=zc706", fmt::format("hw.pe.rows={}", rows), "hw.pe.cols=4", fmt::format("hw.pe.depth={}", depth)});
        const auto expected = design.expect(kMlpNodes);
        const auto placed = repriced(expected, truth);
        const auto name = fmt::format("old{}x{}", rows, depth);
        fs::create_directories(builds / name);
        testing::write_file(builds / name / "expected.json", to_json(expected).dump());
        testing::write_file(builds / name / "utilization.rpt",
                            utilization_text(std::llround(placed.lut), std::llround(placed.ff), expected.part));
    }
    fs::create_directories(builds / "old2x2" / "reports");
    testing::write_file(builds / "old2x2" / "reports" / "other.rpt", utilization_text(1, 1));  // of a device of the other family
    const auto ended = calibrate({"--reports", builds, "--out", folder / "mine.yaml"});
    INFO(ended.err);
    CHECK(ended.code == 0);
    CHECK(fs::exists(folder / "mine_ultrascale_plus_dsp48e2.yaml"));
    CHECK(fs::exists(folder / "mine_7series_dsp48e1.yaml"));
    CHECK_FALSE(fs::exists(folder / "mine.yaml"));
    CHECK_THAT(ended.out, Contains("other.rpt: of part xczu9eg-ffvb1156-2-e; old2x2 is a design for xc7z045"));
}
