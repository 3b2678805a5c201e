// SPDX-License-Identifier: Apache-2.0
//
// protoc-gen-cpp-ttrpc: `protoc --cpp-ttrpc_out=[KEY=VALUE,…:]DIR foo.proto` writes foo.ttrpc.h and
// foo.ttrpc.cc, or nothing for a file without services. All files are checked before any is
// written.
#include <google/protobuf/compiler/code_generator.h>
#include <google/protobuf/compiler/cpp/names.h>
#include <google/protobuf/compiler/plugin.h>
#include <google/protobuf/io/zero_copy_stream.h>

#include <algorithm>
#include <cstring>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "check.h"
#include "generator.h"

namespace ttrpc::compiler {
namespace {

using google::protobuf::FileDescriptor;
using google::protobuf::compiler::GeneratorContext;
using google::protobuf::io::ZeroCopyOutputStream;

class Plugin final : public google::protobuf::compiler::CodeGenerator {
 public:
  bool Generate(const FileDescriptor* file, const std::string& parameter, GeneratorContext* context,
                std::string* error) const override {
    return GenerateAll({file}, parameter, context, error);
  }

  bool GenerateAll(const std::vector<const FileDescriptor*>& files, const std::string& parameter,
                   GeneratorContext* context, std::string* error) const override {
    Options options;
    *error = ParseParameter(parameter, &options);
    if (!error->empty()) return false;
    const Findings findings = CheckFiles(files, options);
    for (const std::string& warning : findings.warnings) std::cerr << warning << '\n';
    // protoc puts the name of its option before the text.
    for (const std::string& line : findings.errors) *error += (error->empty() ? "" : "\n") + line;
    if (!error->empty()) return false;
    for (const FileDescriptor* file : files) {
      if (options.macros == Macros::kUndef) Undefine(*file, context);
      if (file->service_count() == 0) continue;
      const std::string base = OutputBase(*file);
      Write(HeaderText(*file, options), context->Open(base + ".h"));
      Write(SourceText(*file, options), context->Open(base + ".cc"));
    }
    return true;
  }

  uint64_t GetSupportedFeatures() const override { return FEATURE_PROTO3_OPTIONAL; }

 private:
  // Writes into the files that protoc itself generates in the same run.
  static void Undefine(const FileDescriptor& file, GeneratorContext* context) {
    std::string text;
    for (const std::string& macro : MacrosIn(file)) text += "#undef " + macro + "\n";
    if (text.empty()) return;
    // The source includes more headers than its own one.
    const std::string base = google::protobuf::compiler::cpp::StripProto(file.name());
    for (const char* end : {".pb.h", ".pb.cc"})
      Write(text, context->OpenForInsert(base + end, "includes"));
  }

  static void Write(const std::string& text, ZeroCopyOutputStream* stream) {
    const std::unique_ptr<ZeroCopyOutputStream> out(stream);
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
