// SPDX-License-Identifier: Apache-2.0
//
// The output of `ttrpc list` and `ttrpc describe`. No I/O; any thread.
#pragma once

#include <google/protobuf/descriptor.h>

#include <string>
#include <string_view>

#include "schema.h"
#include "ttrpc/status.h"

namespace ttrpc::tool {

// Returns `unary`, `client streaming`, `server streaming` or `bidirectional streaming`.
std::string_view KindOf(const google::protobuf::MethodDescriptor& method);

// Returns the names of all services, one per line.
std::string ListServices(const Schema& schema);
// Returns the methods of a service, one per line: `package.Service/Method`, spaces, its kind.
// Returns NOT_FOUND if there is no such service.
Result<std::string> ListMethods(const Schema& schema, std::string_view service);

// Returns definitions in .proto syntax, with comments if the schema has any. `symbol` names a
// service, method, message, enum, enum value, field, oneof or extension; an empty symbol stands for
// all services. Returns NOT_FOUND if nothing has that name.
Result<std::string> Describe(const Schema& schema, std::string_view symbol);

}  // namespace ttrpc::tool
