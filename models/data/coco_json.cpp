// SPDX-License-Identifier: Apache-2.0
#include "models/data/coco_json.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <system_error>

#include "models/checkpoint/problems.hpp"
#include "models/error.hpp"

namespace prelude::models {

namespace {

constexpr std::size_t kMaxKeys = 1024;  ///< of one object

/// Receives the JSON as events. Depth 1 is the file's value; records stand at `record_depth_`.
class RecordReader final : public nlohmann::json_sax<nlohmann::json> {
  public:
    RecordReader(const std::vector<JsonSection>& sections, DataProblems& problems, const JsonLimits& limits)
        : sections_(sections), problems_(problems), limits_(limits) {
        if (sections_.size() == 1 && sections_[0].name.empty()) bare_list_ = &sections_[0];
    }

    [[nodiscard]] const std::vector<std::string>& found() const noexcept { return found_; }

    bool null() override { return scalar("null"); }
    bool boolean(bool) override { return scalar("a boolean"); }
    bool number_integer(number_integer_t value) override { return number(static_cast<double>(value)); }
    bool number_unsigned(number_unsigned_t value) override { return number(static_cast<double>(value)); }
    bool number_float(number_float_t value, const string_t&) override { return number(value); }
    bool binary(binary_t&) override { return scalar("binary data"); }

    bool string(string_t& value) override {
        if (auto* field = scalar_field()) {
            field->kind = JsonField::Kind::text;
            field->found = "a string";
            field->text = std::move(value);
            return true;
        }
        return scalar("a string");
    }

    bool start_object(std::size_t) override {
        if (auto* field = scalar_field()) {
            field->kind = JsonField::Kind::object;
            field->found = "an object";
        } else if (depth_ == record_depth() - 1 && section_ != nullptr) {
            if (count_ == section_->max_records) problems_.fail(fmt::format("{}: more than {} entries", list_name(), section_->max_records));
            in_record_ = true;
        } else if (depth_ > 0 || bare_list_ != nullptr) {
            unwanted("an object");
        }
        return enter();
    }

    bool end_object() override {
        leave();
        if (in_record_ && depth_ == record_depth() - 1) {
            JsonRecord record(fmt::format("{}[{}]", section_->name.empty() ? "detections" : section_->name, count_), std::move(fields_), problems_);
            fields_ = {};
            in_record_ = false;
            ++count_;
            section_->take(record);
        }
        return true;
    }

    bool start_array(std::size_t) override {
        if (auto* field = scalar_field()) {
            field->kind = JsonField::Kind::numbers;
            field->found = "a list";
        } else if (auto* list = list_field(1)) {
            if (!list->numbers.empty()) make_other(*list);
            if (list->kind == JsonField::Kind::numbers) list->kind = JsonField::Kind::lists;
            if (list->kind == JsonField::Kind::lists) list->lists.emplace_back();
        } else if (depth_ == 0 && bare_list_ != nullptr) {
            begin_section(*bare_list_);
        } else if (depth_ == 1 && !bare_list_) {
            if (const auto* section = wanted_section()) begin_section(*section);
        } else {
            unwanted("a list");
        }
        return enter();
    }

    bool end_array() override {
        leave();
        if (section_ != nullptr && depth_ == record_depth() - 2) section_ = nullptr;
        return true;
    }

    bool key(string_t& value) override {
        if (keys_.back().size() == kMaxKeys) problems_.fail(fmt::format("{}: an object of more than {} keys", place(), kMaxKeys));
        if (!keys_.back().insert(value).second) problems_.fail(fmt::format("{}: key {} appears twice", place(), in_quotes(value)));
        if (depth_ == 1) top_key_ = value;
        if (!in_record_) return true;
        if (depth_ == record_depth()) field_name_ = value;
        if (depth_ == record_depth() + 1) inner_name_ = value;
        return true;
    }

    bool parse_error(std::size_t position, const std::string&, const nlohmann::json::exception& error) override {
        const bool too_large = dynamic_cast<const nlohmann::json::out_of_range*>(&error) != nullptr;
        problems_.fail(fmt::format("{} byte {}", too_large ? "a number too large for a double at" : "not valid JSON at", position));
    }

    /// What stands at the top when it is not what was asked for.
    [[nodiscard]] std::string_view top() const noexcept { return top_; }

  private:
    [[nodiscard]] std::size_t record_depth() const noexcept { return bare_list_ != nullptr ? 2 : 3; }
    [[nodiscard]] std::string_view list_name() const { return section_->name.empty() ? "detections" : std::string_view(section_->name); }
    [[nodiscard]] std::string place() const {
        if (section_ != nullptr) return fmt::format("{}[{}]", list_name(), count_);
        return depth_ <= 1 ? "top level" : in_quotes(top_key_);
    }

