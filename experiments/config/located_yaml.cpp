// SPDX-License-Identifier: Apache-2.0
#include "experiments/config/located_yaml.hpp"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <optional>
#include <sstream>
#include <unordered_map>
#include <utility>

namespace prelude::experiments {

namespace {

/// Leaves the parser when going on would only repeat the same problem.
struct Stop {};

class TreeBuilder final : public YAML::EventHandler {
  public:
    TreeBuilder(std::string_view text, const std::string& source, Problems& problems) : text_(text), source_(source), problems_(problems) {}

    void OnDocumentStart(const YAML::Mark&) override {}
    void OnDocumentEnd() override {}

    void OnNull(const YAML::Mark& mark, YAML::anchor_t) override { attach(node(Node::Kind::null, mark)); }

    void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
        if (!std::exchange(alias_reported_, true)) problems_.add(at(mark), "aliases (*name) are not allowed; write the value out");
        attach(node(Node::Kind::null, mark));
    }

    void OnAnchor(const YAML::Mark& mark, const std::string& name) override {
        if (!std::exchange(anchor_reported_, true))
            problems_.add(at(mark), fmt::format("anchors (&{}) are not allowed; write the value out", shown(name)));
    }

    void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t, const std::string& value) override {
        refuse_tag(mark, tag);
        auto scalar = node(Node::Kind::scalar, mark);
        scalar.text = value;
        scalar.quoted = tag == "!";
        if (scalar.quoted && !ends_on_its_line(mark)) problems_.add(at(mark), "a quoted text must end on its line");
        attach(std::move(scalar));
    }

    void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t, YAML::EmitterStyle::value) override {
        refuse_tag(mark, tag);
        open(Node::Kind::sequence, mark);
    }

    void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t, YAML::EmitterStyle::value) override {
        refuse_tag(mark, tag);
        open(Node::Kind::mapping, mark);
    }

    void OnSequenceEnd() override { close(); }
    void OnMapEnd() override { close(); }

    [[nodiscard]] Node take_root() { return std::move(root_); }

  private:
    /// A collection that is still open. In a mapping, a value without a pending name is the next name.
    struct Frame {
        Node node;
        std::optional<Member> pending;
        std::unordered_map<std::string, Location> seen;
    };

    [[nodiscard]] Location at(const YAML::Mark& mark) const { return {source_, mark.line + 1, mark.column + 1}; }

    [[nodiscard]] Node node(Node::Kind kind, const YAML::Mark& mark) {
        if (++num_nodes_ > YamlLimits::kMaxNodes) {
            problems_.add(at(mark), fmt::format("more than {} values", YamlLimits::kMaxNodes));
            throw Stop{};
        }
        Node result;
        result.kind = kind;
        result.where = at(mark);
        return result;
    }

    void refuse_tag(const YAML::Mark& mark, const std::string& tag) {
        if (!tag.empty() && tag != "?" && tag != "!") problems_.add(at(mark), fmt::format("tags ({}) are not allowed", shown(tag)));
    }

    void open(Node::Kind kind, const YAML::Mark& mark) {
        if (static_cast<int>(frames_.size()) >= YamlLimits::kMaxDepth) {
            problems_.add(at(mark), fmt::format("nested deeper than {} levels", YamlLimits::kMaxDepth));
            throw Stop{};
        }
        frames_.push_back({node(kind, mark), std::nullopt, {}});
    }

    void close() {
        auto finished = std::move(frames_.back().node);
        frames_.pop_back();
        attach(std::move(finished));
    }

    void attach(Node value) {
        if (frames_.empty()) {
            root_ = std::move(value);
            return;
        }
        auto& frame = frames_.back();
        if (frame.node.kind == Node::Kind::sequence) {
            frame.node.items.push_back(std::move(value));
        } else if (!frame.pending) {
            frame.pending = name_of(value);
        } else {
            auto member = std::move(*frame.pending);
            frame.pending.reset();
            if (member.name.empty()) return;  // its name was refused
            member.value = std::move(value);
            const auto [first, is_new] = frame.seen.emplace(member.name, member.where);
            if (is_new)
                frame.node.members.push_back(std::move(member));
            else
                problems_.add(member.where, fmt::format("key '{}' is given twice; the first is at {}:{}", shown(member.name),
                                                        first->second.line, first->second.column));
        }
    }

    [[nodiscard]] Member name_of(const Node& value) {
        Member member;
        member.where = value.where;
        if (value.kind != Node::Kind::scalar || value.text.empty())
            problems_.add(value.where, "a key must be a plain name, not " + value.describe());
        else if (value.text.size() > YamlLimits::kMaxKeyBytes)
            problems_.add(value.where, fmt::format("a key of {} bytes; at most {}", value.text.size(), YamlLimits::kMaxKeyBytes));
        else
            member.name = value.text;
        return member;
    }

    /// yaml-cpp 0.7 takes a quoted text that is never closed to the end of the file, without complaint.
    [[nodiscard]] bool ends_on_its_line(const YAML::Mark& mark) const {
        auto i = static_cast<std::size_t>(std::max(0, mark.pos));
        if (i >= text_.size() || (text_[i] != '"' && text_[i] != '\'')) return true;  // a block scalar
        const char quote = text_[i];
        for (++i; i < text_.size() && text_[i] != '\n'; ++i) {
            if (quote == '"' && text_[i] == '\\')
                ++i;
            else if (text_[i] == quote) {
                if (quote == '"' || i + 1 >= text_.size() || text_[i + 1] != quote) return true;
                ++i;
            }
        }
        return false;
    }

    std::string_view text_;
    const std::string& source_;
    Problems& problems_;
    std::vector<Frame> frames_;
    std::size_t num_nodes_ = 0;
    bool alias_reported_ = false, anchor_reported_ = false;  // the first of each is enough
    Node root_;
};

