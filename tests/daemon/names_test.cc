// SPDX-License-Identifier: Apache-2.0
//
// The check of requests, explain, the loader and tap agree on names: a name that can be called can
// also be explained, named in a rule and tapped, and no other name can.
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "admin/tap_queue.h"
#include "config/load.h"
#include "config/rpc_names.h"
#include "proxy/request_rules.h"
#include "text/escape.h"

namespace proxyd {

using text::Quote;

namespace {

class NoNames final : public NameResolver {
 public:
  std::optional<uid_t> User(const std::string&) override { return std::nullopt; }
  std::optional<gid_t> Group(const std::string&) override { return std::nullopt; }
};

// Whether a deny rule with these keys loads.
bool Loads(const std::string& keys) {
  NoNames names;
  const LoadedConfig loaded = ParseConfig(
      {{.name = "c", .text = "[[rule]]\nname = \"r\"\naction = \"deny\"\n" + keys + "\n"}}, names);
  return loaded.config.has_value();
}

bool LoaderTakes(const std::string& method) { return Loads("methods = [" + Quote(method) + "]"); }

bool TapTakes(const std::string& method) {
  ttrpc::proxy::v1::TapRequest request;
  request.set_method(method);
  return TapQueue::Check(request).ok();
}

bool ExplainTakes(const std::string& method) { return ParseMethodName(method).has_value(); }

bool GateTakes(const std::string& service, const std::string& method) {
  ttrpc::RequestView request;
  request.service = service;
  request.method = method;
  return CheckNames(request).ok();
}

void ExpectOneIdea(const std::string& service, const std::string& method) {
  const std::string text = "/" + service + "/" + method;
  SCOPED_TRACE(text);
  const bool can_be_called = GateTakes(service, method);
  EXPECT_EQ(ExplainTakes(text), can_be_called);
  EXPECT_EQ(TapTakes(text), LoaderTakes(text));
  // A pattern may have a star, and otherwise looks like a name.
  EXPECT_EQ(LoaderTakes(text) && text.find('*') == text.npos, can_be_called);
}

TEST(NamesTest, GateExplainLoaderAndTapAgreeOnEachByte) {
  for (char c = 0x20; c < 0x7f; ++c) {
    ExpectOneIdea(std::string("a") + c, "M");
    ExpectOneIdea("s", std::string("a") + c);
    ExpectOneIdea(std::string(1, c), std::string(1, c));
  }
}

TEST(NamesTest, GateExplainLoaderAndTapAgreeOnLengths) {
  for (const size_t size : {0U, 1U, 255U, 256U, 257U}) {
    ExpectOneIdea(std::string(size, 's'), "M");
    ExpectOneIdea("s", std::string(size, 'M'));
    ExpectOneIdea(std::string(size, '*'), "M");
  }
}

TEST(NamesTest, WhatTheGateDropsNoRuleMayAskFor) {
  for (const std::string_view key :
       {"ttrpc-proxy-uid", "ttrpc-proxy-", "ttrpc-proxy-x", "ttrpc-proxy", "x-ttrpc-proxy-uid"}) {
    ttrpc::RequestView request;
    request.metadata = {{key, "v"}};
    DropReservedMetadata(&request);
    EXPECT_EQ(Loads("metadata = { " + Quote(key) + " = \"v\" }"), !request.metadata.empty()) << key;
  }
}

}  // namespace
}  // namespace proxyd
