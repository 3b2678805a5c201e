// SPDX-License-Identifier: Apache-2.0
//
// Hundreds of bundles that come and go at random while clients connect, good ones and each kind of
// bad one. No client ever reaches another workload's shim, and nothing is left at the end: no
// front, no directory, no descriptor.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <mutex>
#include <random>
#include <semaphore>
#include <set>
#include <thread>

#include "harness/proc.h"
#include "harness/shims_test.h"

namespace integration {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr size_t kBundles = 500;
constexpr size_t kChanges = 1500;
constexpr size_t kClients = 4;
constexpr ptrdiff_t kCallsForEachChange = 2;
constexpr size_t kMiB = 1U << 20;
constexpr uint32_t kSeed = 15;

// Kinds of bad bundles. The daemon lists what is wrong with each; for kOwner, once it was dialled.
enum class Bad {
  kHalfWritten,
  kGarbage,
  kLink,
  kFileOfAnother,
  kLongName,
  kDangling,   // a link to nothing
  kDirectory,  // bootstrap.json is a directory
  kOwner,      // the shim listens as another user, which shows when it is dialled
};
constexpr Bad kAllBad[] = {Bad::kHalfWritten, Bad::kGarbage,  Bad::kLink,      Bad::kFileOfAnother,
                           Bad::kLongName,    Bad::kDangling, Bad::kDirectory, Bad::kOwner};

std::string Numbered(const std::string& prefix, size_t number) {
  const std::string digits = std::to_string(number);
  return prefix + std::string(digits.size() < 4 ? 4 - digits.size() : 0, '0') + digits;
}

// Returns the peak of the process's resident memory.
size_t PeakMemory(pid_t pid) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmHWM:")) return std::stoul(line.substr(6)) << 10;
  }
  return 0;
}

// The names that clients may try. Each client takes one at random.
class Names {
 public:
  void Add(const std::string& id) {
    const std::lock_guard lock(mutex_);
    ids_.push_back(id);
  }
  void Remove(const std::string& id) {
    const std::lock_guard lock(mutex_);
    std::erase(ids_, id);
  }
  std::string Any(std::minstd_rand& random) const {
    const std::lock_guard lock(mutex_);
    return ids_.empty() ? "nothing" : ids_[random() % ids_.size()];
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> ids_;
};

class DiscoveryChurnTest : public ShimsTest {
 protected:
  void StartQuietly() {
    WriteShims(Fronts::kBoth, {.head = AdminTable() + "[audit]\ncalls = \"none\"\n"});
    // At this level the log has refusals, but no line for each workload that comes or goes.
    daemon_ = std::make_unique<DaemonProcess>(
        std::vector<std::string>{"--config", config_path(), "--log-level", "info"});
    ASSERT_TRUE(daemon_->WaitUntilReady());
  }

  void TearDown() override {
    StopClients();
    ShimsTest::TearDown();
  }

  void MakeGood(size_t number);
  void RemoveOne(size_t index);
  void MakeBad(Bad kind, size_t number);
  std::string MakeBadFile(Bad kind, const std::string& id, const std::string& good);
  void Churn();

  // Calls workloads at random, and fails the test if another shim than its own answers.
  void CallAtRandom(uint32_t seed);
  void CallOne(RawPeer peer, const Call& call, const std::string& id);
  void StartClients();
  void StopClients();

  void ExpectAllRefusalsOnce();
  void ExpectOwnersRefusedOnce();
  size_t FrontsThere() const;

