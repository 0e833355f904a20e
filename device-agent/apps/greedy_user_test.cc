// One user whose apps take all they can get of an agent and read nothing: the agent stays below the
// 64 MB of its unit, and another user's app is served.

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "bellwire/agent/v1/agent.pb.h"
#include "common/limits.h"
#include "common/testing/temp_dir.h"
#include "device-agent/testing/tls_test_server.h"
#include "gtest/gtest.h"
#include "net/socket/frame_codec.h"

namespace bellwire::agent {
namespace {

// Of device-agent/systemd/bellwire-agent.service: MemoryMax.
constexpr uint64_t kUnitBytes = 64 << 20;
constexpr uid_t kStranger = 65534;

std::string Bytes(const v1::AppFrame& frame) {
  std::string bytes;
  net::AppendFrame(frame.SerializeAsString(), &bytes);
  return bytes;
}

std::string HelloAndRegister(const std::string& app_id) {
  v1::AppFrame hello;
  hello.mutable_hello()->set_app_id(app_id);
  v1::AppFrame wish;
  wish.mutable_register_();
  return Bytes(hello) + Bytes(wish);
}

int Connect(const std::string& path) {
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  strncpy(address.sun_path, path.c_str(), sizeof(address.sun_path) - 1);
  if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0) return fd;
  close(fd);
  return -1;
}

// The agent's next frame on a blocking socket; none if it closes, or says nothing for long.
v1::AgentFrame NextFrame(int fd) {
  v1::AgentFrame frame;
  size_t length = 0;
  pollfd ready = {.fd = fd, .events = POLLIN, .revents = 0};
  uint8_t byte = 0x80;
  for (int shift = 0; (byte & 0x80) != 0; shift += 7) {
    if (poll(&ready, 1, 30'000) <= 0 || read(fd, &byte, 1) != 1) return frame;
    length |= static_cast<size_t>(byte & 0x7f) << shift;
  }
  std::string body(length, '\0');
  if (recv(fd, body.data(), length, MSG_WAITALL) != static_cast<ssize_t>(length)) return frame;
  EXPECT_TRUE(frame.ParseFromString(body));
  return frame;
}

// bellwire-agent in a cgroup of its unit's size, where this process may make one.
class SmallAgent {
 public:
  SmallAgent(const TempDir& dir, const std::string& server, rlim_t descriptors = 0)
      : cgroup_(absl::StrCat("/sys/fs/cgroup/memory/bellwire_test_", getpid())) {
    limited_ = mkdir(cgroup_.c_str(), 0755) == 0 &&
               Write("/memory.limit_in_bytes", absl::StrCat(kUnitBytes));
    const std::string program = absl::StrCat(getenv("TEST_SRCDIR"), "/", getenv("TEST_WORKSPACE"),
                                             "/device-agent/bellwire-agent");
    log_ = dir.path("log");
    const std::vector<std::string> args = {program,
                                           "--server",
                                           server,
                                           "--ca",
                                           dir.path("ca.pem"),
                                           "--state_dir",
                                           dir.path("state"),
                                           "--socket",
                                           dir.path("agent.sock")};
    std::vector<char*> argv;
    for (const std::string& arg : args) argv.push_back(const_cast<char*>(arg.c_str()));
    argv.push_back(nullptr);
    pid_ = fork();
    if (pid_ == 0) {
      if (limited_ && !Write("/cgroup.procs", absl::StrCat(getpid()))) _exit(1);
      const rlimit limit = {descriptors, descriptors};
      if (descriptors > 0 && setrlimit(RLIMIT_NOFILE, &limit) != 0) _exit(1);
      const int log = open(log_.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
      dup2(log, STDERR_FILENO);
      execv(program.c_str(), argv.data());
      _exit(127);
    }
  }
  ~SmallAgent() {
    if (pid_ > 0) {
      kill(pid_, SIGKILL);
      waitpid(pid_, nullptr, 0);
    }
    if (limited_) rmdir(cgroup_.c_str());
  }

  bool alive() {
    if (pid_ > 0 && waitpid(pid_, nullptr, WNOHANG) == pid_) pid_ = -1;
    return pid_ > 0;
  }
  bool limited() const { return limited_; }
  // All that the cgroup had at a time, the kernel's part and the page cache too; without one, all
  // that the process had of its own.
  uint64_t PeakBytes() {
    uint64_t bytes = 0;
    if (limited_) {
      std::ifstream(cgroup_ + "/memory.max_usage_in_bytes") >> bytes;
      return bytes;
    }
    std::ifstream status(absl::StrCat("/proc/", pid_, "/status"));
    for (std::string word; status >> word;) {
      if (word == "VmHWM:") status >> bytes;
    }
    return bytes * 1024;
  }
  // Of the cgroup, without what the kernel can take back at once. 0: unknown.
  uint64_t KernelBytes() {
    uint64_t bytes = 0;
    std::ifstream(cgroup_ + "/memory.kmem.usage_in_bytes") >> bytes;
    return bytes;
  }
  uint64_t ResidentBytes() {
    uint64_t bytes = 0;
    std::ifstream status(absl::StrCat("/proc/", pid_, "/status"));
    for (std::string word; status >> word;) {
      if (word == "RssAnon:") status >> bytes;
    }
    return bytes * 1024;
  }
  std::string Log() const {
    std::ostringstream text;
    text << std::ifstream(log_).rdbuf();
    return text.str();
  }

 private:
  bool Write(const std::string& file, const std::string& text) {
    std::ofstream stream(cgroup_ + file);
    stream << text << std::flush;
    return stream.good();
  }

  const std::string cgroup_;
  std::string log_;
  bool limited_ = false;
  pid_t pid_ = -1;
};

class GreedyUserTest : public testing::Test {
 protected:
  GreedyUserTest() {
    EXPECT_EQ(chmod(dir_.path("").c_str(), 0755), 0);
    std::ofstream(dir_.path("ca.pem")) << server_.ca_pem();
  }
  ~GreedyUserTest() override {
    for (const int fd : fds_) close(fd);
  }
  void StartAgent(rlim_t descriptors = 0) {
    agent_ = std::make_unique<SmallAgent>(dir_, server_.address(), descriptors);
    ASSERT_TRUE(server_.WaitUntil([this](FakeConnector* c) {
      return c->ready() && access(socket_.c_str(), F_OK) == 0;
    })) << agent_->Log();
  }

  // Connects as an app of this user. False: it was refused.
  bool ConnectAnother() {
    const int fd = Connect(socket_);
    if (fd < 0) return false;
    fds_.push_back(fd);
    const std::string hello =
        HelloAndRegister(absl::StrCat("com.example.an.app.with.a.long.name.number", fds_.size()));
    if (send(fd, hello.data(), hello.size(), MSG_NOSIGNAL) < 0) return false;
    return NextFrame(fd).has_hello_ok() && NextFrame(fd).has_registered();
  }

  // Whether an app of another user gets its token. True if nobody may become another user here.
  bool AnotherUserIsServed(const std::string& app_id) {
    const pid_t pid = fork();
    if (pid == 0) {
      // Between fork and exit nothing that takes a lock but the allocator, whose this thread was.
      if (setgroups(0, nullptr) != 0 || setresgid(kStranger, kStranger, kStranger) != 0 ||
          setresuid(kStranger, kStranger, kStranger) != 0) {
        _exit(0);
      }
      const int fd = Connect(socket_);
      const std::string hello = HelloAndRegister(app_id);
      if (fd < 0 || send(fd, hello.data(), hello.size(), MSG_NOSIGNAL) < 0) _exit(1);
      _exit(NextFrame(fd).has_hello_ok() && NextFrame(fd).has_registered() ? 0 : 2);
    }
    int status = 0;
    return waitpid(pid, &status, 0) == pid && status == 0;
  }

  TempDir dir_;
  TlsTestServer server_;
  const std::string socket_ = dir_.path("agent.sock");
  std::vector<int> fds_;
  std::unique_ptr<SmallAgent> agent_;
};

TEST_F(GreedyUserTest, WhoReadsNothingCostsTheAgentLittleAndOtherUsersNothing) {
  StartAgent();
  while (fds_.size() <= kMaxAppConnections && ConnectAnother()) {
  }
  ASSERT_GT(fds_.size(), kMaxAppConnections / 2) << "a phone with one user uses nearly all";
  // Each asks for as much as the kernel takes, for answers of 16 KiB to 3 bytes each.
  v1::AppFrame ask;
  ask.mutable_status_request();
  std::string requests;
  while (requests.size() < 256 * 1024) requests += Bytes(ask);
  for (const int fd : fds_) send(fd, requests.data(), requests.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  EXPECT_TRUE(AnotherUserIsServed("com.example.chat")) << agent_->Log();
  for (const int fd : fds_) send(fd, requests.data(), requests.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  EXPECT_TRUE(AnotherUserIsServed("com.example.mail")) << agent_->Log();
  ASSERT_TRUE(agent_->alive()) << "killed";
  std::cout << fds_.size() << " connections; peak " << agent_->PeakBytes() / 1024
            << " KiB, anonymous " << agent_->ResidentBytes() / 1024 << " KiB, kernel "
            << agent_->KernelBytes() / 1024 << " KiB\n";
  // The page cache fills what is left; it gives way.
  EXPECT_LT(agent_->ResidentBytes() + agent_->KernelBytes(), kUnitBytes * 3 / 4);
}

TEST_F(GreedyUserTest, AFloodOfConnectionsIsAFewLinesOfLogAndLocksNobodyOut) {
  StartAgent();
  for (int i = 0; i < 20'000; ++i) {
    const int fd = Connect(socket_);
    if (fd < 0) continue;
    fds_.push_back(fd);
    if (fds_.size() < 2 * kMaxAppConnections) continue;
    for (const int old : fds_) close(old);
    fds_.clear();
  }
  while (fds_.size() < 2 * kMaxAppConnections) fds_.push_back(Connect(socket_));
  EXPECT_TRUE(AnotherUserIsServed("com.example.chat")) << agent_->Log();
  EXPECT_TRUE(agent_->alive());
  EXPECT_LT(agent_->Log().size(), 16u * 1024);
}

TEST_F(GreedyUserTest, AnAgentWithFewDescriptorsKeepsSomeForItself) {
  StartAgent(/*descriptors=*/160);
  for (int i = 0; i < 200; ++i) fds_.push_back(Connect(socket_));
  EXPECT_TRUE(AnotherUserIsServed("com.example.chat")) << agent_->Log();
  // It finds its server again, which takes a descriptor.
  server_.Do([](FakeConnector* c) { c->Drop(); });
  EXPECT_TRUE(server_.WaitUntil([](FakeConnector* c) { return c->ready(); })) << agent_->Log();
  EXPECT_EQ(agent_->Log().find("accept_starved"), std::string::npos) << agent_->Log();
}

}  // namespace
}  // namespace bellwire::agent
