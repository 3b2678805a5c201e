// SPDX-License-Identifier: Apache-2.0
#include "observe/log_output.h"

#include <utility>

#ifdef HAVE_SYSTEMD
#include <sys/uio.h>
// The journal's functions are called with iovecs of our own: no source file or line is wanted.
#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>
#endif

namespace proxyd {
namespace {

using spdlog::level::level_enum;

class FileOutput final : public LogOutput {
 public:
  explicit FileOutput(LineFile file) : file_(std::move(file)) {}
  bool Write(level_enum /*level*/, std::string_view line) override { return WriteRaw(line); }
  bool WriteRaw(std::string_view lines) override { return file_.Append(lines) == 0; }
  ttrpc::Status Reopen() override { return file_.Reopen(); }

 private:
  LineFile file_;
};

#ifdef HAVE_SYSTEMD
class JournalOutput final : public LogOutput {
 public:
  bool keeps_time_and_level() const override { return true; }
  bool Write(level_enum level, std::string_view line) override;
  bool WriteRaw(std::string_view lines) override;

 private:
  bool WriteAudit(std::string_view line);

  std::string message_;
};

// syslog(3)'s.
std::string_view Priority(level_enum level) {
  switch (level) {
    case spdlog::level::trace:
    case spdlog::level::debug:
      return "PRIORITY=7";
    case spdlog::level::info:
      return "PRIORITY=6";
    case spdlog::level::warn:
      return "PRIORITY=4";
    default:
      return "PRIORITY=3";
  }
}

iovec Field(std::string_view text) {
  return {.iov_base = const_cast<char*>(text.data()), .iov_len = text.size()};  // only read
}

bool JournalOutput::Write(level_enum level, std::string_view line) {
  line.remove_suffix(1);  // an entry is a line by itself
  message_.assign("MESSAGE=").append(line);
  const iovec fields[] = {Field(message_), Field(Priority(level)),
                          Field("SYSLOG_IDENTIFIER=ttrpc-proxyd")};
  return sd_journal_sendv(fields, std::size(fields)) == 0;
}

bool JournalOutput::WriteRaw(std::string_view lines) {
  bool all = true;
  while (!lines.empty()) {
    const size_t end = lines.find('\n');  // each line has one
    all &= WriteAudit(lines.substr(0, end));
    lines.remove_prefix(end + 1);
  }
  return all;
}

// TTRPC_PROXY_UID=1000 for "uid":1000, and so on.
std::string JournalField(const std::string& key, const nlohmann::json& value) {
  std::string field = "TTRPC_PROXY_";
  for (const char c : key)
    field.push_back(c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c);
  return field.append("=").append(value.is_string() ? value.get<std::string>() : value.dump());
}

// The line is the message, and each of its values a field: to be asked for by journalctl(1).
bool JournalOutput::WriteAudit(std::string_view line) {
  const nlohmann::json object = nlohmann::json::parse(line, nullptr, false);
  message_.assign("MESSAGE=").append(line);
  std::vector<std::string> values;
  std::string_view priority = "PRIORITY=6";
  if (object.is_object()) {
    for (const auto& [key, value] : object.items()) values.push_back(JournalField(key, value));
    // What somebody was kept from is worth a second look, and no fault of the daemon's.
    const std::string event = object.value("event", "");
    if ((event == "deny" || event == "refuse") && object.value("enforced", true))
      priority = "PRIORITY=5";
  }
  std::vector<iovec> fields = {Field(message_), Field(priority),
                               Field("SYSLOG_IDENTIFIER=ttrpc-proxyd")};
  for (const std::string& value : values) fields.push_back(Field(value));
  return sd_journal_sendv(fields.data(), static_cast<int>(fields.size())) == 0;
}
#endif

ttrpc::Result<std::unique_ptr<LogOutput>> FromFile(ttrpc::Result<LineFile> file) {
  if (!file) return file.error();
  return std::unique_ptr<LogOutput>(std::make_unique<FileOutput>(*std::move(file)));
}

}  // namespace

ttrpc::Result<std::unique_ptr<LogOutput>> MakeLogOutput(const LogConfig& config,
                                                        const WriteDeadline& deadline) {
  switch (config.target) {
    case LogConfig::Target::kStderr:
      return FromFile(LineFile::Stderr(deadline));
    case LogConfig::Target::kFile:
      return FromFile(LineFile::Open(config.path, deadline));
    case LogConfig::Target::kJournal:
      break;
  }
#ifdef HAVE_SYSTEMD
  return std::unique_ptr<LogOutput>(std::make_unique<JournalOutput>());
#else
  return ttrpc::Status(ttrpc::StatusCode::kUnimplemented, "built without support for the journal");
#endif
}

}  // namespace proxyd
