// SPDX-License-Identifier: Apache-2.0
//
// A directory as a source: each socket in it is a workload, whose id is the name of its file. Links
// do not count, since they would lead out of the directory.
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <set>
#include <string>
#include <system_error>
#include <utility>

#include "discovery/source.h"
#include "discovery/tree_watch.h"
#include "ttrpc/unique_fd.h"

namespace proxyd {
namespace {

// Other users may be able to write to the directory. Each workload takes a descriptor, of which
// they must not take all.
constexpr size_t kMostSockets = 4096;

class DirectorySource final : public Source, TreeWatch::Sink {
 public:
  DirectorySource(const DiscoveryConfig& config, Inotify& inotify, Findings& findings)
      : path_(config.directories.front()),
        findings_(findings),
        tree_(inotify,
              {.root = path_,
               .depth = 0,
               .is_file = [](std::string_view name) { return !name.starts_with('.'); }},
              *this) {}

  void Start() override { tree_.Scan(); }
  void AfterEvents(bool lost) override { lost ? tree_.Scan() : tree_.HandleChanges(); }
  void Retry() override {
    if (unlisted_) tree_.Report({});
    tree_.Retry();
  }
  bool incomplete() const override { return unlisted_ || tree_.incomplete(); }

 private:
  void OnDirectory(const TreeWatch::Names&, int directory,
                   const TreeWatch::Changed* changed) override {
    if (changed == nullptr) return List(directory);
    for (const std::string& name : *changed) Examine(directory, name);
  }

  void OnDirectoryGone(const TreeWatch::Names&) override {
    unlisted_ = false;
    for (const std::string& name : std::exchange(here_, {})) findings_.Gone({.id = name});
  }

  void OnProblem(const TreeWatch::Names&, const std::string& what) override {
    findings_.Problem(path_ + ": " + what);
  }

  void List(int directory) {
    unlisted_ = true;
    ttrpc::UniqueFd file(::openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    DIR* const stream = file ? ::fdopendir(file.get()) : nullptr;
    if (stream == nullptr) {
      return findings_.Problem(path_ + ": " + std::generic_category().message(errno));
    }
    static_cast<void>(file.release());  // the stream owns it
    unlisted_ = false;
    std::set<std::string> names = here_;  // those that are gone are examined, too
    while (const dirent* const entry = ::readdir(stream)) {
      if (entry->d_name[0] != '.') names.insert(entry->d_name);
    }
    ::closedir(stream);
    for (const std::string& name : names) Examine(directory, name);
  }

  void Examine(int directory, const std::string& name) {
    struct stat info {};
    const int flags = AT_SYMLINK_NOFOLLOW;
    if (::fstatat(directory, name.c_str(), &info, flags) != 0 || !S_ISSOCK(info.st_mode)) {
      if (here_.erase(name) != 0) findings_.Gone({.id = name});
      return;
    }
    if (here_.contains(name)) return;  // its address is the same
    if (here_.size() >= kMostSockets) {
      unlisted_ = true;  // tried again, since some of those that are here may go
      return findings_.Problem(path_ + ": has more than " + std::to_string(kMostSockets) +
                               " sockets; the others are left out");
    }
    here_.insert(name);
    Workload workload{.key = {.id = name}};
    ttrpc::Result<ttrpc::Address> address = ttrpc::Address::Parse("unix://" + path_ + "/" + name);
    if (address) {
      workload.address = *std::move(address);
    } else {
      workload.why = address.error().message();
    }
    findings_.Here(std::move(workload));
  }

  const std::string path_;
  Findings& findings_;
  std::set<std::string> here_;  // names
  bool unlisted_ = false;       // the directory could not be listed, or has too many sockets
  TreeWatch tree_;
};

}  // namespace

std::unique_ptr<Source> NewDirectorySource(const DiscoveryConfig& config, Inotify& inotify,
                                           Findings& findings) {
  return std::make_unique<DirectorySource>(config, inotify, findings);
}

}  // namespace proxyd
