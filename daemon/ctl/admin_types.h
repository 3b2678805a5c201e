// SPDX-License-Identifier: Apache-2.0
//
// The descriptors of the admin service. Its generated messages are those of the daemon, which links
// protobuf-lite, and know nothing of themselves but their name. One thread.
#pragma once

#include <google/protobuf/descriptor.h>

namespace proxyd::ctl {

// Lives as long as the program.
const google::protobuf::DescriptorPool& AdminTypes();

}  // namespace proxyd::ctl
