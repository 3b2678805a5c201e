// SPDX-License-Identifier: Apache-2.0
//
// One spdlog logger for the life of the process, with a queue and a thread, and one sink, whose
// output is what changes: with a reload, with SIGUSR1. Threads that are logging never see a logger
// go away.
#include "observe/log.h"

#include <spdlog/async_logger.h>
#include <spdlog/details/thread_pool.h>
#include <spdlog/sinks/sink.h>

#include <atomic>
#include <mutex>
#include <utility>

#include "observe/blocked_signals.h"
#include "observe/escape.h"
#include "observe/log_output.h"

namespace proxyd {
namespace {

constexpr size_t kQueueLines = 512;     // a quarter of a MiB, allocated at once
constexpr size_t kMessageLimit = 8192;  // bytes of one message; more is cut
constexpr std::chrono::seconds kSayLostEvery{1};
constexpr std::chrono::seconds kEndWithin{1};

std::string_view LevelName(spdlog::level::level_enum level) {
  switch (level) {
    case spdlog::level::trace:
      return "trace";
    case spdlog::level::debug:
      return "debug";
    case spdlog::level::info:
      return "info";
    case spdlog::level::warn:
      return "warn";
    default:
      return "error";
  }
}

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

LogLevel LevelOf(spdlog::level::level_enum level) {
  for (const LogLevel own :
       {LogLevel::kTrace, LogLevel::kDebug, LogLevel::kInfo, LogLevel::kWarn}) {
    if (SpdlogLevel(own) == level) return own;
  }
  return LogLevel::kError;
}

// Makes lines of messages, and counts those that were lost, here or in the queue. Called on the
// log's thread, WriteRaw() on the audit's: both may block, and wait for each other.
class LogSink final : public spdlog::sinks::sink {
 public:
  // Before the first line; `pool` must outlive all of them.
  void set_pool(spdlog::details::thread_pool* pool) { pool_ = pool; }
  WriteDeadline& deadline() { return deadline_; }

  void SetOutput(std::unique_ptr<LogOutput> output, LogFormat format);
  bool WriteRaw(std::string_view lines);
  // Any thread; done with the next line, or flush().
  void RequestReopen() { reopen_ = true; }

  void log(const spdlog::details::log_msg& message) override;
  void flush() override;
  // The format is the configuration's, not a pattern.
  void set_pattern(const std::string& /*pattern*/) override {}
  void set_formatter(std::unique_ptr<spdlog::formatter> /*formatter*/) override {}

 private:
  using Level = spdlog::level::level_enum;
  void WriteLine(spdlog::log_clock::time_point time, Level level, std::string_view message);
  void SayLost();
  void ReopenIfRequested();

  WriteDeadline deadline_;
  std::atomic<bool> reopen_ = false;
  spdlog::details::thread_pool* pool_ = nullptr;

