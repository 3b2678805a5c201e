// SPDX-License-Identifier: Apache-2.0
//
// Tests LoadConfig() on real files: which are read, in which order, and which are refused.
#include <gmock/gmock.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <pwd.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include "testing.h"

namespace proxyd {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;

class LoadConfigTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "config-XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    main_ = folder_ + "/config.toml";
    conf_d_ = folder_ + "/conf.d";
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  static void Write(const std::string& path, const std::string& text) {
    std::ofstream(path) << text;
    ASSERT_EQ(chmod(path.c_str(), 0644), 0);
  }

  void MakeFolder() const { ASSERT_EQ(mkdir(conf_d_.c_str(), 0755), 0); }

  LoadedConfig Load() const {
    FakeNames names;
    return LoadConfig(main_, names);
  }
  std::vector<std::string> Errors() const { return Strings(Load().errors); }

  std::string folder_;
  std::string main_;
  std::string conf_d_;
};

constexpr const char* kDeny = "[[rule]]\naction = \"deny\"\nname = ";

TEST_F(LoadConfigTest, WithoutADirectoryOnlyTheFileIsRead) {
  Write(main_, "[log]\nlevel = \"warn\"\n");
  const LoadedConfig loaded = Load();
  EXPECT_THAT(Strings(loaded.errors), IsEmpty());
  ASSERT_TRUE(loaded.config.has_value());
  EXPECT_EQ(loaded.config->log.level, LogLevel::kWarn);
  EXPECT_EQ(loaded.config->file, main_);
}

TEST_F(LoadConfigTest, ReadsTheDirectoryInNameOrderAfterTheFile) {
  MakeFolder();
  // The files are written in another order. They are sorted by bytes, not by the locale.
  Write(conf_d_ + "/b.toml", std::string(kDeny) + "\"b\"\n");
  Write(conf_d_ + "/10.toml", std::string(kDeny) + "\"10\"\n");
  Write(conf_d_ + "/Z.toml", std::string(kDeny) + "\"Z\"\n");
  Write(conf_d_ + "/9.toml", std::string(kDeny) + "\"9\"\n");
  Write(main_, std::string(kDeny) + "\"main\"\n");
  const LoadedConfig loaded = Load();
  ASSERT_TRUE(loaded.config.has_value());
  std::vector<std::string> names;
  for (const RuleConfig& rule : loaded.config->rules) names.push_back(rule.name);
  EXPECT_THAT(names, ElementsAre("main", "10", "9", "Z", "b"));
  EXPECT_EQ(loaded.config->rules[1].position.ToString(), conf_d_ + "/10.toml:1:1");
}

TEST_F(LoadConfigTest, OtherNamesInTheDirectoryAreNotRead) {
  MakeFolder();
  Write(main_, "");
  Write(conf_d_ + "/a.toml.orig", "?");
  Write(conf_d_ + "/.a.toml", "?");
  Write(conf_d_ + "/README", "?");
  EXPECT_THAT(Errors(), IsEmpty());
}

TEST_F(LoadConfigTest, ARelativePathHasItsDirectoryBesideIt) {
  MakeFolder();
  Write(main_, "");
  Write(conf_d_ + "/a.toml", "x = 1\n");
  const std::filesystem::path before = std::filesystem::current_path();
  std::filesystem::current_path(folder_);
  FakeNames names;
  const auto errors = Strings(LoadConfig("config.toml", names).errors);
  std::filesystem::current_path(before);
  EXPECT_THAT(errors,
              ElementsAre("conf.d/a.toml:1:1: error: unknown key \"x\" outside any section; put it "
                          "in [daemon], [log], [audit], [limits], [timeouts], [method_sets], "
                          "[admin], [metrics], [[listener]], [[backend]] or [[rule]]"));
}

TEST_F(LoadConfigTest, SymbolicLinksAreFollowed) {
  Write(folder_ + "/real", "[log]\nlevel = \"warn\"\n");
  ASSERT_EQ(symlink("real", main_.c_str()), 0);
  EXPECT_THAT(Errors(), IsEmpty());
}

TEST_F(LoadConfigTest, AMissingFileIsAnErrorAndTheRestIsChecked) {
  MakeFolder();
  Write(conf_d_ + "/a.toml",
        std::string(kDeny) + "\"r\"\nlisteners = [\"in the missing file\"]\nuser = 1\n");
  const LoadedConfig loaded = Load();
  EXPECT_FALSE(loaded.config.has_value());
  EXPECT_THAT(
      Strings(loaded.errors),
      ElementsAre(
          main_ + ": error: the file cannot be opened: No such file or directory; check the path",
          conf_d_ +
              "/a.toml:5:1: error: unknown key \"user\" in [[rule]]; did you mean \"users\"?"));
}

