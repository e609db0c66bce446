// SPDX-License-Identifier: Apache-2.0
#include "sim/cost/resources.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

namespace prelude::sim {

namespace {

constexpr std::int64_t kBitsPerKib = 8192;
constexpr double kAccumulatorBanks = 2;  // one drains while the other sums

int ceil_log2(std::int64_t v) { return v <= 1 ? 0 : static_cast<int>(std::bit_width(static_cast<std::uint64_t>(v - 1))); }
std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }
Provenance worse(Provenance a, Provenance b) { return std::max(a, b); }

/// What the formats ask of the array beyond plain products.
struct FormatNeeds {
    int sum_bits = 24;        ///< widest A_t
    bool powers = false;      ///< some left operand is shifted or added, not multiplied
    int log_shift = 0;        ///< largest shift of such an operand
    int residues = 1, trees = 1;  ///< most sums of powers, most adder trees: one more for what companded codes take away
    int log_right_bits = 0;
    bool scaled_terms = false;  ///< groups, residues, or the two sums of a hybrid code
    bool shifted_terms = false; ///< groups scaled by shifts
    std::string_view exponential = "table";  ///< as the cost terms call it
    bool divided_roots = false;
    int stream_bits = 16;
    std::string_view floating = {};  ///< "fp32" or "fp16" as the cost terms call it; empty: integers
    int float_block = 0;
};

FormatNeeds needs_of(const quant::FormatPlan& plan) {
    constexpr std::array<std::string_view, 3> kExponentials{"table", "polynomial", "shift"};  // by quant::Exponential
    FormatNeeds needs{.exponential = kExponentials[static_cast<std::size_t>(plan.exponential)], .divided_roots = plan.root != quant::Root::seeded};
    if (plan.is_floating()) needs.floating = plan.float_bits == 32 ? "fp32" : "fp16", needs.float_block = plan.float_block, needs.sum_bits = 32;
    for (const auto& [name, contraction] : plan.contractions) {
        needs.sum_bits = std::max(needs.sum_bits, contraction.product_bits);
        using quant::OperandKind;
        const bool hybrid = contraction.left == OperandKind::hybrid && contraction.term_sizes.size() > 1;
        const bool companded = contraction.left == OperandKind::companded;
        if (contraction.left == OperandKind::logarithmic || companded || contraction.left == OperandKind::bucket || hybrid) {
            needs.powers = true;
            needs.log_shift = std::max(needs.log_shift, contraction.shift);
            needs.log_right_bits = std::max(needs.log_right_bits, contraction.right_bits);
            const int residues = hybrid ? 1 : std::max(1, static_cast<int>(contraction.term_sizes.size()));
            needs.residues = std::max(needs.residues, residues);
            needs.trees = std::max(needs.trees, residues + (companded ? 1 : 0));
        }
        needs.scaled_terms |= contraction.term_sizes.size() > 1 && !contraction.shifted_terms;
        needs.shifted_terms |= contraction.shifted_terms;
    }
    return needs;
}

/// FINN's packing: width in 72-bit columns; depth in blocks of 512 (block RAM) or 4096 (UltraRAM).
BufferGeometry pack(const std::string& name, int kib, std::int64_t width_bits, const Device& device) {
    BufferGeometry buffer{.name = name, .bits = kib * kBitsPerKib, .width_bits = width_bits};
    if (buffer.bits == 0) return buffer;
    const auto columns = ceil_div(width_bits, 72), words = ceil_div(buffer.bits, width_bits);
    const auto block = columns * ceil_div(words, 512), ultra = columns * ceil_div(words, 4096);
    const auto share = [](std::int64_t used, std::int64_t available) { return available ? static_cast<double>(used) / static_cast<double>(available) : 1e9; };
    if (share(ultra, device.uram) < share(block, device.bram36)) {
        buffer.uram = ultra;
    } else {
        buffer.bram36 = block;
    }
    return buffer;
}

class Estimator {
  public:
    Estimator(const Hardware& hardware, const Design& design, const quant::FormatPlan& plan, const CostTable& costs)
        : hw_(hardware), design_(design), needs_(needs_of(plan)), costs_(costs) {}

