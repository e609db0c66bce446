// SPDX-License-Identifier: Apache-2.0
#include "tests/support/example_kernel.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include "quant/engine/engine.hpp"
#include "tests/paths.hpp"
#include "tests/support/host_compiler.hpp"
#include "tests/support/program.hpp"

namespace prelude::testing {

namespace fs = std::filesystem;

namespace {

const std::vector<std::string> kSources{"layers.h", "kernel.h", "arithmetic.h", "kernel.cpp", "test_bench.cpp"};

int bytes_of(int bits) {
    return bits <= 8 ? 1 : bits <= 16 ? 2 : bits <= 32 ? 4 : 8;
}

template <class T>
std::string raw(const T& words, int bytes) {
    std::string text;
    for (const auto word : words) {
        for (int b = 0; b < bytes; ++b) text += static_cast<char>(static_cast<std::uint64_t>(static_cast<std::int64_t>(word)) >> (8 * b));
    }
    return text;
}

std::string trimmed(const std::string& text) {
    const auto first = text.find_first_not_of(" \t"), last = text.find_last_not_of(" \t");
    return first == std::string::npos ? "" : text.substr(first, last - first + 1);
}

}  // namespace

std::vector<std::string> example_nodes() {
    return {"encoder.block0.norm2", "encoder.block0.lin1",    "encoder.block0.gelu",   "encoder.block0.lin2",
            "encoder.block0.add2",  "encoder.block0.softmax", "decoder.layer0.lin1.in"};
}

quant::Settings example_settings() {
    quant::Settings settings;
    settings.weight_bits = settings.activation_bits = 4;
    settings.groups = 3;
    settings.mlp_hidden_scheme = quant::HiddenScheme::hluq;
    settings.softmax.log_base = quant::LogBase::sqrt_two;
    settings.softmax.scale = quant::ScaleMode::tensor;
    return settings;
}

ExampleData example_data(const models::Graph& part, const quant::QuantizedGraph& quantized, const quant::Words& words) {
    ExampleData data;
    const auto bytes = [&](models::ValueId id) {
        const auto& name = part.value(id).name;
        return raw(words.at(id).values(), bytes_of(quantized.plan.format(name).bits));
    };
    const quant::Engine engine(part, quantized);
    for (const auto id : part.inputs()) data.inputs[part.value(id).name] = bytes(id);
    for (const auto& node : part.nodes()) {
        data.outputs[part.value(node.output).name] = bytes(node.output);
        if (const auto* op = std::get_if<quant::Contraction>(&quantized.operation(node.name))) {
            data.inputs[node.name + ".weights"] = raw(op->weights, bytes_of(op->weight_bits + !op->weight_symmetric));
            data.outputs[node.name + ".accumulators"] =
                raw(engine.accumulators(node, std::vector{&words.at(node.inputs[0])}).values(), bytes_of(op->accumulator_bits));
        }
    }
    return data;
}

std::vector<Fault> read_faults(const fs::path& file) {
    std::ifstream in(file);
    std::vector<Fault> faults;
    for (std::string line; std::getline(in, line);) {
        if (trimmed(line).empty() || trimmed(line).front() == '#') continue;
        const auto first = line.find('|'), second = line.find('|', first + 1), third = line.find('|', second + 1);
        if (third == std::string::npos)
            throw std::runtime_error(fmt::format("{}: not `name | cause | file | sed expression`: {}", file.string(), line));
        faults.push_back({.name = trimmed(line.substr(0, first)),
                          .cause = trimmed(line.substr(first + 1, second - first - 1)),
                          .file = trimmed(line.substr(second + 1, third - second - 1)),
                          .edit = trimmed(line.substr(third + 1))});
    }
    return faults;
}

ExampleKernel::ExampleKernel(fs::path folder, const std::string& params) : folder_(std::move(folder)) {
    fs::create_directories(folder_);
    for (const auto& name : kSources)
        fs::copy_file(fs::path(PRELUDE_SOURCE_DIR "/experiments/hls_example") / name, folder_ / name, fs::copy_options::overwrite_existing);
    write_kernel_headers(folder_);
    write_file(folder_ / "prelude_params.h", params);
}

bool ExampleKernel::plant(const Fault& fault) const {
    const auto file = folder_ / fault.file;
    const auto before = read_file(file);
    const auto ended = testing::run({"sed", "-i", "-E", "-e", fault.edit, file.string()});
    if (ended.code != 0) throw std::runtime_error(fault.name + ": " + ended.err);
    return read_file(file) != before;
}

std::string ExampleKernel::build() const {
    std::vector<std::string> command{"g++",
                                     "-std=c++17",
                                     "-O1",
                                     "-Wall",
                                     "-Wextra",
                                     "-Wno-unknown-pragmas",
                                     "-Wno-unused-label",
                                     "-I" + folder_.string(),
                                     (folder_ / "kernel.cpp").string(),
                                     (folder_ / "test_bench.cpp").string(),
                                     "-o",
                                     (folder_ / "kernel").string()};
    std::istringstream flags(testing::run({"pkg-config", "--cflags", "--libs", "systemc"}).out);
    for (std::string flag; flags >> flag;) command.push_back(flag);
    const auto ended = testing::run(command);
    return ended.code == 0 && ended.err.empty() ? "" : ended.err + fmt::format("g++ ended with {}", ended.code);
}

std::string ExampleKernel::run(const fs::path& in, const fs::path& out, bool isolated) const {
    fs::create_directories(out);
    std::vector<std::string> command{(folder_ / "kernel").string(), in.string(), out.string()};
    if (isolated) command.push_back("isolated");
    const auto ended = testing::run(command, {"SYSTEMC_DISABLE_COPYRIGHT_MESSAGE=1"});
    return ended.code == 0 ? "" : fmt::format("code {}, signal {}: {}", ended.code, ended.signal, ended.err);
}

void write_data(const fs::path& folder, const DataFiles& files) {
    fs::create_directories(folder);
    for (const auto& [name, bytes] : files) write_file(folder / (name + ".bin"), bytes);
}

std::vector<std::string> differing(const DataFiles& expected, const fs::path& folder) {
    std::vector<std::string> list;
    for (const auto& [name, bytes] : expected) {
        const auto file = folder / (name + ".bin");
        if (!fs::exists(file)) {
            list.push_back(name + ": missing");
            continue;
        }
        const auto actual = read_file(file);
        if (actual == bytes) continue;
        const auto [a, b] = std::ranges::mismatch(bytes, actual);
        list.push_back(
            fmt::format("{}: {} of {} bytes, first difference at byte {}", name, actual.size(), bytes.size(), a - bytes.begin()));
    }
    return list;
}

}  // namespace prelude::testing
