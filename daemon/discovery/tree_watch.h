// SPDX-License-Identifier: Apache-2.0
//
// TreeWatch: follows the directories at a fixed depth below a directory, such as
// ROOT/NAMESPACE/ID, and some of the files in them. It reports what is there and each change, and
// never polls. Each directory is watched before it is listed, so that nothing is missed between the
// two. Events only mark what may have changed; HandleChanges() then examines it. Names that begin
// with "." are not there, and links below the root are not followed. On the follower's thread.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "discovery/inotify.h"
#include "discovery/path_watch.h"
#include "discovery/trusted_file.h"
#include "ttrpc/status.h"
#include "ttrpc/unique_fd.h"

namespace proxyd {

class TreeWatch {
 public:
  using Names = std::vector<std::string>;  // from the root to a directory
  using Changed = std::set<std::string>;   // names of files

  // No function may call the TreeWatch.
  class Sink {
   public:
    // A directory at the depth exists; `directory` is open during the call. `changed` has the files
    // that may have changed since the last call. Null: any file may have changed.
    virtual void OnDirectory(const Names& names, int directory, const Changed* changed) = 0;
    // A directory for which OnDirectory() or OnProblem() was called is gone.
    virtual void OnDirectoryGone(const Names& names) = 0;
    // A directory cannot be followed until Retry() succeeds. It may be one above the depth. Not
    // called if a resource ran out and the directory was reported before.
    virtual void OnProblem(const Names& names, const std::string& what) = 0;

   protected:
    ~Sink() = default;
  };

  struct Options {
    std::string root;  // an absolute path
    size_t depth = 0;  // 0: the root itself is the directory to report
    // Whether a change of this file is reported.
    std::function<bool(std::string_view name)> is_file;
  };

  // `inotify` and `sink` must outlive this object. Destroying it reports nothing.
  TreeWatch(Inotify& inotify, Options options, Sink& sink);
  ~TreeWatch();
  TreeWatch(const TreeWatch&) = delete;
  TreeWatch& operator=(const TreeWatch&) = delete;

  // Examines everything: at the start, and after events were lost.
  void Scan();
  // Examines what the events since the last call have marked.
  void HandleChanges();
  // Examines again what could not be followed. A resource may be free again.
  void Retry();
  // Whether there is something for Retry().
  bool incomplete() const { return rescan_ || !failed_.empty(); }
  // Reports a directory at the depth again, in the next call of HandleChanges() or Retry().
  void Report(const Names& names);
  // Reports all directories at the depth again, with all of their files.
  void ReportAll();

 private:
  struct Node;

  void RefreshRoot();
  void Handle(Node& node);
  void HandleMarks(Node& node, int directory);
  void Enter(Node& node, int directory);
  void List(Node& node, int directory);
  void Visit(Node& parent, int directory, const std::string& name);
  void Fail(Node& node, const ttrpc::Status& problem);
  void Drop(Node& node);
  void DropChild(Node& parent, const std::string& name);
  void MarkAll(Node& node);
  ttrpc::UniqueFd Open(Node& node);
  static Names NamesOf(const Node& node);
  bool IsLeaf(const Node& node) const;

  Inotify& inotify_;
  const Options options_;
  Sink& sink_;
  PathWatch path_;
  std::unique_ptr<Node> root_;
  std::set<Node*> marked_;
  std::set<Node*> failed_;
  bool scanning_ = false;  // in Scan(): directories that are known are entered again
  bool rescan_ = false;    // the last scan did not reach everything
};

}  // namespace proxyd