    ResourceEstimate run() {
        if (needs_.floating.empty()) {
            pe_array();
            shift_lanes();
            post_unit();
            vector_units();
        } else {
            float_units();
        }
        buffers();
        infrastructure();
        totals();
        return std::move(result_);
    }

  private:
    UnitResources& unit(const std::string& name) { return result_.units.emplace_back(UnitResources{.unit = name}); }
    const Figure& cost(std::string_view term) const { return costs_.at(term); }

    void pe_array() {
        auto& pe = unit("pe_array");
        const auto &shape = hw_.pe;
        const double outputs = static_cast<double>(shape.rows) * shape.cols, multipliers = outputs * shape.depth;
        const int subtract = design_.pe.zero_point == ZeroPoint::subtract ? 1 : 0;
        const int width = shape.weight_bits + shape.activation_bits + subtract;
        const bool in_dsp = design_.pe.multiplier == Multiplier::dsp;
        if (in_dsp) {
            const Figure per_dsp = design_.pe.precision == PePrecision::fixed
                                       ? Figure{.value = 1.0, .status = Provenance::published, .unit = {}, .source = {}}
                                       : costs_.mac_per_dsp(design_.device.dsp_generation, shape.weight_bits, shape.activation_bits);
            Estimate slices{.value = std::ceil(multipliers / per_dsp.value),
                            .low = std::ceil(multipliers / std::max(per_dsp.high, per_dsp.value)),
                            .high = std::ceil(multipliers / std::min(per_dsp.low > 0 ? per_dsp.low : per_dsp.value, per_dsp.value)),
                            .status = per_dsp.status};
            pe.dsp.add(slices);
            pe.lut.add(cost("dsp_multiplier.lut"), slices.value);
            pe.ff.add(cost("dsp_multiplier.ff"), slices.value);
        } else {
            const double lut = (2.0 * std::ceil(width / 6.0) - 1.0) * width;
            pe.lut.add(cost("lut_multiplier.lut_factor"), multipliers * lut);
            pe.ff.add(cost("lut_multiplier.ff_per_product_bit"), multipliers * width);
        }
        if (!in_dsp || design_.pe.precision != PePrecision::fixed) add_tree(pe, shape.depth, width, outputs);  // else in the slices' cascade
        pe.lut.add(cost("accumulator.lut_per_bit"), outputs * needs_.sum_bits);
        pe.ff.add(cost("accumulator.ff_per_bit"), kAccumulatorBanks * outputs * needs_.sum_bits);
        if (needs_.powers && shape.shift_lanes == 0) {  // one-hot decoders at the left ports
            pe.lut.add(cost("shift_add.lut_per_level"), static_cast<double>(shape.rows) * shape.depth * (needs_.log_shift + 1));
        }
        const double sums = subtract ? static_cast<double>(shape.rows) * shape.depth * shape.activation_bits
                                     : static_cast<double>(shape.rows + shape.cols) * needs_.sum_bits;
        pe.lut.add(cost("zero_point.lut_per_bit"), sums);
        if (needs_.shifted_terms) {  // behind the adder trees
            pe.lut.add(cost("shift_add.lut_per_level"), outputs * (width + ceil_log2(shape.depth)) * ceil_log2(quant::kMaxScaleShift + 1));
        }
        if (needs_.scaled_terms) {  // A_t * m_t on the way out, a lane beside each of the post unit
            const auto lanes = static_cast<double>(shape.post_lanes());
            pe.dsp.add(cost("rescale.dsp"), lanes);
            pe.lut.add(cost("rescale.lut"), lanes);
            pe.ff.add(cost("rescale.ff"), lanes);
        }
    }

    /// `count` pipelined trees of inputs - 1 adders, one bit wider per level.
    void add_tree(UnitResources& to, int inputs, int width, double count) {
        double bits = 0;
        for (int level = 1, nodes = inputs; nodes > 1; ++level) {
            nodes = (nodes + 1) / 2;
            bits += static_cast<double>(nodes) * (width + level);
        }
        to.lut.add(cost("adder.lut_per_bit"), count * bits);
        to.ff.add(cost("adder.ff_per_bit"), count * bits);
    }

