// SPDX-License-Identifier: Apache-2.0
//
// Containerd's source: the bundles STATE/io.containerd.runtime.v2.task/NAMESPACE/ID. A bundle whose
// shim has no address yet is not reported, unless something is wrong with it.
#include <map>
#include <set>
#include <string>
#include <utility>

#include "discovery/bundle.h"
#include "discovery/source.h"
#include "discovery/tree_watch.h"

namespace proxyd {
namespace {

constexpr const char* kTaskDirectory = "/io.containerd.runtime.v2.task";
constexpr const char* kConfigFile = "config.json";

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
                   const TreeWatch::Changed* changed) override {
    WorkloadKey key = KeyOf(names);
    const auto [bundle, is_new] = annotations_.try_emplace(key);
    if (is_new || changed == nullptr || changed->contains(kConfigFile)) {
      BundleAnnotations annotations = ReadBundleAnnotations(directory, wanted_);
      if (annotations.again) again_.insert(key);
      if (is_new || !annotations.again) bundle->second = std::move(annotations);
    }
    BundleAddress read = ReadBundleAddress(directory, key.id, bundle->second.group);
    if (read.again) again_.insert(key);
    // A workload in use must not be reported as gone because of a shortage.
    if (read.again && !is_new) return;
    if (!read.address && read.why.empty()) return findings_.Gone(key);
    findings_.Here({.key = std::move(key),
                    .address = std::move(read.address),
                    .why = std::move(read.why),
                    .sandbox = std::move(read.sandbox),
                    .annotations = bundle->second.wanted,
                    .config_problem = bundle->second.problem});
  }

  void OnDirectoryGone(const TreeWatch::Names& names) override {
    annotations_.erase(KeyOf(names));
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
  std::map<WorkloadKey, BundleAnnotations> annotations_;
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
