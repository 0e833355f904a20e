#include "gateway/topics/fan_out_thread.h"

#include <atomic>
#include <string>

#include "absl/synchronization/notification.h"
#include "common/ids.h"
#include "gateway/testing/fake_registry.h"
#include "gtest/gtest.h"

namespace bellwire::gateway {
namespace {

// A registry with one topic message for three subscribers.
class FanOutThreadTest : public testing::Test {
 protected:
  FanOutThreadTest() {
    registry.claim = [this](const internal::v1::ClaimRequest&) {
      internal::v1::ClaimResponse response;
      if (claimed_++ > 0) return response;
      internal::v1::PublishTopicRequest& message = *response.mutable_message();
      message.set_team_id("teamteam22");
      message.set_message_id(std::string(NewMessageId().bytes()));
      message.set_topic("news");
      message.add_topics("news");
      message.mutable_message()->set_expires_at_ms(INT64_MAX);
      return response;
    };
    registry.page_subscribers = [](const internal::v1::PageSubscribersRequest&) {
      internal::v1::PageSubscribersResponse page;
      for (int i = 0; i < 3; ++i) {
        internal::v1::Subscriber* subscriber = page.add_subscribers();
        subscriber->set_device_id("0123456789abcdef");
        subscriber->set_registration_id(1 + i);
        subscriber->set_topics(1);
      }
      return page;
    };
    registry.append = [this](const internal::v1::AppendRequest&) {
      ++appended;
      return internal::v1::AppendResponse();
    };
    registry.advance = [this](const internal::v1::AdvanceRequest& request) {
      if (request.done()) {
        sent = request.sent();
        done.Notify();
      } else if (request.release()) {
        given_back.Notify();
      }
      return internal::v1::AdvanceResponse();
    };
  }
  FanOutThread::Options Options() {
    return {.topics = &registry, .mailboxes = &registry, .clock = RealClock()};
  }

  FakeRegistry registry;
  std::atomic<int> appended{0};
  int64_t sent = 0;
  absl::Notification done;
  absl::Notification given_back;

 private:
  int claimed_ = 0;
};

TEST_F(FanOutThreadTest, SendsByItself) {
  FanOutThread thread(Options());
  done.WaitForNotification();
  EXPECT_EQ(appended, 3);
  EXPECT_EQ(sent, 3);
}

TEST_F(FanOutThreadTest, ADrainGivesBackWhatItHas) {
  FanOutThread::Options options = Options();
  // Slow enough that it isn't over.
  options.settings.most_per_second = 0.001;
  FanOutThread thread(options);
  while (appended == 0) std::this_thread::yield();
  thread.Drain(absl::Seconds(60));
  EXPECT_TRUE(given_back.HasBeenNotified());
  EXPECT_FALSE(done.HasBeenNotified());
  EXPECT_EQ(appended, 1);
}

TEST_F(FanOutThreadTest, EndsWithoutTheRegistry) {
  registry.HoldAnswers();
  {
    FanOutThread thread(Options());
    registry.WaitForHeld(1);
    thread.Drain(absl::Milliseconds(10));
  }
  // The answer comes to nobody.
  registry.ReleaseAnswers();
  EXPECT_EQ(appended, 0);
}

}  // namespace
}  // namespace bellwire::gateway
