// SPDX-License-Identifier: Apache-2.0
#include "ctl/admin_types.h"

#include <google/protobuf/descriptor.pb.h>

namespace proxyd::ctl {
namespace {

// A FileDescriptorSet that protoc made of admin.proto.
constexpr unsigned char kDescriptors[] = {
#include "ctl/admin_descriptors.inc"
};

}  // namespace

const google::protobuf::DescriptorPool& AdminTypes() {
  static const auto* const pool = [] {
    google::protobuf::FileDescriptorSet set;
    auto* made = new google::protobuf::DescriptorPool;
    // Cannot fail: both are built from the same file.
    static_cast<void>(set.ParseFromArray(kDescriptors, sizeof kDescriptors));
    for (const auto& file : set.file()) made->BuildFile(file);
    return made;
  }();
  return *pool;
}

}  // namespace proxyd::ctl
