// SPDX-License-Identifier: Apache-2.0
//
// The types of google.rpc that servers commonly put into the details of a status. ttrpc schemas do
// not import them, because no message refers to them. Names and numbers are taken from their
// documentation.
#pragma once

#include <google/protobuf/descriptor.h>

namespace ttrpc::tool {

// Valid until the program ends.
const google::protobuf::DescriptorPool& ErrorDetailTypes();

}  // namespace ttrpc::tool
