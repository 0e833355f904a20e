// The files of a store in RocksDB whose payloads are sealed hold no payload, nor anything of a
// former key.

#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/testing/temp_dir.h"
#include "crypto/payload_keys.h"
#include "gtest/gtest.h"
#include "registry/check/check.h"
#include "registry/check/store_check.h"
#include "registry/engine/rocksdb/rocksdb_engine.h"
#include "registry/sealing/payload_key_file.h"
#include "registry/sealing/sealed_engine.h"
#include "registry/server/kv_store.h"

namespace bellwire::registry {
namespace {

std::vector<std::string> ProblemsOf(const KvReader& reader) {
  CheckReport report;
  CheckRecords(
      reader, [](uint64_t) {}, &report);
  std::vector<std::string> problems;
  for (const CheckProblem& p : report.problems) problems.push_back(p.where + ": " + p.what);
  return problems;
}

// Whoever takes the store must not have its key.
TEST(PayloadKeyFileTest, LiesOutsideOfWhatItProtects) {
  const TempDir store;
  const TempDir elsewhere;
  EXPECT_TRUE(CheckOutside(elsewhere.path("keys"), {store.path(), ""}).ok());
  for (const char* file : {"keys", "deeper/keys", "../other/./../keys"}) {
    const bool inside = std::string(file).find("other") == std::string::npos;
    EXPECT_EQ(ErrorReason(CheckOutside(store.path(file), {store.path()})),
              inside ? "PAYLOAD_KEY_FILE_INSIDE" : "")
        << file;
  }
}

class SealedFilesTest : public testing::Test {
 protected:
  static constexpr int kMessages = 300;

  static DeviceId Device(int n) {
    return DeviceId(std::array<uint8_t, 16>{static_cast<uint8_t>(n * 37)});
  }

  // A start of the server. `keys` empty: without sealing.
  void Open(const std::vector<uint8_t>& keys) {
    store_.reset();
    sealed_ = nullptr;
    auto rocks = RocksDbEngine::Open({.directory = directory_.path("store"), .clock = RealClock()});
    ASSERT_TRUE(rocks.ok()) << rocks.status();
    RocksDbEngine* const disk = rocks->get();
    std::unique_ptr<KvEngine> engine = *std::move(rocks);
    KvStore::Options options{.clock = RealClock(),
                             .random = [this] { return ++random_ * 0x9e3779b97f4a7c15; }};
    if (!keys.empty()) {
      auto sealed = SealedEngine::Open(
          std::move(engine), {.clock = RealClock(),
                              .keys = PayloadKeys::ForTesting(keys),
                              .forget_old_versions = [disk] { return disk->ForgetOldVersions(); }});
      ASSERT_TRUE(sealed.ok()) << sealed.status();
      sealed_ = sealed->get();
      options.chores = {sealed_};
      engine = *std::move(sealed);
    }
    store_ = std::make_unique<KvStore>(std::move(engine), std::move(options));
  }
  void Register() {
    admin::v1::Team team;
    team.set_team_id("teamaaaaaa");
    ASSERT_TRUE(store_->PutTeam(team).ok());
    admin::v1::App app;
    app.set_app_id("com.example.mail");
    app.set_team_id("teamaaaaaa");
    ASSERT_TRUE(store_->PutApp(app).ok());
    for (int d = 0; d < 5; ++d) {
      const auto registered = store_->RegisterApp(Device(d), "com.example.mail");
      ASSERT_TRUE(registered.ok()) << registered.status();
      tokens_.push_back({Device(d), registered->registration_id, "teamaaaaaa"});
    }
    ASSERT_TRUE(store_->Commit().ok());
  }
  // `texts` messages that say "NAME and a number".
  void Append(absl::string_view name, int texts) {
    for (int n = 0; n < texts; ++n) {
      Envelope message;
      message.set_message_id(absl::StrCat(absl::Hex(++random_, absl::kZeroPad16)));
      message.set_payload(absl::StrCat(name, " ", n));
      message.set_accepted_at_ms(absl::ToUnixMillis(RealClock()->WallNow()));
      message.set_expires_at_ms(message.accepted_at_ms() + 3'600'000);
      ASSERT_TRUE(store_->Append(tokens_[n % tokens_.size()], message, {}).ok());
      if (n % 10 != 0) continue;
      ASSERT_TRUE(store_->Commit().ok());
    }
    ASSERT_TRUE(store_->Commit().ok());
  }
  size_t MessagesWaiting() {
    size_t waiting = 0;
    for (const TokenRef& token : tokens_) {
      const auto page = store_->Pull(token.device, 0, {.max_bytes = 1 << 20, .max_messages = 1000});
      EXPECT_TRUE(page.ok()) << page.status();
      if (page.ok()) waiting += page->messages.size();
    }
    return waiting;
  }
  void FinishChores() {
    while (true) {
      const auto swept = store_->Sweep(16);
      ASSERT_TRUE(swept.ok()) << swept.status();
      ASSERT_TRUE(store_->Commit().ok());
      if (!swept->chores) return;
      // The tables are rewritten beside.
      std::this_thread::yield();
    }
  }
  // Files of the store in which the bytes lie.
  std::vector<std::string> FilesWith(absl::string_view bytes) {
    std::vector<std::string> found;
    for (const auto& entry :
         std::filesystem::recursive_directory_iterator(directory_.path("store"))) {
      std::ifstream file(entry.path(), std::ios::binary);
      const std::string text{std::istreambuf_iterator<char>(file), {}};
      if (absl::StrContains(text, bytes)) found.push_back(entry.path().filename());
    }
    return found;
  }

