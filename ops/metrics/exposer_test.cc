#include "ops/metrics/exposer.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/host_port.h"
#include "gtest/gtest.h"
#include "net/socket/address.h"
#include "ops/metrics/scrape_answer.h"

namespace bellwire::metrics {
namespace {

class ExposerTest : public testing::Test {
 protected:
  ExposerTest() {
    metrics_.AddSource([this](Samples* samples) {
      for (size_t i = 0; i < queues_; ++i) samples->AddQueue(absl::StrCat("queue", i), i, queues_);
    });
  }

  absl::Status Start(const std::string& listen, bool local_only = false) {
    auto exposer = Exposer::Start({.listen = listen,
                                   .local_only = local_only,
                                   .metrics = &metrics_,
                                   .readiness = &readiness_});
    if (!exposer.ok()) return exposer.status();
    exposer_ = *std::move(exposer);
    return absl::OkStatus();
  }

  int Connect() const {
    const absl::StatusOr<HostPort> parts = ParseHostPort(exposer_->address());
    EXPECT_TRUE(parts.ok()) << parts.status();
    const auto address = net::NumericAddress(parts->host, parts->port);
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPECT_EQ(connect(fd, address->get(), address->size), 0) << strerror(errno);
    return fd;
  }

  static std::string ReadToEnd(int fd) {
    std::string answer;
    char buffer[4096];
    for (ssize_t n; (n = read(fd, buffer, sizeof(buffer))) > 0;) {
      answer.append(buffer, static_cast<size_t>(n));
    }
    close(fd);
    return answer;
  }

  static std::string Ask(int fd, const std::string& request) {
    EXPECT_EQ(send(fd, request.data(), request.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(request.size()));
    return ReadToEnd(fd);
  }

  std::string Get(const std::string& path) const {
    return Ask(Connect(), absl::StrCat("GET ", path, " HTTP/1.1\r\nHost: a\r\n\r\n"));
  }

  size_t queues_ = 1;
  Readiness readiness_;
  Metrics metrics_{"bellwire-test", &readiness_};
  std::unique_ptr<Exposer> exposer_;
};

TEST_F(ExposerTest, ShowsMetricsAndHealth) {
  ASSERT_TRUE(Start("127.0.0.1:0").ok());
  EXPECT_FALSE(absl::EndsWith(exposer_->address(), ":0"));
  EXPECT_TRUE(absl::StrContains(Get("/metrics"), "\nbellwire_queue_bound{queue=\"queue0\"} 1\n"));
  EXPECT_TRUE(absl::StartsWith(Get("/readyz"), "HTTP/1.1 200 "));
  readiness_.SetDraining();
  EXPECT_TRUE(absl::StartsWith(Get("/readyz"), "HTTP/1.1 503 "));
  EXPECT_TRUE(absl::StartsWith(Get("/healthz"), "HTTP/1.1 200 "));
  EXPECT_TRUE(absl::StrContains(Get("/metrics"), "\nbellwire_ready 0\n"));
  EXPECT_TRUE(exposer_->Responds(absl::Seconds(30)));
}

// More than a socket takes at a time.
TEST_F(ExposerTest, AnswersWithAsMuchAsThereIs) {
  queues_ = 50'000;
  ASSERT_TRUE(Start("127.0.0.1:0").ok());
  const std::string answer = Get("/metrics");
  EXPECT_GT(answer.size(), 4'000'000u);
  EXPECT_TRUE(absl::StrContains(answer, "\nbellwire_queue_bound{queue=\"queue49999\"} 50000\n"));
}

TEST_F(ExposerTest, AHeadMayComeInPiecesAndNotWithoutEnd) {
  ASSERT_TRUE(Start("127.0.0.1:0").ok());
  const int fd = Connect();
  ASSERT_EQ(send(fd, "GET /healthz HT", 15, MSG_NOSIGNAL), 15);
  EXPECT_TRUE(absl::StartsWith(Ask(fd, "TP/1.1\r\nHost: a\r\n\r\n"), "HTTP/1.1 200 "));
  EXPECT_TRUE(absl::StartsWith(Ask(Connect(), std::string(kMaxScrapeHeadBytes + 1, 'a')),
                               "HTTP/1.1 431 "));
}

TEST_F(ExposerTest, WhoSaysNothingTakesNoMoreThanItsPlaces) {
  ASSERT_TRUE(Start("127.0.0.1:0").ok());
  std::vector<int> silent;
  for (size_t i = 0; i < kMaxScrapers; ++i) silent.push_back(Connect());
  // It is closed without an answer. (The kernel accepts before the exposer does.)
  EXPECT_EQ(ReadToEnd(Connect()), "");
  close(silent.back());
  silent.pop_back();
  // As soon as the exposer has seen the end.
  std::string answer;
  while (answer.empty()) {
    const int fd = Connect();
    const std::string request = "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n";
    (void)send(fd, request.data(), request.size(), MSG_NOSIGNAL);
    answer = ReadToEnd(fd);
  }
  EXPECT_TRUE(absl::StartsWith(answer, "HTTP/1.1 200 "));
  for (const int fd : silent) close(fd);
}

TEST_F(ExposerTest, ListensOnAUnixSocket) {
  char directory[] = "/tmp/metricsXXXXXX";
  ASSERT_NE(mkdtemp(directory), nullptr);
  const std::string path = absl::StrCat(directory, "/metrics.sock");
  ASSERT_TRUE(Start(absl::StrCat("unix:", path), /*local_only=*/true).ok());
  EXPECT_EQ(exposer_->address(), absl::StrCat("unix:", path));
  struct stat info {};
  ASSERT_EQ(stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0660u);
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  ASSERT_LT(path.size(), sizeof(address.sun_path));
  memcpy(address.sun_path, path.c_str(), path.size() + 1);
  ASSERT_EQ(connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  EXPECT_TRUE(absl::StrContains(Ask(fd, "GET /metrics HTTP/1.0\r\n\r\n"), "bellwire_build_info"));
  exposer_.reset();
  EXPECT_NE(stat(path.c_str(), &info), 0);
  rmdir(directory);
}

TEST_F(ExposerTest, LocalOnlyRefusesWhatOthersReach) {
  for (const char* address : {"0.0.0.0:0", "[::]:0", ":0", "192.0.2.1:0"}) {
    EXPECT_EQ(ErrorReason(Start(address, /*local_only=*/true)), "NOT_LOOPBACK") << address;
  }
  EXPECT_TRUE(Start("localhost:0", /*local_only=*/true).ok());
}

TEST_F(ExposerTest, RefusesWhatIsNoAddress) {
  EXPECT_EQ(ErrorReason(Start("127.0.0.1")), "BAD_ADDRESS");
}

}  // namespace
}  // namespace bellwire::metrics
