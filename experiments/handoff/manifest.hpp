// SPDX-License-Identifier: Apache-2.0
#pragma once

// manifest.json of an export: what lies where, and what it was made from.

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "experiments/dumps/word_format.hpp"
#include "models/graph/sam.hpp"

namespace prelude::experiments {

inline constexpr std::string_view kManifestFile = "manifest.json";
inline constexpr std::string_view kOperationsFile = "operations.safetensors";
inline constexpr std::string_view kExpectedFile = "expected.json";
inline constexpr std::string_view kConfigurationFile = "config.resolved.yaml";

struct ManifestTensor {
    std::string name;
    std::string description;                     ///< its JSON file
    std::map<std::string, std::string> files{};  ///< by format
};

struct ManifestFile {
    std::uint64_t bytes = 0;
    std::string sha256;
};

struct Manifest {
    std::string version;  ///< of the program that wrote it
    std::string design;   ///< "arch_configs/quickstart.yaml, point 3"
    std::string picture, prompt;
    models::SamWorkload workload;
    std::vector<std::string> nodes;             ///< in the order of execution, constants left out
    Packing packing;                            ///< of hexadecimal files
    std::vector<ManifestTensor> tensors;        ///< in the order of execution
    std::map<std::string, ManifestFile> files;  ///< every other file of the folder
};

[[nodiscard]] nlohmann::ordered_json to_json(const Manifest& manifest);

/// Limits    up to 100000 tensors; paths stay inside the folder
/// Throws    models::InputError listing every problem; a folder without a manifest is none of a finished export
[[nodiscard]] Manifest read_manifest(const std::filesystem::path& folder);

}  // namespace prelude::experiments
