// SPDX-License-Identifier: Apache-2.0
#include "experiments/process/frame.hpp"

#include "models/error.hpp"

namespace prelude::experiments {

namespace {

constexpr std::uint32_t kMark = 0x4650524CU;

template <typename Number>
void put(std::string& bytes, Number number) {
    for (std::size_t i = 0; i < sizeof(Number); ++i) bytes += static_cast<char>(static_cast<std::uint8_t>(number >> (8 * i)));
}

template <typename Number>
Number get(std::string_view bytes, std::size_t offset) {
    Number number = 0;
    for (std::size_t i = 0; i < sizeof(Number); ++i)
        number |= static_cast<Number>(static_cast<Number>(static_cast<std::uint8_t>(bytes[offset + i])) << (8 * i));
    return number;
}

}  // namespace

// mark (4) | kind (4) | id (8) | payload length (4), little-endian
std::string encode(const Frame& frame) {
    models::check(frame.payload.size() <= kMaxPayloadBytes, "the payload of a frame is bounded");
    std::string bytes;
    bytes.reserve(kFrameHeaderBytes + frame.payload.size());
    put(bytes, kMark);
    put(bytes, static_cast<std::uint32_t>(frame.kind));
    put(bytes, frame.id);
    put(bytes, static_cast<std::uint32_t>(frame.payload.size()));
    return bytes += frame.payload;
}

void FrameReader::feed(std::string_view bytes) {
    if (broken_) return;
    if (begin_ > 0) {
        bytes_.erase(0, begin_);
        begin_ = 0;
    }
    bytes_ += bytes;
}

std::optional<Frame> FrameReader::next() {
    if (broken_ || num_pending_bytes() < kFrameHeaderBytes) return std::nullopt;
    const auto kind = get<std::uint32_t>(bytes_, begin_ + 4);
    const std::size_t length = get<std::uint32_t>(bytes_, begin_ + 16);
    if (get<std::uint32_t>(bytes_, begin_) != kMark || kind > static_cast<std::uint32_t>(Frame::Kind::refusal) ||
        length > kMaxPayloadBytes) {
        broken_ = true;
        bytes_.clear();
        begin_ = 0;
        return std::nullopt;
    }
    if (num_pending_bytes() < kFrameHeaderBytes + length) return std::nullopt;
    Frame frame{static_cast<Frame::Kind>(kind), get<std::uint64_t>(bytes_, begin_ + 8), bytes_.substr(begin_ + kFrameHeaderBytes, length)};
    begin_ += kFrameHeaderBytes + length;
    return frame;
}

}  // namespace prelude::experiments
