// SPDX-License-Identifier: Apache-2.0
#include "tests/support/program.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <stdexcept>

namespace prelude::testing {

namespace fs = std::filesystem;

TemporaryFolder::TemporaryFolder() {
    auto name = (fs::temp_directory_path() / "prelude-test-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary folder");
    path_ = name;
}

TemporaryFolder::~TemporaryFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
}

Running::Running(const std::vector<std::string>& arguments, const std::vector<std::string>& environment) {
    const auto out = (folder_ / "out").string(), err = (folder_ / "err").string();
    process_ = ::fork();
    if (process_ < 0) throw std::runtime_error("fork");
    if (process_ > 0) return;
    ::setpgid(0, 0);
    for (const auto& entry : environment) {
        const auto equals = entry.find('=');
        ::setenv(entry.substr(0, equals).c_str(), entry.substr(equals + 1).c_str(), 1);
    }
    ::dup2(::open(out.c_str(), O_WRONLY | O_CREAT, 0666), STDOUT_FILENO);
    ::dup2(::open(err.c_str(), O_WRONLY | O_CREAT, 0666), STDERR_FILENO);
    std::vector<char*> texts;
    for (const auto& argument : arguments) texts.push_back(const_cast<char*>(argument.c_str()));
    texts.push_back(nullptr);
    ::execvp(texts[0], texts.data());
    ::_exit(127);
}

Running::~Running() {
    if (!ended_) {
        send(SIGKILL);
        wait();
    }
}

void Running::send(int signal) const {
    ::kill(process_, signal);
}

bool Running::is_running() {
    if (!ended_ && ::waitpid(process_, &status_, WNOHANG) == process_) ended_ = true;
    return !ended_;
}

Ended Running::wait() {
    if (!ended_) ::waitpid(process_, &status_, 0);
    ended_ = true;
    Ended result;
    if (WIFEXITED(status_)) result.code = WEXITSTATUS(status_);
    if (WIFSIGNALED(status_)) result.signal = WTERMSIG(status_);
    result.out = read_file(folder_ / "out");
    result.err = read_file(folder_ / "err");
    return result;
}

Ended run(const std::vector<std::string>& arguments, const std::vector<std::string>& environment) {
    return Running(arguments, environment).wait();
}

std::string read_file(const fs::path& file) {
    std::ifstream stream(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
}

void write_file(const fs::path& file, const std::string& bytes) {
    std::ofstream(file, std::ios::binary) << bytes;
}

bool is_alive(pid_t process) {
    const auto status = read_file(fs::path("/proc") / std::to_string(process) / "stat");
    const auto name_end = status.rfind(')');
    return name_end != std::string::npos && name_end + 2 < status.size() && status[name_end + 2] != 'Z' && status[name_end + 2] != 'X';
}

void pause_ms(int milliseconds) {
    ::usleep(static_cast<useconds_t>(milliseconds) * 1000);
}

}  // namespace prelude::testing
