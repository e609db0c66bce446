// SPDX-License-Identifier: Apache-2.0
// expected.json: what expect() says, written and read.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "experiments/config/library.hpp"
#include "experiments/hls/expected.hpp"
#include "experiments/hls/json_fields.hpp"

namespace prelude::experiments {

namespace {

using nlohmann::json;
using nlohmann::ordered_json;

constexpr std::string_view kFormat = "prelude.expected/1";
constexpr double kLargest = 1e15;
constexpr std::size_t kMaxNodes = 5000, kMaxUnits = 100, kMaxAssumed = 500;
/// The worst grounds first: what a reader falls back on.
const std::vector<std::string> kStatuses{"assumed", "published", "calibrated", "measured"};

struct UnitFigure {
    const char* name;
    sim::Estimate ExpectedUnit::*figure;
};
constexpr std::array kUnitFigures = {UnitFigure{"lut", &ExpectedUnit::lut}, UnitFigure{"ff", &ExpectedUnit::ff},
                                     UnitFigure{"dsp", &ExpectedUnit::dsp}, UnitFigure{"bram18", &ExpectedUnit::bram18},
                                     UnitFigure{"uram", &ExpectedUnit::uram}};

struct Form {
    const char* name;
    LinearForm Expected::*form;
};
constexpr std::array kForms = {Form{"lut", &Expected::lut_form}, Form{"ff", &Expected::ff_form},
                               Form{"dynamic_w", &Expected::dynamic_form}};

struct ArrayField {
    const char* name;
    int Expected::*field;
};
constexpr std::array kArrayFields = {ArrayField{"rows", &Expected::rows}, ArrayField{"cols", &Expected::cols},
                                     ArrayField{"depth", &Expected::depth}, ArrayField{"weight_bits", &Expected::weight_bits},
                                     ArrayField{"activation_bits", &Expected::activation_bits}};

struct TextField {
    const char* name;
    std::string Expected::*field;
};
constexpr std::array kDeviceFields = {TextField{"name", &Expected::device}, TextField{"part", &Expected::part}};
/// What device files (experiments/config/library.cpp) may say.
const std::vector<std::string> kFamilies{"7series", "ultrascale_plus", "versal"}, kGenerations{"dsp48e1", "dsp48e2", "dsp58"};

ordered_json estimate_json(const sim::Estimate& estimate) {
    ordered_json result{{"value", estimate.value}, {"low", estimate.low}, {"high", estimate.high}, {"status", name_of(estimate.status)}};
    if (!estimate.assumed.empty()) result["assumed"] = estimate.assumed;
    return result;
}

sim::Estimate estimate_in(const json& node, const std::string& path, models::DataProblems& problems) {
    const JsonFields fields(node, path, problems);
    sim::Estimate estimate{
        .value = fields.number("value", 0, kLargest), .low = fields.number("low", 0, kLargest), .high = fields.number("high", 0, kLargest)};
    const auto status = fields.word("status", kStatuses);
    for (const auto candidate :
         {sim::Provenance::measured, sim::Provenance::calibrated, sim::Provenance::published, sim::Provenance::assumed})
        if (name_of(candidate) == status) estimate.status = candidate;
    if (node.is_object() && node.contains("assumed")) estimate.assumed = fields.texts("assumed", kMaxAssumed);
    if (estimate.low > estimate.value || estimate.high < estimate.value)
        problems.add(fmt::format("{}: got low {}, value {}, high {}; allowed: low <= value <= high", path, estimate.low, estimate.value,
                                 estimate.high));
    return estimate;
}

LinearForm form_in(const json& node, const std::string& path, models::DataProblems& problems) {
    const JsonFields fields(node, path, problems);
    LinearForm form{.fixed = fields.number("fixed", -kLargest, kLargest), .counts = {}};
    const auto* terms = fields.find("terms");
    if (terms == nullptr) return form;
    const JsonFields counts(*terms, path + ".terms", problems);
    if (!terms->is_object()) return form;
    for (const auto& [name, value] : terms->items()) {
        if (sim::find_cost_term(name) == nullptr)
            counts.refuse(name, value, "terms of the cost table (`hw.costs`)");
        else
            form.counts.emplace(name, counts.number(name, 0, kLargest));
    }
    return form;
}

}  // namespace

ordered_json to_json(const Expected& expected) {
    ordered_json result{
        {"format", kFormat}, {"design", expected.design}, {"nodes", expected.nodes}, {"not_on_datapath", expected.not_on_datapath}};
    result["infeasible"] = expected.infeasible.empty() ? ordered_json() : ordered_json(expected.infeasible);
    for (const auto& field : kDeviceFields) result["device"][field.name] = expected.*field.field;
    result["device"]["family"] = expected.family;
    result["device"]["dsp_generation"] = expected.dsp_generation;
    result["cost_table"] = expected.cost_table;
    result["clock_target_ns"] = expected.clock_target_ns;
    for (const auto& field : kArrayFields) result["array"][field.name] = expected.*field.field;
    for (const auto& [name, unit, figure] : expected_figures()) {
        auto& entry = result["figures"][std::string(name)];
        if (const auto& value = expected.*figure) entry = estimate_json(*value), entry["unit"] = unit;
    }
    result["units"] = ordered_json::array();
    for (const auto& unit : expected.units) {
        ordered_json entry{{"unit", unit.unit}};
        for (const auto& [name, figure] : kUnitFigures) entry[name] = estimate_json(unit.*figure);
        result["units"].push_back(std::move(entry));
    }
    for (const auto& [name, form] : kForms) {
        auto& entry = result["counts"][name];
        entry = {{"fixed", (expected.*form).fixed}, {"terms", ordered_json::object()}};
        for (const auto& [term, count] : (expected.*form).counts) entry["terms"][term] = count;
    }
    result["not_linear"] = expected.not_linear;
    return result;
}

Expected expected_of(std::string_view text, const std::string& file) {
    const auto content = parse_json_file(text, file, kFormat);
    models::DataProblems problems(file);
    const JsonFields fields(content, "", problems);
    Expected result;
    result.design = fields.text("design");
    result.nodes = fields.texts("nodes", kMaxNodes);
    result.not_on_datapath = fields.texts("not_on_datapath", kMaxNodes);
    if (const auto* reason = fields.find("infeasible", true)) {
        if (reason->is_string())
            result.infeasible = fields.text("infeasible");
        else
            fields.refuse("infeasible", *reason, "a text, null");
    }
    if (const auto* device = fields.find("device")) {
        const JsonFields inner(*device, "device", problems);
        for (const auto& field : kDeviceFields) result.*field.field = inner.text(field.name);
        result.family = inner.word("family", kFamilies);
        result.dsp_generation = inner.word("dsp_generation", kGenerations);
    }
    result.cost_table = fields.text("cost_table");
    result.clock_target_ns = fields.number("clock_target_ns", 1e-3, 1e6);
    if (const auto* array = fields.find("array")) {
        const JsonFields inner(*array, "array", problems);
        for (const auto& field : kArrayFields) result.*field.field = static_cast<int>(inner.number(field.name, 0, 1e6));
    }
    if (const auto* figures = fields.find("figures")) {
        const JsonFields inner(*figures, "figures", problems);
        for (const auto& [name, unit, figure] : expected_figures())
            if (const auto* node = inner.find(name, true)) result.*figure = estimate_in(*node, inner.path(name), problems);
    }
    if (const auto* units = fields.find("units"); units != nullptr && (!units->is_array() || units->size() > kMaxUnits)) {
        fields.refuse("units", *units, fmt::format("a list of at most {} units", kMaxUnits));
    } else if (units != nullptr) {
        for (const auto& node : *units) {
            const JsonFields inner(node, fmt::format("units[{}]", result.units.size()), problems);
            auto& unit = result.units.emplace_back();
            unit.unit = inner.text("unit");
            for (const auto& [name, figure] : kUnitFigures)
                if (const auto* estimate = inner.find(name)) unit.*figure = estimate_in(*estimate, inner.path(name), problems);
        }
    }
    if (const auto* counts = fields.find("counts")) {
        const JsonFields inner(*counts, "counts", problems);
        for (const auto& [name, form] : kForms)
            if (const auto* node = inner.find(name)) result.*form = form_in(*node, inner.path(name), problems);
    }
    result.not_linear = fields.texts("not_linear", sim::cost_terms().size());
    problems.throw_if_any();
    return result;
}

Expected read_expected(const std::filesystem::path& file) {
    return expected_of(read_json_text(file), file.string());
}

}  // namespace prelude::experiments
