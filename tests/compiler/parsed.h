// SPDX-License-Identifier: Apache-2.0
//
// Files in memory, parsed as protoc does it.
#pragma once

#include <google/protobuf/compiler/importer.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

namespace ttrpc::compiler {

// Maps the names of files to their texts. The files of protobuf are found where it installs them.
class Parsed {
 public:
  using File = google::protobuf::FileDescriptor;
  using Files = std::map<std::string, std::string>;

  explicit Parsed(Files files) : tree_(std::move(files)) {
    for (const auto& [name, text] : tree_.files) {
      files_.push_back(importer_.Import(name));
      EXPECT_NE(files_.back(), nullptr) << name;
    }
  }
  // One file, to which the syntax is added.
  explicit Parsed(const std::string& text, const std::string& name = "foo.proto")
      : Parsed(Files{{name, "syntax = \"proto3\";\n" + text}}) {}

  const File& operator*() const { return *files_.front(); }
  const std::vector<const File*>& files() const { return files_; }

 private:
  struct Tree final : google::protobuf::compiler::SourceTree {
    explicit Tree(Files given) : files(std::move(given)) {
      installed.MapPath("", "/usr/include");
      installed.MapPath("", "/usr/local/include");
    }
    google::protobuf::io::ZeroCopyInputStream* Open(const std::string& name) override {
      const auto file = files.find(name);
      if (file == files.end()) return installed.Open(name);
      return new google::protobuf::io::ArrayInputStream(file->second.data(),
                                                        static_cast<int>(file->second.size()));
    }
    Files files;
    google::protobuf::compiler::DiskSourceTree installed;
  };
  struct Errors final : google::protobuf::compiler::MultiFileErrorCollector {
    void AddError(const std::string& file, int line, int, const std::string& message) override {
      ADD_FAILURE() << file << ":" << line << ": " << message;
    }
  };

  Tree tree_;
  Errors errors_;
  google::protobuf::compiler::Importer importer_{&tree_, &errors_};
  std::vector<const File*> files_;
};

}  // namespace ttrpc::compiler
