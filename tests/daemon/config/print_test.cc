// SPDX-License-Identifier: Apache-2.0
//
// Tests that the output of PrintConfig() is complete, to the letter, and reads back the same.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "testing.h"
#include "text/escape.h"

namespace proxyd {

using text::Quote;
using text::QuoteShort;

namespace {

using testing::IsEmpty;

std::string Printed(const std::string& text) {
  const LoadedConfig loaded = ParseText(text);
  EXPECT_THAT(Strings(loaded.errors), IsEmpty());
  return loaded.config ? PrintConfig(*loaded.config) : "";
}

constexpr const char* kDefaults = R"([daemon]
drain_timeout = "10s"
sandbox = true

[log]
level = "info"
format = "text"
target = "stderr"

[audit]
calls = "denied"
target = "log"
rate_per_user = 100
bytes_per_user = "64KiB"
on_error = "drop"

[limits]
connections = 16384
connections_reserved = 256
connections_per_user = 4096
calls_per_connection = 1024
calls_per_user = 4096
backend_connections_per_user = 16384
backends_per_peer = 64
requests_per_second_per_user = 0
buffered_per_user = "64MiB"
buffered = "512MiB"
message_size = "4MiB"

[timeouts]
first_request = "30s"
partial_message = "10s"
idle = "0"
write = "30s"
call = "0"
call_max = "0"
)";

TEST(PrintConfigTest, AnEmptyConfigurationIsTheDefaults) { EXPECT_EQ(Printed(""), kDefaults); }

constexpr const char* kFull = R"([daemon]
drain_timeout = "1500ms"
sandbox = false

[log]
level = "debug"
format = "json"
target = "journal"

[audit]
calls = "all"
target = "file:/var/log/\"audit\""
rate_per_user = 1
bytes_per_user = "1KiB"
on_error = "refuse-calls"

[limits]
connections = 1000000
connections_reserved = 999999
connections_per_user = 1
calls_per_connection = 2
calls_per_user = 3
backend_connections_per_user = 5
backends_per_peer = 6
requests_per_second_per_user = 4
buffered_per_user = "16777215"
buffered = "1GiB"
message_size = "16777215"

[timeouts]
first_request = "1s"
partial_message = "0"
idle = "1h"
write = "5s"
call = "2s"
call_max = "5m"

[admin]
address = "unix:///run/admin.sock"
owner = "1"
group = "995"
mode = "0660"
users = [0, 990, "1000-1999", "*"]

[metrics]
address = "tcp:[::1]:9464"
users = 7

[[listener]]
name = "a \\ \u001b\t\n"
address = "unix:///run/a.sock"
owner = "0"
group = "995"
mode = "0060"
unknown_fields = "drop"
connections_per_user = 7
first_request = "0"
partial_message = "2s"
idle = "3s"
write = "4s"
call = "1s"
call_max = "0"

[[listener]]
name = "b"
address = "unix-abstract:b"
unknown_fields = "refuse"
first_request = "1s"
partial_message = "0"
idle = "1h"
write = "5s"
call = "2s"
call_max = "5m"

[[backend]]
name = "shim"
address = "unix:///run/shim.sock"
users = [0, 989]
connections = "per-peer"
connect_timeout = "250us"
wait = "1m"
on_disconnect = "fail-calls"
forward_identity = true

[[backend]]
name = "two"
addresses = ["unix:///run/two.sock", "hvsock:///run/vm:1:1024"]
balance = "round-robin"
users = [0]
connections = "per-peer"
connect_timeout = "1s"
wait = "0"
on_disconnect = "close-peers"
forward_identity = false

[[backend]]
name = "vm"
address = "vsock:3:1024"
connections = "per-peer"
connect_timeout = "1s"
wait = "0"
on_disconnect = "close-peers"
forward_identity = false

[[rule]]
name = "deny"
action = "deny"
enforce = true

[[rule]]
name = "allow"
listeners = ["b"]
users = [0, 989, "7-7", "2000-2999", "*"]
groups = [995]
methods = ["/s.v1.*/Get*", "/s/M"]
metadata = { "a.b" = "", "ns" = "\"k8s\"" }
action = "allow"
backend = "shim"
streams = true
call_max = "0"
enforce = false
audit = "none"
)";

