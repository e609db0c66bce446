// SPDX-License-Identifier: Apache-2.0
#pragma once

// One node of a graph with operands of its own: engine, both product paths, against the oracle, zero differences.

#include <catch2/catch.hpp>

#include <string>

#include "models/graph/graph.hpp"
#include "quant/engine/engine.hpp"
#include "tests/support/adversarial.hpp"
#include "tests/support/oracle_from_quant.hpp"

namespace prelude::tests {

struct NodeCase {
    models::Operator op;
    quant::Operation operation;
    std::vector<models::IntTensor> inputs;
    std::vector<std::size_t> channel_axes;  ///< of the inputs; empty: the last axis
};

/// Where two lists of words differ first; empty if nowhere.
inline std::string first_difference(const oracle::Words& expected, std::span<const std::int32_t> got) {
    if (expected.size() != got.size()) return "sizes " + std::to_string(expected.size()) + " and " + std::to_string(got.size());
    std::size_t count = 0, first = 0;
    for (std::size_t i = expected.size(); i-- > 0;) {
        if (expected[i] != got[i]) ++count, first = i;
    }
    if (count == 0) return "";
    return std::to_string(count) + " of " + std::to_string(got.size()) + " words differ, first at " + std::to_string(first) + ": oracle " +
           std::to_string(expected[first]) + ", engine " + std::to_string(got[first]);
}

/// Builds the one-node graph and compares; returns the words.
inline models::IntTensor check_node(const NodeCase& c) {
    models::Graph graph;
    std::vector<models::ValueId> ids;
    for (std::size_t i = 0; i < c.inputs.size(); ++i) {
        const auto& shape = c.inputs[i].shape();
        ids.push_back(graph.add_input("in" + std::to_string(i), shape, c.channel_axes.empty() ? shape.rank() - 1 : c.channel_axes[i]));
    }
    graph.add("node", models::Part::encoder, 0, c.op, ids);
    const auto& node = graph.nodes().back();
    quant::QuantizedGraph quantized;
    quantized.operations.emplace("node", c.operation);

    std::vector<oracle::Array> arrays;
    std::vector<const oracle::Array*> array_pointers;
    std::vector<const models::IntTensor*> pointers;
    for (const auto& in : c.inputs) {
        arrays.push_back(to_oracle(in));
        pointers.push_back(&in);
    }
    for (const auto& array : arrays) array_pointers.push_back(&array);
    oracle::Overflows overflows;
    const auto expected = oracle::run(to_oracle(graph, node, &quantized.operations.at("node")), array_pointers, overflows);

    models::IntTensor out;
    for (const auto path : {quant::ProductPath::automatic, quant::ProductPath::exact}) {
        const quant::Engine engine(graph, quantized, path);
        out = engine.run_node(node, pointers);
        INFO((path == quant::ProductPath::automatic ? "automatic" : "exact") << " path: " << first_difference(expected.words, out.values()));
        REQUIRE(out.shape().extents() == expected.shape);
        REQUIRE(first_difference(expected.words, out.values()).empty());
        REQUIRE(engine.num_overflows() == overflows.count);
    }
    return out;
}

/// How the last step of a contraction is drawn.
enum class Scaling { ordinary, ties, saturating, denormal };

/// A rescale for sums of about `sum_bits` bits to words in [lo, hi].
inline quant::Rescale make_rescale(Random& random, std::int64_t channels, int sum_bits, std::int64_t lo, std::int64_t hi, int operand_shift, Scaling scaling) {
    quant::Rescale form{.operand_shift = operand_shift};
    form.lo = static_cast<std::int32_t>(lo);
    form.hi = static_cast<std::int32_t>(hi);
    int range_bits = 0;
    while ((hi - lo) >> range_bits) ++range_bits;
    for (std::int64_t c = 0; c < channels; ++c) {
        const int down = std::clamp(16 + sum_bits - operand_shift - range_bits, 1, 40);  // words spread over the range
        int n = down;
        std::int64_t m = random.in(1 << 15, (1 << 16) - 1);
        std::int64_t b = random.in(-(std::int64_t{1} << n) * 4, (std::int64_t{1} << n) * 4);
        switch (scaling) {
            case Scaling::ordinary: break;
            case Scaling::ties:  // every odd (or half) operand lies half way
                m = 1 << 15;
                n = std::clamp(down, 16, 40);
                b = random.one_in(2) ? 0 : (std::int64_t{1} << (n - 1)) * random.in(-5, 5);
                break;
            case Scaling::saturating: n = std::max(1, down - 9); break;
            case Scaling::denormal:
                n = 40;
                m = random.in(0, 3);
                break;
        }
        form.multiplier.push_back(static_cast<std::int32_t>(random.one_in(3) ? -m : m));
        form.shift.push_back(n);
        form.offset.push_back(b);
        form.zero_point.push_back(static_cast<std::int32_t>(lo < 0 ? 0 : random.in(lo, hi)));
    }
    return form;
}

}  // namespace prelude::tests
