// SPDX-License-Identifier: Apache-2.0
#include "observe/log_output.h"

#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "observe/audit_line.h"
#include "observe/journal.h"
#include "text/escape.h"
#include "text/numbers.h"

namespace proxyd {
namespace {

using spdlog::level::level_enum;

// Returns the priority as in syslog(3).
std::string_view Priority(level_enum level) {
  switch (level) {
    case spdlog::level::trace:
    case spdlog::level::debug:
      return "7";
    case spdlog::level::info:
      return "6";
    case spdlog::level::warn:
      return "4";
    default:
      return "3";
  }
}

// A refusal deserves notice, but is not a fault of the daemon.
std::string_view Priority(const AuditRecord& record) {
  const bool refusal = record.event == AuditEvent::kDeny || record.event == AuditEvent::kRefuse;
  return refusal && record.enforced.value_or(true) ? "5" : "6";
}

// Appends the prefix of sd-daemon(3), which the reader of the stream removes from the line.
void AppendPrefix(std::string_view priority, std::string* line) {
  line->append("<").append(priority).append(">");
}

enum class Prefix { kNone, kPriority };

class FileOutput final : public LogOutput {
 public:
  // Logs why a file cannot be opened again.
  using Report = void (*)(const std::string& why);

  FileOutput(std::unique_ptr<WriteDeadline> deadline, LineFile file, Report report, Prefix prefix)
      : LogOutput(std::move(deadline)), file_(std::move(file)), report_(report), prefix_(prefix) {}
  bool keeps_time_and_level() const override { return prefix_ == Prefix::kPriority; }
  int Write(level_enum level, std::string_view line) override;
  WriteResult WriteRaw(std::string_view records) override;
  void Reopen() override {
    if (const ttrpc::Status status = file_.Reopen(); !status.ok()) report_(status.message());
  }

 private:
  LineFile file_;
  const Report report_;
  const Prefix prefix_;
  std::string line_;
};

int FileOutput::Write(level_enum level, std::string_view line) {
  if (prefix_ == Prefix::kNone) return file_.Append(line);
  line_.clear();
  AppendPrefix(Priority(level), &line_);
  line_.append(line);
  return file_.Append(line_);
}

// Takes records off the front until their lines are this long, so that a large batch is not in
// memory twice.
constexpr size_t kLinesAtOnce = size_t{256} << 10U;

std::string TakeLines(Prefix prefix, std::string_view* records) {
  std::string lines;
  while (!records->empty() && lines.size() < kLinesAtOnce) {
    const UnpackedRecord unpacked = UnpackAuditRecord(records);
    if (prefix == Prefix::kPriority) AppendPrefix(Priority(unpacked.record), &lines);
    AppendAuditLine(unpacked.record, unpacked.time, &lines);
  }
  return lines;
}

WriteResult FileOutput::WriteRaw(std::string_view records) {
  WriteResult result;
  while (!records.empty()) {
    std::string_view rest = records;
    const std::string lines = TakeLines(prefix_, &rest);
    size_t kept = 0;
    result.error = file_.Append(lines, &kept);
    if (result.error != 0) {
      const auto whole =
          std::count(lines.begin(), lines.begin() + static_cast<ptrdiff_t>(kept), '\n');
      result.kept += SizeOfAuditRecords(records, static_cast<size_t>(whole));
      return result;
    }
    result.kept += records.size() - rest.size();
    records = rest;
  }
  return result;
}

class JournalOutput final : public LogOutput {
 public:
  JournalOutput(std::unique_ptr<WriteDeadline> deadline, Journal journal)
      : LogOutput(std::move(deadline)), journal_(std::move(journal)) {}
  bool keeps_time_and_level() const override { return true; }
  int Write(level_enum level, std::string_view line) override;
  WriteResult WriteRaw(std::string_view records) override;

 private:
  int WriteAudit(const UnpackedRecord& unpacked);
  void Begin(std::string_view message, std::string_view priority);

