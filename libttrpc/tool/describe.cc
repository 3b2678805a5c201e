// SPDX-License-Identifier: Apache-2.0
#include "describe.h"

#include <algorithm>
#include <vector>

#include "method_name.h"
#include "text/escape.h"

namespace ttrpc::tool {

using text::QuoteShort;

namespace {

using google::protobuf::DebugStringOptions;
using google::protobuf::DescriptorPool;
using google::protobuf::MethodDescriptor;
using google::protobuf::ServiceDescriptor;

template <typename Descriptor>
std::string Definition(const Descriptor& descriptor) {
  DebugStringOptions options;
  options.include_comments = true;
  return descriptor.DebugStringWithOptions(options);
}

// Returns an empty string if nothing has that name.
std::string DefinitionOf(const DescriptorPool& pool, const std::string& name) {
  if (const auto* service = pool.FindServiceByName(name)) return Definition(*service);
  if (const auto* method = pool.FindMethodByName(name)) return Definition(*method);
  if (const auto* message = pool.FindMessageTypeByName(name)) return Definition(*message);
  if (const auto* type = pool.FindEnumTypeByName(name)) return Definition(*type);
  if (const auto* value = pool.FindEnumValueByName(name)) return Definition(*value);
  if (const auto* field = pool.FindFieldByName(name)) return Definition(*field);
  if (const auto* oneof = pool.FindOneofByName(name)) return Definition(*oneof);
  if (const auto* extension = pool.FindExtensionByName(name)) return Definition(*extension);
  return "";
}

}  // namespace

std::string_view KindOf(const MethodDescriptor& method) {
  if (method.client_streaming()) {
    return method.server_streaming() ? "bidirectional streaming" : "client streaming";
  }
  return method.server_streaming() ? "server streaming" : "unary";
}

std::string ListServices(const Schema& schema) {
  std::string lines;
  for (const ServiceDescriptor* service : schema.Services()) lines += service->full_name() + "\n";
  return lines;
}

Result<std::string> ListMethods(const Schema& schema, std::string_view service) {
  const auto found = schema.FindService(service);
  if (!found) return found.error();
  std::vector<std::string> names;
  size_t widest = 0;
  for (int i = 0; i < (*found)->method_count(); ++i) {
    names.push_back((*found)->full_name() + "/" + (*found)->method(i)->name());
    widest = std::max(widest, names.back().size());
  }
  std::string lines;
  for (int i = 0; i < (*found)->method_count(); ++i) {
    std::string& name = names[static_cast<size_t>(i)];
    name.resize(widest + 2, ' ');
    lines += name + std::string(KindOf(*(*found)->method(i))) + "\n";
  }
  return lines;
}

Result<std::string> Describe(const Schema& schema, std::string_view symbol) {
  if (symbol.empty()) {
    std::string text;
    for (const ServiceDescriptor* service : schema.Services()) {
      text += (text.empty() ? "" : "\n") + Definition(*service);
    }
    return text;
  }
  std::string name(symbol.substr(symbol.starts_with('.') ? 1 : 0));
  if (name.find('/') != std::string::npos) {
    const Result<MethodName> method = ParseMethodName(name);
    if (!method) return method.error();
    name = method->service + "." + method->method;
  }
  std::string text = DefinitionOf(schema.pool(), name);
  // Protobuf's own types are known even if the schema does not import them.
  if (text.empty()) text = DefinitionOf(*DescriptorPool::generated_pool(), name);
  if (text.empty())
    return Status(StatusCode::kNotFound, "the schema does not define " + QuoteShort(name) +
                                             "; list its services with ttrpc list");
  return text;
}

}  // namespace ttrpc::tool
