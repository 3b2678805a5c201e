// SPDX-License-Identifier: Apache-2.0
#include "discovery/tree_watch.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <utility>

namespace proxyd {

using ttrpc::ErrnoStatus;
using ttrpc::Result;
using ttrpc::Status;
using ttrpc::StatusCode;
using ttrpc::UniqueFd;

namespace {

constexpr int kOpenDirectory = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

bool IsAbsence(int error) { return error == ENOENT || error == ENOTDIR || error == ELOOP; }

// A lack of descriptors, memory or watches says nothing about a directory. Errors without a code of
// their own (kUnknown) include these.
bool IsShortage(const Status& problem) {
  return problem.code() == StatusCode::kUnknown || problem.code() == StatusCode::kResourceExhausted;
}

std::optional<FoundFileId> IdOfOpen(int file) {
  struct stat info {};
  if (::fstat(file, &info) != 0) return std::nullopt;
  return FoundFileIdOf(info);
}

struct DirectoryCloser {
  void operator()(DIR* directory) const { ::closedir(directory); }
};

// Returns the names of the directories in an open directory.
Result<std::set<std::string>> ListDirectories(int directory) {
  UniqueFd file(::openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!file) return ErrnoStatus(errno, "cannot be listed");
  const std::unique_ptr<DIR, DirectoryCloser> stream(::fdopendir(file.get()));
  if (!stream) return ErrnoStatus(errno, "cannot be listed");
  static_cast<void>(file.release());  // the stream owns it
  std::set<std::string> names;
  while (true) {
    errno = 0;
    const dirent* const entry = ::readdir(stream.get());
    if (entry == nullptr) break;
    // Opening the name shows whether it is a directory, where the listing does not.
    const bool maybe = entry->d_type == DT_DIR || entry->d_type == DT_UNKNOWN;
    if (maybe && entry->d_name[0] != '.') names.insert(entry->d_name);
  }
  if (errno != 0) return ErrnoStatus(errno, "cannot be listed");
  return names;
}

}  // namespace

// A directory from the root down to the depth.
struct TreeWatch::Node final : Inotify::Watcher {
  Node(TreeWatch& owner, Node* above, const std::string& its_name)
      : tree(owner),
        parent(above),
        name(its_name),
        level(above == nullptr ? 0 : above->level + 1) {}

  void OnEvent(const Inotify::Event& event) override;

  TreeWatch& tree;
  Node* const parent;
  const std::string& name;  // the key in the parent's children, or the root's path
  const size_t level;
  FoundFileId id;        // inode 0: it could not be opened yet
  Inotify::Watch watch;  // none: the directory could not be watched yet
  std::map<std::string, std::unique_ptr<Node>> children;

