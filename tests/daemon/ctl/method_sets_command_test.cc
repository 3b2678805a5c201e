// SPDX-License-Identifier: Apache-2.0
//
// Tests that method-sets prints the sets that are built into the program, without a daemon.
#include "config/load.h"
#include "config/method_sets.h"
#include "program.h"

namespace proxyd::ctl {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

class CtlMethodSetsTest : public CtlProgramTest {};

TEST_F(CtlMethodSetsTest, OneSetIsLines) {
  Expect(Run({"method-sets", "containerd/Kill"}), 0,
         "/containerd.task.v2.Task/Kill\n/containerd.task.v3.Task/Kill\n", "");
  Expect(Run({"method-sets", "@nri-plugin"}), 0, "/nri.pkg.api.v1alpha1.Plugin/*\n", "");
}

// The output is the section of a configuration that changes nothing.
TEST_F(CtlMethodSetsTest, AllSetsCanBePastedIntoAConfiguration) {
  const ToolResult result = Run({"method-sets"});
  EXPECT_EQ(result.status, 0);
  EXPECT_THAT(result.out, StartsWith("# \"@containerd/METHOD\" is that method of both Task "
                                     "services.\n[method_sets]\ncontainerd-events = [\n"));
  std::string rules = "\n[[rule]]\nname = \"r\"\naction = \"deny\"\nmethods = [";
  for (const auto& [name, methods] : BuiltInMethodSets()) rules += "\"@" + name + "\", ";
  const LoadedConfig loaded =
      ParseConfig({{"c", result.out + rules + "]\n"}}, SystemNameResolver());
  ASSERT_TRUE(loaded.config.has_value());
  EXPECT_EQ(loaded.config->method_sets, BuiltInMethodSets());
}

TEST_F(CtlMethodSetsTest, JsonHasTheSamePatterns) {
  const nlohmann::json all = Json({"method-sets"});
  EXPECT_EQ(all.size(), BuiltInMethodSets().size());
  for (const auto& [name, methods] : BuiltInMethodSets())
    EXPECT_EQ(all.value(name, std::vector<std::string>()), methods) << name;
  EXPECT_EQ(Json({"method-sets", "containerd/Exec"}),
            (nlohmann::json{{"containerd/Exec", TaskMethodSets().at("containerd/Exec")}}));
}

TEST_F(CtlMethodSetsTest, AnUnknownSetIsAWrongCommandLine) {
  const ToolResult result = Run({"method-sets", "containerd-reed"});
  EXPECT_EQ(result.status, 64);
  EXPECT_EQ(result.out, "");
  EXPECT_THAT(
      result.err,
      StartsWith("ttrpc-proxyctl: no built-in method set \"@containerd-reed\"; did you mean "
                 "\"@containerd-read\"? Otherwise use \"@containerd-events\", "));
  EXPECT_THAT(Run({"method-sets", "@containerd/Kil"}).err,
              HasSubstr("did you mean \"@containerd/Kill\"?"));
  EXPECT_EQ(Run({"method-sets", "nri-plugin", "nri-runtime"}).status, 64);
}

}  // namespace
}  // namespace proxyd::ctl
