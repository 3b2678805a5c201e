// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/io/gzip_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <poll.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <utility>

#include "invalid.h"
#include "schema.h"
#include "text/escape.h"
#include "ttrpc/unique_fd.h"

namespace ttrpc::tool {
namespace {

using google::protobuf::DescriptorPool;
using google::protobuf::FileDescriptorProto;
using google::protobuf::FileDescriptorSet;

// The limit for a set in bytes, also after it has been unpacked: a small gzip file may expand to
// more than the memory holds.
constexpr size_t kLongestSet = 128U << 20;
constexpr size_t kReadSize = 64U << 10;

constexpr std::string_view kGzip = "\x1F\x8B";  // no descriptor set begins with these bytes

// Appends what the file contains, or the first bytes of it if it is longer than kLongestSet.
Status ReadAll(int fd, std::string* bytes) {
  std::string piece(kReadSize, '\0');
  while (bytes->size() <= kLongestSet) {
    const ssize_t n = ::read(fd, piece.data(), piece.size());
    if (n == 0) break;
    if (n > 0) {
      bytes->append(piece, 0, static_cast<size_t>(n));
    } else if (errno == EAGAIN) {
      pollfd readable{.fd = fd, .events = POLLIN, .revents = 0};
      ::poll(&readable, 1, -1);
    } else if (errno != EINTR) {
      return Invalid(std::strerror(errno));
    }
  }
  return {};
}

// Replaces the contents of a gzip file by the unpacked ones, or by the first bytes of them if they
// are longer than kLongestSet. Returns false if the file is damaged.
bool Unpack(std::string* bytes) {
  google::protobuf::io::ArrayInputStream packed(bytes->data(), static_cast<int>(bytes->size()));
  google::protobuf::io::GzipInputStream gzip(&packed, google::protobuf::io::GzipInputStream::GZIP);
  std::string unpacked;
  const void* data = nullptr;
  int size = 0;
  bool ended = false;
  while (unpacked.size() <= kLongestSet && gzip.Next(&data, &size)) {
    unpacked.append(static_cast<const char*>(data), static_cast<size_t>(size));
    ended = gzip.ZlibErrorCode() == Z_STREAM_END;
  }
  *bytes = std::move(unpacked);
  return ended && gzip.ZlibErrorCode() >= Z_OK;
}

Status ReadSet(const std::string& path, FileDescriptorSet* set) {
  UniqueFd file;
  if (path != kStandardInput) {
    file = UniqueFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file) return Invalid(std::strerror(errno));
  }
  std::string bytes;
  Status status = ReadAll(file ? file.get() : STDIN_FILENO, &bytes);
  if (!status.ok()) return status;
  const bool packed = bytes.starts_with(kGzip) && bytes.size() <= kLongestSet;
  const bool whole = !packed || Unpack(&bytes);
  if (bytes.size() > kLongestSet)
    return Invalid("longer than " + std::to_string(kLongestSet >> 20) + " MiB");
  if (whole && set->ParseFromString(bytes)) return {};
  return Invalid(std::string("not a descriptor set") + (packed ? ", or a damaged gzip file" : "") +
                 "; write one with protoc -o");
}

std::string NameOfSet(const std::string& path) {
  return path == kStandardInput ? "standard input" : path;
}

// Protobuf 3.21 builds no file of a newer syntax.
bool IsNewer(const FileDescriptorProto& file) {
  return !file.syntax().empty() && file.syntax() != "proto2" && file.syntax() != "proto3";
}

// Files by name, from any number of descriptor sets.
class Database final : public google::protobuf::DescriptorDatabase {
 public:
  // Appends a line to `errors` for everything that is wrong with the set.
  void AddSet(const std::string& path, std::vector<std::string>* errors) {
    const std::string set_name = NameOfSet(path);
    FileDescriptorSet set;
    if (const Status status = ReadSet(path, &set); !status.ok()) {
      errors->push_back(set_name + ": error: " + status.message());
      return;
    }
    for (FileDescriptorProto& file : *set.mutable_file()) {
      const auto there = files_.find(file.name());
      if (there == files_.end()) {
        std::string name = file.name();
        files_.emplace(std::move(name), File{std::move(file), set_name});
      } else if (!Same(there->second.proto, file)) {
        errors->push_back(Differs(set_name, there->second));
      }
    }
  }

  // Removes the files of a newer syntax and all files that import them. Returns a line for each of
  // the former. Each of the latter is counted in one line.
  std::vector<std::string> LeaveOutNewer() {
    std::map<std::string, File> newer;
    Importers importers;
    for (auto next = files_.begin(); next != files_.end();) {
      const auto at = next++;
      const auto& [name, file] = *at;
      for (const std::string& import : file.proto.dependency()) importers[import].push_back(name);
      if (!IsNewer(file.proto)) continue;
      if (IsProtobufs(name)) {
        files_.erase(at);  // the built-in file replaces it
      } else {
        newer.insert(files_.extract(at));
      }
    }
    std::vector<std::pair<std::string, std::string>> left_out;
    for (const auto& [name, file] : newer) {
      const std::string syntax = text::QuoteShort(file.proto.syntax());
      const size_t others = RemoveImporters(name, importers);
      std::string what = name + " is left out";
      what.append(WithImporters(others))
          .append(", because this program does not know the syntax ")
          .append(syntax)
          .append("; write the set from a copy of the file with syntax = \"proto3\"");
      left_out.emplace_back(file.set, std::move(what));
    }
    std::vector<std::string> lines;
    lines.reserve(left_out.size());
    const char* const kind = files_.empty() ? ": error: " : ": warning: ";
    for (const auto& [set, what] : left_out) {
      std::string& line = lines.emplace_back(set);
      line.append(kind).append(what);
    }
    return lines;
  }