  Journal journal_;
  std::string entry_;
  std::string line_;
};

void JournalOutput::Begin(std::string_view message, std::string_view priority) {
  entry_.clear();
  AppendJournalField("MESSAGE", message, &entry_);
  AppendJournalField("PRIORITY", priority, &entry_);
  AppendJournalField("SYSLOG_IDENTIFIER", "ttrpc-proxyd", &entry_);
}

int JournalOutput::Write(level_enum level, std::string_view line) {
  line.remove_suffix(1);  // an entry has no newline
  Begin(line, Priority(level));
  return journal_.Send(entry_);
}

WriteResult JournalOutput::WriteRaw(std::string_view records) {
  WriteResult result;
  const size_t size = records.size();
  while (!records.empty()) {
    result.error = WriteAudit(UnpackAuditRecord(&records));
    if (result.error != 0) break;
    result.kept = size - records.size();
  }
  return result;
}

// Appends the fields of a record to an entry: TTRPC_PROXY_UID for "uid", and so on.
class JournalFields {
 public:
  explicit JournalFields(std::string* entry) : entry_(entry) {}

  void Text(std::string_view key, std::string_view value) {
    value_.clear();
    text::AppendUtf8(value, kAuditValueLimit, &value_);
    Append(key);
  }
  void Number(std::string_view key, uint64_t value) {
    value_.clear();
    text::AppendNumber(value, &value_);
    Append(key);
  }
  void Flag(std::string_view key, bool value) {
    value_ = value ? "true" : "false";
    Append(key);
  }
  void Time(std::chrono::system_clock::time_point time) {
    value_.clear();
    text::AppendTime(time, &value_);
    Append("time");
  }

 private:
  void Append(std::string_view key) {
    std::string name = "TTRPC_PROXY_";
    for (const char c : key)
      name.push_back(c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c);
    AppendJournalField(name, value_, entry_);
  }

  std::string* entry_;
  std::string value_;
};

// The line is the message, and each of its values is also a field, for searches with journalctl(1).
int JournalOutput::WriteAudit(const UnpackedRecord& unpacked) {
  const AuditRecord& record = unpacked.record;
  line_.clear();
  AppendAuditLine(record, unpacked.time, &line_);
  line_.pop_back();  // an entry has no newline
  Begin(line_, Priority(record));
  JournalFields fields(&entry_);
  fields.Time(unpacked.time);
  VisitAuditFields(record, fields);
  return journal_.Send(entry_);
}

void ReportLog(const std::string& why) { spdlog::error("log: {}; the old file stays in use", why); }

void ReportAudit(const std::string& why) {
  spdlog::error("audit: {}; the old file stays in use", why);
}

OutputResult FromFile(std::unique_ptr<WriteDeadline> deadline, ttrpc::Result<LineFile> file,
                      FileOutput::Report report, Prefix prefix = Prefix::kNone) {
  if (!file) return file.error();
  return std::unique_ptr<LogOutput>(
      std::make_unique<FileOutput>(std::move(deadline), *std::move(file), report, prefix));
}

// Returns whether the service manager has connected standard error to the journal. The journal
// stores the time of each line, and takes its priority from a prefix: see JOURNAL_STREAM in
// systemd.exec(5).
Prefix PrefixOfStderr() {
  const char* stream = std::getenv("JOURNAL_STREAM");  // NOLINT(concurrency-mt-unsafe)
  struct stat info {};
  if (stream == nullptr || ::fstat(STDERR_FILENO, &info) != 0) return Prefix::kNone;
  const std::string own = std::to_string(info.st_dev) + ":" + std::to_string(info.st_ino);
  return own == stream ? Prefix::kPriority : Prefix::kNone;
}

}  // namespace

OutputResult MakeLogOutput(const LogConfig& config) {
  auto deadline = std::make_unique<WriteDeadline>();
  const WriteDeadline& borrowed = *deadline;
  switch (config.target) {
    case LogConfig::Target::kStderr:
      return FromFile(std::move(deadline), LineFile::Stderr(borrowed), ReportLog, PrefixOfStderr());
    case LogConfig::Target::kFile:
      return FromFile(std::move(deadline), LineFile::Open(config.path, borrowed), ReportLog);
    case LogConfig::Target::kJournal:
      break;
  }
  ttrpc::Result<Journal> journal = Journal::Open(borrowed);
  if (!journal) return journal.error();
  return std::unique_ptr<LogOutput>(
      std::make_unique<JournalOutput>(std::move(deadline), *std::move(journal)));
}

OutputResult MakeAuditFileOutput(const std::string& path) {
  auto deadline = std::make_unique<WriteDeadline>();
  const WriteDeadline& borrowed = *deadline;
  return FromFile(std::move(deadline), LineFile::Open(path, borrowed), ReportAudit);
}

}  // namespace proxyd
