// SPDX-License-Identifier: Apache-2.0
//
// What `ttrpc list` and `ttrpc describe` print. No I/O; any thread.
#pragma once

#include <google/protobuf/descriptor.h>

#include <string>
#include <string_view>

#include "schema.h"
#include "ttrpc/status.h"

namespace ttrpc::tool {

// `unary`, `client streaming`, `server streaming` or `bidirectional streaming`.
std::string_view KindOf(const google::protobuf::MethodDescriptor& method);

// The services, a line for each.
std::string ListServices(const Schema& schema);
// The methods of one, a line for each: `package.Service/Method`, spaces, its kind.
Result<std::string> ListMethods(const Schema& schema, std::string_view service);

// Definitions as a .proto file has them, with the comments if the schema has any. `symbol`: a
// service, method, message, enum, enum value, field, oneof or extension; empty: all services.
// NOT_FOUND: there is none of that name.
Result<std::string> Describe(const Schema& schema, std::string_view symbol);

}  // namespace ttrpc::tool
