// SPDX-License-Identifier: Apache-2.0
// explore export and explore verify as their users call them.
#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "experiments/hash.hpp"
#include "tests/paths.hpp"
#include "tests/support/program.hpp"

using namespace prelude::testing;
using Catch::Contains;
namespace fs = std::filesystem;
using prelude::experiments::sha256_of_path;

namespace {

Ended explore(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), EXPLORE);
    return run(arguments, {"OMP_NUM_THREADS=1"});
}

/// An export of some layers of the smallest design, made once.
const fs::path& golden() {
    static const TemporaryFolder folder;
    static const fs::path path = [] {
        const auto config = folder / "design.yaml";
        write_file(config,
                   "model: {preset: sam_nano}\ndata: {kind: [phantom], num_images: 1, prompts_per_image: 1}\n"
                   "quant: {weight_bits: 4, activation_bits: 4, groups: 2, calibration: {num_images: 1}}\nhw: {device: zcu102}\n");
        const auto ended = explore({"export", "--config", config, "--out", folder / "golden", "--layers",
                                    "encoder.block0.norm2,encoder.block0.lin1,encoder.block0.gelu,encoder.block0.softmax", "--formats",
                                    "bin,hex,dat,real,cosim,header", "--word-bits", "64", "--quiet"});
        INFO(ended.err);
        REQUIRE(ended.code == 0);
        CHECK_THAT(ended.out, Contains("4 layers of sam_nano"));
        CHECK_THAT(ended.out, Contains("expected of them: "));
        return folder / "golden";
    }();
    return path;
}

Ended verify(const fs::path& actual, std::vector<std::string> more = {}) {
    std::vector<std::string> arguments{"verify", "--golden", golden(), "--actual", actual, "--quiet"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return explore(arguments);
}

/// The binary dumps, with the bytes of one changed.
template <class Change>
void with_changed(const fs::path& folder, const std::string& tensor, const Change& change) {
    fs::copy(golden() / "bin", folder);
    auto bytes = read_file(folder / (tensor + ".bin"));
    change(bytes);
    write_file(folder / (tensor + ".bin"), bytes);
}

}  // namespace

TEST_CASE("Every format of an export passes as the dumps of a build, told or recognised") {
    for (const auto* format : {"bin", "hex", "dat", "cosim", "header"}) {
        INFO(format);
        const auto ended = verify(golden() / format);
        CHECK(ended.code == 0);
        CHECK_THAT(ended.out, Contains("0 failed"));
        CHECK(verify(golden() / format, {"--format", format}).code == 0);
    }
    // Probabilities have no values of their own: their row gives them.
    const std::string with_values = "encoder.block0.norm2.out,encoder.block0.lin1.out,encoder.block0.gelu.out";
    CHECK(verify(golden() / "real", {"--only", with_values}).code == 0);
    CHECK(verify(golden() / "real", {"--only", with_values, "--format", "real"}).code == 0);
    CHECK_FALSE(fs::exists(golden() / "real" / "encoder.block0.softmax.out.dat"));
    CHECK(verify(golden() / "tensors").code == 0);
}

TEST_CASE("The manifest names every file of an export with its hash") {
    const auto manifest = nlohmann::json::parse(read_file(golden() / "manifest.json"));
    CHECK(manifest.at("nodes").size() == 4);
    for (const auto& [name, file] : manifest.at("files").items()) {
        INFO(name);
        CHECK(sha256_of_path(golden() / name) == file.at("sha256"));
        CHECK(fs::file_size(golden() / name) == file.at("bytes"));
    }
    CHECK(manifest.at("files").contains("hls/prelude_params.h"));
    CHECK(manifest.at("files").contains("expected.json"));
    for (const auto& tensor : manifest.at("tensors")) {
        const auto description = nlohmann::json::parse(read_file(golden() / tensor.at("description").get<std::string>()));
        CHECK(description.at("name") == tensor.at("name"));
        CHECK(sha256_of_path(golden() / tensor.at("files").at("npy").get<std::string>()) == description.at("sha256"));
        CHECK(tensor.at("files").size() == (description.contains("scale") ? 7 : 6));
    }
    const auto expected = nlohmann::json::parse(read_file(golden() / "expected.json"));
    CHECK(expected.at("nodes").size() == 4);
}

