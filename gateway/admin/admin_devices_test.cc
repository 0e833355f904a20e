// DeviceService at the gateway: what is checked here, what the registry is asked, and what the
// audit log says.

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "bellwire/admin/v1/devices.grpc.pb.h"
#include "common/error.h"
#include "crypto/enrolment_token.h"
#include "gateway/admin/audit_log.h"
#include "gateway/testing/test_gateway.h"
#include "google/protobuf/util/time_util.h"
#include "gtest/gtest.h"
#include "rpc/grpc_status.h"

namespace bellwire::gateway {
namespace {

using admin::v1::DeviceService;
using google::protobuf::util::TimeUtil;
using EndRequest = internal::v1::EndDeviceRequest;

constexpr char kDeviceHex[] = "000102030405060708090a0b0c0d0e0f";

class AdminDevicesTest : public ::testing::Test {
 protected:
  template <typename Method, typename Request, typename Response>
  absl::Status Call(Method method, const Request& request, Response* response) {
    return FromGrpcStatus((stub_.get()->*method)(gateway_.AdminContext().get(), request, response));
  }
  absl::Status Create(uint32_t devices, int64_t ttl_seconds,
                      admin::v1::CreateEnrolmentResponse* response,
                      const std::string& name = "phones") {
    admin::v1::CreateEnrolmentRequest request;
    request.set_name(name);
    request.set_devices(devices);
    request.mutable_ttl()->set_seconds(ttl_seconds);
    return Call(&DeviceService::Stub::CreateEnrolment, request, response);
  }
  std::vector<std::string> Audit() {
    std::vector<std::string> lines;
    EXPECT_TRUE(ReadAuditLog(gateway_.audit_path(), [&lines](const AuditEntry& entry) {
                  std::string line = absl::StrCat(entry.record.what, " ", entry.record.outcome);
                  for (const auto& [name, value] : entry.record.about) {
                    absl::StrAppend(&line, " ", name, "=", value);
                  }
                  lines.push_back(std::move(line));
                }).ok());
    return lines;
  }