  // Returns a line for each import that is neither in a set nor one of protobuf's own files.
  std::vector<std::string> Missing() const {
    std::vector<std::string> lines;
    for (const auto& [name, file] : files_) {
      for (const std::string& import : file.proto.dependency()) {
        if (files_.contains(import) || IsProtobufs(import)) continue;
        std::string line = file.set;
        line.append(": error: ").append(name).append(" imports ").append(import);
        line += ", which is in no descriptor set; add it with protoc --include_imports";
        lines.push_back(std::move(line));
      }
    }
    return lines;
  }

  std::vector<std::string> Names() const {
    std::vector<std::string> names;
    for (const auto& [name, file] : files_) names.push_back(name);
    return names;
  }

  bool FindFileByName(const std::string& name, FileDescriptorProto* out) override {
    const auto found = files_.find(name);
    if (found != files_.end()) {
      *out = found->second.proto;
      return true;
    }
    const auto* own = DescriptorPool::generated_pool()->FindFileByName(name);
    if (own != nullptr) own->CopyTo(out);
    return own != nullptr;
  }
  // Look-ups by symbol are not needed, because all files are loaded by name first.
  bool FindFileContainingSymbol(const std::string&, FileDescriptorProto*) override { return false; }
  bool FindFileContainingExtension(const std::string&, int, FileDescriptorProto*) override {
    return false;
  }

 private:
  struct File {
    FileDescriptorProto proto;
    std::string set;
  };

  static std::string WithImporters(size_t count) {
    if (count == 0) return "";
    return count == 1 ? ", with a file that imports it"
                      : ", with " + std::to_string(count) + " files that import it";
  }

  // The files that import a file, by the name of the latter.
  using Importers = std::map<std::string, std::vector<std::string>>;

  // Removes all files that import a file, directly or not. Returns their number.
  size_t RemoveImporters(const std::string& name, const Importers& importers) {
    std::vector<std::string> names = {name};
    for (size_t i = 0; i < names.size(); ++i) {
      const auto found = importers.find(names[i]);
      if (found == importers.end()) continue;
      for (const std::string& importer : found->second) {
        if (files_.erase(importer) > 0) names.push_back(importer);
      }
    }
    return names.size() - 1;
  }
  static std::string Differs(const std::string& set, const File& there) {
    return set + ": error: " + there.proto.name() + " differs from the one in " + there.set +
           "; give only one of them";
  }
  static bool IsProtobufs(const std::string& name) {
    return DescriptorPool::generated_pool()->FindFileByName(name) != nullptr;
  }
  // Ignores what depends on how a set was written: comments; unknown fields, in which buf notes for
  // example that a file was only imported; and whether the syntax "proto2" is spelled out.
  // Protobuf's own files differ between its versions, and any version will do.
  static bool Same(FileDescriptorProto a, FileDescriptorProto b) {
    if (IsProtobufs(a.name())) return true;
    for (FileDescriptorProto* file : {&a, &b}) {
      file->clear_source_code_info();
      file->DiscardUnknownFields();
      if (file->syntax() == "proto2") file->clear_syntax();
    }
    return a.SerializeAsString() == b.SerializeAsString();
  }

  std::map<std::string, File> files_;
};

class Collector final : public DescriptorPool::ErrorCollector {
 public:
  void AddError(const std::string& file, const std::string& element,
                const google::protobuf::Message*, ErrorLocation,
                const std::string& message) override {
    lines_.push_back(file + ": error: " + element + ": " + message);
  }

  // Returns the lines so far and forgets them.
  std::vector<std::string> Take() { return std::exchange(lines_, {}); }

 private:
  std::vector<std::string> lines_;
};

class SetSchema final : public Schema {
 public:
  bool Read(const std::vector<std::string>& paths, std::vector<std::string>* errors) {
    if (std::count(paths.begin(), paths.end(), kStandardInput) > 1) {
      errors->push_back(NameOfSet(std::string(kStandardInput)) +
                        ": error: given more than once; give it once");
      return false;
    }
    for (const std::string& path : paths) database_.AddSet(path, errors);
    if (!errors->empty()) return false;
    *errors = database_.LeaveOutNewer();
    const std::vector<std::string> names = database_.Names();
    if (!errors->empty() && names.empty()) return false;
    const std::vector<std::string> missing = database_.Missing();
    errors->insert(errors->end(), missing.begin(), missing.end());
    if (!missing.empty()) return false;
    const bool built = Build(&database_, &collector_, names);
    for (std::string& line : collector_.Take()) errors->push_back(std::move(line));
    return built;
  }

 private:
  Database database_;
  Collector collector_;
};

}  // namespace

std::unique_ptr<Schema> Schema::LoadDescriptorSets(const std::vector<std::string>& paths,
                                                   std::vector<std::string>* errors) {
  auto schema = std::make_unique<SetSchema>();
  if (!schema->Read(paths, errors)) return nullptr;
  return schema;
}

}  // namespace ttrpc::tool