TEST_F(LoadConfigTest, ADirectoryIsNotAFile) {
  ASSERT_EQ(mkdir(main_.c_str(), 0755), 0);
  EXPECT_THAT(Errors(),
              ElementsAre(main_ + ": error: the file is not a regular file; use a regular file"));
}

TEST_F(LoadConfigTest, AFifoIsRefusedWithoutWaiting) {
  ASSERT_EQ(mkfifo(main_.c_str(), 0600), 0);
  EXPECT_THAT(Errors(),
              ElementsAre(main_ + ": error: the file is not a regular file; use a regular file"));
}

TEST_F(LoadConfigTest, AFileIsNotADirectory) {
  Write(main_, "");
  Write(conf_d_, "");
  EXPECT_THAT(Errors(),
              ElementsAre(conf_d_ + ": error: the directory cannot be opened: Not a directory"));
}

TEST_F(LoadConfigTest, AFileMayHave16MiB) {
  Write(main_, std::string(16U << 20, '\n'));
  EXPECT_THAT(Errors(), IsEmpty());
  Write(main_, std::string((16U << 20) + 1, '\n'));
  EXPECT_THAT(
      Errors(),
      ElementsAre(main_ + ": error: the file is larger than 16 MiB; move parts of it to conf.d"));
}

TEST_F(LoadConfigTest, EveryFileWritableByOthersIsRefused) {
  MakeFolder();
  Write(main_, "");
  Write(conf_d_ + "/a.toml", "");
  ASSERT_EQ(chmod(main_.c_str(), 0602), 0);
  ASSERT_EQ(chmod((conf_d_ + "/a.toml").c_str(), 0646), 0);
  EXPECT_THAT(
      Errors(),
      ElementsAre(
          main_ + ": error: the file is writable by others; change that with chmod o-w",
          conf_d_ + "/a.toml: error: the file is writable by others; change that with chmod o-w"));
}

TEST_F(LoadConfigTest, ADirectoryWritableByOthersIsRefused) {
  MakeFolder();
  Write(main_, "");
  Write(conf_d_ + "/a.toml", "");
  ASSERT_EQ(chmod(conf_d_.c_str(), 01777), 0);
  const LoadedConfig loaded = Load();
  EXPECT_FALSE(loaded.config.has_value());
  EXPECT_THAT(
      Strings(loaded.errors),
      ElementsAre(conf_d_ +
                  ": error: the directory is writable by others; change that with chmod o-w"));
}

// Another user's file there could keep the daemon from starting, and a user who may write the
// directory could remove the daemon's files.
TEST_F(LoadConfigTest, TheDirectoryOfTheFileIsChecked) {
  Write(main_, "");
  for (const mode_t mode : {0777, 01777, 0707}) {
    ASSERT_EQ(chmod(folder_.c_str(), mode), 0);
    EXPECT_THAT(
        Errors(),
        ElementsAre(folder_ +
                    ": error: the directory is writable by others; change that with chmod o-w"));
  }
  const std::filesystem::path before = std::filesystem::current_path();
  std::filesystem::current_path(folder_);
  FakeNames names;
  const auto errors = Strings(LoadConfig("config.toml", names).errors);
  std::filesystem::current_path(before);
  EXPECT_THAT(
      errors,
      ElementsAre(".: error: the directory is writable by others; change that with chmod o-w"));
}

// The tests of this class need root.
class LoadConfigAsRootTest : public LoadConfigTest {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "needs to be root, to give files away";
    LoadConfigTest::SetUp();
  }
  void TearDown() override {
    if (!folder_.empty()) LoadConfigTest::TearDown();
  }
};

TEST_F(LoadConfigAsRootTest, AFileOfAnotherUserIsRefused) {
  Write(main_, "");
  ASSERT_EQ(chown(main_.c_str(), 1000, 0), 0);
  EXPECT_THAT(Errors(),
              ElementsAre(main_ + ": error: the file is owned by uid 1000; make root its owner"));
}

TEST_F(LoadConfigAsRootTest, ADirectoryOfAnotherUserIsRefused) {
  MakeFolder();
  Write(main_, "");
  ASSERT_EQ(chown(conf_d_.c_str(), 1000, 0), 0);
  EXPECT_THAT(
      Errors(),
      ElementsAre(conf_d_ + ": error: the directory is owned by uid 1000; make root its owner"));
}

TEST_F(LoadConfigAsRootTest, OnlyRootsGroupMayWrite) {
  Write(main_, "");
  ASSERT_EQ(chmod(main_.c_str(), 0664), 0);
  EXPECT_THAT(Errors(), IsEmpty());
  ASSERT_EQ(chown(main_.c_str(), 0, 1000), 0);
  EXPECT_THAT(
      Errors(),
      ElementsAre(main_ + ": error: the file is writable by gid 1000; change that with chmod g-w"));
}

