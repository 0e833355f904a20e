// The registry on a failing disk (the failure table of the design): what it answered OK is there
// afterwards, whatever happened; the rest it refuses in words that tell the sender to come back.

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/notification.h"
#include "common/clock.h"
#include "common/ids.h"
#include "common/testing/temp_dir.h"
#include "crypto/token_sealer.h"
#include "gtest/gtest.h"
#include "registry/server/server.h"
#include "rocksdb/env.h"
#include "tests/faults/fragile_file_system.h"
#include "tests/support/process.h"

namespace bellwire::tests {
namespace {

constexpr char kTeam[] = "abcdefghij";
constexpr char kApp[] = "com.example.mail";
constexpr int kDevices = 8;

class RegistryFaultsTest : public testing::Test {
 protected:
  RegistryFaultsTest() { PowerOn(1); }

  void PowerOn(uint64_t seed) {
    server_.reset();
    env_.reset();
    disk_ = std::make_unique<FragileDisk>(
        FragileDisk::Options{.root = dir_.path("registry"), .seed = seed});
    env_ = NewFragileEnv(disk_.get());
    registry::RegistryServer::Options options;
    options.data_dir = disk_->root();
    options.sealer = sealer_.get();
    options.clock = RealClock();
    options.env = env_.get();
    auto server = registry::RegistryServer::Start(std::move(options));
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = std::move(*server);
  }

  template <typename Api, typename Request, typename Response>
  absl::StatusOr<Response> Call(void (Api::*method)(Request, Done<Response>), Request request) {
    absl::StatusOr<Response> answer;
    absl::Notification done;
    (server_->api()->*method)(std::move(request), [&](absl::StatusOr<Response> result) {
      answer = std::move(result);
      done.Notify();
    });
    done.WaitForNotification();
    return answer;
  }

  static std::string DeviceName(int device) {
    std::string id(16, 'd');
    id[0] = static_cast<char>(device);
    return id;
  }

  void MakeDevices() {
    admin::v1::Team team;
    team.set_team_id(kTeam);
    team.set_name("Example");
    ASSERT_TRUE(Call(&RegistryApi::PutTeam, team).ok());
    admin::v1::App app;
    app.set_app_id(kApp);
    app.set_team_id(kTeam);
    ASSERT_TRUE(Call(&RegistryApi::PutApp, app).ok());
    for (int device = 0; device < kDevices; ++device) {
      internal::v1::RegisterAppRequest request;
      request.set_device_id(DeviceName(device));
      request.set_app_id(kApp);
      const auto answer = Call(&RegistryApi::RegisterApp, request);
      ASSERT_TRUE(answer.ok()) << answer.status();
      registrations_[device] = answer->registration_id();
    }
  }

  // One message for each device, all at once. Notes those that were answered OK; each other answer
  // must be one that a sender comes back after. Returns how many were answered OK.
  int AppendRound() {
    struct Sent {
      std::string payload;
      absl::Status status;
      absl::Notification done;
    };
    std::vector<Sent> round(kDevices);
    for (int device = 0; device < kDevices; ++device) {
      Sent& sent = round[static_cast<size_t>(device)];
      sent.payload = absl::StrCat(++sent_, ":");
      sent.payload.resize(200, 'x');
      internal::v1::AppendRequest request;
      request.set_device_id(DeviceName(device));
      request.set_registration_id(registrations_[device]);
      request.set_team_id(kTeam);
      internal::v1::Envelope& message = *request.mutable_message();
      message.set_message_id(std::string(NewMessageId().bytes()));
      message.set_registration_id(registrations_[device]);
      message.set_payload(sent.payload);
      message.set_priority(push::v1::PRIORITY_HIGH);
      message.set_accepted_at_ms(absl::ToUnixMillis(RealClock()->WallNow()));
      message.set_expires_at_ms(message.accepted_at_ms() + 86'400'000);
      server_->api()->Append(request, [&sent](absl::StatusOr<internal::v1::AppendResponse> answer) {
        sent.status = answer.status();
        sent.done.Notify();
      });
    }
    int accepted = 0;
    for (int device = 0; device < kDevices; ++device) {
      Sent& sent = round[static_cast<size_t>(device)];
      sent.done.WaitForNotification();
      if (sent.status.ok()) {
        ++accepted;
        promised_[device].push_back(sent.payload);
      } else {
        EXPECT_TRUE(absl::IsUnavailable(sent.status) || absl::IsResourceExhausted(sent.status))
            << sent.status;
      }
    }
    return accepted;
  }

