// SPDX-License-Identifier: Apache-2.0
#include "ttrpc/stream.h"

#include "ttrpc/interceptor.h"
#include "ttrpc/wire/codec.h"

namespace ttrpc {

namespace stream_internal {

using google::protobuf::MessageLite;

Status CannotParse(const MessageLite& message) {
  return {StatusCode::kInternal,
          "ttrpc: error unmarshalling payload: not a " + message.GetTypeName()};
}

// The fields are not listed, although protobuf's own functions log such a list: with a recursive
// message type it is much longer than the bytes that a peer has sent.
Status ParseInto(std::string_view bytes, MessageLite& message) {
  if (!message.ParsePartialFromArray(bytes.data(), static_cast<int>(bytes.size())))
    return CannotParse(message);
  if (message.IsInitialized()) return {};
  return {StatusCode::kInternal, "ttrpc: error unmarshalling payload: " + message.GetTypeName() +
                                     " lacks required fields"};
}

Status CheckFields(const MessageLite& message, std::string_view what) {
  if (message.IsInitialized()) return {};
  return {StatusCode::kInternal,
          std::string(what) + " lacks required fields: " + message.InitializationErrorString()};
}

Result<std::string> Encode(const MessageLite& message, std::string_view what) {
  if (Status status = CheckFields(message, what); !status.ok()) return status;
  std::string bytes;
  // Protobuf cannot encode more than 2 GiB.
  if (!message.AppendPartialToString(&bytes))
    return MessageTooLong(message.ByteSizeLong(), kMaxMessageSize);
  return bytes;
}

Task<Status> Send(RawStream& stream, const MessageLite& message, std::string_view what) {
  Result<std::string> bytes = Encode(message, what);
  return bytes ? stream.Send(std::move(*bytes)) : Ended<Status>(bytes.error());
}

}  // namespace stream_internal

namespace {

class Failed final : public RawClientStream {
 public:
  explicit Failed(Status status)
      : status_(status.ok() ? status_internal::OkIsNoError() : std::move(status)) {}

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