    /// Barrel shifters for log-coded operands, with a tree and an accumulator per residue.
    void shift_lanes() {
        const auto& shape = hw_.pe;
        if (!needs_.powers || shape.shift_lanes == 0) return;
        auto& lanes = unit(kShiftLanes);
        const double outputs = static_cast<double>(shape.rows) * shape.cols;
        const int width = needs_.log_right_bits + needs_.log_shift;
        lanes.lut.add(cost("shift_add.lut_per_level"), outputs * shape.shift_lanes * width * ceil_log2(needs_.log_shift + 1));
        add_tree(lanes, shape.shift_lanes, width, outputs * needs_.trees);
        lanes.lut.add(cost("accumulator.lut_per_bit"), outputs * needs_.residues * needs_.sum_bits);
        lanes.ff.add(cost("accumulator.ff_per_bit"), kAccumulatorBanks * outputs * needs_.residues * needs_.sum_bits);
    }

    void post_unit() {
        auto& post = unit("post_unit");
        const auto lanes = static_cast<double>(hw_.pe.post_lanes());
        post.dsp.add(cost("rescale.dsp"), lanes * 2);  // M is 17 bits, P 32: two slices
        post.lut.add(cost("rescale.lut"), lanes);
        post.ff.add(cost("rescale.ff"), lanes);
        post.lut.add(cost("residual_add.lut_per_bit"), lanes * needs_.stream_bits);
    }

    void vector_units() {
        const auto lane_unit = [&](const std::string& name, int lanes, bool has_bram) -> UnitResources& {
            auto& u = unit(name + "_unit");
            u.dsp.add(cost(name + ".dsp"), lanes);
            u.lut.add(cost(name + ".lut"), lanes);
            u.ff.add(cost(name + ".ff"), lanes);
            if (has_bram) u.bram36.add(cost(name + ".bram18"), 0.5 * lanes);
            return u;
        };
        auto& softmax = lane_unit("softmax", hw_.softmax_lanes, true);
        softmax.dsp.add(costs_.at("softmax.exponential_dsp", needs_.exponential), hw_.softmax_lanes);
        softmax.lut.add(costs_.at("softmax.exponential_lut", needs_.exponential), hw_.softmax_lanes);
        softmax.ff.add(costs_.at("softmax.exponential_ff", needs_.exponential), hw_.softmax_lanes);
        auto& norm = lane_unit("layernorm", hw_.layernorm_lanes, false);
        if (needs_.divided_roots) {
            auto& dividers = unit(kRootDividers);
            dividers.lut.add(cost("layernorm.normalise_lut"), 1);
            dividers.lut.add(cost("layernorm.divider_lut"), hw_.layernorm_dividers);
            dividers.ff.add(cost("layernorm.divider_ff"), hw_.layernorm_dividers);
        } else {
            norm.dsp.add(cost("layernorm.shared_dsp"), 1);
            norm.lut.add(cost("layernorm.shared_lut"), 1);
        }
        lane_unit("gelu", hw_.gelu_lanes, true).lanes = hw_.gelu_lanes;
    }

    /// `count` times so many pipelined products and sums, which share slices where a slice has both.
    void add_float(UnitResources& to, double count, double products, double sums) {
        if (design_.device.dsp_generation == "dsp58") {
            const double slices = count * std::max(products, sums);
            to.dsp.add(cost("float.dsp58"), slices);
            to.lut.add(cost("float.dsp58_lut"), slices);
            to.ff.add(cost("float.dsp58_ff"), slices);
            return;
        }
        to.dsp.add(costs_.at("float.multiply_dsp", needs_.floating), count * products);
        to.lut.add(costs_.at("float.multiply_lut", needs_.floating), count * products);
        to.ff.add(costs_.at("float.multiply_ff", needs_.floating), count * products);
        to.dsp.add(cost("float.add_dsp"), count * sums);
        to.lut.add(cost("float.add_lut"), count * sums);
        to.ff.add(cost("float.add_ff"), count * sums);
    }

    /// `count` times the core of a function.
    void add_core(UnitResources& to, const std::string& name, double count) {
        to.dsp.add(cost("float." + name + "_dsp"), count);
        to.lut.add(cost("float." + name + "_lut"), count);
        to.ff.add(cost("float." + name + "_ff"), count);
    }

