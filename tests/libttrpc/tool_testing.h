// SPDX-License-Identifier: Apache-2.0
//
// A temporary directory for a test, and the schema that the tests of the `ttrpc` command use.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "schema.h"
#include "support/temp_folder.h"

namespace ttrpc::tool {

// Returns tests/libttrpc/chat.proto, which is in the directory TTRPC_TEST_PROTOS.
inline std::string ChatProto() { return test::ReadFile(TTRPC_TEST_PROTOS "/chat.proto"); }

class Folder : public test::TempFolder {
 public:
  // Writes a file and returns its path.
  std::string Write(const std::string& name, const std::string& text) const {
    const std::filesystem::path file = path() + "/" + name;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file, std::ios::binary) << text;
    return file;
  }
};

class SchemaTest : public ::testing::Test {
 protected:
  // The test fails if the schema cannot be loaded.
  std::unique_ptr<Schema> Load(const SchemaSources& sources) {
    std::vector<std::string> errors;
    auto schema = Schema::Load(sources, &errors);
    EXPECT_NE(schema, nullptr);
    EXPECT_EQ(errors, std::vector<std::string>{});
    return schema;
  }
  std::unique_ptr<Schema> LoadChat() {
    return Load({.protos = {folder_.Write("chat.proto", ChatProto())}});
  }
  std::vector<std::string> ErrorsOf(const SchemaSources& sources) {
    std::vector<std::string> errors;
    EXPECT_EQ(Schema::Load(sources, &errors), nullptr);
    return errors;
  }

  const Folder folder_{};
};

}  // namespace ttrpc::tool
