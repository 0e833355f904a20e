// Crowds of TCP connections that never say anything at the device port of a real `bellwire serve`
// with few descriptors: everybody else is served meanwhile and afterwards.
//
// BELLWIRE_SILENT_SOCKETS is how many there are (4,000). The reports that this comes from had
// 24,000 and 7,000; so many need `bazel test --test_env=BELLWIRE_SILENT_SOCKETS=24000`.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <deque>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "crypto/device_key.h"
#include "gtest/gtest.h"
#include "tests/hostile/bystander.h"
#include "tests/support/fleet.h"
#include "tests/support/raw_device.h"

namespace bellwire::tests {
namespace {

constexpr char kMail[] = "com.example.mail";
// The default of a shell, and of many a container.
constexpr int kServerDescriptors = 1024;
constexpr int kSocketsOfAProcess = 8000;

int Sockets() {
  int sockets = 4000;
  if (const char* text = getenv("BELLWIRE_SILENT_SOCKETS")) {
    EXPECT_TRUE(absl::SimpleAtoi(text, &sockets)) << text;
  }
  return sockets;
}

// Processes that hold so many connections together and say nothing on them. `renewed_per_second` of
// them are closed and opened again.
class SilentCrowd {
 public:
  SilentCrowd(const std::string& address, int sockets, int renewed_per_second) {
    const size_t colon = address.rfind(':');
    sockaddr_in to = {};
    to.sin_family = AF_INET;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int port = 0;
    EXPECT_TRUE(absl::SimpleAtoi(address.substr(colon + 1), &port));
    to.sin_port = htons(static_cast<uint16_t>(port));
    const int processes = (sockets + kSocketsOfAProcess - 1) / kSocketsOfAProcess;
    for (int i = 0; i < processes; ++i) {
      int ready[2];
      EXPECT_EQ(pipe(ready), 0);
      const pid_t pid = fork();
      if (pid == 0) Hold(to, sockets / processes, renewed_per_second / processes, ready[1]);
      close(ready[1]);
      holders_.push_back({pid, ready[0]});
    }
  }
  ~SilentCrowd() {
    for (const Holder& holder : holders_) {
      kill(holder.pid, SIGKILL);
      waitpid(holder.pid, nullptr, 0);
      close(holder.ready);
    }
  }
  // All have connected once.
  void WaitUntilThere() {
    for (const Holder& holder : holders_) {
      char byte;
      EXPECT_EQ(read(holder.ready, &byte, 1), 1);
    }
  }

 private:
  struct Holder {
    pid_t pid;
    int ready;
  };

  // In the child: nothing but system calls and the allocator.
  [[noreturn]] static void Hold(const sockaddr_in& to, int sockets, int renewed_per_second,
                                int ready) {
    std::deque<int> held;
    const auto connect_one = [&] {
      const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
      if (fd < 0) return;
      connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof(to));
      held.push_back(fd);
    };
    for (int i = 0; i < sockets; ++i) connect_one();
    if (write(ready, "!", 1) != 1) _exit(1);
    while (true) {
      if (renewed_per_second == 0) pause();
      const timespec pace = {.tv_sec = 0, .tv_nsec = 1'000'000'000 / renewed_per_second};
      ppoll(nullptr, 0, &pace, nullptr);
      close(held.front());
      held.pop_front();
      connect_one();
    }
  }

  std::vector<Holder> holders_;
};

class SilentSocketsTest : public testing::Test {
 protected:
  void SetUp() override {
    // For the crowd.
    rlimit ours;
    ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &ours), 0);
    ours.rlim_cur = ours.rlim_max;
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &ours), 0);
    auto fleet = Fleet::Start(Deployment::kEmbedded, {.max_descriptors = kServerDescriptors});
    ASSERT_TRUE(fleet.ok()) << fleet.status();
    fleet_ = *std::move(fleet);
    auto provider = Provider::Create(*fleet_, {kMail});
    ASSERT_TRUE(provider.ok()) << provider.status();
    provider_ = std::make_unique<Provider>(*std::move(provider));
  }

  // Answers how long a login of a new device took; infinite: it failed.
  absl::Duration LogIn(std::unique_ptr<RawDevice>* logged_in = nullptr) {
    auto key = DeviceKey::Generate();
    EXPECT_TRUE(key.ok());
    const MonotonicTime began = RealClock()->Monotonic();
    auto device = RawDevice::Login(fleet_->device_address(), fleet_->ca_file(), **key, 1);
    if (!device.ok()) {
      std::cout << device.status() << std::endl;
      return absl::InfiniteDuration();
    }
    if (logged_in != nullptr) *logged_in = *std::move(device);
    return RealClock()->Monotonic() - began;
  }

  std::unique_ptr<Fleet> fleet_;
  std::unique_ptr<Provider> provider_;
};

TEST_F(SilentSocketsTest, LeaveThePortsAliveAndSendsServed) {
  std::unique_ptr<RawDevice> device;
  ASSERT_LT(LogIn(&device), absl::InfiniteDuration());
  const absl::StatusOr<std::string> token = device->RegisterApp(kMail);
  ASSERT_TRUE(token.ok()) << token.status();
  Bystander bystander(*fleet_, *provider_, *token);
  ASSERT_TRUE(WaitUntil([&] { return bystander.served() >= 5; }));
  {
    SilentCrowd crowd(fleet_->device_address(), Sockets(), /*renewed_per_second=*/0);
    crowd.WaitUntilThere();
    const size_t served = bystander.served();
    EXPECT_TRUE(WaitUntil([&] { return bystander.served() >= served + 100; }));
    // A new backend and a new phone find their ports open.
    EXPECT_TRUE(Provider::Create(*fleet_, {"com.example.new"}).ok());
    EXPECT_LT(LogIn(), absl::Seconds(10));
  }
  const Bystander::Report report = bystander.Stop();
  EXPECT_EQ(report.served, report.sent) << report.last_error;
  std::cout << report.served << " Sends, the slowest after " << report.slowest << std::endl;
  EXPECT_TRUE(Provider::Create(*fleet_, {"com.example.later"}).ok());
  EXPECT_LT(LogIn(), absl::Seconds(10));
}

TEST_F(SilentSocketsTest, ThatAreRenewedLockNobodyOut) {
  SilentCrowd crowd(fleet_->device_address(), Sockets(), /*renewed_per_second=*/170);
  crowd.WaitUntilThere();
  constexpr int kLogins = 30;
  std::vector<absl::Duration> took;
  for (int i = 0; i < kLogins; ++i) took.push_back(LogIn());
  std::sort(took.begin(), took.end());
  std::cout << "logins beside " << Sockets() << " sockets: median " << took[kLogins / 2]
            << ", slowest " << took.back() << std::endl;
  EXPECT_LT(took.back(), absl::InfiniteDuration()) << "a login failed";
}

}  // namespace
}  // namespace bellwire::tests
