// SPDX-License-Identifier: Apache-2.0
// Broken configurations as files: NAME.yaml with its exact message in NAME.expected.
// Beside them may stand NAME.set (one --set argument a line) and NAME.arch (a folder used instead of arch_configs).
#include "experiments/config/configuration.hpp"
#include "tests/support/expected_text.hpp"
#include "tests/paths.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <vector>

using namespace prelude::experiments;
namespace fs = std::filesystem;

namespace {

const fs::path kFolder = PRELUDE_SOURCE_DIR "/tests/data/bad/configs";

std::vector<fs::path> listing(const fs::path& folder) {
    std::vector<fs::path> paths;
    for (const auto& entry : fs::recursive_directory_iterator(folder)) paths.push_back(entry.path());
    std::sort(paths.begin(), paths.end());
    return paths;
}

}  // namespace

TEST_CASE("Every broken configuration is refused with its exact message and nothing is written", "[expected]") {
    const auto before = listing(kFolder);
    std::size_t count = 0;
    for (const auto& entry : fs::directory_iterator(kFolder)) {
        if (entry.path().extension() != ".yaml") continue;
        ++count;
        const auto file = entry.path();
        INFO(file.string());
        std::vector<std::string> sets;
        std::ifstream arguments(fs::path(file).replace_extension(".set"));
        for (std::string line; std::getline(arguments, line);) sets.push_back(line);
        auto arch = fs::path(file).replace_extension(".arch");
        if (!fs::exists(arch)) arch = PRELUDE_SOURCE_DIR "/arch_configs";
        std::string message = "accepted";
        try {
            (void)read_configuration(file, sets, arch);
        } catch (const ConfigError& error) {
            message = error.what();
            CHECK(error.num_problems() >= 1);
        }
        message = with_placeholder(with_placeholder(message, file.string(), "{file}"), arch.string(), "{arch}");
        message = with_placeholder(message, kFolder.string(), "{folder}");
        CHECK(message != "accepted");
        check_expected_text(fs::path(file).replace_extension(".expected"), message + "\n");
    }
    CHECK(count >= 40);
    CHECK((std::getenv("PRELUDE_UPDATE_EXPECTED") != nullptr || listing(kFolder) == before));
}

TEST_CASE("Every expected message belongs to a broken configuration") {
    for (const auto& path : listing(kFolder))
        if (path.extension() == ".expected") {
            INFO(path.string());
            CHECK(fs::exists(fs::path(path).replace_extension(".yaml")));
        }
}

TEST_CASE("A configuration that is not there is refused by name") {
    try {
        (void)read_configuration("nowhere/a.yaml", {}, PRELUDE_SOURCE_DIR "/arch_configs");
        FAIL("accepted");
    } catch (const ConfigError& error) {
        CHECK(std::string(error.what()) ==
              "nowhere/a.yaml: cannot be opened: No such file or directory\n1 error in 1 file; nothing was run.");
    }
}
