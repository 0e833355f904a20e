#ifndef BELLWIRE_DEVICE_AGENT_TESTING_AGENT_ON_SOCKET_H_
#define BELLWIRE_DEVICE_AGENT_TESTING_AGENT_ON_SOCKET_H_

#include <grp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "common/testing/temp_dir.h"
#include "device-agent/core/agent.h"
#include "device-agent/testing/tls_test_server.h"
#include "gtest/gtest.h"
#include "net/socket/frame_codec.h"

namespace bellwire::agent {

// Another user than the test's, who has nothing.
inline constexpr uid_t kStranger = 65534;

// A frame with its length.
inline std::string Bytes(const v1::AppFrame& frame) {
  std::string bytes;
  net::AppendFrame(frame.SerializeAsString(), &bytes);
  return bytes;
}

inline std::string HelloAndRegister(const std::string& app_id) {
  v1::AppFrame hello;
  hello.mutable_hello()->set_app_id(app_id);
  v1::AppFrame wish;
  wish.mutable_register_();
  return Bytes(hello) + Bytes(wish);
}

// A connected socket that blocks; negative: there is none.
inline int Connect(const std::string& path) {
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  strncpy(address.sun_path, path.c_str(), sizeof(address.sun_path) - 1);
  if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0) return fd;
  close(fd);
  return -1;
}

// A real agent on a real socket, with a fake server behind a real port. On the test's thread.
class AgentOnSocket : public testing::Test {
 protected:
  AgentOnSocket() {
    EXPECT_EQ(chmod(dir_.path("").c_str(), 0755), 0);
    std::ofstream(dir_.path("ca.pem")) << server_.ca_pem();
    options_.servers = {server_.address()};
    options_.ca_path = dir_.path("ca.pem");
    options_.state_dir = dir_.path("state");
    options_.socket_path = dir_.path("agent.sock");
  }
  ~AgentOnSocket() override {
    if (agent_ == nullptr) return;
    agent_->Stop();
    thread_.join();
  }

  void StartAgent() {
    auto agent = Agent::Start(options_);
    ASSERT_TRUE(agent.ok()) << agent.status();
    agent_ = *std::move(agent);
    thread_ = std::thread([this] { agent_->Run(); });
  }
  void Push(uint64_t seq, const std::string& app_id) {
    server_.Do([&](FakeConnector* c) { c->Push(seq, c->RegistrationIdOf(app_id)); });
  }
  std::string Text(const std::string& name) {
    std::ifstream file(dir_.path(name));
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
  }

  // What the agent says to a process of another user that says `bytes`: the first `enough` frames,
  // or all until it has nothing more to say. Nullopt: no process here may become another user.
  std::optional<std::vector<v1::AgentFrame>> TalkAs(uid_t uid, const std::string& bytes,
                                                    size_t enough = SIZE_MAX) {
    int pipe_fds[2];
    EXPECT_EQ(pipe(pipe_fds), 0);
    const std::string path = options_.socket_path;
    const pid_t pid = fork();
    if (pid == 0) {
      // Between fork and exit nothing that takes a lock: the other threads are not here.
      if (setgroups(0, nullptr) != 0 || setresgid(uid, uid, uid) != 0 ||
          setresuid(uid, uid, uid) != 0) {
        _exit(77);
      }
      const int fd = Connect(path);
      if (fd < 0 || send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL) < 0) _exit(1);
      char buffer[4096];
      pollfd ready = {.fd = fd, .events = POLLIN, .revents = 0};
      size_t frames = 0;
      net::FrameDecoder counter(kMaxFrameBytes);
      // Until the agent closes, or has nothing more to say.
      while (frames < enough && poll(&ready, 1, enough == SIZE_MAX ? 3000 : 30'000) > 0) {
        const ssize_t n = read(fd, buffer, sizeof(buffer));
        if (n <= 0 || write(pipe_fds[1], buffer, static_cast<size_t>(n)) != n) break;
        (void)counter.Feed({buffer, static_cast<size_t>(n)}, [&](absl::string_view) {
          ++frames;
          return true;
        });
      }
      _exit(0);
    }
    close(pipe_fds[1]);
    std::string answer;
    char buffer[4096];
    for (ssize_t n; (n = read(pipe_fds[0], buffer, sizeof(buffer))) > 0;) {
      answer.append(buffer, static_cast<size_t>(n));
    }
    close(pipe_fds[0]);
    int status = 0;
    EXPECT_EQ(waitpid(pid, &status, 0), pid);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) return std::nullopt;
    EXPECT_EQ(status, 0) << "the stranger could not reach the agent";
    std::vector<v1::AgentFrame> frames;
    net::FrameDecoder decoder(kMaxFrameBytes);
    EXPECT_TRUE(decoder
                    .Feed(answer,
                          [&](absl::string_view body) {
                            frames.emplace_back().ParseFromString(std::string(body));
                            return true;
                          })
                    .ok());
    return frames;
  }

  TempDir dir_;
  TlsTestServer server_;
  AgentOptions options_;
  std::unique_ptr<Agent> agent_;
  std::thread thread_;
};

}  // namespace bellwire::agent

#endif  // BELLWIRE_DEVICE_AGENT_TESTING_AGENT_ON_SOCKET_H_
