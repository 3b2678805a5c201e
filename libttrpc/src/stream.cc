// SPDX-License-Identifier: Apache-2.0
#include "ttrpc/stream.h"

#include "ttrpc/interceptor.h"

namespace ttrpc {

Status stream_internal::CannotParse(const google::protobuf::MessageLite& message) {
  return {StatusCode::kInternal,
          "ttrpc: error unmarshalling payload: not a " + message.GetTypeName()};
}

namespace {

class Failed final : public RawClientStream {
 public:
  explicit Failed(Status status) : status_(std::move(status)) {}

  Task<std::optional<std::string>> Receive() override { co_return std::nullopt; }
  Task<Status> Send(std::string) override { co_return status_; }
  const Status& status() const override { return status_; }
  void CloseSend() override {}
  Task<Result<std::string>> Finish() override { co_return status_; }

 private:
  const Status status_;
};

}  // namespace

std::unique_ptr<RawClientStream> FailedStream(Status status) {
  return std::make_unique<Failed>(std::move(status));
}

}  // namespace ttrpc
