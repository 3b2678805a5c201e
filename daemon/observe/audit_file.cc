// SPDX-License-Identifier: Apache-2.0
//
// The audit's file. What goes wrong with it is said in the log, once until it goes well again.
#include <spdlog/spdlog.h>

#include <string>
#include <system_error>
#include <utility>

#include "observe/line_file.h"
#include "observe/log.h"

namespace proxyd {
namespace {

class FileAuditTarget final : public AuditTarget {
 public:
  explicit FileAuditTarget(std::unique_ptr<WriteDeadline> deadline, LineFile file)
      : deadline_(std::move(deadline)), file_(std::move(file)) {}

  bool Write(std::string_view lines) override {
    const int error = file_.Append(lines);
    if (error == 0) {
      if (std::exchange(said_, 0) != 0) spdlog::info("audit: {} is written again", file_.path());
      return true;
    }
    if (std::exchange(said_, error) != error) {
      spdlog::error("audit: cannot write {}: {}", file_.path(),
                    std::generic_category().message(error));
    }
    return false;
  }

  void Reopen() override {
    if (const ttrpc::Status status = file_.Reopen(); !status.ok()) {
      spdlog::error("audit: {}; the old file stays in use", status.message());
    }
  }

 private:
  std::unique_ptr<WriteDeadline> deadline_;  // never set: ~Audit() does not wait for us for ever
  LineFile file_;
  int said_ = 0;  // the errno that the log has
};

}  // namespace

ttrpc::Result<std::unique_ptr<AuditTarget>> MakeFileAuditTarget(const std::string& path) {
  auto deadline = std::make_unique<WriteDeadline>();
  ttrpc::Result<LineFile> file = LineFile::Open(path, *deadline);
  if (!file) return file.error();
  return std::unique_ptr<AuditTarget>(
      std::make_unique<FileAuditTarget>(std::move(deadline), *std::move(file)));
}

}  // namespace proxyd
