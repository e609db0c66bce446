// SPDX-License-Identifier: Apache-2.0
#include "experiments/config/library.hpp"

#include "experiments/config/section.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace prelude::experiments {

namespace {

using sim::Figure;
using sim::Provenance;

void check_name(const std::string& name, const std::filesystem::path& file, const Node& root, Problems& problems) {
    const auto expected = file.stem().string();
    if (!name.empty() && name != expected)
        problems.add(root.where, fmt::format("name: got {}; the file is {}.yaml", shown(name), expected));
}

}  // namespace

std::vector<std::string> names_of_files(const std::filesystem::path& folder) {
    std::vector<std::string> names;
    std::error_code failure;
    for (const auto& entry : std::filesystem::directory_iterator(folder, failure))
        if (entry.path().extension() == ".yaml") names.push_back(entry.path().stem().string());
    std::sort(names.begin(), names.end());
    return names;
}

std::optional<sim::Device> read_device(const std::filesystem::path& file, Problems& problems) {
    const auto before = problems.size();
    const auto root = read_yaml(file, problems);
    if (problems.size() != before) return std::nullopt;
    Section section(root, "", problems);
    sim::Device device;
    device.name = section.text("name");
    check_name(device.name, file, root, problems);
    device.part = section.text("part");
    device.family = section.word("family", {"7series", "ultrascale_plus", "versal"});
    device.dsp_generation = section.word("dsp_generation", {"dsp48e1", "dsp48e2", "dsp58"});
    device.num_dies = static_cast<int>(section.number("dies", 1, 16));
    device.fmax_mhz = section.figure("fmax_mhz", "MHz", 1, 2000);
    device.static_w = section.figure("static_w", "W", 0, 1000);
    device.processing_system_w = section.figure("processing_system_w", "W", 0, 1000);

    if (const auto* node = section.get("capacity")) {
        Section capacity(*node, "capacity", problems);
        device.capacity_status = Provenance::measured;
        const auto read = [&](std::string_view name, std::string_view unit, std::int64_t& field) {
            const auto figure = capacity.figure(name, unit, 0, 1e9);
            field = static_cast<std::int64_t>(figure.value);
            device.capacity_status = std::max(device.capacity_status, figure.status);
        };
        read("lut", "LUT", device.lut);
        read("ff", "FF", device.ff);
        read("dsp", "DSP", device.dsp);
        read("bram36", "BRAM36", device.bram36);
        read("uram", "URAM", device.uram);
        capacity.finish();
    }
    if (const auto* node = section.get("limits")) {
        Section limits(*node, "limits", problems);
        const auto read = [&](std::string_view name) { return limits.figure(name, "fraction", 0, 1).value; };
        device.max_utilization_lut = read("lut");
        device.max_utilization_ff = read("ff");
        device.max_utilization_dsp = read("dsp");
        device.max_utilization_bram = read("bram36");
        device.max_utilization_uram = read("uram");
        device.max_mean_utilization = read("mean_memory_dsp");
        limits.finish();
    }
    if (const auto* node = section.get("reserved", false)) {
        Section reserved(*node, "reserved", problems);
        device.reserved = {.lut = reserved.count("lut"),
                           .ff = reserved.count("ff"),
                           .dsp = reserved.count("dsp"),
                           .bram36 = reserved.count("bram36"),
                           .uram = reserved.count("uram"),
                           .source = reserved.text("source")};
        reserved.finish();
    }
    if (const auto* node = section.get("dram")) {
        Section dram(*node, "dram", problems);
        device.dram_kind = dram.word("kind", {"ddr3", "ddr4", "lpddr4", "hbm2"});
        device.dram_channels = static_cast<int>(dram.number("channels", 1, 64));
        device.dram_gb_per_s = dram.figure("gb_per_s", "GB/s", 0.01, 4096);
        dram.finish();
    }
    section.finish();
    if (problems.size() != before) return std::nullopt;
    for (auto* figure : {&device.fmax_mhz, &device.static_w, &device.processing_system_w, &device.dram_gb_per_s}) figure->name = device.name + "." + figure->name;
    return device;
}

std::optional<sim::CostTable> read_cost_table(const std::filesystem::path& file, Problems& problems) {
    const auto before = problems.size();
    const auto root = read_yaml(file, problems);
    if (problems.size() != before) return std::nullopt;
    Section section(root, "", problems);
    sim::CostTable costs;
    costs.name = section.text("name");
    check_name(costs.name, file, root, problems);
    if (const auto* node = section.get("terms")) {
        Section terms(*node, "terms", problems);
        for (const auto& term : sim::cost_terms()) costs.terms.emplace(term.name, terms.figure(term.name, term.unit, 0, 1e9));
        terms.finish();
    }
    section.finish();
    if (problems.size() != before) return std::nullopt;
    return costs;
}

namespace {

std::string figure_text(std::string_view name, const Figure& figure) {
    return fmt::format("{}={} {}..{} {} {}\n", name, figure.value, figure.low, figure.high, figure.unit, name_of(figure.status));
}

}  // namespace

std::string device_text(const sim::Device& device) {
    std::string text = fmt::format("part={}\nfamily={}\ndsp_generation={}\ndies={}\ndram={} x {}\n", device.part, device.family,
                                   device.dsp_generation, device.num_dies, device.dram_kind, device.dram_channels);
    text += fmt::format("capacity={} {} {} {} {} {}\n", device.lut, device.ff, device.dsp, device.bram36, device.uram,
                        name_of(device.capacity_status));
    text += fmt::format("limits={} {} {} {} {} {}\n", device.max_utilization_lut, device.max_utilization_ff, device.max_utilization_dsp,
                        device.max_utilization_bram, device.max_utilization_uram, device.max_mean_utilization);
    const auto& reserved = device.reserved;
    text += fmt::format("reserved={} {} {} {} {}\n", reserved.lut, reserved.ff, reserved.dsp, reserved.bram36, reserved.uram);
    text += figure_text("fmax_mhz", device.fmax_mhz) + figure_text("static_w", device.static_w);
    return text + figure_text("processing_system_w", device.processing_system_w) + figure_text("dram.gb_per_s", device.dram_gb_per_s);
}

std::string cost_text(const sim::CostTable& costs) {
    std::string text;
    for (const auto& [name, figure] : costs.terms) text += figure_text(name, figure);
    return text;
}

namespace {

std::string yaml_text(std::string_view text) {
    std::string result = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') result += fmt::format("\\{}", c);
        else if (static_cast<unsigned char>(c) < ' ') result += fmt::format("\\x{:02x}", static_cast<int>(c));
        else result += c;
    }
    return result + "\"";
}

}  // namespace

std::string to_yaml(const sim::CostTable& costs) {
    std::string text = fmt::format("# SPDX-License-Identifier: Apache-2.0\n# Names and units are fixed by sim/cost/cost_table.hpp; low and high span an 80 % band.\nname: {}\nterms:\n", costs.name);
    for (const auto& term : sim::cost_terms()) {
        const auto& figure = costs.at(term.name);
        text += fmt::format("  {}: {{value: {}, low: {}, high: {}, unit: {}, status: {}, source: {}}}\n", term.name, figure.value, figure.low, figure.high, term.unit, name_of(figure.status),
                            yaml_text(figure.source));
    }
    return text;
}

}  // namespace prelude::experiments
