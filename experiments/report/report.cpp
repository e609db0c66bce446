// SPDX-License-Identifier: Apache-2.0
#include "experiments/report/report.hpp"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string_view>

#include "experiments/columns.hpp"
#include "experiments/output/table.hpp"

namespace prelude::experiments {

// report/page and Chart.js, written by cmake/EmbedFiles.cmake.
namespace assets {
extern const std::string_view page, style, script, chart;
}

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

constexpr std::size_t kMaxPictures = 24;
constexpr std::uintmax_t kMaxPictureBytes = 4U << 20;
constexpr std::size_t kMaxCaption = 200;
constexpr std::size_t kKeyDigits = 64;

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

std::string base64(std::string_view bytes) {
    std::string text(4 * ((bytes.size() + 2) / 3) + 1, '\0');
    const int length = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()), reinterpret_cast<const unsigned char*>(bytes.data()),
                                       static_cast<int>(bytes.size()));
    text.resize(static_cast<std::size_t>(length));
    return text;
}

std::string read_bytes(const fs::path& file) {
    std::ifstream stream(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
}

std::string caption_of(const fs::path& picture) {
    std::string caption;
    std::ifstream text(fs::path(picture).replace_extension(".txt"));
    if (text) std::getline(text, caption);
    if (caption.empty()) {
        caption = picture.stem().string();
        if (is_key(std::string_view(caption).substr(0, kKeyDigits))) caption.erase(0, kKeyDigits);
        std::replace(caption.begin(), caption.end(), '_', ' ');
        caption.erase(0, caption.find_first_not_of(" -."));
    }
    return caption.substr(0, kMaxCaption);
}

json pictures_in(const fs::path& folder, const Store& store) {
    std::vector<fs::path> files;
    std::error_code failure;
    for (fs::directory_iterator entry(folder, failure), end; !failure && entry != end; entry.increment(failure))
        if (entry->path().extension() == ".png" && entry->is_regular_file(failure) && entry->file_size(failure) <= kMaxPictureBytes)
            files.push_back(entry->path());
    auto pictures = json::array();
    if (files.empty()) return pictures;
    std::sort(files.begin(), files.end());
    const auto keys = store.keys_in_rows();
    const std::set<std::string> current(keys.begin(), keys.end());
    for (const auto& file : files) {
        const auto key = file.filename().string().substr(0, kKeyDigits);
        if (is_key(key) && !current.contains(key)) continue;  // of another sweep in the same folder
        const auto bytes = read_bytes(file);
        if (!bytes.starts_with("\x89PNG")) continue;
        pictures.push_back({{"source", "data:image/png;base64," + base64(bytes)}, {"caption", caption_of(file)}});
        if (pictures.size() == kMaxPictures) break;
    }
    return pictures;
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

json data_of(const Results& results, const Store& store, const fs::path& overlays) {
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
            {"overlays", pictures_in(overlays, store)}};
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

std::string report_html(const Results& results, const Store& store, const fs::path& overlays) {
    return filled(assets::page, {{"title", escaped_html(fs::path(results.info.source).filename().string())},
                                 {"style", std::string(assets::style)},
                                 {"data", escaped_json(data_of(results, store, overlays))},
                                 {"chart", embedded(assets::chart)},
                                 {"script", embedded(assets::script)}});
}

}  // namespace prelude::experiments
