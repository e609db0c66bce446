// SPDX-License-Identifier: Apache-2.0
#include "experiments/report/report.hpp"

#include <fmt/format.h>

#include <map>
#include <nlohmann/json.hpp>
#include <string_view>

#include "experiments/columns.hpp"
#include "experiments/output/short_names.hpp"
#include "experiments/report/masks.hpp"

namespace prelude::experiments {

// report/page and Chart.js, written by cmake/EmbedFiles.cmake.
namespace assets {
extern const std::string_view page, style, script, chart;
}

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

std::string escaped_html(std::string_view text) {
    std::string result;
    for (const char c : text) {
        switch (c) {
            case '&': result += "&amp;"; break;
            case '<': result += "&lt;"; break;
            case '>': result += "&gt;"; break;
            case '"': result += "&quot;"; break;
            default: result += c;
        }
    }
    return result;
}

/// JSON that cannot end the script element it stands in.
std::string escaped_json(const json& value) {
    const auto text = value.dump(-1, ' ', true, json::error_handler_t::replace);
    std::string result;
    result.reserve(text.size());
    for (const char c : text) {
        switch (c) {  // these occur inside strings only
            case '<': result += "\\u003c"; break;
            case '>': result += "\\u003e"; break;
            case '&': result += "\\u0026"; break;
            default: result += c;
        }
    }
    return result;
}

json columns_of(const SweepInfo& info) {
    auto columns = json::array();
    for (const auto& name : result_columns(info)) {
        const auto* column = find_column(name);
        columns.push_back(
            {{"name", name}, {"unit", column == nullptr ? "" : column->unit}, {"sentence", column == nullptr ? "" : column->sentence}});
    }
    return columns;
}

/// Layers by point: those of the front first, then the others in order, as long as there is room.
json layers_of(const Results& results, const Store& store) {
    std::vector<std::int64_t> points;
    for (const bool front : {true, false})
        for (std::size_t i = 0; i < results.rows.size(); ++i)
            if (results.ranking.on_front[i] == front) points.push_back(results.rows[i].point);
    auto layers = json::object();
    std::size_t room = kMaxReportLayers;
    for (const auto point : points) {
        const auto row = store.row(point);
        if (!row || row->layers.empty()) continue;
        if (row->layers.size() > room) break;
        room -= row->layers.size();
        layers[std::to_string(point)] = row->layers;
    }
    return layers;
}

json data_of(const Results& results, const Store& store, const fs::path& cache) {
    const auto& info = results.info;
    const auto columns = result_columns(info);
    auto rows = json::array(), feasible = json::array(), front = json::array();
    for (std::size_t i = 0; i < results.rows.size(); ++i) {
        auto cells = json::array();
        for (const auto& column : columns) cells.push_back(text_in(results.rows[i], column));
        rows.push_back(std::move(cells));
        feasible.push_back(results.ranking.feasible[i] ? 1 : 0);
        front.push_back(results.ranking.on_front[i] ? 1 : 0);
    }
    return {{"version", PRELUDE_VERSION},
            {"source", info.source},
            {"resolved_yaml", info.resolved_yaml},
            {"swept", info.swept},
            {"swept_short", short_names(info.swept)},
            {"columns", columns_of(info)},
            {"rows", std::move(rows)},
            {"feasible", std::move(feasible)},
            {"front", std::move(front)},
            {"num_lacking", results.ranking.num_lacking},
            {"lacked", results.ranking.lacked},
            {"maximize", info.maximize},
            {"minimize", info.minimize},
            {"constraints", info.constraints},
            {"warnings", info.warnings},
            {"device", info.device},
            {"devices", info.devices},
            {"layer_columns", info.layer_columns},
            {"layers", layers_of(results, store)},
            {"masks", masks_of(results, store, cache)},
            {"comparison", results.comparison ? to_json(*results.comparison) : json(nullptr)}};
}

/// A script that cannot end its element.
std::string embedded(std::string_view script) {
    std::string text(script);
    for (std::size_t at = 0; (at = text.find("</", at)) != std::string::npos; at += 3) text.insert(at + 1, 1, '\\');
    return text;
}

/// Puts the parts in the place of their @name@; what is put in is not looked at again.
std::string filled(std::string_view page, const std::map<std::string_view, std::string>& parts) {
    std::string text;
    while (true) {
        const auto begin = page.find('@');
        const auto end = begin == std::string_view::npos ? begin : page.find('@', begin + 1);
        if (end == std::string_view::npos) return text += page;
        text += page.substr(0, begin);
        const auto part = parts.find(page.substr(begin + 1, end - begin - 1));
        if (part != parts.end()) {
            text += part->second;
            page.remove_prefix(end + 1);
        } else {
            text += '@';
            page.remove_prefix(begin + 1);
        }
    }
}

}  // namespace

std::string report_html(const Results& results, const Store& store, const fs::path& cache) {
    return filled(assets::page, {{"title", escaped_html(fs::path(results.info.source).filename().string())},
                                 {"style", std::string(assets::style)},
                                 {"data", escaped_json(data_of(results, store, cache))},
                                 {"chart", embedded(assets::chart)},
                                 {"script", embedded(assets::script)}});
}

}  // namespace prelude::experiments
