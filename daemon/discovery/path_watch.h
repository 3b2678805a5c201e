// SPDX-License-Identifier: Apache-2.0
//
// PathWatch: opens a directory that may be created later, or removed and created again. It watches
// each existing directory on the way to it, so that it notices a change of any part of the path. On
// the follower's thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "discovery/inotify.h"
#include "ttrpc/status.h"
#include "ttrpc/unique_fd.h"

namespace proxyd {

class PathWatch {
 public:
  // `path` is absolute. `inotify` must outlive this object.
  PathWatch(Inotify& inotify, std::string path) : inotify_(inotify), path_(std::move(path)) {}

  // Returns the directory as an O_PATH descriptor, or none if it does not exist. Symbolic links on
  // the way are followed, since the administrator wrote the path. Each directory is watched before
  // the next one is opened, so that nothing is missed.
  ttrpc::UniqueFd Resolve();

  // A part of the path may have changed since Resolve().
  bool changed() const { return changed_; }
  // Whether the last Resolve() found that the directory does not exist. False after other errors.
  bool absent() const { return absent_; }
  // Returns the error of the last Resolve(). A missing directory alone is not an error.
  const ttrpc::Status& problem() const { return problem_; }
  const std::string& path() const { return path_; }

 private:
  // A directory on the way, and the name of the next part of the path in it.
  struct Part final : Inotify::Watcher {
    Part(PathWatch& path, std::string next) : owner(path), name(std::move(next)) {}
    void OnEvent(const Inotify::Event& event) override;

    PathWatch& owner;
    const std::string name;
    Inotify::Watch watch;
  };

  Inotify& inotify_;
  const std::string path_;
  std::vector<std::unique_ptr<Part>> parts_;
  bool changed_ = false;
  bool absent_ = false;
  ttrpc::Status problem_;
};

}  // namespace proxyd
