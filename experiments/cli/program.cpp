// SPDX-License-Identifier: Apache-2.0
#include "experiments/cli/program.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <cstdio>
#include <optional>

#include "experiments/allocate/budget.hpp"
#include "experiments/cli/handoff.hpp"
#include "experiments/commands/accumulators.hpp"
#include "experiments/commands/compare.hpp"
#include "experiments/commands/diff.hpp"
#include "experiments/commands/explain.hpp"
#include "experiments/commands/inspect.hpp"
#include "experiments/commands/read_report.hpp"
#include "experiments/commands/report.hpp"
#include "experiments/commands/run_image.hpp"
#include "experiments/commands/sensitivity.hpp"
#include "experiments/commands/sweep.hpp"
#include "experiments/commands/validate.hpp"
#include "experiments/config/error.hpp"
#include "experiments/config/keys.hpp"
#include "experiments/process/launcher.hpp"
#include "experiments/sensitivity/study.hpp"
#include "models/error.hpp"

namespace prelude::experiments {

namespace {

constexpr std::array kStrictFigures = {std::string_view("latency"), std::string_view("power"), std::string_view("resources")};

/// "1,2.5" as `count` numbers.
template <std::size_t count>
std::optional<std::array<double, count>> parse_numbers(std::string_view text) {
    std::array<double, count> numbers{};
    for (std::size_t i = 0; i < count; ++i) {
        const auto comma = text.find(',');
        if ((comma == std::string_view::npos) != (i + 1 == count)) return std::nullopt;
        const auto part = text.substr(0, comma);
        const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), numbers[i]);
        if (part.empty() || error != std::errc{} || end != part.data() + part.size()) return std::nullopt;
        text.remove_prefix(std::min(text.size(), part.size() + 1));
    }
    return numbers;
}

/// An option whose text becomes a value by a function; what it refuses is a usage error.
template <typename Parse, typename Target>
CLI::Option* add_parsed(CLI::App& app, const std::string& name, const std::string& help, const std::string& form, Parse parse, Target put) {
    return app
        .add_option_function<std::string>(
            name,
            [=](const std::string& text) {
                const auto value = parse(text);
                if (!value) throw CLI::ValidationError(name, fmt::format("got {}; allowed: {}", text, form));
                put(*value);
            },
            help)
        ->trigger_on_parse()
        ->option_text(form);
}

std::optional<std::vector<std::string>> parse_strict(std::string_view text) {
    std::vector<std::string> figures;
    if (text == "all") return std::vector<std::string>(kStrictFigures.begin(), kStrictFigures.end());
    while (true) {
        const auto comma = text.find(',');
        const auto figure = text.substr(0, comma);
        if (std::find(kStrictFigures.begin(), kStrictFigures.end(), figure) == kStrictFigures.end()) return std::nullopt;
        figures.emplace_back(figure);
        if (comma == std::string_view::npos) return figures;
        text.remove_prefix(comma + 1);
    }
}

void add_config(CLI::App& app, std::filesystem::path& config, std::vector<std::string>& sets) {
    app.add_option("--config", config, "Configuration of the design points")->option_text("FILE.yaml");
    app.add_option("--set", sets, "Replaces a key of the file, or an axis; may be repeated")
        ->option_text("key=value")
        ->allow_extra_args(false);
}

std::string footer() {
    return keys_overview() +
           "\nColumns of results.csv are explained the same way; `explore explain all` lists every key.\n"
           "Exit codes: 0 done; 1 a verification failed; 2 usage; 3 configuration or input rejected; 4 no feasible point;\n"
           "5 internal error or every point failed; 130 interrupted (the same command resumes).";
}

class Program {
  public:
    Program(int argc, char** argv) : argc_(argc), argv_(argv) {
        app_.require_subcommand(0, 1);
        app_.set_version_flag("--version", "explore " PRELUDE_VERSION);
        app_.footer(footer());
        declare_sweep();
        declare_run();
        declare_sensitivity();
        declare_others();
        handoff_.emplace(app_);
        for (int i = 1; i < argc; ++i) sweep_.arguments.emplace_back(argv[i]);
    }

