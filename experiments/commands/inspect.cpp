// SPDX-License-Identifier: Apache-2.0
#include "experiments/commands/inspect.hpp"

#include "experiments/cli/program.hpp"
#include "experiments/commands/sweep.hpp"
#include "experiments/config/mapping_file.hpp"
#include "experiments/store/cache.hpp"
#include "experiments/sweep/grid.hpp"
#include "models/error.hpp"
#include "sim/simulate.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <map>
#include <optional>


namespace prelude::experiments {

namespace {

using nlohmann::json;

constexpr double kGiga = 1e9, kMega = 1e6;

std::string shape_text(const json& shape) {
    std::string text;
    for (const auto& extent : shape) text += (text.empty() ? "" : "x") + std::to_string(extent.get<std::int64_t>());
    return text;
}

json shape_json(const models::Shape& shape) {
    json extents = json::array();
    for (std::size_t i = 0; i < shape.rank(); ++i) extents.push_back(shape[i]);
    return extents;
}

std::string_view name_of(quant::FormatKind kind) {
    switch (kind) {
        case quant::FormatKind::pixel: return "pixel";
        case quant::FormatKind::code: return "code";
        case quant::FormatKind::fixed: return "fixed";
        case quant::FormatKind::score: return "score";
        case quant::FormatKind::probability: return "probability";
        case quant::FormatKind::hybrid: return "hybrid";
        case quant::FormatKind::coordinate: return "coordinate";
        case quant::FormatKind::floating: return "float";
    }
    return "";
}

json format_json(const quant::Format& format) {
    json result{{"kind", name_of(format.kind)}, {"bits", format.bits}};
    if (format.kind == quant::FormatKind::code) result["groups"] = format.num_groups();
    if (format.kind == quant::FormatKind::probability) {
        result["scheme"] = format.code == quant::OperandKind::uniform ? "uniform" : format.code == quant::OperandKind::logarithmic ? "log" : "lnq";
        if (format.tau > 0) {
            result["log_base"] = format.tau == 1 ? "2" : format.tau == 2 ? "sqrt2" : "2^(1/4)";
            result["shift_cap"] = format.shift_cap;
        }
    }
    return result;
}

std::string format_text(const json& format) {
    auto text = fmt::format("{} {}", format.at("kind").get<std::string>(), format.at("bits").get<int>());
    if (const auto groups = format.value("groups", std::int64_t{1}); groups > 1) text += fmt::format(" in {} groups", groups);
    if (const auto scheme = format.value("scheme", "uniform"); scheme != "uniform") text += fmt::format(" {}", scheme);
    if (format.contains("log_base")) text += fmt::format(" {}", format.at("log_base").get<std::string>());
    return text;
}

json node_json(const models::Graph& graph, const models::Node& node, const quant::FormatPlan* plan) {
    json inputs = json::array();
    for (const auto id : node.inputs) inputs.push_back({{"name", graph.value(id).name}, {"shape", shape_json(graph.value(id).shape)}});
    const auto& output = graph.value(node.output);
    json result{{"name", node.name},
                {"part", models::part_name(node.part)},
                {"block", node.block},
                {"operator", models::operator_name(node.op)},
                {"inputs", std::move(inputs)},
                {"output", {{"name", output.name}, {"shape", shape_json(output.shape)}}},
                {"macs", models::num_macs(graph, node)},
                {"parameters", models::num_parameters(graph, node)}};
    if (plan == nullptr) return result;
    for (std::size_t i = 0; i < node.inputs.size(); ++i) result["inputs"][i]["format"] = format_json(plan->format(graph.value(node.inputs[i]).name));
    result["output"]["format"] = format_json(plan->format(output.name));
    if (quant::is_contraction(node.op)) {
        const auto& widths = plan->contraction(node.name);
        result["contraction"] = {{"left_bits", widths.left_bits}, {"right_bits", widths.right_bits}, {"depth", widths.depth},
                                 {"terms", widths.term_sizes.size()}, {"product_bits", widths.product_bits}, {"accumulator_bits", widths.accumulator_bits}};
    }
    return result;
}

json hardware_json(const DesignPoint& point) {
    const auto& pe = point.design.pe;
    const auto& r = point.resources;
    return {{"device", point.design.device.name}, {"clock_mhz", point.design.clock_mhz},
            {"pe", {{"rows", pe.rows}, {"cols", pe.cols}, {"depth", pe.depth}}},
            {"lut", std::ceil(r.lut.value)}, {"ff", std::ceil(r.ff.value)}, {"dsp", std::ceil(r.dsp.value)}, {"bram36", std::ceil(r.bram36.value)}, {"uram", std::ceil(r.uram.value)},
            {"fits", r.fits}, {"infeasible", point.infeasible}};
}

/// Segment by segment in the order of execution, its mapping or why there is none.
json tiling_json(const DesignPoint& point, const WorkloadSettings& workload) {
    json result = json::array();
    const auto options = simulation_options(point, workload);
    for (const auto& [segment, mapping, problems, pinned] : sim::plan_mappings(point.graph, point.plan, point.design, options)) {
        auto& entry = result.emplace_back(json{{"segment", segment}});
        if (mapping.infeasible.empty()) entry.update({{"tiles", mapping.to_string()}, {"estimated_cycles", mapping.estimated_cycles}, {"pinned", pinned != nullptr}});
        else entry["infeasible"] = mapping.infeasible;
    }
    return result;
}

void write_mappings(const std::filesystem::path& file, const json& description, const std::string& configuration) {
    std::vector<std::pair<std::string, std::string>> mappings;
    if (description.contains("tiling"))
        for (const auto& entry : description.at("tiling")) {
            if (entry.contains("infeasible")) throw models::InputError(fmt::format("--mapping-out {}: {}: {}", file.string(), entry.at("segment").get<std::string>(), entry.at("infeasible").get<std::string>()));
            mappings.emplace_back(entry.at("segment"), entry.at("tiles"));
        }
    if (mappings.empty()) throw models::InputError(fmt::format("--mapping-out {}: the design has no mappings: {}", file.string(), description.contains("hardware") ? description.at("hardware").at("infeasible").get<std::string>() : "it computes in floating point"));
    write_atomically(file, mapping_file_text(mappings, "Mappings of " + configuration));
}

json model_json(const ModelSettings& model) {
    if (model.kind == ModelKind::layers) return {{"layers", model.path}};
    const auto config = model_config(model);
    json result{{"preset", model.preset}, {"checkpoint", checkpoint_path(model)}, {"global_blocks", config.global_blocks}, {"relative_positions", config.relative_positions}};
    for (const auto& field : models::sam_config_fields()) result[std::string(field.name)] = config.*field.value;
    return result;
}

/// Columns aligned, the first to the left, those named in `right` to the right.
class Table {
  public:
    explicit Table(std::vector<std::string> header, std::vector<bool> right) : right_(std::move(right)) { rows_.push_back(std::move(header)); }
    void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }

