// SPDX-License-Identifier: Apache-2.0
//
// LoadConfig: reads the files of the configuration. This is a gate: it refuses a file that any user
// but root and our own could have written. It blocks; any thread may call it.
#include "config/load.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <memory>
#include <string_view>
#include <utility>

#include "config/file_writers.h"
#include "config/readers.h"
#include "ttrpc/status.h"
#include "ttrpc/unique_fd.h"

namespace proxyd {
namespace {

using ttrpc::ErrnoStatus;
using ttrpc::Result;
using ttrpc::Status;
using ttrpc::StatusCode;
using ttrpc::UniqueFd;

Status Refuse(std::string message) { return {StatusCode::kPermissionDenied, std::move(message)}; }

// The message follows `the file` or `the directory`, as do those of CheckWriters().
Status CannotOpen(int error) {
  Status status = ErrnoStatus(error, "cannot be opened");
  if (error == ENOENT) return {status.code(), status.message() + "; check the path"};
  if (error == EACCES)
    return {status.code(), status.message() + "; run as a user that may read it"};
  return status;
}

Result<std::string> ReadAll(int fd) {
  std::string text;
  for (;;) {
    constexpr size_t kStep = size_t{64} << 10;
    const size_t had = text.size();
    text.resize(had + kStep);
    ssize_t count = 0;
    do {
      count = read(fd, text.data() + had, kStep);
    } while (count < 0 && errno == EINTR);
    if (count < 0) return ErrnoStatus(errno, "cannot be read");
    text.resize(had + static_cast<size_t>(count));
    if (count == 0) return text;
    if (text.size() > kMaxConfigFile) {
      return Refuse("is larger than 16 MiB; move parts of it to conf.d");
    }
  }
}

// Reads the file `name` in `directory`, which may be AT_FDCWD.
Result<std::string> ReadFile(int directory, const std::string& name) {
  // The flags keep open() from waiting for the writer of a FIFO and from taking a terminal. The
  // type of the file is checked after that.
  const UniqueFd fd(openat(directory, name.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!fd) return CannotOpen(errno);
  struct stat info {};
  if (fstat(fd.get(), &info) != 0) return ErrnoStatus(errno, "cannot be examined");
  if (!S_ISREG(info.st_mode)) return Refuse("is not a regular file; use a regular file");
  if (Status status = CheckWriters(fd.get()); !status.ok()) return status;
  return ReadAll(fd.get());
}

struct CloseDirectory {
  void operator()(DIR* directory) const { closedir(directory); }
};

// The directory conf.d, opened and checked, with the names of the files to read. The stream is null
// if the directory does not exist.
struct Folder {
  std::unique_ptr<DIR, CloseDirectory> directory;
  std::vector<std::string> names;
};

Status ListNames(Folder* folder) {
  for (;;) {
    errno = 0;
    const dirent* entry = readdir(folder->directory.get());  // NOLINT: the stream is ours alone
    if (entry == nullptr) break;
    const std::string_view name = entry->d_name;
    // Hidden files are left behind by editors.
    if (!name.starts_with('.') && name.ends_with(".toml")) folder->names.emplace_back(name);
  }
  if (errno != 0) return ErrnoStatus(errno, "cannot be read");
  std::sort(folder->names.begin(), folder->names.end());
  return {};
}

Result<Folder> OpenFolder(const std::string& path) {
  UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_DIRECTORY));
  if (!fd) {
    if (errno == ENOENT) return Folder{};
    return CannotOpen(errno);
  }
  if (Status status = CheckWriters(fd.get()); !status.ok() && !IsReadOnlyForAll(fd.get()))
    return status;
  Folder folder;
  folder.directory.reset(fdopendir(fd.get()));
  if (!folder.directory) return ErrnoStatus(errno, "cannot be read");
  (void)fd.release();  // the stream owns it now
  if (Status status = ListNames(&folder); !status.ok()) return status;
  return folder;
}

// Collects the files that could be read, and the errors of the others.
class Collector {
 public:
  void Add(int directory, const std::string& name, std::string shown) {
    order_.push_back(shown);
    auto text = ReadFile(directory, name);
    if (text) {
      files_.push_back({std::move(shown), std::move(*text)});
    } else {
      Fail(std::move(shown), "the file ", text.error());
    }
  }

  // Checks the directory of the main file. If the directory cannot be examined, the file in it has
  // an error of its own.
  void CheckFolder(const std::string& path) {
    const Status status = CheckWriters(path);
    if (status.code() != StatusCode::kPermissionDenied || IsReadOnlyForAll(path)) return;
    order_.push_back(path);
    Fail(path, "the directory ", status);
  }

  void AddFolder(const std::string& path) {
    const auto folder = OpenFolder(path);
    if (!folder) {
      order_.push_back(path);
      Fail(path, "the directory ", folder.error());
      return;
    }
    for (const std::string& name : folder->names) {
      std::string shown = path;
      shown.append("/").append(name);
      Add(dirfd(folder->directory.get()), name, std::move(shown));
    }
  }

  LoadedConfig Parse(NameResolver* names) {
    LoadedConfig loaded = ParseFiles(files_, errors_.empty(), names);
    loaded.errors.insert(loaded.errors.end(), errors_.begin(), errors_.end());
    SortErrors(order_, &loaded.errors);
    return loaded;
  }

 private:
  void Fail(std::string path, const std::string& subject, const Status& status) {
    errors_.push_back({SourcePosition{.file = std::move(path)}, subject + status.message()});
  }

  std::vector<std::string> order_;
  std::vector<ConfigFile> files_;
  std::vector<ConfigError> errors_;
};

}  // namespace

LoadedConfig LoadConfig(const std::string& path, NameResolver& names) {
  const size_t slash = path.rfind('/');
  const std::string folder = slash == path.npos ? "" : path.substr(0, slash + 1);
  Collector collector;
  collector.Add(AT_FDCWD, path, path);
  collector.CheckFolder(std::filesystem::path(path).parent_path().empty()
                            ? "."
                            : std::filesystem::path(path).parent_path().string());
  collector.AddFolder(folder + "conf.d");
  return collector.Parse(&names);
}

}  // namespace proxyd
