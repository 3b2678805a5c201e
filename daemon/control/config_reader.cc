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
void ReadAndSend(const std::string& path, const ttrpc::UniqueFd& results) {
  auto loaded = std::make_unique<LoadedConfig>(LoadConfig(path, SystemNameResolver()));
  LoadedConfig* const pointer = loaded.get();
  ssize_t written = 0;
  do {
    written = ::write(results.get(), &pointer, sizeof pointer);
  } while (written < 0 && errno == EINTR);
  if (written == sizeof pointer) static_cast<void>(loaded.release());  // the receiver's now
}

}  // namespace

ConfigReader::ConfigReader(std::string path, DoneFunction done)
    : path_(std::move(path)), done_(std::move(done)) {}

ConfigReader::~ConfigReader() = default;

ttrpc::Result<std::unique_ptr<ConfigReader>> ConfigReader::Create(event_base* base,
                                                                  std::string path,
                                                                  DoneFunction done) {
  std::unique_ptr<ConfigReader> reader(new ConfigReader(std::move(path), std::move(done)));
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return ttrpc::ErrnoStatus(errno, "pipe");
  reader->results_.reset(ends[0]);
  reader->results_in_.reset(ends[1]);
  reader->event_.reset(event_new(
      base, reader->results_.get(), EV_READ | EV_PERSIST,
      [](evutil_socket_t, short, void* self) { static_cast<ConfigReader*>(self)->Receive(); },
      reader.get()));
  event_add(reader->event_.get(), nullptr);
  return reader;
}

void ConfigReader::Read() {
  if (reading_) {
    again_ = true;
  } else {
    Start();
  }
}

LoadedConfig ConfigReader::Failed(int error_number) const {
  LoadedConfig failed;
  failed.errors.push_back(
      {.position = {.file = path_},
       .message = "cannot be read: " + std::generic_category().message(error_number)});
  return failed;
}

void ConfigReader::Start() {
  ttrpc::UniqueFd results(::fcntl(results_in_.get(), F_DUPFD_CLOEXEC, 0));
  if (!results) return done_(Failed(errno));
  const BlockedSignals blocked;
  try {
    std::thread([path = path_, results = std::move(results)] {
      ReadAndSend(path, results);
    }).detach();
    reading_ = true;
  } catch (const std::system_error& error) {
    return done_(Failed(error.code().value()));
  }
}

void ConfigReader::Receive() {
  LoadedConfig* pointer = nullptr;
  if (::read(results_.get(), &pointer, sizeof pointer) != sizeof pointer) return;
  const std::unique_ptr<LoadedConfig> loaded(pointer);
  reading_ = false;
  if (std::exchange(again_, false)) return Start();
  done_(std::move(*loaded));
}

}  // namespace proxyd
