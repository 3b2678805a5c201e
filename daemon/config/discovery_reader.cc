// SPDX-License-Identifier: Apache-2.0
//
// Reads what a [[listener]] says about discovery: `discover` with its keys, and the path of a
// socket for each workload. This is a gate: the placeholders give two workloads different paths,
// and the directories that the daemon makes and removes contain nothing else of its own. Pure; one
// thread.
#include <algorithm>
#include <array>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>

#include "config/readers.h"
#include "config/socket_template.h"
#include "text/escape.h"

namespace proxyd {

using text::QuoteShort;

namespace {

using std::string_view;

constexpr string_view kUnixScheme = "unix://";
constexpr string_view kDefaultState = "/run/containerd";
constexpr string_view kDefaultKataDirectories[] = {"/run/kata", "/run/vc/sbs"};
constexpr const char* kByDefault = " by default";
// Below the state of containerd; it makes a directory in it for each namespace and bundle.
constexpr string_view kTaskDirectory = "/io.containerd.runtime.v2.task";
constexpr string_view kTemplatePlaceholders[] = {kNamespacePlaceholder, kIdPlaceholder,
                                                 kNamePlaceholder};
// How often each of them is in a text.
using PlaceholderCounts = std::array<size_t, std::size(kTemplatePlaceholders)>;

// Returns the path without a slash at its end, or an empty text unless it is absolute and has only
// real names. "/" is refused, since no program keeps its sockets there.
std::string DirectoryOf(string_view text) {
  if (text.ends_with('/')) text.remove_suffix(1);
  if (!text.starts_with('/') || text.find('\0') != text.npos) return {};
  string_view rest = text.substr(1);
  for (;;) {
    const size_t slash = rest.find('/');
    const string_view part = rest.substr(0, slash);
    if (part.empty() || part == "." || part == "..") return {};
    if (slash == rest.npos) return std::string(text);
    rest.remove_prefix(slash + 1);
  }
}

// Records a directory for CheckFrontBases(), also one that is followed by default.
void RecordFollowed(DiscoverySource source, std::string what, const std::string& path,
                    const SourcePosition& position, ReadScope* scope) {
  std::string runtime;
  if (source == DiscoverySource::kContainerd) runtime = path + std::string(kTaskDirectory);
  if (source == DiscoverySource::kKata) runtime = path;
  scope->followed.push_back(
      {.what = std::move(what), .path = path, .runtime = std::move(runtime), .position = position});
}

std::string DirectoryAdvice(string_view example) {
  return "use an absolute path without . and .., such as \"" + std::string(example) + "\"";
}

// Reads a directory, and records it as followed. Returns an empty text if the value is wrong.
std::string ReadDirectory(const TomlEntry& entry, DiscoverySource source, TableReader* in,
                          ReadScope* scope) {
  const std::string& text = StringOf(entry.value);
  std::string path = DirectoryOf(text);
  if (path.empty()) {
    in->Wrong(entry, DirectoryAdvice(source == DiscoverySource::kContainerd ? kDefaultState
                                                                            : "/run/agents"));
    return path;
  }
  RecordFollowed(source, std::string(entry.key) + " is " + QuoteShort(text), path,
                 PositionOf(entry.value), scope);
  return path;
}

// Returns nothing after an error.
std::optional<std::vector<std::string>> ReadKataDirectories(TableReader* in, ReadScope* scope) {
  std::vector<std::string> paths;
  if (!in->Peek("directories")) {
    paths.assign(std::begin(kDefaultKataDirectories), std::end(kDefaultKataDirectories));
    for (const std::string& path : paths) {
      RecordFollowed(DiscoverySource::kKata,
                     "directories contains " + QuoteShort(path) + kByDefault, path, in->position(),
                     scope);
    }
    return paths;
  }
  const auto* list = in->FindStrings("directories", "use an array of one or more directories");
  if (list == nullptr) return std::nullopt;
  bool good = true;
  for (const toml::node& value : *list) {
    const std::string what = "directories contains " + QuoteShort(StringOf(value));
    std::string path = DirectoryOf(StringOf(value));
    if (path.empty()) {
      in->Error(PositionOf(value), what + "; " + DirectoryAdvice(kDefaultKataDirectories[0]));
      good = false;
    } else if (std::find(paths.begin(), paths.end(), path) != paths.end()) {
      // The same directory may be listed with a slash at its end.
      in->Error(PositionOf(value), what + " twice; remove one of the two");
      good = false;
    } else {
      RecordFollowed(DiscoverySource::kKata, what, path, PositionOf(value), scope);
      paths.push_back(std::move(path));
    }
  }
  return good ? std::optional(std::move(paths)) : std::nullopt;
}

// Reports the keys of other sources than `source`, which would be ignored.
bool RefuseOtherKeys(std::optional<DiscoverySource> source, TableReader* in) {
  constexpr std::pair<string_view, DiscoverySource> kKeys[] = {
      {"state", DiscoverySource::kContainerd},
      {"directory", DiscoverySource::kDirectory},
      {"directories", DiscoverySource::kKata}};
  bool good = true;
  for (const auto& [key, needed] : kKeys) {
    const auto entry = in->Find(key);
    if (!entry || source == needed) continue;
    good = false;
    in->Error(PositionOf(entry->key), std::string(key) + " is set without discover = \"" +
                                          std::string(WordOf(kDiscoverWords, needed)) +
                                          "\"; remove it" + (source ? "" : ", or add discover"));
  }
  return good;
}

// Returns nothing after an error.
std::optional<std::vector<std::string>> ReadFollowed(DiscoverySource source, TableReader* in,
                                                     ReadScope* scope) {
  if (source == DiscoverySource::kKata) return ReadKataDirectories(in, scope);
  const bool containerd = source == DiscoverySource::kContainerd;
  const auto entry = in->Peek(containerd ? "state" : "directory");
  if (!entry && containerd) {
    std::string state(kDefaultState);
    RecordFollowed(source, "state is " + QuoteShort(state) + kByDefault, state, in->position(),
                   scope);
    return std::vector{std::move(state)};
  }
  if (!entry) {
    in->Error(in->position(),
              "[[listener]] with discover = \"directory\" has no directory; add the directory of "
              "the sockets");
    return std::nullopt;
  }
  std::string path = ReadDirectory(*entry, source, in, scope);
  if (path.empty()) return std::nullopt;
  return std::vector{std::move(path)};
}

// The components of a path, without the slash at its beginning.
std::vector<string_view> ComponentsOf(string_view path) {
  std::vector<string_view> components;
  path.remove_prefix(std::min<size_t>(path.size(), 1));
  for (;;) {
    const size_t slash = path.find('/');
    components.push_back(path.substr(0, slash));
    if (slash == path.npos) return components;
    path.remove_prefix(slash + 1);
  }
}

// Puts one letter in the place of each placeholder, and counts them.
std::string FillIn(string_view text, PlaceholderCounts* counts) {
  std::string filled;
  while (!text.empty()) {
    size_t taken = 1;
    char c = text.front();
    for (size_t i = 0; i < counts->size(); ++i) {
      if (!text.starts_with(kTemplatePlaceholders[i])) continue;
      taken = kTemplatePlaceholders[i].size();
      c = 'x';
      ++(*counts)[i];
    }
    filled += c;
    text.remove_prefix(taken);
  }
  return filled;
}

PlaceholderCounts NeededBy(DiscoverySource source) {
  switch (source) {
    case DiscoverySource::kContainerd:
      return {1, 1, 0};
    case DiscoverySource::kKata:
      return {0, 1, 0};
    case DiscoverySource::kDirectory:
      return {0, 0, 1};
  }
  return {};
}

// Returns `use unix:///abs/path with {namespace} and {id}, each once`, or the like.
std::string TemplateAdvice(DiscoverySource source) {
  switch (source) {
    case DiscoverySource::kContainerd:
      return "use unix:///abs/path with {namespace} and {id}, each once, or with neither of them "
             "for one socket for all";
    case DiscoverySource::kKata:
      return "use unix:///abs/path with {id}, once";
    case DiscoverySource::kDirectory:
      return "use unix:///abs/path with {name}, once";
  }
  return {};
}

// Returns what is wrong with one component of a template, or an empty text. Different names lead
// to different paths, and none leads to a hidden file, as the daemon's own lock is.
std::string WrongComponent(string_view component) {
  if (component.empty() || component == "." || component == "..")
    return "which has a part that is not a name; remove empty parts, . and ..";
  PlaceholderCounts counts{};
  const bool literal = FillIn(component, &counts).size() == component.size();
  if (counts[0] + counts[1] + counts[2] > 1)
    return "which has two placeholders in one part of the path; put a slash between them";
  if (!literal && component.starts_with('.'))
    return "which has a dot before a placeholder; begin that part with another character";
  return {};
}

// Returns what is wrong with the address of a template, or an empty text.
std::string WrongTemplate(string_view address, DiscoverySource source) {
  PlaceholderCounts counts{};
  const std::string filled = FillIn(address, &counts);
  if (!address.starts_with(kUnixScheme) || filled.find_first_of("{}") != filled.npos ||
      counts != NeededBy(source)) {
    return "which does not fit discover = \"" + std::string(WordOf(kDiscoverWords, source)) +
           "\"; " + TemplateAdvice(source);
  }
  // The shortest path must fit into a socket's address. Each one is checked when it is made.
  const auto shortest = ttrpc::Address::Parse(filled);
  if (!shortest || shortest->kind() != ttrpc::Address::Kind::kUnixPath) {
    return "which is not valid: " + (shortest
                                         ? std::string("it is not a path; use unix:///abs/path")
                                         : shortest.error().message());
  }
  const std::vector<string_view> components = ComponentsOf(address.substr(kUnixScheme.size()));
  for (const string_view component : components) {
    if (std::string wrong = WrongComponent(component); !wrong.empty()) return wrong;
  }
  if (components.front().find('{') != string_view::npos)
    return "which has a placeholder in the root directory; put the sockets into a directory";
  return {};
}

std::string NormalPath(const std::string& path) {
  return std::filesystem::path(path).lexically_normal().string();
}

// Returns the path of a Unix socket, or an empty text for any other address.
std::string PathOfAddress(const std::string& address) {
  if (!address.starts_with(kUnixScheme)) return {};
  return NormalPath(address.substr(kUnixScheme.size()));
}

// Returns an empty text for a path in the root directory.
std::string ParentOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == path.npos ? std::string() : path.substr(0, slash);
}

// `path` is absolute and normal. The cost does not grow with the number of bases.
std::optional<SourcePosition> FindBaseAround(std::string path, const ReadScope& scope) {
  for (; !path.empty(); path = ParentOf(path)) {
    const auto base = scope.front_bases.find(path);
    if (base != scope.front_bases.end()) return base->second;
  }
  return std::nullopt;
}

// Returns the position of the address of a front base at or below `path`, if any.
std::optional<SourcePosition> FindBaseIn(const std::string& path, const ReadScope& scope) {
  if (path.empty()) return std::nullopt;
  auto base = scope.front_bases.find(path);
  if (base != scope.front_bases.end()) return base->second;
  const std::string below = path + "/";
  base = scope.front_bases.lower_bound(below);
  if (base == scope.front_bases.end() || !base->first.starts_with(below)) return std::nullopt;
  return base->second;
}

void ReportSharedBase(const std::string& base, const SourcePosition& position,
                      const SourcePosition& other, ReadScope* scope) {
  scope->errors.Add(position, "address puts sockets into " + QuoteShort(base) +
                                  ", which belongs to the sockets of workloads at " +
                                  other.ToString() + "; use another directory");
}

}  // namespace