TEST_CASE("One changed word fails, is placed, and is told in code and real units, JUnit and HTML say so") {
    const TemporaryFolder folder;
    with_changed(folder / "actual", "encoder.block0.gelu.out",
                 [](auto& bytes) { bytes[512 * 7 + 100] = static_cast<char>(bytes[512 * 7 + 100] ^ 1); });
    const auto ended =
        verify(folder / "actual", {"--junit", folder / "v.xml", "--html", folder / "v.html", "--heat-maps", folder / "maps"});
    CHECK(ended.code == 1);
    CHECK_THAT(ended.out, Contains("first mismatch at token 7, channel 100 (word 3684): golden "));
    CHECK_THAT(ended.out, Contains("diagnosis: unknown"));
    CHECK_THAT(ended.out, Contains("1 failed"));
    CHECK_THAT(read_file(folder / "v.xml"),
               Contains("failures=\"1\"") && Contains("<testcase classname=\"tensors\" name=\"encoder.block0.gelu.out\">"));
    CHECK_THAT(read_file(folder / "v.html"), Contains("data:image/png;base64,") && Contains("first mismatch at token 7, channel 100"));
    CHECK(fs::file_size(folder / "maps" / "encoder.block0.gelu.out.png") > 100);
}

TEST_CASE("Missing and extra words, a missing output, an empty folder and unknown dumps are no pass") {
    const TemporaryFolder folder;
    with_changed(folder / "short", "encoder.block0.lin1.out", [](auto& bytes) { bytes.pop_back(); });
    with_changed(folder / "long", "encoder.block0.lin1.out", [](auto& bytes) { bytes += '\0'; });
    auto ended = verify(folder / "short");
    CHECK(ended.code == 1);
    CHECK_THAT(ended.out, Contains("1 words missing: 131071 of 131072"));
    ended = verify(folder / "long");
    CHECK(ended.code == 1);
    CHECK_THAT(ended.out, Contains("1 words too many: 131073 for 131072"));
    fs::create_directories(folder / "empty");
    ended = verify(folder / "empty");
    CHECK(ended.code == 1);
    CHECK_THAT(ended.out, Contains("the build dumped no such output"));
    CHECK(verify(folder / "empty", {"--only", "*.weights"}).code == 1);
    fs::copy(golden() / "bin", folder / "less");
    fs::remove(folder / "less" / "encoder.block0.softmax.out.bin");
    write_file(folder / "less" / "noise.dat", "1 2 3\n");
    ended = verify(folder / "less");
    CHECK(ended.code == 1);
    CHECK_THAT(ended.out, Contains("encoder.block0.softmax.out\n  the build dumped no such output"));
    CHECK_THAT(ended.out, Contains("note: noise.dat: no tensor of the export is called so"));
    CHECK(verify(folder / "less", {"--only", "encoder.block0.lin1.*,encoder.block0.gelu.*"}).code == 0);
}

TEST_CASE("Broken dumps and exports are refused with their names, whatever else is right") {
    const TemporaryFolder folder;
    fs::copy(golden() / "dat", folder / "nan");
    write_file(folder / "nan" / "encoder.block0.lin1.out.dat", "1 2 nan\n");
    auto ended = verify(folder / "nan");
    CHECK(ended.code == 3);
    CHECK_THAT(ended.out, Contains("encoder.block0.lin1.out.dat:1: found 'nan'"));
    fs::copy(golden() / "bin", folder / "two");
    fs::copy(golden() / "dat" / "encoder.block0.lin1.out.dat", folder / "two" / "encoder.block0.lin1.out.dat");
    ended = verify(folder / "two");
    CHECK(ended.code == 3);
    CHECK_THAT(ended.err, Contains("encoder.block0.lin1.out: two dumps of it"));
    CHECK(verify(folder / "two", {"--format", "bin"}).code == 0);
    CHECK(verify(folder / "nowhere").code == 3);
    ended = explore({"verify", "--golden", folder / "two", "--actual", folder / "two"});
    CHECK(ended.code == 3);
    CHECK_THAT(ended.err, Contains("no manifest.json"));

    // A golden file that somebody changed is not what was exported.
    fs::copy(golden(), folder / "changed", fs::copy_options::recursive);
    const auto array = folder / "changed" / "tensors" / "encoder.block0.gelu.out.npy";
    auto bytes = read_file(array);
    bytes.back() = static_cast<char>(bytes.back() ^ 1);
    write_file(array, bytes);
    ended = explore({"verify", "--golden", folder / "changed", "--actual", golden() / "bin", "--quiet"});
    CHECK(ended.code == 3);
    CHECK_THAT(ended.out, Contains("not the file that was exported"));
    write_file(
        folder / "changed" / "manifest.json",
        "{\"format\": \"prelude.export/1\", \"tensors\": [{\"name\": \"../x\", \"description\": \"../../etc/passwd\", \"files\": {}}]}");
    ended = explore({"verify", "--golden", folder / "changed", "--actual", golden() / "bin"});
    CHECK(ended.code == 3);
    CHECK_THAT(ended.err, Contains("is no path inside the folder") && Contains("workload: missing"));
}

