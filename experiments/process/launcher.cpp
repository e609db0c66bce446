// SPDX-License-Identifier: Apache-2.0
#include "experiments/process/launcher.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <deque>
#include <system_error>
#include <thread>

#include "experiments/process/child.hpp"
#include "models/error.hpp"

namespace prelude::experiments {

namespace {

[[noreturn]] void fail(const char* what) {
    throw std::system_error(errno, std::generic_category(), what);
}

/// The launcher's own life: a loop over its socket, its children's pipes and its signals. It never waits for anything else.
class Server {
  public:
    Server(Descriptor socket, Launcher::Work work, Launcher::Options options)
        : socket_(std::move(socket)), work_(std::move(work)), options_(options) {
        sigset_t mine{};
        sigemptyset(&mine);
        sigaddset(&mine, SIGCHLD);
        sigaddset(&mine, SIGTERM);
        ::sigprocmask(SIG_BLOCK, &mine, &inherited_signals_);
        signals_ = Descriptor(::signalfd(-1, &mine, SFD_CLOEXEC | SFD_NONBLOCK));
        if (!signals_) fail("signalfd");
        ::fcntl(socket_.get(), F_SETFL, O_NONBLOCK);
    }

    void run() {
        while (!ended_) {
            start_jobs();
            wait();
        }
        for (const auto& child : children_) child.kill_group();
        for (const auto& child : children_) ::waitpid(child.process(), nullptr, 0);
    }

  private:
    void start_jobs() {
        while (!jobs_.empty() && children_.size() < static_cast<std::size_t>(options_.num_workers)) {
            const auto job = std::move(jobs_.front());
            jobs_.pop_front();
            try {
                children_.emplace_back(job.id, job.payload, work_, Child::Setup{options_.num_threads, inherited_signals_, socket_.get()});
                send({Frame::Kind::started, job.id, std::to_string(children_.back().process())});
            } catch (const std::system_error& error) {
                send({Frame::Kind::failure, job.id, std::string("no process could be started: ") + error.what()});
            }
        }
    }

    void wait() {
        std::vector<pollfd> polled{{socket_.get(), static_cast<short>(POLLIN | (outgoing_.empty() ? 0 : POLLOUT)), 0},
                                   {signals_.get(), POLLIN, 0}};
        for (const auto& child : children_) {  // poll() passes over descriptors below 0
            polled.push_back({child.result_descriptor(), POLLIN, 0});
            polled.push_back({child.text_descriptor(), POLLIN, 0});
        }
        if (::poll(polled.data(), polled.size(), -1) < 0 && errno != EINTR) fail("poll");
        for (auto& child : children_) {
            child.read();
            if (auto progress = child.take_progress()) send(*progress);
        }
        if (polled[0].revents != 0) receive();
        if (polled[1].revents != 0) take_signals();
        reap();
        flush();
    }

    void receive() {
        std::array<char, 65536> buffer{};
        while (true) {
            const auto length = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
            if (length < 0 && errno == EINTR) continue;
            if (length < 0 && errno == EAGAIN) break;
            if (length <= 0) {
                ended_ = true;  // the other end is gone
                return;
            }
            reader_.feed({buffer.data(), static_cast<std::size_t>(length)});
        }
        while (auto frame = reader_.next()) jobs_.push_back(*std::move(frame));
        if (reader_.is_broken()) ended_ = true;
    }

    void take_signals() {
        signalfd_siginfo info{};
        while (::read(signals_.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info))
            if (info.ssi_signo == SIGTERM) ended_ = true;
    }

    /// Children are known by their process, not by the end of their pipe: a grandchild may hold that open.
    void reap() {
        for (auto child = children_.begin(); child != children_.end();) {
            int status = 0;
            if (::waitpid(child->process(), &status, WNOHANG) != child->process()) {
                ++child;
                continue;
            }
            child->kill_group();
            send(child->finish(status));
            child = children_.erase(child);
        }
    }

    void send(const Frame& frame) { outgoing_ += encode(frame); }

    void flush() {
        std::string_view rest = outgoing_;
        while (!rest.empty()) {
            const auto sent = ::send(socket_.get(), rest.data(), rest.size(), MSG_NOSIGNAL);
            if (sent < 0 && errno == EINTR) continue;
            if (sent < 0 && errno == EAGAIN) break;
            if (sent <= 0) {
                ended_ = true;
                return;
            }
            rest.remove_prefix(static_cast<std::size_t>(sent));
        }
        outgoing_.erase(0, outgoing_.size() - rest.size());
    }

