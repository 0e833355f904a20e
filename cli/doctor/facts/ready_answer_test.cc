#include "cli/doctor/facts/ready_answer.h"

#include "gtest/gtest.h"

namespace bellwire::cli {
namespace {

TEST(ReadyAnswerTest, ReadsStatusAndDate) {
  const auto answer = ParseReadyAnswer(
      "HTTP/1.1 503 Service Unavailable\r\nDate: Fri, 15 Jan 2027 08:00:00 GMT\r\n\r\ndraining\n");
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->status, 503);
  EXPECT_EQ(answer->date, absl::FromUnixSeconds(1'800'000'000));
}

TEST(ReadyAnswerTest, ADateThatMakesNoSenseIsNone) {
  for (const char* head :
       {"HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\ndate: tomorrow\r\n\r\n"}) {
    const auto answer = ParseReadyAnswer(head);
    ASSERT_TRUE(answer.has_value()) << head;
    EXPECT_EQ(answer->status, 200);
    EXPECT_FALSE(answer->date.has_value());
  }
}

TEST(ReadyAnswerTest, WhatIsNoHttpIsNoAnswer) {
  EXPECT_FALSE(ParseReadyAnswer(absl::string_view()).has_value());
  for (const char* head : {"", "HTTP/1.1", "HTTP/1.1 ", "HTTP/1.1 2", "HTTP/1.1 9999 x",
                           "HTTP/2 200", "HTTP/1.1 -20", "220 mail.example ESMTP\r\n"}) {
    EXPECT_FALSE(ParseReadyAnswer(head).has_value()) << head;
  }
}

}  // namespace
}  // namespace bellwire::cli
