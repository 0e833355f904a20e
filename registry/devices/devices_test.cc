// Who comes in as a device, who is listed, and how a device ends: the rules of this folder over a
// store in memory.

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/error.h"
#include "common/simulated_clock.h"
#include "crypto/certificates.h"
#include "crypto/device_certificate.h"
#include "crypto/device_key.h"
#include "crypto/enrolment_token.h"
#include "crypto/p256.h"
#include "google/protobuf/util/time_util.h"
#include "gtest/gtest.h"
#include "registry/check/check.h"
#include "registry/devices/device_end.h"
#include "registry/devices/device_list.h"
#include "registry/engine/memory_engine.h"
#include "registry/keys/keys.h"
#include "registry/server/kv_store.h"
#include "registry/testing/shared_engine.h"

namespace bellwire::registry {
namespace {

constexpr char kTeam[] = "teamaaaaaa";
constexpr char kApp[] = "com.example.mail";
constexpr char kPeer[] = "\x0a\x01\x01\x01";

// Spread over the whole range, as the ids of real devices are.
DeviceId Device(int n) {
  std::array<uint8_t, 16> bytes{};
  bytes[0] = static_cast<uint8_t>(n * 37);
  bytes[1] = static_cast<uint8_t>(n >> 8);
  bytes[2] = static_cast<uint8_t>(n);
  return DeviceId(bytes);
}

MessageId Id(int n) {
  std::array<uint8_t, 16> bytes{};
  bytes[0] = static_cast<uint8_t>(n >> 8);
  bytes[1] = static_cast<uint8_t>(n);
  return MessageId(bytes);
}

class DevicesTest : public ::testing::Test {
 protected:
  DevicesTest() { Open({}); }

  // The same records, under this policy.
  void Open(DevicePolicy policy) {
    store_ = std::make_unique<KvStore>(
        std::make_unique<SharedEngine>(&engine_),
        KvStore::Options{
            .clock = &clock_,
            .random = [this] { return ++random_ * 0x9e3779b97f4a7c15; },
            .devices = policy,
            .on_hand_over =
                [this](ConnectorRequest request) { hand_overs_.push_back(std::move(request)); }});
  }
  void SetUp() override {
    admin::v1::Team team;
    team.set_team_id(kTeam);
    ASSERT_TRUE(store_->PutTeam(team).ok());
    for (int i = 0; i < 100; ++i) {
      admin::v1::App app;
      app.set_app_id(i == 0 ? kApp : absl::StrCat("com.example.app", i));
      app.set_team_id(kTeam);
      ASSERT_TRUE(store_->PutApp(app).ok());
    }
    Commit();
  }

  void Commit() { ASSERT_TRUE(store_->Commit().ok()); }

  absl::Status Bind(const DeviceId& device, const std::string& token = "",
                    const std::string& peer = kPeer) {
    Route route;
    route.set_connector_address("127.0.0.1:7446");
    route.set_session_id(++session_);
    route.set_login_number(++login_);
    const absl::Status bound =
        store_->Bind(device, route, {}, {.enrolment_token = token, .peer = peer}).status();
    Commit();
    return bound;
  }
  std::string ReasonOfBind(const DeviceId& device, const std::string& token = "") {
    return ErrorReason(Bind(device, token));
  }

  // Makes an enrolment and answers its token.
  std::string Enrol(uint32_t devices, absl::Duration ttl) {
    const std::string id = std::string("enrolment") + static_cast<char>('a' + enrolments_++);
    const std::string token = NewEnrolmentToken(id);
    admin::v1::Enrolment enrolment;
    enrolment.set_enrolment_id(id);
    enrolment.set_devices(devices);
    enrolment.set_token_sha256(HashEnrolmentToken(token));
    using google::protobuf::util::TimeUtil;
    *enrolment.mutable_create_time() = TimeUtil::MillisecondsToTimestamp(WallNowMs(clock_));
    *enrolment.mutable_expire_time() =
        TimeUtil::MillisecondsToTimestamp(WallNowMs(clock_) + absl::ToInt64Milliseconds(ttl));
    const auto put = store_->PutEnrolment(enrolment);
    EXPECT_TRUE(put.ok()) << put.status();
    EXPECT_TRUE(put->token_sha256().empty()) << "nobody is answered the hash";
    EXPECT_TRUE(store_->PutEnrolment(enrolment).ok()) << "the call may be repeated";
    enrolment.set_devices(devices + 1);
    EXPECT_EQ(ErrorReason(store_->PutEnrolment(enrolment).status()), "ENROLMENT_EXISTS");
    return token;
  }

