// SPDX-License-Identifier: Apache-2.0
#pragma once

// Segments: fused operator groups, the unit of simulation. A segment starts and ends drained: its inputs are in DRAM, its
// output goes to DRAM, DRAM rows are closed.

#include <set>
#include <string>
#include <vector>

#include "models/graph/graph.hpp"
#include "quant/format_plan.hpp"
#include "sim/design.hpp"

namespace prelude::sim {

enum class SegmentKind {
    contraction,  ///< linear, conv, transposed conv, product; post unit: rescale, table, residual add; rel-pos terms of scores
    attention,    ///< QK^T (+ rel-pos), softmax, PV with whole score rows on chip
    layer_norm,
    softmax,
    elementwise,  ///< add, requantize, GELU, ReLU alone
    resize,
    prompt,
};

struct Segment {
    std::string name;
    SegmentKind kind = SegmentKind::contraction;
    std::string operator_name;  ///< "linear", "attention", ...
    models::Part part = models::Part::encoder;
    int block = -1;
    models::NodeId main = -1;                    ///< product, norm, softmax, ...; of attention: QK^T
    models::NodeId relative = -1;                ///< relative positions fused behind a product of scores
    models::NodeId softmax = -1, weighted = -1;  ///< attention: softmax and PV
    std::vector<models::NodeId> post{};          ///< fused steps behind a contraction: GELU/ReLU table, residual add
    models::ValueId residual = -1;               ///< second operand of a fused or stand-alone add
    models::ValueId output = -1;                 ///< the value written
    std::vector<models::NodeId> nodes{};         ///< all of the above and the movement nodes read through, ascending
};

/// What is not simulated, by name with its bytes.
struct OffDatapath {
    std::string name;
    std::int64_t bytes = 0;
};

struct Partition {
    std::vector<Segment> segments;  ///< in execution order
    std::vector<OffDatapath>
        constants;  ///< parameters and position codes: computed offline, in DRAM; their reading is counted where they are used
    std::vector<OffDatapath> host_ops;  ///< left to the host
    std::set<models::ValueId> written;  ///< movement outputs that their segment writes directly
};

class Partitioner {
  public:
    Partitioner(const models::Graph& graph, const quant::FormatPlan& plan, std::vector<models::Part> parts);

    /// The attention core around product `qk` as one fused segment, if its pattern is there.
    [[nodiscard]] static std::vector<Segment> attention_candidates(const models::Graph& graph);
    /// `fused`: QK^T nodes whose attention core is one segment.
    [[nodiscard]] Partition run(const std::vector<models::NodeId>& fused) const;

  private:
    const models::Graph& graph_;
    const quant::FormatPlan& plan_;
    std::vector<models::Part> parts_;
};

}  // namespace prelude::sim
