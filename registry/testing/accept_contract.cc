// What a Store promises of accepting messages: durability, and retries under the same id. Part of
// StoreContractTest.

#include <array>
#include <string>
#include <vector>

#include "common/error.h"
#include "common/limits.h"
#include "common/trace_context.h"
#include "registry/mailbox/message_life.h"
#include "registry/testing/store_contract.h"

namespace bellwire::registry {
namespace {

TEST_P(StoreContractTest, AnAcceptedMessageIsInTheMailboxAndSurvivesARestart) {
  const TokenRef token = Register(Device(1));
  const AppendResult first = Append(token, Message(1));
  EXPECT_EQ(first.seq, 1);
  EXPECT_FALSE(first.duplicate);
  EXPECT_FALSE(first.route.has_value());
  EXPECT_EQ(first.state, push::v1::STORED);
  EXPECT_EQ(Append(token, Message(2)).seq, 2);
  Restart();
  EXPECT_EQ(Mailbox(Device(1)), (Strings{"1", "2"}));
  EXPECT_EQ(Steps(token, 1), "ACCEPTED STORED");
  EXPECT_EQ(Append(token, Message(3)).seq, 3);
}

TEST_P(StoreContractTest, WhatWasNotCommittedIsGoneAfterARestart) {
  const TokenRef token = Register(Device(1));
  ASSERT_TRUE(store().Append(token, Message(1), {}).ok());
  EXPECT_EQ(Steps(token, 1), "ACCEPTED STORED");
  Restart();
  EXPECT_EQ(Mailbox(Device(1)), Strings{});
  EXPECT_EQ(Steps(token, 1), "MESSAGE_NOT_FOUND");
  EXPECT_EQ(Append(token, Message(1)).seq, 1);
}

TEST_P(StoreContractTest, AMessageKeepsAllThatItCameWith) {
  const TokenRef token = Register(Device(1));
  Envelope message = Message(1);
  message.set_payload(std::string(kMaxPayloadBytes, '\0'));
  message.set_priority(push::v1::PRIORITY_HIGH);
  message.set_collapse_key("key");
  Append(token, message);
  const Page page = *store().Pull(Device(1), 0, Wide());
  ASSERT_EQ(page.messages.size(), 1);
  message.set_seq(1);
  message.set_registration_id(token.registration_id);
  message.set_stored_at_ms(WallNowMs(clock()));
  EXPECT_EQ(page.messages[0].SerializeAsString(), message.SerializeAsString());
}

TEST_P(StoreContractTest, AMessageTellsItsTraceForAsLongAsItIsKnown) {
  const TokenRef token = Register(Device(1));
  Append(token, Message(1));
  EXPECT_EQ(store().GetMessage(token, Id(1))->traceparent(), "");
  constexpr char kTrace[] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  Envelope message = Message(2);
  message.set_trace_context(*ParseTraceparent(kTrace));
  Append(token, message);
  Envelope now_or_never = Message(3, absl::ZeroDuration());
  now_or_never.set_trace_context(*ParseTraceparent(kTrace));
  Append(token, now_or_never);
  Restart();
  EXPECT_EQ(store().GetMessage(token, Id(2))->traceparent(), kTrace);
  EXPECT_EQ(store().GetMessage(token, Id(3))->traceparent(), kTrace);
  // A retry in another trace is the same message, and stays in the first one.
  message.set_trace_context(std::string(kTraceContextBytes, 't'));
  EXPECT_TRUE(Append(token, message).duplicate);
  Bind(Device(1), 1);
  Ack(Device(1), {1, 2});
  AppAck(token, 2);
  EXPECT_EQ(store().GetMessage(token, Id(2))->traceparent(), kTrace);
}

TEST_P(StoreContractTest, MailboxesOfDevicesAreApart) {
  const TokenRef a = Register(Device(1));
  const TokenRef b = Register(Device(2));
  Append(a, Message(1));
  Append(b, Message(1));
  Append(b, Message(2));
  EXPECT_EQ(Mailbox(Device(1)), (Strings{"1"}));
  EXPECT_EQ(Mailbox(Device(2)), (Strings{"1", "2"}));
}

TEST_P(StoreContractTest, ARetryIsAnsweredAsTheFirstWas) {
  const TokenRef token = Register(Device(1));
  const Envelope message = Message(1);
  Append(token, message);
  clock().Advance(absl::Hours(23));
  Envelope retry = Message(1);
  const AppendResult again = Append(token, retry);
  EXPECT_TRUE(again.duplicate);
  EXPECT_EQ(again.seq, 1);
  EXPECT_EQ(again.state, push::v1::STORED);
  EXPECT_EQ(Append(token, Message(2)).seq, 2);
}

TEST_P(StoreContractTest, ARetryIsKnownAfterTheMessageHasEnded) {
  const TokenRef token = Register(Device(1));
  Append(token, Message(1));
  Ack(Device(1), {1});
  AppAck(token, 1);
  Restart();
  const AppendResult again = Append(token, Message(1));
  EXPECT_TRUE(again.duplicate);
  EXPECT_EQ(again.state, push::v1::APP_ACKED);
  EXPECT_EQ(Mailbox(Device(1)), Strings{});
}

// It is not looked for before, and it is there afterwards like any other.
TEST_P(StoreContractTest, AMessageWhoseIdIsNewIsKnownFromThenOn) {
  const TokenRef token = Register(Device(1));
  const absl::StatusOr<AppendResult> appended =
      store().Append(token, Message(1), {.message_id_is_new = true});
  ASSERT_TRUE(appended.ok()) << appended.status();
  EXPECT_EQ(appended->seq, 1);
  Commit();
  Restart();
  EXPECT_TRUE(Append(token, Message(1)).duplicate);
  EXPECT_EQ(Steps(token, 1), "ACCEPTED STORED");
  EXPECT_EQ(Mailbox(Device(1)), (Strings{"1"}));
}

TEST_P(StoreContractTest, OtherContentUnderTheSameIdIsRefused) {
  const TokenRef token = Register(Device(1));
  Append(token, Message(1));
  Envelope other = Message(1);
  other.set_payload("other");
  EXPECT_EQ(ErrorReason(store().Append(token, other, {}).status()), "MESSAGE_ID_REUSED");
  other = Message(1, absl::Hours(2));
  EXPECT_EQ(ErrorReason(store().Append(token, other, {}).status()), "MESSAGE_ID_REUSED");
}

TEST_P(StoreContractTest, MessageIdsAreUniquePerTokenOnly) {
  const TokenRef mail = Register(Device(1), kApp);
  const TokenRef chat = Register(Device(1), kApp2);
  EXPECT_FALSE(Append(mail, Message(1)).duplicate);
  EXPECT_FALSE(Append(chat, Message(1)).duplicate);
  Ack(Device(1), {1, 2});
  AppAck(chat, 1);
  EXPECT_EQ(Steps(mail, 1), "ACCEPTED STORED SENT AGENT_ACKED");
  EXPECT_EQ(Steps(chat, 1), "ACCEPTED STORED SENT AGENT_ACKED APP_ACKED");
}

TEST_P(StoreContractTest, IdsWithTheSameShortHashAreKeptApart) {
  const TokenRef token = Register(Device(1));
  const MessageId first(std::array<uint8_t, 16>{1, 2, 3, 4, 5, 6, 7, 8});
  const MessageId second(std::array<uint8_t, 16>{5, 6, 7, 8, 1, 2, 3, 4});
  ASSERT_EQ(ShortHash(first), ShortHash(second));
  Envelope message = Message(1);
  message.set_message_id(std::string(first.bytes()));
  EXPECT_FALSE(Append(token, message).duplicate);
  message.set_message_id(std::string(second.bytes()));
  EXPECT_FALSE(Append(token, message).duplicate);
  EXPECT_EQ(Append(token, message).seq, 2);
  ASSERT_TRUE(store().Recall(token, second).ok());
  EXPECT_EQ(store().GetMessage(token, second)->state(), push::v1::RECALLED);
  EXPECT_EQ(store().GetMessage(token, first)->state(), push::v1::STORED);
}

TEST_P(StoreContractTest, ValidateOnlyChecksAndStoresNothing) {
  const TokenRef token = Register(Device(1));
  EXPECT_TRUE(store().Append(token, Message(1), {.validate_only = true}).ok());
  Commit();
  EXPECT_EQ(Mailbox(Device(1)), Strings{});
  EXPECT_EQ(Steps(token, 1), "MESSAGE_NOT_FOUND");
  EXPECT_EQ(ErrorReason(store()
                            .Append({Device(1), token.registration_id, kOtherTeam}, Message(1),
                                    {.validate_only = true})
                            .status()),
            "TOKEN_NOT_FOR_TEAM");
}

}  // namespace
}  // namespace bellwire::registry
