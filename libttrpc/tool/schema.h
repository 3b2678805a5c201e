// SPDX-License-Identifier: Apache-2.0
//
// Schema: what is known of services and messages, from .proto files or from descriptor sets. ttrpc
// servers cannot be asked for it. Reads files when it is loaded; one thread.
#pragma once

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor_database.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "ttrpc/status.h"

namespace ttrpc::tool {

struct SchemaSources {
  // .proto files, as protoc takes them: on disk below one of the import paths, or named as seen
  // from there. Where none is given these are the current folder and, for a file that is not below
  // it, its own.
  std::vector<std::string> protos = {};
  std::vector<std::string> import_paths = {};
  // FileDescriptorSets, as `protoc --descriptor_set_out` writes them. What one of them imports may
  // be in another; protobuf's own files need not be in any.
  std::vector<std::string> descriptor_sets = {};

  bool empty() const { return protos.empty() && descriptor_sets.empty(); }
};

class Schema {
 public:
  virtual ~Schema() = default;

  // Null: `errors` says all that is wrong, a line for each: `FILE:LINE:COLUMN: WHAT` where it is
  // known where. What is worth a warning is in it too.
  static std::unique_ptr<Schema> Load(const SchemaSources& sources,
                                      std::vector<std::string>* errors);

  // In the order of their names; those of imported files, too.
  std::vector<const google::protobuf::ServiceDescriptor*> Services() const;
  // NOT_FOUND: there is none; the message names those that there are.
  Result<const google::protobuf::ServiceDescriptor*> FindService(std::string_view name) const;
  Result<const google::protobuf::MethodDescriptor*> FindMethod(std::string_view service,
                                                               std::string_view method) const;

  const google::protobuf::DescriptorPool& pool() const { return *pool_; }

 protected:
  Schema() = default;
  // `database` must outlive this; it is asked for the files and all that they import.
  bool Build(google::protobuf::DescriptorDatabase* database,
             google::protobuf::DescriptorPool::ErrorCollector* collector,
             const std::vector<std::string>& files);

 private:
  // Load() for either kind of source (proto_files.cc, descriptor_sets.cc).
  static std::unique_ptr<Schema> LoadProtoFiles(const SchemaSources& sources,
                                                std::vector<std::string>* errors);
  static std::unique_ptr<Schema> LoadDescriptorSets(const std::vector<std::string>& paths,
                                                    std::vector<std::string>* errors);

  std::unique_ptr<google::protobuf::DescriptorPool> pool_;
  std::vector<const google::protobuf::FileDescriptor*> files_;  // with what they import
};

}  // namespace ttrpc::tool
