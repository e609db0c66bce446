// SPDX-License-Identifier: Apache-2.0
#include "experiments/config/library.hpp"

#include "experiments/config/domain.hpp"
#include "experiments/config/located_yaml.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

namespace prelude::experiments {

namespace {

using sim::Figure;
using sim::Provenance;

constexpr std::array kStatuses = {
    std::pair{std::string_view("measured"), Provenance::measured}, std::pair{std::string_view("calibrated"), Provenance::calibrated},
    std::pair{std::string_view("published"), Provenance::published}, std::pair{std::string_view("assumed"), Provenance::assumed}};

/// Reads the members of one mapping; what is missing, unknown or wrong becomes a problem.
class Section {
  public:
    Section(const Node& node, std::string path, Problems& problems) : node_(node), path_(std::move(path)), problems_(problems) {
        if (node_.kind != Node::Kind::mapping)
            problems_.add(
                {node_.where, {}, fmt::format("{}: got {}", path_.empty() ? "the file" : path_, node_.describe()), "a mapping", {}});
    }

    /// Complains about members that no reader asked for.
    void finish() {
        for (const auto& member : node_.members) {
            if (std::find(asked_.begin(), asked_.end(), member.name) != asked_.end()) continue;
            const auto near = closest(member.name, asked_);
            problems_.add(member.where, fmt::format("{}: unknown key.{}", key(member.name),
                                                    near.empty() ? "" : fmt::format(" Did you mean '{}'?", near)));
        }
    }

    const Node* get(std::string_view name, bool required = true) {
        asked_.emplace_back(name);
        const auto* found = node_.find(name);
        if (found == nullptr && required && node_.kind == Node::Kind::mapping)
            problems_.add(node_.where, fmt::format("{}: missing", key(name)));
        return found;
    }

    std::string text(std::string_view name) {
        const auto* node = get(name);
        if (node == nullptr) return {};
        if (node->kind == Node::Kind::scalar && !node->text.empty()) return node->text;
        refuse(name, *node, "a text");
        return {};
    }

    std::string word(std::string_view name, const std::vector<std::string>& words) {
        const auto* node = get(name);
        if (node == nullptr) return {};
        if (node->kind == Node::Kind::scalar && std::find(words.begin(), words.end(), node->text) != words.end()) return node->text;
        refuse(name, *node, fmt::format("{}", fmt::join(words, ", ")));
        return {};
    }

    double number(std::string_view name, double low, double high, std::optional<double> fallback = {}) {
        const auto* node = get(name, !fallback);
        if (node == nullptr) return fallback.value_or(low);
        const auto domain = Domain::reals(low, high);
        std::vector<Refusal> refusals;
        if (const auto value = domain.read(*node, refusals)) return std::get<double>(*value);
        refuse(name, *node, domain.allowed());
        return low;
    }

    std::int64_t count(std::string_view name) {
        const auto value = number(name, 0, 1e9);
        if (value == std::floor(value)) return static_cast<std::int64_t>(value);
        refuse(name, *node_.find(name), "a whole number");
        return 0;
    }

    Figure figure(std::string_view name, std::string_view unit, double low, double high) {
        Figure result;
        const auto* node = get(name);
        if (node == nullptr) return result;
        Section inner(*node, key(name), problems_);
        if (node->kind != Node::Kind::mapping) return result;
        const auto before = problems_.size();
        result.value = inner.number("value", low, high);
        result.low = inner.number("low", low, high, result.value);
        result.high = inner.number("high", low, high, result.value);
        result.unit = inner.word("unit", {std::string(unit)});
        const auto status = inner.word("status", {"measured", "calibrated", "published", "assumed"});
        for (const auto& [word, meaning] : kStatuses)
            if (word == status) result.status = meaning;
        result.source = inner.text("source");
        inner.finish();
        if (problems_.size() == before && (result.low > result.value || result.high < result.value))
            problems_.add({node->where,
                           {},
                           fmt::format("{}: got low {}, value {}, high {}", key(name), result.low, result.value, result.high),
                           "low <= value <= high",
                           {}});
        return result;
    }

  private:
    [[nodiscard]] std::string key(std::string_view name) const {
        return path_.empty() ? std::string(name) : fmt::format("{}.{}", path_, name);
    }

    void refuse(std::string_view name, const Node& node, std::string allowed) {
        // Not Problem::key: these are keys of a data file, which `explore explain` does not know.
        problems_.add({node.where, {}, fmt::format("{}: got {}", key(name), node.describe()), std::move(allowed), {}});
    }

    const Node& node_;
    std::string path_;
    Problems& problems_;
    std::vector<std::string> asked_;
};

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

std::string_view name_of(sim::Provenance status) noexcept {
    for (const auto& [word, meaning] : kStatuses)
        if (meaning == status) return word;
    return {};
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

}  // namespace prelude::experiments
