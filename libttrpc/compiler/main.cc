// SPDX-License-Identifier: Apache-2.0
//
// protoc-gen-cpp-ttrpc: `protoc --cpp-ttrpc_out=[prefix=NAME:]DIR foo.proto` writes foo.ttrpc.h and
// foo.ttrpc.cc, or nothing for a file without services.
#include <google/protobuf/compiler/code_generator.h>
#include <google/protobuf/compiler/plugin.h>
#include <google/protobuf/io/zero_copy_stream.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>

#include "generator.h"

namespace ttrpc::compiler {
namespace {

using google::protobuf::FileDescriptor;
using google::protobuf::compiler::GeneratorContext;

class Plugin final : public google::protobuf::compiler::CodeGenerator {
 public:
  bool Generate(const FileDescriptor* file, const std::string& parameter, GeneratorContext* context,
                std::string* error) const override {
    Options options;
    *error = ParseParameter(parameter, &options);
    if (!error->empty()) return false;
    if (file->service_count() == 0) return true;
    *error = CheckNames(*file, options);
    if (!error->empty()) return false;
    Write(context, OutputBase(*file) + ".h", HeaderText(*file, options));
    Write(context, OutputBase(*file) + ".cc", SourceText(*file, options));
    return true;
  }

  uint64_t GetSupportedFeatures() const override { return FEATURE_PROTO3_OPTIONAL; }

 private:
  static void Write(GeneratorContext* context, const std::string& name, const std::string& text) {
    const std::unique_ptr<google::protobuf::io::ZeroCopyOutputStream> out(context->Open(name));
    void* place = nullptr;
    int size = 0;
    size_t written = 0;
    while (written < text.size() && out->Next(&place, &size)) {
      const size_t n = std::min(text.size() - written, static_cast<size_t>(size));
      std::memcpy(place, text.data() + written, n);
      written += n;
      if (n < static_cast<size_t>(size)) out->BackUp(size - static_cast<int>(n));
    }
  }
};

}  // namespace
}  // namespace ttrpc::compiler

int main(int argc, char** argv) {
  const ttrpc::compiler::Plugin plugin;
  return google::protobuf::compiler::PluginMain(argc, argv, &plugin);
}
