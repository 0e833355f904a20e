// Over real gRPC connections on loopback, with the internal ports' TLS.

#include "rpc/channel_watch.h"

#include <memory>
#include <optional>

#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "bellwire/internal/v1/internal.grpc.pb.h"
#include "gtest/gtest.h"
#include "rpc/credentials.h"
#include "rpc/loopback_server.h"
#include "rpc/test_pki.h"

namespace bellwire {
namespace {

class ChannelWatchTest : public testing::Test {
 protected:
  std::shared_ptr<grpc::Channel> Channel(const std::string& address) {
    return NewInternalChannel(address, *InternalChannelCredentials(pki_.internal_dir()),
                              Role::kRegistry);
  }
  void OnConnected() {
    absl::MutexLock lock(&mutex_);
    ++connections_;
  }
  bool AwaitConnections(int count) {
    absl::MutexLock lock(&mutex_);
    const auto enough = [&]()
                            ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return connections_ >= count; };
    return mutex_.AwaitWithTimeout(absl::Condition(&enough), absl::Seconds(30));
  }
  int connections() {
    absl::MutexLock lock(&mutex_);
    return connections_;
  }

  TestPki pki_;
  internal::v1::Mailbox::Service service_;
  absl::Mutex mutex_;
  int connections_ ABSL_GUARDED_BY(mutex_) = 0;
};

TEST_F(ChannelWatchTest, TellsOfEachConnectionThoughNobodyCalls) {
  std::optional<LoopbackServer> server(std::in_place, &service_, pki_.internal_dir());
  const int port = server->port();
  const ChannelWatch watch(Channel(server->address()), [this] { OnConnected(); });
  ASSERT_TRUE(AwaitConnections(1));
  for (int life = 2; life <= 4; ++life) {
    server.reset();
    server.emplace(&service_, pki_.internal_dir(), port);
    ASSERT_TRUE(AwaitConnections(life));
    EXPECT_EQ(connections(), life) << "once each";
  }
}

TEST_F(ChannelWatchTest, EndsThoughNobodyAnswers) {
  std::optional<LoopbackServer> server(std::in_place, &service_, pki_.internal_dir());
  const std::string address = server->address();
  server.reset();
  {
    const ChannelWatch watch(Channel(address), [this] { OnConnected(); });
  }
  EXPECT_EQ(connections(), 0);
}

}  // namespace
}  // namespace bellwire
