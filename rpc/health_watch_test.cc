#include "rpc/health_watch.h"

#include <memory>
#include <utility>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "bellwire/internal/v1/internal.grpc.pb.h"
#include "gtest/gtest.h"
#include "rpc/credentials.h"
#include "rpc/internal_port.h"
#include "rpc/test_pki.h"

namespace bellwire {
namespace {

class HealthWatchTest : public testing::Test {
 protected:
  void Open() {
    std::vector<std::unique_ptr<grpc::Service>> services;
    services.push_back(std::make_unique<internal::v1::Network::CallbackService>());
    auto port = InternalPort::Open("127.0.0.1:0", pki_.internal_dir(), std::move(services));
    ASSERT_TRUE(port.ok()) << port.status();
    port_ = *std::move(port);
  }

  void Watch() {
    const auto credentials = InternalChannelCredentials(pki_.internal_dir());
    ASSERT_TRUE(credentials.ok()) << credentials.status();
    watch_ = std::make_unique<HealthWatch>(
        NewInternalChannel(port_->address(), *credentials, Role::kRegistry),
        [this](bool serving) {
          absl::MutexLock lock(&mutex_);
          told_.push_back(serving);
        },
        absl::Milliseconds(100));
  }

  // Waits until so many changes were told, and answers the last one.
  bool NthChange(size_t n) {
    absl::MutexLock lock(&mutex_);
    const auto told = [this, n]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return told_.size() >= n; };
    mutex_.Await(absl::Condition(&told));
    return told_.at(n - 1);
  }

  TestPki pki_;
  std::unique_ptr<InternalPort> port_;
  absl::Mutex mutex_;
  std::vector<bool> told_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<HealthWatch> watch_;
};

TEST_F(HealthWatchTest, TellsEachChange) {
  Open();
  Watch();
  port_->SetServing(false);
  EXPECT_FALSE(NthChange(1));
  port_->SetServing(true);
  EXPECT_TRUE(NthChange(2));
}

TEST_F(HealthWatchTest, WhoIsGoneDoesNotServe) {
  Open();
  Watch();
  port_->Close();
  EXPECT_FALSE(NthChange(1));
}

}  // namespace
}  // namespace bellwire
