#include "ops/service_manager.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace bellwire {
namespace {

class ServiceManagerTest : public testing::Test {
 protected:
  ~ServiceManagerTest() override {
    if (fd_ >= 0) close(fd_);
    for (const char* name : {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"}) unsetenv(name);
  }

  // Listens as systemd does; `name` begins with '/' or '@'.
  void Listen(const std::string& name) {
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    memcpy(address.sun_path, name.data(), name.size());
    if (name[0] == '@') address.sun_path[0] = '\0';
    fd_ = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    ASSERT_EQ(bind(fd_, reinterpret_cast<sockaddr*>(&address),
                   static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size())),
              0);
    setenv("NOTIFY_SOCKET", name.c_str(), 1);
  }
  std::string Received() {
    char buffer[256];
    const ssize_t n = recv(fd_, buffer, sizeof(buffer), 0);
    return n < 0 ? "nothing" : std::string(buffer, static_cast<size_t>(n));
  }

  int fd_ = -1;
};

TEST_F(ServiceManagerTest, WhoIsNotAskedSaysNothing) {
  unsetenv("NOTIFY_SOCKET");
  EXPECT_TRUE(NotifyServiceManager("READY=1").ok());
}

TEST_F(ServiceManagerTest, TellsASocketInTheFileSystem) {
  char directory[] = "/tmp/bellwire-XXXXXX";
  ASSERT_NE(mkdtemp(directory), nullptr);
  const std::string path = absl::StrCat(directory, "/notify");
  Listen(path);
  EXPECT_TRUE(NotifyServiceManager("READY=1").ok());
  EXPECT_EQ(Received(), "READY=1");
  unlink(path.c_str());
  EXPECT_FALSE(NotifyServiceManager("READY=1").ok());
  rmdir(directory);
}

TEST_F(ServiceManagerTest, TellsAnAbstractSocket) {
  Listen(absl::StrCat("@bellwire-test-", getpid()));
  EXPECT_TRUE(NotifyServiceManager("WATCHDOG=1").ok());
  EXPECT_EQ(Received(), "WATCHDOG=1");
}

TEST_F(ServiceManagerTest, NonsenseIsAnErrorAndNoMore) {
  setenv("NOTIFY_SOCKET", "relative", 1);
  EXPECT_FALSE(NotifyServiceManager("READY=1").ok());
  setenv("NOTIFY_SOCKET", std::string(200, '/').c_str(), 1);
  EXPECT_FALSE(NotifyServiceManager("READY=1").ok());
}

TEST_F(ServiceManagerTest, TheWatchdogIsForTheProcessThatItNames) {
  EXPECT_EQ(WatchdogInterval(), std::nullopt);
  setenv("WATCHDOG_USEC", "7200000000", 1);
  EXPECT_EQ(WatchdogInterval(), absl::Hours(2));
  setenv("WATCHDOG_PID", "1", 1);
  EXPECT_EQ(WatchdogInterval(), std::nullopt);
  setenv("WATCHDOG_PID", absl::StrCat(getpid()).c_str(), 1);
  EXPECT_EQ(WatchdogInterval(), absl::Hours(2));
  setenv("WATCHDOG_USEC", "soon", 1);
  EXPECT_EQ(WatchdogInterval(), std::nullopt);
}

}  // namespace
}  // namespace bellwire
