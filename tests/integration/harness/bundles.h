// SPDX-License-Identifier: Apache-2.0
//
// Bundles: a state directory of containerd with the bundles of tasks that do not run. Files appear
// and disappear in the same steps as containerd's own. Any thread; two threads must not change the
// same bundle.
#pragma once

#include <string>
#include <string_view>

namespace integration {

// A file that is not set is not made.
struct Bundle {
  std::string id = {};
  std::string name_space = "k8s.io";
  std::string bootstrap = {};  // the content of bootstrap.json; see Bootstrap()
  std::string address = {};    // the content of `address`
  std::string sandbox = {};    // the content of `sandbox`
  std::string config = {};     // the content of config.json; see ConfigWith()
};

// Returns what containerd 2.x writes into bootstrap.json for a shim at this path.
std::string Bootstrap(const std::string& socket);

// Returns a config.json with these annotations, which are the text between the braces of an object.
std::string ConfigWith(const std::string& annotations);

class Bundles {
 public:
  // `state` is the path of the state directory, which is not made before the first bundle.
  explicit Bundles(std::string state);

  // Makes the bundle. bootstrap.json and `address` come last and are renamed into place.
  void Make(const Bundle& bundle) const;
  // Writes one file of a bundle and renames it into place.
  void Put(const Bundle& bundle, const std::string& file, std::string_view content) const;
  // Renames the bundle to a hidden name, then removes it. The namespace stays.
  void Remove(const Bundle& bundle) const;

  const std::string& state() const { return state_; }
  // Returns the directory that holds a directory for each namespace.
  std::string tasks() const;
  std::string PathOf(const Bundle& bundle) const;

 private:
  std::string state_;
};

}  // namespace integration
