// SPDX-License-Identifier: Apache-2.0
//
// The command line. man/ttrpc.1 describes it, and a test compares the two.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "json_codec.h"
#include "method_name.h"
#include "schema.h"
#include "ttrpc/address.h"
#include "ttrpc/message_size.h"

namespace ttrpc::tool {

struct Options {
  enum class Command { kCall, kList, kDescribe };

  Command command = Command::kCall;
  SchemaSources schema;
  std::string symbol;  // for list and describe; may be empty

  // Only `call` uses these.
  std::optional<Address> address;  // always set
  MethodName method;
  std::optional<std::string> data;  // the argument of -d
  bool raw = false;
  bool raw_client_streams = false;
  bool raw_server_streams = false;
  std::vector<std::pair<std::string, std::string>> metadata;
  std::optional<std::chrono::nanoseconds> timeout;
  std::chrono::nanoseconds connect_timeout = std::chrono::seconds(10);
  uint32_t message_size = kDefaultMessageSize;
  bool status_as_json = false;
  bool allow_unknown_fields = false;  // in the request
  JsonStyle style;
};

// Returns 64 if the command line is wrong, 0 if help or the version was printed, and none if the
// program should continue with `options`.
std::optional<int> ParseCommandLine(int argc, const char* const* argv, Options* options);

}  // namespace ttrpc::tool