    [[nodiscard]] const JsonSection* wanted_section() const {
        const auto section = std::find_if(sections_.begin(), sections_.end(), [&](const auto& each) { return each.name == top_key_; });
        return section == sections_.end() ? nullptr : &*section;
    }

    void begin_section(const JsonSection& section) {
        section_ = &section;
        count_ = 0;
        found_.push_back(section.name);
    }

    bool enter() {
        if (++depth_ > limits_.max_depth) problems_.fail(fmt::format("{}: nested deeper than {} levels", place(), limits_.max_depth));
        keys_.emplace_back();
        return true;
    }

    void leave() {
        --depth_;
        keys_.pop_back();
    }

    /// The kept field whose value comes now: of the record itself or of an object in it.
    JsonField* scalar_field() {
        if (!in_record_) return nullptr;
        if (depth_ == record_depth()) return wanted(field_name_);
        if (depth_ != record_depth() + 1) return nullptr;
        const auto* outer = kept(field_name_);
        return outer != nullptr && outer->kind == JsonField::Kind::object ? wanted(field_name_ + "." + inner_name_) : nullptr;
    }

    /// The kept list that is open `levels` below its field.
    JsonField* list_field(std::size_t levels) {
        if (!in_record_) return nullptr;
        const auto is_list = [](const JsonField* field) { return field != nullptr && (field->kind == JsonField::Kind::numbers || field->kind == JsonField::Kind::lists); };
        if (depth_ == record_depth() + levels)
            if (auto* field = kept(field_name_); is_list(field)) return field;
        if (depth_ == record_depth() + 1 + levels)
            if (auto* outer = kept(field_name_); outer != nullptr && outer->kind == JsonField::Kind::object)
                if (auto* field = kept(field_name_ + "." + inner_name_); is_list(field)) return field;
        return nullptr;
    }

    JsonField* wanted(const std::string& name) {
        const auto& names = section_->fields;
        return std::find(names.begin(), names.end(), name) == names.end() ? nullptr : &fields_[name];
    }

    JsonField* kept(const std::string& name) {
        const auto field = fields_.find(name);
        return field == fields_.end() ? nullptr : &field->second;
    }

    static void make_other(JsonField& field) {
        field.kind = JsonField::Kind::other;
        field.found = "a mixed list";
        field.numbers = {};
        field.lists = {};
    }

    bool number(double value) {
        if (auto* field = scalar_field()) {
            field->kind = JsonField::Kind::number;
            field->found = "a number";
            field->number = value;
            return true;
        }
        if (auto* list = list_field(1)) {
            if (list->kind == JsonField::Kind::lists) make_other(*list);
            else keep(list->numbers, value);
            return true;
        }
        if (auto* list = list_field(2); list != nullptr && list->kind == JsonField::Kind::lists) {
            keep(list->lists.back(), value);
            return true;
        }
        return scalar("a number");
    }

    void keep(std::vector<double>& numbers, double value) {
        if (++num_numbers_ > limits_.max_numbers) problems_.fail(fmt::format("{}: more than {} numbers in all", place(), limits_.max_numbers));
        numbers.push_back(value);
    }

    /// A value that is kept nowhere: inside a kept list it makes the list useless, as a record it is a mistake.
    bool scalar(std::string_view what) {
        if (auto* field = scalar_field()) {
            field->kind = JsonField::Kind::other;
            field->found = what;
        } else {
            unwanted(what);
        }
        return true;
    }

    void unwanted(std::string_view what) {
        if (depth_ == 0) top_ = what;
        if (depth_ == 1 && section_ == nullptr && wanted_section() != nullptr && bare_list_ == nullptr) {
            problems_.add(fmt::format("{}: got {}, allowed a list of objects", top_key_, what));
            found_.push_back(top_key_);
        }
        if (section_ == nullptr) return;
        for (const std::size_t levels : {1U, 2U, 3U})
            if (auto* list = list_field(levels)) return make_other(*list);
        if (depth_ == record_depth() - 1) problems_.add(fmt::format("{}[{}]: got {}, allowed an object", list_name(), count_++, what));
    }

