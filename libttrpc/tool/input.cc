// SPDX-License-Identifier: Apache-2.0
#include "input.h"

#include <event2/event.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <cerrno>
#include <coroutine>
#include <utility>

#include "ttrpc/io_loop.h"
#include "ttrpc/unique_fd.h"

namespace ttrpc::tool {
namespace {

constexpr size_t kReadSize = 64U << 10;

class Text final : public Input {
 public:
  explicit Text(std::string text) : text_(std::move(text)) {}

  Task<Result<std::string>> Read() override { co_return std::exchange(text_, {}); }

 private:
  std::string text_;
};

// Regular files and the like are always ready, and epoll does not accept them.
bool MayHaveToWait(int fd) {
  const UniqueFd probe(::epoll_create1(EPOLL_CLOEXEC));
  epoll_event event{.events = EPOLLIN, .data = {.fd = fd}};
  return ::epoll_ctl(probe.get(), EPOLL_CTL_ADD, fd, &event) == 0;
}

// The descriptor is not made non-blocking, because the open file may be a terminal that a shell
// shares. It is read once each time it is ready.
class File final : public Input {
 public:
  // `owned` is empty if the descriptor must not be closed.
  File(EventLoop& loop, std::string name, int fd, UniqueFd owned)
      : name_(std::move(name)), owned_(std::move(owned)), fd_(fd), waiter_(loop.io()) {
    if (MayHaveToWait(fd)) event_.reset(::event_new(loop.base(), fd, EV_READ, &Ready, this));
  }

  Task<Result<std::string>> Read() override {
    std::string bytes(kReadSize, '\0');
    ssize_t n = 0;
    do {
      co_await Readiness(*this);
      n = ::read(fd_, bytes.data(), bytes.size());
    } while (n < 0 && (errno == EINTR || errno == EAGAIN));
    if (n < 0) co_return ErrnoStatus(errno, name_);
    bytes.resize(static_cast<size_t>(n));
    co_return bytes;
  }

 private:
  class Readiness {
   public:
    explicit Readiness(File& file) : file_(file) {}
    ~Readiness() {
      if (!file_.event_) return;
      ::event_del(file_.event_.get());
      file_.waiter_.Cancel();
    }
    Readiness(const Readiness&) = delete;
    Readiness& operator=(const Readiness&) = delete;

    bool await_ready() const noexcept { return !file_.event_; }
    void await_suspend(std::coroutine_handle<> coroutine) {
      file_.waiter_.Wait(coroutine);
      ::event_add(file_.event_.get(), nullptr);
    }
    void await_resume() noexcept {}

   private:
    File& file_;
  };

  static void Ready(evutil_socket_t, short, void* file) {
    static_cast<File*>(file)->waiter_.Wake();
  }

  std::string name_;
  UniqueFd owned_;
  int fd_;
  Waiter waiter_;
  EventPtr event_;  // null: reads never wait
};

}  // namespace

bool IsStandardInput(const std::string& data) { return data == "-" || data == "@" || data == "@-"; }

Result<std::unique_ptr<Input>> OpenInput(EventLoop& loop, const std::string& data) {
  if (IsStandardInput(data)) {
    return std::unique_ptr<Input>(
        std::make_unique<File>(loop, "standard input", STDIN_FILENO, UniqueFd()));
  }
  if (!data.starts_with('@')) return std::unique_ptr<Input>(std::make_unique<Text>(data));
  const std::string path = data.substr(1);
  UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return ErrnoStatus(errno, path);
  const int fd = file.get();
  return std::unique_ptr<Input>(std::make_unique<File>(loop, path, fd, std::move(file)));
}

}  // namespace ttrpc::tool
