// SPDX-License-Identifier: Apache-2.0
//
// Tests every error of one file, to the letter and in order.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "testing.h"

namespace proxyd {
namespace {

using testing::ElementsAreArray;
using testing::IsEmpty;
using testing::StartsWith;

struct ErrorCase {
  const char* name;
  std::string text;
  std::vector<std::string> errors;
};

// gtest prints the name of the case in a failure.
void PrintTo(const ErrorCase& test, std::ostream* out) { *out << test.name; }

std::string CaseName(const testing::TestParamInfo<ErrorCase>& info) { return info.param.name; }

class ConfigErrors : public testing::TestWithParam<ErrorCase> {};

TEST_P(ConfigErrors, AreReportedToTheLetter) {
  const LoadedConfig loaded = ParseText(GetParam().text);
  EXPECT_FALSE(loaded.config.has_value());
  EXPECT_THAT(Strings(loaded.errors), ElementsAreArray(GetParam().errors));
}

const ErrorCase kStructureCases[] = {
    {"UnknownSection",
     "[logs]\nlevel = \"info\"\n",
     {"c:1:2: error: unknown section \"logs\"; did you mean [log]?"}},
    {"SectionIsNoTable",
     "log = \"info\"\n[[audit]]\n",
     {"c:1:1: error: log is a string; write it as a section: [log]",
      "c:2:3: error: audit is an array; write it as a section: [audit]"}},
    {"ListIsNoArrayOfTables",
     "listener = [3, {name = \"a\", address = \"unix:///a\"}]\n[backend]\nname = \"b\"\n",
     {"c:1:13: error: listener contains an integer; write each listener as [[listener]]",
      "c:2:1: error: [[backend]] has neither address nor addresses; add one of them",
      "c:2:2: error: [backend] has single brackets; write [[backend]]"}},
    {"SingleBracketsTwice",
     "[rule]\nname = \"a\"\naction = \"deny\"\n[ rule ] # again\nname = \"b\"\nacton = \"deny\"\n"
     "[log]\nlevel = 1\n",
     {"c:1:2: error: [rule] has single brackets; write [[rule]]",
      "c:4:1: error: [[rule]] has no action; use \"allow\" or \"deny\"",
      "c:4:3: error: [rule] has single brackets; write [[rule]]",
      "c:6:1: error: unknown key \"acton\" in [[rule]]; did you mean \"action\"?",
      "c:8:9: error: level is 1; use \"trace\", \"debug\", \"info\", \"warn\" or \"error\""}},
    {"SingleAndDoubleBrackets",
     "[[rule]]\nname = \"a\"\naction = \"deny\"\n[rule]\nname = \"a\"\naction = \"deny\"\n",
     {"c:4:2: error: [rule] has single brackets; write [[rule]]",
      "c:5:8: error: name \"a\" is already used at c:2:8; use a name that no other rule has"}},
    {"DoubleBracketsAfterSingleOnes",
     "[rule]\nname = \"a\"\naction = \"deny\"\n[[rule]]\nname = \"b\"\naction = \"deny\"\n",
     {"c:1:2: error: [rule] has single brackets; write [[rule]]"}},
    {"UnknownKeys",
     "[log]\nlvel = \"info\"\n[daemon]\n\"a\\u001bb\" = 1\n",
     {"c:2:1: error: unknown key \"lvel\" in [log]; did you mean \"level\"?",
      "c:4:1: error: unknown key \"a\\u001bb\" in [daemon]; use drain_timeout or sandbox"}},
    {"KindsOfValues",
     "[log]\nlevel = 1\nformat = 1.5\ntarget = true\n[audit]\ncalls = 2024-01-01\n"
     "target = 12:00:00\non_error = 2024-01-01T12:00:00Z\nrate_per_user = \"5\"\n"
     "[daemon]\ndrain_timeout = []\n[timeouts]\ncall = {}\ncall_max = [1]\n",
     {"c:2:9: error: level is 1; use \"trace\", \"debug\", \"info\", \"warn\" or \"error\"",
      "c:3:10: error: format is a float; use \"text\" or \"json\"",
      "c:4:10: error: target is a boolean; use \"stderr\", \"journal\" or \"file:/abs/path\"",
      "c:6:9: error: calls is a date; use \"none\", \"denied\" or \"all\"",
      "c:7:10: error: target is a time; use \"log\" or \"file:/abs/path\"",
      "c:8:12: error: on_error is a date and time; use \"drop\" or \"refuse-calls\"",
      "c:9:17: error: rate_per_user is \"5\"; use a number from 1 to 1000000",
      "c:11:17: error: drain_timeout is an empty array; use a duration such as \"250ms\", \"2s\" "
      "or \"5m\"",
      "c:13:8: error: call is an empty table; use a duration such as \"250ms\", \"2s\" or \"5m\"",
      "c:14:12: error: call_max is an array; use a duration such as \"250ms\", \"2s\" or \"5m\""}},
};
INSTANTIATE_TEST_SUITE_P(Structure, ConfigErrors, testing::ValuesIn(kStructureCases), CaseName);

const ErrorCase kSectionCases[] = {
    {"Daemon",
     "[daemon]\nworkers = 1\ndrain_timeout = \"10\"\nsandbox = 0\n",
     {"c:2:1: error: workers in [daemon] is not supported yet; remove it",
      "c:3:17: error: drain_timeout is \"10\"; use a whole number with a unit (us, ms, s, m, h), "
      "or \"0\"",
      "c:4:11: error: sandbox is 0; use true or false"}},
    {"LogTargets",
     "[log]\ntarget = \"file:log\"\n[audit]\ntarget = \"file:/var/log/\"\n",
     {"c:2:10: error: target is \"file:log\"; use \"stderr\", \"journal\" or \"file:/abs/path\"",
      "c:4:10: error: target is \"file:/var/log/\"; use \"log\" or \"file:/abs/path\""}},
    {"NulInPath",
     "[log]\ntarget = \"file:/a\\u0000b\"\n",
     {"c:2:10: error: target is \"file:/a\\u0000b\"; use \"stderr\", \"journal\" or "
      "\"file:/abs/path\""}},
    {"RateOutOfBounds",
     "[audit]\nrate_per_user = 0\n",
     {"c:2:17: error: rate_per_user is 0; use a number from 1 to 1000000"}},
    {"RateBelowZero",
     "[audit]\nrate_per_user = -4294967291\n",
     {"c:2:17: error: rate_per_user is -4294967291; use a number from 1 to 1000000"}},
    {"AuditBytesOutOfBounds",
     "[audit]\nbytes_per_user = \"1023\"\n",
     {"c:2:18: error: bytes_per_user is \"1023\"; use a size from \"1KiB\" to \"1GiB\""}},
    {"AuditBytesKind",
     "[audit]\nbytes_per_user = 65536\n",
     {"c:2:18: error: bytes_per_user is 65536; use a size such as \"4MiB\""}},
    {"LessThanAMessageAndLessThanAUserMayHave",
     "[limits]\nbuffered_per_user = \"1MiB\"\nbuffered = \"1MiB\"\n",
     {"c:2:21: error: buffered_per_user is \"1MiB\"; use a size from \"4MiB\" (message_size) to "
      "\"1024GiB\"",
      "c:3:12: error: buffered is \"1MiB\"; use a size from \"64MiB\" (buffered_per_user) to "
      "\"1024GiB\""}},
    {"BufferedWithoutEnd",
     "[limits]\nbuffered_per_user = \"1025GiB\"\nbuffered = 5\n",
     {"c:2:21: error: buffered_per_user is \"1025GiB\"; use a size from \"4MiB\" (message_size) to "
      "\"1024GiB\"",
      "c:3:12: error: buffered is 5; use a size such as \"4MiB\""}},
    {"LimitsOfZero",
     "[limits]\nconnections = 0\nconnections_per_user = 0\ncalls_per_connection = 0\n"
     "calls_per_user = 0\nrequests_per_second_per_user = -1\nbackend_connections_per_user = 0\n"
     "backends_per_peer = 0\n",
     {"c:2:15: error: connections is 0; use a number from 1 to 1000000",
      "c:3:24: error: connections_per_user is 0; use a number from 1 to 1000000",
      "c:4:24: error: calls_per_connection is 0; use a number from 1 to 1000000",
      "c:5:18: error: calls_per_user is 0; use a number from 1 to 1000000",
      "c:6:32: error: requests_per_second_per_user is -1; use a number from 0 to 1000000",
      "c:7:32: error: backend_connections_per_user is 0; use a number from 1 to 4000000",
      "c:8:21: error: backends_per_peer is 0; use a number from 1 to 1000000"}},
    {"ReserveOfAll",
     "[limits]\nconnections_reserved = 100\nconnections = 100\n",
     {"c:2:24: error: connections_reserved is 100; use a number from 0 to 99"}},
    {"MessageSizeTooLarge",
     "[limits]\nmessage_size = \"16MiB\"\n",
     {"c:2:16: error: message_size is \"16MiB\"; use a size from \"1KiB\" to \"16777215\" (16 MiB "
      "- 1)"}},
    {"MessageSizeTooSmall",
     "[limits]\nmessage_size = \"1023\"\n",
     {"c:2:16: error: message_size is \"1023\"; use a size from \"1KiB\" to \"16777215\" (16 MiB - "
      "1)"}},
    {"MessageSizeOverflows",
     "[limits]\nmessage_size = \"18446744073709551615GiB\"\n",
     {"c:2:16: error: message_size is \"18446744073709551615GiB\"; use a size from \"1KiB\" to "
      "\"16777215\" (16 MiB - 1)"}},
    {"MessageSizeUnit",
     "[limits]\nmessage_size = \"4MB\"\n",
     {"c:2:16: error: message_size is \"4MB\"; use a whole number of bytes, KiB, MiB or GiB, such "
      "as \"64KiB\""}},
    {"MessageSizeKind",
     "[limits]\nmessage_size = 4096\n",
     {"c:2:16: error: message_size is 4096; use a size such as \"4MiB\""}},
    {"Timeouts",
     "[timeouts]\ncall = \"-1s\"\ncall_max = \"8761h\"\nfirst_request = 30\n"
     "partial_message = 10\nidle = \"1.5s\"\nwrite = \"\"\n",
     {"c:2:8: error: call is \"-1s\"; use a whole number with a unit (us, ms, s, m, h), or \"0\"",
      "c:3:12: error: call_max is \"8761h\"; use at most \"8760h\"",
      "c:4:17: error: first_request is 30; use a duration such as \"250ms\", \"2s\" or \"5m\"",
      "c:5:19: error: partial_message is 10; use a duration such as \"250ms\", \"2s\" or \"5m\"",
      "c:6:8: error: idle is \"1.5s\"; use a whole number with a unit (us, ms, s, m, h), or \"0\"",
      "c:7:9: error: write is \"\"; use a whole number with a unit (us, ms, s, m, h), or \"0\""}},
};
INSTANTIATE_TEST_SUITE_P(Sections, ConfigErrors, testing::ValuesIn(kSectionCases), CaseName);

const ErrorCase kListenerCases[] = {
    {"Empty",
     "[[listener]]\n",
     {"c:1:1: error: [[listener]] has no name; give it one that no other listener has",
      "c:1:1: error: [[listener]] has no address; use unix:///abs/path, unix-abstract:name or "
      "systemd:NAME"}},
    {"Names",
     "[[listener]]\nname = \"\"\naddress = \"unix:///a\"\n"
     "[[listener]]\nname = 1\naddress = \"unix:///b\"\n"
     "[[listener]]\nname = \"a\\nb\"\naddress = \"unix:///c\"\n",
     {"c:2:8: error: name is \"\"; use 1 to 128 bytes without control characters",
      "c:5:8: error: name is 1; use a string",
      "c:8:8: error: name is \"a\\nb\"; use 1 to 128 bytes without control characters"}},
    {"LongName",
     "[[listener]]\nname = \"" + std::string(129, 'n') + "\"\naddress = \"unix:///a\"\n",
     {"c:2:8: error: name is \"" + std::string(128, 'n') +
      "…\"; use 1 to 128 bytes without control characters"}},
    {"Duplicates",
     "[[listener]]\nname = \"a\"\naddress = \"unix-abstract:x\"\n"
     "[[listener]]\nname = \"a\"\naddress = \"unix://@x\"\n",
     {"c:5:8: error: name \"a\" is already used at c:2:8; use a name that no other listener has",
      "c:6:11: error: address \"unix://@x\" is already used at c:3:11; use another address"}},
    {"NotAUnixSocket",
     "[[listener]]\nname = \"a\"\naddress = \"vsock:3:1024\"\n"
     "[[listener]]\nname = \"b\"\naddress = \"hvsock:///a:1\"\n"
     "[[listener]]\nname = \"c\"\naddress = \"systemd:a:b\"\n"
     "[[listener]]\nname = \"d\"\naddress = 5\n"
     "[[listener]]\nname = \"e\"\naddress = \"ttrpc+vsock://3:1024\"\n",
     {"c:3:11: error: address is \"vsock:3:1024\", whose clients cannot be authenticated; use "
      "unix:///abs/path, unix-abstract:name or systemd:NAME",
      "c:6:11: error: address is \"hvsock:///a:1\", whose clients cannot be authenticated; use "
      "unix:///abs/path, unix-abstract:name or systemd:NAME",
      "c:9:11: error: address is \"systemd:a:b\", which has no valid FileDescriptorName= after "
      "systemd:; use 1 to 255 printable characters without spaces and colons",
      "c:12:11: error: address is 5; use unix:///abs/path, unix-abstract:name or systemd:NAME",
      "c:15:11: error: address is \"ttrpc+vsock://3:1024\", whose clients cannot be authenticated; "
      "use unix:///abs/path, unix-abstract:name or systemd:NAME"}},
    {"PassedSocketsHaveNoMode",
     "[[listener]]\nname = \"a\"\naddress = \"systemd:shims\"\nowner = \"root\"\n"
     "mode = \"0600\"\n"
     "[[listener]]\nname = \"b\"\naddress = \"systemd:\"\n"
     "[[listener]]\nname = \"c\"\naddress = \"systemd:shims\"\n",
     {"c:4:1: error: owner cannot be set on a systemd: socket; use SocketUser=, SocketGroup= and "
      "SocketMode= in its .socket unit",
      "c:5:1: error: mode cannot be set on a systemd: socket; use SocketUser=, SocketGroup= and "
      "SocketMode= in its .socket unit",
      "c:8:11: error: address is \"systemd:\", which has no valid FileDescriptorName= after "
      "systemd:; use 1 to 255 printable characters without spaces and colons",
      "c:11:11: error: address \"systemd:shims\" is already used at c:3:11; use another address"}},
    {"AbstractHasNoMode",
     "[[listener]]\nname = \"a\"\naddress = \"unix-abstract:x\"\nowner = \"root\"\n"
     "group = \"root\"\nmode = \"0600\"\n",
     {"c:4:1: error: owner cannot be set on an abstract socket; remove it, or use unix:///abs/path",
      "c:5:1: error: group cannot be set on an abstract socket; remove it, or use unix:///abs/path",
      "c:6:1: error: mode cannot be set on an abstract socket; remove it, or use "
      "unix:///abs/path"}},
    {"OwnerAndGroup",
     "[[listener]]\nname = \"a\"\naddress = \"unix:///a\"\nowner = \"rot\"\ngroup = 995\n"
     "[[listener]]\nname = \"b\"\naddress = \"unix:///b\"\nowner = \"4294967295\"\n"
     "group = \"-1\"\n"
     "[[listener]]\nname = \"c\"\naddress = \"unix:///c\"\nowner = \"broken\"\n",
     {"c:4:9: error: user \"rot\" does not exist; did you mean \"root\"?",
      "c:5:9: error: group is 995; use a name or a number in quotes",
      "c:9:9: error: user \"4294967295\" is out of range; use a number from 0 to 4294967294",
      "c:10:9: error: group \"-1\" does not exist; use an existing group name or a number in "
      "quotes",
      "c:14:9: error: user \"broken\" has the invalid id 4294967295; use another user"}},
    {"Modes",
     "[[listener]]\nname = \"a\"\naddress = \"unix:///a\"\nmode = 660\n"
     "[[listener]]\nname = \"b\"\naddress = \"unix:///b\"\nmode = \"1777\"\n"
     "[[listener]]\nname = \"c\"\naddress = \"unix:///c\"\nmode = \"0680\"\n"
     "[[listener]]\nname = \"d\"\naddress = \"unix:///d\"\nmode = \"\"\n"
     "[[listener]]\nname = \"e\"\naddress = \"unix:///e\"\nmode = \"00600\"\n",
     {"c:4:8: error: mode is 660; write it in quotes: mode = \"660\"",
      "c:8:8: error: mode is \"1777\"; use octal digits in quotes, at most \"0777\"",
      "c:12:8: error: mode is \"0680\"; use octal digits in quotes, at most \"0777\"",
      "c:16:8: error: mode is \"\"; use octal digits in quotes, at most \"0777\"",
      "c:20:8: error: mode is \"00600\"; use octal digits in quotes, at most \"0777\""}},
    {"ModesWithoutQuotes",
     "[[listener]]\nname = \"a\"\naddress = \"unix:///a\"\nmode = 0660 # as in chmod\n"
     "[[listener]]\nname = \"b\"\naddress = \"unix:///b\"\nmode = 0o660\nmod = 1\n"
     "[[listener]]\nname = \"c\"\naddress = \"unix:///c\"\nmode=00600\n"
     "[limits]\nconnections = 010\n[[rule]]\nname = \"r\"\nusers = [ 0990, true]\n"
     "action = \"deny\"\n",
     {"c:4:8: error: mode is 0660; write it in quotes: mode = \"0660\"",
      "c:8:8: error: mode is 0o660; write it in quotes: mode = \"0660\"",
      "c:9:1: error: unknown key \"mod\" in [[listener]]; did you mean \"mode\"?",
      "c:13:6: error: mode is 00600; write it in quotes: mode = \"0600\"",
      "c:15:15: error: connections is 010; write it without leading zeros, or in quotes",
      "c:18:11: error: 0990 has a leading zero; write it without leading zeros, or in quotes",
      "c:18:17: error: users contains a boolean; use a name, a number, a range such as "
      "\"2000-2999\", or \"*\""}},
    {"OverridesOfTheWrongKind",
     "[[listener]]\nname = \"a\"\naddress = \"unix:///a\"\nfirst_request = 1\n"
     "connections_per_user = 0\n",
     {"c:4:17: error: first_request is 1; use a duration such as \"250ms\", \"2s\" or \"5m\"",
      "c:5:24: error: connections_per_user is 0; use a number from 1 to 1000000"}},
    {"OtherKeys",
     "[[listener]]\nname = \"a\"\naddress = \"unix:///a\"\nunknown_fields = \"keep\"\n"
     "call = \"x\"\nusers = [\"root\"]\n",
     {"c:4:18: error: unknown_fields is \"keep\"; use \"refuse\" or \"drop\"",
      "c:5:8: error: call is \"x\"; use a whole number with a unit (us, ms, s, m, h), or \"0\"",
      "c:6:1: error: unknown key \"users\" in [[listener]]; use name, discover, state, directory, "
      "directories, address, owner, group, mode, unknown_fields, first_request, partial_message, "
      "idle, write, call, call_max or connections_per_user"}},
};
INSTANTIATE_TEST_SUITE_P(Listener, ConfigErrors, testing::ValuesIn(kListenerCases), CaseName);

const ErrorCase kBackendCases[] = {
    {"Empty",
     "[[backend]]\n",
     {"c:1:1: error: [[backend]] has no name; give it one that no other backend has",
      "c:1:1: error: [[backend]] has neither address nor addresses; add one of them"}},
    {"Duplicate",
     "[[backend]]\nname = \"a\"\naddress = \"unix:///a\"\n"
     "[[backend]]\nname = \"a\"\naddress = \"unix:///a\"\n",
     {"c:5:8: error: name \"a\" is already used at c:2:8; use a name that no other backend has"}},
    {"Addresses",
     "[[backend]]\nname = \"c\"\naddress = \"systemd:shims\"\n"
     "[[backend]]\nname = \"d\"\naddress = \"discovered\"\n"
     "[[backend]]\nname = \"e\"\naddress = false\n"
     "[[backend]]\nname = \"f\"\naddress = \"vsock:3\"\n",
     {"c:3:11: error: address is \"systemd:shims\", which only a [[listener]] can use; use "
      "unix:///abs/path, unix-abstract:name, vsock:CID:PORT or hvsock:///abs/path:PORT",
      "c:9:11: error: address is a boolean; use unix:///abs/path, unix-abstract:name, "
      "vsock:CID:PORT or hvsock:///abs/path:PORT",
      "c:12:11: error: address is \"vsock:3\", which is not valid: port is missing; use "
      "vsock:CID:PORT"}},
    {"SeveralAddresses",
     "[[backend]]\nname = \"a\"\naddresses = []\n"
     "[[backend]]\nname = \"b\"\naddresses = \"unix:///a\"\n"
     "[[backend]]\nname = \"c\"\naddresses = [\"unix:///a\", 1, \"unix:///a\"]\n"
     "[[backend]]\nname = \"d\"\naddresses = [\"unix-abstract:a\", \"unix://@a\", \"systemd:a\",\n"
     "\"discovered\", \"hvsock:///a\"]\n",
     {"c:3:13: error: addresses is an empty array; use an array of one or more addresses",
      "c:6:13: error: addresses is \"unix:///a\"; use an array of one or more addresses",
      "c:9:27: error: addresses contains an integer; use only strings",
      "c:9:30: error: addresses contains \"unix:///a\" twice; remove one of the two",
      "c:12:33: error: addresses contains \"unix://@a\" twice; remove one of the two",
      "c:12:46: error: addresses contains \"systemd:a\", which only a [[listener]] can use; use "
      "unix:///abs/path, unix-abstract:name, vsock:CID:PORT or hvsock:///abs/path:PORT",
      "c:13:1: error: addresses contains \"discovered\", which has no fixed address; use "
      "address = \"discovered\"",
      "c:13:15: error: addresses contains \"hvsock:///a\", which is not valid: port is missing; "
      "use hvsock:///ABSOLUTE/PATH:PORT"}},
    {"AddressAndAddresses",
     "[[backend]]\nname = \"a\"\naddress = \"unix:///a\"\naddresses = [\"unix:///b\"]\n"
     "[[backend]]\nname = \"b\"\naddress = \"unix:///a\"\nbalance = \"round-robin\"\n",
     {"c:4:1: error: address and addresses are both set; remove one of them",
      "c:8:1: error: balance is set without addresses; remove it, or use addresses"}},
    {"UsersOfVsock",
     "[[backend]]\nname = \"a\"\naddress = \"vsock:3:1024\"\nusers = [\"root\"]\n"
     "[[backend]]\nname = \"b\"\naddresses = [\"unix:///a\", \"vsock:4:1024\"]\nusers = [0]\n",
     {"c:4:1: error: users is set, but the owner of vsock:3:1024 cannot be checked; remove users, "
      "or use only Unix sockets",
      "c:8:1: error: users is set, but the owner of vsock:4:1024 cannot be checked; remove users, "
      "or use only Unix sockets"}},
    {"Loop",
     "[[listener]]\nname = \"a\"\naddress = \"unix:///a\"\n"
     "[[backend]]\nname = \"a\"\naddress = \"unix:///a\"\n"
     "[[backend]]\nname = \"b\"\naddresses = [\"unix:///b\", \"unix:///a\", \"hvsock:///a:1\"]\n",
     {"c:6:11: error: address is \"unix:///a\", where the daemon itself listens (c:3:11); use the "
      "address of another server",
      "c:9:27: error: addresses contains \"unix:///a\", where the daemon itself listens (c:3:11); "
      "use the address of another server",
      "c:9:40: error: addresses contains \"hvsock:///a:1\", where the daemon itself listens "
      "(c:3:11); use the address of another server"}},
    {"Users",
     "[[backend]]\nname = \"a\"\naddress = \"unix:///a\"\nusers = [\"*\", \"1-2\", true]\n"
     "[[backend]]\nname = \"b\"\naddress = \"unix:///b\"\nusers = []\n"
     "[[backend]]\nname = \"c\"\naddress = \"unix:///c\"\nusers = \"root\"\n",
     {"c:4:10: error: user \"*\" does not exist; use an existing user name or a number",
      "c:4:15: error: user \"1-2\" does not exist; use an existing user name or a number",
      "c:4:22: error: users contains a boolean; use a name or a number",
      "c:8:9: error: users is an empty array; use an array of names or numbers",
      "c:12:9: error: users is \"root\"; use an array of names or numbers"}},
    {"Balance",
     "[[backend]]\nname = \"a\"\naddresses = [\"unix:///a\"]\nbalance = \"first\"\n",
     {"c:4:11: error: balance is \"first\"; use \"first-available\" or \"round-robin\""}},
    {"OtherKeys",
     "[[backend]]\nname = \"a\"\naddress = \"unix:///a\"\nconnections = \"per-user\"\n"
     "connect_timeout = \"0\"\nwait = 5\non_disconnect = \"ignore\"\nforward_identity = 1\n"
     "user = 0\n"
     "[[backend]]\nname = \"b\"\naddress = \"unix:///b\"\nconnections = \"shared\"\n"
     "connect_timeout = 1\n",
     {"c:5:19: error: connect_timeout is \"0\"; use a duration longer than 0",
      "c:6:8: error: wait is 5; use a duration such as \"250ms\", \"2s\" or \"5m\"",
      "c:7:17: error: on_disconnect is \"ignore\"; use \"close-peers\" or \"fail-calls\"",
      "c:8:20: error: forward_identity is 1; use true or false",
      "c:9:1: error: unknown key \"user\" in [[backend]]; did you mean \"users\"?",
      "c:13:15: error: connections is \"shared\"; use \"per-peer\" or \"per-user\"",
      "c:14:19: error: connect_timeout is 1; use a duration such as \"250ms\", \"2s\" or \"5m\""}},
};
INSTANTIATE_TEST_SUITE_P(Backend, ConfigErrors, testing::ValuesIn(kBackendCases), CaseName);

TEST(ConfigErrors, AnAddressSaysWhatIsWrongWithIt) {
  const LoadedConfig loaded = ParseText(
      "[[listener]]\nname = \"a\"\naddress = \"tcp:1\"\n"
      "[[backend]]\nname = \"a\"\naddress = \"unix://a\"\n");
  const auto errors = Strings(loaded.errors);
  ASSERT_EQ(errors.size(), 2U);
  // The rest of the text comes from the library, whose tests assert it.
  EXPECT_THAT(errors[0], StartsWith("c:3:11: error: address is \"tcp:1\", which is not valid: "));
  EXPECT_THAT(errors[1],
              StartsWith("c:6:11: error: address is \"unix://a\", which is not valid: "));
}

TEST(ConfigErrors, ASyntaxErrorHasItsPosition) {
  const LoadedConfig loaded = ParseText("[log]\nlevel = = 3\n");
  const auto errors = Strings(loaded.errors);
  ASSERT_EQ(errors.size(), 1U);
  // The rest of the text comes from the parser.
  EXPECT_THAT(errors[0], StartsWith("c:2:9: error: invalid TOML: "));
}

// The parser quotes the file in its message, which must still be one line.
TEST(ConfigErrors, ASyntaxErrorIsOneLine) {
  const auto errors = Strings(ParseText("x = t\n").errors);
  ASSERT_EQ(errors.size(), 1U);
  EXPECT_THAT(errors[0], StartsWith("c:1:6: error: invalid TOML: "));
  EXPECT_EQ(errors[0].find('\n'), std::string::npos) << errors[0];
}

TEST(ConfigErrors, AKeyTwiceInAFileIsASyntaxError) {
  const LoadedConfig loaded = ParseText("[log]\nlevel = \"info\"\nlevel = \"info\"\n");
  const auto errors = Strings(loaded.errors);
  ASSERT_EQ(errors.size(), 1U);
  EXPECT_THAT(errors[0], StartsWith("c:3:"));
}

TEST(ConfigErrors, DeepNestingIsASyntaxError) {
  const LoadedConfig loaded = ParseText("a = " + std::string(100000, '['));
  const auto errors = Strings(loaded.errors);
  ASSERT_EQ(errors.size(), 1U);
  EXPECT_THAT(errors[0], StartsWith("c:1:"));
}

// Returns `a.a.a…` with this number of parts.
std::string LongKey(size_t parts) {
  std::string key = "a";
  for (size_t i = 1; i < parts; ++i) key += ".a";
  return key;
}

// The library would build a table inside a table for each part, and overflow the stack.
const std::string kLongKey =
    "error: this key has more than 16 parts; use at most two, as in log.level";
const ErrorCase kLongKeyCases[] = {
    {"Assigned", LongKey(200000) + " = 1\n", {"c:1:1: " + kLongKey}},
    {"OfATable", "[log]\n\n  [ " + LongKey(200000) + "]\n", {"c:3:5: " + kLongKey}},
    {"OfAListOfTables", "[[" + LongKey(200000) + "]]\n", {"c:1:3: " + kLongKey}},
    {"InAnInlineTable", "x = [{b = 1.5, " + LongKey(200000) + " = 1}]\n", {"c:1:16: " + kLongKey}},
    {"OfBlanksAndQuotes",
     "\"\u00e4=\\\"\" = 'ä', 'a' . \"b\" .\tc" + LongKey(15).substr(1) + "\n",
     {"c:1:15: " + kLongKey}},
    {"AfterManyLines",
     "a = \"\"\"x\n\\\"\"\"\"\"\nb = \'\'\'\n\\\'\'\'\n" + LongKey(17) + " = 1\n",
     {"c:5:1: " + kLongKey}},
};
INSTANTIATE_TEST_SUITE_P(LongKey, ConfigErrors, testing::ValuesIn(kLongKeyCases), CaseName);

TEST(ConfigErrors, DotsOutsideKeysDoNotMakeALongKey) {
  const std::string dots(100, '.');
  std::string multi_line = "[log]\nlevel = \"\"\"\n";
  multi_line.append(dots).append("\\\"\"\"").append(dots).append("\"\"\"\"\"\n");
  for (const std::string& text :
       {"# " + dots + "\n", "[log] # a" + dots + "\n", "[log]\nlevel = \"\\\"" + dots + "\"\n",
        "[log]\nlevel = '\\'\n#'" + dots + "\n", multi_line}) {
    for (const std::string& error : Strings(ParseText(text).errors)) {
      EXPECT_THAT(error, testing::Not(testing::HasSubstr("parts"))) << text;
    }
  }
  const auto errors = Strings(ParseText(LongKey(16) + " = 1\n").errors);
  ASSERT_EQ(errors.size(), 1U);
  EXPECT_THAT(errors[0], StartsWith("c:1:1: error: unknown section \"a\"; use [daemon], "));
}

// Both limits together must fit on the stack when the library builds and destroys the tables.
TEST(ConfigErrors, LongKeysAtEachLevelOfDeepNestingAreRead) {
  std::string text = "[" + LongKey(16) + "]\n";
  for (int depth = 0; depth < 255; ++depth) text += LongKey(16) + " = {";
  text += std::string(255, '}') + "\n";
  const auto errors = Strings(ParseText(text).errors);
  ASSERT_EQ(errors.size(), 1U);
  EXPECT_THAT(errors[0], StartsWith("c:1:2: error: unknown section \"a\"; use [daemon], "));
}

TEST(ConfigErrors, AnEmptyFileHasNone) {
  const LoadedConfig loaded = ParseText("");
  EXPECT_TRUE(loaded.config.has_value());
  EXPECT_THAT(loaded.errors, IsEmpty());
}

}  // namespace
}  // namespace proxyd