  absl::StatusOr<AppendResult> Append(const DeviceId& device, uint64_t registration, int n) {
    Envelope message;
    message.set_message_id(std::string(Id(n).bytes()));
    message.set_payload("payload");
    message.set_accepted_at_ms(WallNowMs(clock_));
    message.set_expires_at_ms(WallNowMs(clock_) + 3'600'000);
    return store_->Append({device, registration, kTeam}, message, {});
  }
  uint64_t Register(const DeviceId& device, const std::string& app = kApp) {
    const auto registered = store_->RegisterApp(device, app);
    EXPECT_TRUE(registered.ok()) << registered.status();
    return registered.ok() ? registered->registration_id : 0;
  }

  // All steps; answers what they did together.
  DeviceEndStep End(const DeviceId& device, bool forget) {
    DeviceEndStep all;
    for (int steps = 0; !all.done; ++steps) {
      const auto step = store_->EndDevice(device, {.forget = forget});
      EXPECT_TRUE(step.ok()) << step.status();
      if (!step.ok() || steps > 1000) return all;
      Commit();
      all.registrations += step->registrations;
      all.messages += step->messages;
      all.lives += step->lives;
      all.done = step->done;
    }
    return all;
  }
  uint64_t Total() { return store_->ListDevices(std::nullopt, 1)->total(); }
  void ExpectSound() {
    CheckReport report;
    CheckRecords(
        engine_, [](uint64_t) {}, &report);
    EXPECT_TRUE(report.sound()) << report.problems[0].where << ": " << report.problems[0].what;
  }

