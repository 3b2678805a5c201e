// SPDX-License-Identifier: Apache-2.0
//
// Every error of one file, to the letter and in order.
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

// So that a failure names the case.
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
     {"c:1:2: unknown key \"logs\", expected [daemon], [log], [audit], [limits], [timeouts], "
      "[admin], [metrics], [[listener]], [[backend]] or [[rule]]"}},
    {"SectionIsNoTable",
     "log = \"info\"\n[[audit]]\n",
     {"c:1:1: log is a string, expected a table: [log]",
      "c:2:3: audit is an array, expected a table: [audit]"}},
    {"ListIsNoArrayOfTables",
     "listener = [3, {name = \"a\", address = \"unix:///a\"}]\n[backend]\nname = \"b\"\n",
     {"c:1:13: listener has an integer in it, expected tables: [[listener]]",
      "c:2:1: [[backend]] has neither address nor addresses, expected one of them",
      "c:2:2: [backend] is one table of its own, expected [[backend]]"}},
    {"SingleBracketsTwice",
     "[rule]\nname = \"a\"\naction = \"deny\"\n[ rule ] # again\nname = \"b\"\nacton = \"deny\"\n"
     "[log]\nlevel = 1\n",
     {"c:1:2: [rule] is one table of its own, expected [[rule]]",
      "c:4:1: [[rule]] has no action, expected \"allow\" or \"deny\"",
      "c:4:3: [rule] is one table of its own, expected [[rule]]",
      "c:6:1: [[rule]] has an unknown key \"acton\", expected name, listeners, users, groups, "
      "methods, metadata, action, backend, streams, call_max, enforce or audit",
      "c:8:9: level is 1, expected \"trace\", \"debug\", \"info\", \"warn\" or \"error\""}},
    {"SingleAndDoubleBrackets",
     "[[rule]]\nname = \"a\"\naction = \"deny\"\n[rule]\nname = \"a\"\naction = \"deny\"\n",
     {"c:4:2: [rule] is one table of its own, expected [[rule]]",
      "c:5:8: name is \"a\", which stands at c:2:8 already, expected a name of its own"}},
    {"DoubleBracketsAfterSingleOnes",
     "[rule]\nname = \"a\"\naction = \"deny\"\n[[rule]]\nname = \"b\"\naction = \"deny\"\n",
     {"c:1:2: [rule] is one table of its own, expected [[rule]]"}},
    {"UnknownKeys",
     "[log]\nlvel = \"info\"\n[daemon]\n\"a\\u001bb\" = 1\n",
     {"c:2:1: [log] has an unknown key \"lvel\", expected level, format or target",
      "c:4:1: [daemon] has an unknown key \"a\\u001bb\", expected drain_timeout or sandbox"}},
    {"KindsOfValues",
     "[log]\nlevel = 1\nformat = 1.5\ntarget = true\n[audit]\ncalls = 2024-01-01\n"
     "target = 12:00:00\non_error = 2024-01-01T12:00:00Z\nrate_per_user = \"5\"\n"
     "[daemon]\ndrain_timeout = []\n[timeouts]\ncall = {}\ncall_max = [1]\n",
     {"c:2:9: level is 1, expected \"trace\", \"debug\", \"info\", \"warn\" or \"error\"",
      "c:3:10: format is a float, expected \"text\" or \"json\"",
      "c:4:10: target is a boolean, expected \"stderr\", \"journal\" or \"file:/abs/path\"",
      "c:6:9: calls is a date, expected \"none\", \"denied\" or \"all\"",
      "c:7:10: target is a time, expected \"log\" or \"file:/abs/path\"",
      "c:8:12: on_error is a date and time, expected \"drop\" or \"refuse-calls\"",
      "c:9:17: rate_per_user is \"5\", expected a number from 1 to 1000000",
      "c:11:17: drain_timeout is empty, expected a duration as \"250ms\", \"2s\" or \"5m\"",
      "c:13:8: call is a table, expected a duration as \"250ms\", \"2s\" or \"5m\"",
      "c:14:12: call_max is an array, expected a duration as \"250ms\", \"2s\" or \"5m\""}},
};
INSTANTIATE_TEST_SUITE_P(Structure, ConfigErrors, testing::ValuesIn(kStructureCases), CaseName);