// The name cannot hold control characters, so it is set after reading.
std::string Plain(std::string text) {
  const std::string name = R"(a \\ \u001b\t\n)";
  for (size_t at = text.find(name); at != text.npos; at = text.find(name)) {
    text.replace(at, name.size(), "a \\\\");
  }
  return text;
}

TEST(PrintConfigTest, ReadsBackTheSame) {
  EXPECT_EQ(Printed(Plain(kFull)), Plain(kFull));
  EXPECT_EQ(Printed(kDefaults), kDefaults);
}

TEST(PrintConfigTest, EscapesWhatTomlDoesNotHave) {
  LoadedConfig loaded = ParseText(Plain(kFull));
  ASSERT_TRUE(loaded.config.has_value());
  loaded.config->listeners[0].name = "a \\ \x1b\t\n";
  EXPECT_EQ(PrintConfig(*loaded.config), kFull);
}

TEST(PrintConfigTest, NamesStayNamesAndDefaultsAreFilledIn) {
  const std::string printed = Printed(R"(
[[listener]]
name = "a"
address = "unix://@a"
[[backend]]
name = "shim"
address = "unix:///shim"
users = ["prometheus"]
[[rule]]
name = "r"
users = ["root", "prometheus"]
groups = ["monitoring"]
methods = ["/s/M"]
action = "allow"
backend = "shim"
)");
  EXPECT_EQ(printed, std::string(kDefaults) + R"(
[[listener]]
name = "a"
address = "unix-abstract:a"
unknown_fields = "refuse"
first_request = "30s"
partial_message = "10s"
idle = "0"
write = "30s"
call = "0"
call_max = "0"

[[backend]]
name = "shim"
address = "unix:///shim"
users = ["prometheus"]
connections = "per-peer"
connect_timeout = "1s"
wait = "0"
on_disconnect = "close-peers"
forward_identity = false

[[rule]]
name = "r"
users = ["root", "prometheus"]
groups = ["monitoring"]
methods = ["/s/M"]
action = "allow"
backend = "shim"
streams = false
enforce = true
)");
  EXPECT_EQ(Printed(printed), printed);
}

TEST(PrintConfigTest, OwnersAndUsersOfTheAdminServiceStayNames) {
  const std::string printed = Printed(
      "[admin]\nowner = \"root\"\ngroup = \"monitoring\"\nusers = [7, \"prometheus\", 989]\n"
      "[[listener]]\nname = \"a\"\naddress = \"unix:///a\"\nowner = \"989\"\ngroup = \"root\"\n");
  EXPECT_THAT(printed, testing::HasSubstr("owner = \"root\"\ngroup = \"monitoring\"\n"));
  // A user who is listed by name and by number is printed once, by name.
  EXPECT_THAT(printed, testing::HasSubstr("users = [7, \"prometheus\"]\n"));
  EXPECT_THAT(printed, testing::HasSubstr("owner = \"989\"\ngroup = \"root\"\n"));
  EXPECT_EQ(Printed(printed), printed);
}

TEST(PrintConfigTest, RulesWithoutAnyListenerReadBack) {
  const std::string printed = Printed("[[rule]]\nname = \"r\"\naction = \"deny\"\n");
  EXPECT_EQ(printed, std::string(kDefaults) +
                         "\n[[rule]]\nname = \"r\"\naction = \"deny\"\nenforce = true\n");
  EXPECT_EQ(Printed(printed), printed);
}

TEST(QuoteTest, CutsBetweenCharacters) {
  EXPECT_EQ(QuoteShort(std::string(128, 'a')), '"' + std::string(128, 'a') + '"');
  EXPECT_EQ(QuoteShort(std::string(127, 'a') + "éé"), '"' + std::string(127, 'a') + "…\"");
  EXPECT_EQ(QuoteShort(std::string(126, 'a') + "éé"), '"' + std::string(126, 'a') + "é…\"");
}

TEST(QuoteTest, EscapesControlCharacters) {
  EXPECT_EQ(Quote(std::string_view("\0\x1f\x7f\r\"\\", 6)), R"("\u0000\u001f\u007f\u000d\"\\")");
}

}  // namespace
}  // namespace proxyd