    int run(const MakeTaskSet& make_task_set) {
        try {
            app_.parse(argc_, argv_);
        } catch (const CLI::ParseError& error) {
            if (error.get_exit_code() == 0) return app_.exit(error);  // --help, --version
            std::fputs(fmt::format("explore: {}\n`explore --help` says more.\n", error.what()).c_str(), stderr);
            return kUsage;
        }
        if (!problem_.empty()) return usage(problem_);
        if (const auto problem = handoff_->problem(); !problem.empty()) return usage(problem);
        if (const auto code = handoff_->run(make_task_set)) return *code;
        if (*report_) return report(folder_);
        if (*diff_) return diff(folder_, a_, b_);
        if (*compare_) return compare_command(compare_command_);
        if (*table_) return table_command(table_command_);
        if (*validate_) return validate(validate_command_, make_task_set);
        if (*ratio_) return ratio_command(ratio_command_);
        if (*explain_) return explain_command(key_);
        if (*read_report_) return read_report(read_report_command_);
        if (*run_) {
            if (run_command_.boxes.empty() && run_command_.points.empty()) return usage("run: needs --box or --point");
            return run_command_.config.empty() ? usage("run: needs --config FILE.yaml") : run_image(run_command_, make_task_set({}));
        }
        if (*accumulators_) {
            auto& command = accumulators_command_.sweep;
            command.arguments = sweep_.arguments;
            return command.config.empty() ? usage("accumulators: needs --config FILE.yaml") : accumulators(accumulators_command_, make_task_set);
        }
        if (*sensitivity_) return sensitivity_command_.config.empty() ? usage("sensitivity: needs --config FILE.yaml") : sensitivity(sensitivity_command_, make_task_set);
        if (*inspect_) return inspect_command_.config.empty() ? usage("inspect: needs --config FILE.yaml") : inspect(inspect_command_);
        if (argc_ == 1) {
            std::fputs(app_.help().c_str(), stderr);
            return kUsage;
        }
        if (sweep_.config.empty()) return usage("needs --config FILE.yaml");
        return sweep(sweep_, make_task_set);
    }

  private:
    static int usage(const std::string& text) {
        std::fputs(fmt::format("explore {}{}\n", text, "\n`explore --help` says more.").c_str(), stderr);
        return kUsage;
    }

    void declare_sweep() {
        add_config(app_, sweep_.config, sweep_.sets);
        app_.add_option("--out", sweep_.out, "Where results go, and are resumed from (default: out/NAME of the configuration)")
            ->option_text("DIR");
        app_.add_option("--jobs", sweep_.num_jobs, "Design points evaluated at a time (default: one per core)")
            ->option_text("N")
            ->check(CLI::Range(1, 4096));
        add_parsed(app_, "--shard", "Part k of n, 1 <= k <= n; `explore report DIR` merges all", "k/n", parse_shard,
                   [this](Shard shard) { sweep_.shard = shard; });
        app_.add_flag("--dry-run", sweep_.dry_run, "Prints the design points and the distinct tasks; runs nothing");
        app_.add_flag("--strict{all}", strict_,
                      "Refuses results that stand on assumed figures (exit code 3); --strict=power,latency for some of them");
        app_.add_option("--trace", sweep_.trace, "Writes the timeline of a single design point: Chrome trace JSON, for Perfetto")->option_text("FILE");
        app_.add_flag("--fresh", sweep_.fresh, "Empties the store first");
        app_.add_flag("--quiet", sweep_.quiet, "No progress on stderr");
        app_.parse_complete_callback([this] {
            if (strict_.empty()) return;
            if (const auto figures = parse_strict(strict_))
                sweep_.strict = *figures;
            else
                problem_ = fmt::format("--strict: got {}; allowed: latency, power, resources, joined by commas", strict_);
        });
    }

    void declare_run() {
        run_ = app_.add_subcommand("run", "One image through one design point: mask, overlay beside FP32, latency");
        add_config(*run_, run_command_.config, run_command_.sets);
        run_->add_option("--image", run_command_.image, "PNG or JPEG")->option_text("FILE")->required();
        add_parsed(*run_, "--box", "Box prompt in pixels; may be repeated", "x0,y0,x1,y1", parse_numbers<4>, [this](const auto& box) {
            run_command_.boxes.push_back(box);
        })->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
        add_parsed(*run_, "--point", "Point prompt in pixels; may be repeated", "x,y", parse_numbers<2>, [this](const auto& point) {
            run_command_.points.push_back(point);
        })->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
        run_->add_option("--out", run_command_.out, "Where the pictures go (default: out/NAME of the image)")->option_text("DIR");
        inspect_ = app_.add_subcommand("inspect", "Graph, shapes, MACs, parameters, formats and tiling of one design");
        add_config(*inspect_, inspect_command_.config, inspect_command_.sets);
        inspect_->add_flag("--all", inspect_command_.all, "Every node, also of equal blocks and those that move words");
        inspect_->add_flag("--json", inspect_command_.json, "The same as JSON");
        inspect_->add_option("--mapping-out", inspect_command_.mapping_out, "Writes the mapping of every segment as a file that hw.mapping takes")->option_text("FILE.yaml");
    }

