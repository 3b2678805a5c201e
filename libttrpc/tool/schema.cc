// SPDX-License-Identifier: Apache-2.0
#include "schema.h"

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "text/closest.h"
#include "text/escape.h"

namespace ttrpc::tool {

using google::protobuf::FileDescriptor;
using google::protobuf::MethodDescriptor;
using google::protobuf::ServiceDescriptor;

namespace {

void Collect(const FileDescriptor* file, std::set<const FileDescriptor*>* seen) {
  if (!seen->insert(file).second) return;
  for (int i = 0; i < file->dependency_count(); ++i) Collect(file->dependency(i), seen);
}

// `what` is missing; `name` is the name that was looked for among `names`.
Status NotFound(const std::string& what, std::string_view name,
                const std::vector<std::string>& names) {
  std::string list;
  for (const std::string& other : names) list += (list.empty() ? "use " : ", ") + other;
  if (list.empty()) list = "it has none";
  return {StatusCode::kNotFound, what + "; " + text::DidYouMean(name, names, list)};
}

}  // namespace

std::unique_ptr<Schema> Schema::Load(const SchemaSources& sources,
                                     std::vector<std::string>* errors) {
  return sources.protos.empty() ? LoadDescriptorSets(sources.descriptor_sets, errors)
                                : LoadProtoFiles(sources, errors);
}

bool Schema::Build(google::protobuf::DescriptorDatabase* database,
                   google::protobuf::DescriptorPool::ErrorCollector* collector,
                   const std::vector<std::string>& files) {
  pool_ = std::make_unique<google::protobuf::DescriptorPool>(database, collector);
  pool_->EnforceWeakDependencies(true);
  std::set<const FileDescriptor*> seen;
  bool all = true;
  for (const std::string& name : files) {
    const FileDescriptor* file = pool_->FindFileByName(name);
    if (file != nullptr) Collect(file, &seen);
    all = all && file != nullptr;
  }
  files_.assign(seen.begin(), seen.end());
  return all;
}

std::vector<const ServiceDescriptor*> Schema::Services() const {
  std::vector<const ServiceDescriptor*> services;
  for (const FileDescriptor* file : files_) {
    for (int i = 0; i < file->service_count(); ++i) services.push_back(file->service(i));
  }
  std::sort(services.begin(), services.end(),
            [](const auto* a, const auto* b) { return a->full_name() < b->full_name(); });
  return services;
}

Result<const ServiceDescriptor*> Schema::FindService(std::string_view name) const {
  const ServiceDescriptor* service = pool_->FindServiceByName(std::string(name));
  if (service != nullptr) return service;
  std::vector<std::string> names;
  for (const ServiceDescriptor* other : Services()) names.push_back(other->full_name());
  return NotFound("the schema has no service " + text::QuoteShort(name), name, names);
}

Result<const MethodDescriptor*> Schema::FindMethod(std::string_view service,
                                                   std::string_view method) const {
  const auto found = FindService(service);
  if (!found) return found.error();
  const MethodDescriptor* descriptor = (*found)->FindMethodByName(std::string(method));
  if (descriptor != nullptr) return descriptor;
  std::vector<std::string> names;
  names.reserve(static_cast<size_t>((*found)->method_count()));
  for (int i = 0; i < (*found)->method_count(); ++i) names.push_back((*found)->method(i)->name());
  return NotFound(
      "service " + text::QuoteShort(service) + " has no method " + text::QuoteShort(method), method,
      names);
}

}  // namespace ttrpc::tool