DiscoveryKeys ReadDiscovery(TableReader* in, ReadScope* scope) {
  const auto entry = in->Find("discover");
  if (!entry) return {.good = RefuseOtherKeys(std::nullopt, in), .discovery = {}};
  DiscoverySource source{};
  const bool later = StringOf(entry->value) == "wrapper";
  if (later) {
    in->Error(PositionOf(entry->value),
              "discover is \"wrapper\", which is not supported yet; use " +
                  TableReader::ListWords(kDiscoverWords));
  }
  if (later || !in->ReadWord("discover", kDiscoverWords, &source)) {
    // Each of these keys may belong to the source that was meant.
    for (const string_view key : {"state", "directory", "directories"}) in->Find(key);
    return {.good = false, .discovery = {}};
  }
  const bool only_own_keys = RefuseOtherKeys(source, in);
  auto directories = ReadFollowed(source, in, scope);
  if (!only_own_keys || !directories) return {.good = false, .discovery = {}};
  return {.good = true,
          .discovery = DiscoveryConfig{.source = source, .directories = *std::move(directories)}};
}

bool HasPlaceholder(string_view address) {
  return std::any_of(std::begin(kTemplatePlaceholders), std::end(kTemplatePlaceholders),
                     [address](string_view name) { return address.find(name) != address.npos; });
}

