// SPDX-License-Identifier: Apache-2.0
#include "policy/payload_scanner.h"

#include <string>

#include "ttrpc/wire/field_scanner.h"

namespace proxyd {

using ttrpc::Status;

namespace {

// `field` is empty if the whole message is wrong.
Status CannotBeChecked(std::string_view field, std::string_view what) {
  std::string message("payload cannot be checked: ");
  return {ttrpc::StatusCode::kInvalidArgument, message.append(field).append(what)};
}

}  // namespace

Status ScanPayload(std::string_view payload, std::span<const WantedField> wanted,
                   std::span<std::string_view> values) {
  for (std::string_view& value : values) value = {};
  uint64_t seen = 0;  // a bit for each wanted field
  ttrpc::FieldScanner scanner(payload);
  for (ttrpc::Field field; scanner.Next(&field);) {
    size_t i = 0;
    while (i < wanted.size() && wanted[i].number != field.number) ++i;
    if (i == wanted.size()) continue;
    const std::string_view name = wanted[i].name;
    if (field.wire_type != ttrpc::WireType::kBytes)
      return CannotBeChecked(name, " has the wrong wire type");
    // Readers differ in which of two values they take.
    if ((seen & uint64_t{1} << i) != 0) return CannotBeChecked(name, " repeated");
    seen |= uint64_t{1} << i;
    if (!ttrpc::IsUtf8(field.bytes)) return CannotBeChecked(name, " is not valid UTF-8");
    values[i] = field.bytes;
  }
  if (scanner.error() != nullptr) return CannotBeChecked({}, scanner.error());
  return {};
}

}  // namespace proxyd