    [[nodiscard]] std::string text() const {
        std::vector<std::size_t> widths(rows_[0].size());
        for (const auto& row : rows_)
            for (std::size_t c = 0; c < row.size(); ++c) widths[c] = std::max(widths[c], row[c].size());
        std::string text;
        for (const auto& row : rows_) {
            std::string line;
            for (std::size_t c = 0; c < row.size(); ++c) line += right_[c] ? fmt::format("  {:>{}}", row[c], widths[c]) : fmt::format("  {:<{}}", row[c], widths[c]);
            line.erase(line.find_last_not_of(' ') + 1);
            text += line + "\n";
        }
        return text;
    }

  private:
    std::vector<std::vector<std::string>> rows_;
    std::vector<bool> right_;
};

/// Computes: what a reader of a network looks for. The rest moves words or names parameters.
bool computes(const json& node) {
    constexpr std::array<std::string_view, 6> kMovement{"window_partition", "window_unpartition", "rearrange", "concat", "requantize", "parameter"};
    return std::ranges::find(kMovement, node.at("operator").get<std::string>()) == kMovement.end();
}

/// The node without its number, names cut to what follows the block: equal for blocks that are alike.
json without_block(const json& node) {
    json result = node;
    const auto prefix = fmt::format("block{}.", node.at("block").get<int>()), layer = fmt::format("layer{}.", node.at("block").get<int>());
    const auto cut = [&](json& name) {
        auto text = name.get<std::string>();
        for (const auto& each : {prefix, layer})
            if (const auto at = text.find(each); at != std::string::npos) text.erase(0, at + each.size());
        name = text;
    };
    cut(result["name"]);
    cut(result["output"]["name"]);
    for (auto& input : result["inputs"]) input.erase("name");
    result.erase("block");
    return result;
}

/// Nodes that stand together: a block, or the nodes of a part between blocks; and the blocks equal to it.
struct Section {
    std::string part;
    std::vector<int> blocks;  ///< {-1}: outside blocks
    std::vector<const json*> nodes;
    json likeness;
};

std::vector<Section> sections_of(const json& nodes, bool all) {
    std::vector<Section> sections;
    for (const auto& node : nodes) {
        const auto part = node.at("part").get<std::string>();
        const int block = node.at("block").get<int>();
        if (sections.empty() || sections.back().part != part || sections.back().blocks[0] != block) sections.push_back({.part = part, .blocks = {block}, .nodes = {}, .likeness = {}});
        sections.back().nodes.push_back(&node);
        sections.back().likeness.push_back(without_block(node));
    }
    if (all) return sections;
    std::vector<Section> distinct;
    for (auto& section : sections) {
        const auto same = std::ranges::find_if(distinct, [&](const auto& other) { return section.blocks[0] >= 0 && other.part == section.part && other.likeness == section.likeness; });
        if (same == distinct.end()) distinct.push_back(std::move(section));
        else same->blocks.push_back(section.blocks[0]);
    }
    return distinct;
}

std::string title_of(const Section& section) {
    if (section.blocks[0] < 0) return section.part;
    std::string numbers;
    for (const auto block : section.blocks) numbers += (numbers.empty() ? "" : ", ") + std::to_string(block);
    return fmt::format("{} block{} {}{}", section.part, section.blocks.size() == 1 ? "" : "s", numbers, section.blocks.size() == 1 ? "" : " (each)");
}

std::string print_section(const Section& section, bool all, bool has_formats) {
    std::vector<std::string> header{"node", "operator", "inputs", "output", "MMAC", "parameters"};
    if (has_formats) header.insert(header.end(), {"operands", "product", "accumulator", "output format"});
    Table table(std::move(header), {false, false, false, false, true, true, true, true, true, false});
    std::size_t hidden = 0;
    std::int64_t macs = 0, parameters = 0;
    for (const auto* node : section.nodes) {
        macs += node->at("macs").get<std::int64_t>();
        parameters += node->at("parameters").get<std::int64_t>();
        if (!all && !computes(*node)) {
            ++hidden;
            continue;
        }
        std::string inputs;
        for (const auto& input : node->at("inputs")) inputs += (inputs.empty() ? "" : " ") + shape_text(input.at("shape"));
        const auto count = [](std::int64_t number) { return number == 0 ? std::string() : std::to_string(number); };
        std::vector<std::string> row{node->at("name").get<std::string>(), node->at("operator").get<std::string>(), inputs, shape_text(node->at("output").at("shape")),
                                     node->at("macs") == 0 ? "" : fmt::format("{:.3f}", node->at("macs").get<double>() / kMega), count(node->at("parameters").get<std::int64_t>())};
        if (has_formats) {
            const auto* widths = node->contains("contraction") ? &node->at("contraction") : nullptr;
            row.push_back(widths ? fmt::format("{}x{}", widths->at("left_bits").get<int>(), widths->at("right_bits").get<int>()) : "");
            row.push_back(widths ? std::to_string(widths->at("product_bits").get<int>()) : "");
            row.push_back(widths ? std::to_string(widths->at("accumulator_bits").get<int>()) : "");
            row.push_back(format_text(node->at("output").at("format")));
        }
        table.add(std::move(row));
    }
    auto text = fmt::format("\n{}: {} nodes, {:.3f} MMAC, {} parameters", title_of(section), section.nodes.size(), static_cast<double>(macs) / kMega, parameters);
    if (hidden > 0) text += fmt::format("; {} that move words or name parameters are not shown (--all)", hidden);
    return text + "\n" + (hidden == section.nodes.size() ? "" : table.text());
}

/// "encoder.block12.qkv" -> "encoder.block*.qkv".
std::string without_number(const std::string& name) {
    for (const std::string_view word : {"block", "layer"}) {
        const auto at = name.find(word);
        if (at == std::string::npos) continue;
        const auto begin = at + word.size(), end = name.find_first_not_of("0123456789", begin);
        if (end != begin && end != std::string::npos) return name.substr(0, begin) + "*" + name.substr(end);
    }
    return name;
}

std::string print_tiling(const json& tiling, bool all) {
    Table table({"segment", "times", "mapping", "estimated cycles (each)"}, {false, true, false, true});
    std::map<std::pair<std::string, std::string>, std::pair<std::int64_t, std::int64_t>> kinds;  ///< segment and tiles: how many, cycles
    for (const auto& entry : tiling) {
        const auto segment = entry.at("segment").get<std::string>();
        const bool feasible = entry.contains("tiles");
        const auto text = feasible ? entry.at("tiles").get<std::string>() : "infeasible: " + entry.at("infeasible").get<std::string>();
        auto& [count, cycles] = kinds[{all ? segment : without_number(segment), text}];
        ++count;
        cycles = feasible ? entry.at("estimated_cycles").get<std::int64_t>() : 0;
    }
    for (const auto& [kind, numbers] : kinds)
        table.add({kind.first, std::to_string(numbers.first), kind.second, numbers.second > 0 ? std::to_string(numbers.second) : ""});
    return "\nmappings (--mapping-out FILE writes them as a file that hw.mapping takes)\n" + table.text();
}

std::string print_model(const json& model) {
    if (model.contains("layers")) return fmt::format("model     layers of {}; weights: none (shapes only)\n", model.at("layers").get<std::string>());
    const auto checkpoint = model.at("checkpoint").get<std::string>();
    return fmt::format("model     {}, {} pixels, width {}, depth {}; weights: {}\n", model.at("preset").get<std::string>(), model.at("image_size").get<int>(),
                       model.at("width").get<int>(), model.at("depth").get<int>(), checkpoint.empty() ? "none (shapes only)" : checkpoint);
}

}  // namespace

