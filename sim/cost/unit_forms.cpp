// SPDX-License-Identifier: Apache-2.0
#include "sim/cost/unit_forms.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

#include "models/error.hpp"

namespace prelude::sim {

namespace {

constexpr int kSliceLeft = 27, kSliceRight = 18, kSliceSum = 48;
constexpr int kZeroBits = 17;   // a zero point, signed
constexpr int kShiftBits = 6;   // amount of a rescale's shift

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

/// Parts of a signed operand: all but the last carry a bit less than the port, whose top bit is their sign.
std::int64_t parts_of(int bits, int port) { return bits <= port ? 1 : 1 + ceil_div(bits - port, port - 1); }

/// Bits of the nodes of a tree over `inputs` words: what is registered, and of these what an adder makes.
struct Tree {
    double registers = 0, adders = 0;
};
Tree tree_of(int inputs, int width) {
    Tree tree{.registers = static_cast<double>(inputs) * width};
    for (int level = 1, nodes = inputs; nodes > 1; ++level) {
        tree.adders += static_cast<double>(nodes / 2) * (width + level);
        nodes = (nodes + 1) / 2;
        tree.registers += static_cast<double>(nodes) * (width + level);
    }
    return tree;
}

/// Selecting among positions of a shift costs a level for each doubling.
double shifter_bits(int width, int positions) { return static_cast<double>(width) * ceil_log2(positions); }

UnitForm sum_of(std::initializer_list<UnitForm> forms) {
    UnitForm sum;
    for (const auto& form : forms) sum.append(form);
    return sum;
}

int product_bits(const ArrayShape& a) { return a.left_bits + a.right_bits + 2; }
int power_bits(const ArrayShape& a) { return a.right_bits + 1 + a.max_shift; }
double outputs_of(const ArrayShape& a) { return static_cast<double>(a.rows) * a.cols; }

/// A memory whose read is registered goes to distributed RAM where that is cheaper than block RAM, and whether it did; the rule is that of Yosys 0.23:
/// a block of 18 Kib for 129 LUTs, two and a half more for every bit that is selected among memories of 64 words, for each doubling of their number.
bool add_memory(UnitForm& form, std::int64_t words, std::int64_t width, std::int64_t copies = 1) {
    constexpr std::int64_t kBlock = 129;
    const auto luts = lutram_of(words, width), blocks = bram18_of(words, width);
    const bool distributed = 2 * luts + 5 * width * ceil_log2(ceil_div(words, 64)) < 2 * kBlock * blocks;
    if (distributed) {
        form.memory_lut += static_cast<double>(luts * copies);
    } else {
        form.bram18 += blocks * copies;
    }
    return distributed;
}

Estimate priced(const std::vector<Part>& parts, const CostTable& costs) {
    Estimate sum;
    for (const auto& part : parts) sum.add(costs.at(part.term), part.count);
    return sum;
}

}  // namespace

void Estimate::add(const Figure& figure, double count) {
    value += figure.value * count;
    low += figure.low * count;
    high += figure.high * count;
    if (count != 0) rest_on(figure);
}

void Estimate::add(const Estimate& other) {
    value += other.value;
    low += other.low;
    high += other.high;
    if (other.value != 0 || other.high != 0) rest_on(other);
}

void Estimate::rest_on(const Figure& figure) {
    status = std::max(status, figure.status);
    if (figure.status != Provenance::assumed) return;
    if (const auto at = std::ranges::lower_bound(assumed, figure.name); at == assumed.end() || *at != figure.name) assumed.insert(at, figure.name);
}

void Estimate::rest_on(const Estimate& other) {
    status = std::max(status, other.status);
    if (other.assumed.empty()) return;
    std::vector<std::string> all;
    std::ranges::set_union(assumed, other.assumed, std::back_inserter(all));
    assumed = std::move(all);
}

Estimate estimate_of(const Figure& figure) {
    Estimate e;
    e.value = figure.value, e.low = figure.low, e.high = figure.high;
    e.rest_on(figure);
    return e;
}

Estimate operator*(const Estimate& a, const Estimate& b) {
    if (a.value == 0 && a.high == 0) return {};
    Estimate product{.value = a.value * b.value, .low = a.low * b.low, .high = a.high * b.high, .status = a.status, .assumed = a.assumed};
    product.rest_on(b);
    return product;
}

Estimate operator*(double times, Estimate e) {
    e.value *= times, e.low *= times, e.high *= times;
    return e;
}

void UnitForm::append(const UnitForm& form, double times) {
    for (const auto& part : form.lut) lut.push_back({part.term, part.count * times});
    for (const auto& part : form.ff) ff.push_back({part.term, part.count * times});
    memory_lut += form.memory_lut * times;
    slice_ff += form.slice_ff * times;
    dsp += std::llround(times * static_cast<double>(form.dsp));
    bram18 += std::llround(times * static_cast<double>(form.bram18));
}

Estimate lut_of(const UnitForm& form, const CostTable& costs) {
    auto sum = priced(form.lut, costs);
    sum.add(Estimate{.value = form.memory_lut, .low = form.memory_lut, .high = form.memory_lut});
    return sum;
}

Estimate ff_of(const UnitForm& form, const CostTable& costs) { return priced(form.ff, costs); }

Estimate packed_ff_of(const UnitForm& form, const CostTable& costs) {
    auto sum = ff_of(form, costs);
    sum.value = std::max(0.0, sum.value - form.slice_ff);
    sum.low = std::max(0.0, sum.low - form.slice_ff);
    return sum;
}

std::int64_t slices_of(int left_bits, int right_bits) noexcept {
    const auto [narrow, wide] = std::minmax(left_bits, right_bits);
    return parts_of(wide, kSliceLeft) * parts_of(narrow, kSliceRight);
}

std::int64_t bram18_of(std::int64_t words, std::int64_t width_bits) noexcept {
    struct Aspect {
        std::int64_t words, width, halves;
    };
    constexpr std::array<Aspect, 13> kAspects{{{512, 36, 1}, {1024, 18, 1}, {2048, 9, 1}, {4096, 4, 1}, {8192, 2, 1}, {16384, 1, 1},
                                                {512, 72, 2}, {1024, 36, 2}, {2048, 18, 2}, {4096, 9, 2}, {8192, 4, 2}, {16384, 2, 2}, {32768, 1, 2}}};
    std::int64_t least = INT64_MAX;
    for (const auto& a : kAspects) least = std::min(least, a.halves * ceil_div(words, a.words) * ceil_div(width_bits, a.width));
    return least;
}

std::int64_t uram_of(std::int64_t words, std::int64_t width_bits) noexcept { return ceil_div(words, 4096) * ceil_div(width_bits, 72); }

std::int64_t lutram_of(std::int64_t words, std::int64_t width_bits) noexcept {
    const auto rest = words % 64;
    return 8 * (words / 64 + (rest > 32 ? 1 : 0)) * ceil_div(width_bits, 7) + (rest > 0 && rest <= 32 ? 8 * ceil_div(width_bits, 14) : 0);
}

// ---- array

UnitForm array_products(const ArrayShape& a) {
    UnitForm form;
    const double lanes = outputs_of(a) * a.depth;
    const int left = a.left_bits + 1, right = a.right_bits + 1;
    if (a.kind != ArrayKind::powers) form.lut.push_back({"lut_multiplier.lut_factor", lanes * left * right * (1.0 + (left + right) / 12.0)});
    if (a.kind != ArrayKind::uniform) {
        const int residues = a.kind == ArrayKind::powers ? a.num_residues : 1;  // a shifter each: an operand of another residue is 0
        form.lut.push_back({"shift_add.lut_per_level", lanes * residues * shifter_bits(power_bits(a), a.max_shift + 1)});
    }
    return form;
}

UnitForm array_trees(const ArrayShape& a) {
    Tree tree;
    if (a.kind != ArrayKind::powers) tree = tree_of(a.depth, product_bits(a));
    if (a.kind != ArrayKind::uniform) {
        const auto powers = tree_of(a.depth, power_bits(a));
        const double trees = a.kind == ArrayKind::powers ? a.num_residues : 1;
        tree.registers += trees * powers.registers;
        tree.adders += trees * powers.adders;
    }
    return {.lut = {{"adder.lut_per_bit", outputs_of(a) * tree.adders}},
            .ff = {{"adder.ff_per_bit", outputs_of(a) * tree.registers}}};
}

UnitForm array_cascades(const ArrayShape& a, int chain) {
    const int chains = static_cast<int>(ceil_div(a.depth, chain)), width = product_bits(a) + ceil_log2(chain);
    const auto tree = tree_of(chains, width);
    return {.lut = {{"adder.lut_per_bit", outputs_of(a) * tree.adders}},
            .ff = {{"adder.ff_per_bit", outputs_of(a) * (tree.registers - static_cast<double>(chains) * width)}},
            .memory_lut = chain > 1 ? static_cast<double>(a.depth) * (a.rows * a.left_bits + a.cols * a.right_bits) : 0};
}

UnitForm array_accumulators(const ArrayShape& a) {
    const double bits = outputs_of(a) * a.num_sums() * a.sum_bits;
    return {.lut = {{"accumulator.lut_per_bit", bits}}, .ff = {{"accumulator.ff_per_bit", 2 * bits}}};
}

UnitForm array_edge_sums(const ArrayShape& a) {
    if (!a.corrects_zero_points) return {};
    const bool uniform = a.kind == ArrayKind::uniform;
    // Outputs whose other operand is 1.
    Tree tree;
    const auto add = [&](int outputs, int width, int copies) {
        const auto one = tree_of(a.depth, width);
        tree.registers += outputs * copies * one.registers;
        tree.adders += outputs * copies * one.adders;
    };
    if (a.kind != ArrayKind::uniform) add(a.rows, a.max_shift + 1, a.kind == ArrayKind::powers ? a.num_residues : 1);
    if (a.kind == ArrayKind::hybrid) add(a.rows, a.left_bits, 1);
    if (uniform) add(a.rows, a.left_bits + 1, 1);
    if (uniform) add(a.cols, a.right_bits + 1, 1);
    const double sums = (static_cast<double>(a.rows) * a.num_sums() + (uniform ? a.cols : 0)) * a.sum_bits;
    const double decoded = uniform ? 0.0 : static_cast<double>(a.rows) * a.depth * (a.max_shift + 1) * (a.kind == ArrayKind::powers ? a.num_residues : 1);
    return {.lut = {{"adder.lut_per_bit", tree.adders}, {"accumulator.lut_per_bit", sums}, {"shift_add.lut_per_decoded_bit", decoded}},
            .ff = {{"adder.ff_per_bit", tree.registers}, {"accumulator.ff_per_bit", 2 * sums}}};
}

UnitForm array_frame(const ArrayShape& a) {
    const bool uniform = a.kind == ArrayKind::uniform;
    const double drained = static_cast<double>(a.drain_rows) * a.cols * a.sum_bits;
    UnitForm form;
    form.ff.push_back({"zero_point.ff_per_bit", 2 * drained});  // as they leave the accumulators, and as they leave the array
    int side = 5 + 16 + 8;                                      // shift, rows, tag
    std::int64_t banks = lutram_of(2, 16) + lutram_of(2, 8);
    if (a.corrects_zero_points) {
        const int factors = a.drain_rows + (uniform ? a.cols : 0);  // sums of rows, of columns, times a zero point
        form.lut.push_back({"zero_point.lut_per_bit", drained * (uniform ? 3 : 1)});
        form.ff.push_back({"zero_point.ff_per_bit", static_cast<double>(factors) * a.sum_bits});
        form.slice_ff = static_cast<double>(factors) * a.sum_bits;
        form.dsp = factors * slices_of(a.sum_bits, kZeroBits);
        side += kZeroBits + (uniform ? kZeroBits + a.sum_bits : 0);
        banks += lutram_of(2, kZeroBits) + (uniform ? lutram_of(2, kZeroBits) + lutram_of(2, a.sum_bits) : 0);
    }
    // What belongs to a beat travels beside its products: in shift registers where they are long enough; to a bank: in memories of two words.
    const int stages = 2 + ceil_log2(a.depth);
    const double operands = static_cast<double>(a.depth) * (a.rows * a.left_bits + a.cols * a.right_bits);
    form.ff.push_back({"array.operand_ff_per_bit", operands + (stages < 3 ? stages * side : 0)});
    form.memory_lut = static_cast<double>(banks) + (stages < 3 ? 0 : side);
    // The rows and the sums that leave are selected among all.
    form.lut.push_back({"array.lut_per_selected_bit", static_cast<double>(a.drain_rows) * (a.cols + 1) * a.rows * a.num_sums() * a.sum_bits});
    form.lut.push_back({"array.control_lut", 1});
    form.ff.push_back({"array.control_ff", 1});
    return form;
}

UnitForm array_form(const ArrayShape& a) { return sum_of({array_products(a), array_trees(a), array_accumulators(a), array_edge_sums(a), array_frame(a)}); }

// ---- packed slices

int slice_period(int field_bits, int unsigned_bits, int signed_bits) noexcept {
    const auto most = ((std::int64_t{1} << unsigned_bits) - 1) << (signed_bits - 1);
    return static_cast<int>(std::max<std::int64_t>(1, ((std::int64_t{1} << (field_bits - 1)) - 1) / most));
}

UnitForm slice_fields(const SliceShape& s) {
    // Every field but the lowest gives back what the one below it borrowed: two wide ones by an adder, four narrow ones with the carry of the next sum.
    if (s.num_fields != 2) return {.lut = {{"dsp_quad.lut", 1}}, .ff = {}, .dsp = 1};
    const int top = kSliceSum - s.field_bits;
    return {.lut = {{"dsp_pair.lut_per_field_bit", static_cast<double>(s.sum_bits > top ? top + s.sum_bits : s.sum_bits)}}, .ff = {}, .dsp = 1};
}

UnitForm slice_form(const SliceShape& s) {
    const bool pair = s.num_fields == 2;
    const double bits = static_cast<double>(s.num_fields) * s.sum_bits;
    auto form = slice_fields(s);
    form.lut.push_back({pair ? "dsp_pair.lut_per_sum_bit" : "dsp_quad.lut_per_sum_bit", bits});
    if (pair) form.lut.push_back({"dsp_pair.lut", 1});
    form.ff.push_back({pair ? "dsp_pair.ff_per_bit" : "dsp_quad.ff_per_bit", bits + ceil_log2(s.period + 1) + 1});
    form.memory_lut = 3;
    return form;
}

// ---- post unit

UnitForm rescale_form(const RescaleShape& r) {
    const int product = r.operand_bits + kZeroBits, sum = std::max(product, r.offset_bits) + 1, out = r.out_bits + 1;
    UnitForm form;
    form.lut.push_back({"rescale.lut_per_shifter_bit", (r.rounds_operand ? shifter_bits(r.sum_bits, r.sum_bits) : 0) + shifter_bits(sum, sum)});
    form.lut.push_back({"rescale.lut_per_adder_bit", (r.rounds_operand ? r.sum_bits : 0) + 5.0 * sum + 2.0 * out});
    form.ff.push_back({"rescale.ff_per_bit", r.operand_bits + kZeroBits + 2.0 * product + 2.0 * sum + out});
    form.slice_ff = r.operand_bits + kZeroBits + 2.0 * product;
    form.memory_lut = r.offset_bits + kShiftBits + 3.0 * out + 1;  // constants on their way beside the word
    form.dsp = slices_of(r.operand_bits, kZeroBits);
    return form;
}

UnitForm partial_sum_form(const PartialSumShape& p) {
    UnitForm form;
    const double lanes = p.lanes;
    form.lut.push_back({"partial_sums.lut_per_sum_bit", lanes * p.out_bits});
    form.ff.push_back({"partial_sums.ff_per_bit", lanes * (p.sum_bits + 2.0 * p.out_bits)});
    form.ff.push_back({"partial_sums.ff", 1});
    form.slice_ff = lanes * (p.sum_bits + p.out_bits);
    form.memory_lut = static_cast<double>(lutram_of(std::max(2, p.groups), p.lanes * p.out_bits));
    add_memory(form, p.constants, 16);
    add_memory(form, p.constants, kShiftBits);
    form.dsp = p.lanes * slices_of(p.sum_bits, kZeroBits);
    return form;
}

// ---- softmax

UnitForm softmax_exponentials(const SoftmaxShape& s) {
    constexpr int kFraction = 14, kRest = 8, kChords = 64;
    const int x = s.exp_bits, sum = x + 9, fall = x - 5, aligned = s.score_bits + kFraction;
    UnitForm form;
    form.lut.push_back({"softmax.lut_per_shifter_bit", s.lanes * (shifter_bits(aligned, 16) + shifter_bits(sum, 32))});
    form.lut.push_back({"softmax.lut_per_adder_bit", s.lanes * (fall + 2.0 * sum)});
    form.ff.push_back({"softmax.ff_per_bit", s.lanes * (aligned + 4.0 * x + kRest + fall + kRest + sum + 3 * 5 + 5)});
    form.memory_lut = s.lanes * 2.0 * static_cast<double>(lutram_of(kChords, x));
    form.slice_ff = s.lanes * static_cast<double>(fall + kRest);
    form.dsp = s.lanes;
    return form;
}

UnitForm softmax_rest(const SoftmaxShape& s) {
    const int x = s.exp_bits, scaled = s.score_bits + 4, sum = x + 12, product = 16 + sum, bound = x + 1;
    const int levels = s.code_bits, groups = static_cast<int>(ceil_div(s.lanes, 4));
    UnitForm form;
    // A lane: distance and direct code; maximum; its part of the sum; a comparison with one of 2^level bounds a level.
    form.lut.push_back({"softmax.lut_per_shifter_bit", s.lanes * (shifter_bits(scaled, 4) + shifter_bits(scaled, 16))});
    form.lut.push_back({"softmax.lut_per_adder_bit", s.lanes * (s.score_bits + scaled + 3.0 * s.score_bits + x + 2.0) + groups * sum + 2.0 * sum +
                                                         s.lanes * levels * bound});
    form.ff.push_back({"softmax.ff_per_bit", s.lanes * (3.0 * s.score_bits + 2.0 * scaled + 2.0 * s.code_bits + levels * (x + (levels + 1) / 2.0)) +
                                                 groups * (s.score_bits + x + 2.0) + 3.0 * sum + 2.0 * s.score_bits});
    for (int level = 0; level < levels; ++level) {
        const int index = std::max(1, level);
        add_memory(form, std::int64_t{2} << index, bound, s.lanes);
        // Scaling of the level's thresholds, once per unit.
        form.lut.push_back({"softmax.lut_per_shifter_bit", 2 * shifter_bits(product, 64)});
        form.lut.push_back({"softmax.lut_per_adder_bit", product + 2.0 * bound});
        form.ff.push_back({"softmax.ff_per_bit", 16 + 3.0 * sum + 2.0 * product + 3.0 * kShiftBits + 4.0 * index});
        if (level > 1) {
            add_memory(form, std::int64_t{1} << index, 16);
            add_memory(form, std::int64_t{1} << index, kShiftBits);
        }
        form.slice_ff += 16 + sum + 2.0 * product;
        form.dsp += slices_of(sum + 1, kZeroBits);
    }
    return form;
}

UnitForm softmax_rings(const SoftmaxShape& s) {
    UnitForm form;
    const auto ring = [&](std::int64_t words, int word_bits) {
        const std::int64_t depth = std::int64_t{1} << ceil_log2(words), width = std::int64_t{s.lanes} * word_bits;
        if (add_memory(form, depth, width)) form.ff.push_back({"softmax.ff_per_bit", static_cast<double>(width)});
    };
    ring(s.max_words + 8, s.score_bits);
    ring(s.max_words + (1 << (s.code_bits - 1)) + 8, s.exp_bits);
    return form;
}

UnitForm softmax_form(const SoftmaxShape& s) { return sum_of({softmax_exponentials(s), softmax_rest(s), softmax_rings(s)}); }

// ---- LayerNorm

UnitForm layernorm_lanes(const LayerNormShape& n) {
    constexpr int kNormalised = 20, kRootBits = 17;
    const int sum = n.word_bits + n.log_channels, square = 2 * n.word_bits - 1, centred = sum + 2, product = centred + kRootBits;
    const auto rescaling = rescale_form({.sum_bits = kNormalised, .operand_bits = kNormalised, .offset_bits = n.offset_bits, .out_bits = n.out_bits, .rounds_operand = false});
    UnitForm form;
    form.append(rescaling, n.lanes);
    form.lut.push_back({"layernorm.lut_per_adder_bit", n.lanes * (n.word_bits + centred + 2.0 * product + square + n.word_bits + 4.0)});
    form.ff.push_back({"layernorm.ff_per_bit", n.lanes * (2.0 * centred + 2.0 * product + kNormalised + 3.0 * n.word_bits + 2.0 * square) +
                                                   static_cast<double>(ceil_div(n.lanes, 4)) * (n.word_bits + 2.0 + square + 2.0)});
    form.dsp += n.lanes * (slices_of(n.log_channels + 2, n.word_bits) + slices_of(centred, kRootBits) + slices_of(n.word_bits, n.word_bits));
    form.slice_ff += n.lanes * (2.0 * centred + 2.0 * product + n.word_bits + 2.0 * square);
    return form;
}

UnitForm layernorm_memories(const LayerNormShape& n) {
    UnitForm form;
    const auto words = ceil_div(std::int64_t{1} << n.log_channels, n.lanes);
    // Block RAM has the register behind it inside.
    const int constant = kZeroBits + n.offset_bits + kShiftBits + n.out_bits + 1;
    if (add_memory(form, words, constant, n.lanes)) form.ff.push_back({"layernorm.ff_per_bit", static_cast<double>(n.lanes) * constant});
    if (add_memory(form, std::int64_t{1} << ceil_log2(words + 32), std::int64_t{n.lanes} * n.word_bits))
        form.ff.push_back({"layernorm.ff_per_bit", static_cast<double>(n.lanes) * n.word_bits});
    return form;
}

UnitForm layernorm_variance(const LayerNormShape& n) {
    constexpr int kVariance = 64;
    const int sum = n.word_bits + n.log_channels, squares = 2 * n.word_bits - 1 + n.log_channels, scaled = squares + n.log_channels + 1;
    UnitForm form;
    form.lut.push_back({"layernorm.lut_per_adder_bit", 2.0 * kVariance + squares + sum});
    form.ff.push_back({"layernorm.ff_per_bit", 2.0 * squares + 2.0 * sum + 3.0 * scaled + 6.0 * sum + kVariance});
    form.slice_ff = 3.0 * scaled + 6.0 * sum;
    form.memory_lut = sum;  // the sum waits for the root
    form.dsp = slices_of(squares + 1, n.log_channels + 2) + slices_of(sum, sum);
    return form;
}

UnitForm layernorm_root(const LayerNormShape& n) {
    constexpr int kSeeds = 192, kSeedBits = 12;
    UnitForm form{.lut = {{"layernorm.root_lut", 1}}, .ff = {{"layernorm.root_ff", 1}}};
    add_memory(form, kSeeds, kSeedBits);
    form.memory_lut += 5;
    form.ff.push_back({"layernorm.ff_per_bit", 2.0 * (n.word_bits + n.log_channels + 16 + 6)});  // root and sum of the row that leaves
    form.slice_ff = 2 * 24 + 46 + 2 * 58;
    form.dsp = 1 + slices_of(25, 23) + slices_of(47, 13);  // s^2, m s^2, the last product
    return form;
}

UnitForm layernorm_form(const LayerNormShape& n) { return sum_of({layernorm_lanes(n), layernorm_variance(n), layernorm_root(n), layernorm_memories(n)}); }

// ---- tables, buffers, DMA

UnitForm table_form(const TableShape& t) {
    constexpr int kSegmentBits = 8, kDirect = 10;
    UnitForm form;
    if (t.input_bits <= kDirect) {
        const auto words = std::int64_t{1} << t.input_bits;
        const bool distributed = add_memory(form, words, t.entry_bits, t.lanes);
        form.lut.push_back({"gelu.lut_per_selected_bit", distributed ? static_cast<double>(t.lanes) * t.entry_bits * (ceil_div(words, 64) > 1 ? 1 : 0) : 0.0});
        form.ff.push_back({"gelu.ff_per_bit", static_cast<double>(t.lanes) * (t.word_bits + (distributed ? t.entry_bits : 0)) + 2});
        return form;
    }
    const int rest = t.input_bits - kSegmentBits;
    form.lut.push_back({"gelu.lut_per_adder_bit", static_cast<double>(t.lanes) * (t.entry_bits + 1 + 2.0 * (t.entry_bits + rest + 2) + 2.0 * t.word_bits)});
    form.ff.push_back({"gelu.ff_per_bit", static_cast<double>(t.lanes) * (rest + t.word_bits) + 2});
    form.bram18 = 2 * t.lanes * bram18_of(std::int64_t{1} << kSegmentBits, t.entry_bits);
    form.dsp = t.lanes * slices_of(t.entry_bits + 1, rest + 1);
    return form;
}

UnitForm buffer_form(const BufferShape& b) {
    const int address = ceil_log2(b.words);
    const bool registers = address < 10;  // the last addresses of the two slots: registers, or a memory of two words
    UnitForm form;
    form.lut.push_back({"buffer.lut_per_address_bit", static_cast<double>(address)});
    form.lut.push_back({"buffer.lut_per_selected_bit", registers ? static_cast<double>(address) : 0.0});
    form.ff.push_back({"buffer.ff_per_bit", (registers ? 4.0 : 2.0) * address + 7});
    form.memory_lut = registers ? 0 : static_cast<double>(lutram_of(2, address));
    form.bram18 = bram18_of(std::int64_t{2} << address, b.width_bits);
    return form;
}

namespace {

UnitForm dma_form(const DmaShape& d, std::string_view lut_per_byte, bool stores) {
    constexpr int kCountBits = 16, kOffsetBits = 24, kTiles = 8;
    const int lane = ceil_log2(d.port_bytes), entry = std::max(1, ceil_log2(d.outstanding));
    const double ports = d.ports;
    UnitForm form;
    form.lut.push_back({lut_per_byte, ports * shifter_bits(8 * d.port_bytes, d.port_bytes)});
    form.lut.push_back({"dma.lut_per_port", ports});
    form.lut.push_back({"dma.lut", 1});
    form.ff.push_back({"dma.ff_per_bit", ports * (2.0 * entry + kCountBits + entry + 1 + (stores ? 2.0 * entry + 1 : 0)) + kTiles * (kCountBits + 1)});
    form.ff.push_back({"dma.ff", 1});
    form.memory_lut = ports * static_cast<double>(lutram_of(std::int64_t{1} << entry, kOffsetBits) + lutram_of(std::int64_t{1} << entry, kCountBits) +
                                                  lutram_of(std::int64_t{1} << entry, lane) + lutram_of(std::int64_t{1} << entry, 3));
    return form;
}

}  // namespace

UnitForm load_form(const DmaShape& d) { return dma_form(d, "dma.load_lut_per_shifter_bit", false); }
UnitForm store_form(const DmaShape& d) { return dma_form(d, "dma.store_lut_per_shifter_bit", true); }

}  // namespace prelude::sim