  MemoryEngine engine_;
  SimulatedClock clock_;
  uint64_t random_ = 0;
  uint64_t session_ = 0;
  uint64_t login_ = 0;
  int enrolments_ = 0;
  std::vector<ConnectorRequest> hand_overs_;
  std::unique_ptr<KvStore> store_;
};

// --- Coming in.

// What becomes of a certificate is in crypto/device_certificate_test.cc.
TEST_F(DevicesTest, ACertificateOfTheAuthorityLetsItsDeviceIn) {
  const Validity validity = {clock_.WallNow(), clock_.WallNow() + absl::Hours(24)};
  const KeyAndCertificate ca = *MakeCertificateAuthority("devices", validity);
  const EvpPkeyPtr key = *GenerateP256Key();
  const DeviceId device = *DeviceIdOf(PublicKeyDer(key.get()));
  const auto shown_of = [&](const KeyAndCertificate& authority) {
    const auto leaf = IssueCertificate(
        authority,
        {.common_name = "a phone", .dns_names = {"phone"}, .client = true, .validity = validity},
        PrivateKeyPem(key.get()));
    EXPECT_TRUE(leaf.ok()) << leaf.status();
    return *DeviceCertificateLine(leaf->certificate_pem);
  };
  const std::string shown = shown_of(ca);
  // A server that has no authority takes no certificate, and says so.
  Open({.enrolled_only = true});
  const absl::Status none = Bind(device, shown);
  EXPECT_EQ(ErrorReason(none), "BAD_ENROLMENT");
  EXPECT_NE(none.message().find("--device_ca"), std::string::npos) << none;

  Open({.enrolled_only = true, .authority = *DeviceAuthority::FromPem(ca.certificate_pem, "ca")});
  EXPECT_EQ(ReasonOfBind(Device(1)), "ENROLMENT_REQUIRED");
  EXPECT_EQ(ReasonOfBind(Device(1), shown), "BAD_ENROLMENT") << "it is another device's";
  EXPECT_EQ(ReasonOfBind(device, shown_of(*MakeCertificateAuthority("others", validity))),
            "BAD_ENROLMENT");
  EXPECT_EQ(ReasonOfBind(device, shown), "");
  EXPECT_EQ(ReasonOfBind(device), "") << "from now on it is known";
  // Tokens are as good as before.
  EXPECT_EQ(ReasonOfBind(Device(2), Enrol(1, absl::Hours(1))), "");
  // Who was deleted comes back by the same certificate, as long as it is good; who was revoked does
  // not.
  End(device, /*forget=*/true);
  EXPECT_EQ(ReasonOfBind(device, shown), "");
  End(device, /*forget=*/false);
  EXPECT_EQ(ReasonOfBind(device, shown), "DEVICE_REVOKED");
}

TEST_F(DevicesTest, OpenByDefault) {
  EXPECT_TRUE(Bind(Device(1)).ok());
  EXPECT_TRUE(Bind(Device(1)).ok());
  EXPECT_EQ(Total(), 1u);
}

TEST_F(DevicesTest, WhereEnrolmentIsWantedANewDeviceNeedsAToken) {
  Open({.enrolled_only = true});
  const std::string token = Enrol(1, absl::Hours(1));
  EXPECT_EQ(ReasonOfBind(Device(1)), "ENROLMENT_REQUIRED");
  EXPECT_EQ(ReasonOfBind(Device(1), "bwe_nonsense"), "BAD_ENROLMENT");
  EXPECT_EQ(ReasonOfBind(Device(1), NewEnrolmentToken("enrolmenta")), "BAD_ENROLMENT");
  EXPECT_EQ(Total(), 0u) << "who is turned away leaves nothing";
  EXPECT_TRUE(Bind(Device(1), token).ok());
  EXPECT_TRUE(Bind(Device(1)).ok()) << "it is known from then on";
  EXPECT_EQ(store_->GetDevice(Device(1))->device().enrolment_id(), "enrolmenta");
}

TEST_F(DevicesTest, ASingleUseTokenLetsOneIn) {
  Open({.enrolled_only = true});
  const std::string token = Enrol(1, absl::Hours(1));
  EXPECT_TRUE(Bind(Device(1), token).ok());
  EXPECT_EQ(ReasonOfBind(Device(2), token), "BAD_ENROLMENT");
  EXPECT_TRUE(Bind(Device(1), token).ok()) << "a login whose answer was lost";
  EXPECT_EQ(store_->ListEnrolments()->at(0).used(), 1u);
  // Who was deleted is new again, and its token is used up.
  End(Device(1), /*forget=*/true);
  EXPECT_EQ(ReasonOfBind(Device(1), token), "BAD_ENROLMENT");
}

TEST_F(DevicesTest, ATokenCountsAndEnds) {
  Open({.enrolled_only = true});
  const std::string three = Enrol(3, absl::Hours(1));
  const std::string until = Enrol(0, absl::Hours(1));
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(Bind(Device(i), three).ok());
  EXPECT_EQ(ReasonOfBind(Device(3), three), "BAD_ENROLMENT");
  for (int i = 10; i < 30; ++i) EXPECT_TRUE(Bind(Device(i), until).ok());
  clock_.Advance(absl::Hours(1));
  EXPECT_EQ(ReasonOfBind(Device(40), until), "BAD_ENROLMENT");
}

TEST_F(DevicesTest, ATokenThatWasDeletedLetsNobodyIn) {
  Open({.enrolled_only = true});
  const std::string token = Enrol(0, absl::Hours(1));
  EXPECT_TRUE(Bind(Device(1), token).ok());
  EXPECT_TRUE(store_->DeleteEnrolment("enrolmenta").ok());
  EXPECT_EQ(ReasonOfBind(Device(2), token), "BAD_ENROLMENT");
  EXPECT_TRUE(Bind(Device(1)).ok()) << "who came in stays";
  EXPECT_EQ(ErrorReason(store_->DeleteEnrolment("enrolmenta").status()), "ENROLMENT_NOT_FOUND");
}

TEST_F(DevicesTest, AFailedCommitTakesAUseBack) {
  Open({.enrolled_only = true});
  const std::string token = Enrol(1, absl::Hours(1));
  Route route;
  route.set_connector_address("127.0.0.1:7446");
  route.set_session_id(1);
  route.set_login_number(uint64_t{1} << 60);
  EXPECT_EQ(ErrorReason(store_->Bind(Device(1), route, {}, {.enrolment_token = token}).status()),
            "LOGIN_NUMBER_TOO_GREAT");
  EXPECT_EQ(store_->ListEnrolments()->at(0).used(), 0u) << "a login that is refused uses nothing";
  EXPECT_TRUE(Bind(Device(1), token).ok());
}

TEST_F(DevicesTest, AStoreTakesSoManyDevices) {
  Open({.max_devices = 3});
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(Bind(Device(i)).ok());
  const absl::Status full = Bind(Device(3));
  EXPECT_EQ(ErrorReason(full), "TOO_MANY_DEVICES");
  EXPECT_TRUE(RetryAfter(full).has_value());
  EXPECT_TRUE(Bind(Device(1)).ok()) << "a known one";
  End(Device(0), /*forget=*/true);
  EXPECT_TRUE(Bind(Device(3)).ok()) << "there is room again";
}

TEST_F(DevicesTest, NewOnesAreBoundedInTimeAndKnownOnesAreNot) {
  Open({.new_devices_per_hour = 4});
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(Bind(Device(i)).ok());
  EXPECT_EQ(ReasonOfBind(Device(5)), "TOO_MANY_NEW_DEVICES");
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(Bind(Device(1)).ok());
  clock_.Advance(absl::Hours(1));
  EXPECT_TRUE(Bind(Device(5)).ok());
}

TEST_F(DevicesTest, TheNumberOfDevicesSurvivesAndAnOldStoreIsCounted) {
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(Bind(Device(i)).ok());
  Open({});
  EXPECT_EQ(Total(), 5u);
  ASSERT_TRUE(engine_.Commit({{{Family::kNames, DeviceCountKey()}, std::nullopt}}).ok());
  Open({.max_devices = 5});
  EXPECT_EQ(Total(), 5u);
  EXPECT_EQ(ReasonOfBind(Device(9)), "TOO_MANY_DEVICES");
  ExpectSound();
}

TEST_F(DevicesTest, ADeviceHasSoManyRegistrations) {
  Open({.max_registrations_per_device = 2});
  ASSERT_TRUE(Bind(Device(1)).ok());
  Register(Device(1), "com.example.app1");
  internal::v1::Subscription page;
  page.set_instance("page");
  ASSERT_TRUE(store_->RegisterSubscription(Device(1), page).ok());
  EXPECT_EQ(ErrorReason(store_->RegisterApp(Device(1), kApp).status()), "LIMIT_REACHED");
  page.set_instance("page 2");
  EXPECT_EQ(ErrorReason(store_->RegisterSubscription(Device(1), page).status()), "LIMIT_REACHED");
  Register(Device(1), "com.example.app1");
  ASSERT_TRUE(store_->RemoveApp(Device(1), "com.example.app1", 0).ok());
  Register(Device(1));
}

TEST_F(DevicesTest, OnlyKnownDevicesHaveAppsWhereItIsWantedSo) {
  Open({.only_known_devices = true});
  EXPECT_EQ(ErrorReason(store_->RegisterApp(Device(1), kApp).status()), "SESSION_FORGOTTEN");
  EXPECT_EQ(Total(), 0u);
  ASSERT_TRUE(Bind(Device(1)).ok());
  Register(Device(1));
}

// --- The list.

TEST_F(DevicesTest, TheListHasPages) {
  for (int i = 0; i < 25; ++i) {
    ASSERT_TRUE(Bind(Device(i)).ok());
    // Records before a device's own one, and behind it.
    for (int app = 1; app < 4; ++app) {
      Append(Device(i), Register(Device(i), absl::StrCat("com.example.app", app)), i).IgnoreError();
    }
  }
  Commit();
  std::vector<std::string> ids;
  std::optional<DeviceId> after;
  for (bool more = true; more;) {
    const auto page = store_->ListDevices(after, 10);
    ASSERT_TRUE(page.ok()) << page.status();
    EXPECT_EQ(page->total(), 25u);
    EXPECT_LE(page->devices_size(), 10);
    for (const admin::v1::Device& device : page->devices()) {
      ids.push_back(device.device_id());
      EXPECT_EQ(device.registrations(), 3u);
      EXPECT_EQ(device.mailbox_messages(), 3u);
      EXPECT_TRUE(device.connected());
    }
    more = page->more();
    after = DeviceIdFromHex(ids.back());
  }
  ASSERT_EQ(ids.size(), 25u);
  EXPECT_TRUE(std::is_sorted(ids.begin(), ids.end()));
  for (int i = 0; i < 25; ++i) {
    EXPECT_NE(std::find(ids.begin(), ids.end(), ToHex(Device(i))), ids.end()) << i;
  }
  EXPECT_EQ(store_->ListDevices(DeviceIdFromHex(ids.back()), 10)->devices_size(), 0);
  EXPECT_EQ(store_->ListDevices(std::nullopt, 0)->devices_size(), 25) << "0: as many as may be";
}

TEST_F(DevicesTest, ASessionThatIsNotWrittenYetIsInTheListToo) {
  ASSERT_TRUE(Bind(Device(1)).ok());
  Route route;
  route.set_connector_address("10.0.0.7:7446");
  route.set_session_id(77);
  route.set_login_number(1000);
  ASSERT_TRUE(store_->Bind(Device(1), route, {}, {}).ok());
  EXPECT_EQ(store_->ListDevices(std::nullopt, 1)->devices(0).connector(), "10.0.0.7:7446");
}

// --- The end.

TEST_F(DevicesTest, ARevokedDeviceIsTurnedAwayAndItsTokensAreDead) {
  ASSERT_TRUE(Bind(Device(1)).ok());
  const uint64_t registration = Register(Device(1));
  ASSERT_TRUE(Append(Device(1), registration, 1).ok());
  Commit();
  hand_overs_.clear();
  const DeviceEndStep ended = End(Device(1), /*forget=*/false);
  EXPECT_EQ(ended.registrations, 1u);
  EXPECT_EQ(ended.messages, 1u);
  ASSERT_EQ(hand_overs_.size(), 1u) << "its session hears of it, once";
  EXPECT_TRUE(hand_overs_[0].evict().revoked());
  EXPECT_EQ(hand_overs_[0].route().session_id(), session_);
  EXPECT_EQ(hand_overs_[0].device_id(), Device(1).bytes());

  EXPECT_EQ(ReasonOfBind(Device(1)), "DEVICE_REVOKED");
  Route route;
  route.set_session_id(session_);
  route.set_login_number(login_);
  EXPECT_EQ(ErrorReason(store_->Resume(Device(1), route, std::nullopt, 0).status()),
            "DEVICE_REVOKED");
  EXPECT_EQ(ErrorReason(store_->Acknowledge(Device(1), route, {})), "DEVICE_REVOKED");
  EXPECT_EQ(ErrorReason(store_->RegisterApp(Device(1), kApp).status()), "DEVICE_REVOKED");
  const absl::Status sent = Append(Device(1), registration, 2).status();
  EXPECT_EQ(ErrorReason(sent), "UNREGISTERED");
  EXPECT_TRUE(ErrorMetadata(sent, "unregistered_at").has_value());
  const auto message = store_->GetMessage({Device(1), registration, kTeam}, Id(1));
  ASSERT_TRUE(message.ok()) << message.status();
  EXPECT_EQ(message->receipts(message->receipts_size() - 1).step(), push::v1::UNREGISTERED);
  EXPECT_EQ(Total(), 1u) << "its record stays";
  EXPECT_TRUE(store_->GetDevice(Device(1))->device().has_revoke_time());
  EXPECT_FALSE(store_->GetDevice(Device(1))->device().connected());
  ExpectSound();
}

TEST_F(DevicesTest, TheTokensAreDeadFromTheFirstStepOn) {
  ASSERT_TRUE(Bind(Device(1)).ok());
  std::vector<uint64_t> registrations;
  for (int app = 0; app < 99; ++app) {
    registrations.push_back(Register(Device(1), absl::StrCat("com.example.app", app + 1)));
  }
  Commit();
  const auto step = store_->EndDevice(Device(1), {});
  ASSERT_TRUE(step.ok()) << step.status();
  EXPECT_FALSE(step->done) << "more than a step may end";
  EXPECT_EQ(step->registrations, kMaxRegistrationsEndedPerStep);
  for (const uint64_t registration : registrations) {
    EXPECT_EQ(ErrorReason(Append(Device(1), registration, 1).status()), "UNREGISTERED");
  }
  Commit();
  ExpectSound();
  EXPECT_EQ(End(Device(1), false).registrations, 99 - kMaxRegistrationsEndedPerStep);
}

TEST_F(DevicesTest, AStepEndsSoManyMessages) {
  ASSERT_TRUE(Bind(Device(1)).ok());
  for (int app = 1; app <= 15; ++app) {
    const uint64_t registration = Register(Device(1), absl::StrCat("com.example.app", app));
    for (int n = 0; n < 100; ++n) ASSERT_TRUE(Append(Device(1), registration, n).ok());
  }
  Commit();
  const auto counted = store_->EndDevice(Device(1), {.forget = true, .dry_run = true});
  ASSERT_TRUE(counted.ok());
  EXPECT_EQ(counted->registrations, 15u);
  EXPECT_EQ(counted->messages, 1500u);
  EXPECT_TRUE(Bind(Device(1)).ok()) << "a dry run changes nothing";
  const auto step = store_->EndDevice(Device(1), {});
  ASSERT_TRUE(step.ok());
  EXPECT_EQ(step->messages, kMaxMessagesEndedPerStep);
  Commit();
  const DeviceEndStep rest = End(Device(1), /*forget=*/true);
  EXPECT_EQ(rest.messages, 500u);
  EXPECT_EQ(rest.lives, 1500u);
  EXPECT_EQ(Total(), 0u);
  ExpectSound();
}

TEST_F(DevicesTest, ADeletedDeviceIsForgottenAndMayComeAgainAsANewOne) {
  ASSERT_TRUE(Bind(Device(1)).ok());
  ASSERT_TRUE(Bind(Device(2)).ok());
  const uint64_t registration = Register(Device(1));
  ASSERT_TRUE(Append(Device(1), registration, 1).ok());
  Commit();
  EXPECT_TRUE(End(Device(1), /*forget=*/true).done);
  EXPECT_EQ(ErrorReason(store_->GetDevice(Device(1)).status()), "DEVICE_NOT_FOUND");
  EXPECT_EQ(ErrorReason(store_->EndDevice(Device(1), {}).status()), "DEVICE_NOT_FOUND");
  EXPECT_EQ(ErrorReason(store_->EndDevice(Device(1), {.dry_run = true}).status()),
            "DEVICE_NOT_FOUND");
  EXPECT_EQ(Total(), 1u);
  EXPECT_EQ(ErrorReason(Append(Device(1), registration, 2).status()), "UNREGISTERED");
  EXPECT_TRUE(Bind(Device(1)).ok());
  EXPECT_EQ(ErrorReason(Append(Device(1), registration, 2).status()), "UNREGISTERED")
      << "an old token is not good for the new one";
  EXPECT_EQ(store_->GetDevice(Device(1))->registrations_size(), 0);
  EXPECT_EQ(Total(), 2u);
  ExpectSound();
}

TEST_F(DevicesTest, ARevokedDeviceCanBeDeletedAndADeletionCanBeTakenUpAgain) {
  ASSERT_TRUE(Bind(Device(1)).ok());
  for (int n = 0; n < 100; ++n) ASSERT_TRUE(Append(Device(1), Register(Device(1)), n).ok());
  Commit();
  End(Device(1), /*forget=*/false);
  ASSERT_TRUE(store_->EndDevice(Device(1), {.forget = true}).ok());
  Commit();
  // A restart in the middle.
  Open({});
  EXPECT_EQ(ReasonOfBind(Device(1)), "DEVICE_REVOKED");
  EXPECT_TRUE(store_->GetDevice(Device(1))->device().deleting());
  EXPECT_TRUE(End(Device(1), /*forget=*/true).done);
  EXPECT_EQ(Total(), 0u);
  ExpectSound();
}

}  // namespace
}  // namespace bellwire::registry
