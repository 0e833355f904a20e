// Backups of a running server, over real processes: `bellwire registry backup`, `check` and
// `restore` while a provider sends. What was answered OK before the backup is in it, and what is
// sent after the restore arrives once.

#include <stdlib.h>
#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "common/ids.h"
#include "common/testing/temp_dir.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/app.h"
#include "tests/support/fleet.h"

namespace bellwire::tests {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

constexpr char kMail[] = "com.example.mail";

class BackupTest : public testing::TestWithParam<Deployment> {
 protected:
  void StartServer(const std::string& backup_dir) {
    Fleet::Options options;
    if (!backup_dir.empty()) options.more_registry_arguments = {"--backup_dir", backup_dir};
    auto fleet = Fleet::Start(GetParam(), options);
    ASSERT_TRUE(fleet.ok()) << fleet.status();
    fleet_ = std::move(*fleet);
    auto provider = Provider::Create(*fleet_, {kMail});
    ASSERT_TRUE(provider.ok()) << provider.status();
    provider_ = std::move(*provider);
  }

  // What `bellwire` exits with; its last words are in err_.
  int Bellwire(const std::vector<std::string>& arguments) {
    auto process = Process::Start("command", "cli/bellwire", arguments);
    EXPECT_TRUE(process.ok()) << process.status();
    if (!process.ok()) return -1;
    const absl::StatusOr<int> code = (*process)->Wait();
    err_ = (*process)->Log();
    return code.value_or(-1);
  }
  int Backup(const std::string& directory) {
    return Bellwire({"registry", "backup", directory, "--data_dir", fleet_->data_dir(), "--server",
                     fleet_->provider_address()});
  }

  // Sends under a new id. Whether it was answered OK, and is written down then.
  bool Send(const std::string& token) {
    push::v1::SendRequest request;
    request.set_token(token);
    request.set_priority(push::v1::PRIORITY_HIGH);
    request.set_message_id(FormatUuid(NewMessageId()));
    request.set_payload(request.message_id());
    if (!provider_.Send(request).ok()) return false;
    absl::MutexLock lock(&mutex_);
    sent_.push_back(request);
    return true;
  }
  std::vector<push::v1::SendRequest> sent() const {
    absl::MutexLock lock(&mutex_);
    return sent_;
  }
  bool WaitForSent(size_t n) {
    return WaitUntil([&] { return sent().size() >= n; });
  }
  static size_t Count(const std::vector<std::string>& payloads, const std::string& payload) {
    return static_cast<size_t>(std::count(payloads.begin(), payloads.end(), payload));
  }

