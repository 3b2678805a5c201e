// SPDX-License-Identifier: Apache-2.0
//
// ParseConfig: turns documents into sections and sections into a Config, and sorts their errors in
// the order of the text.
#include <sysexits.h>

#include <algorithm>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include "config/readers.h"
#include "config/toml.h"
#include "text/escape.h"

namespace proxyd {

using text::QuoteShort;

std::string SourcePosition::ToString() const {
  if (line == 0) return file;
  return file + ":" + std::to_string(line) + ":" + std::to_string(column);
}

std::string ToString(const ListenerAddress& address) {
  if (const auto* passed = std::get_if<PassedSocket>(&address)) return "systemd:" + passed->name;
  if (const auto* front = std::get_if<SocketTemplate>(&address)) return "unix://" + front->path;
  return std::get<ttrpc::Address>(address).ToString();
}

std::string ConfigError::ToString() const {
  std::string line = position.ToString();
  if (!line.empty()) line += ": ";
  return line.append(kind == Kind::kWarning ? "warning: " : "error: ").append(message);
}

int ExitStatusOf(const std::vector<ConfigError>& errors) {
  if (errors.empty()) return EX_OK;
  const bool may_pass = std::all_of(errors.begin(), errors.end(), [](const ConfigError& error) {
    return error.kind == ConfigError::Kind::kUnresolvedName;
  });
  return may_pass ? EX_TEMPFAIL : EX_CONFIG;
}

std::string NameTable::Declare(TableReader* in) {
  constexpr size_t kMaxName = 128;  // every audit line contains it
  const std::string noun(in->noun());
  const auto entry = in->Require("name", "give it one that no other " + noun + " has");
  if (!entry) return {};
  const std::string& name = StringOf(entry->value);
  const bool printable = std::none_of(name.begin(), name.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
  });
  if (!entry->value.is_string()) {
    in->Wrong(*entry, "use a string");
  } else if (name.empty() || name.size() > kMaxName || !printable) {
    in->Wrong(*entry, "use 1 to 128 bytes without control characters");
  } else {
    const auto [first, is_new] =
        declared_.emplace(name, Declared{declared_.size(), PositionOf(entry->value)});
    if (!is_new) {
      in->Error(PositionOf(entry->value), "name " + QuoteShort(name) + " is already used at " +
                                              first->second.position.ToString() +
                                              "; use a name that no other " + noun + " has");
    }
  }
  return name;
}

std::optional<size_t> NameTable::Find(std::string_view name) const {
  const auto found = declared_.find(name);
  return found == declared_.end() ? std::nullopt : std::optional(found->second.index);
}

std::vector<std::string> NameTable::Names() const {
  std::vector<std::string> names;
  names.reserve(declared_.size());
  for (const auto& entry : declared_) names.push_back(entry.first);
  return names;
}

namespace {

// Resolves each name only once: ten thousand rules may have the same user, and NSS may ask a
// server.
class CachedNames : public NameResolver {
 public:
  explicit CachedNames(NameResolver* names) : names_(names) {}

  std::optional<uid_t> User(const std::string& name) override {
    const auto [known, is_new] = users_.try_emplace(name);
    if (is_new) known->second = names_->User(name);
    return known->second;
  }
  std::optional<gid_t> Group(const std::string& name) override {
    const auto [known, is_new] = groups_.try_emplace(name);
    if (is_new) known->second = names_->Group(name);
    return known->second;
  }
  std::vector<std::string> Users() override { return names_->Users(); }
  std::vector<std::string> Groups() override { return names_->Groups(); }

 private:
  NameResolver* names_;
  std::unordered_map<std::string, std::optional<uid_t>> users_;
  std::unordered_map<std::string, std::optional<gid_t>> groups_;
};

Config ReadConfig(const Document& document, ReadScope* scope) {
  Config config;
  config.daemon = ReadDaemon(document.sections.at("daemon"), &scope->errors);
  config.log = ReadLog(document.sections.at("log"), &scope->errors);
  config.audit = ReadAudit(document.sections.at("audit"), &scope->errors);
  config.limits = ReadLimits(document.sections.at("limits"), &scope->errors);
  config.timeouts = ReadTimeouts(document.sections.at("timeouts"), &scope->errors);
  for (const toml::table* table : document.lists.at("listener")) {
    auto listener = ReadListener(*table, config.timeouts, scope);
    if (listener) config.listeners.push_back(*std::move(listener));
  }
  if (const auto table = document.sections.find("admin"); table != document.sections.end())
    config.admin = ReadAdmin(table->second, scope);
  if (const auto table = document.sections.find("metrics"); table != document.sections.end())
    config.metrics = ReadMetrics(table->second, scope);
  CheckFrontBases(scope);
  for (const toml::table* table : document.lists.at("backend")) {
    auto backend = ReadBackend(*table, scope);
    if (backend) config.backends.push_back(*std::move(backend));
  }
  scope->method_sets.Read(document.sections.at("method_sets"), scope->complete, &scope->errors);
  for (const toml::table* table : document.lists.at("rule")) {
    config.rules.push_back(ReadRule(*table, scope));
  }
  config.method_sets = scope->method_sets.Used();
  return config;
}

}  // namespace

void SortErrors(const std::vector<std::string>& order, std::vector<ConfigError>* errors) {
  std::unordered_map<std::string_view, size_t> files;
  for (const std::string& file : order) files.emplace(file, files.size());
  const auto key = [&files](const ConfigError& error) {
    const auto file = files.find(error.position.file);
    return std::tuple(file == files.end() ? files.size() : file->second, error.position.line,
                      error.position.column);
  };
  std::stable_sort(errors->begin(), errors->end(),
                   [&key](const ConfigError& a, const ConfigError& b) { return key(a) < key(b); });
}

LoadedConfig ParseFiles(const std::vector<ConfigFile>& files, bool complete, NameResolver* names) {
  Diagnostics errors;
  const Document document = MergeFiles(files, &errors);
  CachedNames cached(names);
  ReadScope scope{.resolver = cached, .errors = errors, .complete = complete && document.complete};
  Config config = ReadConfig(document, &scope);
  if (!files.empty()) config.file = files.front().name;

  LoadedConfig loaded{.config = std::nullopt, .errors = errors.Take()};
  if (loaded.errors.empty() && complete) {
    loaded.config = std::move(config);
    return loaded;
  }
  std::vector<std::string> order;
  order.reserve(files.size());
  for (const ConfigFile& file : files) order.push_back(file.name);
  SortErrors(order, &loaded.errors);
  return loaded;
}

LoadedConfig ParseConfig(const std::vector<ConfigFile>& files, NameResolver& names) {
  return ParseFiles(files, true, &names);
}

}  // namespace proxyd
