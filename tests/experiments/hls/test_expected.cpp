// SPDX-License-Identifier: Apache-2.0
// What the model expects of a build of some nodes: which units count, what terms contribute, the file it is written to.
#include <catch2/catch.hpp>
#include <set>

#include "experiments/hls/expected.hpp"
#include "models/error.hpp"
#include "sim/simulate.hpp"
#include "tests/support/adversarial.hpp"
#include "tests/support/hls_designs.hpp"

using namespace prelude;
using namespace prelude::experiments;
using Catch::Contains;
using prelude::testing::HlsDesign;
using prelude::testing::kMlpNodes;

namespace {

std::set<std::string> units_of(const Expected& expected) {
    std::set<std::string> names;
    for (const auto& unit : expected.units) names.insert(unit.unit);
    return names;
}

double value_of(const LinearForm& form, const sim::CostTable& costs) {
    double sum = form.fixed;
    for (const auto& [term, count] : form.counts) sum += count * costs.at(term).value;
    return sum;
}

const HlsDesign& small() {
    static const HlsDesign design({"hw.pe.rows=4", "hw.pe.cols=8", "hw.pe.depth=4"});
    return design;
}

std::string refusal(const std::string& text) {
    try {
        (void)expected_of(text, "e.json");
    } catch (const models::DataError& error) {
        return error.what();
    }
    return {};
}

}  // namespace

TEST_CASE("A build of some nodes has the units that they run on and no others") {
    const auto& design = small();
    const auto mlp = units_of(design.expect(kMlpNodes));
    CHECK(mlp == std::set<std::string>{"pe_array", "array_frame", "post_unit", "layernorm_unit", "gelu_unit", "weight_buffer",
                                       "activation_buffer", "partial_sum_buffer", "memory_ports", "dma", "controller"});
    const auto linear = units_of(design.expect({"encoder.block0.lin1"}));
    CHECK(linear.count("layernorm_unit") == 0);
    CHECK(linear.count("gelu_unit") == 0);
    CHECK(linear.count("pe_array") == 1);
    const auto norm = units_of(design.expect({"encoder.block0.norm2"}));
    CHECK(norm.count("pe_array") == 0);
    CHECK(norm.count("layernorm_unit") == 1);
    const auto attention =
        units_of(design.expect({"encoder.block0.qk", "encoder.block0.rel_pos", "encoder.block0.softmax", "encoder.block0.pv"}));
    CHECK(attention.count("softmax_unit") == 1);
    CHECK(attention.count("layernorm_unit") == 0);
    const HlsDesign divided({"hw.pe.rows=4", "hw.pe.cols=8", "hw.pe.depth=4", "quant.nonlinear=ivit"});
    CHECK(units_of(divided.expect({"encoder.block0.norm2"})).count("root_dividers") == 1);
    CHECK(units_of(divided.expect({"encoder.block0.lin1"})).count("root_dividers") == 0);
}

TEST_CASE("Totals are the units' sums, and the cycles those of a simulation of the part alone") {
    const auto& design = small();
    const auto expected = design.expect(kMlpNodes);
    CHECK(expected.nodes == kMlpNodes);
    CHECK(expected.infeasible.empty());
    double lut = 0, ff = 0, dsp = 0, bram18 = 0, uram = 0;
    for (const auto& unit : expected.units)
        lut += unit.lut.value, ff += unit.ff.value, dsp += unit.dsp.value, bram18 += unit.bram18.value, uram += unit.uram.value;
    CHECK(expected.lut->value == Approx(lut));
    CHECK(expected.ff->value == Approx(ff));
    CHECK(expected.dsp->value == Approx(dsp));
    CHECK(expected.bram18->value == Approx(bram18));
    CHECK(expected.uram->value == Approx(uram));
    CHECK(expected.lut->value < design.point.resources.lut.value);
    CHECK(expected.lut_csynth->value == Approx(expected.lut->value * design.costs().at("csynth.lut").value));
    const auto run = sim::simulate(design.part(kMlpNodes), design.point.plan, design.point.design);
    CHECK(expected.latency_max->value == static_cast<double>(run.total.cycles));
    CHECK(expected.latency_min->value == expected.latency_max->value);
    CHECK(expected.interval_max->value == expected.latency_max->value);
    CHECK(expected.latency_max->high == Approx(expected.latency_max->value * design.costs().at("band.latency").high));
    CHECK(expected.total_w->value == Approx(expected.static_w->value + expected.dynamic_w->value));
    CHECK(expected.dynamic_w->value > 0);
    CHECK(expected.clock_target_ns == Approx(1e3 / design.point.design.clock_mhz));
}

