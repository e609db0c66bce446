// SPDX-License-Identifier: Apache-2.0
#include "experiments/handoff/print_verification.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "experiments/base64.hpp"
#include "experiments/output/text_table.hpp"

namespace prelude::experiments {

namespace {

std::string number_with_real(const TensorDescription& tensor, std::uint64_t index, std::int64_t word) {
    if (word == kUndefinedWord) return "undefined";
    const auto real = tensor.real_value(index, word);
    return real ? fmt::format("{} ({:.6g})", word, *real) : fmt::format("{}", word);
}

/// Lines about a tensor that differs.
std::vector<std::string> details(const TensorResult& result) {
    const auto& comparison = result.comparison;
    const auto& tensor = result.description;
    std::vector<std::string> lines;
    if (!result.problem.empty()) return {result.problem};
    if (result.verdict == TensorVerdict::missing) return {"the build dumped no such output"};
    if (const auto& first = comparison.first) {
        lines.push_back(fmt::format("first mismatch at {} (word {}): golden {}, found {}", tensor.place_of(first->index), first->index,
                                    number_with_real(tensor, first->index, first->golden),
                                    number_with_real(tensor, first->index, first->actual)));
        if (comparison.mismatched > 1) lines.push_back(fmt::format("last mismatch at {}", tensor.place_of(comparison.last->index)));
    }
    if (comparison.missing() > 0)
        lines.push_back(fmt::format("{} words missing: {} of {}", comparison.missing(), comparison.num_actual, comparison.num_golden));
    if (comparison.extra() > 0)
        lines.push_back(fmt::format("{} words too many: {} for {}", comparison.extra(), comparison.num_actual, comparison.num_golden));
    if (!comparison.note.empty()) lines.push_back(comparison.note);
    if (comparison.undefined > 0) lines.push_back(fmt::format("{} words are undefined (x)", comparison.undefined));
    if (comparison.outside > 0) lines.push_back(fmt::format("{} words do not fit {} bits", comparison.outside, tensor.word.bits));
    std::string histogram;
    for (std::size_t i = 0; i < ErrorHistogram::kNumBuckets; ++i) {
        const auto below = comparison.histogram.below[i], above = comparison.histogram.above[i];
        if (below + above == 0) continue;
        const auto range =
            i <= 1 ? fmt::format("{}", i + 1) : fmt::format("{}..{}", (std::uint64_t{1} << (i - 1)) + 1, std::uint64_t{1} << i);
        histogram += fmt::format("{}{}:", histogram.empty() ? "" : ", ",
                                 i + 1 == ErrorHistogram::kNumBuckets ? fmt::format("> {}", std::uint64_t{1} << (i - 1)) : range);
        if (below > 0) histogram += fmt::format(" -{}", below);
        if (above > 0) histogram += fmt::format(" +{}", above);
    }
    if (!histogram.empty()) lines.push_back("errors in LSB, too low - and too high +: " + histogram);
    lines.push_back("diagnosis: " + result.diagnosis.text());
    return lines;
}

std::string escaped(std::string_view text) {
    std::string result;
    for (const char c : text) {
        switch (c) {
            case '&': result += "&amp;"; break;
            case '<': result += "&lt;"; break;
            case '>': result += "&gt;"; break;
            case '"': result += "&quot;"; break;
            default: result += c >= ' ' || c == '\n' || c == '\t' ? c : '?';
        }
    }
    return result;
}

bool is_failure(TensorVerdict verdict) {
    return verdict == TensorVerdict::differs || verdict == TensorVerdict::missing || verdict == TensorVerdict::broken;
}

std::string summary(const Verification& v) {
    const auto failed = v.count(TensorVerdict::differs) + v.count(TensorVerdict::missing) + v.count(TensorVerdict::broken);
    std::uint64_t words = 0;
    for (const auto& tensor : v.tensors) words += tensor.comparison.compared;
    auto text = fmt::format("{} tensors compared, {} words: {} equal, {} failed",
                            v.count(TensorVerdict::equal) + v.count(TensorVerdict::differs), words, v.count(TensorVerdict::equal), failed);
    if (v.count(TensorVerdict::equal) + failed == 0) text += "; nothing was compared";
    return text;
}

constexpr std::string_view kStyle =
    "body{font:14px/1.5 system-ui,sans-serif;margin:2em auto;max-width:72em;padding:0 "
    "1em;color:#1b1f24}table{border-collapse:collapse;margin:1em 0}th,td{padding:.3em .8em;text-align:left;"
    "border-bottom:1px solid "
    "#d8dee4}td.n{text-align:right;font-variant-numeric:tabular-nums}.equal,.pass{color:#1a7f37}.differs,.missing,.broken,.fail{color:#"
    "cf222e;font-weight:600}"
    ".left_out,.unknown{color:#9a6700}section{margin:2em 0;padding-left:1em;border-left:3px solid "
    "#cf222e}img{image-rendering:pixelated;border:1px solid #d8dee4;min-width:16em}"
    "@media(prefers-color-scheme:dark){body{background:#0d1117;color:#e6edf3}th,td{border-color:#30363d}.equal,.pass{color:#3fb950}."
    "differs,.missing,.broken,.fail{color:#f85149}}";

}  // namespace

std::string print(const Verification& v) {
    TextTable table({{"tensor", false}, {"role", false}, {"words"}, {"mismatched"}, {"largest error"}, {"", false}});
    std::size_t constants = 0;
    for (const auto& tensor : v.tensors) {
        if (tensor.verdict == TensorVerdict::left_out) continue;
        if (tensor.description.role == TensorRole::constant && tensor.verdict == TensorVerdict::equal) {
            ++constants;
            continue;
        }
        const auto& c = tensor.comparison;
        const bool compared = tensor.verdict == TensorVerdict::equal || tensor.verdict == TensorVerdict::differs;
        table.add({tensor.description.name, std::string(name_of(tensor.description.role)), compared ? fmt::format("{}", c.compared) : "",
                   compared ? fmt::format("{}", c.mismatched) : "", c.mismatched > 0 ? fmt::format("{}", c.largest_error) : "",
                   std::string(name_of(tensor.verdict))});
    }
    auto text = table.print("");
    if (constants > 0) text += fmt::format("and {} equal constants\n", constants);
    for (const auto& tensor : v.tensors) {
        if (!is_failure(tensor.verdict)) continue;
        text += fmt::format("\n{}\n", tensor.description.name);
        for (const auto& line : details(tensor)) text += fmt::format("  {}\n", line);
    }
    text += "\n";
    if (const auto left = v.count(TensorVerdict::left_out); left > 0)
        text += fmt::format("{} inputs, constants and accumulators were not dumped\n", left);
    for (const auto& note : v.notes) text += fmt::format("note: {}\n", note);
    return text + summary(v) + "\n";
}

std::string junit_xml(const Verification* verification, const std::vector<FigureCheck>& figures) {
    std::string cases;
    std::size_t count = 0, failures = 0;
    const auto add = [&](const std::string& group, const std::string& name, bool failed, bool skipped, const std::string& message,
                         const std::string& body) {
        ++count;
        failures += failed;
        cases += fmt::format("  <testcase classname=\"{}\" name=\"{}\"", escaped(group), escaped(name));
        if (failed)
            cases += fmt::format(">\n    <failure message=\"{}\">{}</failure>\n  </testcase>\n", escaped(message), escaped(body));
        else if (skipped)
            cases += fmt::format(">\n    <skipped message=\"{}\"/>\n  </testcase>\n", escaped(message));
        else
            cases += "/>\n";
    };
    if (verification != nullptr) {
        for (const auto& tensor : verification->tensors) {
            if (tensor.verdict == TensorVerdict::left_out) continue;
            std::string body;
            const auto lines = details(tensor);
            for (const auto& line : lines) body += line + "\n";
            add("tensors", tensor.description.name, is_failure(tensor.verdict), false, lines.empty() ? "" : lines.front(), body);
        }
    }
    for (const auto& figure : figures)
        add(figure.group, figure.name, figure.failed, !figure.failed && figure.verdict != "pass", figure.text, figure.text);
    return fmt::format(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites tests=\"{0}\" failures=\"{1}\">\n<testsuite name=\"explore verify\" "
        "tests=\"{0}\" failures=\"{1}\">\n{2}</testsuite>\n</testsuites>\n",
        count, failures, cases);
}

models::Image heat_map_image(const HeatMap& map) {
    constexpr int kScale = 4;
    models::Image image{.width = static_cast<int>(std::max<std::size_t>(1, map.columns)) * kScale,
                        .height = static_cast<int>(std::max<std::size_t>(1, map.rows)) * kScale,
                        .rgb = {}};
    image.rgb.assign(static_cast<std::size_t>(image.width) * static_cast<std::size_t>(image.height) * 3, 255);
    for (int y = 0; y < image.height; ++y) {
        for (int x = 0; x < image.width; ++x) {
            const auto row = static_cast<std::size_t>(y / kScale), column = static_cast<std::size_t>(x / kScale),
                       cell = row * map.columns + column;
            if (cell >= map.mismatches.size() || map.mismatches[cell] == 0) continue;
            // One word of many shows as well: from yellow, by the square root of the share, to dark red.
            const auto share =
                std::sqrt(std::min(1.0, static_cast<double>(map.mismatches[cell]) / static_cast<double>(map.words_of(row, column))));
            auto* pixel =
                &image.rgb[3 * (static_cast<std::size_t>(y) * static_cast<std::size_t>(image.width) + static_cast<std::size_t>(x))];
            pixel[0] = static_cast<std::uint8_t>(255 - 115 * share);
            pixel[1] = static_cast<std::uint8_t>(205 * (1 - share));
            pixel[2] = static_cast<std::uint8_t>(30 * (1 - share));
        }
    }
    return image;
}

std::string verification_html(const Verification* verification, const std::vector<FigureCheck>& figures) {
    const bool figures_failed = std::ranges::any_of(figures, &FigureCheck::failed);
    const bool passed = (verification == nullptr || verification->passed()) && !figures_failed;
    auto page = fmt::format(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
        "content=\"width=device-width\"><title>explore verify: {}</title><style>{}</style></head><body><h1>{}</h1>\n",
        passed ? "passed" : "failed", kStyle, passed ? "<span class=\"pass\">Passed</span>" : "<span class=\"fail\">Failed</span>");
    if (verification != nullptr) {
        const auto& v = *verification;
        page += fmt::format(
            "<p>{}. Golden: {}; picture {}, {}; Prelude "
            "{}.</p>\n<h2>Tensors</h2><table><tr><th>tensor<th>role<th>words<th>mismatched<th>largest error in "
            "LSB<th>verdict<th>diagnosis</tr>\n",
            escaped(summary(v)), escaped(v.manifest.design), escaped(v.manifest.picture), escaped(v.manifest.prompt),
            escaped(v.manifest.version));
        for (const auto& tensor : v.tensors) {
            if (tensor.verdict == TensorVerdict::left_out) continue;
            const auto& c = tensor.comparison;
            page += fmt::format("<tr><td>{}<td>{}<td class=\"n\">{}<td class=\"n\">{}<td class=\"n\">{}<td class=\"{}\">{}<td>{}</tr>\n",
                                escaped(tensor.description.name), name_of(tensor.description.role), c.compared, c.mismatched,
                                c.mismatched ? fmt::format("{}", c.largest_error) : "", name_of(tensor.verdict), name_of(tensor.verdict),
                                tensor.verdict == TensorVerdict::differs ? escaped(tensor.diagnosis.text()) : "");
        }
        page += "</table>\n";
        for (const auto& tensor : v.tensors) {
            if (!is_failure(tensor.verdict)) continue;
            page += fmt::format("<section><h3>{}</h3><ul>", escaped(tensor.description.name));
            for (const auto& line : details(tensor)) page += fmt::format("<li>{}</li>", escaped(line));
            page += "</ul>\n";
            if (tensor.comparison.mismatched > 0) {
                const auto png = models::encode_png(heat_map_image(tensor.comparison.map));
                const auto& map = tensor.comparison.map;
                page += fmt::format(
                    "<p><img alt=\"mismatches over the tensor\" src=\"data:image/png;base64,{}\"><br>Mismatches: {} across, all others "
                    "down; a cell is {} x {} words.</p>\n",
                    base64(png), escaped(tensor.description.coordinates.empty() ? "words" : tensor.description.coordinates.back().name),
                    map.words_down, map.words_across);
            }
            page += "</section>\n";
        }
        for (const auto& note : v.notes) page += fmt::format("<p>{}</p>\n", escaped(note));
    }
    if (!figures.empty()) {
        page += "<h2>Figures</h2><table><tr><th>report<th>term<th>verdict<th></tr>\n";
        for (const auto& figure : figures)
            page += fmt::format("<tr><td>{}<td>{}<td class=\"{}\">{}<td>{}</tr>\n", escaped(figure.group), escaped(figure.name),
                                figure.failed ? "fail" : escaped(figure.verdict), escaped(figure.verdict), escaped(figure.text));
        page += "</table>\n";
    }
    return page + "</body></html>\n";
}

}  // namespace prelude::experiments
