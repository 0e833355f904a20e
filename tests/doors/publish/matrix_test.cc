// Notifications of a Matrix homeserver, in the form that its specification has, reach a
// subscription of UnifiedPush: over real processes, through curl on one end and a companion's
// client on the other.

#include <sys/wait.h>

#include <cstdlib>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "common/testing/temp_dir.h"
#include "device-agent/client/companion_client.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/support/fleet.h"

namespace bellwire::tests {
namespace {

using nlohmann::json;

constexpr char kPublicUrl[] = "https://push.example.com";

// A user's companion that has one subscription, and takes everything that comes.
class Companion {
 public:
  Companion(const std::string& socket_path, const std::string& instance) : instance_(instance) {
    agent::CompanionCallbacks callbacks;
    callbacks.on_endpoint = [this](const std::string&, const std::string& endpoint) {
      absl::MutexLock lock(&mutex_);
      endpoint_ = endpoint;
    };
    callbacks.on_delivery = [this](const agent::v1::Delivery& delivery) {
      {
        absl::MutexLock lock(&mutex_);
        taken_.push_back(delivery);
      }
      client_->Ack(instance_, delivery.delivery_id());
    };
    callbacks.on_unsubscribed = [this](const std::string&) {
      absl::MutexLock lock(&mutex_);
      endpoint_.clear();
    };
    auto client = agent::CompanionClient::Create({.socket_path = socket_path}, callbacks);
    EXPECT_TRUE(client.ok()) << client.status();
    client_ = *std::move(client);
    thread_ = std::thread([this] { client_->Run().IgnoreError(); });
    agent::v1::Subscribe subscribe;
    subscribe.set_instance(instance_);
    subscribe.set_owner("a test");
    client_->Subscribe(subscribe);
  }
  ~Companion() {
    client_->Stop();
    thread_.join();
  }

  void Unsubscribe() { client_->Unsubscribe(instance_); }
  std::string endpoint() const {
    absl::MutexLock lock(&mutex_);
    return endpoint_;
  }
  std::vector<agent::v1::Delivery> taken() const {
    absl::MutexLock lock(&mutex_);
    return taken_;
  }

 private:
  const std::string instance_;
  std::unique_ptr<agent::CompanionClient> client_;
  std::thread thread_;
  mutable absl::Mutex mutex_;
  std::string endpoint_ ABSL_GUARDED_BY(mutex_);
  std::vector<agent::v1::Delivery> taken_ ABSL_GUARDED_BY(mutex_);
};

class MatrixTest : public testing::TestWithParam<Deployment> {
 protected:
  void SetUp() override {
    Fleet::Options options;
    options.more_connector_arguments = {"--public_url", kPublicUrl};
    options.more_gateway_arguments = {"--public_url", kPublicUrl};
    auto fleet = Fleet::Start(GetParam(), options);
    ASSERT_TRUE(fleet.ok()) << fleet.status();
    fleet_ = std::move(*fleet);
    phone_ = std::make_unique<Phone>(*fleet_, "phone");
    ASSERT_TRUE(phone_->Start().ok());
    companion_ = std::make_unique<Companion>(phone_->socket_path(), "app");
    ASSERT_TRUE(WaitUntil([&] { return !companion_->endpoint().empty(); }));
  }

  // What the homeserver is answered: the status, and the body.
  std::pair<int, json> Notify(const json& notification) const {
    std::ofstream(dir_.path("body")) << json{{"notification", notification}};
    const std::string command =
        absl::StrCat("curl -sS -m 30 --cacert ", fleet_->ca_file(), " -w '\n%{http_code}' -d @",
                     dir_.path("body"), " https://", fleet_->provider_address(),
                     "/_matrix/push/v1/notify > ", dir_.path("out"));
    EXPECT_EQ(system(command.c_str()), 0);
    std::ifstream file(dir_.path("out"));
    std::string body, status;
    std::getline(file, body);
    // The body of an answer ends with a line end of its own.
    while (std::getline(file, status) && status.empty()) {
    }
    return {atoi(status.c_str()), json::parse(body, nullptr, false)};
  }
  static json Event(const std::string& event_id, const std::vector<std::string>& pushkeys) {
    json event = {
        {"event_id", event_id},     {"room_id", "!slw48wfj34rtnrf:example.com"},
        {"type", "m.room.message"}, {"sender", "@exampleuser:matrix.org"},
        {"prio", "high"},           {"content", {{"msgtype", "m.text"}, {"body", "Hello"}}},
        {"counts", {{"unread", 2}}}};
    for (const std::string& pushkey : pushkeys) {
      event["devices"].push_back(
          {{"app_id", "org.example"}, {"pushkey", pushkey}, {"pushkey_ts", 12345678}});
    }
    return event;
  }

  const TempDir dir_;
  std::unique_ptr<Fleet> fleet_;
  std::unique_ptr<Phone> phone_;
  std::unique_ptr<Companion> companion_;
};

TEST_P(MatrixTest, ANotificationReachesTheSubscriptionOnce) {
  const std::string endpoint = companion_->endpoint();
  ASSERT_TRUE(absl::StartsWith(endpoint, absl::StrCat(kPublicUrl, "/wpush/"))) << endpoint;
  const std::string foreign = "https://127.0.0.1:1/wpush/00ff";
  for (int attempt = 0; attempt < 2; ++attempt) {
    const auto [status, answer] = Notify(Event("$1", {endpoint, foreign}));
    EXPECT_EQ(status, 200) << answer;
    EXPECT_EQ(answer["rejected"], json{foreign});
  }
  EXPECT_EQ(Notify(Event("$2", {endpoint})).first, 200);
  ASSERT_TRUE(WaitUntil([&] { return companion_->taken().size() >= 2; }));
  const std::vector<agent::v1::Delivery> taken = companion_->taken();
  ASSERT_EQ(taken.size(), 2u);
  EXPECT_EQ(taken[0].content().door(), agent::v1::Content::MATRIX);
  const json first = json::parse(taken[0].payload())["notification"];
  EXPECT_EQ(first["event_id"], "$1");
  EXPECT_EQ(first["content"]["body"], "Hello");
  EXPECT_EQ(first["devices"].size(), 1u);
  EXPECT_EQ(json::parse(taken[1].payload())["notification"]["event_id"], "$2");
}

TEST_P(MatrixTest, ADeadEndpointIsRejectedAndOneThatIsAwayIsNot) {
  const std::string endpoint = companion_->endpoint();
  phone_->agent().Kill();
  EXPECT_EQ(Notify(Event("$1", {endpoint})).second["rejected"], json::array());
  ASSERT_TRUE(phone_->Start().ok());
  ASSERT_TRUE(WaitUntil([&] { return companion_->taken().size() == 1; }));
  companion_->Unsubscribe();
  ASSERT_TRUE(WaitUntil(
      [&] { return Notify(Event("$2", {endpoint})).second["rejected"] == json{endpoint}; }));
}

INSTANTIATE_TEST_SUITE_P(Deployments, MatrixTest,
                         testing::Values(Deployment::kEmbedded, Deployment::kSeparate),
                         [](const auto& info) { return DeploymentName(info.param); });

}  // namespace
}  // namespace bellwire::tests
