// What a client of gRPC can do wrong before any service hears of its call: each has its reason.

#include <string>

#include "absl/strings/escaping.h"
#include "common/error.h"
#include "common/limits.h"
#include "gateway/call/method_table.h"
#include "gateway/doors/grpc/grpc_door.h"
#include "gateway/doors/grpc/health_service.h"
#include "gateway/doors/http/testing/h2_harness.h"
#include "gtest/gtest.h"
#include "rpc/grpc_status.h"

namespace bellwire::gateway {
namespace {

using http::Fields;
using http::H2TestClient;

constexpr char kCheck[] = "/grpc.health.v1.Health/Check";

class GrpcRefusalsTest : public ::testing::Test {
 protected:
  GrpcRefusalsTest() { health_.AddTo(&methods_); }

  // How a call of `path` with these fields and this body ends.
  absl::Status Call(Fields more, const std::string& body = std::string(5, '\0'),
                    const std::string& path = kCheck) {
    more.push_back({"content-type", "application/grpc"});
    more.push_back({"te", "trailers"});
    const int32_t stream = harness_.client.Request(http::PostFields(path, std::move(more)), body);
    harness_.Run();
    const H2TestClient::Response& response = harness_.client.response(stream);
    EXPECT_TRUE(response.closed);
    std::string details;
    absl::Base64Unescape(response.Get("grpc-status-details-bin"), &details);
    return FromGrpcStatus(
        grpc::Status(static_cast<grpc::StatusCode>(std::stoi(response.Get("grpc-status"))),
                     response.Get("grpc-message"), details));
  }

  MethodTable methods_;
  HealthService health_{{"bellwire.push.v1.PushService"}};
  GrpcDoor door_{&methods_};
  http::H2Harness harness_{std::vector<http::Door*>{&door_}};
};

TEST_F(GrpcRefusalsTest, EachHasItsReason) {
  EXPECT_TRUE(Call({}).ok()) << Call({});
  EXPECT_EQ(ErrorReason(Call({{"grpc-timeout", "soon"}})), "BAD_TIMEOUT");
  EXPECT_EQ(ErrorReason(Call({{"grpc-encoding", "rot13"}})), "UNKNOWN_ENCODING");
  EXPECT_EQ(ErrorReason(Call({{"x-long", std::string(kMaxHttpHeadBytes, 'x')}})),
            "METADATA_TOO_LARGE");
  EXPECT_EQ(ErrorReason(Call({}, "")), "MISSING_REQUEST");
  EXPECT_EQ(ErrorReason(Call({}, std::string("\0\0\0\0\x09", 5))), "MALFORMED_MESSAGE");
  EXPECT_EQ(ErrorReason(Call({}, std::string(5, '\0'), "/a.b.C/D")), "NO_SUCH_METHOD");
}

}  // namespace
}  // namespace bellwire::gateway
