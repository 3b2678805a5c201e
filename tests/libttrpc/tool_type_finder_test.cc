// SPDX-License-Identifier: Apache-2.0
#include <google/protobuf/descriptor.pb.h>
#include <gtest/gtest.h>

#include <string>

#include "type_finder.h"

namespace ttrpc::tool {
namespace {

TEST(TypeFinderTest, ANameThatIsTooLongIsUnknown) {
  const std::string longest(512, 'x');
  google::protobuf::FileDescriptorProto file;
  file.set_name("long.proto");
  file.add_message_type()->set_name(longest);
  file.add_message_type()->set_name(longest + "x");
  google::protobuf::DescriptorPool pool;
  ASSERT_NE(pool.BuildFile(file), nullptr);
  const TypeFinder types(&pool);
  EXPECT_NE(types.FindByUrl(longest), nullptr);
  EXPECT_NE(types.FindByUrl(std::string(1000, 'a') + "/" + longest), nullptr);
  EXPECT_EQ(types.FindByUrl("a/" + longest + "x"), nullptr);
}

}  // namespace
}  // namespace ttrpc::tool
