// SPDX-License-Identifier: Apache-2.0
#include "study.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <numeric>

#include "csv.hpp"
#include "models/error.hpp"

namespace prelude::calibration {

namespace {

using Parameters = std::map<std::string, int>;

sim::UnitForm array(const Parameters& p, sim::ArrayKind kind) {
    return sim::array_form({.kind = kind, .rows = p.at("ROWS"), .cols = p.at("COLS"), .depth = p.at("DEPTH"), .left_bits = p.at("LEFT_BITS"),
                            .right_bits = p.at("RIGHT_BITS"), .max_shift = kind == sim::ArrayKind::uniform ? 0 : p.at("CAP"),
                            .num_residues = kind == sim::ArrayKind::powers ? 1 << p.at("TAU_LOG2") : 1, .drain_rows = p.at("DRAIN_ROWS"),
                            .sum_bits = p.at("ACC_BITS")});
}

sim::DmaShape dma(const Parameters& p) {
    return {.ports = p.at("PORTS"), .port_bytes = p.at("PORT_BYTES"), .outstanding = p.at("OUTSTANDING"), .burst_bytes = p.at("BURST_BYTES")};
}

/// The product's form of a unit of the study.
sim::UnitForm form_of(const std::string& unit, const Parameters& p) {
    using namespace sim;
    if (unit == "pe_array_uniform") return array(p, ArrayKind::uniform);
    if (unit == "pe_array_log") return array(p, ArrayKind::powers);
    if (unit == "pe_array_hybrid") return array(p, ArrayKind::hybrid);
    if (unit == "dsp_pair") return slice_form({.num_fields = 2, .field_bits = p.at("FIELD"), .period = p.at("PERIOD"), .sum_bits = p.at("ACC_BITS")});
    if (unit == "dsp_quad") return slice_form({.num_fields = 4, .field_bits = 11, .period = p.at("PERIOD"), .sum_bits = p.at("ACC_BITS")});
    if (unit == "rescale")
        return rescale_form({.sum_bits = p.at("ACC_BITS"), .operand_bits = p.at("OPERAND_BITS"), .offset_bits = p.at("OFFSET_BITS"), .out_bits = p.at("OUT_BITS")});
    if (unit == "partial_sums")
        return partial_sum_form({.lanes = p.at("LANES"), .groups = p.at("GROUPS"), .sum_bits = p.at("SUM_BITS"), .out_bits = p.at("ACC_BITS"),
                                 .constants = p.at("CONSTANTS")});
    if (unit == "layernorm")
        return layernorm_form({.lanes = p.at("LANES"), .word_bits = p.at("WORD_BITS"), .log_channels = p.at("LOG_CHANNELS"), .offset_bits = p.at("OFFSET_BITS"),
                               .out_bits = p.at("OUT_BITS")});
    if (unit == "softmax")
        return softmax_form({.lanes = p.at("LANES"), .max_words = p.at("MAX_WORDS"), .score_bits = p.at("SCORE_BITS"), .code_bits = p.at("CODE_BITS"),
                             .exp_bits = p.at("EXP_BITS")});
    if (unit == "gelu_table")
        return table_form({.lanes = p.at("LANES"), .input_bits = p.at("INPUT_BITS"), .entry_bits = p.at("ENTRY_BITS"), .word_bits = p.at("WORD_BITS")});
    if (unit == "ping_pong") return buffer_form({.width_bits = p.at("WIDTH"), .words = p.at("DEPTH")});
    if (unit == "dma_read") return load_form(dma(p));
    if (unit == "dma_write") return store_form(dma(p));
    throw models::InputError(fmt::format("synthesis: no form for unit {}", unit));
}

double measured(const Synthesis& row, Resource resource) { return resource == Resource::lut ? row.lut : row.ff; }
const std::vector<sim::Part>& parts_of(const Synthesis& row, Resource resource) { return resource == Resource::lut ? row.form.lut : row.form.ff; }

bool owned(const Group& group, std::string_view term) {
    return std::any_of(group.prefixes.begin(), group.prefixes.end(), [&](const std::string& prefix) { return term.starts_with(prefix); });
}

/// min |A x - 1| over x >= 0: of all sets of columns that are not held at 0, the one with the smallest residual that is feasible.
Eigen::VectorXd non_negative(const Eigen::MatrixXd& a) {
    const auto columns = a.cols();
    const Eigen::VectorXd ones = Eigen::VectorXd::Ones(a.rows());
    Eigen::VectorXd best = Eigen::VectorXd::Zero(columns);
    double least = ones.squaredNorm();
    for (unsigned set = 1; set < (1U << columns); ++set) {
        std::vector<Eigen::Index> used;
        for (Eigen::Index c = 0; c < columns; ++c)
            if (set >> c & 1U) used.push_back(c);
        const Eigen::VectorXd x = a(Eigen::all, used).colPivHouseholderQr().solve(ones);
        const double residual = (a(Eigen::all, used) * x - ones).squaredNorm();
        if (x.minCoeff() < 0 || residual >= least * (1 - 1e-9)) continue;
        least = residual;
        best.setZero();
        best(used) = x;
    }
    return best;
}

/// A row by the terms of its group, and by what is known without them.
double of_terms(const Synthesis& row, Resource resource, const Group& group, const std::map<std::string, double>& terms) {
    double sum = 0;
    for (const auto& part : parts_of(row, resource)) {
        const auto found = terms.find(std::string(part.term));  // a term no other row has is 0
        if (owned(group, part.term) && found != terms.end()) sum += found->second * part.count;
    }
    return sum;
}
double known(const Synthesis& row, Resource resource, const Group& group, const sim::CostTable& costs) {
    double sum = resource == Resource::lut ? row.form.memory_lut : 0;
    for (const auto& part : parts_of(row, resource))
        if (!owned(group, part.term)) sum += costs.at(part.term).value * part.count;
    return sum;
}

/// FNV-1a: the same on every machine.
std::uint64_t hash_of(const std::string& text) {
    std::uint64_t hash = 14695981039346656037ULL;
    for (const unsigned char c : text) hash = (hash ^ c) * 1099511628211ULL;
    return hash;
}

constexpr std::size_t kFolds = 5;

/// Share within which a fraction of the errors is.
double quantile(std::vector<double> values, double fraction) {
    std::sort(values.begin(), values.end());
    const auto rank = static_cast<std::size_t>(std::ceil(fraction * static_cast<double>(values.size())));
    return values[std::min(values.size() - 1, rank > 0 ? rank - 1 : 0)];
}

double smape(double predicted, double truth) { return predicted + truth > 0 ? 2 * std::abs(predicted - truth) / (predicted + truth) : 0; }

}  // namespace

std::vector<Synthesis> read_synthesis(const std::filesystem::path& csv) {
    std::vector<Synthesis> rows;
    for (const auto& cell : read_csv(csv)) {
        const auto number = [&](const char* name) { return std::stoll(cell.at(name)); };
        Parameters parameters;
        for (const auto& parameter : split(cell.at("parameters"), ' ')) {
            const auto at = parameter.find('=');
            parameters[parameter.substr(0, at)] = std::stoi(parameter.substr(at + 1));
        }
        rows.push_back({.unit = cell.at("unit"),
                        .parameters = cell.at("parameters"),
                        .lut = static_cast<double>(number("lut") + number("srl") + number("lutram")),
                        .ff = static_cast<double>(number("ff")),
                        .dsp = number("dsp"),
                        .bram18 = number("ramb18") + 2 * number("ramb36"),
                        .form = form_of(cell.at("unit"), parameters)});
    }
    return rows;
}

const std::vector<Group>& groups() {
    static const std::vector<Group> kGroups{
        {"pe_array", {"pe_array_uniform", "pe_array_log", "pe_array_hybrid"}, {"lut_multiplier.", "shift_add.", "adder.", "accumulator.", "zero_point.", "array."}},
        {"dsp_pair", {"dsp_pair"}, {"dsp_pair."}},
        {"dsp_quad", {"dsp_quad"}, {"dsp_quad."}},
        {"rescale", {"rescale"}, {"rescale."}},
        {"partial_sums", {"partial_sums"}, {"partial_sums."}},
        {"layernorm", {"layernorm"}, {"layernorm."}},
        {"softmax", {"softmax"}, {"softmax."}},
        {"gelu", {"gelu_table"}, {"gelu."}},
        {"buffer", {"ping_pong"}, {"buffer."}},
        {"dma", {"dma_read", "dma_write"}, {"dma."}},
    };
    return kGroups;
}

std::vector<Synthesis> rows_of(std::span<const Synthesis> all, const Group& group) {
    std::vector<Synthesis> rows;
    for (const auto& row : all)
        if (std::find(group.units.begin(), group.units.end(), row.unit) != group.units.end()) rows.push_back(row);
    return rows;
}

std::map<std::string, double> fit(std::span<const Synthesis> rows, const Group& group, Resource resource, const sim::CostTable& costs) {
    std::vector<std::string> terms;
    for (const auto& row : rows)
        for (const auto& part : parts_of(row, resource))
            if (owned(group, part.term) && std::find(terms.begin(), terms.end(), part.term) == terms.end()) terms.emplace_back(part.term);
    std::sort(terms.begin(), terms.end());
    // Relative errors: every row divided by what the terms have to explain, which is scaled by the row's whole count.
    Eigen::MatrixXd a = Eigen::MatrixXd::Zero(static_cast<Eigen::Index>(rows.size()), static_cast<Eigen::Index>(terms.size()));
    Eigen::VectorXd weight(a.rows());
    for (Eigen::Index r = 0; r < a.rows(); ++r) {
        const auto& row = rows[static_cast<std::size_t>(r)];
        const double rest = std::max(1.0, measured(row, resource) - known(row, resource, group, costs));
        for (const auto& part : parts_of(row, resource)) {
            const auto found = std::find(terms.begin(), terms.end(), part.term);
            if (found != terms.end()) a(r, found - terms.begin()) += part.count / rest;
        }
    }
    const auto x = non_negative(a);
    std::map<std::string, double> values;
    for (std::size_t i = 0; i < terms.size(); ++i) values[terms[i]] = x(static_cast<Eigen::Index>(i));
    return values;
}

Judged cross_validated(std::span<const Synthesis> rows, const Group& group, Resource resource, const sim::CostTable& costs) {
    std::vector<std::size_t> order(rows.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
        return std::pair(hash_of(rows[a].unit + rows[a].parameters), a) < std::pair(hash_of(rows[b].unit + rows[b].parameters), b);
    });
    Judged judged{.predicted = std::vector<double>(rows.size())};
    for (std::size_t fold = 0; fold < kFolds; ++fold) {
        std::vector<Synthesis> seen;
        for (std::size_t i = 0; i < order.size(); ++i)
            if (i % kFolds != fold) seen.push_back(rows[order[i]]);
        const auto terms = fit(seen, group, resource, costs);
        for (std::size_t i = fold; i < order.size(); i += kFolds) {
            const auto& row = rows[order[i]];
            judged.predicted[order[i]] = of_terms(row, resource, group, terms) + known(row, resource, group, costs);
        }
    }
    std::vector<double> errors;
    for (std::size_t i = 0; i < rows.size(); ++i) {
        const double truth = measured(rows[i], resource);
        judged.smape += smape(judged.predicted[i], truth) / static_cast<double>(rows.size());
        errors.push_back(judged.predicted[i] > 0 ? std::abs(truth / judged.predicted[i] - 1) : 1);
    }
    judged.spread = quantile(errors, 0.8);
    return judged;
}

