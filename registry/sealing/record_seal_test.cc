#include "registry/sealing/record_seal.h"

#include <set>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace bellwire::registry {
namespace {

constexpr char kText[] = "You have mail";

class RecordSealTest : public testing::Test {
 protected:
  std::string Seal(absl::string_view key, absl::string_view text = kText) {
    return seal_.Seal(keys_->newest().id, Family::kDevices, key, text);
  }
  bool Opens(Family family, absl::string_view key, absl::string_view sealed) {
    std::string record;
    const absl::Status status = seal_.Open(family, key, sealed, &record);
    EXPECT_TRUE(status.ok() || absl::IsDataLoss(status)) << status;
    EXPECT_EQ(record, status.ok() ? kText : "");
    return status.ok();
  }

  const std::shared_ptr<const PayloadKeys> keys_ = PayloadKeys::ForTesting({2, 1});
  RecordSeal seal_{keys_};
};

TEST_F(RecordSealTest, OpensWhereItWasSealedAndNowhereElse) {
  const std::string sealed = Seal("here");
  EXPECT_EQ(sealed.size(), RecordSeal::kOverheadBytes + sizeof(kText) - 1);
  EXPECT_FALSE(absl::StrContains(sealed, "mail"));
  EXPECT_TRUE(Opens(Family::kDevices, "here", sealed));
  EXPECT_FALSE(Opens(Family::kDevices, "there", sealed));
  EXPECT_FALSE(Opens(Family::kTopics, "here", sealed));
}

TEST_F(RecordSealTest, AChangeOfAnyByteIsNoticed) {
  const std::string sealed = Seal("here");
  for (size_t i = 0; i < sealed.size(); ++i) {
    std::string changed = sealed;
    changed[i] ^= 0x10;
    EXPECT_FALSE(Opens(Family::kDevices, "here", changed)) << i;
    EXPECT_FALSE(Opens(Family::kDevices, "here", sealed.substr(0, i))) << i;
  }
}

TEST_F(RecordSealTest, NamesItsKeyAndOpensWithAnyOfThem) {
  const PayloadKey& old_key = keys_->keys()[1];
  const std::string sealed = seal_.Seal(old_key.id, Family::kDevices, "here", kText);
  EXPECT_EQ(RecordSeal::KeyIdOf(sealed), old_key.id);
  EXPECT_EQ(RecordSeal::KeyIdOf(Seal("here")), keys_->newest().id);
  EXPECT_EQ(RecordSeal::KeyIdOf(std::string(100, 'x')), std::nullopt);
  EXPECT_EQ(RecordSeal::KeyIdOf(""), std::nullopt);
  EXPECT_TRUE(Opens(Family::kDevices, "here", sealed));
  seal_.SetKeys(PayloadKeys::ForTesting({2}));
  EXPECT_FALSE(Opens(Family::kDevices, "here", sealed));
  std::string record;
  EXPECT_TRUE(absl::StrContains(
      seal_.Open(Family::kDevices, "here", sealed, &record).message(), PayloadKeyName(old_key.id)));
}

TEST_F(RecordSealTest, TheSameTextIsNeverSealedToTheSameBytes) {
  std::set<std::string> nonces;
  for (int i = 0; i < 1000; ++i) nonces.insert(Seal("here").substr(10, XaesGcm::kNonceBytes));
  // Nor by another start of the same server.
  RecordSeal other(keys_);
  for (int i = 0; i < 1000; ++i) {
    nonces.insert(other.Seal(keys_->newest().id, Family::kDevices, "here", kText)
                      .substr(10, XaesGcm::kNonceBytes));
  }
  EXPECT_EQ(nonces.size(), 2000u);
}

TEST(HoldsPayload, MessagesAndTopicMessagesAndNothingElse) {
  const std::string device(16, 'd');
  for (const char kind : absl::string_view("DARUTNC")) {
    EXPECT_FALSE(HoldsPayload(Family::kDevices, absl::StrCat(device, std::string(1, kind), "M")));
  }
  EXPECT_TRUE(HoldsPayload(Family::kDevices, absl::StrCat(device, "M12345678")));
  EXPECT_TRUE(HoldsPayload(Family::kDevices, absl::StrCat(device, "S12345678")));
  EXPECT_FALSE(HoldsPayload(Family::kDevices, device));
  EXPECT_FALSE(HoldsPayload(Family::kLives, absl::StrCat(device, "M12345678")));
  EXPECT_TRUE(HoldsPayload(Family::kTopics, "\4teamMid"));
  EXPECT_FALSE(HoldsPayload(Family::kTopics, "\4teamPid"));
  EXPECT_FALSE(HoldsPayload(Family::kTopics, absl::string_view("\0MMMMMMMMMMMM", 13)));
  EXPECT_FALSE(HoldsPayload(Family::kTopics, ""));
  EXPECT_FALSE(HoldsPayload(Family::kTopics, "\4tea"));
}

}  // namespace
}  // namespace bellwire::registry
