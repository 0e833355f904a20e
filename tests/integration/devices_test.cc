// Who may be a device, as the wire sees it: enrolment, revocation and deletion over real processes,
// in both deployments.

#include <cstdlib>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "bellwire/admin/v1/devices.grpc.pb.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/ids.h"
#include "common/testing/temp_dir.h"
#include "crypto/device_certificate.h"
#include "crypto/device_key.h"
#include "device-agent/client/client.h"
#include "grpcpp/channel.h"
#include "grpcpp/client_context.h"
#include "gtest/gtest.h"
#include "rpc/grpc_status.h"
#include "tests/support/app.h"
#include "tests/support/fleet.h"
#include "tests/support/raw_device.h"

namespace bellwire::tests {
namespace {

using admin::v1::DeviceService;
using device::v1::GoAway;

constexpr char kMail[] = "com.example.mail";

class DevicesTest : public testing::TestWithParam<Deployment> {
 protected:
  void Start(std::vector<std::string> flags) {
    Fleet::Options options;
    options.more_registry_arguments = std::move(flags);
    auto fleet = Fleet::Start(GetParam(), options);
    ASSERT_TRUE(fleet.ok()) << fleet.status();
    fleet_ = *std::move(fleet);
    auto provider = Provider::Create(*fleet_, {kMail});
    ASSERT_TRUE(provider.ok()) << provider.status();
    provider_ = *std::move(provider);
    admin_ = DeviceService::NewStub(fleet_->Channel(0));
  }

  template <typename Method, typename Request, typename Response>
  absl::Status Call(Method method, const Request& request, Response* response) {
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(RealClock()->WallNow() + kPatience));
    fleet_->Authorize(&context);
    return FromGrpcStatus((admin_.get()->*method)(&context, request, response));
  }

  std::string Enrol(uint32_t devices) {
    admin::v1::CreateEnrolmentRequest request;
    request.set_devices(devices);
    request.mutable_ttl()->set_seconds(3600);
    admin::v1::CreateEnrolmentResponse response;
    const absl::Status status = Call(&DeviceService::Stub::CreateEnrolment, request, &response);
    EXPECT_TRUE(status.ok()) << status;
    return response.token();
  }

  absl::StatusOr<std::unique_ptr<RawDevice>> Login(const DeviceKey& key, uint64_t number,
                                                   const std::string& token = "",
                                                   int connector = 0) {
    device::v1::Login extra;
    extra.set_enrolment_token(token);
    return RawDevice::Login(fleet_->device_address(connector), fleet_->ca_file(), key, number,
                            extra);
  }
  static std::string GoAwayOf(GoAway::Reason reason) {
    return absl::StrCat("no Welcome but GoAway ", static_cast<int>(reason), ":");
  }
  // The reason with which the device's session is ended, and how long that took.
  GoAway::Reason EndOf(RawDevice* device, absl::Duration* took) {
    const MonotonicTime begin = RealClock()->Monotonic();
    while (true) {
      const auto frame = device->Next();
      *took = RealClock()->Monotonic() - begin;
      if (!frame.ok()) return GoAway::REASON_UNSPECIFIED;
      if (frame->has_go_away()) return frame->go_away().reason();
    }
  }

