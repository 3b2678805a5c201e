// SPDX-License-Identifier: Apache-2.0
//
// The audit's file. A failure is logged once, until writing succeeds again.
#include <spdlog/spdlog.h>

#include <atomic>
#include <cerrno>
#include <string>
#include <system_error>
#include <utility>

#include "observe/log.h"
#include "observe/output_thread.h"

namespace proxyd {
namespace {

class FileAuditTarget final : public AuditTarget {
 public:
  FileAuditTarget(std::string path, std::unique_ptr<LogOutput> output) : path_(std::move(path)) {
    thread_.Replace(std::move(output));
  }
  ~FileAuditTarget() override { thread_.Stop(OutputThread::Clock::now()); }

  bool Write(std::string_view records) override {
    const WriteResult result = thread_.Write(records, given_up_);
    kept_ = result.kept;
    if (result.error == 0) {
      if (std::exchange(said_, 0) != 0) spdlog::info("audit: writing {} again", path_);
      return true;
    }
    // ECANCELED means that GiveUp() was called.
    if (result.error != ECANCELED && result.error != ETIMEDOUT &&
        std::exchange(said_, result.error) != result.error) {
      spdlog::error("audit: cannot write {}: {}", path_,
                    std::generic_category().message(result.error));
    }
    return false;
  }
  size_t kept() const override { return kept_; }
  void Reopen() override { thread_.Reopen(); }
  void GiveUp() override {
    given_up_ = true;
    thread_.GiveUp();
  }

 private:
  const std::string path_;
  OutputThread thread_;
  std::atomic<bool> given_up_ = false;
  size_t kept_ = 0;
  int said_ = 0;  // the errno that was logged last
};

}  // namespace

ttrpc::Result<std::unique_ptr<AuditTarget>> MakeFileAuditTarget(const std::string& path) {
  if (ttrpc::Status status = OutputThread::CheckReplaceable(); !status.ok()) return status;
  auto output = MakeAuditFileOutput(path);
  if (!output) return output.error();
  return std::unique_ptr<AuditTarget>(std::make_unique<FileAuditTarget>(path, *std::move(output)));
}

}  // namespace proxyd