  TempDir directory_;
  uint64_t random_ = 0;
  std::unique_ptr<KvStore> store_;
  // The store's, or null.
  SealedEngine* sealed_ = nullptr;
  std::vector<TokenRef> tokens_;
};

TEST_F(SealedFilesTest, NoFileHasAPayload) {
  Open({});
  Register();
  Append("for everybody", 20);
  EXPECT_FALSE(FilesWith("for everybody").empty()) << "the search finds what is in the clear";
  Open({1});
  Append("only for the app", kMessages);
  EXPECT_TRUE(FilesWith("only for the app").empty());
  FinishChores();
  EXPECT_EQ(FilesWith("for everybody"), std::vector<std::string>());
  EXPECT_EQ(FilesWith("only for the app"), std::vector<std::string>());
  EXPECT_EQ(MessagesWaiting(), kMessages + 20u);
  EXPECT_FALSE(sealed_->Describe().old_files());
  EXPECT_EQ(ProblemsOf(*sealed_), std::vector<std::string>());
}

TEST_F(SealedFilesTest, NothingOfAFormerKeyIsLeft) {
  const std::string old_id = PayloadKeys::ForTesting({1})->newest().id;
  const std::string new_id = PayloadKeys::ForTesting({2})->newest().id;
  const std::string mark("\x07\x01", 2);
  Open({1});
  Register();
  Append("text", kMessages);
  EXPECT_FALSE(FilesWith(mark + old_id).empty());
  Open({2, 1});
  Append("more", 30);
  FinishChores();
  EXPECT_EQ(FilesWith(mark + old_id), std::vector<std::string>());
  EXPECT_FALSE(FilesWith(mark + new_id).empty());
  Open({2});
  EXPECT_EQ(MessagesWaiting(), kMessages + 30u);
}

TEST_F(SealedFilesTest, ACheckNeedsTheKeysAndFindsWhatWasSwapped) {
  Open({1});
  Register();
  Append("text", 20);
  store_.reset();
  const auto progress = [](absl::string_view, uint64_t) {};
  const std::string store = directory_.path("store");
  const std::string key_file = directory_.path("keys");
  EXPECT_EQ(ErrorReason(CheckStore({.directory = store}, progress).status()),
            "PAYLOAD_KEY_MISSING");
  ASSERT_TRUE(PayloadKeys::CreateFile(key_file).ok());
  EXPECT_EQ(ErrorReason(
                CheckStore({.directory = store, .payload_key_file = key_file}, progress).status()),
            "PAYLOAD_KEY_MISSING");
  const PayloadKey key = PayloadKeys::ForTesting({1})->newest();
  std::ofstream(key_file, std::ios::trunc)
      << PayloadKeyName(key.id) << " "
      << absl::BytesToHexString(
             absl::string_view(reinterpret_cast<const char*>(key.bytes.data()), key.bytes.size()))
      << "\n";
  const auto sound = CheckStore({.directory = store, .payload_key_file = key_file}, progress);
  ASSERT_TRUE(sound.ok()) << sound.status();
  EXPECT_TRUE(sound->records.sound());
  EXPECT_EQ(sound->records.counts[static_cast<size_t>(RecordKind::kMessage)], 20u);

  // Two messages change places.
  auto rocks = RocksDbEngine::Open({.directory = store, .clock = RealClock()});
  ASSERT_TRUE(rocks.ok()) << rocks.status();
  std::vector<std::pair<std::string, std::string>> messages;
  ASSERT_TRUE((*rocks)
                  ->Scan(Family::kDevices, "", std::string(64, '\xff'),
                         [&](absl::string_view place, absl::string_view value) {
                           if (HoldsPayload(Family::kDevices, place)) {
                             messages.emplace_back(place, value);
                           }
                           return messages.size() < 2;
                         })
                  .ok());
  ASSERT_EQ(messages.size(), 2u);
  ASSERT_TRUE((*rocks)
                  ->Commit({{{Family::kDevices, messages[0].first}, messages[1].second},
                            {{Family::kDevices, messages[1].first}, messages[0].second}})
                  .ok());
  rocks->reset();
  const auto swapped = CheckStore({.directory = store, .payload_key_file = key_file}, progress);
  ASSERT_TRUE(swapped.ok()) << swapped.status();
  EXPECT_GE(swapped->records.problem_count, 2u);
}

}  // namespace
}  // namespace bellwire::registry
