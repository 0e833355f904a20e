#include "net/socket/unix_stream.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <memory>
#include <string>
#include <utility>

#include "common/error.h"
#include "gtest/gtest.h"
#include "net/loop/epoll_loop.h"
#include "net/loop/run_loop_until.h"
#include "net/simulated/test_peer.h"
#include "net/socket/close_reason.h"
#include "net/socket/lingering_close.h"

namespace bellwire::net {
namespace {

class UnixStreamTest : public testing::Test {
 protected:
  void SetUp() override {
    // A short path: sockets allow 107 bytes.
    char name[] = "/tmp/bellwire_XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    directory_ = name;
    path_ = directory_ + "/socket";
  }
  void TearDown() override {
    listener_.reset();
    unlink(path_.c_str());
    EXPECT_EQ(rmdir(directory_.c_str()), 0) << "something was left behind";
  }

  absl::StatusOr<std::unique_ptr<UnixListener>> Listen(const std::string& path,
                                                       mode_t mode = 0600) {
    return UnixListener::Listen(
        &loop_, path, mode, [this](std::unique_ptr<Stream> stream, const PeerCredentials& peer) {
          credentials_ = peer;
          server_.Take(std::move(stream));
        });
  }
  void ListenAndConnect() {
    auto listener = Listen(path_);
    ASSERT_TRUE(listener.ok()) << listener.status();
    listener_ = *std::move(listener);
    auto client = ConnectUnix(&loop_, path_);
    ASSERT_TRUE(client.ok()) << client.status();
    client_.Take(*std::move(client));
    ASSERT_TRUE(RunUntil([&] { return client_.open && server_.open; }));
  }
  bool RunUntil(absl::FunctionRef<bool()> condition) { return RunLoopUntil(&loop_, condition); }

  EpollLoop loop_{RealClock()};
  std::string directory_;
  std::string path_;
  std::unique_ptr<UnixListener> listener_;
  PeerCredentials credentials_ = {};
  TestPeer client_;
  TestPeer server_;
};

TEST_F(UnixStreamTest, CarriesBytesAndKnowsThePeer) {
  ListenAndConnect();
  EXPECT_EQ(credentials_.uid, getuid());
  EXPECT_EQ(credentials_.gid, getgid());
  EXPECT_EQ(credentials_.pid, getpid());
  EXPECT_EQ(listener_->path(), path_);
  EXPECT_EQ(client_.stream->tls_exporter(), "");
  client_.stream->Write("hello");
  server_.stream->Write("welcome");
  ASSERT_TRUE(
      RunUntil([&] { return server_.received == "hello" && client_.received == "welcome"; }));
  client_.stream->Close();
  ASSERT_TRUE(RunUntil([&] { return server_.closed > 0; }));
  EXPECT_EQ(server_.reason, "OK");
}

TEST_F(UnixStreamTest, TheModeIsExact) {
  const mode_t old_umask = umask(0077);
  auto listener = Listen(path_, 0666);
  umask(old_umask);
  ASSERT_TRUE(listener.ok()) << listener.status();
  struct stat info;
  ASSERT_EQ(stat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0666u);
}

TEST_F(UnixStreamTest, TheFileGoesWithTheListener) {
  ListenAndConnect();
  listener_.reset();
  EXPECT_NE(access(path_.c_str(), F_OK), 0);
  client_.stream->Write("connections stay");
  EXPECT_TRUE(RunUntil([&] { return server_.received == "connections stay"; }));
}

TEST_F(UnixStreamTest, AStaleFileIsReplacedALiveOneIsNot) {
  ListenAndConnect();
  EXPECT_EQ(ErrorReason(Listen(path_).status()), "SOCKET_IN_USE");
  // What a killed process leaves: a file that nobody listens on.
  const std::string stale = path_ + ".stale";
  ASSERT_EQ(link(path_.c_str(), stale.c_str()), 0);
  listener_.reset();
  ASSERT_EQ(rename(stale.c_str(), path_.c_str()), 0);
  auto replaced = Listen(path_);
  EXPECT_TRUE(replaced.ok()) << replaced.status();
}

TEST_F(UnixStreamTest, OtherFilesAreLeftAlone) {
  std::ofstream(path_) << "precious";
  EXPECT_EQ(ErrorReason(Listen(path_).status()), "SOCKET_IN_USE");
  std::string content;
  std::ifstream(path_) >> content;
  EXPECT_EQ(content, "precious");
}

TEST_F(UnixStreamTest, AFileThatTookOurPlaceIsLeftAlone) {
  ListenAndConnect();
  ASSERT_EQ(unlink(path_.c_str()), 0);
  std::ofstream(path_) << "another";
  listener_.reset();
  EXPECT_EQ(access(path_.c_str(), F_OK), 0);
}

TEST_F(UnixStreamTest, PathsThatWontDo) {
  EXPECT_EQ(ErrorReason(Listen("").status()), "BAD_ADDRESS");
  EXPECT_EQ(ErrorReason(Listen(std::string(108, 'x')).status()), "BAD_ADDRESS");
  EXPECT_EQ(ErrorReason(Listen(directory_ + "/no/such/directory").status()), "CANNOT_LISTEN");
  EXPECT_EQ(ErrorReason(ConnectUnix(&loop_, path_).status()), kCannotConnect);
}

// Closing a stream whose peer never reads must not hold its memory for ever.
TEST_F(UnixStreamTest, LastWordsAreDroppedAfterAWhile) {
  ListenAndConnect();
  client_.stream->PauseReading();
  server_.stream->Write(std::string(4'000'000, 'x'));
  ASSERT_GT(server_.stream->buffered_bytes(), 0u);
  server_.stream->Close();
  RunLoopFor(&loop_, kLingerTime + absl::Milliseconds(100));
  client_.stream->ResumeReading();
  ASSERT_TRUE(RunUntil([&] { return client_.closed > 0; }));
  EXPECT_LT(client_.received.size(), 4'000'000u);
}

}  // namespace
}  // namespace bellwire::net
