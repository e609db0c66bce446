// SPDX-License-Identifier: Apache-2.0
#include "experiments/dumps/token_source.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "models/error.hpp"

namespace prelude::experiments {

namespace {

constexpr std::size_t kBufferBytes = std::size_t{1} << 18;

std::string shown(std::string_view text) {
    constexpr std::size_t kShown = 40;
    std::string result;
    for (const char c : text.substr(0, kShown)) result += c >= ' ' && c <= '~' ? c : '?';
    return text.size() > kShown ? result + "..." : result;
}

}  // namespace

ByteSource::ByteSource(const std::filesystem::path& file)
    : name_(file.string()), descriptor_(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {
    if (descriptor_ < 0) throw models::InputError(fmt::format("{}: {}", name_, std::strerror(errno)));
    struct stat status {};
    if (::fstat(descriptor_, &status) != 0 || !S_ISREG(status.st_mode)) {
        ::close(descriptor_);
        throw models::InputError(fmt::format("{}: not a file", name_));
    }
    size_ = static_cast<std::uint64_t>(status.st_size);
}

ByteSource::~ByteSource() {
    ::close(descriptor_);
}

std::size_t ByteSource::read(std::span<char> bytes) {
    std::size_t filled = 0;
    while (filled < bytes.size()) {
        const auto count = ::read(descriptor_, bytes.data() + filled, bytes.size() - filled);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) throw models::InputError(fmt::format("{}: {}", name_, std::strerror(errno)));
        if (count == 0) break;
        filled += static_cast<std::size_t>(count);
    }
    position_ += filled;
    return filled;
}

TokenSource::TokenSource(const std::filesystem::path& file, const Syntax& syntax) : source_(file), buffer_(kBufferBytes) {
    const auto set = [&](char c, Class value) { classes_[static_cast<unsigned char>(c)] = value; };
    for (const char c : std::string_view(" \t\r\n\v\f")) set(c, Class::blank);
    for (const char c : syntax.separators) set(c, Class::blank);
    if (syntax.slash_comments) set('/', Class::slash);
    if (syntax.hash_comments) set('#', Class::hash);
}

bool TokenSource::refill(std::size_t keep) {
    std::copy(buffer_.begin() + static_cast<std::ptrdiff_t>(keep), buffer_.begin() + static_cast<std::ptrdiff_t>(end_), buffer_.begin());
    at_ -= keep;
    end_ -= keep;
    const auto count = source_.read(std::span(buffer_).subspan(end_));
    end_ += count;
    return count > 0;
}

void TokenSource::skip_line() {
    while (at_ < end_ || refill(at_)) {
        const auto* found = static_cast<const char*>(std::memchr(buffer_.data() + at_, '\n', end_ - at_));
        at_ = found ? static_cast<std::size_t>(found - buffer_.data()) : end_;
        if (found) return;
    }
}

bool TokenSource::skip_slash_comment() {
    if (end_ - at_ < 2 && !refill(at_)) return false;
    const char second = buffer_[at_ + 1];
    if (second == '/') {
        skip_line();
        return true;
    }
    if (second != '*') return false;
    at_ += 2;
    const auto first_line = line_;
    for (char before = 0; at_ < end_ || refill(at_); ++at_) {
        const char c = buffer_[at_];
        if (before == '*' && c == '/') {
            ++at_;
            return true;
        }
        if (c == '\n') ++line_;
        before = c;
    }
    line_ = first_line;
    refuse("a comment that does not end");
}

std::string_view TokenSource::next() {
    while (at_ < end_ || refill(at_)) {
        const char* const buffer = buffer_.data();
        // Between most tokens stands one blank.
        while (at_ < end_ && classes_[static_cast<unsigned char>(buffer[at_])] == Class::blank) line_ += buffer[at_++] == '\n' ? 1 : 0;
        if (at_ == end_) continue;
        const auto kind = classes_[static_cast<unsigned char>(buffer[at_])];
        if (kind == Class::hash) {
            skip_line();
            continue;
        }
        if (kind == Class::slash) {
            if (!skip_slash_comment()) refuse("found '/', which begins no comment");
            continue;
        }
        return token_from(at_);
    }
    return {};
}

std::string_view TokenSource::token_from(std::size_t start) {
    while (true) {
        const char* const buffer = buffer_.data();
        auto at = at_;
        while (at < end_ && classes_[static_cast<unsigned char>(buffer[at])] == Class::normal) ++at;
        at_ = at;
        if (at_ - start > kMaxToken)
            refuse(fmt::format("'{}' is longer than {} characters", shown({buffer + start, kMaxToken}), kMaxToken));
        if (at_ < end_) break;
        const bool more = refill(start);
        start = 0;
        if (!more) break;
    }
    return {buffer_.data() + start, at_ - start};
}

bool TokenSource::skip_behind(char character) {
    while (at_ < end_ || refill(at_)) {
        const char c = buffer_[at_];
        if (classes_[static_cast<unsigned char>(c)] == Class::slash && skip_slash_comment()) continue;
        if (c == '\n') ++line_;
        ++at_;
        if (c == character) return true;
    }
    return false;
}

void TokenSource::refuse(std::string_view what) const {
    throw models::InputError(fmt::format("{}:{}: {}", source_.name(), line_, what));
}

}  // namespace prelude::experiments