std::optional<SocketTemplate> ReadTemplate(const toml::node& value, DiscoverySource source,
                                           ReadScope* scope) {
  const std::string& text = StringOf(value);
  if (const std::string wrong = WrongTemplate(text, source); !wrong.empty()) {
    scope->errors.Add(PositionOf(value), "address is " + QuoteShort(text) + ", " + wrong);
    return std::nullopt;
  }
  SocketTemplate front{.path = text.substr(kUnixScheme.size())};
  const std::string base = FrontBaseOf(front);
  const auto [claim, is_new] = scope->front_bases.emplace(base, PositionOf(value));
  if (!is_new) ReportSharedBase(base, PositionOf(value), claim->second, scope);
  return front;
}

std::optional<SourcePosition> FrontBaseAround(const std::string& path, const ReadScope& scope) {
  return FindBaseAround(NormalPath(path), scope);
}

void CheckFrontBases(ReadScope* scope) {
  for (const auto& [base, position] : scope->front_bases) {
    const auto outer = FindBaseAround(ParentOf(base), *scope);
    if (outer) ReportSharedBase(base, position, *outer, scope);
  }
  std::map<std::string, SourcePosition> own_directories;
  for (const auto& [address, position] : scope->own_addresses) {
    const std::string path = PathOfAddress(address);
    if (path.empty()) continue;
    own_directories.emplace(ParentOf(path), position);
    if (const auto base = FindBaseAround(path, *scope)) {
      scope->errors.Add(position, "address " + QuoteShort(address) +
                                      " is in a directory that belongs to the sockets of workloads "
                                      "at " +
                                      base->ToString() + "; use another directory");
    }
  }
  // Sockets of the daemon must not become workloads, since their calls would go round in a loop.
  // Nor may the daemon change or remove the directories of a runtime.
  for (const FollowedDirectory& followed : scope->followed) {
    std::optional<SourcePosition> own = FindBaseAround(followed.path, *scope);
    const auto socket = own_directories.find(followed.path);
    if (!own) own = FindBaseIn(followed.runtime, *scope);
    if (!own && followed.runtime.empty() && socket != own_directories.end()) own = socket->second;
    if (!own) continue;
    scope->errors.Add(followed.position, followed.what + ", where the daemon itself listens (" +
                                             own->ToString() + "); use another directory");
  }
}

}  // namespace proxyd
