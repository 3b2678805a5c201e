// SPDX-License-Identifier: Apache-2.0
//
// Runs the TLS example, the program that the environment variable TLS_GREETER names. The openssl
// command makes the certificates.
#include <event2/event.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "tls_handshaker.h"
#include "ttrpc/client.h"
#include "ttrpc/event_loop.h"
#include "ttrpc/server.h"
#include "ttrpc/unique_fd.h"

namespace ttrpc {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

// A running program with both outputs in one pipe. The destructor kills it.
class Program {
 public:
  explicit Program(std::vector<std::string> words) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) std::abort();
    output_.reset(ends[0]);
    const UniqueFd inside(ends[1]);
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, inside.get(), 1);
    ::posix_spawn_file_actions_adddup2(&actions, inside.get(), 2);
    std::vector<char*> arguments;
    arguments.reserve(words.size() + 1);
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    EXPECT_EQ(::posix_spawnp(&pid_, arguments[0], &actions, nullptr, arguments.data(), environ), 0);
    ::posix_spawn_file_actions_destroy(&actions);
  }
  ~Program() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  // Returns the text up to the next newline or the end.
  std::string ReadLine() {
    std::string line;
    char c = 0;
    while (::read(output_.get(), &c, 1) == 1 && c != '\n') line += c;
    return line;
  }

  // Returns the remaining output, then the exit status.
  std::string ReadToEnd() {
    std::string text;
    char buffer[4096];
    ssize_t n = 0;
    while ((n = ::read(output_.get(), buffer, sizeof buffer)) > 0)
      text.append(buffer, static_cast<size_t>(n));
    int status = 0;
    ::waitpid(pid_, &status, 0);
    pid_ = -1;
    return text + "exit " + std::to_string(WIFEXITED(status) ? WEXITSTATUS(status) : -1);
  }

 private:
  pid_t pid_ = -1;
  UniqueFd output_;
};

class TlsTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_NE(std::getenv("TLS_GREETER"), nullptr);
    program_ = std::getenv("TLS_GREETER");
    std::string folder = (fs::temp_directory_path() / "tls_example_test.XXXXXX").string();
    ASSERT_NE(::mkdtemp(folder.data()), nullptr);
    folder_ = folder;
    address_ = "unix://" + folder + "/socket";
    Authority(folder_);
    Certificate(folder_, "server", "greeter");
    Certificate(folder_, "client", "somebody");
  }

  void TearDown() override { fs::remove_all(folder_); }

  static void Openssl(std::vector<std::string> words) {
    words.insert(words.begin(), "openssl");
    const std::string said = Program(words).ReadToEnd();
    ASSERT_THAT(said, ::testing::EndsWith("exit 0"));
  }
  static void Authority(const fs::path& folder) {
    Openssl({"req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
             "-subj", "/CN=authority", "-days", "2", "-keyout", folder / "ca.key", "-out",
             folder / "ca.pem"});
  }
  static void Certificate(const fs::path& folder, const std::string& side,
                          const std::string& name) {
    Openssl({"req",
             "-x509",
             "-newkey",
             "ec",
             "-pkeyopt",
             "ec_paramgen_curve:P-256",
             "-nodes",
             "-subj",
             "/CN=" + name,
             "-addext",
             "subjectAltName=DNS:" + name,
             "-days",
             "2",
             "-CA",
             folder / "ca.pem",
             "-CAkey",
             folder / "ca.key",
             "-keyout",
             folder / (side + ".key"),
             "-out",
             folder / (side + ".pem")});
  }

  std::string Call(const fs::path& folder, const std::string& name) const {
    return Program({program_, "call", address_, folder, name}).ReadToEnd();
  }

  std::string program_;
  fs::path folder_;
  std::string address_;
};

