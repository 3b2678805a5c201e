// SPDX-License-Identifier: Apache-2.0
//
// Runs the real protoc with the real plugin (PROTOC and PROTOC_GEN_CPP_TTRPC) and compares whole
// files with golden/, and messages about wrong input to the letter. To update golden/:
//   UPDATE_GOLDEN=1 meson test -C BUILD compiler
// TTRPC_COMPILER_TESTS is the directory of this file.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

namespace ttrpc::compiler {
namespace {

namespace fs = std::filesystem;
using ::testing::IsEmpty;

const fs::path kTests = TTRPC_COMPILER_TESTS;

std::string Read(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

// Returns all files below a directory, by their relative paths.
std::map<std::string, std::string> Tree(const fs::path& folder) {
  std::map<std::string, std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file())
      files[fs::relative(entry.path(), folder).string()] = Read(entry.path());
  }
  return files;
}

struct Outcome {
  int status = -1;
  std::string said;
};

class GoldenTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_NE(std::getenv("PROTOC"), nullptr);
    ASSERT_NE(std::getenv("PROTOC_GEN_CPP_TTRPC"), nullptr);
    std::string folder = (fs::temp_directory_path() / "compiler_test.XXXXXX").string();
    ASSERT_NE(::mkdtemp(folder.data()), nullptr);
    out_ = folder;
  }
  void TearDown() override { fs::remove_all(out_); }

  // Generates code into out_ / `below`. `out` precedes the directory in --cpp-ttrpc_out.
  Outcome Protoc(const fs::path& protos, const std::string& out, const std::string& files,
                 const std::string& below = "") {
    fs::create_directories(out_ / below);
    // The command contains only trusted paths, so nothing needs to be quoted.
    const std::string command =
        "\"$PROTOC\" --plugin=protoc-gen-cpp-ttrpc=\"$PROTOC_GEN_CPP_TTRPC\" -I " +
        protos.string() + " --cpp-ttrpc_out=" + out + (out_ / below).string() + " " + files +
        " 2>&1";
    FILE* pipe = ::popen(command.c_str(), "r");  // NOLINT(cert-env33-c)
    Outcome outcome;
    char buffer[4096];
    while (const size_t n = std::fread(buffer, 1, sizeof buffer, pipe))
      outcome.said.append(buffer, n);
    const int status = ::pclose(pipe);
    if (WIFEXITED(status)) outcome.status = WEXITSTATUS(status);
    return outcome;
  }

  // Returns protoc's output for a file with this text.
  std::string Refused(const std::string& text, const std::string& out = "") {
    const fs::path protos = out_ / "protos";
    fs::create_directories(protos);
    std::ofstream(protos / "foo.proto") << "syntax = \"proto3\";\nmessage M {}\n" << text;
    const Outcome outcome = Protoc(protos, out, "foo.proto", "out");
    EXPECT_EQ(outcome.status, 1);
    EXPECT_THAT(Tree(out_ / "out"), IsEmpty());
    return outcome.said;
  }

  fs::path out_;
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
            "--cpp-ttrpc_out: foo.proto: unknown parameter \"plugins=ttrpc\"; use prefix=NAME\n");
  EXPECT_EQ(
      Refused("service Foo {}\nmessage FooClient {}"),
      "--cpp-ttrpc_out: foo.proto: the client of service Foo and message FooClient would both "
      "be FooClient in C++; rename one of them\n");
}

}  // namespace
}  // namespace ttrpc::compiler