json describe(const Settings& settings, const sim::CostTable& costs) {
    std::optional<DesignPoint> point;
    if (settings.quant.has_datapath()) point = resolve_design(settings, costs);
    const auto graph = point ? point->graph : workload_graph(settings);
    json result{{"model", model_json(settings.model)}, {"nodes", json::array()}, {"parts", json::object()}};
    std::int64_t macs = 0, parameters = 0;
    for (const auto& node : graph.nodes()) {
        result["nodes"].push_back(node_json(graph, node, point ? &point->plan : nullptr));
        auto& part = result["parts"][std::string(models::part_name(node.part))];
        if (part.is_null()) part = json::object();
        const auto add = [&](const char* name, std::int64_t number) { part[name] = part.value(name, std::int64_t{0}) + number; };
        add("nodes", 1);
        add("macs", models::num_macs(graph, node));
        add("parameters", models::num_parameters(graph, node));
        macs += models::num_macs(graph, node);
        parameters += models::num_parameters(graph, node);
    }
    result["totals"] = {{"nodes", graph.nodes().size()}, {"macs", macs}, {"parameters", parameters}};
    if (point) {
        result["formats_assumed"] = point->plan.assumed;
        result["hardware"] = hardware_json(*point);
        if (point->infeasible.empty()) result["tiling"] = tiling_json(*point, workload_of(settings));
    }
    return result;
}

