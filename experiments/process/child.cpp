// SPDX-License-Identifier: Apache-2.0
#include "experiments/process/child.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <omp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <system_error>

#include "models/error.hpp"

namespace prelude::experiments {

namespace {

constexpr std::size_t kTailBytes = 4096;
constexpr std::size_t kMaxLastWords = 400;
/// What one child may have sent before its frame is complete.
constexpr std::size_t kMaxResultBytes = kFrameHeaderBytes + kMaxPayloadBytes;

struct Pipe {
    Descriptor read, write;
};

Pipe make_pipe() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw std::system_error(errno, std::generic_category(), "pipe");
    return {Descriptor(ends[0]), Descriptor(ends[1])};
}

bool write_all(int descriptor, std::string_view bytes) noexcept {
    while (!bytes.empty()) {
        const auto written = ::write(descriptor, bytes.data(), bytes.size());
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return false;
        bytes.remove_prefix(static_cast<std::size_t>(written));
    }
    return true;
}

/// When memory runs out, a job is the one to go, not the process that holds the results. Best effort.
void volunteer_for_out_of_memory() noexcept {
    const Descriptor file(::open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC));
    if (file) static_cast<void>(write_all(file.get(), "500"));
}

/// Sends how far the job is, a few times a second at most.
class ProgressSender {
  public:
    ProgressSender(int descriptor, std::uint64_t id) : descriptor_(descriptor), id_(id) {}

    void operator()(double share) {
        constexpr auto kInterval = std::chrono::milliseconds(200);
        const auto now = std::chrono::steady_clock::now();
        const auto thousandths = static_cast<int>(std::clamp(share, 0.0, 1.0) * 1000);
        if (thousandths <= sent_ || (sent_ >= 0 && now - when_ < kInterval)) return;
        sent_ = thousandths, when_ = now;
        static_cast<void>(write_all(descriptor_, encode({Frame::Kind::progress, id_, std::to_string(thousandths)})));
    }

  private:
    int descriptor_;
    std::uint64_t id_;
    int sent_ = -1;
    std::chrono::steady_clock::time_point when_{};
};

Frame compute(std::uint64_t id, const std::string& job, const Child::Work& work, const models::ReportProgress& report) {
    try {
        auto value = work(job, report);
        if (value.size() > kMaxPayloadBytes)
            return {Frame::Kind::failure, id, fmt::format("the result has {} bytes, more than {}", value.size(), kMaxPayloadBytes)};
        return {Frame::Kind::result, id, std::move(value)};
    } catch (const models::InputError& error) {
        return {Frame::Kind::refusal, id, std::string(error.what()).substr(0, kMaxPayloadBytes)};
    } catch (const std::exception& error) {
        return {Frame::Kind::failure, id, std::string(error.what()).substr(0, kMaxPayloadBytes)};
    } catch (...) {
        return {Frame::Kind::failure, id, "an exception of unknown type"};
    }
}

[[noreturn]] void run_child(std::uint64_t id, const std::string& job, const Child::Work& work, const Child::Setup& setup, pid_t parent,
                            int result, int text) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(1);  // it died before the line above
    ::setpgid(0, 0);
    if (setup.close_descriptor >= 0) ::close(setup.close_descriptor);
    ::dup2(text, STDOUT_FILENO);
    ::dup2(text, STDERR_FILENO);
    if (const int null = ::open("/dev/null", O_RDONLY); null >= 0) ::dup2(null, STDIN_FILENO);
    ::signal(SIGINT, SIG_IGN);
    ::signal(SIGPIPE, SIG_DFL);
    for (const int number : {SIGTERM, SIGHUP, SIGSEGV, SIGABRT, SIGFPE, SIGILL, SIGBUS})
        ::signal(number, SIG_DFL);  // whatever the program had put there
    ::sigprocmask(SIG_SETMASK, &setup.signals, nullptr);
    const rlimit no_core{0, 0};
    ::setrlimit(RLIMIT_CORE, &no_core);
    volunteer_for_out_of_memory();
    ::setenv("OMP_NUM_THREADS", std::to_string(setup.num_threads).c_str(), 1);  // for what it may execute
    ::omp_set_num_threads(setup.num_threads);                                   // the variable was read when the program started

    const auto frame = encode(compute(id, job, work, ProgressSender(result, id)));
    const bool sent = write_all(result, frame);
    std::fflush(nullptr);
    ::_exit(sent ? 0 : 1);
}

