#include "gateway/auth/key_cache.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/error.h"
#include "common/limits.h"
#include "common/simulated_clock.h"
#include "gateway/testing/fake_registry.h"
#include "gtest/gtest.h"

namespace bellwire::gateway {
namespace {

using KeyOrError = absl::StatusOr<std::shared_ptr<const KnownKey>>;

class KeyCacheTest : public ::testing::Test {
 protected:
  KeyCacheTest() : cache_(&registry_, &clock_) {
    registry_.get_key =
        [this](const internal::v1::GetKeyRequest& request) -> absl::StatusOr<admin::v1::Key> {
      ++fetches_;
      if (!error_.ok()) return error_;
      admin::v1::Key key;
      key.set_key_id(request.key_id());
      key.set_team_id("teamteam22");
      key.set_public_key_pem("pem");
      if (revoked_) key.mutable_revoke_time()->set_seconds(1);
      return key;
    };
  }

  KeyOrError Get(const std::string& id) {
    KeyOrError result = absl::UnknownError("no answer yet");
    cache_.Get(id, [&result](KeyOrError key) { result = std::move(key); });
    return result;
  }

  FakeRegistry registry_;
  SimulatedClock clock_;
  int fetches_ = 0;
  absl::Status error_;
  bool revoked_ = false;
  KeyCache cache_;
};

TEST_F(KeyCacheTest, AsksOnceAndRemembers) {
  for (int i = 0; i < 3; ++i) {
    const KeyOrError key = Get("k");
    ASSERT_TRUE(key.ok()) << key.status();
    EXPECT_EQ((*key)->team_id, "teamteam22");
    EXPECT_EQ((*key)->public_key_pem, "pem");
  }
  EXPECT_EQ(fetches_, 1);
}

TEST_F(KeyCacheTest, ARevocationBitesWithinTheAgeLimit) {
  EXPECT_TRUE(Get("k").ok());
  revoked_ = true;
  clock_.Advance(kKeyFreshness - absl::Seconds(1));
  EXPECT_TRUE(Get("k").ok());
  clock_.Advance(absl::Seconds(1));
  EXPECT_EQ(ErrorReason(Get("k").status()), "BAD_CREDENTIAL");
}

TEST_F(KeyCacheTest, TheAgeCountsFromTheQuestion) {
  registry_.HoldAnswers();
  KeyOrError first = absl::UnknownError("no answer yet");
  cache_.Get("k", [&first](KeyOrError key) { first = std::move(key); });
  clock_.Advance(kKeyFreshness);
  registry_.ReleaseAnswers();
  EXPECT_TRUE(first.ok());
  EXPECT_TRUE(Get("k").ok());
  EXPECT_EQ(fetches_, 2);
}

TEST_F(KeyCacheTest, UnknownIdsAreRememberedShortly) {
  error_ = MakeError(absl::StatusCode::kNotFound, "KEY_NOT_FOUND", "no such key");
  for (int i = 0; i < 3; ++i) {
    const absl::Status status = Get("k").status();
    EXPECT_EQ(status.code(), absl::StatusCode::kUnauthenticated);
    EXPECT_EQ(ErrorReason(status), "BAD_CREDENTIAL");
  }
  EXPECT_EQ(fetches_, 1);
  error_ = absl::OkStatus();
  clock_.Advance(kMaxUnknownKeyAge);
  EXPECT_TRUE(Get("k").ok());
}

TEST_F(KeyCacheTest, AFloodOfUnknownIdsLeavesTheKnownKeys) {
  EXPECT_TRUE(Get("k").ok());
  error_ = MakeError(absl::StatusCode::kNotFound, "KEY_NOT_FOUND", "no such key");
  for (size_t i = 0; i < 2 * kMaxCachedUnknownKeys; ++i) {
    EXPECT_FALSE(Get(absl::StrCat("unknown", i)).ok());
  }
  EXPECT_TRUE(Get("k").ok());
}

TEST_F(KeyCacheTest, AnAbsentRegistryIsNotRemembered) {
  error_ = absl::UnavailableError("connection refused");
  EXPECT_EQ(ErrorReason(Get("k").status()), "REGISTRY_UNAVAILABLE");
  error_ = absl::OkStatus();
  EXPECT_TRUE(Get("k").ok());
}

TEST_F(KeyCacheTest, OneFetchAnswersAllWhoWait) {
  registry_.HoldAnswers();
  int answered = 0;
  for (int i = 0; i < 5; ++i) {
    cache_.Get("k", [&answered](KeyOrError key) { answered += key.ok(); });
  }
  EXPECT_EQ(fetches_, 1);
  EXPECT_EQ(answered, 0);
  registry_.ReleaseAnswers();
  EXPECT_EQ(answered, 5);
}

TEST_F(KeyCacheTest, FetchesAreBounded) {
  registry_.HoldAnswers();
  size_t answered = 0;
  for (size_t i = 0; i < kMaxKeyFetches; ++i) {
    cache_.Get(absl::StrCat("k", i), [&answered](KeyOrError key) { answered += key.ok(); });
  }
  const absl::Status status = Get("one too many").status();
  EXPECT_EQ(ErrorReason(status), "OVERLOADED");
  EXPECT_TRUE(RetryAfter(status).has_value());
  registry_.ReleaseAnswers();
  EXPECT_EQ(answered, kMaxKeyFetches);
  EXPECT_TRUE(Get("one too many").ok());
}

// What a stranger with made-up key ids would like to reach.
TEST_F(KeyCacheTest, AKeyThatGrewOldIsRenewedBesideAnyFloodOfMadeUpIds) {
  EXPECT_TRUE(Get("k").ok());
  clock_.Advance(kKeyFreshness);
  registry_.HoldAnswers();
  size_t answered = 0;
  const auto count = [&answered](KeyOrError key) { answered += key.ok(); };
  for (size_t i = 0; i < kMaxKeyFetches; ++i) cache_.Get(absl::StrCat("made up ", i), count);
  for (size_t i = kMaxKeyFetches; i < kMaxKeyWaiters; ++i) cache_.Get("made up 0", count);
  EXPECT_EQ(ErrorReason(Get("made up 0").status()), "OVERLOADED");
  answered = 0;
  for (int i = 0; i < 3; ++i) cache_.Get("k", count);
  EXPECT_EQ(answered, 0u);
  EXPECT_EQ(registry_.held(), kMaxKeyFetches + 1);
  registry_.ReleaseAnswers();
  EXPECT_EQ(answered, kMaxKeyWaiters + 3);
  EXPECT_TRUE(Get("made up 0").ok());
}

TEST_F(KeyCacheTest, WaitersAreBounded) {
  registry_.HoldAnswers();
  size_t answered = 0;
  for (size_t i = 0; i < kMaxKeyWaiters; ++i) {
    cache_.Get("k", [&answered](KeyOrError key) { answered += key.ok(); });
  }
  EXPECT_EQ(ErrorReason(Get("k").status()), "OVERLOADED");
  registry_.ReleaseAnswers();
  EXPECT_EQ(answered, kMaxKeyWaiters);
}

// A burst of Sends that falls onto the moment when the key is due.
TEST_F(KeyCacheTest, AKeyThatIsInUseKeepsNobodyWaiting) {
  EXPECT_TRUE(Get("k").ok());
  clock_.Advance(kKeyRefreshAge);
  registry_.HoldAnswers();
  // The first that comes late enough has it looked up, and waits for nothing.
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(Get("k").ok());
  cache_.Use("k");
  EXPECT_EQ(fetches_, 2);
  EXPECT_EQ(registry_.held(), 1u);
  clock_.Advance(kKeyFreshness - kKeyRefreshAge - absl::Milliseconds(1));
  registry_.ReleaseAnswers();
  registry_.HoldAnswers();
  // Past the age of the first answer.
  clock_.Advance(absl::Milliseconds(1));
  for (int i = 0; i < 5000; ++i) ASSERT_TRUE(Get("k").ok());
  EXPECT_EQ(fetches_, 3);
  registry_.ReleaseAnswers();
}

TEST_F(KeyCacheTest, ALookUpAheadBringsARevocationEarlier) {
  EXPECT_TRUE(Get("k").ok());
  revoked_ = true;
  clock_.Advance(kKeyRefreshAge - absl::Milliseconds(1));
  EXPECT_TRUE(Get("k").ok());
  clock_.Advance(absl::Milliseconds(1));
  EXPECT_TRUE(Get("k").ok());  // It is looked up now, and whoever asks isn't kept.
  EXPECT_EQ(ErrorReason(Get("k").status()), "BAD_CREDENTIAL");
  EXPECT_EQ(fetches_, 2);
}

TEST_F(KeyCacheTest, WhileTheRegistryIsAwayAKnownKeyIsGoodAndAskedForNowAndThen) {
  EXPECT_TRUE(Get("k").ok());
  error_ = absl::UnavailableError("connection refused");
  clock_.Advance(kKeyRefreshAge);
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(Get("k").ok());
  EXPECT_EQ(fetches_, 2);
  clock_.Advance(kKeyRefreshRetry);
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(Get("k").ok());
  EXPECT_EQ(fetches_, 3);
  clock_.Advance(kKeyFreshness - kKeyRefreshAge - kKeyRefreshRetry);
  EXPECT_EQ(ErrorReason(Get("k").status()), "REGISTRY_UNAVAILABLE");
}

TEST_F(KeyCacheTest, ALookUpAheadMayOutliveTheCache) {
  auto cache = std::make_unique<KeyCache>(&registry_, &clock_);
  cache->Get("k", [](KeyOrError) {});
  clock_.Advance(kKeyRefreshAge);
  registry_.HoldAnswers();
  cache->Use("k");
  EXPECT_EQ(registry_.held(), 1u);
  cache.reset();
  registry_.ReleaseAnswers();
}

// What a call that ends with the answer may do to the gateway.
TEST_F(KeyCacheTest, MayDieWithItsLastAnswer) {
  auto cache = std::make_unique<KeyCache>(&registry_, &clock_);
  KeyCache* const raw = cache.get();
  registry_.HoldAnswers();
  raw->Get("k", [](KeyOrError) {});
  raw->Get("k", [cache = std::move(cache)](KeyOrError) mutable { cache.reset(); });
  registry_.ReleaseAnswers();
}

}  // namespace
}  // namespace bellwire::gateway