TEST_CASE("Array, ports and clock of a part are those of the whole design") {
    const HlsDesign wide({"hw.pe.size=fill", "hw.device=kv260", "quant.weight_bits=4", "quant.activation_bits=4"});
    const auto whole = sim::resolve(wide.point.design, wide.point.plan);
    const auto expected = wide.expect({"encoder.block0.lin1"});
    CHECK(expected.rows == wide.point.design.pe.rows);
    CHECK(expected.cols == wide.point.design.pe.cols);
    CHECK(expected.weight_bits == whole.pe.weight_bits);
    CHECK(expected.activation_bits == whole.pe.activation_bits);
    CHECK(whole.pe.weight_bits == 8);  // of the patch embedding: a part alone would be narrower
    CHECK(expected.clock_target_ns == Approx(1e3 / wide.point.clock.value));
}

TEST_CASE("Every figure is the count of its terms times their values, whatever these are") {
    for (const auto& sets :
         std::vector<std::vector<std::string>>{{"hw.pe.rows=4", "hw.pe.cols=8", "hw.pe.depth=4"},
                                               {"hw.pe.rows=2", "hw.pe.cols=4", "hw.pe.depth=8", "hw.pe.multiplier=lut", "quant.groups=3"},
                                               {"hw.pe.rows=4", "hw.pe.cols=4", "hw.pe.depth=4", "quant.datatype=fp16"}}) {
        const HlsDesign design(sets);
        INFO(sets.back());
        const auto expected = design.expect(kMlpNodes);
        auto costs = design.costs();
        CHECK(expected.lut_form.counts.size() > 10);
        CHECK(expected.not_linear.empty());
        CHECK(value_of(expected.lut_form, costs) * costs.at("band.lut").value == Approx(expected.lut->value).epsilon(1e-9));
        CHECK(value_of(expected.ff_form, costs) * costs.at("band.ff").value == Approx(expected.ff->value).epsilon(1e-9));
        CHECK(value_of(expected.dynamic_form, costs) == Approx(expected.dynamic_w->value).epsilon(1e-9));
        // All terms of logic at once, each by another factor: what a build with such a table is expected to take.
        double factor = 1.0;
        for (auto& [name, figure] : costs.terms)
            if (expected.lut_form.counts.count(name) || expected.ff_form.counts.count(name)) figure.value *= factor += 0.03;
        const auto changed = expect(design.point, design.part(kMlpNodes), costs, "changed");
        CHECK(changed.lut->value != Approx(expected.lut->value));
        CHECK(value_of(expected.lut_form, costs) * costs.at("band.lut").value == Approx(changed.lut->value).epsilon(1e-9));
        CHECK(value_of(expected.ff_form, costs) * costs.at("band.ff").value == Approx(changed.ff->value).epsilon(1e-9));
    }
}

TEST_CASE("A term that enters otherwise than as a count is named, near a kink or on a curve") {
    const auto& costs = small().costs();
    const auto at = [](const sim::CostTable& table, std::string_view name) { return table.at(name).value; };
    const std::vector<std::string_view> names{"control.lut", "control.ff", "dma.lut", "axi_port.lut", "softmax.exponential_dsp.shift",
                                              "dma.ff"};
    const double lut = at(costs, "control.lut"), ff = at(costs, "control.ff"), port = at(costs, "axi_port.lut");
    std::vector<std::string> not_linear;
    const auto form = linear_form(
        costs, names,
        [&](const sim::CostTable& table) {
            return 7 + 3 * at(table, "dma.lut") + 5 * at(table, "softmax.exponential_dsp.shift") +
                   std::max(1.2 * lut, at(table, "control.lut")) + std::max(0.9 * ff, at(table, "control.ff")) +
                   std::pow(at(table, "axi_port.lut"), 2);
        },
        not_linear);
    CHECK(not_linear == std::vector<std::string>{"control.lut", "control.ff", "axi_port.lut"});
    REQUIRE(form.counts.size() == 2);
    CHECK(form.counts.at("dma.lut") == Approx(3));
    CHECK(form.counts.at("softmax.exponential_dsp.shift") == Approx(5));  // of value 0
    CHECK(form.fixed == Approx(7 + 1.2 * lut + ff + port * port));
}

TEST_CASE("A part that the datapath cannot run has no figures, not zeros") {
    const HlsDesign tiny({"hw.pe.rows=4", "hw.pe.cols=8", "hw.pe.depth=4", "hw.weights=resident", "hw.buffers.weight_kib=8"});
    const auto expected = tiny.expect(kMlpNodes);
    CHECK_THAT(expected.infeasible, Contains("hw.weights"));
    CHECK_FALSE(expected.latency_max.has_value());
    CHECK_FALSE(expected.lut.has_value());
    CHECK(find_figure(expected, "lut") == nullptr);
    CHECK(find_figure(expected, "static_w") != nullptr);
    CHECK(to_json(expected).at("figures").at("lut").is_null());
    const auto moved = small().expect({"encoder.block0.window_partition"});
    CHECK(moved.nodes == std::vector<std::string>{"encoder.block0.window_partition"});
}

