// SPDX-License-Identifier: Apache-2.0
//
// Schema: the known services and messages, from .proto files or descriptor sets, because ttrpc
// servers cannot be asked for them. Reads files while it is loaded; one thread.
#pragma once

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor_database.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "ttrpc/status.h"

namespace ttrpc::tool {

// The name of standard input among the descriptor sets.
inline constexpr std::string_view kStandardInput = "-";

struct SchemaSources {
  // .proto files, either as paths on disk below an import path, or named relative to one. Both may
  // be spelled differently: relative, absolute, or through links. The default import path is the
  // current directory and, for a file that is not below it, the file's own directory.
  std::vector<std::string> protos = {};
  std::vector<std::string> import_paths = {};
  // FileDescriptorSets, as `protoc --descriptor_set_out` and `buf build` write them, also in a gzip
  // file. Imports may be in another set, and a file may be in several. Protobuf's own files are
  // built in.
  std::vector<std::string> descriptor_sets = {};

  bool empty() const { return protos.empty() && descriptor_sets.empty(); }
};

class Schema {
 public:
  virtual ~Schema() = default;

  // Returns null on failure, and fills `errors` with all findings of the step that failed (reading
  // the files, finding their imports, or linking them), one per line: `FILE:LINE:COLUMN: error:
  // WHAT`, without the position if it is unknown. There may also be lines of the form `SET:
  // warning: WHAT`, about files of a newer syntax that were left out of a descriptor set. `errors`
  // need not outlive the call.
  static std::unique_ptr<Schema> Load(const SchemaSources& sources,
                                      std::vector<std::string>* errors);

  // Returns all services, including those of imported files, in the order of their names.
  std::vector<const google::protobuf::ServiceDescriptor*> Services() const;
  // Return NOT_FOUND if there is no such service or method; the message suggests or lists others.
  Result<const google::protobuf::ServiceDescriptor*> FindService(std::string_view name) const;
  Result<const google::protobuf::MethodDescriptor*> FindMethod(std::string_view service,
                                                               std::string_view method) const;

  const google::protobuf::DescriptorPool& pool() const { return *pool_; }

 protected:
  Schema() = default;
  // Loads `files` and all their imports from `database`, which must outlive the schema.
  bool Build(google::protobuf::DescriptorDatabase* database,
             google::protobuf::DescriptorPool::ErrorCollector* collector,
             const std::vector<std::string>& files);

 private:
  // Implement Load() for the two kinds of sources (proto_files.cc, descriptor_sets.cc).
  static std::unique_ptr<Schema> LoadProtoFiles(const SchemaSources& sources,
                                                std::vector<std::string>* errors);
  static std::unique_ptr<Schema> LoadDescriptorSets(const std::vector<std::string>& paths,
                                                    std::vector<std::string>* errors);

  std::unique_ptr<google::protobuf::DescriptorPool> pool_;
  std::vector<const google::protobuf::FileDescriptor*> files_;  // including imported files
};

}  // namespace ttrpc::tool
