// SPDX-License-Identifier: Apache-2.0
// README.md is held to its word: every command in its ```sh blocks is run as it stands, and what a ```text block says of a command's
// output has to be there. Some commands are not run as they stand: ./run_tests runs this test, and long sweeps are made small (kSmaller);
// `test_experiments "[readme-long]"` (./run_tests --all) runs the quickstart as it stands and compares every figure.
#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <span>
#include <sstream>

#include "tests/support/program.hpp"
#include "tests/paths.hpp"

using namespace prelude::testing;
namespace fs = std::filesystem;

namespace {

const fs::path kSource = PRELUDE_SOURCE_DIR;
constexpr const char* kQuickstart = "./explore --config arch_configs/quickstart.yaml";
constexpr const char* kRunTests = "./run_tests";
/// Long commands, and what is set for a few points on a few pictures, with the same columns.
const std::map<std::string, std::string> kSmaller{
    {kQuickstart, " --set data.num_images=2 --set data.prompts_per_image=1 --set 'sweep.axes.quant.groups=[1]' --set 'sweep.axes.quant.softmax.log_base=[sqrt2]'"},
    {"./explore --config arch_configs/methods.yaml",
     " --set data.num_images=2 --set data.prompts_per_image=1 --set 'sweep.axes.quant.method=[rtn, ours]' --set 'sweep.axes.quant.weight_bits,quant.activation_bits=[[4, 4]]'"},
    {"./explore accumulators --config arch_configs/accumulators.yaml",
     " --set data.num_images=1 --set 'sweep.axes.quant.softmax.scheme=[log]' --set 'sweep.axes.quant.accumulator.overflow,quant.accumulator.bits=[[exact, 63]]'"}};

using Words = std::vector<std::string>;

Words words_of(const std::string& line) {
    std::istringstream stream(line);
    Words words;
    for (std::string word; stream >> word;) words.push_back(word);
    return words;
}

std::vector<Words> lines_of(const std::string& text) {
    std::istringstream stream(text);
    std::vector<Words> lines;
    for (std::string line; std::getline(stream, line);) lines.push_back(words_of(line));
    return lines;
}

struct Command {
    std::string text;
    std::string output;  ///< what the README shows of it; empty: nothing
};

/// The commands of the ```sh blocks. A ```text block is of the first command of the block before it.
std::vector<Command> commands_in(const std::string& readme) {
    std::istringstream stream(readme);
    std::vector<Command> commands;
    std::size_t first_of_block = 0;
    std::string block;
    for (std::string line; std::getline(stream, line);) {
        if (line.starts_with("```")) {
            block = block.empty() ? line.substr(3) + "." : "";
            if (block == "sh.") first_of_block = commands.size();
        } else if (block == "sh.") {
            if (auto text = line.substr(0, line.find('#')); !text.empty()) commands.push_back({text.substr(0, text.find_last_not_of(' ') + 1), {}});
        } else if (block == "text." && first_of_block < commands.size()) {
            commands[first_of_block].output += line + "\n";
        }
    }
    return commands;
}

/// Whether `shown` is `actual` where "..." stands for any number of parts, also none.
template <typename Part, typename IsGap, typename Equal>
bool matches(std::span<const Part> shown, std::span<const Part> actual, const IsGap& is_gap, const Equal& equal) {
    if (shown.empty()) return actual.empty();
    if (is_gap(shown[0])) {
        for (std::size_t skipped = 0; skipped <= actual.size(); ++skipped)
            if (matches(shown.subspan(1), actual.subspan(skipped), is_gap, equal)) return true;
        return false;
    }
    return !actual.empty() && equal(shown[0], actual[0]) && matches(shown.subspan(1), actual.subspan(1), is_gap, equal);
}

bool line_matches(const Words& shown, const Words& actual) {
    return matches<std::string>(shown, actual, [](const auto& word) { return word == "..."; }, std::equal_to<>());
}

/// The output may go on after what is shown.
bool output_matches(const std::string& shown, const std::string& actual) {
    auto lines = lines_of(shown);
    lines.push_back({"..."});
    const auto all = lines_of(actual);
    return matches<Words>(lines, all, [](const Words& line) { return line == Words{"..."}; }, line_matches);
}

/// The table's key columns (those between `point` and `miou`) of a row; the mark of the front is no column.
Words keys_of(const Words& header, Words row) {
    if (!row.empty() && row[0] == "*") row.erase(row.begin());
    if (row.empty() || row[0].find_first_not_of("0123456789") != std::string::npos || row.size() < 3) return {};
    const auto end = std::ranges::find(header, "miou") - header.begin();
    return row.size() < static_cast<std::size_t>(end) ? Words{} : Words(row.begin() + 1, row.begin() + end);
}

/// What a smaller sweep has in common with the one shown: the columns and the values of the keys. Empty: all; else what is wrong.
std::string fault_of_small_table(const std::string& shown, const std::string& actual) {
    const auto expected = lines_of(shown), found = lines_of(actual);
    if (expected.empty() || found.empty()) return "no table";
    auto at = found[0].begin();
    for (const auto& name : expected[0]) {
        if (name == "...") continue;
        const auto next = std::find(at, found[0].end(), name);
        if (next != found[0].end())
            at = next + 1;
        else if (actual.find(" " + name + " ", actual.find("the same everywhere:")) == std::string::npos)
            return "no column " + name;
    }
    std::size_t rows = 0;
    for (std::size_t i = 1; i < expected.size(); ++i) {
        if (!expected[i].empty() && expected[i][0] == "the") break;  // "the same everywhere: ..." ends the table
        const auto keys = keys_of(expected[0], expected[i]);
        if (keys.empty()) continue;
        if (++rows; std::ranges::none_of(found, [&](const auto& row) { return keys_of(found[0], row) == keys; })) return "no row like that of line " + std::to_string(i + 1);
    }
    return rows == 0 ? "no rows" : "";
}

/// The repository as a user sees it, with this build's program and a folder of its own for results.
struct Checkout {
    TemporaryFolder folder;
    Checkout() {
        for (const auto& entry : fs::directory_iterator(kSource)) {
            const auto name = entry.path().filename();
            if (name != "build" && name != "out" && name != ".git") fs::create_symlink(entry.path(), folder.path() / name);
        }
        fs::create_directories(folder / "build/release");
        fs::create_symlink(EXPLORE, folder / "build/release/explore");  // last: newer than every source, so that nothing is built
    }
    [[nodiscard]] Ended run(const std::string& command) const {
        return prelude::testing::run({"bash", "-c", "cd '" + folder.path().string() + "' && " + command}, {"PRELUDE_NO_INSTALL=1"});
    }
};

}  // namespace