const ErrorCase kSectionCases[] = {
    {"Daemon",
     "[daemon]\nworkers = 1\ndrain_timeout = \"10\"\nsandbox = 0\n",
     {"c:2:1: [daemon]: workers is not supported yet",
      "c:3:17: drain_timeout is \"10\", expected a whole number with a unit (us, ms, s, m, h) or "
      "\"0\"",
      "c:4:11: sandbox is 0, expected true or false"}},
    {"LogTargets",
     "[log]\ntarget = \"file:log\"\n[audit]\ntarget = \"file:/var/log/\"\n",
     {"c:2:10: target is \"file:log\", expected \"stderr\", \"journal\" or \"file:/abs/path\"",
      "c:4:10: target is \"file:/var/log/\", expected \"log\" or \"file:/abs/path\""}},
    {"NulInPath",
     "[log]\ntarget = \"file:/a\\u0000b\"\n",
     {"c:2:10: target is \"file:/a\\u0000b\", expected \"stderr\", \"journal\" or "
      "\"file:/abs/path\""}},
    {"RateOutOfBounds",
     "[audit]\nrate_per_user = 0\n",
     {"c:2:17: rate_per_user is 0, expected a number from 1 to 1000000"}},
    {"RateBelowZero",
     "[audit]\nrate_per_user = -4294967291\n",
     {"c:2:17: rate_per_user is -4294967291, expected a number from 1 to 1000000"}},
    {"AuditBytesOutOfBounds",
     "[audit]\nbytes_per_user = \"1023\"\n",
     {"c:2:18: bytes_per_user is \"1023\", expected \"1KiB\" to \"1GiB\""}},
    {"AuditBytesKind",
     "[audit]\nbytes_per_user = 65536\n",
     {"c:2:18: bytes_per_user is 65536, expected a size as \"4MiB\""}},
    {"LessThanAMessageAndLessThanAUserMayHave",
     "[limits]\nbuffered_per_user = \"1MiB\"\nbuffered = \"1MiB\"\n",
     {"c:2:21: buffered_per_user is \"1MiB\", expected message_size (4MiB) to 1TiB",
      "c:3:12: buffered is \"1MiB\", expected buffered_per_user (64MiB) to 1TiB"}},
    {"BufferedWithoutEnd",
     "[limits]\nbuffered_per_user = \"1025GiB\"\nbuffered = 5\n",
     {"c:2:21: buffered_per_user is \"1025GiB\", expected message_size (4MiB) to 1TiB",
      "c:3:12: buffered is 5, expected a size as \"4MiB\""}},
    {"LimitsOfZero",
     "[limits]\nconnections = 0\nconnections_per_user = 0\ncalls_per_connection = 0\n"
     "calls_per_user = 0\nrequests_per_second_per_user = -1\nbackend_connections_per_user = 0\n",
     {"c:2:15: connections is 0, expected a number from 1 to 1000000",
      "c:3:24: connections_per_user is 0, expected a number from 1 to 1000000",
      "c:4:24: calls_per_connection is 0, expected a number from 1 to 1000000",
      "c:5:18: calls_per_user is 0, expected a number from 1 to 1000000",
      "c:6:32: requests_per_second_per_user is -1, expected a number from 0 to 1000000",
      "c:7:32: backend_connections_per_user is 0, expected a number from 1 to 4000000"}},
    {"ReserveOfAll",
     "[limits]\nconnections_reserved = 100\nconnections = 100\n",
     {"c:2:24: connections_reserved is 100, expected a number from 0 to 99"}},
    {"MessageSizeTooLarge",
     "[limits]\nmessage_size = \"16MiB\"\n",
     {"c:2:16: message_size is \"16MiB\", expected \"1KiB\" to \"16777215\" (16 MiB - 1)"}},
    {"MessageSizeTooSmall",
     "[limits]\nmessage_size = \"1023\"\n",
     {"c:2:16: message_size is \"1023\", expected \"1KiB\" to \"16777215\" (16 MiB - 1)"}},
    {"MessageSizeOverflows",
     "[limits]\nmessage_size = \"18446744073709551615GiB\"\n",
     {"c:2:16: message_size is \"18446744073709551615GiB\", expected \"1KiB\" to \"16777215\" (16 "
      "MiB - 1)"}},
    {"MessageSizeUnit",
     "[limits]\nmessage_size = \"4MB\"\n",
     {"c:2:16: message_size is \"4MB\", expected a whole number of bytes, KiB, MiB or GiB, as "
      "\"64KiB\""}},
    {"MessageSizeKind",
     "[limits]\nmessage_size = 4096\n",
     {"c:2:16: message_size is 4096, expected a size as \"4MiB\""}},
    {"Timeouts",
     "[timeouts]\ncall = \"-1s\"\ncall_max = \"8761h\"\nfirst_request = 30\n"
     "partial_message = 10\nidle = \"1.5s\"\nwrite = \"\"\n",
     {"c:2:8: call is \"-1s\", expected a whole number with a unit (us, ms, s, m, h) or \"0\"",
      "c:3:12: call_max is \"8761h\", expected at most \"8760h\"",
      "c:4:17: first_request is 30, expected a duration as \"250ms\", \"2s\" or \"5m\"",
      "c:5:19: partial_message is 10, expected a duration as \"250ms\", \"2s\" or \"5m\"",
      "c:6:8: idle is \"1.5s\", expected a whole number with a unit (us, ms, s, m, h) or \"0\"",
      "c:7:9: write is \"\", expected a whole number with a unit (us, ms, s, m, h) or \"0\""}},
};
INSTANTIATE_TEST_SUITE_P(Sections, ConfigErrors, testing::ValuesIn(kSectionCases), CaseName);

