// SPDX-License-Identifier: Apache-2.0
#pragma once

// Messages between the processes of a sweep: a fixed header, then a payload of bounded length.
// The sender may be a child that crashed half-way or wrote rubbish: a reader trusts nothing.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace prelude::experiments {

struct Frame {
    enum class Kind : std::uint8_t {
        job,      ///< main to launcher: compute this
        started,  ///< launcher to main: process group, in decimal
        result,   ///< the value
        failure,  ///< the reason
        progress, ///< how much of the job is done, in thousandths
        refusal,  ///< a failure: what is wrong with the user's input
    };
    Kind kind = Kind::job;
    std::uint64_t id = 0;
    std::string payload;
    friend bool operator==(const Frame&, const Frame&) = default;
};

inline constexpr std::size_t kFrameHeaderBytes = 20;
inline constexpr std::size_t kMaxPayloadBytes = std::size_t{64} << 20;

/// A payload above the limit is a programming error; senders check first.
[[nodiscard]] std::string encode(const Frame& frame);

/// Takes bytes as they arrive and gives the complete frames in them.
///
/// Contract
///   - after bytes that cannot begin a frame (wrong mark, unknown kind, length above the limit) it is broken for good;
///   - memory: never more than what was fed, and one frame.
class FrameReader {
  public:
    void feed(std::string_view bytes);
    [[nodiscard]] std::optional<Frame> next();
    [[nodiscard]] bool is_broken() const noexcept { return broken_; }
    /// Bytes that are not yet a frame.
    [[nodiscard]] std::size_t num_pending_bytes() const noexcept { return bytes_.size() - begin_; }

  private:
    std::string bytes_;
    std::size_t begin_ = 0;
    bool broken_ = false;
};

}  // namespace prelude::experiments