  std::minstd_rand random_{kSeed};
  std::vector<Bundle> good_;   // those that are there
  std::set<std::string> bad_;  // the ids of those that the list must show
  std::vector<Bundle> bad_bundles_;
  Names names_;
  // Calls that clients may make. Each change of a bundle allows some, so that calls go on until the
  // end, and shims do not keep more threads than the system allows.
  std::counting_semaphore<> turns_{0};
  std::atomic<bool> stop_{false};
  std::atomic<size_t> served_{0};
  std::vector<std::thread> clients_;
};

// ---- Bundles

// Bundles come in the ways in which programs make them.
void DiscoveryChurnTest::MakeGood(size_t number) {
  const Bundle bundle = {.id = Numbered("good-", number)};
  StartShim(bundle);
  const std::string bootstrap = Bootstrap(SocketOf(bundle));
  const std::string address = "unix://" + SocketOf(bundle);
  switch (number % 5) {
    case 0:
      bundles().Make({.id = bundle.id, .bootstrap = bootstrap});
      break;
    case 1:
      bundles().Make({.id = bundle.id, .address = address});
      break;
    case 2:  // the whole bundle is renamed into place
      bundles().Make({.id = "." + bundle.id, .bootstrap = bootstrap});
      std::filesystem::rename(bundles().PathOf({.id = "." + bundle.id}), bundles().PathOf(bundle));
      break;
    case 3: {  // it has another name first, under which clients do not know it
      const Bundle before = {.id = "old-" + bundle.id, .address = address};
      bundles().Make(before);
      std::filesystem::rename(bundles().PathOf(before), bundles().PathOf(bundle));
      break;
    }
    default: {  // the file is written in place and in pieces
      bundles().Make({.id = bundle.id, .config = ConfigWith(R"("a":"b")")});
      std::ofstream file(bundles().PathOf(bundle) + "/address");
      file << address.substr(0, address.size() / 2) << std::flush
           << address.substr(address.size() / 2);
      break;
    }
  }
  good_.push_back(bundle);
  names_.Add(bundle.id);
}

void DiscoveryChurnTest::RemoveOne(size_t index) {
  const Bundle bundle = good_[index];
  good_.erase(good_.begin() + static_cast<ptrdiff_t>(index));
  names_.Remove(bundle.id);
  // A shim may end before its bundle goes, or after.
  const bool first = random_() % 2 == 0;
  if (first) StopShim(bundle);
  bundles().Remove(bundle);
  if (!first) StopShim(bundle);
}

// Returns the content of bootstrap.json, if it is a file that is renamed into place.
std::string DiscoveryChurnTest::MakeBadFile(Bad kind, const std::string& id,
                                            const std::string& good) {
  const std::string path = bundles().PathOf({.id = id}) + "/bootstrap.json";
  const std::string elsewhere = folder_ / (id.substr(0, 20) + ".json");
  switch (kind) {
    case Bad::kHalfWritten:
      return good.substr(0, good.size() / 2);
    case Bad::kGarbage:
      return std::string("\0\x80{\"", 4) + std::string(random_() % 5000, '\xfe');
    case Bad::kLink:
      WriteFile(elsewhere, good);
      std::filesystem::create_symlink(elsewhere, path);
      return "";
    case Bad::kFileOfAnother:
      WriteFile(elsewhere, good);
      EXPECT_EQ(::chown(elsewhere.c_str(), kAlice, 0), 0);
      std::filesystem::rename(elsewhere, path);
      return "";
    case Bad::kDangling:
      std::filesystem::create_symlink(folder_ / "nothing", path);
      return "";
    case Bad::kDirectory:
      std::filesystem::create_directory(path);
      return "";
    case Bad::kLongName:
    case Bad::kOwner:
      break;
  }
  return good;
}

void DiscoveryChurnTest::MakeBad(Bad kind, size_t number) {
  Bundle bundle = {.id = Numbered("bad-", number)};
  const Bundle shim = bundle;
  if (kind == Bad::kLongName) bundle.id += "-" + std::string(200 - bundle.id.size() - 1, 'n');
  StartShim(shim, kind == Bad::kOwner ? Identity{.uid = 1234, .gid = 0} : Identity{});
  bundles().Make({.id = bundle.id});
  const std::string content = MakeBadFile(kind, bundle.id, Bootstrap(SocketOf(shim)));
  if (!content.empty()) bundles().Put(bundle, "bootstrap.json", content);
  bad_bundles_.push_back(bundle);
  // One socket for all serves a long name, which only has no room in a path.
  if (kind != Bad::kLongName) names_.Add(bundle.id);
  if (kind != Bad::kOwner) bad_.insert(bundle.id);
}

void DiscoveryChurnTest::Churn() {
  size_t number = 0;
  for (size_t i = 0; i < kBundles; ++i) {
    turns_.release(kCallsForEachChange);
    if (i % 10 == 9) {
      MakeBad(kAllBad[i / 10 % std::size(kAllBad)], i);
    } else {
      MakeGood(number++);
    }
  }
  for (size_t i = 0; i < kChanges; ++i) {
    turns_.release(kCallsForEachChange);
    if (good_.size() > kBundles / 2 && random_() % 2 == 0) {
      RemoveOne(random_() % good_.size());
    } else if (good_.size() < kBundles) {
      MakeGood(number++);
    }
  }
}

// ---- Clients

void DiscoveryChurnTest::CallOne(RawPeer peer, const Call& call, const std::string& id) {
  if (!peer.Send(Request(1, call))) return;
  const std::optional<WireMessage> answer = peer.Receive();
  if (!answer) return;  // the shim or the workload was gone
  ttrpc::ResponseView response;
  ASSERT_TRUE(ttrpc::ParseResponse(answer->data, &response).ok());
  if (response.code != StatusCode::kOk) {
    EXPECT_THAT(response.code, ::testing::AnyOf(StatusCode::kNotFound, StatusCode::kUnavailable))
        << response.message;
    return;
  }
  EXPECT_EQ(response.payload, "k8s.io/" + id) << "another workload's shim answered";
  EXPECT_FALSE(id.starts_with("bad-")) << id << " was served";
  ++served_;
}

void DiscoveryChurnTest::CallAtRandom(uint32_t seed) {
  std::minstd_rand random(seed);
  while (true) {
    turns_.acquire();
    if (stop_) return;
    const std::string id = names_.Any(random);
    const bool by_front = random() % 2 == 0;
    const std::string path = by_front ? FrontOf({.id = id}) : all_path();
    ttrpc::UniqueFd connection = Connect(path);
    if (!connection) continue;  // the front is not there, or not any more
    CallOne(RawPeer(std::move(connection)),
            by_front ? TaskCall("State", id) : RoutedCall("State", id), id);
  }
}

void DiscoveryChurnTest::StartClients() {
  for (uint32_t i = 0; i < kClients; ++i)
    clients_.emplace_back([this, i] { CallAtRandom(kSeed + 1 + i); });
}

void DiscoveryChurnTest::StopClients() {
  stop_ = true;
  turns_.release(static_cast<ptrdiff_t>(clients_.size()));
  for (std::thread& client : clients_) client.join();
  clients_.clear();
}

// ---- Checks

size_t DiscoveryChurnTest::FrontsThere() const {
  const std::vector<std::string> left = Left();
  return static_cast<size_t>(std::count_if(
      left.begin(), left.end(), [](const std::string& path) { return path.ends_with(".sock"); }));
}

void DiscoveryChurnTest::ExpectAllRefusalsOnce() {
  std::map<std::string, size_t> listed;
  for (const ListedWorkload& workload : ListWorkloads()) {
    const std::string id = workload.name.substr(workload.name.find('/') + 1);
    const bool expected = workload.listener == "shims" && bad_.contains(id);
    if (expected) {
      EXPECT_NE(workload.problem, "") << workload.name;
      ++listed[id];
    } else if (id.starts_with("good-")) {
      EXPECT_EQ(workload.problem, "") << workload.name;
    }
  }
  for (const std::string& id : bad_) {
    EXPECT_EQ(listed[id], 1U) << id;
    // A message may cut a long name.
    const std::string name = ("k8s.io/" + id).substr(0, 60);
    const auto lines = daemon_->WaitForLines(1, [&name](const std::string& line) {
      return line.find(" warn ") != line.npos && line.find(name) != line.npos;
    });
    // Each of the two listeners may log it once, and no line may be repeated.
    std::set<std::string> different;
    for (const std::string& line : lines) different.insert(line.substr(line.find(" warn ")));
    EXPECT_EQ(different.size(), lines.size()) << name;
    EXPECT_LE(lines.size(), 2U) << name;
  }
}

// A shim of another user is noticed by a client, who may have been one of those at random.
void DiscoveryChurnTest::ExpectOwnersRefusedOnce() {
  for (const Bundle& bundle : bad_bundles_) {
    if (bad_.contains(bundle.id)) continue;
    FrontPeer(bundle).ExpectEnd();
    FrontPeer(bundle).ExpectEnd();
    AwaitListed("k8s.io/" + bundle.id, HasSubstr("uid 1234 listens there"));
    const std::string refusal = SocketOf(bundle) + ") cannot be reached: uid 1234";
    const auto lines = daemon_->WaitForLines(
        1, [&refusal](const std::string& line) { return line.find(refusal) != line.npos; });
    // Each of the two listeners may log it once.
    EXPECT_LE(lines.size(), 2U) << bundle.id;
  }
}

TEST_F(DiscoveryChurnTest, BundlesComeAndGoWhileClientsConnect) {
  StartQuietly();
  const size_t sockets = SocketsOf(daemon_->pid());
  // The first workload makes the directories that the daemon may keep open.
  const Bundle first = {.id = "first"};
  StartWorkload(first);
  AwaitFront(first);
  FrontPeer(first).Close();
  bundles().Remove(first);
  EXPECT_TRUE(Eventually([this] { return Left().empty(); }));
  const size_t descriptors = DescriptorsOf(daemon_->pid());

  StartClients();
  Churn();
  StopClients();
  EXPECT_GT(served_, 0U);
  size_t owners = 0;
  for (const Bundle& bundle : bad_bundles_) owners += bad_.contains(bundle.id) ? 0 : 1;
  EXPECT_TRUE(Eventually([&] { return FrontsThere() == good_.size() + owners; }))
      << FrontsThere() << " fronts for " << good_.size() + owners << " workloads";
  for (const Bundle& bundle : good_) {
    RawPeer peer = FrontPeer(bundle);
    ExpectServed(peer, 1, TaskCall("State", bundle.id), bundle);
  }
  // Both listeners follow each workload.
  EXPECT_TRUE(Eventually(
      [this] { return ListWorkloads().size() == 2 * (good_.size() + bad_bundles_.size()); }));
  ExpectAllRefusalsOnce();
  ExpectOwnersRefusedOnce();

  while (!good_.empty()) RemoveOne(random_() % good_.size());
  for (const Bundle& bundle : bad_bundles_) bundles().Remove(bundle);
  EXPECT_TRUE(Eventually([this] { return Left().empty(); }));
  EXPECT_THAT(Left(), IsEmpty());
  EXPECT_TRUE(Eventually([&] { return SocketsOf(daemon_->pid()) <= sockets; }))
      << SocketsOf(daemon_->pid()) << " sockets, " << sockets << " before";
  EXPECT_TRUE(Eventually([&] { return DescriptorsOf(daemon_->pid()) <= descriptors; }))
      << DescriptorsOf(daemon_->pid()) << " descriptors, " << descriptors << " before";
  EXPECT_TRUE(Eventually([this] { return ListWorkloads().empty(); }));
}

// A directory of a namespace that comes and goes as a whole is followed, too.
TEST_F(DiscoveryChurnTest, ANamespaceThatMovesTakesItsFrontsWithIt) {
  StartQuietly();
  const Bundle web = {.id = "web"};
  StartWorkload(web);
  AwaitFront(web);
  const Bundle moved = {.id = "web", .name_space = "moved"};
  for (int i = 0; i < 20; ++i) {
    std::filesystem::rename(bundles().tasks() + "/k8s.io", bundles().tasks() + "/moved");
    AwaitFront(moved);
    AwaitNoFront(web);
    RawPeer peer = FrontPeer(moved);
    ExpectServed(peer, 1, TaskCall("State", "web"), web);
    std::filesystem::rename(bundles().tasks() + "/moved", bundles().tasks() + "/k8s.io");
    AwaitFront(web);
    AwaitNoFront(moved);
  }
  EXPECT_TRUE(Eventually([this] { return Left().size() == 2; }));
}

// The file is sparse: it takes no space on the disk.
TEST_F(DiscoveryChurnTest, AConfigOf100MiBIsNotRead) {
  StartQuietly();
  const Bundle huge = {.id = "huge"};
  StartShim(huge);
  const Bundle hidden = {
      .id = ".huge", .bootstrap = Bootstrap(SocketOf(huge)), .config = ConfigWith("")};
  bundles().Make(hidden);
  const std::string config = bundles().PathOf(hidden) + "/config.json";
  ASSERT_EQ(::truncate(config.c_str(), 100 * kMiB), 0);
  const size_t before = PeakMemory(daemon_->pid());
  std::filesystem::rename(bundles().PathOf(hidden), bundles().PathOf(huge));
  AwaitFront(huge);
  RawPeer peer = FrontPeer(huge);
  ExpectServed(peer, 1, TaskCall("State", "huge"), huge);
  daemon_->WaitForLines(1, [](const std::string& line) {
    return line.find(" warn ") != line.npos && line.find("k8s.io/huge") != line.npos;
  });
  AwaitListed("k8s.io/huge", "");
  if (DaemonIsSanitized()) return;
  EXPECT_LT(PeakMemory(daemon_->pid()), before + 16 * kMiB);
}

}  // namespace
}  // namespace integration