    void float_units() {
        const auto& shape = hw_.pe;
        const double outputs = static_cast<double>(shape.rows) * shape.cols;
        auto& pe = unit("pe_array");  // a tree of depth - 1 sums, and the one that joins trees and adds blocks
        add_float(pe, outputs, shape.depth, shape.depth);
        pe.ff.add(cost("accumulator.ff_per_bit"), kAccumulatorBanks * outputs * needs_.sum_bits);
        const int joined = ceil_log2(needs_.float_block) - ceil_log2(float_timing::lanes_used(shape.depth, needs_.float_block));
        pe.ff.add(cost("float.join_ff"), outputs * joined * needs_.sum_bits);
        add_float(unit("post_unit"), static_cast<double>(shape.post_lanes()), 1, 2);  // scale; bias, then residual or relative positions
        auto& softmax = unit("softmax_unit");
        add_float(softmax, hw_.softmax_lanes, 1, 2);  // by the reciprocal; less the maximum, into the sum
        softmax.lut.add(cost("float.maximum_lut"), hw_.softmax_lanes);
        add_core(softmax, "exponential", hw_.softmax_lanes);
        add_core(softmax, "reciprocal", 1);
        auto& norm = unit("layernorm_unit");
        add_float(norm, hw_.layernorm_lanes, 3, 5);  // into the mean; centred, squared, into the variance; centred, by the root, gamma, beta
        add_core(norm, "root", 1);
        auto& gelu = unit("gelu_unit");
        add_core(gelu, "gelu", hw_.gelu_lanes);
        gelu.lanes = hw_.gelu_lanes;
    }

    void buffers() {
        const auto& b = design_.buffers;
        const auto add = [&](BufferId id, int kib) {
            const auto name = std::string(kBufferNames[static_cast<std::size_t>(id)]) + "_buffer";
            result_.buffers.push_back(pack(name, kib, buffer_width_bits(hw_, id), design_.device));
        };
        add(BufferId::weight, b.weight_kib);
        add(BufferId::activation, b.activation_kib);
        add(BufferId::partial_sum, b.partial_sum_kib);
        add(BufferId::score, b.score_kib);
        for (const auto& geometry : result_.buffers) {
            auto& u = unit(geometry.name);
            const double bram = static_cast<double>(geometry.bram36), uram = static_cast<double>(geometry.uram);
            u.bram36.add({.value = bram, .low = bram, .high = bram, .status = Provenance::published});
            u.uram.add({.value = uram, .low = uram, .high = uram, .status = Provenance::published});
            u.lut.add(cost("buffer.lut_per_bank"), bram + uram);
        }
    }

    void infrastructure() {
        auto& ports = unit("memory_ports");
        const double count = hw_.ports;
        ports.lut.add(cost("axi_port.lut"), count);
        ports.ff.add(cost("axi_port.ff"), count);
        ports.bram36.add(cost("axi_port.bram18"), 0.5 * count);
        auto& dma = unit("dma");
        dma.lut.add(cost("dma.lut"), count);
        dma.ff.add(cost("dma.ff"), count);
        auto& control = unit("controller");
        control.lut.add(cost("control.lut"), 1);
        control.ff.add(cost("control.ff"), 1);
        const auto& reserved = design_.device.reserved;
        auto& platform = unit("platform");
        const auto fixed = [](Estimate& to, std::int64_t n) {
            const auto v = static_cast<double>(n);
            to.add(Estimate{.value = v, .low = v, .high = v, .status = Provenance::published});
        };
        fixed(platform.lut, reserved.lut);
        fixed(platform.ff, reserved.ff);
        fixed(platform.dsp, reserved.dsp);
        fixed(platform.bram36, reserved.bram36);
        fixed(platform.uram, reserved.uram);
    }

