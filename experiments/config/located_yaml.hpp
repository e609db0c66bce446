// SPDX-License-Identifier: Apache-2.0
#pragma once

// A YAML document as a tree in which every value knows its line and column, built from parser events so that hostile
// input costs nothing: YAML::Load would expand aliases, accept duplicate keys silently and recurse as deep as the file asks.

#include "experiments/config/error.hpp"

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace prelude::experiments {

/// What is accepted of YAML. Configurations are small; everything beyond is refused with its place.
struct YamlLimits {
    static constexpr std::size_t kMaxBytes = 256 * 1024;
    static constexpr int kMaxDepth = 16;
    static constexpr std::size_t kMaxNodes = 20'000;
    static constexpr std::size_t kMaxKeyBytes = 256;
};

struct Member;

struct Node {
    enum class Kind { null, scalar, sequence, mapping };
    Kind kind = Kind::null;
    std::string text;     ///< of a scalar
    bool quoted = false;  ///< "8" is text, 8 is a number
    Location where;
    std::vector<Node> items;      ///< of a sequence
    std::vector<Member> members;  ///< of a mapping, in the order of the file, names unique

    [[nodiscard]] const Node* find(std::string_view name) const noexcept;
    /// What stands there, for "got ...": the scalar (shortened), "a list", "a mapping", "nothing".
    [[nodiscard]] std::string describe() const;
};

struct Member {
    std::string name;
    Location where;
    Node value;
};

/// Parses one document.
///
/// Contract
///   - every defect is added to `problems` with line and column: invalid UTF-8, NUL and control bytes, tabs in the indentation,
///     syntax errors, duplicate keys, keys that are not plain names, anchors, aliases, tags, further documents, the limits above;
///   - returns the tree of what could be read (a null node when nothing could); never throws for what the text holds.
[[nodiscard]] Node parse_yaml(std::string_view text, const std::string& source, Problems& problems);

/// Reads a file of at most YamlLimits::kMaxBytes and parses it; an unreadable file is a problem of the file.
[[nodiscard]] Node read_yaml(const std::filesystem::path& file, Problems& problems);

}  // namespace prelude::experiments
