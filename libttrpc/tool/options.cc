// SPDX-License-Identifier: Apache-2.0
#include "options.h"

#include <sysexits.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <sstream>
#include <string_view>

#include "input.h"
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
    "Exit status: 0 the call ended with OK; 64 wrong command line; 65 wrong schema or input;\n"
    "69 no connection; 74 output cannot be written; 100 + N the call ended with status code N\n"
    "(107: PERMISSION_DENIED).";

// The words of the command line as CLI11 stores them, before they are parsed further.
struct Words {
  std::string address;
  std::string method;
  std::optional<std::string> stream;
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
          "read this .proto file and its imports; may be repeated");
  AddList(app, "-I,--import-path", &schema->import_paths,
          "look for .proto files in this directory (default: the current one); may be repeated");
  AddList(app, "--descriptor-set", &schema->descriptor_sets,
          "read this descriptor set, as written by protoc -o or buf build; - for standard input; "
          "may be repeated");
  app->get_option("--descriptor-set")
      ->excludes(app->get_option("--proto"))
      ->excludes(app->get_option("--import-path"));
}

CLI::App* AddCall(CLI::App* app, Options* options, Words* words) {
  CLI::App* call = app->add_subcommand("call", "Call a method and print its replies as JSON.");
  call->footer(kExitStatus);
  call->add_option("ADDRESS", words->address,
                   "unix:///PATH, unix-abstract:NAME, vsock:CID:PORT or hvsock:///PATH:PORT; "
                   "or as containerd writes it: ttrpc+unix:///PATH, vsock://CID:PORT")
      ->required();
  call->add_option("METHOD", words->method, "package.Service/Method")->required();
  call->add_option("-d,--data", options->data,
                   "the request, or several in a row: JSON, @FILE, or - for standard input")
      ->type_name("DATA");
  AddSchemaOptions(call, &options->schema);
  CLI::Option* raw =
      call->add_flag("--raw", options->raw, "send and print bytes, without a schema");
  raw->excludes(call->get_option("--proto"))->excludes(call->get_option("--descriptor-set"));
  call->add_option("--stream", words->stream,
                   "with --raw: the side that streams (client, server or both); its messages are "
                   "length-delimited")
      ->needs(raw)
      ->type_name("SIDE");
  call->add_option("--metadata", words->metadata,
                   "send this metadata with the call; may be repeated")
      ->allow_extra_args(false)
      ->type_name("KEY=VALUE");
  call->add_option("--timeout", words->timeout,
                   "the longest time for the call, such as 250ms, 2s or 1m30s")
      ->type_name("DURATION");
  call->add_option("--connect-timeout", words->connect_timeout,
                   "the longest time to connect (default: 10s)")
      ->type_name("DURATION");
  call->add_option("--max-message-size", words->message_size,
                   "the longest message to send or receive, in bytes, KiB or MiB (default: 4MiB)")
      ->type_name("SIZE");
  call->add_flag("--allow-unknown-fields", options->allow_unknown_fields,
                 "ignore fields of the request that the schema does not have");
  call->add_flag("--json", options->status_as_json, "print a status other than OK as JSON");
  call->add_flag("--proto-names", options->style.proto_names,
                 "print field_names instead of fieldNames");
  call->add_flag("--defaults", options->style.defaults,
                 "print fields that have their default value");
  call->add_flag("--compact", options->style.compact, "print each reply on one line");
  return call;
}

CLI::App* AddLook(CLI::App* app, const std::string& name, const std::string& help,
                  Options* options) {
  CLI::App* look = app->add_subcommand(name, help);
  look->footer("Exit status: 0 success; 64 wrong command line; 65 wrong schema, or no such name.");
  AddSchemaOptions(look, &options->schema);
  return look;
}

Status In(const std::string& where, const Status& what) {
  return Invalid(where + ": " + what.message());
}

