// SPDX-License-Identifier: Apache-2.0
//
// Descriptors of the admin service, for printing messages as JSON. The generated messages are lite
// ones, since the daemon links protobuf-lite, and have no reflection of their own. Only one thread
// may use them.
#pragma once

#include <google/protobuf/descriptor.h>

namespace proxyd::ctl {

// The pool is never destroyed.
const google::protobuf::DescriptorPool& AdminTypes();

}  // namespace proxyd::ctl
