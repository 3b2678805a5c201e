// SPDX-License-Identifier: Apache-2.0
//
// Containerd's source: the bundles STATE/io.containerd.runtime.v2.task/NAMESPACE/ID. A bundle whose
// shim has no address yet is not reported, unless something is wrong with it.
#include <set>
#include <string>
#include <utility>

#include "discovery/bundle.h"
#include "discovery/source.h"
#include "discovery/tree_watch.h"

namespace proxyd {
namespace {

constexpr const char* kTaskDirectory = "/io.containerd.runtime.v2.task";

class ContainerdSource final : public Source, TreeWatch::Sink {
 public:
  ContainerdSource(const DiscoveryConfig& config, std::set<std::string> annotations,
                   Inotify& inotify, Findings& findings)
      : findings_(findings),
        wanted_(std::move(annotations)),
        tree_(inotify,
              {.root = config.directories.front() + kTaskDirectory,
               .depth = 2,
               .is_file = [](std::string_view name) { return IsBundleFile(name); }},
              *this) {}

  void Start() override { tree_.Scan(); }
  void AfterEvents(bool lost) override { lost ? tree_.Scan() : tree_.HandleChanges(); }
  void Retry() override {
    for (const WorkloadKey& key : std::exchange(again_, {})) {
      tree_.Report({key.name_space, key.id});
    }
    tree_.Retry();
  }
  bool incomplete() const override { return !again_.empty() || tree_.incomplete(); }
  void WantAnnotations(const std::set<std::string>& keys) override {
    if (keys == wanted_) return;
    wanted_ = keys;
    tree_.ReportAll();
  }

 private:
  static WorkloadKey KeyOf(const TreeWatch::Names& names) {
    return {.name_space = names[0], .id = names[1]};
  }

  void OnDirectory(const TreeWatch::Names& names, int directory,
                   const TreeWatch::Changed*) override {
    Workload workload = {.key = KeyOf(names)};
    const bool again = ReadBundle(directory, wanted_, &workload);
    if (again) again_.insert(workload.key);
    // A workload in use must not be reported as gone because of a shortage.
    if (again && findings_.Knows(workload.key)) return;
    if (!workload.address && workload.why.empty()) return findings_.Gone(workload.key);
    findings_.Here(std::move(workload));
  }

  void OnDirectoryGone(const TreeWatch::Names& names) override {
    again_.erase(KeyOf(names));
    findings_.Gone(KeyOf(names));
  }

  void OnProblem(const TreeWatch::Names& names, const std::string& what) override {
    if (names.size() == 2) {
      findings_.Here({.key = KeyOf(names), .why = "the bundle " + what});
    } else if (names.size() == 1) {
      findings_.Problem("the directory of namespace " + names[0] + " " + what);
    } else {
      findings_.Problem(what);
    }
  }

  Findings& findings_;
  std::set<std::string> wanted_;
  std::set<WorkloadKey> again_;  // those for which a resource ran out
  TreeWatch tree_;
};

}  // namespace

std::unique_ptr<Source> NewContainerdSource(const DiscoveryConfig& config,
                                            const std::set<std::string>& annotations,
                                            Inotify& inotify, Findings& findings) {
  return std::make_unique<ContainerdSource>(config, annotations, inotify, findings);
}

}  // namespace proxyd
