// SPDX-License-Identifier: Apache-2.0
//
// The types that servers commonly put into a status' details: google.rpc's, which no ttrpc schema
// imports, since nothing in it mentions them. Names and numbers alone, from their documentation.
#pragma once

#include <google/protobuf/descriptor.h>

namespace ttrpc::tool {

// Lives as long as the program.
const google::protobuf::DescriptorPool& ErrorDetailTypes();

}  // namespace ttrpc::tool
