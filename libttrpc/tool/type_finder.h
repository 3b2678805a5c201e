// SPDX-License-Identifier: Apache-2.0
//
// TypeFinder: finds types by name in the schema, then among protobuf's own types and those of
// google.rpc. It also describes them to protobuf's JSON parser. No I/O; one thread.
#pragma once

#include <google/protobuf/descriptor.h>
#include <google/protobuf/util/type_resolver.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace ttrpc::tool {

// The members of an Any in JSON. `@value` holds the bytes of the contents in base64.
constexpr char kAnyUrl[] = "@type";
constexpr char kAnyBytes[] = "@value";

// The result describes an Any as an ordinary message with the fields `@type` and `@value`. Protobuf
// decodes an Any only if its type is known and its URL has the usual prefix; our own code decodes
// the others too, and uses protobuf only for what is inside.
class TypeFinder final : public google::protobuf::util::TypeResolver {
 public:
  // `schema` must outlive this object. It may be null.
  explicit TypeFinder(const google::protobuf::DescriptorPool* schema);

  // Finds a type by the part of its URL after the last slash, because containerd's URLs often have
  // nothing else. Returns null if the type is not known.
  const google::protobuf::Descriptor* FindByUrl(std::string_view url) const;
  static std::string UrlOf(const google::protobuf::Descriptor& type);

  google::protobuf::util::Status ResolveMessageType(const std::string& url,
                                                    google::protobuf::Type* type) override;
  google::protobuf::util::Status ResolveEnumType(const std::string& url,
                                                 google::protobuf::Enum* type) override;

 private:
  struct Pool {
    const google::protobuf::DescriptorPool* pool;
    std::unique_ptr<google::protobuf::util::TypeResolver> resolver;
  };

  void Add(const google::protobuf::DescriptorPool* pool);

  std::vector<Pool> pools_;
};

}  // namespace ttrpc::tool
