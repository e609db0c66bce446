// SPDX-License-Identifier: Apache-2.0
#pragma once

// Runs programs the way a user does, and folders that go away with the test.

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

namespace prelude::testing {

class TemporaryFolder {
  public:
    TemporaryFolder();
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;
    ~TemporaryFolder();
    [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }
    [[nodiscard]] std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

  private:
    std::filesystem::path path_;
};

struct Ended {
    int code = -1;   ///< exit code, or -1
    int signal = 0;  ///< that ended it
    std::string out, err;
};

/// A program in a process group of its own, its output in files.
class Running {
  public:
    /// `environment`: "NAME=value", added to the current one.
    Running(const std::vector<std::string>& arguments, const std::vector<std::string>& environment = {});
    Running(const Running&) = delete;
    Running& operator=(const Running&) = delete;
    ~Running();
    [[nodiscard]] pid_t process() const noexcept { return process_; }
    void send(int signal) const;
    [[nodiscard]] bool is_running();
    Ended wait();

  private:
    TemporaryFolder folder_;
    pid_t process_ = -1;
    int status_ = 0;
    bool ended_ = false;
};

Ended run(const std::vector<std::string>& arguments, const std::vector<std::string>& environment = {});

[[nodiscard]] std::string read_file(const std::filesystem::path& file);
void write_file(const std::filesystem::path& file, const std::string& bytes);
/// Whether a process exists and is no zombie.
[[nodiscard]] bool is_alive(pid_t process);

/// Waits until the condition holds, at most `seconds`; whether it did.
template <typename Condition>
[[nodiscard]] bool eventually(Condition condition, double seconds = 20);

void pause_ms(int milliseconds);

template <typename Condition>
bool eventually(Condition condition, double seconds) {
    for (int i = 0; i < static_cast<int>(seconds * 100); ++i) {
        if (condition()) return true;
        pause_ms(10);
    }
    return condition();
}

}  // namespace prelude::testing
