#include "device-agent/core/registrar.h"

#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/limits.h"
#include "common/simulated_clock.h"
#include "common/testing/temp_dir.h"
#include "device-agent/apps/app_key.h"
#include "device-agent/apps/names_in_logs.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bellwire::agent {
namespace {

using device::v1::AppRegistered;
using ::testing::HasSubstr;

constexpr char kMail[] = "com.example.mail";
constexpr uid_t kUser = 1000;
constexpr char kSubA[] = "sub:1000:a";
constexpr char kSubB[] = "sub:1000:b";

class RegistrarTest : public testing::Test, private Registrar::Owner {
 protected:
  struct Asked {
    uint32_t request_id;
    std::string what;  // "register com.example.mail"
  };

  AppRegistered Ok(uint32_t request_id, uint64_t registration_id = 1) {
    AppRegistered answer;
    answer.set_request_id(request_id);
    answer.set_outcome(AppRegistered::OK);
    answer.set_registration_id(registration_id);
    answer.set_token("token");
    return answer;
  }
  device::v1::AppRemoved Removed(uint32_t request_id) {
    device::v1::AppRemoved answer;
    answer.set_request_id(request_id);
    answer.set_ok(true);
    return answer;
  }
  // What was asked since the last call, such as "register a, remove b".
  std::string NewlyAsked() {
    std::string result;
    for (; told_ < asked_.size(); ++told_) {
      absl::StrAppend(&result, result.empty() ? "" : ", ", asked_[told_].what);
    }
    return result;
  }
  uint32_t LastRequest() const { return asked_.back().request_id; }

  SimulatedClock clock_;
  TempDir dir_;
  std::unique_ptr<Inbox> inbox_ = *Inbox::Open(dir_.path("inbox.db"), &clock_);
  std::mt19937_64 random_{1};
  const SubscriptionNames names_{std::string(32, 's')};
  Registrar registrar_{&clock_, inbox_.get(), &names_, random_, this};
  std::vector<Asked> asked_;
  std::vector<std::string> registered_;
  std::vector<v1::Error::Code> refused_;
  // The last one that was asked for.
  device::v1::Subscription subscription_;
  // Of the last removal.
  uint64_t removed_registration_ = 0;
  // Of apps that were asked for, and of what was removed.
  std::vector<std::string> owners_;

 private:
  void SendRequest(const device::v1::AgentFrame& frame) override {
    if (frame.has_register_app() && frame.register_app().has_subscription()) {
      EXPECT_EQ(frame.register_app().app_id(), "");
      subscription_ = frame.register_app().subscription();
      asked_.push_back({frame.register_app().request_id(),
                        absl::StrCat("subscribe ", Names(subscription_.instance()))});
    } else if (frame.has_register_app()) {
      asked_.push_back(
          {frame.register_app().request_id(), "register " + frame.register_app().app_id()});
      owners_.push_back(frame.register_app().owner());
    } else {
      asked_.push_back(
          {frame.remove_app().request_id(), absl::StrCat("remove ", frame.remove_app().app_id(),
                                                         Names(frame.remove_app().instance()))});
      removed_registration_ = frame.remove_app().registration_id();
      owners_.push_back(frame.remove_app().owner());
    }
  }
  void OnRegistered(const std::string& app_id) override { registered_.push_back(app_id); }
  void OnRefused(const std::string&, v1::Error::Code code, absl::string_view) override {
    refused_.push_back(code);
  }

  // "a" or "b", for the digests of kSubA and kSubB.
  std::string Names(const std::string& instance) const {
    if (instance == names_.InstanceOf(kSubA)) return "a";
    return instance == names_.InstanceOf(kSubB) ? "b" : instance;
  }

