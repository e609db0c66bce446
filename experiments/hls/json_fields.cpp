// SPDX-License-Identifier: Apache-2.0
#include "experiments/hls/json_fields.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <fstream>

#include "experiments/config/error.hpp"

namespace prelude::experiments {

namespace {

using nlohmann::json;

constexpr std::size_t kMaxBytes = 1'000'000;
constexpr int kMaxDepth = 8;
constexpr std::size_t kMaxTextBytes = 1000;

[[noreturn]] void fail(const std::string& file, std::string problem) {
    models::DataProblems(file).fail(std::move(problem));
}

/// What stands there, for "got ...".
std::string described(const json& node) {
    if (node.is_object()) return "an object";
    if (node.is_array()) return "a list";
    return shown(node.dump(-1, ' ', true, json::error_handler_t::replace));
}

}  // namespace

json parse_json_file(std::string_view text, const std::string& file, std::string_view format) {
    if (text.size() > kMaxBytes) fail(file, fmt::format("{} bytes; files of up to {} are read", text.size(), kMaxBytes));
    bool too_deep = false;
    json content;
    try {
        content = json::parse(text, [&](int depth, json::parse_event_t, json&) {
            too_deep |= depth > kMaxDepth;
            return depth <= kMaxDepth;  // what is deeper is not kept
        });
    } catch (const json::exception& error) {
        fail(file, fmt::format("not JSON: {}", shown(error.what(), 200)));
    }
    if (too_deep) fail(file, fmt::format("nests deeper than {}", kMaxDepth));
    if (!content.is_object()) fail(file, fmt::format("got {}; allowed: an object of format {}", described(content), format));
    const auto found = content.find("format");
    if (found == content.end() || *found != format) {
        fail(file, fmt::format("format: {}; allowed: \"{}\"", found == content.end() ? "missing" : "got " + described(*found), format));
    }
    return content;
}

std::string read_json_text(const std::filesystem::path& file) {
    const auto name = file.string();
    if (!std::filesystem::is_regular_file(file)) fail(name, "no such file");
    if (const auto size = std::filesystem::file_size(file); size > kMaxBytes)
        fail(name, fmt::format("{} bytes; files of up to {} are read", size, kMaxBytes));
    std::ifstream in(file, std::ios::binary);
    std::string text{std::istreambuf_iterator<char>(in), {}};
    if (!in.good() && !in.eof()) fail(name, "cannot be read");
    return text;
}

JsonFields::JsonFields(const json& node, std::string path, models::DataProblems& problems)
    : node_(&node), path_(std::move(path)), problems_(&problems) {
    if (!node.is_object()) problems.add(fmt::format("{}: got {}; allowed: an object", path_, described(node)));
}

const json* JsonFields::find(std::string_view name, bool may_be_null) const {
    if (!node_->is_object()) return nullptr;  // told already
    const auto found = node_->find(name);
    if (found == node_->end()) problems_->add(fmt::format("{}: missing", path(name)));
    if (found == node_->end() || (may_be_null && found->is_null())) return nullptr;
    return &*found;
}

std::string JsonFields::text(std::string_view name) const {
    const auto* node = find(name);
    if (node == nullptr) return {};
    if (node->is_string() && node->get_ref<const std::string&>().size() <= kMaxTextBytes) return node->get<std::string>();
    refuse(name, *node, fmt::format("a text of at most {} bytes", kMaxTextBytes));
    return {};
}

std::string JsonFields::word(std::string_view name, const std::vector<std::string>& words) const {
    const auto* node = find(name);
    if (node == nullptr) return words.front();
    if (node->is_string() && std::ranges::find(words, node->get_ref<const std::string&>()) != words.end()) return node->get<std::string>();
    refuse(name, *node, fmt::format("{}", fmt::join(words, ", ")));
    return words.front();
}

double JsonFields::number(std::string_view name, double low, double high) const {
    const auto* node = find(name);
    if (node == nullptr) return low;
    if (node->is_number()) {
        const auto value = node->get<double>();
        if (value >= low && value <= high) return value;
    }
    refuse(name, *node, fmt::format("a number, {}..{}", low, high));
    return low;
}

std::vector<std::string> JsonFields::texts(std::string_view name, std::size_t most) const {
    const auto* node = find(name);
    if (node == nullptr) return {};
    const auto is_text = [](const json& item) { return item.is_string() && item.get_ref<const std::string&>().size() <= kMaxTextBytes; };
    if (node->is_array() && node->size() <= most && std::ranges::all_of(*node, is_text)) return node->get<std::vector<std::string>>();
    refuse(name, *node, fmt::format("a list of at most {} texts of at most {} bytes", most, kMaxTextBytes));
    return {};
}

void JsonFields::refuse(std::string_view name, const json& found, std::string_view allowed) const {
    problems_->add(fmt::format("{}: got {}; allowed: {}", path(name), described(found), allowed));
}

std::string JsonFields::path(std::string_view name) const {
    return path_.empty() ? std::string(name) : fmt::format("{}.{}", path_, shown(name));
}

}  // namespace prelude::experiments
