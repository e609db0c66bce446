// SPDX-License-Identifier: Apache-2.0
#include "experiments/cli/handoff.hpp"

#include <fmt/format.h>

#include <tuple>

namespace prelude::experiments {

namespace {

constexpr int kMaxNumber = 1'000'000;

/// "a,b" as its parts.
std::vector<std::string> parts_of(std::string_view text) {
    std::vector<std::string> parts;
    while (true) {
        const auto comma = text.find(',');
        parts.emplace_back(text.substr(0, comma));
        if (comma == std::string_view::npos) return parts;
        text.remove_prefix(comma + 1);
    }
}

CLI::Option* add_list(CLI::App& app, const std::string& name, const std::string& help, const std::string& form,
                      std::vector<std::string>& list) {
    return app
        .add_option_function<std::string>(
            name, [&list](const std::string& text) { list = parts_of(text); }, help)
        ->option_text(form);
}

DumpFormat format_named(const std::string& option, const std::string& name) {
    if (const auto format = dump_format_of(name)) return *format;
    throw CLI::ValidationError(option, fmt::format("got {}; allowed: npy, bin, hex, dat, real, cosim, header", name));
}

void add_element_order(CLI::App& app, const std::function<void(ElementOrder)>& put) {
    app.add_option_function<std::string>(
           "--element-order",
           [put](const std::string& text) {
               if (text != "lsb_first" && text != "msb_first")
                   throw CLI::ValidationError("--element-order", fmt::format("got {}; allowed: lsb_first, msb_first", text));
               put(text == "lsb_first" ? ElementOrder::lsb_first : ElementOrder::msb_first);
           },
           "Place of the first element in a packed hexadecimal word (default: lsb_first)")
        ->option_text("ORDER");
}

}  // namespace

HandoffCommands::HandoffCommands(CLI::App& app) {
    declare_export(app);
    declare_verify(app);
    declare_calibrate_costs(app);
}

void HandoffCommands::declare_export(CLI::App& app) {
    auto& c = export_command_;
    export_ = app.add_subcommand("export", "Golden vectors, HLS parameters and expected figures of one design point");
    export_->add_option("--config", c.config, "Configuration of the design point")->option_text("FILE.yaml");
    export_->add_option("--set", c.sets, "Replaces a key of the file, or an axis; may be repeated")
        ->option_text("key=value")
        ->allow_extra_args(false);
    export_->add_option("--results", c.results, "Folder of a sweep, instead of a configuration")->option_text("DIR");
    export_->add_option("--design-point", c.design_point, "Number of the point, where there are several")->option_text("N");
    export_->add_option("--out", c.out, "Folder that is written; empty, new, or an earlier export")->option_text("DIR")->required();
    add_list(*export_, "--layers", "Layers to hand over, with * and ? (default: all)", "PATTERN,...", c.layers);
    add_list(*export_, "--units", "Units to hand over: pe_array, post_unit, softmax, layernorm, gelu, dma (default: all)", "UNIT,...",
             c.units);
    export_
        ->add_option_function<std::string>(
            "--formats",
            [&c](const std::string& text) {
                for (const auto& name : parts_of(text)) c.formats.insert(format_named("--formats", name));
            },
            "Formats beside npy: bin, hex, dat, real, cosim, header")
        ->option_text("FORMAT,...");
    export_->add_option("--word-bits", c.packing.word_bits, "Width of packed hexadecimal words (default: an element a word)")
        ->option_text("N")
        ->check(CLI::Range(1, kMaxPackedBits));
    add_element_order(*export_, [&c](ElementOrder order) { c.packing.order = order; });
    export_->add_option("--image", c.picture, "Number of the evaluated picture; its first prompt is used (default: 0)")
        ->option_text("N")
        ->check(CLI::Range(0, kMaxNumber));
    export_->add_flag("--quiet", c.quiet, "No progress on stderr");
}

void HandoffCommands::declare_verify(CLI::App& app) {
    auto& c = verify_command_;
    auto& dumps = c.dumps;
    verify_ = app.add_subcommand("verify", "Dumps of an HLS or RTL build against an export, word by word");
    verify_->add_option("--golden", dumps.golden, "Folder of the export")->option_text("DIR")->required();
    verify_->add_option("--actual", dumps.actual, "Folder of the build's dumps, called like the tensors")->option_text("DIR");
    add_list(*verify_, "--only", "Tensors to compare, with * and ? (default: all)", "PATTERN,...", dumps.only);
    verify_
        ->add_option_function<std::string>(
            "--format", [&dumps](const std::string& name) { dumps.format = format_named("--format", name); },
            "Format of the dumps (default: told by each)")
        ->option_text("FORMAT");
    const auto packing = [&dumps]() -> Packing& {
        if (!dumps.packing) dumps.packing.emplace();
        return *dumps.packing;
    };
    verify_
        ->add_option_function<int>(
            "--word-bits", [packing](int bits) { packing().word_bits = bits; }, "Width of packed hexadecimal words (default: the export's)")
        ->option_text("N")
        ->check(CLI::Range(1, kMaxPackedBits));
    add_element_order(*verify_, [packing](ElementOrder order) { packing().order = order; });
    for (const auto& [name, kind, help] : {std::tuple{"--csynth", ReportKind::csynth, "Report of high-level synthesis (.rpt, .xml)"},
                                           {"--cosim", ReportKind::cosim, "Report of co-simulation"},
                                           {"--utilization", ReportKind::utilization, "Vivado: report_utilization"},
                                           {"--power", ReportKind::power, "Vivado: report_power"},
                                           {"--timing", ReportKind::timing, "Vivado: report_timing_summary"}})
        verify_
            ->add_option_function<std::string>(
                name, [&c, kind = kind](const std::string& file) { c.reports[kind] = file; }, help)
            ->option_text("FILE");
    verify_->add_option("--tolerances", c.tolerances, "How far reports may be from expected.json, and which terms may be unknown")
        ->option_text("FILE.yaml");
    verify_->add_option("--baseline", c.baseline, "What reports of an earlier build said: growth beyond the tolerance fails")
        ->option_text("FILE");
    verify_->add_flag("--update-baseline", c.update_baseline, "Writes the baseline instead");
    verify_->add_option("--junit", c.junit, "Writes JUnit XML")->option_text("FILE");
    verify_->add_option("--html", c.html, "Writes one page with heat maps of the mismatches")->option_text("FILE");
    verify_->add_option("--heat-maps", c.heat_maps, "Writes the heat maps as PNG")->option_text("DIR");
    verify_->add_flag("!--no-diagnosis", dumps.diagnose, "Does not look for the cause of mismatches");
    verify_->add_flag("--quiet", c.quiet, "No progress on stderr");
}

void HandoffCommands::declare_calibrate_costs(CLI::App& app) {
    auto& c = calibrate_costs_command_;
    calibrate_costs_ = app.add_subcommand("calibrate-costs", "Fits terms of the cost table to the reports of one's own builds");
    calibrate_costs_
        ->add_option("--reports", c.reports, "A folder of every design in it: expected.json, as export writes it, and the build's reports")
        ->option_text("DIR")
        ->required();
    calibrate_costs_->add_option("--out", c.out, "Writes the fitted table; of several device families one each")->option_text("FILE.yaml");
    calibrate_costs_->add_flag("--overwrite", c.overwrite, "Replaces a table that is there");
    calibrate_costs_->add_option("--check", c.checks, "What the fit says of another design, and where it extrapolates; may be repeated")
        ->option_text("EXPECTED.json")
        ->allow_extra_args(false);
    calibrate_costs_->add_flag("--json", c.json, "The same as JSON");
}

std::string HandoffCommands::problem() const {
    if (*export_ && export_command_.config.empty() == export_command_.results.empty())
        return "export: needs --config FILE.yaml or --results DIR, one of them";
    if (*verify_ && verify_command_.dumps.actual.empty() && verify_command_.reports.empty())
        return "verify: needs --actual DIR, or a report to compare with expected.json";
    if (*verify_ && !verify_command_.baseline.empty() && verify_command_.reports.empty()) return "verify: --baseline needs reports";
    if (*verify_ && verify_command_.update_baseline && verify_command_.baseline.empty())
        return "verify: --update-baseline needs --baseline FILE";
    return {};
}

std::optional<int> HandoffCommands::run(const MakeTaskSet& make_task_set) const {
    if (*export_) return export_command(export_command_, make_task_set({}));
    if (*verify_) return verify(verify_command_);
    if (*calibrate_costs_) return calibrate_costs(calibrate_costs_command_);
    return std::nullopt;
}

}  // namespace prelude::experiments