  std::unique_ptr<Fleet> fleet_;
  Provider provider_;
  std::unique_ptr<DeviceService::Stub> admin_;
};

TEST_P(DevicesTest, ANewDeviceNeedsATokenWhereItIsWantedSo) {
  Start({"--devices", "enrolled"});
  const auto first = *DeviceKey::Generate();
  const auto second = *DeviceKey::Generate();
  const std::string token = Enrol(1);
  EXPECT_TRUE(
      absl::StrContains(Login(*first, 1).status().message(), GoAwayOf(GoAway::NOT_ENROLLED)));
  ASSERT_TRUE(Login(*first, 2, token).ok());
  EXPECT_TRUE(Login(*first, 3, "", /*connector=*/1).ok()) << "it is known on every connector";
  EXPECT_TRUE(absl::StrContains(Login(*second, 1, token).status().message(),
                                GoAwayOf(GoAway::NOT_ENROLLED)))
      << "the token is used up";
}

// By the commands of docs/operate/security.md, and with the real agent.
TEST_P(DevicesTest, APhoneWithACertificateOfTheDeviceAuthorityComesIn) {
  const TempDir dir;
  const auto run = [&](const std::string& command) {
    const int code =
        system(absl::StrCat("cd ", dir.path(), " && ", command, " 2> openssl.log").c_str());
    EXPECT_EQ(code, 0) << command;
  };
  const auto new_authority = [&](const std::string& name) {
    run(absl::StrCat(
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ", name,
        ".key -out ", name, ".pem -days 3650 -subj '/CN=phones of Example'"));
  };
  // Of the key in `key`, by the authority; `more`: other days.
  const auto issue = [&](const std::string& authority, const std::string& key,
                         const std::string& out, const std::string& days = "-days 365") {
    run(absl::StrCat("openssl req -new -key ", key,
                     " -subj '/CN=phone 17' | openssl x509 -req -CA ", authority, ".pem -CAkey ",
                     authority, ".key ", days, " -out ", out));
    std::ifstream in(dir.path(out));
    std::stringstream text;
    text << in.rdbuf();
    return text.str();
  };
  new_authority("device-ca");
  new_authority("another-ca");
  Start({"--device_ca", dir.path("device-ca.pem")});

  // A phone's agent makes its key at its first start, and is not let in.
  Phone phone(*fleet_, "phone");
  ASSERT_TRUE(phone.Start().ok());
  const std::string key_file = fleet_->path("phone") + "/device.key";
  const auto status = [&] { return agent::FetchAgentStatus(phone.socket_path(), kPatience); };
  ASSERT_TRUE(WaitUntil([&] {
    const auto now = status();
    return now.ok() && absl::StrContains(now->last_error(), "enrolment");
  }));
  issue("device-ca", key_file, "device.pem");
  // From now on it has a certificate.
  ASSERT_TRUE(phone.agent().Terminate().ok());
  phone.SetMoreArguments({"--device_certificate", dir.path("device.pem")});
  ASSERT_TRUE(phone.Start().ok());
  App app(phone.socket_path(), kMail);
  const std::string token = app.WaitForToken();
  ASSERT_NE(token, "");
  ASSERT_TRUE(provider_.SendReliably(token, "welcome").ok());
  EXPECT_TRUE(app.WaitForTaken(1));
  admin::v1::GetDeviceRequest get;
  get.set_token(token);
  admin::v1::GetDeviceResponse found;
  ASSERT_TRUE(Call(&DeviceService::Stub::GetDevice, get, &found).ok());
  EXPECT_TRUE(absl::StartsWith(found.device().enrolment_id(), "certificate "))
      << found.device().enrolment_id();

  // What is no good is refused with the reason.
  const std::string other_key_file = dir.path("other.key");
  const auto other = DeviceKey::LoadOrCreate(other_key_file);
  ASSERT_TRUE(other.ok()) << other.status();
  uint64_t number = 0;
  const auto answer = [&](const std::string& pem) {
    const auto line = DeviceCertificateLine(pem);
    EXPECT_TRUE(line.ok()) << line.status();
    return std::string(Login(**other, ++number, line.value_or("")).status().message());
  };
  const auto expect_refused = [&](const std::string& pem, const std::string& why) {
    const std::string said = answer(pem);
    EXPECT_TRUE(absl::StrContains(said, GoAwayOf(GoAway::NOT_ENROLLED))) << said;
    EXPECT_TRUE(absl::StrContains(said, why)) << said;
  };
  expect_refused(issue("another-ca", other_key_file, "foreign.pem"), "certificate is");
  expect_refused(issue("device-ca", key_file, "stolen.pem"), "for the key of another device");
  expect_refused(issue("device-ca", other_key_file, "expired.pem", "-days -1"), "has expired");
  EXPECT_TRUE(absl::StrContains(Login(**other, ++number).status().message(),
                                GoAwayOf(GoAway::NOT_ENROLLED)))
      << "--device_ca closes the server";
  // Tokens let in as before, and so does a good certificate.
  const auto third = *DeviceKey::Generate();
  EXPECT_TRUE(Login(*third, 1, Enrol(1)).ok());
  EXPECT_EQ(answer(issue("device-ca", other_key_file, "good.pem")), "");
}

TEST_P(DevicesTest, ARevokedDeviceIsAwayWithinFiveSecondsAndItsTokensAreDead) {
  Start({});
  const auto key = *DeviceKey::Generate();
  // On the connector that the administrator's gateway knows nothing of.
  auto device = Login(*key, 1, "", /*connector=*/1);
  ASSERT_TRUE(device.ok()) << device.status();
  const auto token = (*device)->RegisterApp(kMail);
  ASSERT_TRUE(token.ok()) << token.status();
  ASSERT_TRUE(provider_.SendReliably(*token, "before").ok());

  admin::v1::GetDeviceRequest get;
  get.set_token(*token);
  admin::v1::GetDeviceResponse found;
  ASSERT_TRUE(Call(&DeviceService::Stub::GetDevice, get, &found).ok());
  EXPECT_EQ(found.device().device_id(), ToHex(key->device_id()));
  EXPECT_TRUE(found.device().connected());

  admin::v1::EndDeviceRequest revoke;
  revoke.set_device_id(ToHex(key->device_id()));
  admin::v1::EndDeviceResponse revoked;
  ASSERT_TRUE(Call(&DeviceService::Stub::RevokeDevice, revoke, &revoked).ok());
  EXPECT_EQ(revoked.registrations(), 1u);
  absl::Duration took;
  EXPECT_EQ(EndOf(device->get(), &took), GoAway::REVOKED);
  EXPECT_LT(took, absl::Seconds(5));
  EXPECT_EQ(ErrorReason(provider_.SendReliably(*token, "after")), "UNREGISTERED");
  EXPECT_TRUE(absl::StrContains(Login(*key, 2).status().message(), GoAwayOf(GoAway::REVOKED)));

  // Over a restart of everything, too.
  fleet_->KillAll();
  ASSERT_TRUE(fleet_->StartAll().ok());
  EXPECT_TRUE(absl::StrContains(Login(*key, 3).status().message(), GoAwayOf(GoAway::REVOKED)));
}

TEST_P(DevicesTest, ADeletedDeviceMayComeBackAsANewOne) {
  Start({});
  const auto key = *DeviceKey::Generate();
  auto device = Login(*key, 1);
  ASSERT_TRUE(device.ok()) << device.status();
  const auto token = (*device)->RegisterApp(kMail);
  ASSERT_TRUE(token.ok()) << token.status();
  ASSERT_TRUE(provider_.SendReliably(*token, "before").ok());
  admin::v1::EndDeviceRequest request;
  request.set_device_id(ToHex(key->device_id()));
  admin::v1::EndDeviceResponse ended;
  request.set_dry_run(true);
  ASSERT_TRUE(Call(&DeviceService::Stub::DeleteDevice, request, &ended).ok());
  EXPECT_EQ(ended.registrations(), 1u);
  request.set_dry_run(false);
  ASSERT_TRUE(Call(&DeviceService::Stub::DeleteDevice, request, &ended).ok());
  absl::Duration took;
  EXPECT_EQ(EndOf(device->get(), &took), GoAway::REVOKED);
  EXPECT_LT(took, absl::Seconds(5));
  EXPECT_EQ(ErrorReason(provider_.SendReliably(*token, "after")), "UNREGISTERED");
  EXPECT_EQ(ErrorReason(Call(&DeviceService::Stub::DeleteDevice, request, &ended)),
            "DEVICE_NOT_FOUND");
  auto again = Login(*key, 2);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_NE((*again)->welcome().mailbox_id(), (*device)->welcome().mailbox_id());
}

INSTANTIATE_TEST_SUITE_P(Deployments, DevicesTest,
                         testing::Values(Deployment::kEmbedded, Deployment::kSeparate),
                         [](const auto& info) { return DeploymentName(info.param); });

}  // namespace
}  // namespace bellwire::tests
