// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "experiments/handoff/selection.hpp"
#include "experiments/hls/params_header.hpp"
#include "models/overloaded.hpp"

namespace prelude::experiments {

namespace {

/// The contraction of a node with weights.
const quant::Contraction* weights_of(const quant::Operation& operation) {
    if (const auto* op = std::get_if<quant::Contraction>(&operation)) return op;
    if (const auto* op = std::get_if<quant::PatchEmbedding>(&operation)) return &op->contraction;
    return nullptr;
}

/// One node of the test bench: the function it calls, what it reads and what it writes.
class NodeCall {
  public:
    NodeCall(const models::Graph& part, const models::Node& node, const quant::Operation& operation)
        : part_(part),
          node_(node),
          name_(c_name(node.name)),
          contraction_(weights_of(operation)),
          sums_(contraction_ != nullptr || std::holds_alternative<quant::Product>(operation)) {}

    [[nodiscard]] std::string declaration() const {
        std::string text = fmt::format("void {}_top(", name_);
        for (std::size_t i = 0; i < node_.inputs.size(); ++i) text += fmt::format("const {}::input{}_t* input{}, ", name_, i, i);
        if (contraction_ != nullptr) text += fmt::format("const {}::weight_t* weights, ", name_);
        if (sums_) text += fmt::format("{}::accumulator_t* accumulators, ", name_);
        return text + fmt::format("{}::output_t* output);\n", name_);
    }

    [[nodiscard]] std::string call() const {
        std::string text = fmt::format("    {{  // {}\n        using namespace {};\n", node_.name, name_), arguments;
        for (std::size_t i = 0; i < node_.inputs.size(); ++i) {
            text += fmt::format("        const auto in{0} = prelude_words::read<input{0}_t>(golden + \"/{1}.bin\", kInput{0}Elements);\n",
                                i, part_.value(node_.inputs[i]).name);
            arguments += fmt::format("in{}.data(), ", i);
        }
        if (contraction_ != nullptr) {
            text += fmt::format("        const auto weights = prelude_words::read<weight_t>(golden + \"/{}.weights.bin\", {});\n",
                                node_.name, contraction_->weights.size());
            arguments += "weights.data(), ";
        }
        if (sums_) {
            text += "        std::vector<accumulator_t> accumulators(kOutputElements);\n";
            arguments += "accumulators.data(), ";
        }
        text += "        std::vector<output_t> out(kOutputElements);\n";
        text += fmt::format("        {}_top({}out.data());\n", name_, arguments);
        if (sums_) text += fmt::format("        prelude_words::write(actual + \"/{}.accumulators.bin\", accumulators);\n", node_.name);
        return text + fmt::format("        prelude_words::write(actual + \"/{}.bin\", out);\n    }}\n", part_.value(node_.output).name);
    }

  private:
    const models::Graph& part_;
    const models::Node& node_;
    std::string name_;
    const quant::Contraction* contraction_;
    bool sums_;
};

constexpr std::string_view kHead =
    "// Test bench of exported layers: every layer on its own golden inputs. Written by `explore export` as a start: the functions "
    "declared here are yours.\n"
    "//\n"
    "//     g++ -std=c++17 test_bench.cpp kernel.cpp -lsystemc && ./a.out ../bin actual     (words go to actual/NAME.bin)\n"
    "#include <string>\n"
    "#include <vector>\n\n"
    "#include \"prelude_params.h\"\n"
    "#include \"prelude_words.h\"\n\n"
    "using namespace prelude_params;\n\n"
    "// Words in the order of the files: row-major, shapes in prelude_params.h. Accumulators: Acc of every output, before the rescale.\n";

constexpr std::string_view kMain =
    "\nint main(int argc, char** argv) {\n"
    "    const std::string golden = argc > 1 ? argv[1] : \"../bin\", actual = argc > 2 ? argv[2] : \"actual\";\n";

constexpr std::string_view kEnd =
    "    return 0;\n}\n\n"
    "#ifdef SYSTEMC_VERSION  // the types stand on SystemC, whose library asks for this\n"
    "int sc_main(int, char**) { return 0; }\n"
    "#endif\n";

}  // namespace

std::string test_bench_skeleton(const models::Graph& part, const quant::QuantizedGraph& quantized) {
    std::string declarations, calls;
    for (const auto& node : part.nodes()) {
        if (std::holds_alternative<models::Parameter>(node.op)) continue;  // constants: data, not work
        const NodeCall call(part, node, quantized.operation(node.name));
        declarations += call.declaration();
        calls += call.call();
    }
    return std::string(kHead) + declarations + std::string(kMain) + calls + std::string(kEnd);
}

}  // namespace prelude::experiments