double smape_of(std::span<const Synthesis> rows, const Judged& judged, Resource resource, const std::string& unit) {
    double sum = 0;
    int n = 0;
    for (std::size_t i = 0; i < rows.size(); ++i)
        if (rows[i].unit == unit) sum += smape(judged.predicted[i], measured(rows[i], resource)), ++n;
    return sum / n;
}

double rounded(double value) { return std::stod(fmt::format("{:.4g}", value)); }

std::string line_of(const std::string& term, const sim::Figure& figure) {
    return fmt::format("  {}: {{value: {}, low: {}, high: {}, unit: {}, status: calibrated, source: \"{}\"}}", term, figure.value, figure.low, figure.high, figure.unit,
                       figure.source);
}

std::string updated(const std::string& table, const std::map<std::string, sim::Figure, std::less<>>& figures) {
    auto lines = split(table, '\n');
    for (const auto& [term, figure] : figures) {
        const auto line = std::find_if(lines.begin(), lines.end(), [&, start = fmt::format("  {}: ", term)](const std::string& l) { return l.starts_with(start); });
        if (line == lines.end()) throw models::InputError(fmt::format("the cost table has no term {}", term));
        *line = line_of(term, figure);
    }
    return fmt::format("{}", fmt::join(lines, "\n"));
}

Calibration calibrate(std::span<const Synthesis> all) {
    Calibration result;
    sim::CostTable costs;
    for (const auto& group : groups()) {
        const auto rows = rows_of(all, group);
        if (rows.empty()) continue;
        for (const auto resource : {Resource::lut, Resource::ff}) {
            auto& judged = result.judged[{group.name, resource}] = cross_validated(rows, group, resource, costs);
            for (const auto& [term, value] : fit(rows, group, resource, costs)) {
                const double v = rounded(value);
                costs.terms[term] = {.value = v,
                                     .status = sim::Provenance::calibrated,
                                     .unit = std::string(sim::find_cost_term(term)->unit),
                                     .source = fmt::format("Yosys 0.23, {} configurations of {}: 5-fold sMAPE {:.1f} %; docs/resources.md", rows.size(),
                                                           fmt::join(group.units, ", "), 100 * judged.smape),
                                     .low = rounded(v * (1 - std::min(1.0, judged.spread))),
                                     .high = rounded(v * (1 + judged.spread))};
            }
        }
    }
    result.figures = std::move(costs.terms);
    return result;
}

}  // namespace prelude::calibration
