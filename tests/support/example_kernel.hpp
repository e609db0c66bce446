// SPDX-License-Identifier: Apache-2.0
#pragma once

// experiments/hls_example on words of the engine, and its single faults (tests/experiments/hls/example_faults.txt).

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "models/graph/graph.hpp"
#include "quant/engine/engine.hpp"
#include "quant/quantized_graph.hpp"

namespace prelude::testing {

/// Nodes the example implements.
[[nodiscard]] std::vector<std::string> example_nodes();
/// The numeric choices of experiments/hls_example/design.yaml, but for how it calibrates.
[[nodiscard]] quant::Settings example_settings();

/// Words as the data files hold them: by tensor name, raw little-endian bytes.
using DataFiles = std::map<std::string, std::string>;

/// What the kernel reads and what it has to write: every value of `part` in `words`, weights and accumulators of its layers.
struct ExampleData {
    DataFiles inputs, outputs;
};
[[nodiscard]] ExampleData example_data(const models::Graph& part, const quant::QuantizedGraph& quantized, const quant::Words& words);

/// One edit of the kernel or its header that must show.
struct Fault {
    std::string name, cause, file, edit;  ///< cause: what a diagnosis should name it; edit: a sed expression
};
/// Reads example_faults.txt: `name | cause | file | sed expression`, '#' comments.
[[nodiscard]] std::vector<Fault> read_faults(const std::filesystem::path& file);

/// A copy of the kernel with its headers in a folder.
class ExampleKernel {
  public:
    /// Copies the sources beside `params` (the text of prelude_params.h).
    ExampleKernel(std::filesystem::path folder, const std::string& params);
    /// Applies the edit; false if the text did not change.
    [[nodiscard]] bool plant(const Fault& fault) const;
    /// Compiles with g++ -O1; empty, or what the compiler says.
    [[nodiscard]] std::string build() const;
    /// Runs it on the data files of `in`, words go to `out`; empty, or what it said when it failed.
    [[nodiscard]] std::string run(const std::filesystem::path& in, const std::filesystem::path& out, bool isolated = false) const;

  private:
    std::filesystem::path folder_;
};

/// Writes NAME.bin of every entry.
void write_data(const std::filesystem::path& folder, const DataFiles& files);
/// Names of the data files of `expected` that differ in `folder`, each with how; in their order.
[[nodiscard]] std::vector<std::string> differing(const DataFiles& expected, const std::filesystem::path& folder);

}  // namespace prelude::testing