// Kubernetes mounts a ConfigMap like this.
class ReadOnlyMountTest : public LoadConfigAsRootTest {
 protected:
  void SetUp() override {
    LoadConfigAsRootTest::SetUp();
    if (IsSkipped()) return;
    unsetenv("INVOCATION_ID");
    Write(main_, "");
    MakeFolder();
    Write(conf_d_ + "/..data.toml", "?");
    Write(conf_d_ + "/real", "[log]\nlevel = \"warn\"\n");
    ASSERT_EQ(symlink("real", (conf_d_ + "/a.toml").c_str()), 0);
    ASSERT_EQ(chmod(folder_.c_str(), 01777), 0);
    ASSERT_EQ(chmod(conf_d_.c_str(), 01777), 0);
  }
  void TearDown() override {
    unsetenv("INVOCATION_ID");
    LoadConfigAsRootTest::TearDown();
  }

  // Loads it on a thread, whose mounts end with it, where `path` is on a read-only mount.
  LoadedConfig LoadWithReadOnly(const char* path) const {
    bool mounted = false;
    LoadedConfig loaded;
    std::thread([&] {
      mounted = unshare(CLONE_FS | CLONE_NEWNS) == 0 &&
                mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
                mount(path, path, nullptr, MS_BIND | MS_REC, nullptr) == 0 &&
                mount(nullptr, path, nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY, nullptr) == 0;
      if (mounted) loaded = Load();
    }).join();
    EXPECT_TRUE(mounted) << "no mounts of our own here";
    return loaded;
  }
  void ExpectRefused(const LoadedConfig& loaded) const {
    EXPECT_THAT(
        Strings(loaded.errors),
        ElementsAre(
            folder_ + ": error: the directory is writable by others; change that with chmod o-w",
            conf_d_ + ": error: the directory is writable by others; change that with chmod o-w"));
  }
};

TEST_F(ReadOnlyMountTest, AFolderThatOthersMayWriteIsReadFromIt) {
  const LoadedConfig loaded = LoadWithReadOnly(folder_.c_str());
  EXPECT_THAT(Strings(loaded.errors), IsEmpty());
  ASSERT_TRUE(loaded.config.has_value());
  EXPECT_EQ(loaded.config->log.level, LogLevel::kWarn);
  ExpectRefused(Load());
}

// systemd's ProtectSystem=strict makes every mount read-only for the service alone.
TEST_F(ReadOnlyMountTest, DoesNotCountInAServiceOfSystemd) {
  ASSERT_EQ(setenv("INVOCATION_ID", "1f0c", 1), 0);
  ExpectRefused(LoadWithReadOnly(folder_.c_str()));
}

// Others may see the same directory through a mount of the root directory that can be written to.
TEST_F(ReadOnlyMountTest, DoesNotCountIfItIsThatOfTheRootDirectory) {
  ExpectRefused(LoadWithReadOnly("/"));
}

// Returns an entry of an access control list in the form of the kernel.
std::string AclEntry(char tag, char permissions, uint16_t id) {
  return {tag, 0, permissions, 0, static_cast<char>(id & 0xff), static_cast<char>(id >> 8), 0, 0};
}

// Returns the list of a file with mode 0640, one more entry and a mask.
std::string Acl(const std::string& named, char mask) {
  std::string list("\x02\0\0\0", 4);
  const auto nobody = [](char tag, char permissions) {
    std::string entry = AclEntry(tag, permissions, 0);
    return entry.replace(4, 4, "\xff\xff\xff\xff");
  };
  constexpr char kUser = 0x01;
  constexpr char kNamedUser = 0x02;
  constexpr char kGroup = 0x04;
  constexpr char kMask = 0x10;
  constexpr char kOther = 0x20;
  list += nobody(kUser, 6);
  if (named[0] == kNamedUser) list += named;
  list += nobody(kGroup, 4);
  if (named[0] != kNamedUser) list += named;
  return list + nobody(kMask, mask) + nobody(kOther, 0);
}

class AccessListTest : public LoadConfigAsRootTest {
 protected:
  static constexpr char kUser = 0x02;
  static constexpr char kGroup = 0x08;

  static bool Set(const std::string& path, const std::string& list) {
    return setxattr(path.c_str(), "system.posix_acl_access", list.data(), list.size(), 0) == 0;
  }
};

