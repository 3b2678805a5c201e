// SPDX-License-Identifier: Apache-2.0
#include "error_details.h"

#include <google/protobuf/compiler/parser.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

namespace ttrpc::tool {
namespace {

using google::protobuf::DescriptorPool;

constexpr char kProto[] = R"(syntax = "proto3";
package google.rpc;
import "google/protobuf/duration.proto";
message ErrorInfo {
  string reason = 1;
  string domain = 2;
  map<string, string> metadata = 3;
}
message RetryInfo { google.protobuf.Duration retry_delay = 1; }
message DebugInfo {
  repeated string stack_entries = 1;
  string detail = 2;
}
message QuotaFailure {
  message Violation {
    string subject = 1;
    string description = 2;
  }
  repeated Violation violations = 1;
}
message PreconditionFailure {
  message Violation {
    string type = 1;
    string subject = 2;
    string description = 3;
  }
  repeated Violation violations = 1;
}
message BadRequest {
  message FieldViolation {
    string field = 1;
    string description = 2;
  }
  repeated FieldViolation field_violations = 1;
}
message RequestInfo {
  string request_id = 1;
  string serving_data = 2;
}
message ResourceInfo {
  string resource_type = 1;
  string resource_name = 2;
  string owner = 3;
  string description = 4;
}
message Help {
  message Link {
    string description = 1;
    string url = 2;
  }
  repeated Link links = 1;
}
message LocalizedMessage {
  string locale = 1;
  string message = 2;
}
)";

DescriptorPool* Build() {
  google::protobuf::io::ArrayInputStream text(kProto, sizeof(kProto) - 1);
  google::protobuf::io::Tokenizer tokenizer(&text, nullptr);
  google::protobuf::FileDescriptorProto file;
  google::protobuf::compiler::Parser().Parse(&tokenizer, &file);
  // The name differs from the original, because a schema may contain the original.
  file.set_name("ttrpc/error_details.proto");
  auto* pool = new DescriptorPool(DescriptorPool::generated_pool());
  pool->BuildFile(file);
  return pool;
}

}  // namespace

const DescriptorPool& ErrorDetailTypes() {
  static const DescriptorPool* const kPool = Build();
  return *kPool;
}

}  // namespace ttrpc::tool
