#include "device-agent/inbox/inbox.h"

#include <sys/stat.h>

#include <fstream>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/simulated_clock.h"
#include "common/testing/temp_dir.h"
#include "device-agent/testing/pushes.h"
#include "gtest/gtest.h"

namespace bellwire::agent {
namespace {

using device::v1::AppAck;

constexpr char kMail[] = "com.example.mail";
constexpr char kChat[] = "com.example.chat";
constexpr uint64_t kMailId = 0xf000'0000'0000'0001;  // Negative as SQLite keeps it.
constexpr uint64_t kChatId = 2;
constexpr size_t kAll = 100'000;

class InboxTest : public testing::Test {
 protected:
  void SetUp() override {
    Reopen();
    ASSERT_TRUE(
        inbox_->Register(kMail, {.owner = 1000, .registration_id = kMailId, .token = "mail-token"})
            .ok());
    ASSERT_TRUE(
        inbox_->Register(kChat, {.owner = 1001, .registration_id = kChatId, .token = "chat-token"})
            .ok());
  }

  void Reopen() {
    inbox_.reset();
    auto inbox = Inbox::Open(path_, &clock_);
    ASSERT_TRUE(inbox.ok()) << inbox.status();
    inbox_ = *std::move(inbox);
  }

  // To close it writes; a process that is killed doesn't.
  void Kill() {
    const auto read = [](const std::string& path) {
      std::ifstream in(path, std::ios::binary);
      return std::string(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
    };
    const auto write = [](const std::string& path, const std::string& bytes) {
      std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
    };
    const std::string database = read(path_);
    const std::string log = read(path_ + "-wal");
    inbox_.reset();
    write(path_, database);
    write(path_ + "-wal", log);
    Reopen();
  }

  device::v1::Push Push(uint64_t seq, uint64_t registration_id = kMailId) {
    return TestPush(seq, registration_id, clock_);
  }

  Inbox::Applied Receive(std::vector<Incoming> incoming) {
    InboxBatch batch;
    batch.incoming = std::move(incoming);
    auto applied = inbox_->Apply(batch);
    EXPECT_TRUE(applied.ok()) << applied.status();
    return applied.ok() ? *std::move(applied) : Inbox::Applied();
  }

  void Take(const std::string& app, std::vector<uint64_t> ids) {
    InboxBatch batch;
    batch.taken.push_back({app, std::move(ids)});
    EXPECT_TRUE(inbox_->Apply(batch).ok());
  }

  std::vector<InboxItem> Items(const std::string& app, uint64_t after = 0) {
    auto items = inbox_->Items(app, after, kAll);
    EXPECT_TRUE(items.ok()) << items.status();
    return *std::move(items);
  }

  // "message 1,message 2", and "gap 3" for gaps.
  std::string Waiting(const std::string& app) {
    std::string result;
    for (const InboxItem& item : Items(app)) {
      absl::StrAppend(&result, result.empty() ? "" : ",",
                      item.dropped > 0 ? absl::StrCat("gap ", item.dropped) : item.payload);
    }
    return result;
  }

  // "1:TAKEN,2:EXPIRED", by the number of the message.
  std::string AppAcks() {
    std::string result;
    auto acks = inbox_->AppAcks(0, kAll);
    EXPECT_TRUE(acks.ok());
    for (const QueuedAppAck& ack : *acks) {
      absl::StrAppend(&result, result.empty() ? "" : ",",
                      static_cast<int>(static_cast<uint8_t>(ack.item.message_id().back())), ":",
                      AppAck::Outcome_Name(ack.item.outcome()));
    }
    return result;
  }

  SimulatedClock clock_;
  TempDir dir_;
  const std::string path_ = dir_.path("inbox.db");
  std::unique_ptr<Inbox> inbox_;
};

TEST_F(InboxTest, KeepsMessagesUntilTheyAreTaken) {
  const Inbox::Applied applied = Receive({Push(1), Push(2, kChatId), Push(3)});
  EXPECT_EQ(applied.apps_with_news, (std::vector<std::string>{kMail, kChat}));
  EXPECT_EQ(applied.duplicates, 0u);
  Reopen();
  EXPECT_EQ(Waiting(kMail), "message 1,message 3");
  EXPECT_EQ(Waiting(kChat), "message 2");
  EXPECT_EQ(inbox_->waiting(kMail), 2u);
  EXPECT_EQ(inbox_->waiting(), 3u);

  Take(kMail, {Items(kMail)[0].delivery_id});
  Reopen();
  EXPECT_EQ(Waiting(kMail), "message 3");
  EXPECT_EQ(AppAcks(), "1:TAKEN");
  EXPECT_EQ(inbox_->waiting(), 2u);
}

// What a thief of the disk finds. Both the rows and SQLite's log: the agent is not stopped before.
class GoneMessageTest : public InboxTest {
 protected:
  bool OnDisk(const std::string& text) const {
    std::string bytes;
    for (const std::string& file : {path_, path_ + "-wal"}) {
      std::ifstream in(file, std::ios::binary);
      bytes.append(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
    }
    return bytes.find(text) != std::string::npos;
  }
  // Long payloads lie in pages of their own, short ones among others.
  void ReceiveSecrets() {
    device::v1::Push long_one = Push(1);
    long_one.set_payload(
        absl::StrCat(std::string(3000, 'x'), "long secret", std::string(900, 'y')));
    device::v1::Push short_one = Push(2);
    short_one.set_payload("short secret");
    Receive({long_one, short_one, Push(3)});
    ASSERT_TRUE(OnDisk("long secret"));
    ASSERT_TRUE(OnDisk("short secret"));
  }
};

TEST_F(GoneMessageTest, WhatWasTakenIsOverwrittenWithTheNextHeartbeat) {
  ReceiveSecrets();
  const std::vector<InboxItem> items = Items(kMail);
  Take(kMail, {items[0].delivery_id, items[1].delivery_id});
  ASSERT_TRUE(inbox_->ForgetAppAcks(inbox_->AppAcks(0, kAll)->back().id).ok());
  EXPECT_FALSE(OnDisk("long secret"));
  EXPECT_FALSE(OnDisk("short secret"));
  EXPECT_TRUE(OnDisk("message 3")) << "it waits";
  EXPECT_EQ(Waiting(kMail), "message 3");
}

TEST_F(GoneMessageTest, WhatAnUnregisteredAppDidNotTakeIsOverwrittenAtOnce) {
  ReceiveSecrets();
  ASSERT_TRUE(inbox_->Unregister(kMail).ok());
  for (const char* text : {"long secret", "short secret", "message 3"}) {
    EXPECT_FALSE(OnDisk(text)) << text;
  }
}

TEST_F(GoneMessageTest, WhatEndedOtherwiseIsOverwrittenToo) {
  ReceiveSecrets();
  clock_.Advance(absl::Hours(2));
  ASSERT_TRUE(inbox_->DropExpired().value());
  ASSERT_TRUE(inbox_->ForgetAppAcks(inbox_->AppAcks(0, kAll)->back().id).ok());
  EXPECT_FALSE(OnDisk("secret"));
}

TEST_F(GoneMessageTest, AKilledAgentCatchesUpAtItsNextStart) {
  ReceiveSecrets();
  const std::vector<InboxItem> items = Items(kMail);
  Take(kMail, {items[0].delivery_id, items[1].delivery_id});
  Kill();
  EXPECT_FALSE(OnDisk("secret"));
  EXPECT_EQ(AppAcks(), "1:TAKEN,2:TAKEN");
}

TEST_F(InboxTest, AnItemHasWhatTheServerSaid) {
  Receive({Push(1)});
  const std::vector<InboxItem> items = Items(kMail);
  ASSERT_EQ(items.size(), 1u);
  EXPECT_EQ(items[0].message_id, TestMessageId(1));
  EXPECT_EQ(items[0].payload, "message 1");
  EXPECT_EQ(items[0].accepted_at_ms, WallNowMs(clock_));
  EXPECT_FALSE(items[0].redelivered);
  auto acks = inbox_->AppAcks(0, kAll);
  Take(kMail, {items[0].delivery_id});
  acks = inbox_->AppAcks(0, kAll);
  ASSERT_EQ(acks->size(), 1u);
  EXPECT_EQ((*acks)[0].item.message_id(), TestMessageId(1));
  EXPECT_EQ((*acks)[0].item.registration_id(), kMailId);
}

TEST_F(InboxTest, AnItemKeepsWhatItsPayloadIs) {
  device::v1::Push push = Push(1);
  push.set_priority(device::v1::HIGH);
  push.mutable_content()->set_door(device::v1::Content::WEB_PUSH);
  push.mutable_content()->set_encoding("aesgcm");
  push.mutable_content()->set_encryption("salt=abc");
  Receive({push, Push(2)});
  Reopen();
  const std::vector<InboxItem> items = Items(kMail);
  ASSERT_EQ(items.size(), 2u);
  EXPECT_EQ(items[0].priority, device::v1::HIGH);
  EXPECT_EQ(items[0].content, push.content().SerializeAsString());
  EXPECT_EQ(items[1].priority, device::v1::PRIORITY_UNSPECIFIED);
  EXPECT_EQ(items[1].content, "");
}

TEST_F(InboxTest, ASubscriptionIsKeptAndRemovedLikeAnApp) {
  const std::string key = SubscriptionKey(1000, "ein Name\n\"; --");
  const Subscription subscription{.owner = "firefox https://mail.example",
                                  .vapid_key = std::string(65, '\0'),
                                  .receipts = true};
  ASSERT_TRUE(inbox_->Register(key, {1000, 3, "https://push.example/wpush/1", subscription}).ok());
  Receive({Push(1, 3)});
  Reopen();
  ASSERT_NE(inbox_->Find(key), nullptr);
  EXPECT_EQ(inbox_->Find(key)->token, "https://push.example/wpush/1");
  EXPECT_EQ(inbox_->Find(key)->subscription, subscription);
  EXPECT_EQ(Waiting(key), "message 1");
  ASSERT_TRUE(inbox_->Unregister(key).ok());
  Reopen();
  EXPECT_EQ(inbox_->Find(key), nullptr);
  EXPECT_EQ(inbox_->PendingRemovals(), std::vector<std::string>{key});
  EXPECT_EQ(AppAcks(), "1:UNREGISTERED");
}

TEST_F(InboxTest, WhatTheServerIsToForgetIsBounded) {
  for (size_t i = 0; i < kMaxSubscriptions + 10; ++i) {
    ASSERT_TRUE(inbox_->Unregister(SubscriptionKey(1000, absl::StrCat(i))).ok());
  }
  EXPECT_EQ(inbox_->PendingRemovals().size(), kMaxSubscriptions);
  ASSERT_TRUE(inbox_->Unregister("com.example.unknown").ok());
  ASSERT_TRUE(inbox_->Unregister(kMail).ok()) << "what was registered is always removed";
  Reopen();
  EXPECT_EQ(inbox_->PendingRemovals().size(), kMaxSubscriptions + 1);
  EXPECT_EQ(inbox_->RemovalOf("sub:1000:0").registration_id, 0u);
}

TEST_F(InboxTest, DuplicatesAreDroppedEvenAfterTheyWereTaken) {
  Receive({Push(1), Push(2)});
  EXPECT_EQ(Receive({Push(2), Push(3)}).duplicates, 1u);
  for (const InboxItem& item : Items(kMail)) Take(kMail, {item.delivery_id});
  Reopen();
  EXPECT_EQ(Receive({Push(1), Push(2), Push(3)}).duplicates, 3u);
  EXPECT_EQ(Waiting(kMail), "");
}

TEST_F(InboxTest, SettledIsSeen) {
  ASSERT_TRUE(inbox_->EnterMailbox(NewMailboxId(), 5).ok());
  EXPECT_EQ(Receive({Push(5), Push(6)}).duplicates, 1u);
  Reopen();
  EXPECT_EQ(Receive({Push(4), Push(6), Push(7)}).duplicates, 2u);
}

TEST_F(InboxTest, AnotherMailboxVoidsNumbersAndTokens) {
  const MailboxId first = NewMailboxId();
  EXPECT_TRUE(*inbox_->EnterMailbox(first, 0));
  ASSERT_TRUE(
      inbox_->Register(kMail, {.owner = 1000, .registration_id = kMailId, .token = "t"}).ok());
  Receive({Push(1), Push(2)});
  EXPECT_FALSE(*inbox_->EnterMailbox(first, 0));
  EXPECT_EQ(inbox_->Find(kMail)->token, "t");

  const MailboxId second = NewMailboxId();
  EXPECT_TRUE(*inbox_->EnterMailbox(second, 1));
  Reopen();
  EXPECT_EQ(inbox_->mailbox_id(), second);
  EXPECT_EQ(inbox_->Find(kMail)->token, "");
  EXPECT_EQ(inbox_->Find(kMail)->owner, 1000u);
  EXPECT_EQ(Receive({Push(1), Push(2)}).duplicates, 1u);
  // What had come from the old one is still the app's.
  EXPECT_EQ(Waiting(kMail), "message 1,message 2,message 2");

  // The new server names the app anew; its messages stay together, and its owner the same.
  ASSERT_TRUE(inbox_->Register(kMail, {.owner = 7, .registration_id = 77, .token = "new"}).ok());
  Receive({Push(3, 77)});
  Reopen();
  EXPECT_EQ(Waiting(kMail), "message 1,message 2,message 2,message 3");
  EXPECT_EQ(inbox_->Find(kMail)->owner, 1000u);
  EXPECT_EQ(inbox_->Find(kMail)->token, "new");
}

TEST_F(InboxTest, ExpiredMessagesAreNotStoredNorDelivered) {
  device::v1::Push dead = Push(1);
  dead.set_expires_at_ms(WallNowMs(clock_));
  dead.set_accepted_at_ms(WallNowMs(clock_) - 5);
  Receive({dead, Push(2)});
  EXPECT_EQ(Waiting(kMail), "message 2");
  EXPECT_EQ(AppAcks(), "1:EXPIRED");

  clock_.Advance(absl::Hours(1));
  EXPECT_EQ(Waiting(kMail), "");
  EXPECT_EQ(inbox_->waiting(kMail), 1u);
  EXPECT_TRUE(*inbox_->DropExpired());
  EXPECT_FALSE(*inbox_->DropExpired());
  EXPECT_EQ(inbox_->waiting(kMail), 0u);
  EXPECT_EQ(AppAcks(), "1:EXPIRED,2:EXPIRED");
}

// The simulation found it (seed 6): the app was given what came after, stays, and takes all it has.
TEST_F(InboxTest, WhatWasPassedOverBecauseItHadExpiredEndsToo) {
  device::v1::Push brief = Push(1);
  brief.set_expires_at_ms(WallNowMs(clock_) + 1000);
  Receive({brief, Push(2), Push(3)});
  clock_.Advance(absl::Seconds(2));
  const std::vector<InboxItem> items = Items(kMail);
  ASSERT_EQ(items.size(), 2u);
  for (const InboxItem& item : items) inbox_->WindowOf(kMail)->Give(item.delivery_id);
  EXPECT_TRUE(*inbox_->DropExpired());
  EXPECT_EQ(AppAcks(), "1:EXPIRED");
  // 2 was taken; the app is still looking at 3.
  Take(kMail, {items[0].delivery_id});
  clock_.Advance(absl::Hours(24));
  EXPECT_FALSE(*inbox_->DropExpired());
  EXPECT_EQ(AppAcks(), "1:EXPIRED,2:TAKEN");
}

TEST_F(InboxTest, ExpiryFollowsWallTime) {
  Receive({Push(1)});
  clock_.JumpWall(absl::Hours(2));
  EXPECT_EQ(Waiting(kMail), "");
}

TEST_F(InboxTest, WithoutExpiryAMessageWaits) {
  device::v1::Push push = Push(1);
  push.set_expires_at_ms(0);
  Receive({push});
  clock_.Advance(absl::Hours(24 * 365));
  EXPECT_EQ(Waiting(kMail), "message 1");
}

TEST_F(InboxTest, NowOrNeverHasAFewSecondsOnThePhone) {
  device::v1::Push push = Push(1);
  push.set_accepted_at_ms(WallNowMs(clock_) - 50);
  push.set_expires_at_ms(push.accepted_at_ms());
  Receive({push});
  EXPECT_EQ(Waiting(kMail), "message 1");
  clock_.Advance(kNowOrNeverWait);
  EXPECT_EQ(Waiting(kMail), "");
}

TEST_F(InboxTest, CollapseReplacesWhatTheAppHasNotGot) {
  auto with_key = [this](uint64_t seq, uint64_t registration_id, const char* key) {
    device::v1::Push push = Push(seq, registration_id);
    push.set_collapse_key(key);
    return push;
  };
  Receive(
      {with_key(1, kMailId, "a"), with_key(2, kMailId, "b"), with_key(3, kChatId, "a"), Push(4)});
  Receive({with_key(5, kMailId, "a")});
  EXPECT_EQ(Waiting(kMail), "message 2,message 4,message 5");
  EXPECT_EQ(Waiting(kChat), "message 3");
  EXPECT_EQ(AppAcks(), "1:COLLAPSED");

  // The app is looking at 2 already.
  inbox_->WindowOf(kMail)->Give(Items(kMail)[0].delivery_id);
  Receive({with_key(6, kMailId, "b")});
  EXPECT_EQ(Waiting(kMail), "message 2,message 4,message 5,message 6");
  // It has gone without taking it.
  inbox_->Release(kMail);
  Receive({with_key(7, kMailId, "b")});
  EXPECT_EQ(Waiting(kMail), "message 4,message 5,message 7");
}

TEST_F(InboxTest, RecallDropsWhatTheAppHasNotGot) {
  auto recall = [](uint64_t n, uint64_t registration_id = kMailId) {
    device::v1::Recall recall;
    recall.set_message_id(TestMessageId(n));
    recall.set_registration_id(registration_id);
    return recall;
  };
  Receive({Push(1), Push(2), Push(3), recall(2)});
  EXPECT_EQ(Waiting(kMail), "message 1,message 3");
  EXPECT_EQ(AppAcks(), "2:RECALLED");
  inbox_->WindowOf(kMail)->Give(Items(kMail)[0].delivery_id);
  Receive({recall(1), recall(3, kChatId), recall(9)});
  EXPECT_EQ(Waiting(kMail), "message 1,message 3");
  EXPECT_EQ(AppAcks(), "2:RECALLED");
}

TEST_F(InboxTest, WhatWasRecalledBeforeItCameIsNeverTaken) {
  auto recall = [](uint64_t n) {
    device::v1::Recall recall;
    recall.set_message_id(TestMessageId(n));
    recall.set_registration_id(kMailId);
    recall.set_seq(n);
    return recall;
  };
  Receive({Push(1), recall(2)});
  EXPECT_EQ(AppAcks(), "2:RECALLED");
  Reopen();
  // It was on its way through another gateway; and the recall is told again.
  Receive({Push(2), Push(3), recall(2)});
  EXPECT_EQ(Waiting(kMail), "message 1,message 3");
  EXPECT_EQ(AppAcks(), "2:RECALLED");
  // The app was given 1, and may have it even if it is gone without having said so.
  inbox_->WindowOf(kMail)->Give(Items(kMail)[0].delivery_id);
  Receive({recall(1)});
  EXPECT_EQ(AppAcks(), "2:RECALLED");
  inbox_->Release(kMail);
  Receive({recall(1), recall(3)});
  EXPECT_EQ(Waiting(kMail), "message 1");
  EXPECT_EQ(AppAcks(), "2:RECALLED,3:RECALLED");
}

// RECALLED says that no app has the message. An agent that is killed right after it gave one must
// still know.
TEST_F(InboxTest, WhatAnAppMayHaveBeenGivenIsNotRecalledAfterAKill) {
  auto recall = [](uint64_t n) {
    device::v1::Recall recall;
    recall.set_message_id(TestMessageId(n));
    recall.set_registration_id(kMailId);
    recall.set_seq(n);
    return recall;
  };
  Receive({Push(1)});
  inbox_->Attach(kMail);
  Kill();
  Receive({recall(1), Push(2), Push(3)});
  EXPECT_EQ(Waiting(kMail), "message 1,message 2,message 3");
  inbox_->Attach(kMail);
  Receive({Push(4)});
  // As precise as can be while it lives: the app was given 1 to 3 by now.
  inbox_->WindowOf(kMail)->Give(Items(kMail)[2].delivery_id);
  inbox_->Release(kMail);
  Receive({Push(5), recall(3), recall(4)});
  EXPECT_EQ(Waiting(kMail), "message 1,message 2,message 3,message 5");
  Kill();
  Receive({recall(1), recall(2), recall(3), recall(5)});
  EXPECT_EQ(Waiting(kMail), "message 1,message 2,message 3");
  EXPECT_EQ(AppAcks(), "4:RECALLED,5:RECALLED");
}

TEST_F(InboxTest, GapsAreItemsInTheirPlace) {
  device::v1::Gap gap;
  gap.set_seq(2);
  gap.set_registration_id(kMailId);
  gap.set_dropped(40);
  Receive({Push(1), gap, Push(3)});
  EXPECT_EQ(Receive({gap}).duplicates, 1u);
  EXPECT_EQ(Waiting(kMail), "message 1,gap 40,message 3");
  Take(kMail, {Items(kMail)[1].delivery_id});
  EXPECT_EQ(Waiting(kMail), "message 1,message 3");
  EXPECT_EQ(AppAcks(), "") << "a gap is no message: there is nothing to report";
}

TEST_F(InboxTest, ABacklogIsBounded) {
  std::vector<Incoming> pushes;
  for (uint64_t seq = 1; seq <= kMaxInboxMessagesPerApp; ++seq) pushes.push_back(Push(seq));
  Receive(pushes);
  EXPECT_EQ(inbox_->waiting(kMail), kMaxInboxMessagesPerApp);
  // The app is looking at the first two.
  inbox_->WindowOf(kMail)->Give(Items(kMail)[1].delivery_id);
  for (uint64_t seq = kMaxInboxMessagesPerApp + 1; seq <= kMaxInboxMessagesPerApp + 3; ++seq) {
    Receive({Push(seq), Push(seq + 10'000, kChatId)});
  }
  EXPECT_EQ(inbox_->waiting(kMail), kMaxInboxMessagesPerApp);
  EXPECT_EQ(inbox_->waiting(kChat), 3u);
  Reopen();
  const std::vector<InboxItem> items = Items(kMail);
  ASSERT_EQ(items.size(), kMaxInboxMessagesPerApp);
  EXPECT_EQ(items[0].payload, "message 1");
  EXPECT_EQ(items[1].payload, "message 2");
  // 3 and 4 made room for the first one and the notice, 5 and 6 for the others.
  EXPECT_EQ(items[2].dropped, 4u);
  EXPECT_EQ(items[3].payload, "message 7");
  EXPECT_EQ(items.back().payload, absl::StrCat("message ", kMaxInboxMessagesPerApp + 3));
  EXPECT_EQ(AppAcks(), "3:OVERFLOWED,4:OVERFLOWED,5:OVERFLOWED,6:OVERFLOWED");
}

TEST_F(InboxTest, RedeliveredMeansGivenOnAnEarlierConnection) {
  Receive({Push(1), Push(2)});
  inbox_->WindowOf(kMail)->Give(Items(kMail)[0].delivery_id);
  EXPECT_FALSE(Items(kMail)[0].redelivered);
  inbox_->Release(kMail);
  EXPECT_TRUE(Items(kMail)[0].redelivered);
  EXPECT_FALSE(Items(kMail)[1].redelivered);
  Reopen();
  EXPECT_TRUE(Items(kMail)[0].redelivered);
  EXPECT_FALSE(Items(kMail)[1].redelivered);
}

TEST_F(InboxTest, UnregisterForgetsAndReports) {
  Receive({Push(1), Push(2, kChatId)});
  ASSERT_TRUE(inbox_->Unregister(kMail).ok());
  ASSERT_TRUE(inbox_->Unregister("com.example.unknown").ok());
  Reopen();
  EXPECT_EQ(inbox_->Find(kMail), nullptr);
  EXPECT_EQ(inbox_->waiting(), 1u);
  EXPECT_EQ(inbox_->PendingRemovals(), (std::vector<std::string>{kMail}));
  // What the server sent before it heard of it.
  Receive({Push(3)});
  EXPECT_EQ(AppAcks(), "1:UNREGISTERED,3:UNREGISTERED");
  EXPECT_EQ(inbox_->waiting(), 1u);
  ASSERT_TRUE(inbox_->FinishRemoval(kMail).ok());
  Reopen();
  EXPECT_FALSE(inbox_->IsRemovalPending(kMail));
}

// The inbox was damaged and replaced, and the server sends before the app has come back.
TEST_F(InboxTest, MessagesOfAnUnknownAppWaitForIt) {
  const Inbox::Applied applied = Receive({Push(1, 99)});
  EXPECT_TRUE(applied.apps_with_news.empty());
  Reopen();
  ASSERT_TRUE(
      inbox_->Register("com.example.lost", {.owner = 5, .registration_id = 99, .token = "t"}).ok());
  EXPECT_EQ(Waiting("com.example.lost"), "message 1");
}

TEST_F(InboxTest, UnknownAppsAreBounded) {
  std::vector<Incoming> pushes;
  for (uint64_t n = 0; n < kMaxAppsPerDevice; ++n) pushes.push_back(Push(1 + n, 1000 + n));
  Receive(pushes);
  EXPECT_EQ(inbox_->waiting(), kMaxAppsPerDevice);
  Receive({Push(5000, 5000)});
  EXPECT_EQ(inbox_->waiting(), kMaxAppsPerDevice);
  EXPECT_EQ(AppAcks(), "136:UNREGISTERED");  // 5000 mod 256.
}

TEST_F(InboxTest, ARegistrationIdBelongsToOneApp) {
  const absl::Status status =
      inbox_->Register(kChat, {.owner = 1, .registration_id = kMailId, .token = "x"});
  EXPECT_EQ(ErrorReason(status), "REGISTRATION_ID_TAKEN");
  EXPECT_EQ(inbox_->Find(kChat)->token, "chat-token");
}

TEST_F(InboxTest, LoginNumbersGrowForEver) {
  EXPECT_EQ(*inbox_->NextLoginNumber(), 1u);
  EXPECT_EQ(*inbox_->NextLoginNumber(), 2u);
  Reopen();
  EXPECT_EQ(*inbox_->NextLoginNumber(), 3u);
  ASSERT_TRUE(inbox_->RaiseLoginNumber(40).ok());
  ASSERT_TRUE(inbox_->RaiseLoginNumber(7).ok());
  Reopen();
  EXPECT_EQ(*inbox_->NextLoginNumber(), 41u);
}

TEST_F(InboxTest, AppAcksStayUntilTheyAreForgotten) {
  Receive({Push(1), Push(2), Push(3)});
  for (const InboxItem& item : Items(kMail)) Take(kMail, {item.delivery_id});
  auto acks = inbox_->AppAcks(0, 2);
  ASSERT_EQ(acks->size(), 2u);
  EXPECT_EQ(inbox_->AppAcks((*acks)[1].id, kAll)->size(), 1u);
  ASSERT_TRUE(inbox_->ForgetAppAcks((*acks)[1].id).ok());
  Reopen();
  EXPECT_EQ(AppAcks(), "3:TAKEN");
}

TEST_F(InboxTest, TheInboxHasANameOfItsOwn) {
  const std::string id = inbox_->inbox_id();
  EXPECT_EQ(id.size(), 16u);
  Reopen();
  EXPECT_EQ(inbox_->inbox_id(), id);
  auto other = Inbox::Open(dir_.path("other.db"), &clock_);
  EXPECT_NE((*other)->inbox_id(), id);
}

TEST_F(InboxTest, DeliveryIdsAreNeverUsedTwice) {
  Receive({Push(1)});
  const uint64_t first = Items(kMail)[0].delivery_id;
  Take(kMail, {first});
  Reopen();
  Receive({Push(2)});
  EXPECT_GT(Items(kMail)[0].delivery_id, first);
}

TEST_F(InboxTest, AnAppTakesOnlyItsOwn) {
  Receive({Push(1), Push(2, kChatId)});
  Take(kChat, {Items(kMail)[0].delivery_id, 999});
  EXPECT_EQ(Waiting(kMail), "message 1");
  EXPECT_EQ(AppAcks(), "");
}

TEST_F(InboxTest, AFullDiskChangesNothingAndHeals) {
  Receive({Push(1)});
  Database* db = inbox_->database();
  ASSERT_TRUE(db->LimitPages(db->pages()).ok());
  InboxBatch batch;
  for (uint64_t seq = 2; seq <= 60; ++seq) {
    device::v1::Push push = Push(seq);
    push.set_payload(std::string(kMaxPayloadBytes, 'x'));
    batch.incoming.push_back(push);
  }
  const auto applied = inbox_->Apply(batch);
  EXPECT_EQ(ErrorReason(applied.status()), "DISK_FULL") << applied.status();
  EXPECT_NE(applied.status().message().find("inbox.db"), absl::string_view::npos)
      << "it says where: " << applied.status();
  EXPECT_EQ(Waiting(kMail), "message 1");
  EXPECT_EQ(inbox_->waiting(), 1u);

  ASSERT_TRUE(db->LimitPages(100'000).ok());
  const auto again = inbox_->Apply(batch);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->duplicates, 0u) << "what was rolled back does not count as seen";
  EXPECT_EQ(inbox_->waiting(), 60u);
}

TEST_F(InboxTest, TooManyHolesAreRefusedAndANewLoginHelps) {
  InboxBatch batch;
  for (uint64_t n = 0; n < kMaxSeenRanges; ++n) {
    device::v1::Gap gap;  // Cheaper than messages.
    gap.set_seq(10 + 2 * n);
    gap.set_registration_id(kMailId);
    batch.incoming.emplace_back(gap);
  }
  ASSERT_TRUE(inbox_->Apply(batch).ok());
  InboxBatch one_more;
  one_more.incoming.emplace_back(Push(11 + 2 * kMaxSeenRanges));
  EXPECT_EQ(ErrorReason(inbox_->Apply(one_more).status()), "TOO_MANY_SEEN_RANGES");
  ASSERT_TRUE(inbox_->EnterMailbox(NewMailboxId(), 5).ok());
  EXPECT_TRUE(inbox_->Apply(one_more).ok());
}

TEST_F(InboxTest, TheFileIsPrivate) {
  for (const std::string& path : {path_, path_ + "-wal"}) {
    struct stat info;
    ASSERT_EQ(stat(path.c_str(), &info), 0) << path;
    EXPECT_EQ(info.st_mode & 0777, 0600u) << path;
  }
}

// --- Damage. ---

std::string ReadFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(in), {});
}

void WriteFile(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

TEST_F(InboxTest, AFileThatIsNoDatabaseSaysWhatToDo) {
  inbox_.reset();
  WriteFile(path_, std::string(8192, 'x'));
  const auto inbox = Inbox::Open(path_, &clock_);
  EXPECT_TRUE(absl::IsDataLoss(inbox.status())) << inbox.status();
  EXPECT_EQ(ErrorReason(inbox.status()), "DATABASE_DAMAGED");
  EXPECT_NE(inbox.status().message().find("Move it away"), absl::string_view::npos);
}

TEST_F(InboxTest, AFileThatCantBeMadeIsNamed) {
  const auto inbox = Inbox::Open(path_ + ".d/inbox.db", &clock_);
  EXPECT_EQ(ErrorReason(inbox.status()), "DATABASE_UNREADABLE") << inbox.status();
  EXPECT_NE(inbox.status().message().find(path_ + ".d/inbox.db"), absl::string_view::npos);
}

TEST_F(InboxTest, ADamagedPageIsFoundAtTheStart) {
  for (uint64_t seq = 1; seq <= 200; ++seq) Receive({Push(seq)});
  inbox_.reset();  // Which moves the WAL into the file.
  std::string bytes = ReadFile(path_);
  for (size_t page = 4096; page + 4096 <= bytes.size(); page += 4096) {
    for (size_t i = 0; i < 64; ++i) bytes[page + i] = static_cast<char>(0xa5);
  }
  WriteFile(path_, bytes);
  const auto inbox = Inbox::Open(path_, &clock_);
  EXPECT_TRUE(absl::IsDataLoss(inbox.status())) << inbox.status();
}

TEST_F(InboxTest, ADamagedContentIsNeverServed) {
  device::v1::Push push = Push(1);
  push.mutable_content()->set_encoding("aes128gcm");
  Receive({push, Push(2)});
  inbox_.reset();
  std::string bytes = ReadFile(path_);
  const size_t at = bytes.find("aes128gcm");
  ASSERT_NE(at, std::string::npos);
  bytes[at] ^= 0x20;
  WriteFile(path_, bytes);
  Reopen();
  EXPECT_EQ(Waiting(kMail), "gap 1,message 2");
}

TEST_F(InboxTest, ADamagedPayloadIsNeverServed) {
  Receive({Push(1), Push(2)});
  inbox_.reset();
  std::string bytes = ReadFile(path_);
  const size_t at = bytes.find("message 1");
  ASSERT_NE(at, std::string::npos);
  bytes[at] ^= 0x20;
  WriteFile(path_, bytes);
  Reopen();
  EXPECT_EQ(Waiting(kMail), "gap 1,message 2");
}

// As an agent of format 3 left it: of three users' registrations, and what waits for them.
TEST_F(InboxTest, AFormatInWhichAnAppIdWasOneUsersOnlyIsTakenOver) {
  inbox_.reset();
  WriteFile(path_, ReadFile("device-agent/inbox/testdata/format_3.db"));
  Reopen();
  const std::string mail = "app:1000::com.example.mail";
  const std::string chat = "app:1001::com.example.chat";
  const std::string page = "sub:1000:page";
  ASSERT_EQ(inbox_->registrations().size(), 3u);
  ASSERT_NE(inbox_->Find(mail), nullptr);
  EXPECT_EQ(inbox_->Find(mail)->owner, AppOwner(1000));
  EXPECT_EQ(inbox_->Find(mail)->token.substr(0, 10), "01fdc30ee8");
  EXPECT_EQ(inbox_->Find(mail)->server_owner, "") << "the token stays only if the server knows it";
  EXPECT_EQ(inbox_->Find(chat)->token.substr(0, 10), "0176ed20cb");
  EXPECT_EQ(inbox_->Find(page)->subscription->owner, "firefox https://a.example");
  EXPECT_EQ(Waiting(mail), "message 1,message 2");
  EXPECT_EQ(Waiting(chat), "message 3");
  EXPECT_EQ(inbox_->PendingRemovals(), std::vector<std::string>{"app:::com.example.gone"});
  EXPECT_EQ(inbox_->RemovalOf("app:::com.example.gone").registration_id, 4711u);
  EXPECT_EQ(absl::BytesToHexString(inbox_->mailbox_id()->bytes()),
            "fa5de8ae6b978cb1350c142fde771d78");
  EXPECT_EQ(inbox_->login_number(), 1u);

  // From here on as any other.
  ASSERT_TRUE(inbox_->Unregister(mail).ok());
  ASSERT_TRUE(
      inbox_
          ->Register("app:1001::com.example.mail",
                     {.owner = 1001, .registration_id = 5, .token = "t", .server_owner = "o"})
          .ok());
  Reopen();
  EXPECT_EQ(inbox_->RemovalOf(mail).server_owner, "");
  EXPECT_EQ(inbox_->Find("app:1001::com.example.mail")->server_owner, "o");
  ASSERT_TRUE(inbox_->Unregister("app:1001::com.example.mail").ok());
  Reopen();
  EXPECT_EQ(inbox_->RemovalOf("app:1001::com.example.mail").server_owner, "o");
  EXPECT_EQ(Waiting(chat), "message 3");
}

// What the present format has and format 2 had not.
constexpr char kToFormat2[] = R"(
ALTER TABLE apps DROP COLUMN server_owner;
ALTER TABLE removals DROP COLUMN server_owner;
ALTER TABLE apps DROP COLUMN subscriber;
ALTER TABLE apps DROP COLUMN vapid_key;
ALTER TABLE apps DROP COLUMN receipts;
ALTER TABLE items DROP COLUMN priority;
ALTER TABLE items DROP COLUMN content;
PRAGMA user_version = 2;
)";

// What apps of those formats are called then.
constexpr char kMailKey[] = "app:1000::com.example.mail";
constexpr char kChatKey[] = "app:1001::com.example.chat";

TEST_F(InboxTest, AFormatWithoutSubscriptionsIsTakenOver) {
  Receive({Push(1), Push(2, kChatId)});
  ASSERT_TRUE(inbox_->database()->Execute(kToFormat2).ok());
  Reopen();
  EXPECT_EQ(inbox_->Find(kMailKey)->token, "mail-token");
  EXPECT_FALSE(inbox_->Find(kMailKey)->subscription.has_value());
  EXPECT_EQ(Waiting(kMailKey), "message 1");
  EXPECT_EQ(Waiting(kChatKey), "message 2");
  EXPECT_EQ(Receive({Push(1), Push(3)}).duplicates, 1u);
  const Subscription subscription{.owner = "firefox", .vapid_key = "key", .receipts = true};
  ASSERT_TRUE(inbox_->Register("sub:1000:x", {1000, 5, "https://a", subscription}).ok());
  Reopen();
  EXPECT_EQ(inbox_->Find("sub:1000:x")->subscription, subscription);
  EXPECT_EQ(Waiting(kMailKey), "message 1,message 3");
}

TEST_F(InboxTest, AFormatWithoutSandboxesIsTakenOver) {
  Receive({Push(1)});
  ASSERT_TRUE(inbox_->database()->Execute(kToFormat2).ok());
  ASSERT_TRUE(inbox_->database()
                  ->Execute("ALTER TABLE apps DROP COLUMN sandbox; PRAGMA user_version = 1")
                  .ok());
  Reopen();
  EXPECT_EQ(inbox_->Find(kMailKey)->owner, AppOwner(1000));
  EXPECT_EQ(Waiting(kMailKey), "message 1");
  const AppOwner owner(1002, "flatpak:com.example.news");
  ASSERT_TRUE(inbox_
                  ->Register("com.example.news",
                             {.owner = owner, .registration_id = 93, .token = "news-token"})
                  .ok());
  Reopen();
  EXPECT_EQ(inbox_->Find("com.example.news")->owner, owner);
}

TEST_F(InboxTest, ALaterFormatIsRefused) {
  ASSERT_TRUE(inbox_->database()->Execute("PRAGMA user_version = 5").ok());
  inbox_.reset();
  const auto inbox = Inbox::Open(path_, &clock_);
  EXPECT_EQ(ErrorReason(inbox.status()), "DATABASE_TOO_NEW") << inbox.status();
}

TEST_F(InboxTest, TwoCantShareAFile) {
  const auto second = Inbox::Open(path_, &clock_);
  EXPECT_EQ(ErrorReason(second.status()), "DATABASE_IN_USE") << second.status();
}

}  // namespace
}  // namespace bellwire::agent