TEST_F(AccessListTest, AFileThatItLetsOthersWriteIsRefused) {
  Write(main_, "");
  if (!Set(main_, Acl(AclEntry(kUser, 6, 1000), 6))) GTEST_SKIP() << "no access control lists here";
  const std::string by_list = " through its access control list; change that with setfacl -x ";
  EXPECT_THAT(Errors(), ElementsAre(main_ + ": error: the file is writable by uid 1000" + by_list +
                                    "u:1000"));
  ASSERT_TRUE(Set(main_, Acl(AclEntry(kGroup, 2, 1000), 7)));
  EXPECT_THAT(Errors(), ElementsAre(main_ + ": error: the file is writable by gid 1000" + by_list +
                                    "g:1000"));
}

TEST_F(AccessListTest, AFileThatItLetsNobodyElseWriteIsRead) {
  Write(main_, "");
  if (!Set(main_, Acl(AclEntry(kUser, 4, 1000), 6))) GTEST_SKIP() << "no access control lists here";
  EXPECT_THAT(Errors(), IsEmpty()) << "uid 1000 may only read";
  ASSERT_TRUE(Set(main_, Acl(AclEntry(kUser, 6, 1000), 4)));
  EXPECT_THAT(Errors(), IsEmpty()) << "the mask allows only reading";
  ASSERT_TRUE(Set(main_, Acl(AclEntry(kUser, 6, 0), 6)));
  EXPECT_THAT(Errors(), IsEmpty()) << "the entry is for root";
  // The group bits of the mode show the mask.
  ASSERT_EQ(chown(main_.c_str(), 0, 1001), 0);
  EXPECT_THAT(Errors(), IsEmpty());
}

TEST_F(AccessListTest, DirectoriesAreChecked) {
  Write(main_, "");
  MakeFolder();
  const std::string list = Acl(AclEntry(kUser, 7, 1000), 7);
  if (!Set(conf_d_, list)) GTEST_SKIP() << "no access control lists here";
  ASSERT_TRUE(Set(folder_, list));
  const std::string error =
      ": error: the directory is writable by uid 1000 through its access control list; change that "
      "with setfacl -x u:1000";
  EXPECT_THAT(Errors(), ElementsAre(folder_ + error, conf_d_ + error));
}

TEST_F(LoadConfigAsRootTest, TheTargetOfALinkIsChecked) {
  Write(folder_ + "/real", "");
  ASSERT_EQ(symlink("real", main_.c_str()), 0);
  ASSERT_EQ(lchown(main_.c_str(), 1000, 1000), 0);
  EXPECT_THAT(Errors(), IsEmpty());
  ASSERT_EQ(chown(main_.c_str(), 1000, 1000), 0);
  EXPECT_THAT(Errors(),
              ElementsAre(main_ + ": error: the file is owned by uid 1000; make root its owner"));
}

// The effective user of the process may be another one, whose own file is as good as root's.
TEST_F(LoadConfigAsRootTest, OurOwnEffectiveUserMayOwnAFile) {
  Write(main_, "");
  ASSERT_EQ(chmod(folder_.c_str(), 0755), 0);
  ASSERT_EQ(chown(main_.c_str(), 1000, 1000), 0);
  ASSERT_EQ(seteuid(1000), 0);
  const auto own = Errors();
  ASSERT_EQ(seteuid(0), 0);
  EXPECT_THAT(own, IsEmpty());

  ASSERT_EQ(chown(main_.c_str(), 1001, 1000), 0);
  ASSERT_EQ(seteuid(1000), 0);
  const auto other = Errors();
  ASSERT_EQ(seteuid(0), 0);
  EXPECT_THAT(
      other,
      ElementsAre(main_ +
                  ": error: the file is owned by uid 1001; make root or uid 1000 its owner"));
}

TEST(SystemNameResolverTest, AsksTheSystem) {
  EXPECT_EQ(SystemNameResolver().User("root"), 0U);
  EXPECT_EQ(SystemNameResolver().Group("root"), 0U);
  EXPECT_THAT(SystemNameResolver().Users(), Contains("root"));
  EXPECT_THAT(SystemNameResolver().Groups(), Contains("root"));
  const passwd* user = getpwnam("nobody");
  ASSERT_NE(user, nullptr);
  EXPECT_EQ(SystemNameResolver().User("nobody"), user->pw_uid);
}

TEST(SystemNameResolverTest, KnowsNoNameThatOnlyBeginsRight) {
  EXPECT_EQ(SystemNameResolver().User(std::string("root\0x", 6)), std::nullopt);
  EXPECT_EQ(SystemNameResolver().Group(std::string("root\0x", 6)), std::nullopt);
  EXPECT_EQ(SystemNameResolver().User(""), std::nullopt);
  EXPECT_EQ(SystemNameResolver().User("no such user"), std::nullopt);
  EXPECT_EQ(SystemNameResolver().Group("no such group"), std::nullopt);
}

}  // namespace
}  // namespace proxyd