  std::mutex mutex_;
  std::unique_ptr<LogOutput> output_;  // guarded by mutex_, as are all below
  LogFormat format_ = LogFormat::kText;
  std::string line_;
  uint64_t unwritten_ = 0;  // lines that the output did not take
  uint64_t lost_said_ = 0;
  std::chrono::steady_clock::time_point said_at_{};
};

void LogSink::SetOutput(std::unique_ptr<LogOutput> output, LogFormat format) {
  const std::lock_guard lock(mutex_);
  output_ = std::move(output);
  format_ = format;
}

bool LogSink::WriteRaw(std::string_view lines) {
  const std::lock_guard lock(mutex_);
  ReopenIfRequested();
  return output_->WriteRaw(lines);
}

void LogSink::log(const spdlog::details::log_msg& message) {
  const std::lock_guard lock(mutex_);
  ReopenIfRequested();
  WriteLine(message.time, message.level, {message.payload.data(), message.payload.size()});
  SayLost();
}

void LogSink::flush() {
  const std::lock_guard lock(mutex_);
  ReopenIfRequested();
}

void LogSink::WriteLine(spdlog::log_clock::time_point time, Level level, std::string_view message) {
  line_.clear();
  if (format_ == LogFormat::kJson) {
    line_.append("{\"time\":\"");
    AppendTime(time, &line_);
    line_.append("\",\"level\":\"").append(LevelName(level)).append("\",\"message\":");
    AppendJsonString(message, kMessageLimit, &line_);
    line_.push_back('}');
  } else {
    if (!output_->keeps_time_and_level()) {
      AppendTime(time, &line_);
      line_.append(" ").append(LevelName(level)).append(" ");
    }
    AppendPlainText(message, kMessageLimit, &line_);
  }
  line_.push_back('\n');
  if (!output_->Write(level, line_)) ++unwritten_;
}

// When the backlog is written, but at least each second while there always is one.
void LogSink::SayLost() {
  const uint64_t lost = pool_->overrun_counter() + unwritten_;
  if (lost == lost_said_) return;
  const auto now = std::chrono::steady_clock::now();
  if (pool_->queue_size() != 0 && now - said_at_ < kSayLostEvery) return;
  const uint64_t unwritten = unwritten_;
  WriteLine(spdlog::log_clock::now(), Level::warn,
            fmt::format("log: {} lines were lost", lost - lost_said_));
  said_at_ = now;
  if (unwritten_ == unwritten) {
    lost_said_ = lost;
  } else {
    unwritten_ = unwritten;  // this one is no loss: it is said again
  }
}

void LogSink::ReopenIfRequested() {
  if (!reopen_.exchange(false)) return;
  const ttrpc::Status status = output_->Reopen();
  // Not through the logger: this is its thread.
  if (!status.ok()) {
    WriteLine(spdlog::log_clock::now(), Level::err, "log: reopening failed: " + status.message());
  }
}

// What SetUpLog() made. Only the functions of log.h use it, which only the main thread calls.
struct Log {
  // The pool's thread uses the sink to its end, which is when the pool goes.
  std::shared_ptr<LogSink> sink;
  std::shared_ptr<spdlog::details::thread_pool> pool;
  std::shared_ptr<spdlog::async_logger> logger;
};

Log& TheLog() {
  static Log log;
  return log;
}

void Start(Log* log) {
  log->sink = std::make_shared<LogSink>();
  {
    const BlockedSignals blocked;
    log->pool = std::make_shared<spdlog::details::thread_pool>(kQueueLines, 1);
  }
  log->sink->set_pool(log->pool.get());
  log->logger = std::make_shared<spdlog::async_logger>(
      "ttrpc-proxyd", log->sink, log->pool, spdlog::async_overflow_policy::overrun_oldest);
}

class LogAuditTarget final : public AuditTarget {
 public:
  explicit LogAuditTarget(std::shared_ptr<LogSink> sink) : sink_(std::move(sink)) {}
  bool Write(std::string_view lines) override { return sink_->WriteRaw(lines); }

 private:
  std::shared_ptr<LogSink> sink_;
};

}  // namespace

ttrpc::Status SetUpLog(const LogConfig& config) {
  Log& log = TheLog();
  const bool first = log.logger == nullptr;
  if (first) Start(&log);
  ttrpc::Result<std::unique_ptr<LogOutput>> output = MakeLogOutput(config, log.sink->deadline());
  if (!output) {
    if (first) log = Log();
    return output.error();
  }
  log.sink->SetOutput(*std::move(output), config.format);
  log.logger->set_level(SpdlogLevel(config.level));
  if (first) spdlog::set_default_logger(log.logger);
  return {};
}

LogLevel LogLevelNow() { return LevelOf(TheLog().logger->level()); }

void SetLogLevelNow(LogLevel level) { TheLog().logger->set_level(SpdlogLevel(level)); }

void ReopenLog() {
  Log& log = TheLog();
  if (log.logger == nullptr) return;
  log.sink->RequestReopen();
  log.logger->flush();  // wakes the log's thread
}

void ShutDownLog() {
  Log& log = TheLog();
  if (log.logger == nullptr) return;
  log.sink->deadline().Set(std::chrono::steady_clock::now() + kEndWithin);
  // Whoever still logs gets a logger that goes nowhere, not a null pointer.
  spdlog::set_default_logger(std::make_shared<spdlog::logger>("ended"));
  log.logger.reset();
  log.pool.reset();  // joins the thread, after what is queued
  log = Log();
}

std::unique_ptr<AuditTarget> MakeLogAuditTarget() {
  return std::make_unique<LogAuditTarget>(TheLog().sink);
}

}  // namespace proxyd
