// SPDX-License-Identifier: Apache-2.0
// pe_terms.sv: channel groups and hybrid words end in the oracle's accumulators; equal accumulators leave as fast as the terms stream.
#include <catch2/catch.hpp>

#include <deque>
#include <random>

#include "TermsHybrid4.h"
#include "TermsU4x4.h"
#include "TermsU8x8.h"
#include "tests/rtl/ports.hpp"
#include "tests/support/oracle/contraction.hpp"

using namespace prelude;
using namespace prelude::rtl;
using oracle::Word;

namespace {

constexpr int kAccBits = 63;

struct Shape {
    int rows, cols, depth, left_bits, right_bits, drain_rows;
    Word log_levels = 0;  ///< hybrid words
};

/// A contraction over `rows` rows of codes whose positions lie term by term.
struct Job {
    oracle::Contraction form;
    std::vector<oracle::Words> codes;
    std::vector<std::int64_t> ends;  ///< of the terms of channels
};

class Jobs {
  public:
    Jobs(Shape shape, std::uint64_t seed) : shape_(shape), random_(seed) {}

    Job next() {
        Job job;
        const Word top = (Word{1} << shape_.left_bits) - 1, most = (Word{1} << (shape_.right_bits - 1)) - 1;
        const int form = static_cast<int>(below(5));
        const auto channel_terms = shape_.log_levels > 0 ? 1 : 1 + below(5);
        for (std::uint64_t t = 0; t < channel_terms; ++t) job.ends.push_back((job.ends.empty() ? 0 : job.ends.back()) + 1 + static_cast<std::int64_t>(below(13)));
        job.form.num_outputs = 1 + static_cast<std::int64_t>(below(static_cast<std::uint64_t>(shape_.cols)));
        job.form.depth = job.ends.back();
        const auto num_terms = shape_.log_levels > 0 ? 2 : channel_terms;
        for (std::uint64_t t = 0; t < num_terms; ++t)
            job.form.terms.push_back({.multiplier = form == 0 ? 65535 : 1 + static_cast<Word>(below(65535)), .exponent = static_cast<int>(below(7)), .zero = shape_.log_levels > 0 ? 0 : static_cast<Word>(below(static_cast<std::uint64_t>(top) + 1))});
        if (shape_.log_levels > 0) {
            job.form.hybrid = {.log_levels = shape_.log_levels, .largest_shift = 15};
        } else {
            for (std::int64_t k = 0, t = 0; k < job.form.depth; ++k) {
                if (k == job.ends[static_cast<std::size_t>(t)]) ++t;
                job.form.term_of.push_back(t);
            }
        }
        const auto word = [&](Word lo, Word hi) { return form == 0 ? hi : form == 1 ? lo : lo + static_cast<Word>(below(static_cast<std::uint64_t>(hi - lo + 1))); };
        for (std::int64_t i = 0; i < job.form.num_outputs * job.form.depth; ++i) job.form.weights.push_back(word(-most, most));
        job.codes.resize(1 + below(static_cast<std::uint64_t>(shape_.rows)));
        for (auto& row : job.codes)
            for (std::int64_t k = 0; k < job.form.depth; ++k) row.push_back(word(0, top));
        return job;
    }