/// Length of the UTF-8 character at the start of `bytes`, 0 when it is malformed (overlong and surrogate forms included).
std::size_t utf8_length(std::string_view bytes) {
    const auto byte = [&](std::size_t i) { return i < bytes.size() ? static_cast<unsigned char>(bytes[i]) : 0U; };
    const auto tail = [&](std::size_t i) { return (byte(i) & 0xC0U) == 0x80U; };
    const unsigned first = byte(0);
    if (first < 0x80) return 1;
    if (first >= 0xC2 && first <= 0xDF) return tail(1) ? 2 : 0;
    if (first >= 0xE0 && first <= 0xEF) {
        if (!tail(1) || !tail(2) || (first == 0xE0 && byte(1) < 0xA0) || (first == 0xED && byte(1) > 0x9F)) return 0;
        return 3;
    }
    if (first >= 0xF0 && first <= 0xF4) {
        if (!tail(1) || !tail(2) || !tail(3) || (first == 0xF0 && byte(1) < 0x90) || (first == 0xF4 && byte(1) > 0x8F)) return 0;
        return 4;
    }
    return 0;
}

/// The bytes a parser should never see. One problem per line and five in all; false when the text must not be parsed.
bool check_bytes(std::string_view text, const std::string& source, Problems& problems) {
    constexpr int kMaxReported = 5;
    if (text.starts_with("\xFF\xFE") || text.starts_with("\xFE\xFF")) {
        problems.add({source}, "UTF-16 text; a configuration is UTF-8");
        return false;
    }
    int num_reported = 0;
    int line = 1, column = 1, reported_line = 0;
    bool indentation = true, clean = true;
    const auto report = [&](std::string message) {
        clean = false;
        if (line != reported_line && ++num_reported <= kMaxReported) problems.add({source, line, column}, std::move(message));
        reported_line = line;
    };
    for (std::size_t i = 0; i < text.size();) {
        const auto byte = static_cast<unsigned char>(text[i]);
        std::size_t length = 1;
        if (byte == '\n') {
            ++line;
            column = 1;
            indentation = true;
            ++i;
            continue;
        }
        if (byte == 0)
            report("NUL byte; a configuration is UTF-8 text");
        else if (byte == '\t' && indentation)
            report("tab in the indentation; YAML indents with spaces");
        else if ((byte < 0x20 && byte != '\t' && byte != '\r') || byte == 0x7F)
            report(fmt::format("control byte 0x{:02x}", byte));
        else if (byte >= 0x80) {
            length = utf8_length(text.substr(i));
            if (length == 0) {
                report(fmt::format("byte 0x{:02x} is not UTF-8", byte));
                length = 1;
            }
        }
        if (byte != ' ' && byte != '\t') indentation = false;
        i += length;
        column += static_cast<int>(length);
    }
    return clean;
}

}  // namespace

const Node* Node::find(std::string_view name) const noexcept {
    for (const auto& member : members)
        if (member.name == name) return &member.value;
    return nullptr;
}

std::string Node::describe() const {
    switch (kind) {
        case Kind::null: return "nothing";
        case Kind::scalar: return quoted ? '"' + shown(text) + '"' : shown(text);
        case Kind::sequence: return "a list";
        case Kind::mapping: return "a mapping";
    }
    return {};
}

Node parse_yaml(std::string_view text, const std::string& source, Problems& problems) {
    if (text.size() > YamlLimits::kMaxBytes) {
        problems.add({source}, fmt::format("larger than {} KiB; a configuration is small", YamlLimits::kMaxBytes / 1024));
        return {};
    }
    if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
    if (!check_bytes(text, source, problems)) return {};
    TreeBuilder builder(text, source, problems);
    try {
        std::istringstream stream{std::string(text)};
        YAML::Parser parser(stream);
        if (!parser.HandleNextDocument(builder)) return {};
        auto root = builder.take_root();
        TreeBuilder second(text, source, problems);
        if (parser.HandleNextDocument(second)) problems.add(second.take_root().where, "a second document; one file is one configuration");
        return root;
    } catch (const Stop&) {
    } catch (const YAML::Exception& error) {
        problems.add({source, std::max(0, error.mark.line) + 1, std::max(0, error.mark.column) + 1}, "not YAML: " + shown(error.msg, 120));
    }
    return {};
}

Node read_yaml(const std::filesystem::path& file, Problems& problems) {
    const auto source = file.string();
    std::error_code failure;
    if (std::filesystem::is_directory(file, failure)) {
        problems.add({source}, "is a directory, not a file");
        return {};
    }
    errno = 0;
    std::ifstream stream(file, std::ios::binary);
    if (!stream) {
        problems.add({source}, fmt::format("cannot be opened: {}", std::strerror(errno)));
        return {};
    }
    std::string text(YamlLimits::kMaxBytes + 1, '\0');
    stream.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(stream.gcount()));
    if (stream.bad()) {
        problems.add({source}, "cannot be read");
        return {};
    }
    return parse_yaml(text, source, problems);
}

}  // namespace prelude::experiments
