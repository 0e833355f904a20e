#include "registry/testing/store_contract.h"

#include <array>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/clock.h"
#include "common/error.h"

namespace bellwire::registry {

void StoreContractTest::SetUp() {
  under_test_ = GetParam()();
  for (const char* id : {kTeam, kOtherTeam}) {
    admin::v1::Team team;
    team.set_team_id(id);
    team.set_name("A team");
    ASSERT_TRUE(store().PutTeam(team).ok());
  }
  PutApp(kApp, admin::v1::DROP_OLDEST);
  PutApp(kApp2, admin::v1::DROP_OLDEST);
  Commit();
}

void StoreContractTest::TearDown() {
  EXPECT_EQ(under_test_->Problems(), std::vector<std::string>{});
}

void StoreContractTest::Sweep() {
  while (true) {
    const absl::StatusOr<SweepResult> swept = store().Sweep(7);
    ASSERT_TRUE(swept.ok()) << swept.status();
    ASSERT_LE(swept->handled, 7);
    Commit();
    if (!swept->more) return;
  }
}

DeviceId StoreContractTest::Device(uint8_t n) { return DeviceId(std::array<uint8_t, 16>{0xd0, n}); }

MessageId StoreContractTest::Id(uint32_t n) {
  std::array<uint8_t, 16> bytes{};
  for (int i = 0; i < 4; ++i) bytes[i] = static_cast<uint8_t>(n >> (24 - 8 * i));
  return MessageId(bytes);
}

Route StoreContractTest::RouteOf(uint64_t login_number) {
  Route route;
  route.set_connector_address("127.0.0.1:7446");
  route.set_connector_incarnation(7);
  route.set_session_id(1000 + login_number);
  route.set_login_number(login_number);
  return route;
}

void StoreContractTest::PutApp(const std::string& app_id, admin::v1::OverflowPolicy policy) {
  admin::v1::App app;
  app.set_app_id(app_id);
  app.set_team_id(kTeam);
  app.set_overflow_policy(policy);
  ASSERT_TRUE(store().PutApp(app).ok());
}

TokenRef StoreContractTest::Register(const DeviceId& device, const std::string& app_id) {
  const absl::StatusOr<RegistrationResult> result = store().RegisterApp(device, app_id);
  EXPECT_TRUE(result.ok()) << result.status();
  Commit();
  return {device, result.value_or(RegistrationResult()).registration_id, kTeam};
}

TokenRef StoreContractTest::Subscribe(const DeviceId& device, const Subscription& wanted) {
  const absl::StatusOr<RegistrationResult> result = store().RegisterSubscription(device, wanted);
  EXPECT_TRUE(result.ok()) << result.status();
  Commit();
  return {device, result.value_or(RegistrationResult()).registration_id, "", wanted.vapid_key()};
}

std::string StoreContractTest::WhyNot(const TokenRef& token, uint32_t id) {
  return ErrorReason(store().Append(token, Message(id), {}).status());
}

Envelope StoreContractTest::Message(uint32_t id, absl::Duration ttl) {
  Envelope message;
  message.set_message_id(std::string(Id(id).bytes()));
  message.set_payload(absl::StrCat("payload ", id));
  message.set_accepted_at_ms(NowMs());
  message.set_expires_at_ms(NowMs() + absl::ToInt64Milliseconds(ttl));
  return message;
}

AppendResult StoreContractTest::Append(const TokenRef& token, const Envelope& message) {
  const absl::StatusOr<AppendResult> result = store().Append(token, message, {});
  EXPECT_TRUE(result.ok()) << result.status();
  Commit();
  return result.value_or(AppendResult());
}

void StoreContractTest::Fill(const TokenRef& token, uint32_t first, uint32_t last) {
  for (uint32_t id = first; id <= last; ++id) {
    ASSERT_TRUE(store().Append(token, Message(id), {}).ok());
  }
  Commit();
}

BindResult StoreContractTest::Bind(const DeviceId& device, uint64_t login_number) {
  const absl::StatusOr<BindResult> result = store().Bind(device, RouteOf(login_number), Wide(), {});
  EXPECT_TRUE(result.ok()) << result.status();
  Commit();
  return result.value_or(BindResult());
}

std::vector<std::string> StoreContractTest::HandedOver() {
  std::vector<std::string> all;
  for (const ConnectorRequest& request : std::exchange(under_test_->handed_over, {})) {
    if (request.has_recall()) {
      all.push_back(absl::StrCat("recall ", request.recall().seq()));
    } else if (request.has_evict()) {
      all.push_back(absl::StrCat("evicted by ", request.evict().winning_login_number()));
    } else if (request.deliver().message().gap_dropped() != 0) {
      all.push_back(absl::StrCat("gap ", request.deliver().message().gap_dropped()));
    } else {
      all.push_back(request.deliver().message().payload().substr(8));
    }
  }
  return all;
}

std::vector<std::string> StoreContractTest::Mailbox(const DeviceId& device) {
  std::vector<std::string> mail;
  uint64_t after = 0;
  while (true) {
    const absl::StatusOr<Page> page = store().Pull(device, after, Wide());
    EXPECT_TRUE(page.ok()) << page.status();
    if (!page.ok()) return {};
    Commit();
    for (const Envelope& message : page->messages) {
      EXPECT_GT(message.seq(), after);
      after = message.seq();
      if (message.gap_dropped() != 0) {
        mail.push_back(absl::StrCat("gap ", message.gap_dropped()));
      } else {
        mail.push_back(message.payload().substr(8));
      }
    }
    EXPECT_GE(page->complete_to_seq, after);
    after = page->complete_to_seq;
    if (!page->more) return mail;
  }
}

void StoreContractTest::Ack(const DeviceId& device, const std::vector<uint64_t>& seqs) {
  std::vector<AckItem> items;
  for (const uint64_t seq : seqs) items.push_back({seq, clock().WallNow()});
  const absl::Status status = store().Acknowledge(device, RouteOf(1), items);
  EXPECT_TRUE(status.ok() || ErrorReason(status) == "STALE_LOGIN") << status;
  Commit();
}

void StoreContractTest::AppAck(const TokenRef& token, uint32_t id, Step step) {
  EXPECT_TRUE(store().AppAcknowledge(token.device, {{Id(id), token.registration_id, step}}).ok());
  Commit();
}

std::string StoreContractTest::Steps(const TokenRef& token, uint32_t id) {
  const auto message = store().GetMessage(token, Id(id));
  if (!message.ok()) return ErrorReason(message.status());
  std::vector<std::string> steps;
  for (const push::v1::Receipt& receipt : message->receipts()) {
    steps.push_back(push::v1::Step_Name(receipt.step()));
  }
  EXPECT_EQ(push::v1::Step_Name(message->state()), steps.back());
  return absl::StrJoin(steps, " ");
}

}  // namespace bellwire::registry
