// SPDX-License-Identifier: Apache-2.0
// Configurations and --set arguments under libFuzzer: nothing but ConfigError may come out, and what is accepted reads back the same.
#include "experiments/config/canonical.hpp"
#include "experiments/config/configuration.hpp"
#include "experiments/sweep/grid.hpp"

#include <cstdint>
#include <cstdlib>
#include <string>

using namespace prelude::experiments;

namespace {

const std::string kArchConfigs = PRELUDE_SOURCE_DIR "/arch_configs";

void require(bool condition) {
    if (!condition) std::abort();
}

void use(const Configuration& configuration) {
    const auto no_content = [](const std::string&) { return std::string("content"); };
    const Grid grid(configuration);
    for (std::int64_t i : {std::int64_t{0}, grid.size() / 2, grid.size() - 1}) {
        const auto point = grid.at(i);
        require(point.swept.size() == grid.columns().size());
        require(!numeric_text(point.settings, no_content).empty() && !hardware_text(point.settings, no_content).empty());
    }
    const auto text = resolved_yaml(configuration);
    const auto again = read_configuration_text(text, "resolved", {}, kArchConfigs);
    require(resolved_yaml(again) == text);
    require(Grid(again).size() == grid.size());
    require(numeric_text(Grid(again).at(0).settings, no_content) == numeric_text(grid.at(0).settings, no_content));
}

}  // namespace

/// The text up to the first line "%" is the file, every line after it a --set argument.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    std::string text(reinterpret_cast<const char*>(bytes), size);
    std::vector<std::string> sets;
    if (const auto cut = text.find("\n%\n"); cut != std::string::npos) {
        std::string_view rest = std::string_view(text).substr(cut + 3);
        while (!rest.empty() && sets.size() < 16) {
            sets.emplace_back(rest.substr(0, rest.find('\n')));
            rest.remove_prefix(std::min(rest.size(), sets.back().size() + 1));
        }
        text.resize(cut + 1);
    }
    try {
        use(read_configuration_text(text, "input", sets, kArchConfigs));
    } catch (const ConfigError&) {
    }
    return 0;
}
