// SPDX-License-Identifier: Apache-2.0
//
// What sockets of ours have in common, whoever is served there: an address that is nobody else's,
// and who may connect. A gate: owner, group or mode that would silently not be set are refused.
// Pure but for the NameResolver; one thread.
#pragma once

#include <string>

#include "config/config.h"
#include "config/readers.h"
#include "config/table_reader.h"
#include "ttrpc/address.h"

namespace proxyd {

enum class AddressKind { kPath, kAbstract, kPassed, kTcp, kUnknown };

AddressKind KindOf(const ttrpc::Address& address);

// `owner`, `group` and `mode` of a socket at an address of this kind; kUnknown: the address is
// wrong, and they are not to blame.
SocketAccess ReadAccess(AddressKind kind, TableReader* in, ReadScope* scope);

// `address`, which `value` stands for, may stand nowhere else in the configuration.
void ClaimAddress(const TomlValue& value, const std::string& address, ReadScope* scope);

}  // namespace proxyd