Status ReadMetadata(const std::vector<std::string>& words, Options* options) {
  for (const std::string& word : words) {
    const size_t end = word.find('=');
    if (end == std::string::npos || end == 0)
      return Invalid("--metadata is not of the form KEY=VALUE");
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

bool ReadsStandardInput(const SchemaSources& schema) {
  const std::vector<std::string>& sets = schema.descriptor_sets;
  return std::find(sets.begin(), sets.end(), kStandardInput) != sets.end();
}

Status ReadWords(const Words& words, Options* options) {
  Result<Address> address = Address::Parse(words.address);
  if (!address) return In(words.address, address.error());
  options->address = std::move(*address);
  Result<MethodName> method = ParseMethodName(words.method);
  if (!method) return method.error();
  options->method = std::move(*method);
  if (options->data && IsStandardInput(*options->data) && ReadsStandardInput(options->schema)) {
    return Invalid(
        "--data and --descriptor-set cannot both read standard input; give one of them a file");
  }
  if (words.stream && *words.stream != "client" && *words.stream != "server" &&
      *words.stream != "both") {
    return Invalid("--stream is " + text::QuoteShort(*words.stream) +
                   "; use client, server or both");
  }
  options->raw_client_streams = words.stream == "client" || words.stream == "both";
  options->raw_server_streams = words.stream == "server" || words.stream == "both";
  if (Status status = ReadMetadata(words.metadata, options); !status.ok()) return status;
  return ReadQuantities(words, options);
}

int Refuse(const std::string& why) {
  std::fprintf(stderr, "ttrpc: %s\n", why.c_str());
  return EX_USAGE;
}

std::vector<std::string> OptionNames(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  return names;
}

std::string UnknownOption(const std::string& word, const std::vector<std::string>& known,
                          const std::string& otherwise) {
  return "unknown option " + text::QuoteShort(word) + "; " +
         text::DidYouMean(word, known, otherwise);
}

// Returns a long option that is written with one dash, or an empty string. It only finds those that
// CLI11 would not report, because it reads -data as -d with the value `ata`.
std::string WithOneDash(const CLI::App& call, const std::vector<std::string_view>& args) {
  const std::vector<std::string> names = OptionNames(call);
  if (args.size() < 2 || args[1] != call.get_name()) return "";
  for (const std::string_view arg : args) {
    std::string word(arg.substr(0, arg.find('=')));
    const bool known = std::find(names.begin(), names.end(), "-" + word) != names.end();
    if (word.starts_with("-d") && known) return word;
  }
  return "";
}

// Returns what is wrong with a command line that CLI11 refuses, and what to do about it.
std::string Explained(const CLI::App& app, const CLI::ParseError& error) {
  const std::string use_command = "use call, list or describe";
  const std::vector<CLI::App*> commands = app.get_subcommands();
  const bool in_command = !commands.empty() && app.remaining().empty();
  const CLI::App& owner = in_command ? *commands.front() : app;
  const std::string help =
      "see \"ttrpc " + (in_command ? owner.get_name() + " --help\"" : std::string("--help\""));
  const std::vector<std::string> rest = owner.remaining();
  const bool extras = error.get_exit_code() == static_cast<int>(CLI::ExitCodes::ExtrasError);
  if (rest.empty() || (in_command && !extras)) {
    if (commands.empty()) return "no command; " + use_command;
    return error.what() + ("; " + help);
  }
  const std::string& word = rest.front();
  if (word.starts_with('-'))
    return UnknownOption(word.substr(0, word.find('=')), OptionNames(owner), help);
  const std::string quoted = text::QuoteShort(word);
  if (in_command) return "unexpected argument " + quoted + "; " + help;
  return "unknown command " + quoted + "; " +
         text::DidYouMean(word, {"call", "list", "describe"}, use_command);
}

// Prints the help or version that was asked for, or what is wrong with the command line.
int Report(const CLI::App& app, const CLI::ParseError& error) {
  if (error.get_exit_code() != 0) return Refuse(Explained(app, error));
  std::ostringstream shown;
  static_cast<void>(app.exit(error, shown));
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
  CLI::App* list =
      AddLook(&app, "list", "List the services of a schema, or the methods of one.", options);
  list->add_option("SERVICE", options->symbol, "package.Service");
  CLI::App* describe = AddLook(&app, "describe", "Print definitions from the schema.", options);
  describe->add_option("SYMBOL", options->symbol, "a service, method, message, enum or other name");
  if (const std::string word = WithOneDash(*call, std::vector<std::string_view>(argv, argv + argc));
      !word.empty())
    return Refuse(UnknownOption(word, OptionNames(*call), ""));
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return Report(app, error);
  }
  options->command = call->parsed()   ? Options::Command::kCall
                     : list->parsed() ? Options::Command::kList
                                      : Options::Command::kDescribe;
  if (options->schema.empty() && !options->raw) {
    return Refuse(call->parsed()
                      ? "call needs a schema; use --proto or --descriptor-set, or --raw for none"
                      : app.get_subcommands().front()->get_name() +
                            " needs a schema; use --proto or --descriptor-set");
  }
  if (!call->parsed()) return std::nullopt;
  const Status status = ReadWords(words, options);
  return status.ok() ? std::nullopt : std::optional<int>(Refuse(status.message()));
}

}  // namespace ttrpc::tool