    void totals() {
        auto& r = result_;
        for (const auto& u : r.units) {
            r.lut.add(u.lut);
            r.ff.add(u.ff);
            r.dsp.add(u.dsp);
            r.bram36.add(u.bram36);
            r.uram.add(u.uram);
        }
        const auto widen = [](Estimate& e, const Figure& band) {
            e.low *= band.low / band.value;
            e.high *= band.high / band.value;
            e.status = worse(e.status, band.status);
        };
        widen(r.lut, cost("band.lut"));
        widen(r.ff, cost("band.ff"));
        const auto& d = design_.device;
        struct Kind {
            const char* name;
            double used;
            std::int64_t available;
            double limit;
        };
        const std::array kinds{Kind{"lut", r.lut.value, d.lut, d.max_utilization_lut}, Kind{"ff", r.ff.value, d.ff, d.max_utilization_ff},
                               Kind{"dsp", r.dsp.value, d.dsp, d.max_utilization_dsp}, Kind{"bram36", std::ceil(r.bram36.value), d.bram36, d.max_utilization_bram},
                               Kind{"uram", r.uram.value, d.uram, d.max_utilization_uram}};
        double closest = -1;
        for (const auto& kind : kinds) {
            if (kind.used <= 0) continue;
            const double share = kind.available ? kind.used / static_cast<double>(kind.available) : 1e3;
            r.max_utilization_pct = std::max(r.max_utilization_pct, 100.0 * share);
            if (share / kind.limit > closest) closest = share / kind.limit, r.limiting_resource = kind.name;
            if (share > kind.limit) {
                r.fits = false;
                r.reasons.push_back(fmt::format("{} {:.0f} of {} is over the closure limit of {:.0f} %", kind.name, kind.used, kind.available, 100 * kind.limit));
            }
        }
    }

    const Hardware& hw_;
    const Design& design_;
    FormatNeeds needs_;
    const CostTable& costs_;
    ResourceEstimate result_;
};

}  // namespace

void Estimate::add(const Figure& figure, double count) {
    value += figure.value * count;
    low += figure.low * count;
    high += figure.high * count;
    if (count != 0) status = worse(status, figure.status);
}

void Estimate::add(const Estimate& other) {
    value += other.value;
    low += other.low;
    high += other.high;
    if (other.value != 0 || other.high != 0) status = worse(status, other.status);
}

ResourceEstimate estimate_resources(const Hardware& hardware, const Design& design, const quant::FormatPlan& plan, const CostTable& costs) {
    return Estimator(hardware, design, plan, costs).run();
}

Design filled(const Design& design, const quant::FormatPlan& plan, const CostTable& costs) {
    constexpr int kStep = 4, kMaxRows = 32, kMaxAspect = 4;
    constexpr std::array kCols{4, 8, 16, 32, 48, 64, 80, 96, 112, 128};
    const auto fits = [&](int rows, int cols) {
        Design candidate = design;
        candidate.pe.rows = rows;
        candidate.pe.cols = cols;
        candidate.pe.size = PeSize::given;
        const auto used = estimate_resources(resolve(candidate, plan), candidate, plan, costs);
        return used.fits && (design.pe.max_dsp == 0 || used.dsp.value <= design.pe.max_dsp);
    };
    int best_rows = kStep, best_cols = kStep;
    for (int rows = kStep; rows <= kMaxRows; rows += kStep) {
        for (const int cols : kCols) {
            if (cols < rows) continue;
            if (cols > kMaxAspect * rows || !fits(rows, cols)) break;
            if (rows * cols > best_rows * best_cols) best_rows = rows, best_cols = cols;  // of equals the fewer rows: they drain one by one
        }
    }
    Design result = design;
    result.pe.rows = best_rows;
    result.pe.cols = best_cols;
    result.pe.size = PeSize::given;
    return result;
}

Figure closable_clock_mhz(const Design& design, const ResourceEstimate& resources, const CostTable& costs) {
    const double used = std::min(1.0, resources.max_utilization_pct / 100.0);
    const int dies = std::max(1, design.device.num_dies);
    const int needed = std::clamp(static_cast<int>(std::ceil(used * dies)), 1, dies);
    const auto& utilization = costs.at("clock.utilization_derate");
    const auto& crossing = costs.at("clock.die_crossing_derate");
    const double factor = (1.0 - utilization.value * std::max(0.0, used - 0.5) / 0.5) * (1.0 - crossing.value * (needed - 1));
    Figure clock = design.device.fmax_mhz;
    clock.value *= factor;
    clock.low *= factor;
    clock.high *= factor;
    clock.status = worse(clock.status, worse(utilization.status, crossing.status));
    return clock;
}

}  // namespace prelude::sim