TEST_CASE("What cannot be exported is refused before anything is written") {
    const TemporaryFolder folder;
    const auto quickstart = std::string(PRELUDE_SOURCE_DIR "/arch_configs/quickstart.yaml");
    auto ended = explore({"export", "--config", quickstart, "--out", folder / "g"});
    CHECK(ended.code == 3);
    CHECK_THAT(ended.err, Contains("36 design points over") && Contains("--design-point N chooses one"));
    ended = explore({"export", "--config", quickstart, "--design-point", "36", "--out", folder / "g"});
    CHECK(ended.code == 3);
    CHECK_THAT(ended.err, Contains("has points 0 to 35"));
    ended = explore({"export", "--config", quickstart, "--design-point", "0", "--layers", "encoder.block0.lin9,encoder.blck*", "--units",
                     "engine", "--out", folder / "g"});
    CHECK(ended.code == 3);
    CHECK_THAT(ended.err, Contains("unit 'engine': allowed: pe_array") && Contains("no layer matches 'encoder.block0.lin9'") &&
                              Contains("no layer matches 'encoder.blck*'"));
    ended = explore({"export", "--config", quickstart, "--design-point", "0", "--set", "model.checkpoint=none", "--out", folder / "g"});
    CHECK(ended.code == 3);
    CHECK_THAT(ended.err, Contains("golden vectors need them"));
    CHECK(explore({"export", "--out", folder / "g"}).code == 2);
    CHECK_FALSE(fs::exists(folder / "g"));
    fs::create_directories(folder / "mine");
    write_file(folder / "mine" / "thesis.txt", "years of work");
    ended = explore({"export", "--config", quickstart, "--design-point", "0", "--layers", "encoder.block0.lin1", "--out", folder / "mine"});
    CHECK(ended.code == 3);
    CHECK_THAT(ended.err, Contains("holds thesis.txt, which is no part of an export"));
    CHECK(read_file(folder / "mine" / "thesis.txt") == "years of work");
}

TEST_CASE("Reports are held against expected.json, and against an earlier build") {
    const TemporaryFolder folder;
    const auto report = std::string(PRELUDE_SOURCE_DIR "/tests/data/reports/");
    std::string csynth;
    for (const auto& entry : fs::directory_iterator(report))
        if (entry.path().filename().string().find("csynth") != std::string::npos && entry.path().extension() == ".xml")
            csynth = entry.path();
    REQUIRE_FALSE(csynth.empty());
    const auto with = [&](std::vector<std::string> more) {
        std::vector<std::string> arguments{"verify", "--golden", golden(), "--csynth", csynth};
        arguments.insert(arguments.end(), more.begin(), more.end());
        return explore(arguments);
    };
    auto ended = with({"--junit", folder / "v.xml", "--baseline", folder / "base.json", "--update-baseline"});
    CHECK(ended.code == 1);
    CHECK_THAT(ended.out, Contains("latency_max") && Contains("fail"));
    CHECK_THAT(read_file(folder / "v.xml"), Contains("classname=\"csynth\""));
    ended = with({"--baseline", folder / "base.json"});
    CHECK_THAT(ended.out, Contains("+0.0 %"));
    CHECK(with({"--baseline", folder / "none.json"}).code == 3);
    ended = explore({"verify", "--golden", golden(), "--power", csynth});
    CHECK(ended.code == 3);
    CHECK_THAT(ended.err, Contains("a report of kind csynth, given as power"));
    CHECK(explore({"verify", "--golden", golden()}).code == 2);
}
