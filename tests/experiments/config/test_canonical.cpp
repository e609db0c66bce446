// SPDX-License-Identifier: Apache-2.0
#include "experiments/config/canonical.hpp"
#include "experiments/hash.hpp"
#include "tests/paths.hpp"

#include <catch2/catch.hpp>

#include <filesystem>
#include <fstream>

#include <unistd.h>

using namespace prelude;
using namespace prelude::experiments;

namespace {

const std::filesystem::path kArchConfigs = PRELUDE_SOURCE_DIR "/arch_configs";

Settings settings_of(const std::string& text) {
    return read_configuration_text(text, "f.yaml", {}, kArchConfigs).base;
}

}  // namespace

TEST_CASE("Keys without effect do not change the numeric text") {
    const auto same = [](const std::string& a, const std::string& b) {
        return numeric_text(settings_of(a)) == numeric_text(settings_of(b));
    };
    CHECK(same("quant: {softmax: {scheme: uniform, log_base: 2, shift_cap: 9}}\n", "quant: {softmax: {scheme: uniform}}\n"));
    CHECK_FALSE(same("quant: {softmax: {log_base: 2}}\n", "quant: {softmax: {log_base: sqrt2}}\n"));
    CHECK(same("quant: {softmax: {log_base: 2^0.5}}\n", "quant: {softmax: {log_base: sqrt2}}\n"));
    CHECK(same("quant: {activation_bits: 4}\n", "quant: {activation_bits: 4, softmax: {bits: 4}}\n"));
    CHECK_FALSE(same("quant: {activation_bits: 4}\n", "quant: {activation_bits: 4, softmax: {bits: 3}}\n"));
    CHECK(same("quant: {activation_bits: 8, softmax: {log_base: 2}}\n", "quant: {activation_bits: 8, softmax: {log_base: 2, bits: 5}}\n"));
    CHECK(same("quant: {datatype: fp32, weight_bits: 4, calibration: {seed: 7}}\n", "quant: {method: fp32}\n"));
    CHECK(same("quant: {accumulator: {bits: 20}}\n", "quant: {accumulator: {bits: 24}}\n"));
    CHECK_FALSE(same("quant: {accumulator: {bits: 20, overflow: wrap}}\n", "quant: {accumulator: {bits: 24, overflow: wrap}}\n"));
    CHECK(same("quant: {method: rtn}\n", "quant: {method: custom, softmax: {scheme: uniform, scale: one}}\n"));
    CHECK(same("hw: {pe: {rows: 3}}\n", "hw: {device: kv260}\nworkload: {prompts_per_image: 5}\nsweep: {seed: 4}\n"));
}

TEST_CASE("Every effective numeric key changes the numeric text, and no hardware key does") {
    const Settings base = settings_of("quant: {groups: 1}\n");
    const auto reference = numeric_text(base);
    const auto hardware = hardware_text(base);
    for (const auto& key : all_keys()) {
        if (key.is_fixed() || !key.is_of_a_point() || key.domain.kind() == Domain::Kind::path || key.path == "hw.device" ||
            key.path == "quant.method")
            continue;
        if (!key.has_effect(base)) continue;
        for (const std::string candidate : {"false",
                                            "true",
                                            "3",
                                            "4",
                                            "5",
                                            "11",
                                            "16",
                                            "64",
                                            "scene",
                                            "dev",
                                            "tensor",
                                            "2^(1/4)",
                                            "mse",
                                            "uniform",
                                            "one",
                                            "saturate",
                                            "fixed",
                                            "fill",
                                            "lut",
                                            "subtract",
                                            "resident",
                                            "weight_stationary",
                                            "fused_row",
                                            "sam_vit_b",
                                            "point",
                                            "encoder",
                                            "compat",
                                            "elsewhere",
                                            "[1, 2]",
                                            "[{match: a, groups: 4}]"}) {
            Problems problems;
            std::vector<Refusal> refusals;
            const auto value = key.domain.read(parse_yaml(candidate, "f", problems), refusals);
            auto changed = base;
            if (!value || *value == key.get(base)) continue;
            key.set(changed, *value);
            INFO(key.path << " = " << candidate);
            CHECK((numeric_text(changed) != reference) == (key.affects == Affects::numeric));
            if (key.path != "hw.costs") CHECK((hardware_text(changed) != hardware) == (key.affects != Affects::numeric));
            break;
        }
    }
}

TEST_CASE("A path enters the hash by what it holds") {
    const auto folder = std::filesystem::temp_directory_path() / ("prelude_canonical_" + std::to_string(::getpid()));
    std::filesystem::create_directories(folder);
    for (const auto* name : {"a", "b", "c"}) std::ofstream(folder / name) << (name == std::string("c") ? "other" : "same");
    const auto text = [&](const std::string& name) {
        Settings settings;
        settings.model.checkpoint = (folder / name).string();
        return numeric_text(settings);
    };
    CHECK(text("a") == text("b"));
    CHECK(text("a") != text("c"));
    CHECK(text("a").find(sha256("same")) != std::string::npos);
    CHECK(sha256_of_path(folder).size() == 64);
    std::filesystem::remove_all(folder);
}

TEST_CASE("The hardware text follows the device's figures, not its name") {
    auto settings = settings_of("hw: {device: zcu102}\n");
    const auto before = hardware_text(settings);
    settings.hw.device.name = "another";
    CHECK(hardware_text(settings) == before);
    settings.hw.device.lut += 1;
    CHECK(hardware_text(settings) != before);
}

TEST_CASE("A section's text holds the keys below it and no others") {
    const std::string_view sections[] = {"quant.calibration"};
    const auto text = section_text(Settings{}, sections);
    CHECK(text.find("quant.calibration.observer=min_max\n") != std::string::npos);
    CHECK(text.find("quant.groups") == std::string::npos);
}

TEST_CASE("SHA-256 is the standard one") {
    CHECK(sha256("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    CHECK(sha256("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}
