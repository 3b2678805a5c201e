// SPDX-License-Identifier: Apache-2.0
//
// PathWatch: opens a directory that may come later, or go and come again. It watches each directory
// on the way to it that exists, so that a change of any part of the path is noticed. On the
// follower's thread.
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

  // Returns the directory as an O_PATH descriptor, or none if it is not there. Symbolic links on
  // the way are followed, since the administrator wrote the path. Each directory is watched before
  // the next one is opened, so that nothing is missed.
  ttrpc::UniqueFd Resolve();

  // A part of the path may have changed since Resolve().
  bool changed() const { return changed_; }
  // Whether the last Resolve() found that the directory is not there. False after other errors.
  bool absent() const { return absent_; }
  // Returns why the last Resolve() found no directory, if that is more than its absence.
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
