// SPDX-License-Identifier: Apache-2.0
#include "experiments/config/keys.hpp"
#include "experiments/config/methods.hpp"
#include "tests/support/expected_text.hpp"
#include "tests/paths.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <fstream>
#include <set>
#include <sstream>

using namespace prelude::experiments;

namespace {

Node parse_value(const std::string& text) {
    Problems problems;
    auto node = parse_yaml(text, "f", problems);
    REQUIRE(problems.empty());
    return node;
}

std::optional<Value> read(const Domain& domain, const std::string& text) {
    std::vector<Refusal> refusals;
    auto value = domain.read(parse_value(text), refusals);
    CHECK(value.has_value() == refusals.empty());
    return value;
}

}  // namespace

TEST_CASE("Every key is declared once, with a sentence, in contiguous sections") {
    std::set<std::string_view> paths;
    std::set<std::string_view> closed;
    std::string_view open;
    for (const auto& key : all_keys()) {
        INFO(key.path);
        CHECK(paths.insert(key.path).second);
        CHECK(key.sentence.ends_with('.'));
        CHECK(find_key(key.path) == &key);
        CHECK(key.is_fixed() == !key.set);
        CHECK((key.effective.holds == nullptr) == key.effective.sentence.empty());
        const auto section = key.path.substr(0, key.path.rfind('.'));
        if (section != open) {
            closed.insert(open);
            // A parent may go on after its children; a child section may not be opened twice.
            if (section.find('.') != std::string_view::npos) CHECK(closed.count(section) == 0);
            open = section;
        }
    }
}

TEST_CASE("Every default is a value the key accepts, and printing it reads back to the same value") {
    const Settings defaults;
    for (const auto& key : all_keys()) {
        if (key.path == "sweep.axes") continue;
        const auto text = key.print(defaults);
        INFO(key.path << ": " << text);
        const auto value = read(key.domain, text);
        REQUIRE(value.has_value());
        CHECK(key.domain.print(*value) == text);
        if (key.is_fixed()) continue;
        Settings copy;
        key.set(copy, *value);
        CHECK(key.print(copy) == text);
        CHECK(key.get(copy) == key.get(defaults));
    }
}

TEST_CASE("A key's setter changes what that key's getter reads, and no other key") {
    for (const auto& key : all_keys()) {
        if (key.is_fixed()) continue;
        const Settings before;
        Settings after;
        for (const std::string candidate : {"false",
                                            "true",
                                            "2",
                                            "3",
                                            "4",
                                            "5",
                                            "11",
                                            "16",
                                            "19",
                                            "64",
                                            "0.25",
                                            "hluq",
                                            "compat",
                                            "reference",
                                            "kmeans",
                                            "power_of_two",
                                            "gptq",
                                            "masks",
                                            "labels",
                                            "layers",
                                            "auto",
                                            "none",
                                            "scene",
                                            "test",
                                            "dev",
                                            "tensor",
                                            "sqrt2",
                                            "2^(1/4)",
                                            "wrap",
                                            "mse",
                                            "fp32",
                                            "rtn",
                                            "uniform",
                                            "one",
                                            "saturate",
                                            "fixed",
                                            "fill",
                                            "lut",
                                            "ivit",
                                            "subtract",
                                            "resident",
                                            "weight_stationary",
                                            "fused_row",
                                            "sam_vit_b",
                                            "box",
                                            "point",
                                            "encoder",
                                            "random",
                                            "measured",
                                            "detector",
                                            "mmdet",
                                            "somewhere",
                                            "[1, 2]",
                                            "[fits]",
                                            "[{match: \"a*\", weight_bits: 4}]"}) {
            std::vector<Refusal> refusals;
            const auto value = key.domain.read(parse_value(candidate), refusals);
            if (!value || *value == key.get(before)) continue;
            key.set(after, *value);
            break;
        }
        INFO(key.path);
        CHECK(key.print(after) != key.print(before));
        for (const auto& other : all_keys())
            if (&other != &key) {
                INFO("other key " << other.path);
                CHECK(other.print(after) == other.print(before));
            }
    }
}

TEST_CASE("Integers are plain decimal words that fit") {
    const auto domain = Domain::integers({{2, 8}, {16, 16}}, {{"auto", 0}});
    CHECK(domain.allowed() == "2..8, 16, auto");
    CHECK(read(domain, "2") == Value(std::int64_t{2}));
    CHECK(read(domain, "16") == Value(std::int64_t{16}));
    CHECK(read(domain, "auto") == Value(std::int64_t{0}));
    CHECK(domain.print(std::int64_t{0}) == "auto");
    for (const std::string bad :
         {"1", "9", "15", "17", "8.0", "8e0", "0x8", "\"8\"", "-2", "99999999999999999999", "eight", "~", "[4]", "{a: 4}", "++4"}) {
        INFO(bad);
        CHECK_FALSE(read(domain, bad));
    }
}