    void declare_sensitivity() {
        sensitivity_ = app_.add_subcommand("sensitivity", "Which layers the masks depend on; with --budget, the widths of all layers that fit it best");
        auto& study = sensitivity_command_;
        add_config(*sensitivity_, study.config, study.sets);
        sensitivity_->add_option("--layers", study.layers, "Layers to look at, others staying as they are (default: all)")->option_text("PATTERN,...");
        sensitivity_->add_option("--budget", study.budget, "Chooses widths: " + std::string(kBudgetForms))->option_text("WHAT=AMOUNT");
        sensitivity_->add_option("--widths", study.widths, "Widths the choice may use (default: 2,3,4,5,6,7,8)")->option_text("BITS,...");
        sensitivity_->add_option("--images", study.num_images, "Calibration pictures that damage is measured on (default: all)")->option_text("N")->check(CLI::Range(1, 4096));
        sensitivity_->add_flag("--miou", study.miou, "Mean IoU of every lowered layer on the evaluated pictures, too");
        sensitivity_->add_option("--out", study.out, "Where results go, and are resumed from (default: out/NAME-sensitivity)")->option_text("DIR");
        sensitivity_->add_option("--jobs", study.num_jobs, "Variants measured at a time (default: one per core)")->option_text("N")->check(CLI::Range(1, 4096));
        sensitivity_->add_flag("--quiet", study.quiet, "No progress on stderr");
    }

    void declare_others() {
        diff_ = app_.add_subcommand("diff", "Two design points side by side: keys, results, layers");
        diff_->add_option("DIR", folder_, "Folder of a sweep")->required();
        diff_->add_option("A", a_, "Number of a point")->required();
        diff_->add_option("B", b_, "Number of another one")->required();
        compare_ = app_.add_subcommand("compare", "Points that differ in one key, prompt by prompt: which differences are more than chance");
        compare_->add_option("DIR", compare_command_.folder, "Folder of a sweep")->required();
        compare_->add_option("--by", compare_command_.by, "Swept key, or several joined by commas")->option_text("KEY")->required();
        compare_->add_option("--reference", compare_command_.reference, "Value that all others are compared with (default: the first)")->option_text("VALUE");
        compare_->add_flag("--csv", compare_command_.csv, "The same as CSV");
        table_ = app_.add_subcommand("table", "A sweep as a table of papers: one key down, one across, FP32 above");
        table_->add_option("DIR", table_command_.folder, "Folder of a sweep")->required();
        table_->add_option("--rows", table_command_.request.rows, "Swept key, or several joined by commas")->option_text("KEY")->required();
        table_->add_option("--columns", table_command_.request.columns, "Another one")->option_text("KEY")->required();
        table_->add_option("--cell", table_command_.request.cell, "Column of results.csv (default: miou)")->option_text("COLUMN");
        table_->add_flag("--markdown", table_command_.markdown, "The same as Markdown");
        ratio_ = app_.add_subcommand("ratio", "Speed-up and power efficiency of one side of a sweep over the others, each at its fastest point");
        ratio_->add_option("DIR", ratio_command_.folder, "Folder of a sweep")->required();
        ratio_->add_option("--by", ratio_command_.request.by, "Swept key, or several joined by commas, whose values are the sides")->option_text("KEY")->required();
        ratio_->add_option("--subject", ratio_command_.request.subject, "Value that the others are held against (default: the first)")->option_text("VALUE");
        ratio_->add_option("--search", ratio_command_.request.search, "Swept keys that every side chooses for itself")->option_text("KEY");
        ratio_->add_flag("--markdown", ratio_command_.markdown, "The same as Markdown");
        accumulators_ = app_.add_subcommand("accumulators", "Width of the sums that every layer needs, and what fewer bits do to the masks");
        auto& study = accumulators_command_.sweep;
        add_config(*accumulators_, study.config, study.sets);
        accumulators_->add_option("--out", study.out, "Where results of the sweep go (default: out/NAME of the configuration)")->option_text("DIR");
        accumulators_->add_option("--jobs", study.num_jobs, "Design points evaluated at a time (default: one per core)")->option_text("N")->check(CLI::Range(1, 4096));
        accumulators_->add_flag("--quiet", study.quiet, "No progress on stderr");
        accumulators_->add_option("--images", accumulators_command_.num_images, "Pictures that sums are observed on (default: 4)")->option_text("N")->check(CLI::Range(1, 4096));
        accumulators_->add_flag("--all", accumulators_command_.all, "Every layer, also of equal blocks");
        validate_ = app_.add_subcommand("validate", "Predictions for published designs beside what was published");
        validate_->add_option("DIR", validate_command_.folder, "Folder with designs.yaml and assumptions.yaml, as arch_configs/validation")->required();
        validate_->add_flag("--markdown", validate_command_.markdown, "The same as Markdown");
        validate_->add_flag("--csv", validate_command_.csv, "The predictions alone, in full, as CSV");
        report_ = app_.add_subcommand("report", "Rewrites report and CSV files from the store; merges shards");
        report_->add_option("DIR", folder_, "Folder of a sweep")->required();
        explain_ = app_.add_subcommand("explain", "What a configuration key means: type, unit, range, default, source");
        explain_->add_option("KEY", key_, "Key, section, column of results.csv, or `all`")->required();
        read_report_ = app_.add_subcommand("read-report", "What a report of Vivado HLS, Vitis HLS or Vivado says, in one form");
        read_report_->add_option("FILE", read_report_command_.file, "csynth (.rpt, .xml), its summary, cosim, export, utilization, power or timing")->required();
        read_report_->add_flag("--json", read_report_command_.json, "The same as JSON; unknown is null");
    }

