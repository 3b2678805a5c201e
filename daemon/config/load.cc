// SPDX-License-Identifier: Apache-2.0
//
// LoadConfig: the files of the configuration. A gate: what a user other than root and our own could
// have written is not read. Blocks; any thread.
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
      return Refuse("is too long, expected at most 16 MiB");
    }
  }
}

// The text of `name` in the folder `directory` (or AT_FDCWD).
Result<std::string> ReadFile(int directory, const std::string& name) {
  // Not to wait for the writer of a FIFO, nor to take a terminal: what it is, is looked at after.
  const UniqueFd fd(openat(directory, name.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!fd) return ErrnoStatus(errno, "cannot be opened");
  struct stat info {};
  if (fstat(fd.get(), &info) != 0) return ErrnoStatus(errno, "cannot be examined");
  if (!S_ISREG(info.st_mode)) return Refuse("is not a regular file, expected one");
  if (Status status = CheckWriters(fd.get()); !status.ok()) return status;
  return ReadAll(fd.get());
}

struct CloseDirectory {
  void operator()(DIR* directory) const { closedir(directory); }
};

// conf.d, opened and checked, with the names in it that count; closed if there is no such folder.
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
    // Hidden files are what editors leave behind.
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
    return ErrnoStatus(errno, "cannot be opened");
  }
  if (Status status = CheckWriters(fd.get()); !status.ok() && !IsReadOnlyForAll(fd.get()))
    return status;
  Folder folder;
  folder.directory.reset(fdopendir(fd.get()));
  if (!folder.directory) return ErrnoStatus(errno, "cannot be read");
  (void)fd.release();  // the stream's now
  if (Status status = ListNames(&folder); !status.ok()) return status;
  return folder;
}

// The files read so far, and what was wrong with the others.
class Collector {
 public:
  void Add(int directory, const std::string& name, std::string shown) {
    order_.push_back(shown);
    auto text = ReadFile(directory, name);
    if (text) {
      files_.push_back({std::move(shown), std::move(*text)});
    } else {
      Fail(std::move(shown), text.error());
    }
  }

  // Of the main file. What cannot be examined, the file in it has an error for.
  void CheckFolder(const std::string& path) {
    const Status status = CheckWriters(path);
    if (status.code() != StatusCode::kPermissionDenied || IsReadOnlyForAll(path)) return;
    order_.push_back(path);
    Fail(path, status);
  }

  void AddFolder(const std::string& path) {
    const auto folder = OpenFolder(path);
    if (!folder) {
      order_.push_back(path);
      Fail(path, folder.error());
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
  void Fail(std::string file, const Status& status) {
    errors_.push_back({SourcePosition{.file = std::move(file)}, status.message()});
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