  // The marks of events that HandleChanges() has not seen yet.
  bool dead = false;                  // the directory itself is gone from its place
  bool all = false;                   // anything in it may have changed
  std::map<std::string, bool> names;  // names that changed, and whether they were removed
};

void TreeWatch::Node::OnEvent(const Inotify::Event& event) {
  if ((event.mask & IN_MOVE_SELF) != 0) {
    // Handle() checks whether it is at its place. All watches of a directory are the same one, so
    // the event may be older than this node, and about the move that has brought the directory
    // here.
  } else if (event.IsEndOfDirectory()) {
    dead = true;
  } else if (tree.IsLeaf(*this)) {
    if (event.name.empty()) {
      all = true;  // its owner or mode has changed
    } else if (tree.options_.is_file(event.name)) {
      names[std::string(event.name)] |= event.IsRemoval();
    } else {
      return;
    }
  } else {
    const bool moves = (event.mask & (IN_CREATE | IN_MOVED_TO)) != 0 || event.IsRemoval();
    if (!moves || (event.mask & IN_ISDIR) == 0 || event.name.empty() || event.name[0] == '.') {
      return;
    }
    names[std::string(event.name)] |= event.IsRemoval();
  }
  tree.marked_.insert(this);
}

TreeWatch::TreeWatch(Inotify& inotify, Options options, Sink& sink)
    : inotify_(inotify), options_(std::move(options)), sink_(sink), path_(inotify, options_.root) {}

TreeWatch::~TreeWatch() = default;

bool TreeWatch::IsLeaf(const Node& node) const { return node.level == options_.depth; }

TreeWatch::Names TreeWatch::NamesOf(const Node& node) {
  Names names(node.level);
  for (const Node* at = &node; at->parent != nullptr; at = at->parent) {
    names[at->level - 1] = at->name;
  }
  return names;
}

void TreeWatch::Scan() {
  scanning_ = true;
  // The scan tries these, too, and what it cannot reach fails again.
  rescan_ = false;
  failed_.clear();
  RefreshRoot();
  scanning_ = false;
  HandleChanges();
}

void TreeWatch::HandleChanges() {
  if (path_.changed()) RefreshRoot();
  while (!marked_.empty()) Handle(*marked_.extract(marked_.begin()).value());
}

void TreeWatch::Retry() {
  if (rescan_) return Scan();
  for (Node* const node : std::exchange(failed_, {})) {
    node->all = true;
    marked_.insert(node);
  }
  HandleChanges();
}

void TreeWatch::Report(const Names& names) {
  Node* node = root_.get();
  for (const std::string& name : names) {
    if (node == nullptr) return;
    const auto found = node->children.find(name);
    node = found == node->children.end() ? nullptr : found->second.get();
  }
  if (node != nullptr) MarkAll(*node);
}

void TreeWatch::ReportAll() {
  if (root_) MarkAll(*root_);
  HandleChanges();
}

void TreeWatch::MarkAll(Node& node) {
  for (const auto& [name, child] : node.children) MarkAll(*child);
  if (!IsLeaf(node)) return;
  node.all = true;
  marked_.insert(&node);
}

void TreeWatch::RefreshRoot() {
  const UniqueFd directory = path_.Resolve();
  if (!directory) {
    // A lack of descriptors, for example, does not mean that the workloads are gone.
    if (root_ && path_.absent()) {
      Drop(*root_);
      root_.reset();
    }
    if (path_.problem().ok()) return;
    rescan_ = true;
    return sink_.OnProblem({}, path_.problem().message());
  }
  const std::optional<FoundFileId> id = IdOfOpen(directory.get());
  if (!id) return;  // fstat(2) fails only on a broken file system
  if (root_ && (root_->dead || root_->id != *id)) {
    Drop(*root_);
    root_.reset();
  } else if (root_ && !scanning_) {
    return;
  }
  if (!root_) root_ = std::make_unique<Node>(*this, nullptr, options_.root);
  root_->id = *id;
  Enter(*root_, directory.get());
}

// Opens the directory of a node again, since it is too costly to keep all of them open. Returns
// none and sets errno if it is not there, or is another one by now.
UniqueFd TreeWatch::Open(Node& node) {
  UniqueFd directory;
  if (node.parent == nullptr) {
    directory.reset(::open(options_.root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  } else if (const UniqueFd above = Open(*node.parent)) {
    directory.reset(::openat(above.get(), node.name.c_str(), kOpenDirectory));
  }
  if (!directory) return {};
  const std::optional<FoundFileId> id = IdOfOpen(directory.get());
  if (node.id.inode == 0 && id) node.id = *id;
  if (id != node.id) {
    directory.reset();
    errno = ENOENT;
  }
  return directory;
}

void TreeWatch::Handle(Node& node) {
  UniqueFd directory;
  int error = ENOENT;
  if (!node.dead) {
    directory = Open(node);
    error = errno;
  }
  if (directory) return HandleMarks(node, directory.get());
  if (!IsAbsence(error)) {
    node.all = true;
    return Fail(node, ErrnoStatus(error, "cannot be opened"));
  }
  node.dead = true;
  if (node.parent == nullptr) return RefreshRoot();
  node.parent->names[node.name] = true;
  marked_.insert(node.parent);
}

void TreeWatch::HandleMarks(Node& node, int directory) {
  const bool all = std::exchange(node.all, false);
  const std::map<std::string, bool> names = std::exchange(node.names, {});
  if (!node.watch || (all && IsLeaf(node))) return Enter(node, directory);
  if (IsLeaf(node)) {
    if (names.empty()) return;
    Changed changed;
    for (const auto& [name, removed] : names) changed.insert(changed.end(), name);
    return sink_.OnDirectory(NamesOf(node), directory, &changed);
  }
  for (const auto& [name, removed] : names) {
    if (removed) DropChild(node, name);
    Visit(node, directory, name);
  }
  if (all) List(node, directory);
}

// Watches a directory and reports what is in it. For one that is known already this does the same
// again; the old watch ends after the new one has begun, and is mostly the same.
void TreeWatch::Enter(Node& node, int directory) {
  Result<Inotify::Watch> watch = inotify_.Add(directory, node);
  if (!watch) return Fail(node, watch.error());
  node.watch = *std::move(watch);
  node.dead = false;
  failed_.erase(&node);
  if (IsLeaf(node)) {
    marked_.erase(&node);
    node.all = false;
    node.names.clear();
    sink_.OnDirectory(NamesOf(node), directory, nullptr);
  } else {
    List(node, directory);
  }
}

void TreeWatch::List(Node& node, int directory) {
  const Result<std::set<std::string>> listed = ListDirectories(directory);
  if (!listed) return Fail(node, listed.error());
  std::vector<std::string> gone;
  for (const auto& [name, child] : node.children) {
    if (!listed->contains(name)) gone.push_back(name);
  }
  for (const std::string& name : gone) DropChild(node, name);
  for (const std::string& name : *listed) Visit(node, directory, name);
}

// Opens a name in the directory of `parent`, which may be new, known, gone, or no directory.
void TreeWatch::Visit(Node& parent, int directory, const std::string& name) {
  const UniqueFd file(::openat(directory, name.c_str(), kOpenDirectory));
  const int error = errno;
  if (!file && IsAbsence(error)) return DropChild(parent, name);
  const std::optional<FoundFileId> id = file ? IdOfOpen(file.get()) : FoundFileId();
  const auto known = parent.children.find(name);
  if (known != parent.children.end()) {
    Node& child = *known->second;
    if (file && !child.dead && child.id == *id) {
      if (scanning_ || !child.watch) Enter(child, file.get());
      return;
    }
    if (!file) {
      const Status problem = ErrnoStatus(error, "cannot be opened");
      // It is the same one as far as can be known, or it has failed before.
      if (child.id.inode == 0 || IsShortage(problem)) return Fail(child, problem);
    }
    DropChild(parent, name);
  }
  const auto added = parent.children.emplace(name, nullptr).first;
  added->second = std::make_unique<Node>(*this, &parent, added->first);
  Node& child = *added->second;
  if (!file) return Fail(child, ErrnoStatus(error, "cannot be opened"));
  child.id = *id;
  Enter(child, file.get());
}

void TreeWatch::Fail(Node& node, const Status& problem) {
  failed_.insert(&node);
  // Retry() alone does not enter what is known below the node.
  if (scanning_ && !node.children.empty()) rescan_ = true;
  // A workload in use must not be reported as gone because of a shortage.
  if (node.watch && IsLeaf(node) && IsShortage(problem)) return;
  sink_.OnProblem(NamesOf(node), problem.message());
}

void TreeWatch::DropChild(Node& parent, const std::string& name) {
  const auto found = parent.children.find(name);
  if (found == parent.children.end()) return;
  Drop(*found->second);
  parent.children.erase(found);
}

// Reports that the directories of a node are gone. The caller then destroys the node.
void TreeWatch::Drop(Node& node) {
  for (const auto& [name, child] : node.children) Drop(*child);
  marked_.erase(&node);
  failed_.erase(&node);
  if (IsLeaf(node)) sink_.OnDirectoryGone(NamesOf(node));
}

}  // namespace proxyd