    const std::vector<JsonSection>& sections_;
    DataProblems& problems_;
    const JsonLimits& limits_;
    const JsonSection* bare_list_ = nullptr;
    const JsonSection* section_ = nullptr;  ///< the list being read
    bool in_record_ = false;
    std::size_t count_ = 0;                 ///< records of it so far
    std::size_t depth_ = 0, num_numbers_ = 0;
    std::string top_key_, field_name_, inner_name_;
    std::string_view top_;
    std::map<std::string, JsonField, std::less<>> fields_;  ///< of the record being read
    std::vector<std::set<std::string>> keys_;               ///< of the objects that are open
    std::vector<std::string> found_;
};

}  // namespace

void DataProblems::add(std::string problem) {
    if (listed_.size() < kMaxListed) listed_.push_back(std::move(problem));
    ++num_problems_;
}

void DataProblems::throw_if_any() const {
    if (empty()) return;
    auto all = listed_;
    if (num_problems_ > kMaxListed) all.push_back(fmt::format("and {} more like these", num_problems_ - kMaxListed));
    throw DataError(file_, all);
}

void DataProblems::fail(std::string problem) {
    add(std::move(problem));
    throw_if_any();
    throw DataError(file_);  // unreachable: a problem was just added
}

const JsonField* JsonRecord::find(std::string_view name) const {
    const auto field = fields_.find(name);
    return field == fields_.end() ? nullptr : &field->second;
}

void JsonRecord::problem(std::string_view name, std::string_view what) const { problems_->add(fmt::format("{}: {}: {}", place_, name, what)); }

void JsonRecord::name_by_id(std::int64_t id) { place_ += fmt::format(" (id {})", id); }

const JsonField* JsonRecord::expect(std::string_view name, JsonField::Kind kind, std::string_view allowed) const {
    const auto* field = find(name);
    if (field == nullptr) {
        problem(name, fmt::format("missing, allowed {}", allowed));
    } else if (field->kind != kind) {
        problem(name, fmt::format("got {}, allowed {}", field->found, allowed));
        return nullptr;
    }
    return field;
}

std::optional<std::int64_t> JsonRecord::whole(std::string_view name, std::int64_t low, std::int64_t high) const {
    const auto allowed = fmt::format("a whole number {}..{}", low, high);
    const auto* field = expect(name, JsonField::Kind::number, allowed);
    if (field == nullptr) return std::nullopt;
    if (field->number == std::floor(field->number) && field->number >= static_cast<double>(low) && field->number <= static_cast<double>(high))
        return static_cast<std::int64_t>(field->number);
    problem(name, fmt::format("got {}, allowed {}", field->number, allowed));
    return std::nullopt;
}

std::optional<std::int64_t> JsonRecord::id(std::string_view name) const {
    constexpr double kLargest = (std::int64_t{1} << 53) - 1;
    constexpr std::string_view kAllowed = "a whole number of at most 53 bits";
    const auto* field = expect(name, JsonField::Kind::number, kAllowed);
    if (field == nullptr) return std::nullopt;
    if (field->number == std::floor(field->number) && std::abs(field->number) <= kLargest) return static_cast<std::int64_t>(field->number);
    problem(name, fmt::format("got {}, allowed {}", field->number, kAllowed));
    return std::nullopt;
}

std::optional<double> JsonRecord::number(std::string_view name) const {
    const auto* field = expect(name, JsonField::Kind::number, "a number");
    return field == nullptr ? std::nullopt : std::optional(field->number);
}

std::optional<std::string> JsonRecord::text(std::string_view name) const {
    const auto* field = expect(name, JsonField::Kind::text, "a string");
    return field == nullptr ? std::nullopt : std::optional(field->text);
}

const std::vector<double>* JsonRecord::numbers(std::string_view name, std::size_t count) const {
    const auto allowed = fmt::format("a list of {} numbers", count);
    const auto* field = expect(name, JsonField::Kind::numbers, allowed);
    if (field == nullptr) return nullptr;
    if (field->numbers.size() == count) return &field->numbers;
    problem(name, fmt::format("got a list of {}, allowed {}", field->numbers.size(), allowed));
    return nullptr;
}

std::vector<std::string> read_records(std::string_view json, const std::vector<JsonSection>& sections, DataProblems& problems, const JsonLimits& limits) {
    if (json.empty()) problems.fail("the file is empty");
    RecordReader reader(sections, problems, limits);
    nlohmann::json::sax_parse(json.begin(), json.end(), &reader);
    if (!reader.top().empty()) problems.fail(fmt::format("got {}, allowed {}", reader.top(), sections[0].name.empty() ? "a list of objects" : "an object"));
    return reader.found();
}

std::string read_text_file(const std::filesystem::path& path, std::int64_t max_bytes) {
    const auto refuse = [&](const std::string& why) { DataProblems(path.string()).fail(why); };
    std::error_code failure;
    const auto status = std::filesystem::status(path, failure);
    if (!std::filesystem::exists(status)) refuse("no such file");
    if (!std::filesystem::is_regular_file(status)) refuse("not a file");
    const auto size = std::filesystem::file_size(path, failure);
    if (failure) refuse(failure.message());
    if (static_cast<std::int64_t>(size) > max_bytes) refuse(fmt::format("{} bytes, allowed {}", size, max_bytes));
    std::string text(size, '\0');
    std::ifstream stream(path, std::ios::binary);
    if (!stream.read(text.data(), static_cast<std::streamsize>(size))) refuse("cannot be read");
    return text;
}

}  // namespace prelude::models
