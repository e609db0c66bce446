// SPDX-License-Identifier: Apache-2.0
#pragma once

// COCO's JSON as a stream of records: one entry of `images`, `annotations`, `categories`, or of a bare list of detections, at a time.
// What no field asks for is skipped without being kept, so that memory follows what is used, not what a file holds.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace prelude::models {

/// What is wrong with one data file: the first kMaxListed problems, and how many more.
class DataProblems final {
  public:
    static constexpr std::size_t kMaxListed = 50;

    explicit DataProblems(std::string file) : file_(std::move(file)) {}

    void add(std::string problem);
    [[nodiscard]] bool empty() const noexcept { return num_problems_ == 0; }
    /// Throws    DataError with all problems, if there are any
    void throw_if_any() const;
    /// Adds a problem after which reading cannot go on.
    [[noreturn]] void fail(std::string problem);

  private:
    std::string file_;
    std::vector<std::string> listed_;
    std::size_t num_problems_ = 0;
};

/// One value of a record, as it stands in the file.
struct JsonField {
    enum class Kind { number, text, numbers, lists, object, other };
    Kind kind = Kind::other;
    std::string_view found = "null";         ///< "a string": for messages
    double number = 0;
    std::string text;
    std::vector<double> numbers;             ///< a list of numbers
    std::vector<std::vector<double>> lists;  ///< a list of lists of numbers
};

/// The fields of a record by name; those of an object in it as `outer.inner`.
///
/// Contract  a getter reports what is not as allowed, beginning with the record's place, and then gives nothing
class JsonRecord final {
  public:
    JsonRecord(std::string place, std::map<std::string, JsonField, std::less<>> fields, DataProblems& problems)
        : place_(std::move(place)), fields_(std::move(fields)), problems_(&problems) {}

    [[nodiscard]] const JsonField* find(std::string_view name) const;
    /// A whole number in [low, high].
    [[nodiscard]] std::optional<std::int64_t> whole(std::string_view name, std::int64_t low, std::int64_t high) const;
    /// A whole number that every JSON writer keeps exactly: at most 53 bits.
    [[nodiscard]] std::optional<std::int64_t> id(std::string_view name) const;
    [[nodiscard]] std::optional<double> number(std::string_view name) const;
    [[nodiscard]] std::optional<std::string> text(std::string_view name) const;
    /// `count` numbers.
    [[nodiscard]] const std::vector<double>* numbers(std::string_view name, std::size_t count) const;

    void problem(std::string_view name, std::string_view what) const;
    /// "images[3] (id 7)", once the record has told its number.
    void name_by_id(std::int64_t id);
    [[nodiscard]] const std::string& place() const noexcept { return place_; }

  private:
    [[nodiscard]] const JsonField* expect(std::string_view name, JsonField::Kind kind, std::string_view allowed) const;

    std::string place_;
    std::map<std::string, JsonField, std::less<>> fields_;
    DataProblems* problems_;
};

/// The records of one list: where it stands ("" = the file itself is the list), the fields that are kept, who takes each record.
struct JsonSection {
    std::string name;
    std::vector<std::string_view> fields;  ///< an object's inner fields as "outer.inner", besides "outer"
    std::size_t max_records = 0;
    std::function<void(JsonRecord&)> take;
};

/// Bounds of a file; what is beyond them stops the reading.
struct JsonLimits {
    std::int64_t max_file_bytes = std::int64_t{512} << 20;
    std::size_t max_numbers = std::size_t{1} << 26;  ///< numbers in kept lists, in all
    std::size_t max_depth = 16;
};

/// Reads the sections of a file, front to back.
///
/// Throws    DataError when the file cannot be read, is no JSON, nests too deep, holds a key or section twice, or exceeds a limit;
///           other problems are left in `problems`
/// Returns   the names of the sections that were found
std::vector<std::string> read_records(std::string_view json, const std::vector<JsonSection>& sections, DataProblems& problems, const JsonLimits& limits = {});

/// The bytes of a file, at most `max_bytes`. Throws DataError.
[[nodiscard]] std::string read_text_file(const std::filesystem::path& path, std::int64_t max_bytes);

}  // namespace prelude::models
