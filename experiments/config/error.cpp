// SPDX-License-Identifier: Apache-2.0
#include "experiments/config/error.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace prelude::experiments {

namespace {

constexpr std::size_t kMaxListed = 50;

std::string parent(const std::string& key) {
    const auto dot = key.rfind('.');
    return dot == std::string::npos ? key : key.substr(0, dot);
}

/// What `explore explain` can say about these problems.
std::string advice(const std::vector<const Problem*>& problems) {
    for (const auto* problem : problems)
        if (problem->unknown_key) {
            const bool top = problem->key.find('.') == std::string::npos;
            return top ? " `explore explain all` lists every key."
                       : fmt::format(" `explore explain {}` lists every key.", parent(problem->key));
        }
    for (const auto* problem : problems)
        if (!problem->key.empty())
            return fmt::format(" `explore explain {}` says more.", problem->key.starts_with("sweep.axes.") ? "sweep.axes" : problem->key);
    return {};
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
    // Damerau-Levenshtein with adjacent transpositions; rows i-2, i-1, i.
    std::vector<std::size_t> before(b.size() + 1), last(b.size() + 1), now(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j) last[j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
        now[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            now[j] = std::min({last[j] + 1, now[j - 1] + 1, last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) now[j] = std::min(now[j], before[j - 2] + 1);
        }
        std::swap(before, last);
        std::swap(last, now);
    }
    return last[b.size()];
}

}  // namespace

std::string Location::text() const {
    return line == 0 ? source : fmt::format("{}:{}:{}", source, line, column);
}

std::string Problems::text() const {
    std::vector<std::string> sources;
    for (const auto& problem : problems_)
        if (std::find(sources.begin(), sources.end(), problem.where.source) == sources.end()) sources.push_back(problem.where.source);
    const auto rank = [&](const Problem& problem) {
        return std::find(sources.begin(), sources.end(), problem.where.source) - sources.begin();
    };

    std::vector<const Problem*> ordered;
    for (const auto& problem : problems_) ordered.push_back(&problem);
    std::stable_sort(ordered.begin(), ordered.end(), [&](const Problem* a, const Problem* b) {
        return std::tuple(rank(*a), a->where.line, a->where.column) < std::tuple(rank(*b), b->where.line, b->where.column);
    });

    std::string text;
    for (std::size_t i = 0; i < std::min(ordered.size(), kMaxListed); ++i) {
        const auto& problem = *ordered[i];
        text += problem.where.text() + ": ";
        if (!problem.key.empty()) text += problem.key + ": ";
        text += problem.message + "\n";
        if (!problem.allowed.empty()) text += fmt::format("    allowed   {}\n", problem.allowed);
        if (!problem.because.empty()) text += fmt::format("    because   {}\n", problem.because);
    }
    if (ordered.size() > kMaxListed) text += fmt::format("... and {} more\n", ordered.size() - kMaxListed);

    const auto is_argument = [](const std::string& source) { return source.starts_with("--"); };
    const auto num_files = std::count_if(sources.begin(), sources.end(), [&](const auto& source) { return !is_argument(source); });
    const bool arguments = num_files != static_cast<std::ptrdiff_t>(sources.size());
    text += fmt::format("{} error{} in ", problems_.size(), problems_.size() == 1 ? "" : "s");
    if (num_files > 0) text += fmt::format("{} file{}", num_files, num_files == 1 ? "" : "s");
    if (arguments) text += num_files > 0 ? " and the command line" : "the command line";
    return text + "; nothing was run." + advice(ordered);
}

void Problems::throw_if_any() const {
    if (!empty()) throw ConfigError(text(), size());
}

std::string closest(std::string_view word, const std::vector<std::string>& candidates) {
    if (word.size() < 3 || word.size() > 64) return {};
    std::string best;
    std::size_t best_distance = std::max<std::size_t>(1, word.size() / 3) + 1;
    for (const auto& candidate : candidates) {
        const auto distance = edit_distance(word, candidate);
        if (distance < best_distance) {
            best = candidate;
            best_distance = distance;
        }
    }
    if (!best.empty()) return best;
    // Left off at a word boundary: "latency" for latency_ms.
    const auto begun = std::find_if(candidates.begin(), candidates.end(),
                                    [&](const auto& candidate) { return candidate.starts_with(std::string(word) + '_'); });
    return begun == candidates.end() ? std::string{} : *begun;
}

std::string shown(std::string_view text, std::size_t limit) {
    std::size_t end = std::min(text.size(), limit);
    while (end < text.size() && end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;  // keep UTF-8 characters whole
    std::string result;
    for (const char c : text.substr(0, end)) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '\n')
            result += "\\n";
        else if (c == '\t')
            result += "\\t";
        else if (byte < 0x20 || byte == 0x7F)
            result += fmt::format("\\x{:02x}", byte);
        else
            result += c;
    }
    if (end < text.size()) result += fmt::format("... ({} characters)", text.size());
    return result;
}

}  // namespace prelude::experiments
