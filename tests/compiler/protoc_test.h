// SPDX-License-Identifier: Apache-2.0
//
// A fixture that runs the real protoc with the real plugin. The environment names them: PROTOC and
// PROTOC_GEN_CPP_TTRPC.
#pragma once

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>

namespace ttrpc::compiler {

struct Outcome {
  int status = -1;
  std::string said;
};

class ProtocTest : public testing::Test {
 protected:
  using Path = std::filesystem::path;

  void SetUp() override {
    ASSERT_NE(std::getenv("PROTOC"), nullptr);
    ASSERT_NE(std::getenv("PROTOC_GEN_CPP_TTRPC"), nullptr);
    std::string folder = (std::filesystem::temp_directory_path() / "compiler_test.XXXXXX").string();
    ASSERT_NE(::mkdtemp(folder.data()), nullptr);
    out_ = folder;
  }
  void TearDown() override { std::filesystem::remove_all(out_); }

  // Runs a command of trusted words, so that nothing needs to be quoted.
  static Outcome Run(const std::string& command) {
    FILE* pipe = ::popen((command + " 2>&1").c_str(), "r");  // NOLINT(cert-env33-c)
    Outcome outcome;
    char buffer[4096];
    while (const size_t n = std::fread(buffer, 1, sizeof buffer, pipe))
      outcome.said.append(buffer, n);
    const int status = ::pclose(pipe);
    if (WIFEXITED(status)) outcome.status = WEXITSTATUS(status);
    return outcome;
  }

  // Generates code into out_ / `below`. `out` precedes the directory in --cpp-ttrpc_out, and
  // `options` precede that option.
  Outcome Protoc(const Path& protos, const std::string& out, const std::string& files,
                 const std::string& below = "", const std::string& options = "") {
    std::filesystem::create_directories(out_ / below);
    return Run("\"$PROTOC\" --plugin=protoc-gen-cpp-ttrpc=\"$PROTOC_GEN_CPP_TTRPC\" -I " +
               protos.string() + " " + options + " --cpp-ttrpc_out=" + out +
               (out_ / below).string() + " " + files);
  }

  // Writes foo.proto and returns its directory.
  Path WriteProto(const std::string& text) {
    const Path protos = out_ / "protos";
    std::filesystem::create_directories(protos);
    std::ofstream(protos / "foo.proto") << text;
    return protos;
  }

  static std::string Read(const Path& path) {
    std::ostringstream text;
    text << std::ifstream(path, std::ios::binary).rdbuf();
    return text.str();
  }

  // Returns all files below a directory, by their relative paths.
  static std::map<std::string, std::string> Tree(const Path& folder) {
    std::map<std::string, std::string> files;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
      if (entry.is_regular_file())
        files[std::filesystem::relative(entry.path(), folder).string()] = Read(entry.path());
    }
    return files;
  }

  Path out_;
};

}  // namespace ttrpc::compiler