const ErrorCase kListenerCases[] = {
    {"Empty",
     "[[listener]]\n",
     {"c:1:1: [[listener]] has no name, expected a name of its own",
      "c:1:1: [[listener]] has no address, expected a Unix socket: unix:///abs/path, "
      "unix-abstract:name or systemd:NAME"}},
    {"Names",
     "[[listener]]\nname = \"\"\naddress = \"unix:///a\"\n"
     "[[listener]]\nname = 1\naddress = \"unix:///b\"\n"
     "[[listener]]\nname = \"a\\nb\"\naddress = \"unix:///c\"\n",
     {"c:2:8: name is \"\", expected 1 to 128 bytes without control characters",
      "c:5:8: name is 1, expected a name of its own",
      "c:8:8: name is \"a\\nb\", expected 1 to 128 bytes without control characters"}},
    {"LongName",
     "[[listener]]\nname = \"" + std::string(129, 'n') + "\"\naddress = \"unix:///a\"\n",
     {"c:2:8: name is \"" + std::string(128, 'n') +
      "…\", expected 1 to 128 bytes without control characters"}},
    {"Duplicates",
     "[[listener]]\nname = \"a\"\naddress = \"unix-abstract:x\"\n"
     "[[listener]]\nname = \"a\"\naddress = \"unix://@x\"\n",
     {"c:5:8: name is \"a\", which stands at c:2:8 already, expected a name of its own",
      "c:6:11: address is \"unix://@x\", which stands at c:3:11 already, expected one of its "
      "own"}},
    {"NotAUnixSocket",
     "[[listener]]\nname = \"a\"\naddress = \"vsock:3:1024\"\n"
     "[[listener]]\nname = \"b\"\naddress = \"hvsock:///a:1\"\n"
     "[[listener]]\nname = \"c\"\naddress = \"systemd:a:b\"\n"
     "[[listener]]\nname = \"d\"\naddress = 5\n",
     {"c:3:11: address is \"vsock:3:1024\", expected a Unix socket, whose peers can be "
      "authenticated",
      "c:6:11: address is \"hvsock:///a:1\", expected a Unix socket, whose peers can be "
      "authenticated",
      "c:9:11: address is \"systemd:a:b\", expected a FileDescriptorName= after systemd:, of 1 to "
      "255 "
      "printable characters but space and colon",
      "c:12:11: address is 5, expected a Unix socket: unix:///abs/path, unix-abstract:name or "
      "systemd:NAME"}},
    {"PassedSocketsHaveNoMode",
     "[[listener]]\nname = \"a\"\naddress = \"systemd:shims\"\nowner = \"root\"\n"
     "mode = \"0600\"\n"
     "[[listener]]\nname = \"b\"\naddress = \"systemd:\"\n"
     "[[listener]]\nname = \"c\"\naddress = \"systemd:shims\"\n",
     {"c:4:1: owner stands with a systemd: address, expected it only with unix:///abs/path: its "
      ".socket unit sets SocketUser=, SocketGroup= and SocketMode=",
      "c:5:1: mode stands with a systemd: address, expected it only with unix:///abs/path: its "
      ".socket unit sets SocketUser=, SocketGroup= and SocketMode=",
      "c:8:11: address is \"systemd:\", expected a FileDescriptorName= after systemd:, of 1 to 255 "
      "printable characters but space and colon",
      "c:11:11: address is \"systemd:shims\", which stands at c:3:11 already, expected one of "
      "its "
      "own"}},
    {"AbstractHasNoMode",
     "[[listener]]\nname = \"a\"\naddress = \"unix-abstract:x\"\nowner = \"root\"\n"
     "group = \"root\"\nmode = \"0600\"\n",
     {"c:4:1: owner stands with an abstract address, expected it only with unix:///abs/path: an "
      "abstract socket has none",
      "c:5:1: group stands with an abstract address, expected it only with unix:///abs/path: an "
      "abstract socket has none",
      "c:6:1: mode stands with an abstract address, expected it only with unix:///abs/path: an "
      "abstract socket has none"}},
    {"OwnerAndGroup",
     "[[listener]]\nname = \"a\"\naddress = \"unix:///a\"\nowner = \"rot\"\ngroup = 995\n"
     "[[listener]]\nname = \"b\"\naddress = \"unix:///b\"\nowner = \"4294967295\"\n"
     "group = \"-1\"\n"
     "[[listener]]\nname = \"c\"\naddress = \"unix:///c\"\nowner = \"broken\"\n",
     {"c:4:9: user \"rot\" does not exist, expected a name, or a number in quotes",
      "c:5:9: group is 995, expected a name, or a number in quotes",
      "c:9:9: user \"4294967295\" is out of range, expected a number from 0 to 4294967294",
      "c:10:9: group \"-1\" does not exist, expected a name, or a number in quotes",
      "c:14:9: user \"broken\" does not exist, expected a name, or a number in quotes"}},
    {"Modes",
     "[[listener]]\nname = \"a\"\naddress = \"unix:///a\"\nmode = 660\n"
     "[[listener]]\nname = \"b\"\naddress = \"unix:///b\"\nmode = \"1777\"\n"
     "[[listener]]\nname = \"c\"\naddress = \"unix:///c\"\nmode = \"0680\"\n"
     "[[listener]]\nname = \"d\"\naddress = \"unix:///d\"\nmode = \"\"\n"
     "[[listener]]\nname = \"e\"\naddress = \"unix:///e\"\nmode = \"00600\"\n",
     {"c:4:8: mode is 660, expected octal digits in quotes, at most \"0777\"",
      "c:8:8: mode is \"1777\", expected octal digits in quotes, at most \"0777\"",
      "c:12:8: mode is \"0680\", expected octal digits in quotes, at most \"0777\"",
      "c:16:8: mode is \"\", expected octal digits in quotes, at most \"0777\"",
      "c:20:8: mode is \"00600\", expected octal digits in quotes, at most \"0777\""}},
    {"ModesWithoutQuotes",
     "[[listener]]\nname = \"a\"\naddress = \"unix:///a\"\nmode = 0660 # as in chmod\n"
     "[[listener]]\nname = \"b\"\naddress = \"unix:///b\"\nmode = 0o660\nmod = 1\n"
     "[[listener]]\nname = \"c\"\naddress = \"unix:///c\"\nmode=00600\n"
     "[limits]\nconnections = 010\n[[rule]]\nname = \"r\"\nusers = [ 0990, true]\n"
     "action = \"deny\"\n",
     {"c:4:8: mode is 0660, expected octal digits in quotes: \"0660\"",
      "c:8:8: mode is 0o660, expected octal digits in quotes, at most \"0777\"",
      "c:9:1: [[listener]] has an unknown key \"mod\", expected name, address, owner, group, mode, "
      "unknown_fields, first_request, partial_message, idle, write, call, call_max or "
      "connections_per_user",
      "c:13:6: mode is 00600, expected octal digits in quotes: \"00600\"",
      "c:15:15: connections is 010, expected a number without leading zeroes, or a string in "
      "quotes",
      "c:18:11: 0990 has a leading zero, expected a number without leading zeroes, or a string in "
      "quotes",
      "c:18:17: a boolean in users, expected names, numbers, ranges as \"2000-2999\" or \"*\""}},
    {"LaterKeys",
     "[[listener]]\nname = \"a\"\naddress = \"unix:///a\"\n"
     "discover = \"directory\"\ndirectory = \"/run\"\nstate = \"/run\"\n",
     {"c:4:1: [[listener]]: discover is not supported yet",
      "c:5:1: [[listener]]: directory is not supported yet",
      "c:6:1: [[listener]]: state is not supported yet"}},
    {"OverridesOfTheWrongKind",
     "[[listener]]\nname = \"a\"\naddress = \"unix:///a\"\nfirst_request = 1\n"
     "connections_per_user = 0\n",
     {"c:4:17: first_request is 1, expected a duration as \"250ms\", \"2s\" or \"5m\"",
      "c:5:24: connections_per_user is 0, expected a number from 1 to 1000000"}},
    {"OtherKeys",
     "[[listener]]\nname = \"a\"\naddress = \"unix:///a\"\nunknown_fields = \"keep\"\n"
     "call = \"x\"\nusers = [\"root\"]\n",
     {"c:4:18: unknown_fields is \"keep\", expected \"refuse\" or \"drop\"",
      "c:5:8: call is \"x\", expected a whole number with a unit (us, ms, s, m, h) or \"0\"",
      "c:6:1: [[listener]] has an unknown key \"users\", expected name, address, owner, group, "
      "mode, unknown_fields, first_request, partial_message, idle, write, call, call_max or "
      "connections_per_user"}},
};
INSTANTIATE_TEST_SUITE_P(Listener, ConfigErrors, testing::ValuesIn(kListenerCases), CaseName);