  size_t told_ = 0;
};

TEST_F(RegistrarTest, TheServerTellsUsersApartWithoutLearningWhoTheyAre) {
  const std::string alices = AppKey(1000, kMail);
  const std::string bobs = AppKey(1001, kMail);
  registrar_.OnSessionStart(0);
  registrar_.Want(alices, 1000);
  registrar_.Want(bobs, 1001);
  registrar_.Want(AppKey(1000, "com.example.chat"), 1000);
  EXPECT_EQ(NewlyAsked(),
            "register com.example.mail, register com.example.mail, register com.example.chat");
  ASSERT_EQ(owners_.size(), 3u);
  EXPECT_EQ(std::set<std::string>(owners_.begin(), owners_.end()).size(), 3u)
      << "nor which apps are one user's";
  for (const std::string& owner : owners_) EXPECT_EQ(owner.size(), 16u);
  const std::string bob = owners_[1];
  EXPECT_EQ(bob, names_.AppOwnerOf(bobs));
  ASSERT_TRUE(registrar_.OnAppRegistered(Ok(asked_[0].request_id, 1)).ok());
  ASSERT_TRUE(registrar_.OnAppRegistered(Ok(asked_[1].request_id, 2)).ok());
  EXPECT_EQ(registered_, (std::vector<std::string>{alices, bobs}));
  ASSERT_TRUE(registrar_.Unregister(bobs).ok());
  EXPECT_EQ(NewlyAsked(), "remove com.example.mail");
  EXPECT_EQ(removed_registration_, 2u);
  EXPECT_EQ(owners_.back(), bob);
  EXPECT_NE(inbox_->Find(alices), nullptr);
}

// Of an agent that told no owners: with another one it would get another token.
TEST_F(RegistrarTest, ARegistrationKeepsTheOwnerThatTheServerKnows) {
  const std::string key = AppKey(1000, kMail);
  ASSERT_TRUE(inbox_->Register(key, {.owner = 1000, .registration_id = 7, .token = "token"}).ok());
  registrar_.OnSessionStart(/*server_tag=*/5);
  EXPECT_EQ(NewlyAsked(), "register com.example.mail");
  EXPECT_EQ(owners_, std::vector<std::string>{""});
  ASSERT_TRUE(registrar_.OnAppRegistered(Ok(LastRequest(), 7)).ok());
  ASSERT_TRUE(registrar_.Unregister(key).ok());
  EXPECT_EQ(NewlyAsked(), "remove com.example.mail");
  EXPECT_EQ(owners_.back(), "");
  ASSERT_TRUE(registrar_.OnAppRemoved(Removed(LastRequest())).ok());
  registrar_.Want(key, 1000);
  EXPECT_EQ(owners_.back(), names_.AppOwnerOf(key)) << "a new life has one";
}

TEST_F(RegistrarTest, AsksOnceThereIsASession) {
  registrar_.Want(kMail, kUser);
  registrar_.Want(kMail, kUser);
  EXPECT_EQ(NewlyAsked(), "");
  registrar_.OnSessionStart(0);
  EXPECT_EQ(NewlyAsked(), "register com.example.mail");
  ASSERT_TRUE(registrar_.OnAppRegistered(Ok(LastRequest())).ok());
  EXPECT_EQ(registered_, std::vector<std::string>{kMail});
  EXPECT_EQ(inbox_->Find(kMail)->owner, kUser);
}

class RegistrarVerifyTest : public RegistrarTest {
 protected:
  RegistrarVerifyTest() {
    registrar_.OnSessionStart(5);
    registrar_.Want(kMail, kUser);
    Answer(1, 6);
    registrar_.OnSessionEnd();
    NewlyAsked();
    registered_.clear();
  }
  // To the last question.
  void Answer(uint64_t registration_id, uint64_t tag) {
    AppRegistered answer = Ok(LastRequest());
    answer.set_registration_id(registration_id);
    answer.set_registrations_tag(tag);
    ASSERT_TRUE(registrar_.OnAppRegistered(answer).ok());
  }
};

TEST_F(RegistrarVerifyTest, NothingIsAskedWhileTheServersStateIsTheKnownOne) {
  registrar_.OnSessionStart(6);
  EXPECT_EQ(NewlyAsked(), "");
  registrar_.OnSessionEnd();
  registrar_.OnSessionStart(0);
  EXPECT_EQ(NewlyAsked(), "") << "a server that does not say";
}

TEST_F(RegistrarVerifyTest, EachAppIsRegisteredAgainIfTheServersStateIsAnother) {
  registrar_.OnSessionStart(7);
  EXPECT_EQ(NewlyAsked(), "register com.example.mail");
  registrar_.OnSessionEnd();
  registrar_.OnSessionStart(7);
  EXPECT_EQ(NewlyAsked(), "register com.example.mail") << "nobody answered";
  Answer(2, 8);
  EXPECT_EQ(registered_, std::vector<std::string>{kMail}) << "another life: the token is news";
  EXPECT_EQ(inbox_->Find(kMail)->registration_id, 2u);
  registrar_.OnSessionEnd();
  registrar_.OnSessionStart(8);
  EXPECT_EQ(NewlyAsked(), "");
}

TEST_F(RegistrarVerifyTest, ATokenThatIsTheSameIsNoNews) {
  registrar_.OnSessionStart(7);
  Answer(1, 7);
  EXPECT_EQ(registered_, std::vector<std::string>{});
  registrar_.OnSessionEnd();
  registrar_.OnSessionStart(7);
  EXPECT_EQ(NewlyAsked(), "register com.example.mail") << "once, and not again";
}

TEST_F(RegistrarVerifyTest, AnAppThatAsksMeanwhileIsAnswered) {
  registrar_.OnSessionStart(7);
  registrar_.Want(kMail, kUser);
  Answer(1, 7);
  EXPECT_EQ(registered_, std::vector<std::string>{kMail});
}

TEST_F(RegistrarVerifyTest, AnAppMoreIsTakenWhileAllOthersAreVerified) {
  // Counted twice they would be too many.
  for (size_t i = 1; i < kMaxAppsPerDevice / 2 + 10; ++i) {
    ASSERT_TRUE(inbox_->Register(absl::StrCat("com.example.app", i), {kUser, 1000 + i, "t"}).ok());
  }
  registrar_.OnSessionStart(7);
  registrar_.Want("com.example.last", kUser);
  EXPECT_TRUE(refused_.empty());
}

class RegistrarSubscriptionTest : public RegistrarTest {
 protected:
  RegistrarSubscriptionTest() { registrar_.OnSessionStart(0); }

