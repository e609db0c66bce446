// SPDX-License-Identifier: Apache-2.0
#pragma once

// What one unit of everything costs: LUT, FF and DSP per part of the datapath, energy per event.
// The values are data (arch_configs/costs), each with a band, a status and a source; this file fixes their names and units.
// Resources and energy are pure functions of counts and this table (sim/cost/resources, sim/cost/energy).

#include "sim/design.hpp"

#include <map>
#include <span>
#include <string>
#include <string_view>

namespace prelude::sim {

/// A term that every cost table has.
struct CostTerm {
    std::string_view name;
    std::string_view unit;
    std::string_view sentence;
};

/// All terms, grouped by what they cost. A table without one of them, or with another one, is refused.
[[nodiscard]] std::span<const CostTerm> cost_terms();
[[nodiscard]] const CostTerm* find_cost_term(std::string_view name);

struct CostTable {
    std::string name;  ///< "default"
    std::map<std::string, Figure, std::less<>> terms;

    /// The figure of a term; a name that is not a term is a programming error.
    [[nodiscard]] const Figure& at(std::string_view term) const;
    /// The figure of a term that is given per DSP generation, DRAM kind or device family: at("energy.dsp_pj", "dsp48e2").
    [[nodiscard]] const Figure& at(std::string_view term, std::string_view kind) const;

    /// Products per DSP slice and cycle when operands are packed: the entry of their class.
    ///
    /// Limits    operands up to 16 bits; wider ones have no entry and are a programming error
    [[nodiscard]] const Figure& mac_per_dsp(std::string_view dsp_generation, int weight_bits, int activation_bits) const;
    /// All of a generation, as the mapper and the datapath take them.
    [[nodiscard]] DspPacking packing(std::string_view dsp_generation) const;

    friend bool operator==(const CostTable&, const CostTable&) = default;
};

}  // namespace prelude::sim