std::string_view name_of_signal(int number) {
    switch (number) {
        case SIGSEGV: return "crashed with SIGSEGV (invalid memory access)";
        case SIGABRT: return "crashed with SIGABRT (a check failed)";
        case SIGFPE: return "crashed with SIGFPE (arithmetic)";
        case SIGILL: return "crashed with SIGILL (this processor lacks an instruction)";
        case SIGBUS: return "crashed with SIGBUS (a mapped file shrank, or memory is damaged)";
        case SIGKILL: return "was killed with SIGKILL (memory ran out, or by hand)";
        case SIGTERM: return "was ended with SIGTERM";
        default: return {};
    }
}

}  // namespace

Child::Child(std::uint64_t id, const std::string& job, const Work& work, const Setup& setup) : id_(id) {
    auto result = make_pipe();
    auto text = make_pipe();
    std::fflush(nullptr);
    const auto parent = ::getpid();
    process_ = ::fork();
    if (process_ < 0) throw std::system_error(errno, std::generic_category(), "fork");
    if (process_ == 0) run_child(id, job, work, setup, parent, result.write.get(), text.write.get());
    ::setpgid(process_, process_);  // here too: whoever comes first
    result_ = std::move(result.read);
    text_ = std::move(text.read);
    ::fcntl(result_.get(), F_SETFL, O_NONBLOCK);
    ::fcntl(text_.get(), F_SETFL, O_NONBLOCK);
}

void Child::read() {
    read_result();
    read_text();
}

void Child::read_result() {
    std::array<char, 65536> buffer{};
    while (result_) {
        const auto length = ::read(result_.get(), buffer.data(), buffer.size());
        if (length < 0 && errno == EINTR) continue;
        if (length < 0 && errno == EAGAIN) return;
        if (length <= 0) {
            result_.close();
            return;
        }
        reader_.feed({buffer.data(), static_cast<std::size_t>(length)});
        while (auto frame = reader_.next()) (frame->kind == Frame::Kind::progress ? progress_ : last_) = *std::move(frame);
        if (reader_.num_pending_bytes() > kMaxResultBytes) {
            kill_group();
            result_.close();
        }
    }
}

void Child::read_text() {
    std::array<char, 4096> buffer{};
    while (text_) {
        const auto length = ::read(text_.get(), buffer.data(), buffer.size());
        if (length < 0 && errno == EINTR) continue;
        if (length < 0 && errno == EAGAIN) return;
        if (length <= 0) {
            text_.close();
            return;
        }
        tail_.append(buffer.data(), static_cast<std::size_t>(length));
        if (tail_.size() > kTailBytes) tail_.erase(0, tail_.size() - kTailBytes);
    }
}

std::string Child::last_words() const {
    const auto end = tail_.find_last_not_of(" \n\r\t");
    if (end == std::string::npos) return {};
    const auto words = tail_.substr(0, end + 1);
    const auto start = words.rfind('\n');
    const auto line = start == std::string::npos ? words : words.substr(start + 1);
    return line.substr(0, kMaxLastWords);
}

Frame Child::finish(int wait_status) {
    read();
    if (WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == 0) {
        if (last_ && last_->id == id_ && (last_->kind == Frame::Kind::result || last_->kind == Frame::Kind::refusal || last_->kind == Frame::Kind::failure)) return *std::move(last_);
    }
    std::string reason;
    if (WIFSIGNALED(wait_status)) {
        const int number = WTERMSIG(wait_status);
        reason = name_of_signal(number);
        if (reason.empty()) reason = fmt::format("was ended by signal {}", number);
    } else if (WEXITSTATUS(wait_status) == 0) {
        reason = "ended without a result";
    } else {
        reason = fmt::format("ended with exit code {} and no result", WEXITSTATUS(wait_status));
    }
    reason.insert(0, "the process ");
    if (const auto words = last_words(); !words.empty()) reason += ": " + words;
    return {Frame::Kind::failure, id_, reason};
}

void Child::kill_group() const noexcept {
    if (process_ > 0) ::kill(-process_, SIGKILL);
}

}  // namespace prelude::experiments
