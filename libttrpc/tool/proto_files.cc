// SPDX-License-Identifier: Apache-2.0
#include <google/protobuf/compiler/importer.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <optional>
#include <system_error>

#include "schema.h"

namespace ttrpc::tool {
namespace {

using google::protobuf::compiler::DiskSourceTree;

// Formats errors as lines, with the names that the files have on disk.
class FileErrorCollector final : public google::protobuf::compiler::MultiFileErrorCollector {
 public:
  // Both must outlive the collector.
  FileErrorCollector(DiskSourceTree* tree, std::vector<std::string>* lines)
      : tree_(tree), lines_(lines) {}

  // `line` and `column` count from 0. A line of -1 stands for the whole file.
  void AddError(const std::string& file, int line, int column,
                const std::string& message) override {
    std::string disk = file;
    tree_->VirtualFileToDiskFile(file, &disk);
    std::string text = disk + ":";
    if (line >= 0) text += std::to_string(line + 1) + ":" + std::to_string(column + 1) + ":";
    lines_->push_back(text + " error: " + message);
  }

 private:
  DiskSourceTree* tree_;
  std::vector<std::string>* lines_;
};

class ProtoSchema final : public Schema {
 public:
  explicit ProtoSchema(const SchemaSources& sources, std::vector<std::string>* errors)
      : collector_(&tree_, errors) {
    for (const std::string& path : sources.import_paths) tree_.MapPath("", path);
    if (sources.import_paths.empty()) tree_.MapPath("", ".");
    database_.RecordErrorsTo(&collector_);
  }

  bool Read(const SchemaSources& sources, std::vector<std::string>* errors) {
    std::vector<std::string> names;
    for (const std::string& path : sources.protos) {
      const Result<std::string> name = NameOf(path, sources.import_paths.empty());
      if (name) {
        names.push_back(*name);
      } else {
        errors->push_back(path + ": error: " + name.error().message());
      }
    }
    const bool built = Build(&database_, database_.GetValidationErrorCollector(), names);
    return built && names.size() == sources.protos.size();
  }

 private:
  // Returns the file's name as an import statement would spell it.
  Result<std::string> NameOf(const std::string& path, bool default_paths) {
    std::string name;
    std::string shadow;
    switch (tree_.DiskFileToVirtualFile(path, &name, &shadow)) {
      case DiskSourceTree::SUCCESS:
        return name;
      case DiskSourceTree::SHADOWED:
        return Status(
            StatusCode::kInvalidArgument,
            "hidden by " + shadow + ", which an earlier -I finds; change the order of -I");
      case DiskSourceTree::CANNOT_OPEN:
        return InAnImportPath(path, errno);
      case DiskSourceTree::NO_MAPPING:
        break;
    }
    std::error_code error;
    const std::filesystem::path disk(path);
    if (!std::filesystem::exists(disk, error)) return InAnImportPath(path, ENOENT);
    if (!default_paths) {
      return Status(StatusCode::kInvalidArgument,
                    "not below any -I directory; add its directory with -I");
    }
    const auto below = std::filesystem::absolute(disk, error)
                           .lexically_proximate(std::filesystem::current_path(error));
    if (*below.begin() != "..") return below.string();
    tree_.MapPath("", disk.parent_path().string());
    return disk.filename().string();
  }

  // Accepts a name relative to an import path, as in an import statement.
  Result<std::string> InAnImportPath(const std::string& name, int error_number) {
    std::string disk;
    if (tree_.VirtualFileToDiskFile(name, &disk)) return name;
    return Status(StatusCode::kNotFound, std::strerror(error_number));
  }

  DiskSourceTree tree_;
  FileErrorCollector collector_;
  google::protobuf::DescriptorPoolDatabase own_{
      *google::protobuf::DescriptorPool::generated_pool()};
  // Protobuf's own files are built in. They are used if no import path has them.
  google::protobuf::compiler::SourceTreeDescriptorDatabase database_{&tree_, &own_};
};

}  // namespace

std::unique_ptr<Schema> Schema::LoadProtoFiles(const SchemaSources& sources,
                                               std::vector<std::string>* errors) {
  for (const std::string& path : sources.import_paths) {
    std::error_code error;
    if (!std::filesystem::is_directory(path, error))
      errors->push_back(path + ": error: not a directory; give -I a directory");
  }
  if (!errors->empty()) return nullptr;
  auto schema = std::make_unique<ProtoSchema>(sources, errors);
  if (!schema->Read(sources, errors)) return nullptr;
  return schema;
}

}  // namespace ttrpc::tool
