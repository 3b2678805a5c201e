// SPDX-License-Identifier: Apache-2.0
#include "options.h"

#include <sysexits.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <sstream>

#include "invalid.h"
#include "standard_output.h"
#include "text/closest.h"
#include "text/escape.h"
#include "text/numbers.h"

namespace ttrpc::tool {

using text::ParseDuration;
using text::ParseSize;

namespace {

constexpr char kExitStatus[] =
    "Exit status: 0 OK; 64 bad command line; 65 bad input or schema; 69 cannot connect; 74 output\n"
    "cannot be written; 100 + N the call ended with status code N (107: PERMISSION_DENIED).";

// The words of the command line as CLI11 stores them, before they are parsed further.
struct Words {
  std::string address;
  std::string method;
  std::string stream;
  std::vector<std::string> metadata;
  std::optional<std::string> timeout;
  std::optional<std::string> connect_timeout;
  std::optional<std::string> message_size;
};

// Adds an option that takes one value and may be repeated.
void AddList(CLI::App* app, const std::string& name, std::vector<std::string>* values,
             const std::string& help) {
  app->add_option(name, *values, help)
      ->allow_extra_args(false)
      ->type_name(name.find("import") == std::string::npos ? "FILE" : "DIR");
}

void AddSchemaOptions(CLI::App* app, SchemaSources* schema) {
  AddList(app, "--proto", &schema->protos,
          "read this .proto file, and what it imports; repeatable");
  AddList(app, "-I,--import-path", &schema->import_paths,
          "look for .proto files in this folder (default: the current one); repeatable");
  AddList(app, "--descriptor-set", &schema->descriptor_sets,
          "read this descriptor set, as protoc -o writes it; repeatable");
  app->get_option("--descriptor-set")
      ->excludes(app->get_option("--proto"))
      ->excludes(app->get_option("--import-path"));
}

CLI::App* AddCall(CLI::App* app, Options* options, Words* words) {
  CLI::App* call = app->add_subcommand("call", "Call a method, print its replies as JSON.");
  call->footer(kExitStatus);
  call->add_option("ADDRESS", words->address,
                   "unix:///PATH, unix-abstract:NAME, vsock:CID:PORT or hvsock:///PATH:PORT")
      ->required();
  call->add_option("METHOD", words->method, "package.Service/Method")->required();
  call->add_option(
          "-d,--data", options->data,
          "the request, or several one after another: JSON, @FILE, or - for standard input")
      ->type_name("DATA");
  AddSchemaOptions(call, &options->schema);
  CLI::Option* raw = call->add_flag("--raw", options->raw, "bytes in and out, without any schema");
  raw->excludes(call->get_option("--proto"))->excludes(call->get_option("--descriptor-set"));
  call->add_option("--stream", words->stream,
                   "with --raw: who streams, client, server or both; messages are length-delimited")
      ->needs(raw)
      ->type_name("WHO")
      ->check(CLI::IsMember({"client", "server", "both"}));
  call->add_option("--metadata", words->metadata, "send this with the call; repeatable")
      ->allow_extra_args(false)
      ->type_name("KEY=VALUE");
  call->add_option("--timeout", words->timeout, "how long the call may take: 250ms, 2s, 1m30s")
      ->type_name("DURATION");
  call->add_option("--connect-timeout", words->connect_timeout,
                   "how long connecting may take (default: 10s)")
      ->type_name("DURATION");
  call->add_option("--max-message-size", words->message_size,
                   "of a message sent or received, in bytes, KiB or MiB (default: 4MiB)")
      ->type_name("SIZE");
  call->add_flag("--json", options->status_as_json, "a status other than OK is printed as JSON");
  call->add_flag("--proto-names", options->style.proto_names,
                 "replies have field_names, not fieldNames");
  call->add_flag("--defaults", options->style.defaults,
                 "replies have fields with default values, too");
  call->add_flag("--compact", options->style.compact, "replies are one line each");
  return call;
}

CLI::App* AddLook(CLI::App* app, const std::string& name, const std::string& help,
                  Options* options) {
  CLI::App* look = app->add_subcommand(name, help);
  look->footer("Exit status: 0 fine; 64 bad command line; 65 bad schema, or nothing of that name.");
  AddSchemaOptions(look, &options->schema);
  return look;
}

Status In(const std::string& where, const Status& what) {
  return Invalid(where + ": " + what.message());
}

Status ReadMetadata(const std::vector<std::string>& words, Options* options) {
  for (const std::string& word : words) {
    const size_t end = word.find('=');
    if (end == std::string::npos || end == 0) return Invalid("--metadata: expected KEY=VALUE");
    options->metadata.emplace_back(word.substr(0, end), word.substr(end + 1));
  }
  return {};
}

Status ReadQuantities(const Words& words, Options* options) {
  if (words.timeout) {
    const auto timeout = ParseDuration(*words.timeout);
    if (!timeout) return In("--timeout", timeout.error());
    options->timeout = *timeout;
  }
  if (words.connect_timeout) {
    const auto timeout = ParseDuration(*words.connect_timeout);
    if (!timeout) return In("--connect-timeout", timeout.error());
    options->connect_timeout = *timeout;
  }
  if (words.message_size) {
    const auto size = ParseSize(*words.message_size, kMaxMessageSize);
    if (!size) return In("--max-message-size", size.error());
    options->message_size = *size;
  }
  return {};
}

Status ReadWords(const Words& words, Options* options) {
  Result<Address> address = Address::Parse(words.address);
  if (!address) return In(words.address, address.error());
  options->address = std::move(*address);
  Result<MethodName> method = ParseMethodName(words.method);
  if (!method) return method.error();
  options->method = std::move(*method);
  options->raw_client_streams = words.stream == "client" || words.stream == "both";
  options->raw_server_streams = words.stream == "server" || words.stream == "both";
  if (Status status = ReadMetadata(words.metadata, options); !status.ok()) return status;
  return ReadQuantities(words, options);
}

int Refuse(const std::string& why) {
  std::fprintf(stderr, "ttrpc: %s\n", why.c_str());
  return EX_USAGE;
}

// Prints the help or version that was asked for, or what is wrong with the command line.
int Report(const CLI::App& app, const CLI::ParseError& error) {
  const std::vector<std::string> rest = app.remaining();
  if (error.get_exit_code() != 0 && app.get_subcommands().empty() && !rest.empty()) {
    if (rest.front().starts_with('-')) return Refuse("unknown option " + rest.front());
    const std::string closest = text::Closest(rest.front(), {"call", "list", "describe"});
    return Refuse("unknown command " + text::QuoteShort(rest.front()) +
                  (closest.empty() ? ", expected call, list or describe"
                                   : "; did you mean " + text::Quote(closest) + "?"));
  }
  std::ostringstream shown;
  if (app.exit(error, shown) != 0) return EX_USAGE;
  const Status written = Write(STDOUT_FILENO, shown.str());
  if (written.ok()) return EXIT_SUCCESS;
  std::fprintf(stderr, "ttrpc: %s\n", written.message().c_str());
  return EX_IOERR;
}

}  // namespace

std::optional<int> ParseCommandLine(int argc, const char* const* argv, Options* options) {
  Words words;
  CLI::App app("A client for any ttrpc server.", "ttrpc");
  app.set_version_flag("--version", "ttrpc " TTRPC_VERSION);
  app.require_subcommand(1);
  CLI::App* call = AddCall(&app, options, &words);
  CLI::App* list = AddLook(&app, "list", "List services, or the methods of one.", options);
  list->add_option("SERVICE", options->symbol, "package.Service");
  CLI::App* describe = AddLook(&app, "describe", "Print definitions from the schema.", options);
  describe->add_option("SYMBOL", options->symbol, "a service, method, message, enum, …");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return Report(app, error);
  }
  options->command = call->parsed()   ? Options::Command::kCall
                     : list->parsed() ? Options::Command::kList
                                      : Options::Command::kDescribe;
  if (options->schema.empty() && !options->raw) {
    return Refuse(call->parsed() ? "call needs --proto, --descriptor-set or --raw"
                                 : app.get_subcommands().front()->get_name() +
                                       " needs --proto or --descriptor-set");
  }
  if (!call->parsed()) return std::nullopt;
  const Status status = ReadWords(words, options);
  return status.ok() ? std::nullopt : std::optional<int>(Refuse(status.message()));
}

}  // namespace ttrpc::tool
