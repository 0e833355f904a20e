#include "connector/shard/shard_inbox.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/limits.h"
#include "gtest/gtest.h"

namespace bellwire::connector {
namespace {

using internal::v1::ConnectorRequest;
using Strings = std::vector<std::string>;

ConnectorRequest Delivery(uint64_t session_id, uint64_t seq) {
  ConnectorRequest request;
  request.mutable_route()->set_session_id(session_id);
  request.mutable_deliver()->mutable_message()->set_seq(seq);
  return request;
}

class ShardInboxTest : public testing::Test {
 protected:
  // "answer", "1:7" for message 7 of session 1, "1 missed".
  Strings Take() {
    Strings all;
    for (ShardInbox::Entry& entry : inbox_.Take()) {
      if (std::holds_alternative<ShardInbox::Answer>(entry)) {
        all.emplace_back("answer");
        continue;
      }
      const ConnectorRequest& request = std::get<ConnectorRequest>(entry);
      all.push_back(request.has_missed()
                        ? absl::StrCat(request.route().session_id(), " missed")
                        : absl::StrCat(request.route().session_id(), ":",
                                       request.deliver().message().seq()));
    }
    return all;
  }

  int wakes_ = 0;
  bool can_wake_ = true;
  ShardInbox inbox_{[this] {
    ++wakes_;
    return can_wake_;
  }};
};

TEST_F(ShardInboxTest, WakesOnceForEverythingThatComesBeforeTake) {
  inbox_.AddAnswer([] {});
  EXPECT_TRUE(inbox_.AddRequest(Delivery(1, 1)));
  EXPECT_TRUE(inbox_.AddRequest(Delivery(1, 2)));
  EXPECT_EQ(wakes_, 1);
  EXPECT_EQ(Take(), (Strings{"answer", "1:1", "1:2"}));
  EXPECT_EQ(Take(), Strings{});
  inbox_.AddRequest(Delivery(1, 3));
  EXPECT_EQ(wakes_, 2);
}

// A page and what is handed over after it, or before.
TEST_F(ShardInboxTest, AnswersAndHandOversKeepOneOrder) {
  inbox_.AddRequest(Delivery(1, 1));
  inbox_.AddAnswer([] {});
  inbox_.AddRequest(Delivery(1, 2));
  inbox_.AddAnswer([] {});
  EXPECT_EQ(Take(), (Strings{"1:1", "answer", "1:2", "answer"}));
}

TEST_F(ShardInboxTest, AFailedWakeLosesNothing) {
  can_wake_ = false;
  inbox_.AddAnswer([] {});
  can_wake_ = true;
  inbox_.AddAnswer([] {});
  EXPECT_EQ(wakes_, 2);
  EXPECT_EQ(Take().size(), 2u);
}

TEST_F(ShardInboxTest, RefusesHandOversBeyondTheBoundAndMarksTheirSessions) {
  for (size_t i = 0; i < kMaxShardRequests; ++i) EXPECT_TRUE(inbox_.AddRequest(Delivery(1, i)));
  EXPECT_FALSE(inbox_.AddRequest(Delivery(2, 7)));
  EXPECT_FALSE(inbox_.AddRequest(Delivery(2, 9)));
  ConnectorRequest mark = Delivery(3, 0);
  mark.mutable_missed()->set_seq(11);
  EXPECT_FALSE(inbox_.AddRequest(std::move(mark))) << "a mark of the registry's";
  ConnectorRequest recall = Delivery(4, 0);
  recall.mutable_recall();
  EXPECT_FALSE(inbox_.AddRequest(std::move(recall)));
  // An answer of the registry gets in all the same.
  inbox_.AddAnswer([] {});
  const Strings all = Take();
  ASSERT_EQ(all.size(), kMaxShardRequests + 3);
  EXPECT_EQ(Strings(all.end() - 3, all.end()), (Strings{"answer", "2 missed", "3 missed"}));
  EXPECT_TRUE(inbox_.AddRequest(Delivery(2, 10)));
  EXPECT_EQ(Take(), Strings{"2:10"});
}

TEST_F(ShardInboxTest, NothingGetsInAfterClose) {
  inbox_.AddRequest(Delivery(1, 1));
  inbox_.Close();
  EXPECT_FALSE(inbox_.AddRequest(Delivery(1, 2)));
  const auto held = std::make_shared<int>(1);
  inbox_.AddAnswer([held] {});
  EXPECT_EQ(held.use_count(), 1);
  EXPECT_EQ(Take(), Strings{});
}

}  // namespace
}  // namespace bellwire::connector
