// SPDX-License-Identifier: Apache-2.0
//
// Runs the real protoc with the real plugin (PROTOC and PROTOC_GEN_CPP_TTRPC) and compares whole
// files with golden/, and messages about wrong input to the letter. To update golden/:
//   UPDATE_GOLDEN=1 meson test -C BUILD compiler
// TTRPC_COMPILER_TESTS is the directory of this file.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "protoc_test.h"

namespace ttrpc::compiler {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const fs::path kTests = TTRPC_COMPILER_TESTS;

class GoldenTest : public ProtocTest {
 protected:
  // Returns protoc's output for a file with this text.
  std::string Refused(const std::string& text, const std::string& out = "") {
    const Outcome outcome =
        Protoc(WriteProto("syntax = \"proto3\";\nmessage M {}\n" + text), out, "foo.proto", "out");
    EXPECT_EQ(outcome.status, 1);
    EXPECT_THAT(Tree(out_ / "out"), IsEmpty());
    return outcome.said;
  }
};

TEST_F(GoldenTest, WholeFiles) {
  const fs::path protos = kTests / "protos";
  for (const auto& [out, files, below] : std::vector<std::array<std::string, 3>>{
           {"", "greeter.proto nested/names.proto bare.proto messages.proto", ""},
           {"prefix=My:", "greeter.proto", "prefix"}}) {
    const Outcome outcome = Protoc(protos, out, files, below);
    EXPECT_EQ(outcome.said, "");
    ASSERT_EQ(outcome.status, 0);
  }
  const std::map<std::string, std::string> made = Tree(out_);
  if (std::getenv("UPDATE_GOLDEN") != nullptr) {
    fs::remove_all(kTests / "golden");
    for (const auto& [name, text] : made) {
      const fs::path path = kTests / "golden" / (name + ".golden");
      fs::create_directories(path.parent_path());
      std::ofstream(path, std::ios::binary) << text;
    }
  }
  std::map<std::string, std::string> golden;
  for (auto& [name, text] : Tree(kTests / "golden"))
    golden[name.substr(0, name.size() - std::string(".golden").size())] = std::move(text);
  for (const auto& [name, text] : golden) {
    const auto it = made.find(name);
    ASSERT_NE(it, made.end()) << name << " was not made";
    EXPECT_EQ(it->second, text) << name;
  }
  // Files without services produce nothing, and no other files are made.
  EXPECT_EQ(made.size(), golden.size());
  EXPECT_EQ(golden.size(), 8U);
}

TEST_F(GoldenTest, TellsWhatIsWrong) {
  EXPECT_EQ(Refused("service Foo {}", "plugins=ttrpc:"),
            "--cpp-ttrpc_out: unknown parameter \"plugins=ttrpc\"; use prefix=NAME, suffix=NAME or "
            "macros=undef|allow\n");
  EXPECT_EQ(
      Refused("service Foo {}\nmessage FooClient {}"),
      "--cpp-ttrpc_out: foo.proto: error: the client of service Foo and message FooClient would "
      "both be FooClient in C++; rename one of them, or use the parameter prefix or suffix\n");
  // All errors are reported at once, also for files without services.
  EXPECT_EQ(Refused("enum E { EOF = 0; }\nmessage N { string requires = 1; }"),
            "--cpp-ttrpc_out: foo.proto:4:13: error: field N.requires: requires is a keyword of "
            "C++20, which protoc does not rename; rename it in a copy of the file\n"
            "foo.proto:3:10: error: enum value EOF: EOF is a macro of the C library; use the "
            "parameter macros=undef, or rename it in a copy of the file\n");
}

TEST_F(GoldenTest, WarnsAndGenerates) {
  const fs::path protos =
      WriteProto("syntax = \"proto3\";\nmessage M { string linux = 1; }\nservice Foo {}");
  const Outcome outcome = Protoc(protos, "", "foo.proto", "out");
  EXPECT_EQ(outcome.said,
            "foo.proto:2:13: warning: field M.linux: linux is a macro in -std=gnu++20; use the "
            "parameter macros=undef, or compile with -std=c++20\n");
  EXPECT_EQ(outcome.status, 0);
  EXPECT_EQ(Tree(out_ / "out").size(), 2U);
}

TEST_F(GoldenTest, UndefinesMacrosInTheFilesOfProtoc) {
  const fs::path protos =
      WriteProto("syntax = \"proto3\";\nmessage M { string linux = 1; }\nenum E { EOF = 0; }");
  const Outcome outcome =
      Protoc(protos, "macros=undef:", "foo.proto", "out", "--cpp_out=" + (out_ / "out").string());
  EXPECT_EQ(outcome.said, "");
  ASSERT_EQ(outcome.status, 0);
  const std::map<std::string, std::string> made = Tree(out_ / "out");
  ASSERT_EQ(made.size(), 2U);
  for (const auto& [name, text] : made)
    EXPECT_THAT(text, HasSubstr("\n#undef EOF\n#undef linux\n")) << name;
}

}  // namespace
}  // namespace ttrpc::compiler
