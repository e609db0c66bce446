// SPDX-License-Identifier: Apache-2.0
#pragma once

// A pe_array on a bench: pieces go in beat by beat as fast as it takes them, sums come out and are compared with the oracle.

#include <deque>
#include <functional>
#include <vector>

#include "tests/rtl/ports.hpp"
#include "tests/support/oracle/contraction.hpp"

namespace prelude::rtl {

/// The parameters a model was verilated with.
struct ArrayShape {
    int rows, cols, depth, left_bits, right_bits, num_sums, drain_rows;
    oracle::Word pad = 0;  ///< the left code that stands beyond the depth of a piece: a 0
};

/// One sum per output: rows x cols outputs over `left` [rows][K] and `right` [cols][K].
struct Piece {
    std::vector<oracle::Words> left, right;
    oracle::Word left_zero = 0, right_zero = 0;
    bool left_is_signed = false, right_is_signed = true;
    int left_parts = 1, right_parts = 1;  ///< words of so many ports
    [[nodiscard]] std::int64_t depth() const { return static_cast<std::int64_t>(left.front().size()); }
};

template <class Module>
class ArrayBench final {
  public:
    static constexpr int kAccBits = 48;
    /// What a left code multiplies with, and which sum it belongs to: the oracle's word.
    using Decode = std::function<oracle::Operands(oracle::Word)>;

    ArrayBench(ArrayShape shape, Decode decode) : shape_(shape), decode_(std::move(decode)) {
        array_->reset = 1;
        array_->valid_in = 0;
        array_.tick();
        array_->reset = 0;
    }

    /// Loads the right words of a piece of up to `depth` positions, to be held; the cycle at which that happened.
    std::int64_t load(const Piece& piece) {
        set_beat(piece, 0, 0, 0);
        array_->hold_right = 0;
        array_->valid_in = 0;
        while (!array_->ready_in) tick();
        const auto begin = array_.cycles();
        tick();
        array_->hold_right = 1;
        return begin;
    }

    /// Cycle at which the first beat of the piece was taken.
    std::int64_t feed(const Piece& piece) {
        expect(piece);
        const auto blocks = (piece.depth() + shape_.depth - 1) / shape_.depth;
        std::int64_t begin = -1;
        for (std::int64_t block = 0; block < blocks; ++block) {
            for (int lp = 0; lp < piece.left_parts; ++lp) {
                for (int rp = 0; rp < piece.right_parts; ++rp) {
                    set_beat(piece, block * shape_.depth, lp, rp);
                    array_->first = block == 0 && lp == 0 && rp == 0;
                    array_->last = block + 1 == blocks && lp + 1 == piece.left_parts && rp + 1 == piece.right_parts;
                    array_->valid_in = 1;
                    while (!array_->ready_in) tick();
                    if (begin < 0) begin = array_.cycles();
                    last_taken_ = array_.cycles();
                    tick();
                }
            }
        }
        array_->valid_in = 0;
        return begin;
    }

