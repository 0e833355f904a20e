// State that is put back from a copy, over real processes: the server's store, and a phone's.
// Whatever is sent afterwards arrives once, and every app has a token that lives.

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/ids.h"
#include "gmock/gmock.h"
#include "grpcpp/channel.h"
#include "gtest/gtest.h"
#include "tests/support/app.h"
#include "tests/support/fleet.h"

namespace bellwire::tests {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAreArray;

constexpr char kMail[] = "com.example.mail";
constexpr char kChat[] = "com.example.chat";

std::vector<std::string> Payloads(int first, int last) {
  std::vector<std::string> payloads;
  for (int n = first; n <= last; ++n) payloads.push_back(absl::StrCat("message ", n));
  return payloads;
}

class RestoreTest : public testing::TestWithParam<Deployment> {
 protected:
  void SetUp() override {
    auto fleet = Fleet::Start(GetParam());
    ASSERT_TRUE(fleet.ok()) << fleet.status();
    fleet_ = std::move(*fleet);
    auto provider = Provider::Create(*fleet_, {kMail, kChat});
    ASSERT_TRUE(provider.ok()) << provider.status();
    provider_ = std::move(*provider);
    phone_ = std::make_unique<Phone>(*fleet_, "phone");
    // Many restarts in a short time.
    phone_->SetMoreArguments({"--reconnect_max_seconds", "1"});
    ASSERT_TRUE(phone_->Start().ok());
  }

  // The registry stops, its store is copied, and it starts again.
  void BackUpServer() {
    ASSERT_TRUE(fleet_->registry().Terminate().ok());
    Copy(fleet_->data_dir() + "/registry", fleet_->path("backup"));
    ASSERT_TRUE(fleet_->StartAll().ok());
  }
  // A plain copy over what a registry left that stopped for good.
  void RestoreServer() {
    fleet_->registry().Kill();
    Copy(fleet_->path("backup"), fleet_->data_dir() + "/registry");
    ASSERT_TRUE(fleet_->StartAll().ok());
  }
  static void Copy(const std::string& from, const std::string& to) {
    fs::remove_all(to);
    fs::copy(from, to, fs::copy_options::recursive);
  }

  // Each is sent under an id of its own, until it is answered OK.
  void Send(const std::string& token, int first, int last) {
    for (const std::string& payload : Payloads(first, last)) {
      push::v1::SendRequest request;
      request.set_token(token);
      request.set_payload(payload);
      request.set_priority(push::v1::PRIORITY_HIGH);
      request.set_message_id(FormatUuid(NewMessageId()));
      ASSERT_TRUE(WaitUntil([&] { return provider_.Send(request).ok(); })) << payload;
      sent_.push_back(request);
    }
  }
  void ExpectAllTaken(size_t from) {
    for (size_t i = from; i < sent_.size(); ++i) {
      EXPECT_TRUE(WaitUntil([&] {
        const auto message = provider_.GetMessage(sent_[i].token(), sent_[i].message_id());
        return message.ok() && message->state() == push::v1::APP_ACKED;
      })) << sent_[i].payload();
    }
  }

