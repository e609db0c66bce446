// SPDX-License-Identifier: Apache-2.0
#include "experiments/handoff/manifest.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>

#include "experiments/dumps/tensor_description.hpp"
#include "models/error.hpp"

namespace prelude::experiments {

namespace {

using nlohmann::json;
using nlohmann::ordered_json;

constexpr std::string_view kFormat = "prelude.export/1";
constexpr std::size_t kMaxTensors = 100'000, kMaxText = 4096;
constexpr std::int64_t kMaxSide = 1 << 16;

struct WorkloadField {
    const char* name;
    std::int64_t models::SamWorkload::*value;
};
constexpr std::array kWorkloadFields{WorkloadField{"num_prompt_tokens", &models::SamWorkload::num_prompt_tokens},
                                     WorkloadField{"first_mask", &models::SamWorkload::first_mask},
                                     WorkloadField{"num_masks", &models::SamWorkload::num_masks},
                                     WorkloadField{"input_height", &models::SamWorkload::input_height},
                                     WorkloadField{"input_width", &models::SamWorkload::input_width},
                                     WorkloadField{"original_height", &models::SamWorkload::original_height},
                                     WorkloadField{"original_width", &models::SamWorkload::original_width}};

bool is_inside(std::string_view path) {
    const std::filesystem::path p(path);
    return !path.empty() && path.size() <= kMaxText && p.is_relative() &&
           std::ranges::none_of(p, [](const auto& part) { return part == ".."; });
}

class Reader {
  public:
    Reader(const json& object, const std::string& file) : object_(object), file_(file) {}

    Manifest run() {
        Manifest manifest;
        if (!object_.is_object() || text(object_, "format") != kFormat) throw models::InputError(fmt::format("{}: no {}", file_, kFormat));
        manifest.version = text(object_, "prelude");
        manifest.design = text(object_, "design");
        manifest.picture = text(object_, "picture");
        manifest.prompt = text(object_, "prompt");
        const auto& workload = member(object_, "workload", json::value_t::object);
        for (const auto& field : kWorkloadFields) manifest.workload.*field.value = integer(workload, field.name, 0, kMaxSide);
        if (const auto found = workload.find("mask_prompt"); found != workload.end() && found->is_boolean())
            manifest.workload.mask_prompt = found->get<bool>();
        for (const auto& name : list("nodes"))
            manifest.nodes.push_back(name.is_string() ? name.get<std::string>() : (problem("nodes: a name is no text"), std::string{}));
        const auto& packing = member(object_, "packing", json::value_t::object);
        manifest.packing.word_bits = static_cast<int>(integer(packing, "word_bits", 0, kMaxPackedBits));
        manifest.packing.order = text(packing, "element_order") == "msb_first" ? ElementOrder::msb_first : ElementOrder::lsb_first;
        for (const auto& entry : list("tensors")) {
            if (!entry.is_object()) {
                problem("tensors: an entry is no object");
                break;
            }
            auto& tensor =
                manifest.tensors.emplace_back(ManifestTensor{.name = text(entry, "name"), .description = path(entry, "description")});
            for (const auto& [format, file] : member(entry, "files", json::value_t::object).items()) {
                if (!file.is_string() || !is_inside(file.get_ref<const std::string&>()))
                    problem(fmt::format("tensors: {}: the file of format '{}' is no path inside the folder", tensor.name, format));
                else
                    tensor.files[format] = file.get<std::string>();
            }
            if (problems_.empty() && !tensor.files.contains("npy")) problem(fmt::format("tensors: {}: has no npy file", tensor.name));
        }
        if (!problems_.empty()) throw models::InputError(fmt::format("{}:\n    {}", file_, fmt::join(problems_, "\n    ")));
        return manifest;
    }

  private:
    void problem(std::string what) {
        if (problems_.size() < 20) problems_.push_back(std::move(what));
    }
    const json& member(const json& object, const char* key, json::value_t type) {
        static const json kObject = json::object(), kArray = json::array(), kText = "";
        const auto found = object.find(key);
        if (found != object.end() && found->type() == type) return *found;
        problem(fmt::format("{}: missing, or of another type", key));
        return type == json::value_t::object ? kObject : type == json::value_t::array ? kArray : kText;
    }
    std::string text(const json& object, const char* key) {
        const auto& value = member(object, key, json::value_t::string).get_ref<const std::string&>();
        if (value.size() > kMaxText) problem(fmt::format("{}: longer than {} characters", key, kMaxText));
        return value.substr(0, kMaxText);
    }
    std::string path(const json& object, const char* key) {
        auto value = text(object, key);
        if (!is_inside(value)) problem(fmt::format("{}: '{}' is no path inside the folder", key, value));
        return value;
    }
    std::int64_t integer(const json& object, const char* key, std::int64_t lo, std::int64_t hi) {
        const auto found = object.find(key);
        if (found != object.end() && found->is_number_integer() && found->get<std::int64_t>() >= lo && found->get<std::int64_t>() <= hi)
            return found->get<std::int64_t>();
        problem(fmt::format("{}: a whole number from {} to {} is needed", key, lo, hi));
        return lo;
    }
    const json& list(const char* key) {
        const auto& value = member(object_, key, json::value_t::array);
        static const json kArray = json::array();
        if (value.size() <= kMaxTensors) return value;
        problem(fmt::format("{}: more than {} entries", key, kMaxTensors));
        return kArray;
    }

    const json& object_;
    const std::string& file_;
    std::vector<std::string> problems_;
};

}  // namespace

ordered_json to_json(const Manifest& manifest) {
    ordered_json workload{{"mask_prompt", manifest.workload.mask_prompt}}, tensors = ordered_json::array(), files = ordered_json::object();
    for (const auto& field : kWorkloadFields) workload[field.name] = manifest.workload.*field.value;
    for (const auto& tensor : manifest.tensors)
        tensors.push_back({{"name", tensor.name}, {"description", tensor.description}, {"files", tensor.files}});
    for (const auto& [name, file] : manifest.files) files[name] = {{"bytes", file.bytes}, {"sha256", file.sha256}};
    return {{"format", kFormat},
            {"prelude", manifest.version},
            {"design", manifest.design},
            {"picture", manifest.picture},
            {"prompt", manifest.prompt},
            {"workload", workload},
            {"nodes", manifest.nodes},
            {"packing",
             {{"word_bits", manifest.packing.word_bits},
              {"element_order", manifest.packing.order == ElementOrder::lsb_first ? "lsb_first" : "msb_first"}}},
            {"tensors", tensors},
            {"files", files}};
}

Manifest read_manifest(const std::filesystem::path& folder) {
    const auto file = folder / kManifestFile;
    if (!std::filesystem::is_directory(folder)) throw models::InputError(fmt::format("{}: no such folder", folder.string()));
    if (!std::filesystem::exists(file))
        throw models::InputError(fmt::format("{}: no {}: not an export, or one that was not finished", folder.string(), kManifestFile));
    return Reader(read_json(file), file.string()).run();
}

}  // namespace prelude::experiments
