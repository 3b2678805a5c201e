// SPDX-License-Identifier: Apache-2.0
//
// Kata's source: each directory in one of the configured ones is a sandbox, if it has the socket
// shim-monitor.sock. The shim is asked there for the address of its agent, by a few queries at a
// time. A query that fails is repeated a few times at growing intervals; then the sandbox stays as
// it is until the socket appears again.
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "discovery/agent_query.h"
#include "discovery/source.h"
#include "discovery/tree_watch.h"
#include "discovery/trusted_file.h"

namespace proxyd {
namespace {

using ttrpc::Status;

constexpr size_t kMostQueries = 32;             // at a time
constexpr int kMostTries = 8;                   // a slow machine may take two minutes to start
constexpr std::chrono::seconds kFirstDelay{1};  // doubles with each try

// A sandbox in one of the directories.
struct Sandbox {
  FoundFileId socket;
  std::unique_ptr<AgentQuery> query;
  std::optional<PollSet::TimePoint> again;
  int tries = 0;
  std::optional<Workload> found;  // none: the shim has not been asked yet
};

class KataSource final : public Source {
 public:
  KataSource(const DiscoveryConfig& config, Inotify& inotify, Findings& findings)
      : findings_(findings) {
    for (const std::string& path : config.directories) {
      roots_.push_back(std::make_unique<Root>(*this, roots_.size(), path, inotify));
    }
  }

  void Start() override {
    for (const auto& root : roots_) root->tree.Scan();
  }
  void AfterEvents(bool lost) override {
    for (const auto& root : roots_) lost ? root->tree.Scan() : root->tree.HandleChanges();
  }
  void Retry() override {
    for (const auto& root : roots_) root->tree.Retry();
  }
  bool incomplete() const override {
    return std::any_of(roots_.begin(), roots_.end(),
                       [](const auto& root) { return root->tree.incomplete(); });
  }
  bool settled() const override { return unasked_ == 0; }
  void Prepare(PollSet* set) const override;
  void Advance(PollSet::TimePoint now) override;

 private:
  using Place = std::pair<std::string, size_t>;  // the id, and the index of its directory

  struct Root final : TreeWatch::Sink {
    Root(KataSource& owner, size_t its_index, std::string its_path, Inotify& inotify)
        : source(owner),
          index(its_index),
          path(std::move(its_path)),
          tree(inotify,
               {.root = path,
                .depth = 1,
                .is_file = [](std::string_view name) { return name == kShimMonitor; }},
               *this) {}
    void OnDirectory(const TreeWatch::Names& names, int directory,
                     const TreeWatch::Changed*) override {
      source.Examine({names[0], index}, directory);
    }
    void OnDirectoryGone(const TreeWatch::Names& names) override {
      source.Forget({names[0], index});
    }
    void OnProblem(const TreeWatch::Names& names, const std::string& what) override {
      if (names.empty()) return source.findings_.Problem(what);
      source.Found({names[0], index}, {.key = {.id = names[0]}, .why = "its directory " + what});
    }

    KataSource& source;
    const size_t index;
    const std::string path;
    TreeWatch tree;
  };

  void Examine(const Place& place, int directory);
  void Cancel(const Place& place);
  Status Ask(const Place& place, Sandbox* sandbox, PollSet::TimePoint now);
  void Finish(const Place& place, ttrpc::Result<ttrpc::Address> result, PollSet::TimePoint now);
  void Found(const Place& place, Workload workload);
  void Forget(const Place& place);
  void Report(const std::string& id);

