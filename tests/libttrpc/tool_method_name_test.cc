// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "method_name.h"

namespace ttrpc::tool {
namespace {

TEST(ParseMethodNameTest, ReadsAllThreeForms) {
  for (const char* text : {"a.b.Svc/Do", "/a.b.Svc/Do", "a.b.Svc.Do"}) {
    const Result<MethodName> name = ParseMethodName(text);
    ASSERT_TRUE(name) << text;
    EXPECT_EQ(name->service, "a.b.Svc");
    EXPECT_EQ(name->method, "Do");
  }
  EXPECT_EQ(ParseMethodName("Svc/Do")->service, "Svc");
  EXPECT_EQ(ParseMethodName("Svc.Do")->service, "Svc");
}

TEST(ParseMethodNameTest, RefusesWhatIsNone) {
  for (const char* text : {"", "/", "Do", "/Do", "/a.Svc", "a.Svc/", "/a.Svc/", "a.", ".Do", "//Do",
                           "a/b/c", "//a/b"}) {
    EXPECT_EQ(ParseMethodName(text).error().ToString(),
              "INVALID_ARGUMENT: \"" + std::string(text) +
                  "\" is not a method; use package.Service/Method");
  }
}

}  // namespace
}  // namespace ttrpc::tool