TEST_CASE("expected.json says what was expected, and reads back the same") {
    const auto expected = small().expect(kMlpNodes, "small");
    const auto json = to_json(expected);
    CHECK(json.at("format") == "prelude.expected/1");
    CHECK(json.at("figures").at("latency_max").at("unit") == "cycles");
    CHECK(json.at("figures").at("lut").at("status") == "assumed");
    CHECK_FALSE(json.at("figures").at("lut").at("assumed").empty());
    const auto again = expected_of(json.dump(), "e.json");
    CHECK(to_json(again).dump() == json.dump());
    CHECK(again.lut_form == expected.lut_form);
    const HlsDesign tiny({"hw.pe.rows=4", "hw.pe.cols=8", "hw.pe.depth=4", "hw.weights=resident", "hw.buffers.weight_kib=8"});
    const auto impossible = to_json(tiny.expect(kMlpNodes)).dump();
    CHECK(to_json(expected_of(impossible, "e.json")).dump() == impossible);
}

TEST_CASE("A broken expected.json is refused with all that is wrong with it") {
    const auto good = to_json(small().expect({"encoder.block0.norm2"}));
    CHECK(refusal(good.dump()).empty());
    auto bad = good;
    bad["nodes"] = 3;
    bad["clock_target_ns"] = -1;
    bad["device"].erase("family");
    bad["figures"]["lut"]["low"] = 1e9;
    bad["figures"]["dsp"]["status"] = "guessed";
    bad["counts"]["lut"]["terms"]["no.such_term"] = 1;
    bad["counts"]["ff"]["terms"]["control.ff"] = "many";
    bad["units"][0].erase("unit");
    const auto text = refusal(bad.dump());
    for (const auto* place :
         {"e.json: nodes: got 3", "clock_target_ns: got -1", "device.family: missing", "figures.lut: got low 1000000000",
          "figures.dsp.status: got \"guessed\"", "counts.lut.terms.no.such_term: got 1", "counts.ff.terms.control.ff: got \"many\"",
          "units[0].unit: missing", "8 problems"})
        CHECK_THAT(text, Contains(place));
    CHECK_THAT(refusal("{"), Contains("not JSON"));
    CHECK_THAT(refusal("[]"), Contains("format prelude.expected/1"));
    CHECK_THAT(refusal("{\"format\": \"prelude.expected/2\"}"), Contains("format: got \"prelude.expected/2\""));
    CHECK_THAT(refusal(std::string(500'000, '[')), Contains("not JSON"));
    CHECK_THAT(refusal("{\"format\": \"prelude.expected/1\", \"a\": " + std::string(400'000, '[') + std::string(400'000, ']') + "}"),
               Contains("nests deeper than 8"));
    CHECK_THAT(refusal(std::string(1'000'001, ' ')), Contains("1000001 bytes"));
    CHECK_THROWS_WITH(read_expected("/nowhere/expected.json"), Contains("no such file"));
    auto huge = good;
    huge["units"] = std::vector<int>(101, 1);
    CHECK_THAT(refusal(huge.dump()), Contains("units: got a list; allowed: a list of at most 100 units"));
}

TEST_CASE("An expected.json with any bytes changed is read or refused, nothing else") {
    const auto good = to_json(small().expect({"encoder.block0.norm2"})).dump();
    tests::Random random(17);
    int read = 0, refused = 0;
    for (int trial = 0; trial < 1000; ++trial) {
        auto text = good;
        for (auto changes = random.in(1, 4); changes > 0; --changes) {
            const auto at = static_cast<std::size_t>(random.in(0, static_cast<std::int64_t>(text.size()) - 1));
            if (random.one_in(3))
                text.erase(at, static_cast<std::size_t>(random.in(1, 40)));
            else
                text[at] = random.one_in(2) ? static_cast<char>(random.in(0, 255))
                                            : std::string("0-9e{}[],\"n")[static_cast<std::size_t>(random.in(0, 10))];
            if (text.empty()) text = "{";
        }
        try {
            const auto expected = expected_of(text, "e.json");
            ++read;
            for (const auto& figure : expected_figures())
                if (const auto* value = find_figure(expected, figure.name))
                    CHECK((value->low <= value->value && value->value <= value->high));
        } catch (const models::DataError&) {
            ++refused;
        }
    }
    CHECK(read > 10);
    CHECK(refused > 500);
}
