// SPDX-License-Identifier: Apache-2.0
#include "ttrpc/metadata.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <type_traits>

#include "ttrpc/context.h"

namespace ttrpc {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(OwnedMetadataTest, LookUpFoldsWhatIsLookedFor) {
  const Metadata metadata({{"Key", "one"}, {"other", "x"}, {"KEY", "two"}});
  EXPECT_EQ(metadata.Get("kEy"), "one");
  EXPECT_THAT(metadata.Values("KEY"), ElementsAre("one", "two"));
  EXPECT_EQ(metadata.Get("missing"), std::nullopt);
  EXPECT_THAT(metadata.Values("missing"), IsEmpty());
}

// Like Go's MD, keys from the wire are not folded.
TEST(OwnedMetadataTest, AKeyThatWasSentInUpperCaseIsThereAndNotFound) {
  Metadata metadata;
  metadata.AppendAsSent("Key", "value");
  EXPECT_EQ(metadata.Get("Key"), std::nullopt);
  EXPECT_EQ(metadata.Get("key"), std::nullopt);
  ASSERT_EQ(metadata.entries().size(), 1U);
  EXPECT_EQ(metadata.entries()[0].key, "Key");
}

TEST(OwnedMetadataTest, ALoopGoesOverTheEntriesInOrder) {
  Context context;
  EXPECT_EQ(context.metadata().begin(), context.metadata().end());
  context.metadata() = Metadata({{"a", "1"}, {"b", "2"}, {"A", "3"}});
  const Context& unchanging = context;
  std::string seen;
  for (auto& [key, value] : context.metadata()) seen.append(key).append(value).append(";");
  for (const auto& [key, value] : unchanging.metadata()) seen.append(key).append(value).append(";");
  for (auto [key, value] : context.metadata()) seen += key.append(value).append(";");
  EXPECT_EQ(seen, "a1;b2;a3;a1;b2;a3;a1;b2;a3;");
  static_assert(std::is_const_v<std::remove_reference_t<decltype(*context.metadata().begin())>>);
}

TEST(OwnedMetadataTest, SetReplacesAndRemoveRemovesAllOfAKey) {
  Metadata metadata({{"a", "1"}, {"b", "2"}, {"a", "3"}});
  metadata.Set("A", "4");
  EXPECT_THAT(metadata.Values("a"), ElementsAre("4"));
  // The argument is a view of the value that is replaced.
  metadata.Set("b", *metadata.Get("b"));
  EXPECT_EQ(metadata.Get("b"), "2");
  metadata.Remove("A");
  EXPECT_EQ(metadata.Get("a"), std::nullopt);
  EXPECT_FALSE(metadata.empty());
  metadata.Clear();
  EXPECT_TRUE(metadata.empty());
}

}  // namespace
}  // namespace ttrpc