TEST_CASE("Reals are finite decimal numbers in range") {
    const auto domain = Domain::reals(0.5, 1000, {{"auto", 0}});
    CHECK(domain.allowed() == "0.5..1000, auto");
    CHECK(read(domain, "0.5") == Value(0.5));
    CHECK(read(domain, "3e2") == Value(300.0));
    CHECK(read(domain, "auto") == Value(0.0));
    CHECK(domain.print(300.0) == "300");
    CHECK(domain.print(0.1) == "0.1");
    for (const std::string bad : {"0.49", "1000.1", ".nan", "nan", "inf", "-.inf", "1e999", "\"300\"", "300 MHz", "[300]", "~"}) {
        INFO(bad);
        CHECK_FALSE(read(domain, bad));
    }
}

TEST_CASE("The log base has four spellings of three values") {
    const auto& key = *find_key("quant.softmax.log_base");
    CHECK(read(key.domain, "2") == read(key.domain, "\"2\""));
    CHECK(read(key.domain, "sqrt2") == read(key.domain, "2^0.5"));
    CHECK(read(key.domain, "2^(1/4)") == read(key.domain, "2^0.25"));
    CHECK(key.domain.print(*read(key.domain, "2^0.25")) == "2^(1/4)");
}

TEST_CASE("What a later version will do is refused by name") {
    const auto refusal = [](std::string_view path, const std::string& text) {
        std::vector<Refusal> refusals;
        CHECK_FALSE(find_key(path)->domain.read(parse_value(text), refusals));
        REQUIRE(refusals.size() == 1);
        return refusals[0].found;
    };
    CHECK(refusal("quant.softmax.order", "online(tile)") == "online(tile) is not available in this version");
}

TEST_CASE("A slip of the keyboard is recognised, nonsense is not") {
    CHECK(unknown_key_message("quant.softmax.log_bsae") == "unknown key. Did you mean 'log_base'?");
    CHECK(unknown_key_message("qaunt") == "unknown key. Did you mean 'quant'?");
    CHECK(unknown_key_message("groups") == "unknown key. Did you mean 'quant.groups'?");
    CHECK(unknown_key_message("quant.xylophone") == "unknown key");
}

TEST_CASE("Explaining a section lists every key below it, and an unknown name nothing") {
    const auto softmax = explain("quant.softmax");
    REQUIRE(softmax);
    for (const auto& key : all_keys()) {
        INFO(key.path);
        CHECK((softmax->find(std::string(key.path) + " = ") != std::string::npos) == key.path.starts_with("quant.softmax."));
        CHECK(explain(key.path)->find(key.sentence) != std::string::npos);
        CHECK(explain("all")->find(std::string(key.path) + " = ") != std::string::npos);
    }
    CHECK_FALSE(explain("quant.soft"));
}

TEST_CASE("The overview for --help names every key or its section") {
    const auto text = keys_overview();
    for (const auto& section : names_in("")) {
        CHECK(text.find("\n  " + section + " ") != std::string::npos);
        for (const auto& name : names_in(section)) CHECK(text.find(" " + name) != std::string::npos);
    }
}

TEST_CASE("model.config has the fields of SamConfig, and model.preset its presets") {
    using namespace prelude;
    std::vector<std::string> names;
    for (const auto& field : models::sam_config_fields()) {
        INFO(field.name);
        const auto* key = find_key("model.config." + std::string(field.name));
        REQUIRE(key != nullptr);
        Settings settings;
        key->set(settings, std::int64_t{7});
        models::SamConfig config;
        settings.model.config.apply(config);
        CHECK(config.*field.value == 7);
        CHECK(settings.model.config.partial().find(field.name) == 7);
    }
    CHECK(names_in("model.config").size() == models::sam_config_fields().size() + 2);
    const auto& words = find_key("model.preset")->domain.words();
    for (const auto name : models::sam_preset_names())
        CHECK(std::any_of(words.begin(), words.end(), [&](const Word& word) { return word.name == name; }));
    CHECK(words.size() == models::sam_preset_names().size() + 1);
}

TEST_CASE("A method preset sets exactly what it lists") {
    for (const auto& method : all_methods()) {
        INFO(method.name);
        Settings settings;
        apply_method(method.name, settings);
        for (const auto& preset : method.defaults) CHECK(find_key(preset.key)->print(settings) == preset.value);
        CHECK(method_label(settings) == method.name);
    }
    Settings settings;
    apply_method("rtn", settings);
    settings.quant.groups = 4;
    CHECK(method_label(settings) == "rtn+quant.groups=4");
}

