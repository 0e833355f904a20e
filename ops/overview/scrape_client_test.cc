#include "ops/overview/scrape_client.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <thread>

#include "absl/strings/match.h"
#include "common/error.h"
#include "common/testing/temp_dir.h"
#include "gtest/gtest.h"
#include "ops/metrics/exposer.h"
#include "ops/metrics/metrics.h"
#include "ops/metrics/readiness.h"

namespace bellwire::metrics {
namespace {

TEST(FetchMetrics, AsksAProgram) {
  metrics::Readiness readiness;
  const metrics::Metrics metrics("bellwire-test", &readiness);
  auto exposer = metrics::Exposer::Start(
      {.listen = "127.0.0.1:0", .metrics = &metrics, .readiness = &readiness});
  ASSERT_TRUE(exposer.ok()) << exposer.status();
  const absl::StatusOr<std::string> text = FetchMetrics((*exposer)->address());
  ASSERT_TRUE(text.ok()) << text.status();
  EXPECT_TRUE(absl::StrContains(*text, "bellwire_build_info{program=\"bellwire-test\""));
  const std::string address = (*exposer)->address();
  exposer->reset();
  EXPECT_EQ(ErrorReason(FetchMetrics(address).status()), "NOT_REACHED");
}

TEST(FetchMetrics, SaysWhatIsNoAddress) {
  for (const char* address : {"", "9464", "localhost:0", "unix:"}) {
    EXPECT_EQ(ErrorReason(FetchMetrics(address).status()), "BAD_ADDRESS") << address;
  }
  EXPECT_EQ(ErrorReason(FetchMetrics("unix:/nowhere/metrics.sock").status()), "NOT_REACHED");
}

// What answers is something else: here, an echo of the request.
TEST(FetchMetrics, SaysThatSomethingElseAnswers) {
  const int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const TempDir dir;
  sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = {}};
  const std::string path = dir.path("socket");
  path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  ASSERT_EQ(bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  ASSERT_EQ(listen(listener, 1), 0);
  std::thread server([listener] {
    const int peer = accept(listener, nullptr, nullptr);
    char request[256];
    const ssize_t got = read(peer, request, sizeof(request));
    EXPECT_GT(got, 0);
    EXPECT_EQ(write(peer, request, static_cast<size_t>(got)), got);
    close(peer);
  });
  EXPECT_EQ(ErrorReason(FetchMetrics("unix:" + path).status()), "NOT_METRICS");
  server.join();
  close(listener);
}

}  // namespace
}  // namespace bellwire::metrics
