// SPDX-License-Identifier: Apache-2.0
#include <sysexits.h>

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "ctl/admin_connection.h"
#include "ctl/commands.h"
#include "ctl/output.h"
#include "ctl/tap_view.h"

namespace proxyd::ctl {
namespace {

using ttrpc::Result;
using ttrpc::Status;

void Add(const std::vector<std::string>& from,
         google::protobuf::RepeatedPtrField<std::string>* to) {
  for (const std::string& word : from) to->Add()->assign(word);
}

Result<v1::TapRequest> RequestOf(const TapOptions& options) {
  v1::TapRequest request;
  for (const std::string& user : options.users) {
    const Result<uid_t> uid = ResolveUid(user);
    if (!uid) return uid.error();
    request.add_uids(*uid);
  }
  Add(options.listeners, request.mutable_listeners());
  Add(options.rules, request.mutable_rules());
  Add(options.backends, request.mutable_backends());
  request.set_method(options.method);
  Add(options.outcomes, request.mutable_outcomes());
  Add(options.events, request.mutable_events());
  request.set_payload_bytes(options.payload_bytes);
  return request;
}

ttrpc::Task<Status> ShowAll(AdminConnection& connection, const v1::TapRequest& request,
                            const Options& options, TapView& view) {
  ttrpc::Context context;
  ttrpc::ServerStreamCall<v1::TapEvent> tap = connection.admin().Tap(context, request);
  uint64_t left = options.tap.count;
  while (std::optional<v1::TapEvent> event = co_await tap.Receive()) {
    connection.NoteAnswer();
    // The daemon never waits for the user database; this program can.
    if (event->user().empty() && event->uid() != UINT32_MAX)
      event->set_user(UserName(event->uid()));
    Print(options.json ? view.Json(*event) : view.Text(*event));
    if (options.tap.count > 0 && --left == 0) co_return Status();
  }
  Status ended = co_await tap.Finish();
  // A tap has no end of its own: only --count or the user ends it successfully.
  if (ended.ok()) ended = Status(ttrpc::StatusCode::kUnavailable, "the daemon ended the tap");
  co_return ended;
}

}  // namespace

int RunTap(const Options& options) {
  std::unique_ptr<ttrpc::tool::Schema> schema;
  if (!options.tap.descriptor_sets.empty()) {
    std::vector<std::string> errors;
    schema = ttrpc::tool::Schema::Load(
        {.protos = {}, .import_paths = {}, .descriptor_sets = options.tap.descriptor_sets},
        &errors);
    for (const std::string& error : errors) ComplainPlainly(error);
    if (!schema) return kFailed;
  }
  const Result<v1::TapRequest> request = RequestOf(options.tap);
  if (!request) return Fail(request.error().message());
  const auto connection = AdminConnection::Open(*options.address, options.timeout);
  if (!connection) return Fail(connection.error().message());
  TapView view(schema.get(), HasColours());
  const Status ended = (*connection)->loop().Run(ShowAll(**connection, *request, options, view));
  if (ended.ok()) return EXIT_SUCCESS;
  const int failed = Fail((*connection)->Why(ended));
  // NOT_FOUND means that a filter names something that the daemon does not have.
  return ended.code() == ttrpc::StatusCode::kNotFound ? EX_DATAERR : failed;
}

}  // namespace proxyd::ctl
