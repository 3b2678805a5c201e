// SPDX-License-Identifier: Apache-2.0
//
// CtlProgramTest: runs the real ttrpc-proxyctl, whose path is in the environment variable
// TTRPC_PROXYCTL, against a scripted server on a socket in a temporary directory.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "admin_server.h"
#include "libttrpc/tool_process.h"
#include "support/temp_folder.h"

namespace proxyd::ctl {

using ttrpc::tool::ToolProcess;
using ttrpc::tool::ToolResult;

class CtlProgramTest : public testing::Test {
 protected:
  void Serve(AdminScript script) {
    server_.reset();
    server_ = std::make_unique<AdminServer>(socket(), std::move(script));
  }

  std::string socket() const { return folder_ / "admin.sock"; }
  // Writes a file and returns its path.
  std::string Write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / name, std::ios::binary) << text;
    return folder_ / name;
  }

  std::vector<std::string> Args(std::vector<std::string> args) const {
    args.insert(args.begin(), {"--address", "unix://" + socket()});
    return args;
  }
  ToolResult Run(const std::vector<std::string>& args, const std::string& input = "") const {
    return ttrpc::tool::RunTool(Args(args), input);
  }
  // Runs the program with --json, expects success, and returns its output.
  nlohmann::json Json(std::vector<std::string> args) const {
    args.push_back("--json");
    const ToolResult result = Run(args);
    EXPECT_EQ(result.status, 0);
    EXPECT_EQ(result.err, "");
    return nlohmann::json::parse(result.out, nullptr, false);
  }
  static void Expect(const ToolResult& result, int status, const std::string& out,
                     const std::string& err) {
    EXPECT_EQ(result.status, status);
    EXPECT_EQ(result.out, out);
    EXPECT_EQ(result.err, err);
  }

  const test::TempFolder folder_;
  std::unique_ptr<AdminServer> server_;
};

}  // namespace proxyd::ctl