    int argc_;
    char** argv_;
    CLI::App app_{
        "Finds the best hardware for a quantized Segment Anything Model: accuracy, latency, power and resources of design points.",
        "explore"};
    SweepCommand sweep_;
    RunCommand run_command_;
    InspectCommand inspect_command_;
    AccumulatorsCommand accumulators_command_;
    SensitivityCommand sensitivity_command_;
    CompareCommand compare_command_;
    ValidateCommand validate_command_;
    TableCommand table_command_;
    ReadReportCommand read_report_command_;
    RatioCommand ratio_command_;
    std::string strict_, problem_, key_;
    std::filesystem::path folder_;
    std::int64_t a_ = 0, b_ = 0;
    CLI::App *run_ = nullptr, *accumulators_ = nullptr, *sensitivity_ = nullptr, *inspect_ = nullptr, *diff_ = nullptr, *report_ = nullptr, *explain_ = nullptr, *compare_ = nullptr, *table_ = nullptr, *validate_ = nullptr, *ratio_ = nullptr, *read_report_ = nullptr;
    std::optional<HandoffCommands> handoff_;
};

int fail(int code, const std::string& text) {
    std::fputs((text + "\n").c_str(), stderr);
    return code;
}

}  // namespace

int run_program(int argc, char** argv, const MakeTaskSet& make_task_set) {
    try {
        return Program(argc, argv).run(make_task_set);
    } catch (const ConfigError& error) {
        return fail(kRejected, error.what());
    } catch (const StoreError& error) {
        return fail(kRejected, error.what());
    } catch (const models::InputError& error) {
        return fail(kRejected, error.what());
    } catch (const std::filesystem::filesystem_error& error) {
        return fail(kRejected, error.what());
    } catch (const StudyFailed& error) {
        return fail(kInternalError, fmt::format("explore: the study could not be finished:\n{}", error.what()));
    } catch (const LauncherLost& error) {
        return fail(kInternalError, fmt::format("explore: {}; the store is valid, the same command resumes", error.what()));
    } catch (const DatabaseError& error) {
        return fail(kRejected, fmt::format("results.db: {}", error.what()));
    } catch (const std::exception& error) {
        return fail(kInternalError, fmt::format("explore: internal error: {}", error.what()));
    }
}

}  // namespace prelude::experiments