    Descriptor socket_, signals_;
    Launcher::Work work_;
    Launcher::Options options_;
    sigset_t inherited_signals_{};
    std::deque<Frame> jobs_;
    std::vector<Child> children_;
    FrameReader reader_;
    std::string outgoing_;
    bool ended_ = false;
};

[[noreturn]] void run_launcher(pid_t parent, Descriptor socket, Launcher::Work work, Launcher::Options options) {
    ::prctl(PR_SET_NAME, "prelude-launch");
    ::setpgid(0, 0);
    ::signal(SIGINT, SIG_IGN);
    ::signal(SIGHUP, SIG_IGN);
    int code = 0;
    try {
        Server server(std::move(socket), std::move(work), options);
        // SIGTERM, not SIGKILL: it still has its children's groups to end.
        ::prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (::getppid() == parent) server.run();
    } catch (const std::exception& error) {
        std::fprintf(stderr, "prelude: launcher: %s\n", error.what());
        code = 1;
    }
    ::_exit(code);
}

}  // namespace

Launcher::Launcher(Work work, Options options) {
    models::check(options.num_workers >= 1 && options.num_threads >= 1, "at least one worker with one thread");
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) fail("socketpair");
    Descriptor mine(ends[0]), its(ends[1]);
    std::fflush(nullptr);  // or the launcher's copy would be printed as well
    const auto parent = ::getpid();
    process_ = ::fork();
    if (process_ < 0) fail("fork");
    if (process_ == 0) {
        mine.close();
        run_launcher(parent, std::move(its), std::move(work), options);
    }
    socket_ = std::move(mine);
}

Launcher::~Launcher() {
    stop();
}

void Launcher::submit(std::uint64_t id, const std::string& job) {
    const auto bytes = encode({Frame::Kind::job, id, job});
    std::string_view rest = bytes;
    while (!rest.empty()) {
        const auto sent = ::send(socket_.get(), rest.data(), rest.size(), MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) continue;
        if (sent <= 0) lost();
        rest.remove_prefix(static_cast<std::size_t>(sent));
    }
}

std::vector<Outcome> Launcher::wait(std::chrono::milliseconds timeout, int wake) {
    std::array<pollfd, 2> polled{{{socket_.get(), POLLIN, 0}, {wake, POLLIN, 0}}};
    if (::poll(polled.data(), polled.size(), static_cast<int>(timeout.count())) <= 0 || polled[0].revents == 0) return {};
    std::array<char, 65536> buffer{};
    while (true) {
        const auto length = ::recv(socket_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
        if (length < 0 && errno == EINTR) continue;
        if (length < 0 && errno == EAGAIN) break;
        if (length <= 0) lost();
        reader_.feed({buffer.data(), static_cast<std::size_t>(length)});
    }
    auto outcomes = take_frames();
    if (reader_.is_broken()) lost();
    return outcomes;
}

std::vector<Outcome> Launcher::take_frames() {
    std::vector<Outcome> outcomes;
    while (auto frame = reader_.next()) {
        if (frame->kind == Frame::Kind::started) {
            pid_t group = 0;
            std::from_chars(frame->payload.data(), frame->payload.data() + frame->payload.size(), group);
            if (group > 1) groups_[frame->id] = group;
            continue;
        }
        if (frame->kind == Frame::Kind::progress) {
            int thousandths = 0;
            std::from_chars(frame->payload.data(), frame->payload.data() + frame->payload.size(), thousandths);
            shares_[frame->id] = std::clamp(thousandths / 1000.0, 0.0, 1.0);
            continue;
        }
        groups_.erase(frame->id);
        shares_.erase(frame->id);
        const bool ok = frame->kind == Frame::Kind::result;
        Outcome outcome{.id = frame->id, .ok = ok, .value = {}, .refused = frame->kind == Frame::Kind::refusal, .reason = {}};
        (ok ? outcome.value : outcome.reason) = std::move(frame->payload);
        outcomes.push_back(std::move(outcome));
    }
    return outcomes;
}

double Launcher::share_done(std::uint64_t id) const {
    const auto found = shares_.find(id);
    return found == shares_.end() ? 0.0 : found->second;
}

void Launcher::lost() {
    for (const auto& [id, group] : groups_) ::kill(-group, SIGKILL);
    stop();
    throw LauncherLost("the process that starts the computations has ended");
}

void Launcher::stop() noexcept {
    socket_.close();  // its signal to end
    if (process_ > 0) ::waitpid(process_, nullptr, 0);
    process_ = -1;
}

int num_cores() noexcept {
    return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

}  // namespace prelude::experiments