const std::string kBackendKeys =
    "name, address, addresses, balance, users, connections, connect_timeout, wait, on_disconnect "
    "or "
    "forward_identity";
const ErrorCase kBackendCases[] = {
    {"Empty",
     "[[backend]]\n",
     {"c:1:1: [[backend]] has no name, expected a name of its own",
      "c:1:1: [[backend]] has neither address nor addresses, expected one of them"}},
    {"Duplicate",
     "[[backend]]\nname = \"a\"\naddress = \"unix:///a\"\n"
     "[[backend]]\nname = \"a\"\naddress = \"unix:///a\"\n",
     {"c:5:8: name is \"a\", which stands at c:2:8 already, expected a name of its own"}},
    {"Addresses",
     "[[backend]]\nname = \"c\"\naddress = \"systemd:shims\"\n"
     "[[backend]]\nname = \"d\"\naddress = \"discovered\"\n"
     "[[backend]]\nname = \"e\"\naddress = false\n"
     "[[backend]]\nname = \"f\"\naddress = \"vsock:3\"\n",
     {"c:3:11: address is \"systemd:shims\", expected systemd: only in [[listener]]",
      "c:6:11: address is \"discovered\", and discovered is not supported yet",
      "c:9:11: address is a boolean, expected unix:///abs/path, unix-abstract:name, vsock:CID:PORT "
      "or hvsock:///abs/path:PORT",
      "c:12:11: address is \"vsock:3\": port is missing; use vsock:CID:PORT"}},
    {"SeveralAddresses",
     "[[backend]]\nname = \"a\"\naddresses = []\n"
     "[[backend]]\nname = \"b\"\naddresses = \"unix:///a\"\n"
     "[[backend]]\nname = \"c\"\naddresses = [\"unix:///a\", 1, \"unix:///a\"]\n"
     "[[backend]]\nname = \"d\"\naddresses = [\"unix-abstract:a\", \"unix://@a\", \"systemd:a\",\n"
     "\"discovered\", \"hvsock:///a\"]\n",
     {"c:3:13: addresses is empty, expected an array of addresses",
      "c:6:13: addresses is \"unix:///a\", expected an array of addresses",
      "c:9:27: addresses has an integer in it, expected an array of addresses",
      "c:9:30: addresses has \"unix:///a\" in it twice, expected each once",
      "c:12:33: addresses has \"unix://@a\" in it twice, expected each once",
      "c:12:46: addresses has \"systemd:a\" in it, expected systemd: only in [[listener]]",
      "c:13:1: addresses has \"discovered\" in it, and discovered is not supported yet",
      std::string("c:13:15: addresses has \"hvsock:///a\" in it: port is missing; use ") +
          "hvsock:///ABSOLUTE/PATH:PORT"}},
    {"AddressAndAddresses",
     "[[backend]]\nname = \"a\"\naddress = \"unix:///a\"\naddresses = [\"unix:///b\"]\n"
     "[[backend]]\nname = \"b\"\naddress = \"unix:///a\"\nbalance = \"round-robin\"\n",
     {"c:4:1: addresses stands with address, expected one of them",
      "c:8:1: balance stands without addresses, expected it only with them"}},
    {"UsersOfVsock",
     "[[backend]]\nname = \"a\"\naddress = \"vsock:3:1024\"\nusers = [\"root\"]\n"
     "[[backend]]\nname = \"b\"\naddresses = [\"unix:///a\", \"vsock:4:1024\"]\nusers = [0]\n",
     {"c:4:1: users stands with vsock:3:1024, expected it only with Unix sockets: nobody can tell "
      "who listens there",
      "c:8:1: users stands with vsock:4:1024, expected it only with Unix sockets: nobody can tell "
      "who listens there"}},
    {"Loop",
     "[[listener]]\nname = \"a\"\naddress = \"unix:///a\"\n"
     "[[backend]]\nname = \"a\"\naddress = \"unix:///a\"\n"
     "[[backend]]\nname = \"b\"\naddresses = [\"unix:///b\", \"unix:///a\", \"hvsock:///a:1\"]\n",
     {"c:6:11: address is \"unix:///a\", which stands at c:3:11 as our own, expected another: "
      "calls "
      "would come back for ever",
      "c:9:27: addresses has \"unix:///a\" in it, which stands at c:3:11 as our own, expected "
      "another: "
      "calls would come back for ever",
      "c:9:40: addresses has \"hvsock:///a:1\" in it, which stands at c:3:11 as our own, expected "
      "another: calls would come back for ever"}},
    {"Users",
     "[[backend]]\nname = \"a\"\naddress = \"unix:///a\"\nusers = [\"*\", \"1-2\", true]\n"
     "[[backend]]\nname = \"b\"\naddress = \"unix:///b\"\nusers = []\n"
     "[[backend]]\nname = \"c\"\naddress = \"unix:///c\"\nusers = \"root\"\n",
     {"c:4:10: user \"*\" does not exist, expected names or numbers",
      "c:4:15: user \"1-2\" does not exist, expected names or numbers",
      "c:4:22: a boolean in users, expected names or numbers",
      "c:8:9: users is empty, expected an array of names or numbers",
      "c:12:9: users is \"root\", expected an array of names or numbers"}},
    {"Balance",
     "[[backend]]\nname = \"a\"\naddresses = [\"unix:///a\"]\nbalance = \"first\"\n",
     {"c:4:11: balance is \"first\", expected \"first-available\" or \"round-robin\""}},
    {"OtherKeys",
     "[[backend]]\nname = \"a\"\naddress = \"unix:///a\"\nconnections = \"per-user\"\n"
     "connect_timeout = \"0\"\nwait = 5\non_disconnect = \"ignore\"\nforward_identity = 1\n"
     "user = 0\n"
     "[[backend]]\nname = \"b\"\naddress = \"unix:///b\"\nconnections = \"shared\"\n"
     "connect_timeout = 1\n",
     {"c:5:19: connect_timeout is \"0\", expected more than 0",
      "c:6:8: wait is 5, expected a duration as \"250ms\", \"2s\" or \"5m\"",
      "c:7:17: on_disconnect is \"ignore\", expected \"close-peers\" or \"fail-calls\"",
      "c:8:20: forward_identity is 1, expected true or false",
      "c:9:1: [[backend]] has an unknown key \"user\", expected " + kBackendKeys,
      "c:13:15: connections is \"shared\", expected \"per-peer\" or \"per-user\"",
      "c:14:19: connect_timeout is 1, expected a duration as \"250ms\", \"2s\" or \"5m\""}},
};
INSTANTIATE_TEST_SUITE_P(Backend, ConfigErrors, testing::ValuesIn(kBackendCases), CaseName);

