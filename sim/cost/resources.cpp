// SPDX-License-Identifier: Apache-2.0
#include "sim/cost/resources.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

namespace prelude::sim {

namespace {

constexpr std::int64_t kBitsPerKib = 8192;
// What no plan says: rows of scores up to 4096, and channels; a rescale's operand of 32 bits, one more where rounding carries, and shifts up to 40 places.
constexpr int kLongestRow = 4096, kLogChannels = 12, kOperandBits = 32, kLargestShift = 40, kScoreBits = 16, kExponentialBits = 16, kTermConstants = 64;
/// B of a rescale: |B| < 2^(shift + output bits + 1).
constexpr int offset_bits(int out_bits) { return kLargestShift + out_bits + 2; }
// Products lie this far apart in a packed slice (WP521, WP486; 4 x 16 bits).
constexpr int kQuadField = 11, kPairField = 18, kWidePairField = 20;
constexpr const char* kPlatform = "platform";  // the unit of what the device's shell takes
constexpr int kGuardBits = 8;  // of a table's entry where segments are interpolated

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }
Estimate exactly(std::int64_t count, Provenance status = Provenance::calibrated) {
    const auto v = static_cast<double>(count);
    return {.value = v, .low = v, .high = v, .status = status};
}

/// What the formats ask of the array beyond plain products.
struct FormatNeeds {
    int sum_bits = 24;        ///< widest A_t
    bool powers = false;      ///< some left operand is shifted or added, not multiplied
    int log_shift = 0;        ///< largest shift of such an operand
    int residues = 1, trees = 1;  ///< most sums of powers, most adder trees: one more for what companded codes take away
    int log_right_bits = 0;
    bool scaled_terms = false;  ///< groups, residues, or the two sums of a hybrid code
    std::string_view exponential = "table";  ///< as the cost terms call it
    bool divided_roots = false;
    int stream_bits = 16;
    int table_bits = 8, probability_bits = 2;  ///< widest codes, which enter tables; widest probabilities
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
    }
    for (const auto& [name, format] : plan.formats) {
        if (format.kind == quant::FormatKind::code) needs.table_bits = std::max(needs.table_bits, format.bits);
        if (format.kind == quant::FormatKind::probability) needs.probability_bits = std::max(needs.probability_bits, format.bits);
    }
    return needs;
}

