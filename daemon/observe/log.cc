// SPDX-License-Identifier: Apache-2.0
//
// There is one spdlog logger for the life of the process, with one sink. The sink passes lines to a
// thread, and a reload or SIGUSR1 changes only the thread's output. A logging thread therefore
// never sees its logger disappear.
#include "observe/log.h"

#include <spdlog/sinks/sink.h>

#include <algorithm>
#include <atomic>
#include <utility>

#include "observe/log_line.h"
#include "observe/output_thread.h"

namespace proxyd {
namespace {

spdlog::level::level_enum SpdlogLevel(LogLevel level) {
  switch (level) {
    case LogLevel::kTrace:
      return spdlog::level::trace;
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarn:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

class LogSink final : public spdlog::sinks::sink {
 public:
  OutputThread& thread() { return thread_; }

  void log(const spdlog::details::log_msg& message) override {
    // One more character shows that the message was longer.
    constexpr size_t kCharacter = 4;
    const size_t size = std::min(message.payload.size(), kMessageLimit + kCharacter);
    thread_.Push({.time = message.time,
                  .level = message.level,
                  .message = std::string(message.payload.data(), size)});
  }
  void flush() override {}
  // The format comes from the configuration, not from a pattern.
  void set_pattern(const std::string& /*pattern*/) override {}
  void set_formatter(std::unique_ptr<spdlog::formatter> /*formatter*/) override {}

 private:
  OutputThread thread_;
};

// The result of SetUpLog(). Only the functions of log.h use it, on the main thread.
struct Log {
  std::shared_ptr<LogSink> sink;
  std::shared_ptr<spdlog::logger> logger;
};

Log& TheLog() {
  static Log log;
  return log;
}

class LogAuditTarget final : public AuditTarget {
 public:
  explicit LogAuditTarget(std::shared_ptr<LogSink> sink) : sink_(std::move(sink)) {}
  bool Write(std::string_view records) override {
    const WriteResult result = sink_->thread().Write(records, given_up_);
    kept_ = result.kept;
    return result.error == 0;
  }
  size_t kept() const override { return kept_; }
  void GiveUp() override {
    given_up_ = true;
    sink_->thread().GiveUp();
  }

 private:
  std::shared_ptr<LogSink> sink_;
  std::atomic<bool> given_up_ = false;
  size_t kept_ = 0;
};

}  // namespace

ttrpc::Result<std::unique_ptr<LogOutput>> PrepareLog(const LogConfig& config) {
  if (ttrpc::Status status = OutputThread::CheckReplaceable(); !status.ok()) return status;
  return MakeLogOutput(config);
}

void SetUpLog(const LogConfig& config, std::unique_ptr<LogOutput> output) {
  Log& log = TheLog();
  const bool first = log.logger == nullptr;
  if (first) {
    log.sink = std::make_shared<LogSink>();
    log.logger = std::make_shared<spdlog::logger>("ttrpc-proxyd", log.sink);
  }
  log.sink->thread().SetFormat(config.format);
  if (output) log.sink->thread().Replace(std::move(output));
  log.logger->set_level(SpdlogLevel(config.level));
  if (first) spdlog::set_default_logger(log.logger);
}

ttrpc::Status SetUpLog(const LogConfig& config) {
  auto output = PrepareLog(config);
  if (!output) return output.error();
  SetUpLog(config, *std::move(output));
  return {};
}

void LogWithoutTarget(LogFormat format, std::string message) {
  // The default target is standard error.
  const OutputResult output = MakeLogOutput(LogConfig());
  if (!output) return;
  std::string line;
  AppendLogLine({.time = spdlog::log_clock::now(),
                 .level = spdlog::level::err,
                 .message = std::move(message)},
                format, (*output)->keeps_time_and_level(), &line);
  static_cast<void>((*output)->Write(spdlog::level::err, line));
}

LogLevel LogLevelNow() { return LevelOf(TheLog().logger->level()); }

void SetLogLevelNow(LogLevel level) { TheLog().logger->set_level(SpdlogLevel(level)); }

void ReopenLog() {
  const Log& log = TheLog();
  if (log.logger != nullptr) log.sink->thread().Reopen();
}

void ShutDownLog(std::chrono::steady_clock::time_point deadline) {
  Log& log = TheLog();
  if (log.logger == nullptr) return;
  // Threads that still log get a logger without a sink, and not a null pointer.
  spdlog::set_default_logger(std::make_shared<spdlog::logger>("ended"));
  log.sink->thread().Stop(deadline);
  log = Log();
}

std::unique_ptr<AuditTarget> MakeLogAuditTarget() {
  return std::make_unique<LogAuditTarget>(TheLog().sink);
}

ttrpc::Result<std::unique_ptr<AuditTarget>> MakeAuditTarget(const AuditConfig& config) {
  if (config.target == AuditConfig::Target::kFile) return MakeFileAuditTarget(config.path);
  return MakeLogAuditTarget();
}

}  // namespace proxyd
