// SPDX-License-Identifier: Apache-2.0
#include "observe/log_output.h"

#include <spdlog/spdlog.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "observe/journal.h"

namespace proxyd {
namespace {

using spdlog::level::level_enum;

class FileOutput final : public LogOutput {
 public:
  // How a file that cannot be opened again is reported.
  using Report = void (*)(const std::string& why);

  FileOutput(std::unique_ptr<WriteDeadline> deadline, LineFile file, Report report)
      : LogOutput(std::move(deadline)), file_(std::move(file)), report_(report) {}
  int Write(level_enum /*level*/, std::string_view line) override { return file_.Append(line); }
  WriteResult WriteRaw(std::string_view lines) override {
    WriteResult result;
    result.error = file_.Append(lines, &result.kept);
    return result;
  }
  void Reopen() override {
    if (const ttrpc::Status status = file_.Reopen(); !status.ok()) report_(status.message());
  }

 private:
  LineFile file_;
  const Report report_;
};

class JournalOutput final : public LogOutput {
 public:
  JournalOutput(std::unique_ptr<WriteDeadline> deadline, Journal journal)
      : LogOutput(std::move(deadline)), journal_(std::move(journal)) {}
  bool keeps_time_and_level() const override { return true; }
  int Write(level_enum level, std::string_view line) override;
  WriteResult WriteRaw(std::string_view lines) override;

 private:
  int WriteAudit(std::string_view line);
  void Begin(std::string_view message, std::string_view priority);

  Journal journal_;
  std::string entry_;
};

// syslog(3)'s.
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

void JournalOutput::Begin(std::string_view message, std::string_view priority) {
  entry_.clear();
  AppendJournalField("MESSAGE", message, &entry_);
  AppendJournalField("PRIORITY", priority, &entry_);
  AppendJournalField("SYSLOG_IDENTIFIER", "ttrpc-proxyd", &entry_);
}

int JournalOutput::Write(level_enum level, std::string_view line) {
  line.remove_suffix(1);  // an entry is a line by itself
  Begin(line, Priority(level));
  return journal_.Send(entry_);
}

WriteResult JournalOutput::WriteRaw(std::string_view lines) {
  WriteResult result;
  while (result.kept < lines.size()) {
    const std::string_view left = lines.substr(result.kept);
    const size_t end = left.find('\n');  // each line has one
    result.error = WriteAudit(left.substr(0, end));
    if (result.error != 0) break;
    result.kept += end + 1;
  }
  return result;
}

// TTRPC_PROXY_UID for "uid", and so on.
std::string JournalKey(const std::string& key) {
  std::string name = "TTRPC_PROXY_";
  for (const char c : key)
    name.push_back(c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c);
  return name;
}

// The line is the message, and each of its values a field: to be asked for by journalctl(1).
int JournalOutput::WriteAudit(std::string_view line) {
  const nlohmann::json object = nlohmann::json::parse(line, nullptr, false);
  // What somebody was kept from is worth a second look, and no fault of the daemon's.
  const std::string event = object.is_object() ? object.value("event", "") : "";
  const bool notice = (event == "deny" || event == "refuse") && object.value("enforced", true);
  Begin(line, notice ? "5" : "6");
  if (object.is_object()) {
    for (const auto& [key, value] : object.items()) {
      AppendJournalField(JournalKey(key),
                         value.is_string() ? value.get<std::string>() : value.dump(), &entry_);
    }
  }
  return journal_.Send(entry_);
}

void ReportLog(const std::string& why) { spdlog::error("log: reopening failed: {}", why); }

void ReportAudit(const std::string& why) {
  spdlog::error("audit: {}; the old file stays in use", why);
}

OutputResult FromFile(std::unique_ptr<WriteDeadline> deadline, ttrpc::Result<LineFile> file,
                      FileOutput::Report report) {
  if (!file) return file.error();
  return std::unique_ptr<LogOutput>(
      std::make_unique<FileOutput>(std::move(deadline), *std::move(file), report));
}

}  // namespace

OutputResult MakeLogOutput(const LogConfig& config) {
  auto deadline = std::make_unique<WriteDeadline>();
  const WriteDeadline& borrowed = *deadline;
  switch (config.target) {
    case LogConfig::Target::kStderr:
      return FromFile(std::move(deadline), LineFile::Stderr(borrowed), ReportLog);
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
