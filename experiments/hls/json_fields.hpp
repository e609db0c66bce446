// SPDX-License-Identifier: Apache-2.0
#pragma once

// JSON files of the hand-off, read as hostile input: bounded in size and depth, every problem with its file and path.

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "models/data/coco_json.hpp"

namespace prelude::experiments {

/// Parses a text of at most 1 MB that nests at most 8 deep and whose "format" is `format`.
/// Throws    models::DataError naming the file and what was found
[[nodiscard]] nlohmann::json parse_json_file(std::string_view text, const std::string& file, std::string_view format);
/// The text of such a file.
/// Throws    models::DataError where it is not there or too large
[[nodiscard]] std::string read_json_text(const std::filesystem::path& file);

/// The members of one object.
///
/// Contract
///   - node and problems outlive it;
///   - what is missing, of another kind or out of range becomes a problem, and what is returned is within the range: reading goes on.
class JsonFields {
  public:
    JsonFields(const nlohmann::json& node, std::string path, models::DataProblems& problems);

    /// The member, or nothing where it is missing (a problem) or null (of a member that may be unknown: none).
    [[nodiscard]] const nlohmann::json* find(std::string_view name, bool may_be_null = false) const;
    [[nodiscard]] std::string text(std::string_view name) const;
    /// One of these words; the first where the file has another one.
    [[nodiscard]] std::string word(std::string_view name, const std::vector<std::string>& words) const;
    [[nodiscard]] double number(std::string_view name, double low, double high) const;
    /// A list of at most `most` texts.
    [[nodiscard]] std::vector<std::string> texts(std::string_view name, std::size_t most) const;
    void refuse(std::string_view name, const nlohmann::json& found, std::string_view allowed) const;
    [[nodiscard]] std::string path(std::string_view name) const;
    [[nodiscard]] models::DataProblems& problems() const noexcept { return *problems_; }

  private:
    const nlohmann::json* node_;
    std::string path_;
    models::DataProblems* problems_;
};

}  // namespace prelude::experiments
