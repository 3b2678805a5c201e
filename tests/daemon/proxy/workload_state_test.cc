// SPDX-License-Identifier: Apache-2.0
#include "proxy/workload_state.h"

#include <gtest/gtest.h>

#include <string>

#include "workload_harness.h"

namespace proxyd {
namespace {

using ttrpc::Status;
using ttrpc::StatusCode;

class WorkloadStateTest : public ::testing::Test {
 protected:
  WorkloadStateTest() { state_->Set(test::WorkloadAt("web", "/run/web")); }

  void Fail(const Status& why) {
    const auto now = Backend::Clock::now();
    state_->BackendOf(configured_)->Failed({.address = 0, .begun = now}, why, now);
  }

  static BackendConfig Discovered() {
    BackendConfig config = {.name = "shim", .addresses = {}, .users = {0}, .position = {}};
    config.discovered = true;
    return config;
  }

  const Status not_in_users_{StatusCode::kUnauthenticated, "uid 7 listens there"};
  BackendCounters counters_;
  const Ref<Backend> configured_ = MakeRef<Backend>(Discovered(), counters_);
  const Ref<WorkloadState> state_ = MakeRef<WorkloadState>();
};

TEST_F(WorkloadStateTest, ASocketOfAnotherUserIsAProblemUntilItIsReached) {
  EXPECT_EQ(state_->problem(), "");
  Fail(not_in_users_);
  EXPECT_EQ(state_->problem(), "unix:///run/web: uid 7 listens there");
  state_->BackendOf(configured_)->Succeeded(0);
  EXPECT_EQ(state_->problem(), "");
}

// A shim that does not listen yet, or any more, may be there at the next call.
TEST_F(WorkloadStateTest, ASocketWhereNobodyListensIsNoProblem) {
  Fail(Status(StatusCode::kNotFound, "nobody listens"));
  EXPECT_EQ(state_->problem(), "");
}

TEST_F(WorkloadStateTest, ANewAddressHasNoProblemOfTheFormerOne) {
  Fail(not_in_users_);
  EXPECT_TRUE(state_->Set(test::WorkloadAt("web", "/run/next")));
  EXPECT_EQ(state_->problem(), "");
}

TEST_F(WorkloadStateTest, WhatDiscoveryFoundComesFirst) {
  Fail(not_in_users_);
  Workload faulty = test::WorkloadAt("web", "/run/web");
  faulty.why = "address: not a file";
  state_->Set(faulty);
  EXPECT_EQ(state_->problem(), "address: not a file");
}

}  // namespace
}  // namespace proxyd
