// SPDX-License-Identifier: Apache-2.0
#include "type_finder.h"

#include <google/protobuf/type.pb.h>
#include <google/protobuf/util/type_resolver_util.h>

#include <utility>

#include "error_details.h"

namespace ttrpc::tool {

using google::protobuf::Descriptor;
using google::protobuf::DescriptorPool;
using google::protobuf::Field;
using google::protobuf::Type;
using google::protobuf::util::TypeResolver;

using UtilStatus = google::protobuf::util::Status;

namespace {

constexpr std::string_view kPrefix = "type.googleapis.com";
constexpr std::string_view kAny = "google.protobuf.Any";
// A lookup takes time that is quadratic in the length of the name, and servers choose the names.
constexpr size_t kLongestName = 512;
// No schema can define a type of this name.
constexpr std::string_view kPlainAny = "@Any";

std::string NameIn(std::string_view url) { return std::string(url.substr(url.rfind('/') + 1)); }
std::string WithPrefix(std::string_view name) {
  return std::string(kPrefix) + "/" + std::string(name);
}

void AddField(const char* name, Field::Kind kind, Type* type) {
  Field* field = type->add_fields();
  field->set_number(type->fields_size());
  field->set_kind(kind);
  field->set_cardinality(Field::CARDINALITY_OPTIONAL);
  field->set_name(name);
  field->set_json_name(name);
}

// Its encoding is that of an Any.
void DescribePlainAny(Type* type) {
  type->set_name(std::string(kPlainAny));
  type->set_syntax(google::protobuf::SYNTAX_PROTO3);
  AddField(kAnyUrl, Field::TYPE_STRING, type);
  AddField(kAnyBytes, Field::TYPE_BYTES, type);
}

}  // namespace

TypeFinder::TypeFinder(const DescriptorPool* schema) {
  if (schema != nullptr) Add(schema);
  Add(DescriptorPool::generated_pool());
  Add(&ErrorDetailTypes());
}

void TypeFinder::Add(const DescriptorPool* pool) {
  std::unique_ptr<TypeResolver> resolver(
      google::protobuf::util::NewTypeResolverForDescriptorPool(std::string(kPrefix), pool));
  pools_.push_back({pool, std::move(resolver)});
}

const Descriptor* TypeFinder::FindByUrl(std::string_view url) const {
  const std::string name = NameIn(url);
  if (name.size() > kLongestName) return nullptr;
  for (const Pool& pool : pools_) {
    if (const auto* type = pool.pool->FindMessageTypeByName(name)) return type;
  }
  return nullptr;
}

std::string TypeFinder::UrlOf(const Descriptor& type) { return WithPrefix(type.full_name()); }

UtilStatus TypeFinder::ResolveMessageType(const std::string& url, Type* type) {
  const std::string name = NameIn(url);
  if (name == kAny || name == kPlainAny) {
    DescribePlainAny(type);
    return {};
  }
  UtilStatus status;
  for (const Pool& pool : pools_) {
    status = pool.resolver->ResolveMessageType(WithPrefix(name), type);
    if (status.ok()) break;
  }
  for (Field& field : *type->mutable_fields()) {
    if (NameIn(field.type_url()) == kAny) field.set_type_url(WithPrefix(kPlainAny));
  }
  return status;
}

UtilStatus TypeFinder::ResolveEnumType(const std::string& url, google::protobuf::Enum* type) {
  UtilStatus status;
  for (const Pool& pool : pools_) {
    status = pool.resolver->ResolveEnumType(WithPrefix(NameIn(url)), type);
    if (status.ok()) break;
  }
  return status;
}

}  // namespace ttrpc::tool