    /// Runs until all sums are out.
    void finish() {
        for (int idle = 0; !expected_.empty() && idle < 10'000; ++idle) tick();
    }

    [[nodiscard]] std::int64_t differences() const noexcept { return differences_ + static_cast<std::int64_t>(expected_.size()); }
    [[nodiscard]] std::int64_t compared() const noexcept { return compared_; }
    /// Cycles from the last beat that was taken to the first sums behind it; meaningful for a single piece.
    [[nodiscard]] std::int64_t latency() const noexcept { return first_out_ - last_taken_; }

  private:
    struct Expected {
        int group = 0, sum = 0;
        std::vector<oracle::Word> words;  ///< of drain_rows x cols; rows beyond the piece are not compared
        std::size_t used = 0;
    };

    void expect(const Piece& piece) {
        const auto rows = static_cast<int>(piece.left.size());
        for (int group = 0; group * shape_.drain_rows < rows; ++group) {
            for (int sum = 0; sum < shape_.num_sums; ++sum) {
                Expected expected{.group = group, .sum = sum, .words = {}};
                for (int r = group * shape_.drain_rows; r < std::min(rows, (group + 1) * shape_.drain_rows); ++r) {
                    for (const auto& right : piece.right) {
                        oracle::Word total = 0;
                        for (std::size_t k = 0; k < right.size(); ++k) {
                            for (const auto& operand : decode_(piece.left[static_cast<std::size_t>(r)][k])) {
                                if (operand.term != static_cast<std::size_t>(sum)) continue;
                                total += (operand.factor - piece.left_zero) * (right[k] - piece.right_zero);
                            }
                        }
                        expected.words.push_back(total);
                    }
                }
                expected.used = piece.right.size();
                expected_.push_back(std::move(expected));
            }
        }
    }

    void set_beat(const Piece& piece, std::int64_t begin, int lp, int rp) {
        const auto part = [](oracle::Word word, int index, int bits) { return word >> (index * bits); };
        for (int r = 0; r < shape_.rows; ++r) {
            for (int d = 0; d < shape_.depth; ++d) {
                const auto k = begin + d;
                const bool used = r < static_cast<int>(piece.left.size()) && k < piece.depth();
                const auto word = used ? part(piece.left[static_cast<std::size_t>(r)][static_cast<std::size_t>(k)], lp, shape_.left_bits) : shape_.pad;
                set_field(array_->left, static_cast<std::size_t>((r * shape_.depth + d) * shape_.left_bits), shape_.left_bits, word);
            }
        }
        for (int c = 0; c < shape_.cols; ++c) {
            for (int d = 0; d < shape_.depth; ++d) {
                const auto k = begin + d;
                const bool used = c < static_cast<int>(piece.right.size()) && k < piece.depth();
                const auto word = used ? part(piece.right[static_cast<std::size_t>(c)][static_cast<std::size_t>(k)], rp, shape_.right_bits) : 0;
                set_field(array_->right, static_cast<std::size_t>((c * shape_.depth + d) * shape_.right_bits), shape_.right_bits, word);
            }
        }
        array_->left_is_signed = piece.left_is_signed && lp + 1 == piece.left_parts;
        array_->right_is_signed = piece.right_is_signed && rp + 1 == piece.right_parts;
        array_->part_shift = static_cast<std::uint8_t>(lp * shape_.left_bits + rp * shape_.right_bits);
        array_->counts_left = rp == 0;
        array_->counts_right = lp == 0;
        array_->used_rows = static_cast<std::uint16_t>(piece.left.size());
        array_->left_zero = static_cast<std::uint32_t>(port_bits(piece.left_zero, 17));
        array_->right_zero = static_cast<std::uint32_t>(port_bits(piece.right_zero, 17));
        array_->zero_product = port_bits(piece.depth() * piece.left_zero * piece.right_zero, kAccBits);
    }

    void tick() {
        array_.tick();
        if (!array_->valid_out) return;
        if (first_out_ < 0) first_out_ = array_.cycles();
        if (expected_.empty()) {
            ++differences_;
            return;
        }
        const auto expected = std::move(expected_.front());
        expected_.pop_front();
        differences_ += array_->group_out != expected.group || array_->sum_out != expected.sum ? 1 : 0;
        for (std::size_t i = 0; i < expected.words.size(); ++i) {
            const auto row = i / expected.used, col = i % expected.used;
            const auto at = (row * static_cast<std::size_t>(shape_.cols) + col) * kAccBits;
            differences_ += signed_field(array_->sums, at, kAccBits) != expected.words[i] ? 1 : 0;
            ++compared_;
        }
    }

    ArrayShape shape_;
    Decode decode_;
    Clocked<Module> array_;
    std::deque<Expected> expected_;
    std::int64_t differences_ = 0, compared_ = 0, last_taken_ = 0, first_out_ = -1;
};

}  // namespace prelude::rtl
