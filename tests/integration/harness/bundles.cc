// SPDX-License-Identifier: Apache-2.0
#include "harness/bundles.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include "harness/io.h"

namespace integration {

namespace {

constexpr mode_t kNamespaceMode = 0711;
constexpr mode_t kBundleMode = 0700;

void MakeDirectory(const std::string& path, mode_t mode) {
  if (::mkdir(path.c_str(), mode) != 0 && errno != EEXIST)
    ADD_FAILURE() << "cannot make " << path << ": " << std::strerror(errno);
}

void Rename(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) != 0)
    ADD_FAILURE() << "cannot rename " << from << ": " << std::strerror(errno);
}

}  // namespace

std::string Bootstrap(const std::string& socket) {
  return R"({"version":3,"address":"unix://)" + socket + R"(","protocol":"ttrpc"})";
}

std::string ConfigWith(const std::string& annotations) {
  return R"({"ociVersion":"1.0.2","process":{"args":["sh"]},"annotations":{)" + annotations +
         R"(},"linux":{"resources":{}}})";
}

Bundles::Bundles(std::string state) : state_(std::move(state)) {}

std::string Bundles::tasks() const { return state_ + "/io.containerd.runtime.v2.task"; }

std::string Bundles::PathOf(const Bundle& bundle) const {
  return tasks() + "/" + bundle.name_space + "/" + bundle.id;
}

void Bundles::Make(const Bundle& bundle) const {
  MakeDirectory(state_, kNamespaceMode);
  MakeDirectory(tasks(), kNamespaceMode);
  MakeDirectory(tasks() + "/" + bundle.name_space, kNamespaceMode);
  MakeDirectory(PathOf(bundle), kBundleMode);
  if (!bundle.config.empty()) Put(bundle, "config.json", bundle.config);
  if (!bundle.sandbox.empty()) Put(bundle, "sandbox", bundle.sandbox);
  if (!bundle.bootstrap.empty()) Put(bundle, "bootstrap.json", bundle.bootstrap);
  if (!bundle.address.empty()) Put(bundle, "address", bundle.address);
}

void Bundles::Put(const Bundle& bundle, const std::string& file, std::string_view content) const {
  const std::string directory = PathOf(bundle) + "/";
  WriteFile(directory + "." + file, content);
  Rename(directory + "." + file, directory + file);
}

void Bundles::Remove(const Bundle& bundle) const {
  Bundle hidden = bundle;
  hidden.id = "." + bundle.id;
  Rename(PathOf(bundle), PathOf(hidden));
  std::error_code error;
  std::filesystem::remove_all(PathOf(hidden), error);
  EXPECT_FALSE(error) << PathOf(hidden) << ": " << error.message();
}

}  // namespace integration