TEST_F(TlsTest, EachSideKnowsTheOther) {
  Program server({program_, "serve", address_, folder_});
  ASSERT_EQ(server.ReadLine(), "listening");
  EXPECT_EQ(Call(folder_, "you"), "Hello, you, says somebody's certificate.\nexit 0");
  // The name is longer than a TLS record.
  const std::string name(100'000, 'x');
  EXPECT_EQ(Call(folder_, name), "Hello, " + name + ", says somebody's certificate.\nexit 0");
}

Task<Status> Echo(void*, Context&, std::string_view request, ReplySink& reply) {
  co_return reply.WriteBytes(request);
}

// The messages exceed all buffers on the way, so that each side of the pumps has to wait.
TEST_F(TlsTest, LongMessagesPassBothWaysAtOnce) {
  const auto files = [&](const std::string& side) {
    example::TlsOptions options;
    options.certificate = folder_ / (side + ".pem");
    options.key = folder_ / (side + ".key");
    options.authority = folder_ / "ca.pem";
    options.client = side == "client";
    if (options.client) options.server_name = "greeter";
    return example::TlsHandshaker::Create(options);
  };
  ::signal(SIGPIPE, SIG_IGN);  // required by tls_handshaker.h
  ServerOptions server_options;
  auto server_side = files("server");
  ASSERT_TRUE(server_side) << server_side.error();
  const example::TlsHandshaker& server_tls = **server_side;
  server_options.handshaker = std::move(*server_side);
  ClientOptions client_options;
  auto client_side = files("client");
  ASSERT_TRUE(client_side) << client_side.error();
  client_options.handshaker = std::move(*client_side);

  EventLoop loop;
  Server server(loop.io(), std::move(server_options));
  ASSERT_EQ(server.Register({"test.Bytes", nullptr, {Method("Echo", Echo)}}), Status());
  ASSERT_EQ(server.Listen(*Address::Parse(address_)), Status());
  const auto client = Client::Dial(loop.io(), *Address::Parse(address_), std::move(client_options));
  constexpr MethodInfo kEcho("test.Bytes", "Echo");
  const std::string bytes(4'000'000, 'x');
  Context context;
  std::vector<Task<Result<std::string>>> calls;
  calls.reserve(4);
  for (int i = 0; i < 4; ++i) calls.push_back(client->Call(kEcho, context, bytes));
  for (auto& call : calls) {
    const Result<std::string> reply = loop.Run(std::move(call));
    ASSERT_TRUE(reply) << reply.error();
    EXPECT_EQ(*reply == bytes, true);
  }
  EXPECT_FALSE(server_tls.idle());
  client->Close();
  // The end of the connection is forwarded as well.
  while (!server_tls.idle()) ASSERT_EQ(::event_base_loop(loop.base(), EVLOOP_ONCE), 0);
}

TEST_F(TlsTest, AClientOfAnotherAuthorityIsRefused) {
  Program server({program_, "serve", address_, folder_});
  ASSERT_EQ(server.ReadLine(), "listening");
  const fs::path other = folder_ / "other";
  fs::create_directory(other);
  Authority(other);
  Certificate(other, "client", "somebody");
  // The client trusts the server.
  fs::copy_file(folder_ / "ca.pem", other / "ca.pem", fs::copy_options::overwrite_existing);
  EXPECT_THAT(Call(other, "you"), HasSubstr("exit 1"));
  EXPECT_THAT(server.ReadLine(), HasSubstr("UNAUTHENTICATED: TLS: unable to get local issuer"));
}

TEST_F(TlsTest, AServerOfAnotherNameIsRefused) {
  Certificate(folder_, "server", "somebody-else");
  Program server({program_, "serve", address_, folder_});
  ASSERT_EQ(server.ReadLine(), "listening");
  EXPECT_THAT(Call(folder_, "you"),
              ::testing::AllOf(HasSubstr("hostname mismatch"), HasSubstr("exit 1")));
}

TEST_F(TlsTest, WhoeverSpeaksNoTlsIsRefused) {
  Program server({program_, "serve", address_, folder_});
  ASSERT_EQ(server.ReadLine(), "listening");
  constexpr MethodInfo kSayHello("example.Greeter", "SayHello");
  EventLoop loop;
  const auto client = Client::Dial(loop.io(), *Address::Parse(address_));
  Context context;
  EXPECT_EQ(loop.Run(client->Call(kSayHello, context, "")).error().code(),
            StatusCode::kUnavailable);
  EXPECT_THAT(server.ReadLine(), HasSubstr("UNAUTHENTICATED: TLS: error:"));
}

}  // namespace
}  // namespace ttrpc