  const TempDir place_;
  std::unique_ptr<Fleet> fleet_;
  Provider provider_;
  std::string err_;
  mutable absl::Mutex mutex_;
  std::vector<push::v1::SendRequest> sent_ ABSL_GUARDED_BY(mutex_);
};

TEST_P(BackupTest, WhatWasAnsweredOkBeforeTheBackupIsThereAfterTheRestore) {
  const std::string backup = place_.path("backups/monday");
  StartServer(place_.path("backups"));
  // One phone takes its messages at once; those of the other wait in the store.
  Phone awake(*fleet_, "awake");
  Phone asleep(*fleet_, "asleep");
  for (Phone* phone : {&awake, &asleep}) {
    phone->SetMoreArguments({"--reconnect_max_seconds", "1"});
    ASSERT_TRUE(phone->Start().ok());
  }
  App app(awake.socket_path(), kMail);
  App sleeper(asleep.socket_path(), kMail);
  const std::string token = app.WaitForToken();
  const std::string sleepers_token = sleeper.WaitForToken();
  ASSERT_FALSE(token.empty());
  ASSERT_FALSE(sleepers_token.empty());
  ASSERT_TRUE(asleep.agent().Terminate().ok());

  std::atomic<bool> stop = false;
  std::thread sender([&] {
    // A mailbox of one app has 100 places.
    for (int n = 0; !stop; ++n) Send(n < 60 && n % 2 == 0 ? sleepers_token : token);
  });
  ASSERT_TRUE(WaitForSent(40));
  const size_t before = sent().size();
  EXPECT_EQ(Backup("monday"), 0) << err_;
  const size_t after = sent().size();
  EXPECT_TRUE(WaitForSent(after + 40)) << "messages flow on";
  stop = true;
  sender.join();
  EXPECT_GT(after, before) << "nothing was sent while the backup was made";
  EXPECT_EQ(Backup(backup), 1) << "it would take the place of the first";
  EXPECT_THAT(err_, HasSubstr("there is already"));
  EXPECT_EQ(Bellwire({"registry", "check", "--data_dir", backup}), 0) << err_;

  EXPECT_EQ(Bellwire({"registry", "restore", backup, "--data_dir", fleet_->data_dir(), "--force"}),
            1);
  EXPECT_THAT(err_, HasSubstr("in use by another process"));
  fleet_->registry().Kill();
  EXPECT_EQ(Bellwire({"registry", "restore", backup, "--data_dir", fleet_->data_dir()}), 1);
  EXPECT_THAT(err_, HasSubstr("--force"));
  ASSERT_EQ(Bellwire({"registry", "restore", backup, "--data_dir", fleet_->data_dir(), "--force"}),
            0)
      << err_;
  ASSERT_TRUE(fleet_->StartAll().ok());

  const std::vector<push::v1::SendRequest> all = sent();
  for (size_t i = 0; i < before; ++i) {
    EXPECT_TRUE(WaitUntil([&] {
      return provider_.GetMessage(all[i].token(), all[i].message_id()).ok();
    })) << "message "
        << i << " of " << before << " was answered OK and is not in the backup";
  }
  // Those that come now have other numbers than those that the backup doesn't know of.
  const size_t restored = all.size();
  for (int n = 0; n < 20; ++n) {
    EXPECT_TRUE(WaitUntil([&] { return Send(n % 2 == 0 ? sleepers_token : token); }));
  }
  ASSERT_TRUE(asleep.Start().ok());
  const std::vector<push::v1::SendRequest> in_the_end = sent();
  for (size_t i = 0; i < in_the_end.size(); ++i) {
    if (i >= before && i < restored) continue;
    const bool to_sleeper = in_the_end[i].token() == sleepers_token;
    const App& receiver = to_sleeper ? sleeper : app;
    EXPECT_TRUE(WaitUntil([&] { return Count(receiver.taken(), in_the_end[i].payload()) > 0; }))
        << i;
    if (i < before && !to_sleeper) continue;  // The store forgot what became of it, not the phone.
    EXPECT_TRUE(WaitUntil([&] {
      const auto message = provider_.GetMessage(in_the_end[i].token(), in_the_end[i].message_id());
      return message.ok() && message->state() == push::v1::APP_ACKED;
    })) << i;
  }
  for (const push::v1::SendRequest& request : in_the_end) {
    EXPECT_LE(Count(app.taken(), request.payload()) + Count(sleeper.taken(), request.payload()),
              1u);
  }
  ASSERT_TRUE(fleet_->registry().Terminate().ok());
  EXPECT_EQ(Bellwire({"registry", "check", "--data_dir", fleet_->data_dir()}), 0) << err_;
}

// Where hard links end: everything is copied.
TEST_P(BackupTest, OnAnotherFileSystem) {
  std::string other = "/dev/shm/bellwire.XXXXXX";
  ASSERT_NE(mkdtemp(other.data()), nullptr);
  StartServer(other);
  struct stat here {};
  struct stat there {};
  ASSERT_EQ(stat(fleet_->data_dir().c_str(), &here), 0);
  ASSERT_EQ(stat(other.c_str(), &there), 0);
  ASSERT_NE(here.st_dev, there.st_dev) << "the test needs two file systems";
  EXPECT_EQ(Backup("monday"), 0) << err_;
  EXPECT_EQ(Bellwire({"registry", "check", "--data_dir", other + "/monday"}), 0) << err_;
  const std::string data_dir = place_.path("another machine");
  EXPECT_EQ(Bellwire({"registry", "restore", other + "/monday", "--data_dir", data_dir}), 0)
      << err_;
  EXPECT_EQ(Bellwire({"registry", "check", "--data_dir", data_dir}), 0) << err_;
  fs::remove_all(other);
}

TEST_P(BackupTest, NowhereButWhereTheServerWasToldTo) {
  StartServer("");
  EXPECT_EQ(Backup("monday"), 1);
  EXPECT_THAT(err_, HasSubstr("--backup_dir"));
}

INSTANTIATE_TEST_SUITE_P(Deployments, BackupTest,
                         testing::Values(Deployment::kEmbedded, Deployment::kSeparate),
                         [](const auto& info) { return DeploymentName(info.param); });

}  // namespace
}  // namespace bellwire::tests
