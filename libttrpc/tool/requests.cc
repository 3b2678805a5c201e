// SPDX-License-Identifier: Apache-2.0
#include "requests.h"

#include <utility>

namespace ttrpc::tool {

Task<Result<std::optional<std::string>>> Requests::Next() {
  const auto wrong = [this](const Status& what) {
    return Status(StatusCode::kInvalidArgument,
                  "message " + std::to_string(count_ + 1) + ": " + what.message());
  };
  while (true) {
    Result<std::optional<std::string>> message = splitter_->Next();
    if (!message) co_return wrong(message.error());
    if (*message) {
      Result<std::string> bytes = encode_(std::move(**message));
      if (!bytes) co_return wrong(bytes.error());
      ++count_;
      co_return std::optional<std::string>(std::move(*bytes));
    }
    if (!input_) co_return std::optional<std::string>();
    Result<std::string> bytes = co_await input_->Read();
    if (!bytes) co_return bytes.error();
    if (bytes->empty()) {
      splitter_->End();
      input_.reset();
    } else {
      splitter_->Add(*bytes);
    }
  }
}

Task<Result<std::string>> Requests::Only() {
  Result<std::optional<std::string>> first = co_await Next();
  if (!first) co_return first.error();
  if (!*first) co_return std::string();
  const Result<std::optional<std::string>> second = co_await Next();
  if (!second) co_return second.error();
  if (*second) {
    co_return Status(StatusCode::kInvalidArgument,
                     "the input has several messages; this method takes one");
  }
  co_return std::move(**first);
}

}  // namespace ttrpc::tool