/// Block RAM or UltraRAM, whichever takes the smaller share of the device.
BufferGeometry pack(const std::string& name, int kib, std::int64_t width_bits, const Device& device) {
    BufferGeometry buffer{.name = name, .bits = kib * kBitsPerKib, .width_bits = width_bits};
    if (buffer.bits == 0) return buffer;
    const auto words = ceil_div(buffer.bits, width_bits);
    const auto block = ceil_div(bram18_of(words, width_bits), 2), ultra = uram_of(words, width_bits);
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
    void add(UnitResources& to, const UnitForm& form) {
        to.lut.add(lut_of(form, costs_));
        to.ff.add(packed_ff_of(form, costs_));
        to.dsp.add(exactly(form.dsp));
        to.bram36.add(Estimate{.value = 0.5 * static_cast<double>(form.bram18),
                               .low = 0.5 * static_cast<double>(form.bram18),
                               .high = 0.5 * static_cast<double>(form.bram18),
                               .status = Provenance::calibrated});
    }

    void pe_array() {
        auto& pe = unit("pe_array");
        const auto& shape = hw_.pe;
        const int subtract = design_.pe.zero_point == ZeroPoint::subtract ? 1 : 0;
        ArrayShape array{.rows = shape.rows, .cols = shape.cols, .depth = shape.depth, .left_bits = shape.activation_bits + subtract,
                         .right_bits = shape.weight_bits, .drain_rows = shape.drain_rows, .sum_bits = needs_.sum_bits, .corrects_zero_points = subtract == 0};
        if (design_.pe.multiplier == Multiplier::dsp) {
            slices(pe, array);
        } else {
            add(pe, array_products(array));
            add(pe, array_trees(array));
        }
        add(pe, array_accumulators(array));
        if (needs_.powers && shape.shift_lanes == 0) {  // one-hot decoders at the left ports
            pe.lut.add(cost("shift_add.lut_per_decoded_bit"), static_cast<double>(shape.rows) * shape.depth * (needs_.log_shift + 1));
        }
        if (subtract == 1) pe.lut.add(cost("zero_point.lut_per_bit"), static_cast<double>(shape.rows) * shape.depth * shape.activation_bits);
        auto& frame = unit(kArrayFrame);
        add(frame, array_edge_sums(array));
        add(frame, array_frame(array));
        if (needs_.scaled_terms) {  // A_t * m_t on the way out
            add(unit(kPartialSums), partial_sum_form({.lanes = static_cast<int>(shape.post_lanes()), .groups = static_cast<int>(ceil_div(shape.rows, shape.drain_rows)),
                                                      .sum_bits = needs_.sum_bits, .out_bits = hw_.sum_bits, .constants = kTermConstants}));
        }
    }

    /// Multipliers in DSP slices, which sum along cascades: of packed ones as many as their fields allow, whose ends are taken apart and summed in logic.
    void slices(UnitResources& pe, const ArrayShape& array) {
        const auto& generation = design_.device.dsp_generation;
        const bool packs = design_.pe.precision != PePrecision::fixed;
        const Figure per_slice = packs ? costs_.mac_per_dsp(generation, hw_.pe.weight_bits, hw_.pe.activation_bits)
                                       : Figure{.value = 1.0, .status = Provenance::published, .unit = {}, .source = {}};
        const double multipliers = static_cast<double>(array.rows) * array.cols * array.depth;
        const double count = std::ceil(multipliers / per_slice.value);
        pe.dsp.add(Estimate{.value = count,
                            .low = std::ceil(multipliers / std::max(per_slice.high, per_slice.value)),
                            .high = std::ceil(multipliers / std::min(per_slice.low > 0 ? per_slice.low : per_slice.value, per_slice.value)),
                            .status = per_slice.status});
        const bool has_fields = per_slice.value >= 2 && generation != "dsp58";  // the vector mode of a DSP58 sums its products itself
        const int num_fields = per_slice.value >= 4 ? 4 : 2;
        const int field_bits = num_fields == 4 ? kQuadField : std::max(array.left_bits, array.right_bits) > 8 ? kWidePairField : kPairField;
        const int chain = has_fields ? std::min(array.depth, slice_period(field_bits, array.left_bits, array.right_bits)) : array.depth;
        add(pe, array_cascades(array, chain));
        if (!has_fields) return;
        const auto fields = slice_fields({.num_fields = num_fields, .field_bits = field_bits, .sum_bits = needs_.sum_bits});
        pe.lut.add(count / chain * lut_of(fields, costs_));
    }

    /// Barrel shifters for log-coded operands, with a tree and an accumulator per residue.
    void shift_lanes() {
        const auto& shape = hw_.pe;
        if (!needs_.powers || shape.shift_lanes == 0) return;
        auto& lanes = unit(kShiftLanes);
        ArrayShape array{.kind = ArrayKind::powers, .rows = shape.rows, .cols = shape.cols, .depth = shape.shift_lanes, .right_bits = needs_.log_right_bits,
                         .max_shift = needs_.log_shift, .num_residues = needs_.trees, .drain_rows = shape.drain_rows, .sum_bits = needs_.sum_bits};
        add(lanes, array_products(array));
        add(lanes, array_trees(array));
        array.num_residues = needs_.residues;
        add(lanes, array_accumulators(array));
    }

    void post_unit() {
        auto& post = unit("post_unit");
        const auto lanes = static_cast<double>(hw_.pe.post_lanes());
        UnitForm rescaling;
        const bool rounds = hw_.sum_bits > kOperandBits;
        rescaling.append(rescale_form({.sum_bits = hw_.sum_bits, .operand_bits = rounds ? kOperandBits + 1 : hw_.sum_bits, .offset_bits = offset_bits(needs_.stream_bits),
                                       .out_bits = needs_.stream_bits, .rounds_operand = rounds}), lanes);
        add(post, rescaling);
        post.lut.add(cost("residual_add.lut_per_bit"), lanes * needs_.stream_bits);
    }

    void vector_units() {
        auto& softmax = unit("softmax_unit");
        const SoftmaxShape softmax_shape{.lanes = hw_.softmax_lanes, .max_words = static_cast<int>(ceil_div(kLongestRow, hw_.softmax_lanes)), .score_bits = kScoreBits,
                                         .code_bits = std::min(8, needs_.probability_bits), .exp_bits = kExponentialBits};
        add(softmax, softmax_rest(softmax_shape));
        if (needs_.exponential == "table") {
            add(softmax, softmax_exponentials(softmax_shape));
        } else {
            softmax.dsp.add(costs_.at("softmax.exponential_dsp", needs_.exponential), hw_.softmax_lanes);
            softmax.lut.add(costs_.at("softmax.exponential_lut", needs_.exponential), hw_.softmax_lanes);
            softmax.ff.add(costs_.at("softmax.exponential_ff", needs_.exponential), hw_.softmax_lanes);
        }
        const LayerNormShape norm_shape{.lanes = hw_.layernorm_lanes, .word_bits = needs_.stream_bits, .log_channels = kLogChannels, .offset_bits = offset_bits(needs_.stream_bits),
                                        .out_bits = needs_.stream_bits};
        auto& norm = unit("layernorm_unit");
        add(norm, layernorm_lanes(norm_shape));
        add(norm, layernorm_variance(norm_shape));
        if (!needs_.divided_roots) add(norm, layernorm_root(norm_shape));
        if (needs_.divided_roots) {
            auto& dividers = unit(kRootDividers);
            dividers.lut.add(cost("layernorm.normalise_lut"), 1);
            dividers.lut.add(cost("layernorm.divider_lut"), hw_.layernorm_dividers);
            dividers.ff.add(cost("layernorm.divider_ff"), hw_.layernorm_dividers);
        }
        auto& table = unit("gelu_unit");
        table.lanes = hw_.gelu_lanes;
        constexpr int kDirect = 10, kWord = 9;
        add(table, table_form({.lanes = hw_.gelu_lanes, .input_bits = needs_.table_bits, .entry_bits = kWord + (needs_.table_bits > kDirect ? kGuardBits : 0),
                               .word_bits = kWord}));
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
        pe.ff.add(cost("accumulator.ff_per_bit"), 2 * outputs * needs_.sum_bits);
        const int joined = ceil_log2(needs_.float_block) - ceil_log2(float_timing::lanes_used(shape.depth, needs_.float_block));
        pe.ff.add(cost("float.join_ff"), outputs * joined * needs_.sum_bits);
        const int word_bits = needs_.floating == "fp32" ? 32 : 16;
        add(unit(kArrayFrame), array_frame({.rows = shape.rows, .cols = shape.cols, .depth = shape.depth, .left_bits = word_bits, .right_bits = word_bits,
                                            .drain_rows = shape.drain_rows, .sum_bits = needs_.sum_bits, .corrects_zero_points = false}));
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
        const auto make = [&](BufferId id, int kib) {
            const auto name = std::string(kBufferNames[static_cast<std::size_t>(id)]) + "_buffer";
            result_.buffers.push_back(pack(name, kib, buffer_width_bits(hw_, id), design_.device));
        };
        make(BufferId::weight, b.weight_kib);
        make(BufferId::activation, b.activation_kib);
        make(BufferId::partial_sum, b.partial_sum_kib);
        make(BufferId::score, b.score_kib);
        for (const auto& geometry : result_.buffers) {
            auto& u = unit(geometry.name);
            if (geometry.bits > 0) {
                auto control = buffer_form({.width_bits = geometry.width_bits, .words = ceil_div(geometry.bits, geometry.width_bits * hw_.slots)});
                control.bram18 = 0;  // the memory is what `pack` chose
                add(u, control);
            }
            u.bram36.add(exactly(geometry.bram36));
            u.uram.add(exactly(geometry.uram, Provenance::published));
        }
    }

    void infrastructure() {
        auto& ports = unit("memory_ports");
        ports.lut.add(cost("axi_port.lut"), hw_.ports);
        ports.ff.add(cost("axi_port.ff"), hw_.ports);
        ports.bram36.add(cost("axi_port.bram18"), 0.5 * hw_.ports);
        auto& dma = unit("dma");
        const DmaShape engine{.ports = hw_.ports, .port_bytes = hw_.port_bytes, .outstanding = hw_.outstanding, .burst_bytes = hw_.burst_bytes};
        add(dma, load_form(engine));
        add(dma, store_form(engine));
        auto& control = unit("controller");
        control.lut.add(cost("control.lut"), 1);
        control.ff.add(cost("control.ff"), 1);
        const auto placed_lut = estimate_of(cost("band.lut")), placed_ff = estimate_of(cost("band.ff"));
        for (auto& u : result_.units) {
            u.lut = u.lut * placed_lut;
            u.ff = u.ff * placed_ff;
        }
        const auto& reserved = design_.device.reserved;  // placed already
        auto& platform = unit(kPlatform);
        platform.lut.add(exactly(reserved.lut, Provenance::published));
        platform.ff.add(exactly(reserved.ff, Provenance::published));
        platform.dsp.add(exactly(reserved.dsp, Provenance::published));
        platform.bram36.add(exactly(reserved.bram36, Provenance::published));
        platform.uram.add(exactly(reserved.uram, Provenance::published));
    }

    void totals() {
        auto& r = result_;
        for (const auto& u : r.units) {
            r.lut.add(u.lut);
            r.ff.add(u.ff);
            r.dsp.add(u.dsp);
            r.bram36.add(u.bram36);
            r.uram.add(u.uram);
            if (u.unit != kPlatform) r.csynth_lut.add(u.lut), r.csynth_ff.add(u.ff);
        }
        r.csynth_lut = r.csynth_lut * estimate_of(cost("csynth.lut"));
        r.csynth_ff = r.csynth_ff * estimate_of(cost("csynth.ff"));
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

ResourceEstimate estimate_resources(const Hardware& hardware, const Design& design, const quant::FormatPlan& plan, const CostTable& costs) {
    return Estimator(hardware, design, plan, costs).run();
}

Design filled(const Design& design, const quant::FormatPlan& plan, const CostTable& costs) {
    constexpr int kMaxRows = 32, kMaxAspect = 4;
    const int step = std::lcm(2, design.pe.drain_rows);
    constexpr std::array kCols{4, 8, 16, 32, 48, 64, 80, 96, 112, 128};
    const auto fits = [&](int rows, int cols) {
        Design candidate = design;
        candidate.pe.rows = rows;
        candidate.pe.cols = cols;
        candidate.pe.size = PeSize::given;
        const auto used = estimate_resources(resolve(candidate, plan), candidate, plan, costs);
        return used.fits && (design.pe.max_dsp == 0 || used.dsp.value <= design.pe.max_dsp);
    };
    int best_rows = step, best_cols = kCols.front();
    for (int rows = step; rows <= kMaxRows; rows += step) {
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

Estimate closable_clock_mhz(const Design& design, const ResourceEstimate& resources, const CostTable& costs) {
    const double used = std::min(1.0, resources.max_utilization_pct / 100.0);
    const int dies = std::max(1, design.device.num_dies);
    const int needed = std::clamp(static_cast<int>(std::ceil(used * dies)), 1, dies);
    const auto& utilization = costs.at("clock.utilization_derate");
    const auto& crossing = costs.at("clock.die_crossing_derate");
    auto clock = (1.0 - utilization.value * std::max(0.0, used - 0.5) / 0.5) * (1.0 - crossing.value * (needed - 1)) * estimate_of(design.device.fmax_mhz);
    clock.rest_on(utilization);
    clock.rest_on(crossing);
    return clock;
}

}  // namespace prelude::sim
