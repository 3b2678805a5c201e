// SPDX-License-Identifier: Apache-2.0
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>
#include <optional>
#include <string>
#include <utility>

#include "config/known_names.h"
#include "config/load.h"
#include "ctl/admin_connection.h"
#include "ctl/audit_reader.h"
#include "ctl/commands.h"
#include "ctl/interrupt.h"
#include "ctl/learn.h"
#include "ctl/output.h"
#include "text/escape.h"
#include "ttrpc/timer.h"

namespace proxyd::ctl {

using text::Quote;

namespace {

using ttrpc::Status;
using ttrpc::StatusCode;

Status ReadAudit(const std::string& path, AuditReader* reader) {
  std::ifstream file;
  if (path != "-") {
    file.open(path, std::ios::binary);
    if (!file) return {StatusCode::kNotFound, path + ": " + std::strerror(errno)};
  }
  std::istream& in = path == "-" ? std::cin : file;
  for (std::string line; std::getline(in, line);) reader->ReadLine(line);
  if (in.bad()) return {StatusCode::kUnknown, path + ": " + std::strerror(errno)};
  return {};
}

AuditFacts FactsOf(const v1::TapEvent& event) {
  return {.event = event.event(),
          .listener = event.listener(),
          .uid = event.uid(),
          .service = event.service(),
          .method = event.method(),
          .kind = event.kind(),
          .backend = event.backend(),
          .rule = event.rule(),
          .enforced = event.has_enforced() ? std::optional(event.enforced()) : std::nullopt};
}

ttrpc::Task<Status> Collect(AdminConnection& connection, ttrpc::Context& context,
                            AuditReader* reader) {
  v1::TapRequest request;
  request.add_events("call");
  request.add_events("deny");
  ttrpc::ServerStreamCall<v1::TapEvent> tap = connection.admin().Tap(context, request);
  while (const std::optional<v1::TapEvent> event = co_await tap.Receive()) {
    connection.NoteAnswer();
    reader->TakeSuppressed(event->dropped());
    reader->TakeEvent(FactsOf(*event));
  }
  Status ended = co_await tap.Finish();
  if (context.cancelled()) co_return Status();
  if (ended.ok()) ended = Status(StatusCode::kUnavailable, "the daemon ended the tap");
  co_return ended;
}

// Until its time is over, or it is interrupted.
Status TapDaemon(const Options& options, AuditReader* reader) {
  const auto connection = AdminConnection::Open(*options.address, options.timeout);
  if (!connection) return connection.error();
  ttrpc::EventLoop& loop = (*connection)->loop();
  ttrpc::Context context;
  const Interrupt interrupt(loop, [&context] { context.Cancel(); });
  ttrpc::Timer end(loop.io(), [&context] { context.Cancel(); });
  if (options.learn.tap_for) end.Start(*options.learn.tap_for);
  const Status ended = loop.Run(Collect(**connection, context, reader));
  return ended.ok() ? ended : Status(ended.code(), (*connection)->Why(ended));
}

// The calls that rules of this configuration can be about.
SeenCalls Possible(const SeenCalls& calls, const Config& config) {
  SeenCalls possible;
  for (const auto& [call, count] : calls) {
    std::string missing;
    if (!HasName(config.listeners, call.listener)) missing = "listener " + Quote(call.listener);
    if (!HasName(config.backends, call.backend)) missing = "backend " + Quote(call.backend);
    if (missing.empty()) {
      possible.emplace(call, count);
      continue;
    }
    ComplainPlainly("warning: left out: uid " + std::to_string(call.uid) + " called /" +
                    call.service + "/" + call.method + ", but " + config.file + " has no " +
                    missing);
  }
  return possible;
}

void Warn(const AuditReader& reader) {
  for (const std::string& error : reader.errors()) ComplainPlainly(error);
  if (reader.failed() > reader.errors().size()) {
    ComplainPlainly(std::to_string(reader.failed() - reader.errors().size()) +
                    " more lines are wrong");
  }
  if (reader.skipped() > 0) {
    ComplainPlainly("passed over: " + std::to_string(reader.skipped()) + " lines of other logs");
  }
  if (reader.suppressed() > 0) {
    ComplainPlainly("warning: this is incomplete: " + std::to_string(reader.suppressed()) +
                    " lines were not written");
  }
  if (reader.denied() > 0) {
    ComplainPlainly("not counted: " + std::to_string(reader.denied()) +
                    " denied calls (see --include-denied)");
  }
}

void PrintLearned(const SeenCalls& calls, RulePrinting printing) {
  const Learned learned = Learn(calls);
  std::string text =
      "# Made by ttrpc-proxyctl learn, to be reviewed: these rules allow what was seen, and "
      "nothing\n"
      "# else.\n";
  if (std::any_of(learned.rules.begin(), learned.rules.end(),
                  [](const LearnedRule& rule) { return rule.denied; })) {
    text += "# The last of them allow calls that were DENIED, which their comments say.\n";
  }
  for (const std::string& conflict : learned.conflicts) {
    ComplainPlainly("warning: " + conflict);
    text += "# " + conflict + "\n";
  }
  printing.user_name = UserName;
  Print(text + PrintRules(learned.rules, printing));
}

}  // namespace

int RunLearn(const Options& options) {
  const LearnOptions& learn = options.learn;
  std::optional<Config> config;
  if (!learn.config.empty()) {
    LoadedConfig loaded = LoadConfig(learn.config, SystemNameResolver());
    for (const ConfigError& error : loaded.errors) ComplainPlainly(error.ToString());
    if (!loaded.config) return ExitStatusOf(loaded.errors);
    config = std::move(loaded.config);
  }
  AuditReader reader(learn.include_denied ? std::optional(learn.backend) : std::nullopt);
  const Status read =
      learn.audit.empty() ? TapDaemon(options, &reader) : ReadAudit(learn.audit, &reader);
  int status = EXIT_SUCCESS;
  if (!read.ok()) status = Fail(read.message());
  Warn(reader);
  if (reader.failed() > 0) status = kFailed;
  RulePrinting printing;
  SeenCalls calls = reader.calls();
  if (config) {
    calls = Possible(calls, *config);
    for (const RuleConfig& rule : config->rules) {
      printing.taken_names.insert(rule.name);
      if (rule.users)
        printing.written_names.insert(rule.users->names.begin(), rule.users->names.end());
    }
  }
  if (calls.empty()) {
    if (!read.ok()) return status;
    return Fail("no calls were seen: an audit has those that are allowed with calls = \"all\"");
  }
  PrintLearned(calls, std::move(printing));
  return status;
}

}  // namespace proxyd::ctl