TEST(ConfigErrors, AnAddressSaysWhatIsWrongWithIt) {
  const LoadedConfig loaded = ParseText(
      "[[listener]]\nname = \"a\"\naddress = \"tcp:1\"\n"
      "[[backend]]\nname = \"a\"\naddress = \"unix://a\"\n");
  const auto errors = Strings(loaded.errors);
  ASSERT_EQ(errors.size(), 2U);
  // The rest is the library's, and asserted there.
  EXPECT_THAT(errors[0], StartsWith("c:3:11: address is \"tcp:1\": "));
  EXPECT_THAT(errors[1], StartsWith("c:6:11: address is \"unix://a\": "));
}

TEST(ConfigErrors, ASyntaxErrorHasItsPosition) {
  const LoadedConfig loaded = ParseText("[log]\nlevel = = 3\n");
  const auto errors = Strings(loaded.errors);
  ASSERT_EQ(errors.size(), 1U);
  // The rest is the parser's.
  EXPECT_THAT(errors[0], StartsWith("c:2:9: not valid TOML: "));
}

// What the parser quotes of the file stays on the line of its message.
TEST(ConfigErrors, ASyntaxErrorIsOneLine) {
  const auto errors = Strings(ParseText("x = t\n").errors);
  ASSERT_EQ(errors.size(), 1U);
  EXPECT_THAT(errors[0], StartsWith("c:1:6: not valid TOML: "));
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

// `a.a.a…`, of `parts` parts.
std::string LongKey(size_t parts) {
  std::string key = "a";
  for (size_t i = 1; i < parts; ++i) key += ".a";
  return key;
}

// The library would build a table in a table for each part, and overflow the stack.
const std::string kLongKey = "a key of more than 16 parts, expected at most two, as in log.level";
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

TEST(ConfigErrors, DotsThatAreOfNoKeyAreNoLongKey) {
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
  EXPECT_THAT(errors[0], StartsWith("c:1:1: unknown key \"a\", expected "));
}

// What the library builds and destroys of both bounds together fits on the stack, and we read no
// deeper than a configuration goes.
TEST(ConfigErrors, LongKeysAtEachLevelOfDeepNestingAreRead) {
  std::string text = "[" + LongKey(16) + "]\n";
  for (int depth = 0; depth < 255; ++depth) text += LongKey(16) + " = {";
  text += std::string(255, '}') + "\n";
  const auto errors = Strings(ParseText(text).errors);
  ASSERT_EQ(errors.size(), 1U);
  EXPECT_THAT(errors[0], StartsWith("c:1:2: unknown key \"a\", expected "));
}

TEST(ConfigErrors, AnEmptyFileHasNone) {
  const LoadedConfig loaded = ParseText("");
  EXPECT_TRUE(loaded.config.has_value());
  EXPECT_THAT(loaded.errors, IsEmpty());
}

}  // namespace
}  // namespace proxyd
