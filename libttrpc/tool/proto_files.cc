// SPDX-License-Identifier: Apache-2.0
#include <google/protobuf/compiler/importer.h>
#include <google/protobuf/io/tokenizer.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <map>
#include <memory>
#include <system_error>
#include <utility>

#include "invalid.h"
#include "schema.h"

namespace ttrpc::tool {
namespace {

namespace fs = std::filesystem;
namespace io = google::protobuf::io;

using google::protobuf::compiler::DiskSourceTree;

class IgnoreErrors final : public io::ErrorCollector {
 public:
  void AddError(int, io::ColumnNumber, const std::string&) override {}
};

// Returns the word at a position, which counts from 0, or an empty string.
std::string WordAt(DiskSourceTree* tree, const std::string& file, int line, int column) {
  const std::unique_ptr<io::ZeroCopyInputStream> text(tree->Open(file));
  if (!text) return "";
  IgnoreErrors ignored;
  io::Tokenizer tokenizer(text.get(), &ignored);
  while (tokenizer.Next()) {
    const io::Tokenizer::Token& word = tokenizer.current();
    if (word.line == line && word.column == column) return word.text;
    if (word.line > line) break;
  }
  return "";
}

// Replaces the advice of protobuf's message about an option that it does not know. The names of
// custom options are in parentheses.
std::string WithAdvice(const std::string& message) {
  const size_t end = message.find(" unknown. Ensure that");
  if (!message.starts_with("Option \"") || message.starts_with("Option \"(") ||
      end == std::string::npos) {
    return message;
  }
  return message.substr(0, end) +
         " unknown; if this program is older than the option, use --descriptor-set with a set that "
         "a newer protoc or buf build wrote";
}

// Formats errors as lines, with the names that the files have on disk.
class FileErrorCollector final : public google::protobuf::compiler::MultiFileErrorCollector {
 public:
  // `tree` must outlive the collector.
  explicit FileErrorCollector(DiskSourceTree* tree) : tree_(tree) {}

  // `line` and `column` count from 0. A line of -1 stands for the whole file.
  void AddError(const std::string& file, int line, int column,
                const std::string& message) override {
    // An edition is the first statement of a file, so no later error is about it.
    const auto [entry, first] = files_.try_emplace(file);
    File& seen = entry->second;
    if (first) {
      if (!tree_->VirtualFileToDiskFile(file, &seen.disk)) seen.disk = file;
      seen.has_edition = message.starts_with("Expected top-level statement") &&
                         WordAt(tree_, file, line, column) == "edition";
    } else if (seen.has_edition) {
      return;  // the error follows from the edition
    }
    std::string text = seen.disk + ":";
    if (line >= 0) text += std::to_string(line + 1) + ":" + std::to_string(column + 1) + ":";
    text += " error: ";
    text += seen.has_edition ? "this program does not know editions; use a copy of the file with "
                               "syntax = \"proto3\" instead of the edition"
                             : WithAdvice(message);
    lines_.push_back(std::move(text));
  }

  // Returns the lines so far and forgets them.
  std::vector<std::string> Take() { return std::exchange(lines_, {}); }

 private:
  struct File {
    std::string disk;  // its name on disk
    bool has_edition = false;
  };

  std::map<std::string, File> files_;  // the files with errors, by the names in imports
  DiskSourceTree* tree_;
  std::vector<std::string> lines_;
};

// Returns the path of `file` relative to a directory above it, or an empty path. The directories
// themselves are compared, because their names may be relative, absolute or contain links.
fs::path Below(const fs::path& file, const fs::path& directory) {
  std::error_code error;
  for (fs::path above = file.parent_path(); !above.empty(); above = above.parent_path()) {
    if (fs::equivalent(above, directory, error)) {
      const fs::path below = file.lexically_relative(above);
      return std::find(below.begin(), below.end(), "..") == below.end() ? below.lexically_normal()
                                                                        : fs::path();
    }
    if (above == above.root_path()) break;
  }
  return {};
}

class ProtoSchema final : public Schema {
 public:
  explicit ProtoSchema(const SchemaSources& sources)
      : default_paths_(sources.import_paths.empty()) {
    for (const std::string& path : sources.import_paths) AddImportPath(path);
    if (default_paths_) AddImportPath(".");
    database_.RecordErrorsTo(&collector_);
  }

  bool Read(const SchemaSources& sources, std::vector<std::string>* errors) {
    std::vector<std::string> names;
    for (const std::string& path : sources.protos) {
      const Result<std::string> name = NameOf(path);
      if (name) {
        names.push_back(*name);
      } else {
        errors->push_back(path + ": error: " + name.error().message());
      }
    }
    const bool built = Build(&database_, database_.GetValidationErrorCollector(), names);
    for (std::string& line : collector_.Take()) errors->push_back(std::move(line));
    return built && names.size() == sources.protos.size();
  }

 private:
  void AddImportPath(const std::string& path) {
    tree_.MapPath("", path);
    import_paths_.push_back(path);
  }

  // Returns the file's name as an import statement would spell it.
  Result<std::string> NameOf(const std::string& path) {
    std::error_code error;
    const fs::file_status status = fs::status(path, error);
    if (!fs::exists(status)) return InAnImportPath(path);
    if (fs::is_directory(status)) return Invalid(std::strerror(EISDIR));
    if (::access(path.c_str(), R_OK) != 0) return Invalid(std::strerror(errno));
    std::string name;
    std::string shadow;
    // The name as it is spelled decides, if it can.
    if (tree_.DiskFileToVirtualFile(path, &name, &shadow) != DiskSourceTree::NO_MAPPING)
      return Visible(name, path);
    for (const fs::path& spelling : {fs::absolute(path, error), fs::canonical(path, error)}) {
      for (const std::string& directory : import_paths_) {
        const fs::path below = Below(spelling, directory);
        if (!below.empty()) return Visible(below.string(), path);
      }
    }
    if (!default_paths_) return Invalid("not below any -I directory; add its directory with -I");
    const fs::path disk(path);
    AddImportPath(disk.parent_path().string());
    return Visible(disk.filename().string(), path);
  }

  // Returns `name` if it is found as the file `path`, and not as another one.
  Result<std::string> Visible(const std::string& name, const std::string& path) {
    std::error_code error;
    std::string found;
    if (!tree_.VirtualFileToDiskFile(name, &found)) return Invalid(tree_.GetLastErrorMessage());
    if (fs::equivalent(found, path, error)) return name;
    return Invalid("hidden by " + found +
                   (default_paths_ ? "; name the directory of this file with -I"
                                   : ", which an earlier -I finds; change the order of -I"));
  }

  // Accepts a name relative to an import path, as in an import statement.
  Result<std::string> InAnImportPath(const std::string& name) {
    std::string disk;
    if (tree_.VirtualFileToDiskFile(name, &disk)) return name;
    int error_number = ENOENT;
    for (const std::string& directory : import_paths_) {
      const fs::path path = fs::path(directory) / name;
      std::error_code error;
      if (fs::is_directory(path, error)) error_number = EISDIR;
      if (::access(path.c_str(), R_OK) != 0 && errno == EACCES) error_number = EACCES;
    }
    return Status(StatusCode::kNotFound, std::strerror(error_number));
  }

  const bool default_paths_;
  std::vector<std::string> import_paths_;
  DiskSourceTree tree_;
  FileErrorCollector collector_{&tree_};
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
  auto schema = std::make_unique<ProtoSchema>(sources);
  if (!schema->Read(sources, errors)) return nullptr;
  return schema;
}

}  // namespace ttrpc::tool
