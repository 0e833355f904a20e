#include "registry/quotas/limits.h"

#include <string>

#include "common/error.h"
#include "gtest/gtest.h"

namespace bellwire::registry {
namespace {

using admin::v1::Quota;
using admin::v1::QuotaSubject;
using admin::v1::SetQuotaRequest;

SetQuotaRequest Request(QuotaSubject::Kind kind, const std::string& id = "") {
  SetQuotaRequest request;
  request.mutable_subject()->set_kind(kind);
  request.mutable_subject()->set_id(id);
  return request;
}

TEST(LimitsTest, WhatIsSetHoldsAndTheRestIsByDefault) {
  Quota quota;
  quota.set_messages_per_second(5);
  quota.set_bytes_waiting(kNoLimit);
  const Limits limits = Resolve(quota, BuiltInLimits(QuotaSubject::TEAM));
  EXPECT_EQ(limits.messages_per_second, 5);
  EXPECT_EQ(limits.messages_per_day, kDefaultTeamMessagesPerDay);
  EXPECT_EQ(limits.bytes_waiting, kNoLimit);
  EXPECT_FALSE(limits.bytes_waiting_by_default);
  EXPECT_TRUE(BuiltInLimits(QuotaSubject::TEAM).bytes_waiting_by_default);
}

TEST(LimitsTest, EachKindHasItsFields) {
  const Quota team = ToQuota(BuiltInLimits(QuotaSubject::TEAM), QuotaSubject::TEAM);
  EXPECT_TRUE(team.has_topics());
  EXPECT_EQ(team.messages_per_second(), kNoLimit);
  const Quota app = ToQuota(BuiltInLimits(QuotaSubject::APP), QuotaSubject::APP);
  EXPECT_TRUE(app.has_messages_per_day());
  EXPECT_FALSE(app.has_topics());
  EXPECT_FALSE(app.has_receipt_streams());
}

TEST(LimitsTest, ClearComesBeforeSet) {
  SetQuotaRequest request = Request(QuotaSubject::TEAM, "teamteam22");
  request.add_clear("topics");
  request.add_clear("messages_per_day");
  request.mutable_set()->set_messages_per_day(7);
  ASSERT_TRUE(CheckSetQuota(request).ok());
  Quota quota;
  quota.set_topics(3);
  quota.set_bytes_waiting(9);
  Apply(request, &quota);
  EXPECT_FALSE(quota.has_topics());
  EXPECT_EQ(quota.messages_per_day(), 7);
  EXPECT_EQ(quota.bytes_waiting(), 9);
}

TEST(LimitsTest, WrongRequestsAreToldWhatIsWrong) {
  const auto field_of = [](const SetQuotaRequest& request) {
    const absl::Status status = CheckSetQuota(request);
    EXPECT_EQ(ErrorReason(status), "BAD_QUOTA") << status;
    return ErrorField(status).value_or("");
  };
  EXPECT_EQ(field_of(SetQuotaRequest()), "subject.kind");
  EXPECT_EQ(field_of(Request(QuotaSubject::SUBSCRIPTION, "teamteam22")), "subject.id");
  EXPECT_EQ(field_of(Request(QuotaSubject::APP, std::string(129, 'a'))), "subject.id");
  SetQuotaRequest request = Request(QuotaSubject::APP, "com.example.mail");
  request.mutable_set()->set_topics(1);
  EXPECT_EQ(field_of(request), "set.topics");
  request = Request(QuotaSubject::TEAM);
  request.mutable_set()->set_messages_per_second(-2);
  EXPECT_EQ(field_of(request), "set.messages_per_second");
  request.mutable_set()->set_messages_per_second(kMaxMessagesPerSecondLimit + 1);
  EXPECT_EQ(field_of(request), "set.messages_per_second");
  request.mutable_set()->set_messages_per_second(kNoLimit);
  request.add_clear("colour");
  EXPECT_EQ(field_of(request), "clear");
  request.set_clear(0, "topics");
  EXPECT_TRUE(CheckSetQuota(request).ok());
}

}  // namespace
}  // namespace bellwire::registry