TEST_CASE("The key page is written from the key table", "[expected]") {
    check_expected_text(PRELUDE_SOURCE_DIR "/docs/keys.md", keys_page());
}

TEST_CASE("Every key of the contract is in the table") {
    // The keys scripts rely on.
    for (const std::string_view path : {"model.preset",
                                        "model.checkpoint",
                                        "model.stress.channel_spread",
                                        "model.stress.bimodal",
                                        "model.stress.condition",
                                        "model.stress.gelu_tail",
                                        "model.kind",
                                        "model.path",
                                        "data.kind",
                                        "data.split",
                                        "data.path",
                                        "data.boxes",
                                        "data.masks.form",
                                        "data.masks.void_labels",
                                        "data.num_images",
                                        "data.prompts_per_image",
                                        "data.prompts",
                                        "data.max_detections",
                                        "data.score",
                                        "data.detection_limits",
                                        "data.boundary",
                                        "data.seed",
                                        "quant.method",
                                        "quant.mode",
                                        "quant.datatype",
                                        "quant.weight_bits",
                                        "quant.activation_bits",
                                        "quant.weight_rounding",
                                        "quant.calibration.observer",
                                        "quant.calibration.num_images",
                                        "quant.calibration.seed",
                                        "quant.acnr",
                                        "quant.big",
                                        "quant.reparam",
                                        "quant.smooth",
                                        "quant.groups",
                                        "quant.group_align",
                                        "quant.weight_symmetric",
                                        "quant.weight_granularity",
                                        "quant.weight_range",
                                        "quant.mlp_hidden_scheme",
                                        "quant.gelu_input_bits",
                                        "quant.residual_bits",
                                        "quant.score_bits",
                                        "quant.rel_pos_bits",
                                        "quant.accumulator.bits",
                                        "quant.accumulator.overflow",
                                        "quant.accumulator.chunk",
                                        "quant.rescale.term_bits",
                                        "quant.rescale.operand_bits",
                                        "quant.hluq.variant",
                                        "quant.hluq.alpha",
                                        "quant.hluq.beta",
                                        "quant.hluq.shift_cap",
                                        "quant.hluq.aligned",
                                        "quant.float.k_block",
                                        "quant.softmax.scheme",
                                        "quant.softmax.log_base",
                                        "quant.softmax.bits",
                                        "quant.softmax.form",
                                        "quant.softmax.shift_cap",
                                        "quant.softmax.scale",
                                        "quant.softmax.exp_bits",
                                        "quant.softmax.zero_code",
                                        "quant.softmax.order",
                                        "quant.nonlinear",
                                        "quant.layers",
                                        "hw.device",
                                        "hw.clock_mhz",
                                        "hw.pe.rows",
                                        "hw.pe.cols",
                                        "hw.pe.depth",
                                        "hw.pe.weight_bits",
                                        "hw.pe.activation_bits",
                                        "hw.pe.precision",
                                        "hw.pe.size",
                                        "hw.pe.max_dsp",
                                        "hw.pe.multiplier",
                                        "hw.pe.zero_point",
                                        "hw.buffers.weight_kib",
                                        "hw.buffers.activation_kib",
                                        "hw.buffers.partial_sum_kib",
                                        "hw.buffers.score_kib",
                                        "hw.softmax.lanes",
                                        "hw.layernorm.lanes",
                                        "hw.layernorm.dividers",
                                        "hw.gelu.lanes",
                                        "hw.dram.gb_per_s",
                                        "hw.dram.channels",
                                        "hw.axi.ports",
                                        "hw.axi.data_bits",
                                        "hw.axi.outstanding",
                                        "hw.axi.max_burst",
                                        "hw.weights",
                                        "hw.double_buffer",
                                        "hw.layer_overlap",
                                        "hw.dataflow",
                                        "hw.attention",
                                        "hw.mapping",
                                        "hw.mapping_candidates",
                                        "workload.prompts_per_image",
                                        "workload.prompt",
                                        "workload.parts",
                                        "sweep.strategy",
                                        "sweep.samples",
                                        "sweep.seed",
                                        "sweep.constraints",
                                        "sweep.objectives.max",
                                        "sweep.objectives.min",
                                        "sweep.prune",
                                        "sweep.toggles",
                                        "sweep.compare",
                                        "sweep.table.rows",
                                        "sweep.table.columns",
                                        "sweep.table.cell",
                                        "sweep.axes"}) {
        INFO(path);
        CHECK(find_key(path) != nullptr);
    }
}