  Findings& findings_;
  std::map<Place, Sandbox> sandboxes_;
  std::set<Place> busy_;  // those that wait for a query, for its answer or for the next try
  size_t active_ = 0;     // queries
  size_t unasked_ = 0;    // sandboxes without a result
  std::vector<std::unique_ptr<Root>> roots_;
};

// Returns an error if the monitor cannot be trusted, and none if there is no monitor.
std::optional<ttrpc::Result<FoundFileId>> FindMonitor(int directory) {
  using Found = ttrpc::Result<FoundFileId>;
  struct stat info {};
  if (::fstatat(directory, kShimMonitor, &info, AT_SYMLINK_NOFOLLOW) != 0) {
    if (errno == ENOENT) return std::nullopt;
    return Found(ttrpc::ErrnoStatus(errno, kShimMonitor));
  }
  if (!S_ISSOCK(info.st_mode)) {
    return Found(Status(ttrpc::StatusCode::kFailedPrecondition,
                        std::string(kShimMonitor) + ": not a socket"));
  }
  const FoundFileId id = FoundFileIdOf(info);
  if (::fstat(directory, &info) != 0) return Found(ttrpc::ErrnoStatus(errno, "its directory"));
  if (Status status = CheckTrusted(info, "its directory"); !status.ok()) return Found(status);
  return Found(id);
}

void KataSource::Examine(const Place& place, int directory) {
  const auto monitor = FindMonitor(directory);
  if (!monitor) return Forget(place);
  if (!*monitor) {
    Cancel(place);
    return Found(place, {.key = {.id = place.first}, .why = monitor->error().message()});
  }
  const auto known = sandboxes_.find(place);
  if (known == sandboxes_.end()) {
    ++unasked_;
  } else if (known->second.socket == **monitor &&
             (busy_.contains(place) || (known->second.found && known->second.found->address))) {
    return;  // nothing has changed but the mode of a file
  }
  Sandbox& sandbox = sandboxes_[place];
  Cancel(place);
  sandbox.socket = **monitor;
  sandbox.tries = 0;
  busy_.insert(place);
}

// Ends a query and the wait for one.
void KataSource::Cancel(const Place& place) {
  const auto known = sandboxes_.find(place);
  if (known == sandboxes_.end()) return;
  if (std::exchange(known->second.query, nullptr)) --active_;
  known->second.again.reset();
  busy_.erase(place);
}

void KataSource::Prepare(PollSet* set) const {
  for (const Place& place : busy_) {
    const Sandbox& sandbox = sandboxes_.at(place);
    if (sandbox.query) {
      sandbox.query->Prepare(set);
    } else if (active_ < kMostQueries) {
      set->WakeBy(sandbox.again.value_or(PollSet::TimePoint::min()));
    }
  }
}

void KataSource::Advance(PollSet::TimePoint now) {
  // Finish() changes the set.
  const std::vector<Place> places(busy_.begin(), busy_.end());
  for (const Place& place : places) {
    Sandbox& sandbox = sandboxes_.at(place);
    if (!sandbox.query) {
      if (active_ == kMostQueries || (sandbox.again && now < *sandbox.again)) continue;
      if (Status status = Ask(place, &sandbox, now); !status.ok()) {
        Finish(place, std::move(status), now);
        continue;
      }
    }
    if (auto result = sandbox.query->Advance(now)) Finish(place, *std::move(result), now);
  }
}

Status KataSource::Ask(const Place& place, Sandbox* sandbox, PollSet::TimePoint now) {
  const std::string path = roots_[place.second]->path + "/" + place.first;
  ttrpc::UniqueFd directory(::open(path.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!directory) return ttrpc::ErrnoStatus(errno, "its directory");
  sandbox->again.reset();
  sandbox->query = std::make_unique<AgentQuery>(std::move(directory), now);
  ++active_;
  return {};
}

void KataSource::Finish(const Place& place, ttrpc::Result<ttrpc::Address> result,
                        PollSet::TimePoint now) {
  Sandbox& sandbox = sandboxes_.at(place);
  const int tries = sandbox.tries + 1;
  Cancel(place);
  Workload workload{.key = {.id = place.first}};
  if (result) {
    workload.address = *std::move(result);
  } else {
    workload.why = std::string(kShimMonitor) + ": " + result.error().message();
    if (tries < kMostTries) {
      sandbox.again = now + kFirstDelay * (1 << (tries - 1));
      busy_.insert(place);
    }
  }
  sandbox.tries = tries;
  Found(place, std::move(workload));
}

void KataSource::Found(const Place& place, Workload workload) {
  const auto [known, is_new] = sandboxes_.try_emplace(place);
  Sandbox& sandbox = known->second;
  if (!is_new && !sandbox.found) --unasked_;
  sandbox.found = std::move(workload);
  Report(place.first);
}

void KataSource::Forget(const Place& place) {
  const auto known = sandboxes_.find(place);
  if (known == sandboxes_.end()) return;
  if (!known->second.found) --unasked_;
  Cancel(place);
  sandboxes_.erase(known);
  Report(place.first);
}

// Reports the sandbox of the first directory that has one with this id.
void KataSource::Report(const std::string& id) {
  for (auto at = sandboxes_.lower_bound({id, 0}); at != sandboxes_.end() && at->first.first == id;
       ++at) {
    if (at->second.found) return findings_.Here(*at->second.found);
  }
  findings_.Gone({.id = id});
}

}  // namespace

std::unique_ptr<Source> NewKataSource(const DiscoveryConfig& config, Inotify& inotify,
                                      Findings& findings) {
  return std::make_unique<KataSource>(config, inotify, findings);
}

}  // namespace proxyd