  std::unique_ptr<Fleet> fleet_;
  Provider provider_;
  std::unique_ptr<Phone> phone_;
  std::vector<push::v1::SendRequest> sent_;
};

TEST_P(RestoreTest, ARestoredServerDeliversEverythingThatIsSentAfterwardsOnce) {
  App app(phone_->socket_path(), kMail);
  const std::string token = app.WaitForToken();
  ASSERT_FALSE(token.empty());
  BackUpServer();
  Send(token, 1, 5);
  ASSERT_TRUE(app.WaitForTaken(5));
  RestoreServer();
  Send(token, 6, 10);
  EXPECT_TRUE(app.WaitForTaken(10));
  ExpectAllTaken(5);
  EXPECT_THAT(app.taken(), ElementsAreArray(Payloads(1, 10)));
}

TEST_P(RestoreTest, APhoneThatComesBackAfterMoreNumbersThanItHadSeenMissesNothing) {
  App app(phone_->socket_path(), kMail);
  const std::string token = app.WaitForToken();
  ASSERT_FALSE(token.empty());
  BackUpServer();
  Send(token, 1, 5);
  ASSERT_TRUE(app.WaitForTaken(5));
  ExpectAllTaken(0);
  ASSERT_TRUE(phone_->agent().Terminate().ok());
  RestoreServer();
  Send(token, 6, 20);
  ASSERT_TRUE(phone_->Start().ok());
  EXPECT_TRUE(app.WaitForTaken(20));
  ExpectAllTaken(5);
  EXPECT_THAT(app.taken(), ElementsAreArray(Payloads(1, 20)));
}

TEST_P(RestoreTest, AnAppThatRegisteredAfterTheBackupGetsALivingTokenByItself) {
  App mail(phone_->socket_path(), kMail);
  const std::string kept = mail.WaitForToken();
  ASSERT_FALSE(kept.empty());
  BackUpServer();
  App chat(phone_->socket_path(), kChat);
  const std::string dead = chat.WaitForToken();
  ASSERT_FALSE(dead.empty());
  RestoreServer();
  const std::string living = chat.WaitForTokenOtherThan(dead);
  ASSERT_FALSE(living.empty());
  Send(living, 1, 1);
  Send(kept, 2, 2);
  EXPECT_TRUE(chat.WaitForTaken(1));
  EXPECT_TRUE(mail.WaitForTaken(1));
}

TEST_P(RestoreTest, AWatcherGoesOnFromItsCursorFromBeforeTheRestore) {
  App app(phone_->socket_path(), kMail);
  const std::string token = app.WaitForToken();
  ASSERT_FALSE(token.empty());
  const auto watch_once = [&](std::string* cursor, const std::string& message_id, bool* found) {
    const auto stub = push::v1::PushService::NewStub(fleet_->Channel());
    grpc::ClientContext context;
    provider_.Authorize(&context);
    context.set_deadline(gpr_time_from_seconds(60, GPR_TIMESPAN));
    push::v1::WatchReceiptsRequest request;
    request.set_cursor(*cursor);
    const auto stream = stub->WatchReceipts(&context, request);
    push::v1::WatchReceiptsResponse response;
    while (!*found && stream->Read(&response)) {
      *cursor = response.cursor();
      *found =
          response.message_id() == message_id && response.receipt().step() == push::v1::APP_ACKED;
      if (message_id.empty()) *found = true;
    }
    if (*found) context.TryCancel();
    const grpc::Status ended = stream->Finish();
    EXPECT_TRUE(*found || ended.error_code() == grpc::StatusCode::UNAVAILABLE)
        << ended.error_code() << ": " << ended.error_message();
    return ended.error_code() == grpc::StatusCode::UNAVAILABLE;
  };
  // A gateway that does not reach the restarted registry yet says UNAVAILABLE: a watcher asks
  // again.
  const auto watch = [&](std::string* cursor, const std::string& message_id) {
    bool found = false;
    return WaitUntil([&] { return !watch_once(cursor, message_id, &found) || found; }) && found;
  };
  BackUpServer();
  std::string cursor;
  ASSERT_TRUE(watch(&cursor, "")) << "where the feed ends now";
  Send(token, 1, 5);
  ASSERT_TRUE(watch(&cursor, sent_.back().message_id()));
  RestoreServer();
  Send(token, 6, 20);
  EXPECT_TRUE(watch(&cursor, sent_[5].message_id())) << "the first one after the restore";
  EXPECT_TRUE(watch(&cursor, sent_.back().message_id()));
}

// A copy that was made between two logins shows in the login number.
TEST_P(RestoreTest, APhoneWhoseOlderStateIsPutBackSwallowsNothing) {
  App app(phone_->socket_path(), kMail);
  const std::string token = app.WaitForToken();
  ASSERT_FALSE(token.empty());
  Send(token, 1, 5);
  ASSERT_TRUE(app.WaitForTaken(5));
  ASSERT_TRUE(phone_->agent().Terminate().ok());
  Copy(fleet_->path("phone"), fleet_->path("copy"));
  ASSERT_TRUE(phone_->Start().ok());
  Send(token, 6, 10);
  ASSERT_TRUE(app.WaitForTaken(10));
  ASSERT_TRUE(phone_->agent().Terminate().ok());
  Copy(fleet_->path("copy"), fleet_->path("phone"));
  ASSERT_TRUE(phone_->Start().ok());
  Send(token, 11, 15);
  EXPECT_TRUE(app.WaitForTaken(15));
  ExpectAllTaken(10);
  EXPECT_THAT(app.taken(), ElementsAreArray(Payloads(1, 15)));
}

// A copy that was made within one login does not: the server says what this device has
// acknowledged.
TEST_P(RestoreTest, APhoneWhoseStateOfTheSameLoginIsPutBackSwallowsNothing) {
  App app(phone_->socket_path(), kMail);
  const std::string token = app.WaitForToken();
  ASSERT_FALSE(token.empty());
  Send(token, 1, 5);
  ASSERT_TRUE(app.WaitForTaken(5));
  ExpectAllTaken(0);
  phone_->agent().Freeze();
  Copy(fleet_->path("phone"), fleet_->path("copy"));
  phone_->agent().Thaw();
  Send(token, 6, 10);
  ASSERT_TRUE(app.WaitForTaken(10));
  ExpectAllTaken(5);
  ASSERT_TRUE(phone_->agent().Terminate().ok());
  Copy(fleet_->path("copy"), fleet_->path("phone"));
  ASSERT_TRUE(phone_->Start().ok());
  Send(token, 11, 15);
  EXPECT_TRUE(app.WaitForTaken(15));
  ExpectAllTaken(10);
  EXPECT_THAT(app.taken(), ElementsAreArray(Payloads(1, 15)));
  EXPECT_EQ(app.dropped(), 1) << "what the newer state held back is lost, and the app is told";
}

INSTANTIATE_TEST_SUITE_P(Deployments, RestoreTest,
                         testing::Values(Deployment::kEmbedded, Deployment::kSeparate),
                         [](const auto& info) { return DeploymentName(info.param); });

}  // namespace
}  // namespace bellwire::tests
