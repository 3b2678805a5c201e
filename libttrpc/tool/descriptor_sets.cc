// SPDX-License-Identifier: Apache-2.0
#include <google/protobuf/descriptor.pb.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <map>
#include <set>
#include <utility>

#include "schema.h"

namespace ttrpc::tool {
namespace {

using google::protobuf::DescriptorPool;
using google::protobuf::FileDescriptorProto;

// Files by name, from any number of descriptor sets.
class Database final : public google::protobuf::DescriptorDatabase {
 public:
  // Returns what is wrong with the set, or an empty string.
  std::string AddSet(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    if (!in) return path + ": error: " + std::strerror(errno);
    google::protobuf::FileDescriptorSet set;
    if (!set.ParseFromIstream(&in))
      return path + ": error: not a descriptor set; write one with protoc -o";
    for (FileDescriptorProto& file : *set.mutable_file()) {
      const auto there = files_.find(file.name());
      if (there == files_.end()) {
        std::string name = file.name();
        files_.emplace(std::move(name), File{std::move(file), path});
      } else if (!Same(there->second.proto, file)) {
        return Differs(path, there->second);
      }
    }
    return "";
  }

  // Returns a line for each import that is neither in a set nor one of protobuf's own files.
  std::vector<std::string> Missing() const {
    std::vector<std::string> lines;
    for (const auto& [name, file] : files_) {
      for (const std::string& import : file.proto.dependency()) {
        if (files_.contains(import) || IsProtobufs(import)) continue;
        std::string line = file.set;
        line.append(": error: ").append(name).append(" imports ").append(import);
        line += ", which is in no descriptor set; add it with protoc --include_imports";
        lines.push_back(std::move(line));
      }
    }
    return lines;
  }

  std::vector<std::string> Names() const {
    std::vector<std::string> names;
    for (const auto& [name, file] : files_) names.push_back(name);
    return names;
  }

  bool FindFileByName(const std::string& name, FileDescriptorProto* out) override {
    const auto found = files_.find(name);
    if (found != files_.end()) {
      *out = found->second.proto;
      return true;
    }
    const auto* own = DescriptorPool::generated_pool()->FindFileByName(name);
    if (own != nullptr) own->CopyTo(out);
    return own != nullptr;
  }
  // Look-ups by symbol are not needed, because all files are loaded by name first.
  bool FindFileContainingSymbol(const std::string&, FileDescriptorProto*) override { return false; }
  bool FindFileContainingExtension(const std::string&, int, FileDescriptorProto*) override {
    return false;
  }

 private:
  struct File {
    FileDescriptorProto proto;
    std::string set;
  };

  static std::string Differs(const std::string& path, const File& there) {
    return path + ": error: " + there.proto.name() + " differs from the one in " + there.set +
           "; give only one of them";
  }
  static bool IsProtobufs(const std::string& name) {
    return DescriptorPool::generated_pool()->FindFileByName(name) != nullptr;
  }
  // Comments are ignored, because one set may have been written with them and the other without.
  static bool Same(FileDescriptorProto a, FileDescriptorProto b) {
    a.clear_source_code_info();
    b.clear_source_code_info();
    return a.SerializeAsString() == b.SerializeAsString();
  }

  std::map<std::string, File> files_;
};

class Collector final : public DescriptorPool::ErrorCollector {
 public:
  explicit Collector(std::vector<std::string>* lines) : lines_(lines) {}

  void AddError(const std::string& file, const std::string& element,
                const google::protobuf::Message*, ErrorLocation,
                const std::string& message) override {
    lines_->push_back(file + ": error: " + element + ": " + message);
  }

 private:
  std::vector<std::string>* lines_;
};

class SetSchema final : public Schema {
 public:
  explicit SetSchema(std::vector<std::string>* errors) : collector_(errors) {}

  bool Read(const std::vector<std::string>& paths, std::vector<std::string>* errors) {
    for (const std::string& path : paths) {
      if (std::string wrong = database_.AddSet(path); !wrong.empty()) {
        errors->push_back(std::move(wrong));
      }
    }
    if (!errors->empty()) return false;
    *errors = database_.Missing();
    return errors->empty() && Build(&database_, &collector_, database_.Names());
  }

 private:
  Database database_;
  Collector collector_;
};

}  // namespace

std::unique_ptr<Schema> Schema::LoadDescriptorSets(const std::vector<std::string>& paths,
                                                   std::vector<std::string>* errors) {
  auto schema = std::make_unique<SetSchema>(errors);
  if (!schema->Read(paths, errors)) return nullptr;
  return schema;
}

}  // namespace ttrpc::tool
