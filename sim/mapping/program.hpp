// SPDX-License-Identifier: Apache-2.0
#pragma once

// What the controller walks: one ordered command stream per unit, tied together by tokens (tile ready, buffer space free).
// The streams say what each unit does to which tile; when it happens emerges from the simulation.

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "models/graph/graph.hpp"
#include "sim/mapping/address_map.hpp"
#include "sim/mapping/mapping.hpp"
#include "sim/mapping/pe_timing.hpp"
#include "sim/mapping/segment.hpp"
#include "sim/stats.hpp"

namespace prelude::sim {

/// Half-open.
struct Range {
    std::int64_t begin = 0, end = 0;
    [[nodiscard]] std::int64_t size() const noexcept { return end - begin; }
    friend bool operator==(const Range&, const Range&) = default;
};

/// A place for one tile in an on-chip buffer.
struct Slot {
    BufferId buffer = BufferId::activation;
    std::int16_t index = -1;  ///< -1: none
};

enum class Opcode : std::uint8_t {
    load,          ///< DMA: rows x depth of operand `operand` into `target`
    store,         ///< DMA: rows x cols of `source` to the output value
    multiply,      ///< PE: left x right -> sums
    relative,      ///< PE: query tile x relative-position tables -> sums
    rescale,       ///< post unit: sums -> words of the output, fused steps included
    add_relative,  ///< post unit: rescales the relative-position terms of a query tile
    elementwise,   ///< post unit: add, requantize, table, resize, prompt on whole rows
    layer_norm,    ///< LayerNorm unit: whole rows
    softmax,       ///< softmax unit: whole rows of scores -> codes; in a pass behind the first: a tile of scores, with what is known of its rows
    row_statistics,  ///< softmax unit: a tile of scores -> its rows' maximum, or sum of exponentials
};

inline constexpr std::array<const char*, 10> kOpcodeNames{"load",         "store",       "multiply",   "relative", "rescale",
                                                          "add_relative", "elementwise", "layer_norm", "softmax",  "row_statistics"};  ///< in the order of Opcode

using TokenId = std::int16_t;
struct TokenList {
    std::array<TokenId, 4> id{};
    std::uint8_t count = 0;
    void add(TokenId token) {
        models::check(count < id.size(), "program: a command has too many tokens");
        id[count++] = token;
    }
    [[nodiscard]] const TokenId* begin() const noexcept { return id.data(); }
    [[nodiscard]] const TokenId* end() const noexcept { return id.data() + count; }
};

struct Command {
    Opcode opcode = Opcode::load;
    std::int8_t operand = -1;          ///< index into Program::operands
    std::int8_t product = -1;          ///< index into Program::products
    bool prefetched = false;           ///< load: already on chip
    bool first = false, last = false;  ///< multiply: first / last part of K; rescale: first words of a score slot; row_statistics: first tile of its rows
    std::int8_t pass = 0;              ///< attention that makes its scores several times: which of the walks over the keys this is
    std::int64_t batch = 0;
    Range rows{}, cols{}, depth{};
    Slot left{}, right{}, target{}, extra{};  ///< extra: residual tile or relative-position terms
    std::int64_t extra_bytes = 0;             ///< load: per-channel constants that come with the tile
    TokenList acquire{}, release{};
};

/// Something a DMA loads.
struct OperandSource {
    enum class Kind { value, weights, tables } kind = Kind::value;
    std::shared_ptr<const AddressMap> map{};  ///< value
    int bits = 8;
    std::int64_t row_words = 0;  ///< weights: words per row (K); rows are packed to bytes
    models::NodeId node = -1;    ///< weights, tables: whose constants
    models::ValueId value = -1;
    bool resident = false;  ///< constants that live on chip: no transfer
};

/// One kind of product of the segment.
struct ProductUse {
    ProductForm form;
    models::NodeId node = -1;
    bool weight_stationary = false, swap = false;
};

struct TokenSpec {
    std::int16_t initial = 0;
    StallCause cause = StallCause::activations;  ///< what a unit that waits for it waits for
};

struct Program {
    Segment segment;
    Mapping mapping;
    std::vector<Mapping> alternatives;             ///< further mappings worth simulating, best estimate first
    std::vector<MappingProblem> mapping_problems;  ///< why the pinned mapping cannot be
    std::vector<OperandSource> operands;
    std::vector<ProductUse> products;
    std::shared_ptr<const OutputMap> output;
    int output_bits = 16;
    std::vector<TokenSpec> tokens;
    std::array<std::vector<Command>, kNumUnits> streams;
    std::vector<models::ValueId> values;                    ///< stored values touched, in the order of their DRAM regions
    std::int64_t batch = 1, rows = 0, cols = 0, depth = 0;  ///< main product, or rows x cols of a vector segment
    std::int64_t useful_macs = 0;
    std::int64_t table_rows = 0;  ///< rows of both relative-position tables
    bool table_in_post = false;   ///< the activation unit works behind the post unit
    SoftmaxStages softmax{};
    std::int64_t gather_conflicts = 0;  ///< cycles a row of words waits for banks when it is read in the order of its channel groups

    [[nodiscard]] std::vector<Command>& stream(UnitId unit) { return streams[static_cast<std::size_t>(unit)]; }
    [[nodiscard]] const std::vector<Command>& stream(UnitId unit) const { return streams[static_cast<std::size_t>(unit)]; }
    TokenId new_token(int initial, StallCause cause) {
        tokens.push_back({static_cast<std::int16_t>(initial), cause});
        return static_cast<TokenId>(tokens.size() - 1);
    }
};

}  // namespace prelude::sim