  private:
    std::uint64_t below(std::uint64_t n) { return random_() % n; }
    Shape shape_;
    std::mt19937_64 random_;
};

template <class Module>
void check(Shape shape, int jobs) {
    Clocked<Module> unit;
    Jobs source(shape, 29);
    std::deque<std::vector<Word>> expected;  // a group of rows each
    std::deque<std::size_t> used;
    std::int64_t differences = 0, compared = 0;
    const auto tick = [&] {
        unit.tick();
        if (!unit->valid_out) return;
        if (expected.empty()) {
            ++differences;
            return;
        }
        for (std::size_t i = 0; i < expected.front().size(); ++i) {
            const auto at = (i / used.front() * static_cast<std::size_t>(shape.cols) + i % used.front()) * kAccBits;
            differences += signed_field(unit->accumulators, at, kAccBits) != expected.front()[i] ? 1 : 0;
            ++compared;
        }
        expected.pop_front();
        used.pop_front();
    };
    unit->reset = 1;
    tick();
    unit->reset = 0;
    for (int n = 0; n < jobs && differences == 0; ++n) {
        const auto job = source.next();
        while (!expected.empty()) tick();  // constants belong to what is in flight
        unit->load = 1;
        for (std::size_t t = 0; t < job.form.terms.size(); ++t) {
            unit->load_entry = static_cast<std::uint8_t>(t);
            unit->load_multiplier = static_cast<std::uint16_t>(job.form.terms[t].multiplier);
            unit->load_exponent = static_cast<std::uint8_t>(job.form.terms[t].exponent);
            tick();
        }
        unit->load = 0;
        const auto rows = static_cast<int>(job.codes.size());
        for (int group = 0; group * shape.drain_rows < rows; ++group) {
            std::vector<Word> words;
            oracle::Overflows overflows;
            for (int r = group * shape.drain_rows; r < std::min(rows, (group + 1) * shape.drain_rows); ++r)
                for (std::int64_t o = 0; o < job.form.num_outputs; ++o)
                    words.push_back(oracle::to_word(oracle::accumulate(job.form, job.codes[static_cast<std::size_t>(r)].data(), o, overflows)));
            expected.push_back(std::move(words));
            used.push_back(static_cast<std::size_t>(job.form.num_outputs));
        }
        std::int64_t from = 0;
        for (std::size_t t = 0; t < job.ends.size(); ++t) {
            for (auto k = from; k < job.ends[t]; k += shape.depth) {
                for (int r = 0; r < shape.rows; ++r) {
                    for (int d = 0; d < shape.depth; ++d) {
                        const bool inside = r < rows && k + d < job.ends[t];
                        const auto code = inside ? job.codes[static_cast<std::size_t>(r)][static_cast<std::size_t>(k + d)] : shape.log_levels;
                        set_field(unit->left, static_cast<std::size_t>((r * shape.depth + d) * shape.left_bits), shape.left_bits, code);
                    }
                }
                for (int c = 0; c < shape.cols; ++c) {
                    for (int d = 0; d < shape.depth; ++d) {
                        const bool inside = c < job.form.num_outputs && k + d < job.ends[t];
                        const auto weight = inside ? job.form.weights[static_cast<std::size_t>(c * job.form.depth + k + d)] : 0;
                        set_field(unit->right, static_cast<std::size_t>((c * shape.depth + d) * shape.right_bits), shape.right_bits, weight);
                    }
                }
                unit->valid_in = 1;
                unit->first = k == from;
                unit->last = k + shape.depth >= job.ends[t];
                unit->used_rows = static_cast<std::uint16_t>(rows);
                unit->left_zero = static_cast<std::uint32_t>(port_bits(job.form.terms[t].zero, 17));
                unit->tag = static_cast<std::uint8_t>(t << 2 | (t + 1 == job.ends.size() ? 2 : 0) | (t == 0 ? 1 : 0));
                while (!unit->ready_in) tick();
                tick();
            }
            from = job.ends[t];
        }
        unit->valid_in = 0;
    }
    for (int i = 0; i < 64; ++i) tick();
    INFO(compared << " accumulators compared");
    CHECK(expected.empty());
    CHECK(differences == 0);
}

}  // namespace

TEST_CASE("Terms meet in the partial-sum buffer, each times its constant", "[rtl]") {
    check<TermsU8x8>({.rows = 3, .cols = 4, .depth = 5, .left_bits = 8, .right_bits = 8, .drain_rows = 2}, 60'000);
    check<TermsU4x4>({.rows = 4, .cols = 4, .depth = 4, .left_bits = 4, .right_bits = 4, .drain_rows = 4}, 60'000);
    check<TermsHybrid4>({.rows = 4, .cols = 3, .depth = 4, .left_bits = 4, .right_bits = 4, .drain_rows = 2, .log_levels = 8}, 60'000);
}
