#include "registry/engine/postgres/pg_status.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "gtest/gtest.h"

namespace bellwire::registry {
namespace {

TEST(PgStatusTest, WhatTheServerSaysBecomesOneLine) {
  EXPECT_EQ(PgOneLine("ERROR:  a\n\tb  c\x01\n"), "ERROR: a b c");
  EXPECT_EQ(PgOneLine(""), "");
  EXPECT_LE(PgOneLine(std::string(10'000, 'x')).size(), kMaxDatabaseTextBytes + 3);
}

TEST(PgStatusTest, EveryErrorButDamageIsWorthARepetition) {
  for (const char* sqlstate : {"40P01", "40001", "25006", "53100", "53300", "28P01", "42P01",
                               "57P01", "55P03", "22000"}) {
    const absl::Status status = FromPgError(sqlstate, "no", "writing");
    EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << sqlstate;
    EXPECT_EQ(ErrorReason(status), "REGISTRY_UNAVAILABLE");
    EXPECT_FALSE(absl::StrContains(status.message(), '\n'));
    EXPECT_TRUE(absl::StrContains(status.message(), sqlstate)) << status;
  }
  EXPECT_EQ(ErrorReason(FromPgError("XX001", "invalid page", "reading")), "STORE_CORRUPT");
}

TEST(PgStatusTest, SaysWhatToDo) {
  EXPECT_TRUE(absl::StrContains(FromPgError("53100", "no space left", "writing").message(),
                                "make room"));
  EXPECT_TRUE(absl::StrContains(
      FromPgConnection("connection to server failed: FATAL:  password authentication failed for "
                       "user \"bellwire\"\n",
                       "connecting")
          .message(),
      "passfile"));
  EXPECT_TRUE(absl::StrContains(
      FromPgConnection("SSL error: certificate has expired", "connecting").message(), "renew"));
}

TEST(PgStatusTest, KindsOfErrors) {
  EXPECT_TRUE(IsPgSetupError("28P01"));
  EXPECT_TRUE(IsPgSetupError("42501"));
  EXPECT_FALSE(IsPgSetupError("53300"));
  EXPECT_TRUE(EndsPgConnection("25006"));
  EXPECT_TRUE(EndsPgConnection("57P01"));
  EXPECT_FALSE(EndsPgConnection("40P01"));
}

}  // namespace
}  // namespace bellwire::registry