  absl::StatusOr<std::vector<std::string>> Mailbox(int device) {
    std::vector<std::string> payloads;
    internal::v1::PullRequest request;
    request.set_device_id(DeviceName(device));
    request.set_max_bytes(1 << 20);
    request.set_max_messages(1000);
    for (;;) {
      const auto answer = Call(&RegistryApi::Pull, request);
      if (!answer.ok()) return answer.status();
      for (const auto& message : answer->page().messages()) payloads.push_back(message.payload());
      if (!answer->page().more()) return payloads;
      request.set_after_seq(answer->page().complete_to_seq());
    }
  }

  // What was answered OK is in the mailboxes, once, in order. What was refused may be there too.
  void CheckPromises() {
    for (int device = 0; device < kDevices; ++device) {
      const auto mailbox = Mailbox(device);
      ASSERT_TRUE(mailbox.ok()) << mailbox.status();
      size_t found = 0;
      for (const std::string& payload : *mailbox) {
        if (found < promised_[device].size() && payload == promised_[device][found]) ++found;
      }
      EXPECT_EQ(found, promised_[device].size()) << "device " << device;
    }
  }

  TempDir dir_;
  std::unique_ptr<TokenSealer> sealer_ = TokenSealer::ForTesting();
  std::unique_ptr<FragileDisk> disk_;
  std::unique_ptr<rocksdb::Env> env_;
  std::unique_ptr<registry::RegistryServer> server_;
  std::map<int, uint64_t> registrations_;
  std::map<int, std::vector<std::string>> promised_;
  int sent_ = 0;
};

// design.md, failure table: "registry, kill -9 or power cut".
TEST_F(RegistryFaultsTest, WhatWasAnsweredOkSurvivesPowerCuts) {
  MakeDevices();
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    for (int round = 0; round < 4; ++round) EXPECT_EQ(AppendRound(), kDevices);
    // This one is under way.
    std::thread power([this] { disk_->CutPower(); });
    AppendRound();
    power.join();
    PowerOn(seed);
    CheckPromises();
  }
}

// design.md, failure table: "disk full".
TEST_F(RegistryFaultsTest, AFullDisk) {
  MakeDevices();
  EXPECT_EQ(AppendRound(), kDevices);
  for (const uint64_t free_bytes : {0, 3, 700, 5'000}) {
    disk_->SetFreeBytes(free_bytes);
    int accepted = kDevices;
    for (int round = 0; round < 5; ++round) accepted = AppendRound();
    EXPECT_EQ(accepted, 0) << free_bytes;
    disk_->SetFreeBytes(std::nullopt);
    EXPECT_TRUE(WaitUntil([this] { return AppendRound() == kDevices; })) << "it does not recover";
    CheckPromises();
  }
  disk_->CutPower();
  PowerOn(2);
  CheckPromises();
}

TEST_F(RegistryFaultsTest, SyncsThatFail) {
  MakeDevices();
  EXPECT_EQ(AppendRound(), kDevices);
  disk_->SetFailingSyncs(true);
  EXPECT_EQ(AppendRound(), 0);
  EXPECT_EQ(AppendRound(), 0);
  disk_->SetFailingSyncs(false);
  EXPECT_TRUE(WaitUntil([this] { return AppendRound() == kDevices; })) << "it does not recover";
  CheckPromises();
  disk_->CutPower();
  PowerOn(2);
  CheckPromises();
}

// A disk that dies in the midst of an error is no other case than one that dies.
TEST_F(RegistryFaultsTest, APowerCutWhileTheDiskIsFull) {
  MakeDevices();
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    EXPECT_EQ(AppendRound(), kDevices);
    disk_->SetFreeBytes(seed * 300);
    AppendRound();
    AppendRound();
    disk_->CutPower();
    PowerOn(seed);
    CheckPromises();
  }
}

}  // namespace
}  // namespace bellwire::tests