  TestGateway gateway_;
  std::unique_ptr<DeviceService::Stub> stub_ = DeviceService::NewStub(gateway_.NewChannel());
};

TEST_F(AdminDevicesTest, AnEnrolmentIsATokenWhoseHashIsKept) {
  admin::v1::Enrolment put;
  gateway_.registry.put_enrolment = [&put](const admin::v1::Enrolment& enrolment) {
    put = enrolment;
    admin::v1::Enrolment answer = enrolment;
    answer.clear_token_sha256();
    return answer;
  };
  admin::v1::CreateEnrolmentResponse response;
  ASSERT_TRUE(Create(100, 86'400, &response).ok());
  EXPECT_EQ(IdOfEnrolmentToken(response.token()), response.enrolment().enrolment_id());
  EXPECT_TRUE(EnrolmentTokenMatches(response.token(), put.token_sha256()));
  EXPECT_TRUE(response.enrolment().token_sha256().empty());
  EXPECT_EQ(put.devices(), 100u);
  EXPECT_EQ(put.name(), "phones");
  EXPECT_EQ(TimeUtil::TimestampToSeconds(put.expire_time()) -
                TimeUtil::TimestampToSeconds(put.create_time()),
            86'400);
  gateway_.server.reset();
  const std::vector<std::string> audit = Audit();
  ASSERT_EQ(audit.size(), 2u);
  EXPECT_TRUE(absl::StrContains(audit[1], absl::StrCat("enrolment_id=", put.enrolment_id())))
      << audit[1];
  for (const std::string& line : audit) {
    EXPECT_FALSE(absl::StrContains(line, response.token())) << "the log keeps no token";
  }
}

TEST_F(AdminDevicesTest, EnrolmentsThatMakeNoSenseAreRefused) {
  bool asked = false;
  gateway_.registry.put_enrolment = [&asked](const admin::v1::Enrolment& enrolment) {
    asked = true;
    return enrolment;
  };
  admin::v1::CreateEnrolmentResponse response;
  EXPECT_EQ(ErrorReason(Create(1, 0, &response)), "BAD_ENROLMENT");
  EXPECT_EQ(ErrorReason(Create(1, -5, &response)), "BAD_ENROLMENT");
  EXPECT_EQ(ErrorReason(Create(1, 367 * 86'400, &response)), "BAD_ENROLMENT");
  EXPECT_EQ(ErrorReason(Create(1'000'001, 60, &response)), "BAD_ENROLMENT");
  EXPECT_EQ(ErrorReason(Create(1, 60, &response, std::string(65, 'n'))), "BAD_ENROLMENT");
  EXPECT_FALSE(asked);
}

TEST_F(AdminDevicesTest, ADeviceIsFoundByItsIdOrByAToken) {
  std::vector<std::string> asked;
  gateway_.registry.get_device = [&asked](const internal::v1::GetDeviceRequest& request) {
    asked.push_back(request.device_id());
    return admin::v1::GetDeviceResponse();
  };
  admin::v1::GetDeviceRequest request;
  admin::v1::GetDeviceResponse response;
  request.set_device_id(kDeviceHex);
  EXPECT_TRUE(Call(&DeviceService::Stub::GetDevice, request, &response).ok());
  request.set_token(gateway_.Token());
  EXPECT_TRUE(Call(&DeviceService::Stub::GetDevice, request, &response).ok());
  ASSERT_EQ(asked.size(), 2u);
  EXPECT_EQ(asked[0], absl::string_view("\0\1\2\3\4\5\6\7\x8\x9\xa\xb\xc\xd\xe\xf", 16));
  EXPECT_EQ(asked[1], gateway_.sealer->Open(gateway_.Token())->device_id.bytes());
  request.set_token("nonsense");
  EXPECT_EQ(ErrorReason(Call(&DeviceService::Stub::GetDevice, request, &response)),
            "BAD_DEVICE_TOKEN");
  request.clear_token();
  for (const char* bad : {"", "0001", "000102030405060708090a0b0c0d0e0g"}) {
    request.set_device_id(bad);
    EXPECT_EQ(ErrorReason(Call(&DeviceService::Stub::GetDevice, request, &response)),
              "BAD_DEVICE_ID");
  }
  EXPECT_EQ(asked.size(), 2u);
}

TEST_F(AdminDevicesTest, TheEndOfADeviceIsAsManyStepsAsItTakes) {
  std::vector<EndRequest::Mode> modes;
  gateway_.registry.end_device =
      [&modes](const EndRequest& request) -> absl::StatusOr<internal::v1::EndDeviceResponse> {
    modes.push_back(request.mode());
    internal::v1::EndDeviceResponse step;
    step.mutable_ended()->mutable_device()->set_login_number(modes.size());
    step.mutable_ended()->set_registrations(2);
    step.mutable_ended()->set_messages(10);
    step.mutable_ended()->set_lives(100);
    step.set_done(modes.size() >= 3);
    return step;
  };
  admin::v1::EndDeviceRequest request;
  request.set_device_id(kDeviceHex);
  admin::v1::EndDeviceResponse response;
  ASSERT_TRUE(Call(&DeviceService::Stub::DeleteDevice, request, &response).ok());
  EXPECT_EQ(modes, std::vector<EndRequest::Mode>(3, EndRequest::DELETE));
  EXPECT_EQ(response.registrations(), 6u);
  EXPECT_EQ(response.messages(), 30u);
  EXPECT_EQ(response.lives(), 300u);
  EXPECT_EQ(response.device().login_number(), 1u) << "as it was before";

  ASSERT_TRUE(Call(&DeviceService::Stub::RevokeDevice, request, &response).ok());
  EXPECT_EQ(modes.back(), EndRequest::REVOKE);
  request.set_dry_run(true);
  ASSERT_TRUE(Call(&DeviceService::Stub::RevokeDevice, request, &response).ok());
  EXPECT_EQ(modes.back(), EndRequest::COUNT_REVOKE);
  ASSERT_TRUE(Call(&DeviceService::Stub::DeleteDevice, request, &response).ok());
  EXPECT_EQ(modes.back(), EndRequest::COUNT_DELETE);
  gateway_.server.reset();
  const std::vector<std::string> audit = Audit();
  ASSERT_GE(audit.size(), 2u);
  EXPECT_TRUE(
      absl::StrContains(audit[0], absl::StrCat("DeleteDevice asked device_id=", kDeviceHex)))
      << audit[0];
  EXPECT_TRUE(absl::StrContains(audit[1], "registrations=6 messages=30")) << audit[1];
}

TEST_F(AdminDevicesTest, AStepThatFailsEndsTheCallAndIsInTheLog) {
  int steps = 0;
  gateway_.registry.end_device =
      [&steps](const EndRequest&) -> absl::StatusOr<internal::v1::EndDeviceResponse> {
    if (++steps == 2) {
      return MakeError(absl::StatusCode::kUnavailable, "REGISTRY_UNAVAILABLE", "away");
    }
    return internal::v1::EndDeviceResponse();
  };
  admin::v1::EndDeviceRequest request;
  request.set_device_id(kDeviceHex);
  admin::v1::EndDeviceResponse response;
  EXPECT_EQ(ErrorReason(Call(&DeviceService::Stub::RevokeDevice, request, &response)),
            "REGISTRY_UNAVAILABLE");
  EXPECT_EQ(steps, 2);
  gateway_.server.reset();
  EXPECT_TRUE(absl::StrContains(Audit().back(), "RevokeDevice REGISTRY_UNAVAILABLE"));
}

TEST_F(AdminDevicesTest, ListsArePassedOnInPages) {
  admin::v1::ListDevicesRequest asked;
  gateway_.registry.list_devices = [&asked](const admin::v1::ListDevicesRequest& request) {
    asked = request;
    admin::v1::ListDevicesResponse response;
    response.add_devices()->set_device_id(kDeviceHex);
    response.set_more(true);
    response.set_total(7);
    return response;
  };
  admin::v1::ListDevicesRequest request;
  request.set_after(kDeviceHex);
  request.set_max(1);
  admin::v1::ListDevicesResponse response;
  ASSERT_TRUE(Call(&DeviceService::Stub::ListDevices, request, &response).ok());
  EXPECT_EQ(asked.after(), kDeviceHex);
  EXPECT_EQ(asked.max(), 1u);
  EXPECT_TRUE(response.more());
  request.set_after("nonsense");
  EXPECT_EQ(ErrorReason(Call(&DeviceService::Stub::ListDevices, request, &response)),
            "BAD_DEVICE_ID");
}

}  // namespace
}  // namespace bellwire::gateway