std::string print_description(const json& description, bool all) {
    const auto& model = description.at("model");
    auto text = print_model(model);
    const bool has_formats = description.contains("hardware");
    if (has_formats) {
        const auto& hardware = description.at("hardware");
        const auto& pe = hardware.at("pe");
        text += fmt::format("hardware  {}, {} x {} x {} PE array, {:.1f} MHz; {:.0f} LUT, {:.0f} FF, {:.0f} DSP, {:.0f} BRAM36, {:.0f} URAM: {}\n", hardware.at("device").get<std::string>(),
                            pe.at("rows").get<int>(), pe.at("cols").get<int>(), pe.at("depth").get<int>(), hardware.at("clock_mhz").get<double>(),
                            hardware.at("lut").get<double>(), hardware.at("ff").get<double>(), hardware.at("dsp").get<double>(), hardware.at("bram36").get<double>(), hardware.at("uram").get<double>(),
                            hardware.at("infeasible").get<std::string>().empty() ? "feasible" : hardware.at("infeasible").get<std::string>());
        if (description.at("formats_assumed").get<bool>()) text += "formats   from settings alone; calibration may move group sizes\n";
    } else {
        text += "hardware  none: quant.mode compat\n";
    }
    for (const auto& section : sections_of(description.at("nodes"), all)) text += print_section(section, all, has_formats);

    if (description.contains("tiling")) text += print_tiling(description.at("tiling"), all);
    Table totals({"part", "nodes", "GMAC", "parameters"}, {false, true, true, true});
    const auto row = [&](const std::string& name, const json& part) {
        totals.add({name, part.at("nodes").dump(), fmt::format("{:.4f}", part.at("macs").get<double>() / kGiga), part.at("parameters").dump()});
    };
    for (const char* name : {"encoder", "prompt", "decoder", "postprocess"})
        if (description.at("parts").contains(name)) row(name, description.at("parts").at(name));
    row("all", description.at("totals"));
    return text + (model.contains("layers") ? "\ntotals\n" : "\ntotals (one image, one prompt; padding tokens of windows count)\n") + totals.text();
}

int inspect(const InspectCommand& command) {
    const auto configuration = read_configuration(command.config, command.sets, arch_configs_folder());
    const Grid grid(configuration);
    const auto settings = grid.at(0).settings;
    const auto& costs = configuration.costs.at(settings.cost_table);
    const auto description = describe(settings, costs);
    if (grid.size() > 1) std::fputs(fmt::format("the first of {} design points; --set chooses another\n", grid.size()).c_str(), stderr);
    if (!command.mapping_out.empty()) write_mappings(command.mapping_out, description, command.config.string());
    std::fputs(command.json ? (description.dump(1) + "\n").c_str() : print_description(description, command.all).c_str(), stdout);
    return kDone;
}

}  // namespace prelude::experiments
