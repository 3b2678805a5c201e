// SPDX-License-Identifier: Apache-2.0
#include <cstdlib>
#include <optional>
#include <string>

#include "ctl/admin_connection.h"
#include "ctl/commands.h"
#include "ctl/output.h"

namespace proxyd::ctl {
namespace {

using ttrpc::Status;

ttrpc::Task<Status> Collect(AdminConnection& connection, ttrpc::Context& context,
                            std::string& text) {
  const v1::GetMetricsRequest request;
  ttrpc::ServerStreamCall<v1::MetricsPart> parts = connection.admin().GetMetrics(context, request);
  while (const std::optional<v1::MetricsPart> part = co_await parts.Receive()) {
    connection.NoteAnswer();
    text += part->text();
  }
  co_return co_await parts.Finish();
}

}  // namespace

// Nothing is printed until all metrics have arrived: a collector that read half of them would take
// the others for removed.
int RunMetrics(const Options& options) {
  const auto connection = AdminConnection::Open(*options.address, options.timeout);
  if (!connection) return Fail(connection.error().message());
  ttrpc::Context context;
  context.set_timeout(options.timeout);
  std::string text;
  const Status ended = (*connection)->loop().Run(Collect(**connection, context, text));
  if (!ended.ok()) return Fail((*connection)->Why(ended));
  Print(text);
  return EXIT_SUCCESS;
}

}  // namespace proxyd::ctl