  AppRegistered Endpoint(uint64_t registration_id = 1) {
    AppRegistered answer = Ok(LastRequest(), registration_id);
    answer.set_endpoint("https://push.example/wpush/token");
    return answer;
  }
  void Refuse(AppRegistered::Outcome outcome) {
    AppRegistered answer;
    answer.set_request_id(LastRequest());
    answer.set_outcome(outcome);
    ASSERT_TRUE(registrar_.OnAppRegistered(answer).ok());
  }

  const Subscription subscription_of_page_{.owner = "firefox https://mail.example",
                                           .vapid_key = std::string(65, '\4'),
                                           .receipts = true};
};

TEST_F(RegistrarSubscriptionTest, TheServerIsToldDigestsAndNoNames) {
  registrar_.Want(kSubA, kUser, subscription_of_page_);
  EXPECT_EQ(NewlyAsked(), "subscribe a");
  EXPECT_EQ(subscription_.instance(), names_.InstanceOf(kSubA));
  EXPECT_EQ(subscription_.owner(), names_.OwnerOf(kUser, "firefox https://mail.example"));
  EXPECT_EQ(subscription_.vapid_key(), subscription_of_page_.vapid_key);
  EXPECT_TRUE(subscription_.receipts());
  ASSERT_TRUE(registrar_.OnAppRegistered(Endpoint()).ok());
  EXPECT_EQ(registered_, std::vector<std::string>{kSubA});
  ASSERT_NE(inbox_->Find(kSubA), nullptr);
  EXPECT_EQ(inbox_->Find(kSubA)->token, "https://push.example/wpush/token");
  EXPECT_EQ(inbox_->Find(kSubA)->subscription, subscription_of_page_);
  ASSERT_TRUE(registrar_.Unregister(kSubA).ok());
  EXPECT_EQ(NewlyAsked(), "remove a");
}

// Of a browser's page: its id, its channel.
TEST_F(RegistrarSubscriptionTest, TheLogTellsSubscriptionsApartAndNoMore) {
  const std::string key = "sub:1000:push:1a2b3c4d5e6f:a-channel:99";
  testing::internal::CaptureStderr();
  registrar_.Want(key, kUser, subscription_of_page_);
  ASSERT_TRUE(registrar_.OnAppRegistered(Endpoint()).ok());
  registrar_.Want(kMail, kUser);
  ASSERT_TRUE(registrar_.OnAppRegistered(Ok(LastRequest(), 2)).ok());
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_THAT(log,
              HasSubstr("event=app_registered app=sub:1000:push:1a2b3c4d uid=1000 unsaid=0\n"));
  EXPECT_THAT(log, HasSubstr("event=app_registered app=com.example.mail uid=1000 unsaid=0\n"));
  EXPECT_EQ(NameInLogs("sub:1000:"), "sub:1000:");
}

TEST_F(RegistrarSubscriptionTest, AnAnswerWithoutAnEndpointEndsTheSession) {
  registrar_.Want(kSubA, kUser, subscription_of_page_);
  EXPECT_FALSE(registrar_.OnAppRegistered(Ok(LastRequest())).ok());
  registrar_.OnSessionEnd();
  registrar_.OnSessionStart(0);
  AppRegistered answer = Endpoint();
  answer.set_endpoint(std::string(kMaxEndpointBytes + 1, 'x'));
  EXPECT_FALSE(registrar_.OnAppRegistered(answer).ok());
}

TEST_F(RegistrarSubscriptionTest, ARefusalIsTold) {
  for (const auto& [outcome, code] :
       {std::pair(AppRegistered::VAPID_REQUIRED, v1::Error::VAPID_REQUIRED),
        std::pair(AppRegistered::SUBSCRIPTIONS_OFF, v1::Error::SUBSCRIPTIONS_OFF),
        std::pair(AppRegistered::BAD_SUBSCRIPTION, v1::Error::BAD_SUBSCRIPTION),
        std::pair(AppRegistered::LIMIT_REACHED, v1::Error::LIMIT_REACHED)}) {
    registrar_.Want(kSubA, kUser, subscription_of_page_);
    Refuse(outcome);
    EXPECT_EQ(refused_.back(), code);
    EXPECT_EQ(inbox_->Find(kSubA), nullptr);
  }
}

TEST_F(RegistrarSubscriptionTest, IsVerifiedWithAllOthers) {
  registrar_.Want(kSubA, kUser, subscription_of_page_);
  ASSERT_TRUE(registrar_.OnAppRegistered(Endpoint()).ok());
  registrar_.OnSessionEnd();
  NewlyAsked();
  registrar_.OnSessionStart(7);
  EXPECT_EQ(NewlyAsked(), "subscribe a");
  EXPECT_EQ(subscription_.vapid_key(), subscription_of_page_.vapid_key);
  EXPECT_TRUE(subscription_.receipts());
}

TEST_F(RegistrarSubscriptionTest, IsToldTheServerAnewWhenItChanges) {
  registrar_.Want(kSubA, kUser, subscription_of_page_);
  ASSERT_TRUE(registrar_.OnAppRegistered(Endpoint()).ok());
  Subscription silent = subscription_of_page_;
  silent.receipts = false;
  registrar_.Want(kSubA, kUser, silent);
  EXPECT_EQ(NewlyAsked(), "subscribe a, subscribe a");
  EXPECT_FALSE(subscription_.receipts());
  EXPECT_EQ(inbox_->Find(kSubA)->subscription, subscription_of_page_) << "not yet";
  ASSERT_TRUE(registrar_.OnAppRegistered(Endpoint()).ok());
  EXPECT_EQ(inbox_->Find(kSubA)->subscription, silent);
}

TEST_F(RegistrarSubscriptionTest, ThatChangesWhileItIsAskedForIsAskedForAgain) {
  registrar_.Want(kSubA, kUser, subscription_of_page_);
  registrar_.Unwant(kSubA);
  Subscription other = subscription_of_page_;
  other.vapid_key = std::string(65, '\5');
  registrar_.Want(kSubA, kUser, other);
  EXPECT_EQ(NewlyAsked(), "subscribe a") << "one at a time";
  ASSERT_TRUE(registrar_.OnAppRegistered(Endpoint(1)).ok());
  EXPECT_EQ(registered_.size(), 0u) << "senders with the former key are not wanted any more";
  EXPECT_EQ(NewlyAsked(), "subscribe a");
  EXPECT_EQ(subscription_.vapid_key(), other.vapid_key);
  ASSERT_TRUE(registrar_.OnAppRegistered(Endpoint(2)).ok());
  EXPECT_EQ(registered_, std::vector<std::string>{kSubA});
  EXPECT_EQ(inbox_->Find(kSubA)->subscription, other);
  EXPECT_EQ(inbox_->Find(kSubA)->registration_id, 2u);
}

// Otherwise it would live on the server for good, and take one of its owner's places.
TEST_F(RegistrarSubscriptionTest, WhatTheServerMayHaveHeardOfIsRemovedAfterAll) {
  registrar_.Want(kSubA, kUser, subscription_of_page_);
  ASSERT_TRUE(registrar_.Unregister(kSubA).ok());
  EXPECT_EQ(NewlyAsked(), "subscribe a") << "one question at a time";
  registrar_.OnSessionEnd();
  registrar_.OnSessionStart(0);
  EXPECT_EQ(NewlyAsked(), "remove a");
  EXPECT_EQ(removed_registration_, 0u) << "whichever there is";
  registrar_.Want(kSubA, kUser, subscription_of_page_);
  EXPECT_EQ(NewlyAsked(), "");
  ASSERT_TRUE(registrar_.OnAppRemoved(Removed(LastRequest())).ok());
  EXPECT_EQ(NewlyAsked(), "subscribe a");
}

TEST_F(RegistrarSubscriptionTest, UnsubscribedWhileItWasAskedForItsRegistrationIsRemoved) {
  registrar_.Want(kSubA, kUser, subscription_of_page_);
  ASSERT_TRUE(registrar_.Unregister(kSubA).ok());
  ASSERT_TRUE(registrar_.OnAppRegistered(Endpoint(5)).ok());
  EXPECT_EQ(NewlyAsked(), "subscribe a, remove a");
  EXPECT_EQ(removed_registration_, 5u);
  EXPECT_TRUE(registered_.empty());
}

TEST_F(RegistrarSubscriptionTest, SubscriptionsOfOneOwnerAreBounded) {
  for (size_t i = 0; i < kMaxSubscriptionsPerOwner + 3; ++i) {
    registrar_.Want(SubscriptionKey(kUser, absl::StrCat(i)), kUser, subscription_of_page_);
  }
  EXPECT_EQ(refused_, std::vector(3, v1::Error::LIMIT_REACHED));
  refused_.clear();
  registrar_.Want(kSubB, kUser, Subscription{.owner = "another"});
  registrar_.Want(SubscriptionKey(kUser + 1, "x"), AppOwner(kUser + 1), subscription_of_page_);
  registrar_.Want(kMail, kUser);
  EXPECT_TRUE(refused_.empty());
}

TEST_F(RegistrarSubscriptionTest, UsersShareTheirPlacesAndTakeNoAppsPlace) {
  const auto want = [this](uid_t uid, size_t i) {
    registrar_.Want(SubscriptionKey(uid, absl::StrCat(i)), uid,
                    Subscription{.owner = absl::StrCat(i)});
  };
  size_t own = 0;
  while (refused_.empty() && own <= kMaxSubscriptions) want(kUser, own++);
  EXPECT_GT(own, kMaxSubscriptions * 3 / 4);
  EXPECT_LT(own, kMaxSubscriptions);
  refused_.clear();
  for (size_t i = 0; i < 10; ++i) want(kUser + 1, i);
  for (size_t i = 0; i < kMaxAppsPerDevice / 2; ++i) {
    registrar_.Want(absl::StrCat("com.example.app", i), kUser);
  }
  EXPECT_TRUE(refused_.empty());
}

TEST_F(RegistrarTest, AsksAgainInTheNextSession) {
  registrar_.OnSessionStart(0);
  registrar_.Want(kMail, kUser);
  const uint32_t first = LastRequest();
  registrar_.OnSessionEnd();
  registrar_.OnSessionStart(0);
  EXPECT_EQ(NewlyAsked(), "register com.example.mail, register com.example.mail");
  EXPECT_NE(LastRequest(), first);
  ASSERT_TRUE(registrar_.OnAppRegistered(Ok(first)).ok());
  EXPECT_TRUE(registered_.empty()) << "an answer to nobody";
}

TEST_F(RegistrarTest, WhoHasGoneIsNotAskedFor) {
  registrar_.Want(kMail, kUser);
  registrar_.Unwant(kMail);
  registrar_.OnSessionStart(0);
  EXPECT_EQ(NewlyAsked(), "");
}

TEST_F(RegistrarTest, UnansweredRequestsAreBounded) {
  registrar_.OnSessionStart(0);
  for (size_t i = 0; i < kMaxPendingAppRequests + 5; ++i) {
    registrar_.Want(absl::StrCat("com.example.app", i), kUser);
  }
  EXPECT_EQ(asked_.size(), kMaxPendingAppRequests);
  ASSERT_TRUE(registrar_.OnAppRegistered(Ok(asked_[0].request_id)).ok());
  EXPECT_EQ(asked_.size(), kMaxPendingAppRequests + 1);
}

TEST_F(RegistrarTest, AppsOfOneUserLeaveRoomForThoseOfOthers) {
  size_t own = 0;
  while (refused_.empty() && own <= kMaxAppsPerDevice) {
    registrar_.Want(absl::StrCat("com.example.app", own++), kUser);
  }
  EXPECT_EQ(refused_, std::vector{v1::Error::LIMIT_REACHED});
  EXPECT_GT(own, kMaxAppsPerDevice * 3 / 4) << "a phone with one user has nearly all";
  refused_.clear();
  for (int i = 0; i < 10; ++i) {
    registrar_.Want(absl::StrCat("com.example.other", i), AppOwner(kUser + 1));
  }
  EXPECT_TRUE(refused_.empty());
  registrar_.Want(kMail, AppOwner(kUser, "flatpak:org.example.Mail"));
  EXPECT_EQ(refused_, std::vector{v1::Error::LIMIT_REACHED}) << "a sandbox is no other user";
}

TEST_F(RegistrarTest, ARefusalIsTold) {
  registrar_.OnSessionStart(0);
  for (const auto& [outcome, code] :
       {std::pair(AppRegistered::UNKNOWN_APP, v1::Error::UNKNOWN_APP),
        std::pair(AppRegistered::LIMIT_REACHED, v1::Error::LIMIT_REACHED),
        std::pair(AppRegistered::BAD_APP_ID, v1::Error::BAD_APP_ID)}) {
    registrar_.Want(kMail, kUser);
    AppRegistered answer;
    answer.set_request_id(LastRequest());
    answer.set_outcome(outcome);
    ASSERT_TRUE(registrar_.OnAppRegistered(answer).ok());
    EXPECT_EQ(refused_.back(), code);
    EXPECT_EQ(inbox_->Find(kMail), nullptr);
  }
}

TEST_F(RegistrarTest, UnavailableIsRetriedWithBackOff) {
  registrar_.OnSessionStart(0);
  registrar_.Want(kMail, kUser);
  for (int i = 0; i < 5; ++i) {
    AppRegistered answer;
    answer.set_request_id(LastRequest());
    answer.set_outcome(AppRegistered::UNAVAILABLE);
    const size_t before = asked_.size();
    ASSERT_TRUE(registrar_.OnAppRegistered(answer).ok());
    ASSERT_TRUE(registrar_.deadline().has_value());
    EXPECT_EQ(asked_.size(), before);
    clock_.Advance(*registrar_.deadline() - clock_.Monotonic());
    registrar_.OnDeadline();
    EXPECT_EQ(asked_.size(), before + 1);
    EXPECT_FALSE(registrar_.deadline().has_value());
  }
}

TEST_F(RegistrarTest, AnAnswerWithoutATokenEndsTheSession) {
  registrar_.OnSessionStart(0);
  registrar_.Want(kMail, kUser);
  AppRegistered answer = Ok(LastRequest());
  answer.clear_token();
  EXPECT_FALSE(registrar_.OnAppRegistered(answer).ok());
}

TEST_F(RegistrarTest, ARemovalGoesBeforeANewRegistration) {
  ASSERT_TRUE(inbox_->Register(kMail, {kUser, 1, "token"}).ok());
  registrar_.OnSessionStart(0);
  ASSERT_TRUE(registrar_.Unregister(kMail).ok());
  registrar_.Want(kMail, kUser + 1);
  EXPECT_EQ(NewlyAsked(), "remove com.example.mail");
  EXPECT_EQ(removed_registration_, 1u) << "the one that ends, and no later one";
  ASSERT_TRUE(registrar_.OnAppRemoved(Removed(LastRequest())).ok());
  EXPECT_EQ(NewlyAsked(), "register com.example.mail");
  ASSERT_TRUE(registrar_.OnAppRegistered(Ok(LastRequest(), 2)).ok());
  EXPECT_EQ(inbox_->Find(kMail)->owner, kUser + 1);
}

TEST_F(RegistrarTest, UnregisteredWhileItWasAskedForTheTokenDiesAtOnce) {
  registrar_.OnSessionStart(0);
  registrar_.Want(kMail, kUser);
  ASSERT_TRUE(registrar_.Unregister(kMail).ok());
  ASSERT_TRUE(registrar_.OnAppRegistered(Ok(LastRequest())).ok());
  EXPECT_TRUE(registered_.empty());
  EXPECT_EQ(inbox_->Find(kMail), nullptr);
  EXPECT_EQ(NewlyAsked(), "register com.example.mail, remove com.example.mail");
}

TEST_F(RegistrarTest, UnregisteredAndWantedAgainWhileItWasAskedFor) {
  registrar_.OnSessionStart(0);
  registrar_.Want(kMail, kUser);
  ASSERT_TRUE(registrar_.Unregister(kMail).ok());
  registrar_.Want(kMail, kUser);
  ASSERT_TRUE(registrar_.OnAppRegistered(Ok(LastRequest())).ok());
  EXPECT_EQ(NewlyAsked(), "register com.example.mail, remove com.example.mail");
  ASSERT_TRUE(registrar_.OnAppRemoved(Removed(LastRequest())).ok());
  EXPECT_EQ(NewlyAsked(), "register com.example.mail");
  ASSERT_TRUE(registrar_.OnAppRegistered(Ok(LastRequest(), 2)).ok());
  EXPECT_EQ(registered_.size(), 1u);
}

TEST_F(RegistrarTest, TokensThatAServerChangeVoidedAreAskedForByItself) {
  ASSERT_TRUE(inbox_->Register(kMail, {kUser, 1, "token"}).ok());
  registrar_.OnSessionStart(0);
  EXPECT_EQ(NewlyAsked(), "");
  registrar_.OnSessionEnd();
  ASSERT_TRUE(inbox_->EnterMailbox(NewMailboxId(), 0).ok());
  registrar_.OnSessionStart(0);
  EXPECT_EQ(NewlyAsked(), "register com.example.mail");
}

}  // namespace
}  // namespace bellwire::agent
