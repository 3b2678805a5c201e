// SPDX-License-Identifier: Apache-2.0
#include "control/config_reader.h"

#include <event2/event.h>
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <system_error>
#include <thread>
#include <utility>

#include "observe/blocked_signals.h"

namespace proxyd {

namespace {

// The thread's own: whoever began it may be gone when it ends.
void ReadAndSend(const std::string& path, const ttrpc::UniqueFd& result) {
  auto loaded = std::make_unique<LoadedConfig>(LoadConfig(path, SystemNameResolver()));
  void* const pointer = loaded.get();
  ssize_t written = 0;
  do {
    written = ::write(result.get(), &pointer, sizeof pointer);
  } while (written < 0 && errno == EINTR);
  if (written == sizeof pointer) static_cast<void>(loaded.release());  // the receiver's now
}

LoadedConfig Failed(const std::string& path, int error_number) {
  LoadedConfig failed;
  failed.errors.push_back(
      {.position = {.file = path},
       .message = "cannot be read: " + std::generic_category().message(error_number)});
  return failed;
}

}  // namespace

ConfigReader::ConfigReader(event_base* base, std::string path, DoneFunction done)
    : base_(base), path_(std::move(path)), done_(std::move(done)) {}

ConfigReader::~ConfigReader() = default;

void ConfigReader::Read() {
  if (result_) {
    again_ = true;
  } else {
    Start();
  }
}

void ConfigReader::Start() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return End(Failed(path_, errno));
  result_.reset(ends[0]);
  ttrpc::UniqueFd thread_end(ends[1]);
  event_.reset(event_new(
      base_, result_.get(), EV_READ,
      [](evutil_socket_t, short, void* self) { static_cast<ConfigReader*>(self)->Receive(); },
      this));
  if (event_add(event_.get(), nullptr) != 0) return End(Failed(path_, ENOMEM));
  const BlockedSignals blocked;
  try {
    std::thread([path = path_, end = std::move(thread_end)] { ReadAndSend(path, end); }).detach();
  } catch (const std::system_error& error) {
    End(Failed(path_, error.code().value()));
  }
}

void ConfigReader::Receive() {
  void* pointer = nullptr;
  if (::read(result_.get(), &pointer, sizeof pointer) != sizeof pointer)
    return End(Failed(path_, EIO));
  const std::unique_ptr<LoadedConfig> loaded(static_cast<LoadedConfig*>(pointer));
  End(std::move(*loaded));
}

void ConfigReader::End(LoadedConfig loaded) {
  event_.reset();
  result_.reset();
  // Whoever asked meanwhile wants what stands there now.
  if (std::exchange(again_, false)) return Start();
  done_(std::move(loaded));
}

}  // namespace proxyd