#if !defined(__SANITIZE_ADDRESS__)  // minutes, for code that other tests run under it
TEST_CASE("The commands of the README end with 0 and print what it says") {
    const Checkout checkout;
    bool has_quickstart = false, has_tests = false;
    std::size_t num_smaller = 0;
    for (const auto& command : commands_in(read_file(kSource / "README.md"))) {
        INFO(command.text);
        if (command.text == kRunTests) {
            has_tests = fs::exists(kSource / "run_tests");
            continue;
        }
        const bool is_quickstart = command.text == kQuickstart;
        const auto smaller = kSmaller.find(command.text);
        num_smaller += smaller != kSmaller.end();
        const auto ended = checkout.run(command.text + (smaller == kSmaller.end() ? "" : smaller->second));
        INFO(ended.out << ended.err);
        CHECK(ended.code == 0);
        if (is_quickstart) {
            has_quickstart = true;
            CHECK(fault_of_small_table(command.output, ended.out) == "");
        } else if (!command.output.empty()) {
            CHECK(output_matches(command.output, ended.out));
        }
    }
    CHECK(has_quickstart);
    CHECK(has_tests);
    CHECK(num_smaller == kSmaller.size());
}
#endif

TEST_CASE("The quickstart prints every figure that the README shows", "[.][readme-long]") {
    const Checkout checkout;
    const auto commands = commands_in(read_file(kSource / "README.md"));
    const auto quickstart = std::ranges::find(commands, kQuickstart, &Command::text);
    REQUIRE(quickstart != commands.end());
    const auto ended = checkout.run(quickstart->text);
    INFO(ended.out << ended.err);
    CHECK(ended.code == 0);
    CHECK(output_matches(quickstart->output, ended.out));
}

TEST_CASE("The comparison with the README notices a wrong figure, name, order or missing line") {
    const std::string actual = "  point  bits  miou  power\n*     0     4   0.5    3.1\n      1     8   0.6    3.2\n2 points: 2 ok\n/report.html\n";
    const std::string shown = "  point bits ... power\n* 0 4 0.5 ...\n...\n2 points: 2 ok\n";
    CHECK(output_matches(shown, actual));
    for (const auto& [right, wrong] : {std::pair{"0.5", "0.51"}, {"power", "watts"}, {"* 0", "0"}, {"2 points", "3 points"}, {"...\n2", "2"}}) {
        auto text = shown;
        text.replace(text.find(right), std::string(right).size(), wrong);
        INFO(text);
        CHECK_FALSE(output_matches(text, actual));
    }
    CHECK(fault_of_small_table("point bits miou ...\n* 9 8 0.7 ...\n", actual) == "");
    CHECK(fault_of_small_table("point bits miou lut\n* 9 8 0.7 ...\n", actual) == "no column lut");
    CHECK(fault_of_small_table("point bits miou ...\n* 9 6 0.7 ...\n", actual) == "no row like that of line 2");
    CHECK(fault_of_small_table("point bits miou ...\n", actual) == "no rows");
    const auto commands = commands_in("```sh\na --b  # c\n# d\nz\n```\n```text\nx\n```\n```\ny\n```\n");
    REQUIRE(commands.size() == 2);
    CHECK((commands[0].text == "a --b" && commands[0].output == "x\n" && commands[1].text == "z" && commands[1].output.empty()));
}
