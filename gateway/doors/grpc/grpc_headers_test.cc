#include "gateway/doors/grpc/grpc_headers.h"

#include <string>

#include "absl/strings/escaping.h"
#include "common/error.h"
#include "google/rpc/error_details.pb.h"
#include "gtest/gtest.h"

namespace bellwire::gateway {
namespace {

TEST(GrpcHeadersTest, ContentTypes) {
  for (const char* good :
       {"application/grpc", "application/grpc+proto", "application/grpc;charset=utf-8"}) {
    EXPECT_TRUE(IsGrpcContentType(good)) << good;
  }
  for (const char* bad : {"", "application/json", "application/grpc-web", "application/grpcx"}) {
    EXPECT_FALSE(IsGrpcContentType(bad)) << bad;
  }
}

TEST(GrpcHeadersTest, Timeouts) {
  EXPECT_EQ(ParseGrpcTimeout("1H"), absl::Hours(1));
  EXPECT_EQ(ParseGrpcTimeout("99999999S"), absl::Seconds(99'999'999));
  EXPECT_EQ(ParseGrpcTimeout("0m"), absl::ZeroDuration());
  EXPECT_EQ(ParseGrpcTimeout("5M"), absl::Minutes(5));
  EXPECT_EQ(ParseGrpcTimeout("7u"), absl::Microseconds(7));
  EXPECT_EQ(ParseGrpcTimeout("7n"), absl::Nanoseconds(7));
  for (const char* bad : {"", "S", "1", "1s", "-1S", "+1S", "1.5S", " 1S", "123456789S"}) {
    EXPECT_EQ(ParseGrpcTimeout(bad), std::nullopt) << bad;
  }
}

TEST(GrpcHeadersTest, MessagesAreFieldValues) {
  EXPECT_EQ(PercentEncode("All good: 100%"), "All good: 100%25");
  EXPECT_EQ(PercentEncode("a\r\nb"), "a%0D%0Ab");
  EXPECT_EQ(PercentEncode("\xc3\xa4"), "%C3%A4");
  EXPECT_EQ(PercentEncode(" x "), "%20x%20");
  EXPECT_EQ(PercentEncode(" "), "%20");
  EXPECT_EQ(PercentEncode(""), "");
}

TEST(GrpcHeadersTest, OkIsOneField) {
  const http::HeaderList trailers = StatusTrailers(absl::OkStatus());
  ASSERT_EQ(trailers.size(), 1u);
  EXPECT_EQ(trailers[0].name, "grpc-status");
  EXPECT_EQ(trailers[0].value, "0");
}

TEST(GrpcHeadersTest, ErrorsCarryTheirDetails) {
  const http::HeaderList trailers =
      StatusTrailers(MakeError(absl::StatusCode::kNotFound, "UNREGISTERED", "gone"));
  EXPECT_EQ(*http::FindHeader(trailers, "grpc-status"), "5");
  EXPECT_EQ(*http::FindHeader(trailers, "grpc-message"), "gone");
  const std::string& details = *http::FindHeader(trailers, "grpc-status-details-bin");
  EXPECT_EQ(details.find('='), std::string::npos) << "no padding";
  std::string bytes;
  ASSERT_TRUE(absl::Base64Unescape(details, &bytes));
  google::rpc::Status status;
  ASSERT_TRUE(status.ParseFromString(bytes));
  google::rpc::ErrorInfo info;
  ASSERT_EQ(status.details_size(), 1);
  ASSERT_TRUE(status.details(0).UnpackTo(&info));
  EXPECT_EQ(info.reason(), "UNREGISTERED");

  EXPECT_EQ(StatusTrailers(absl::CancelledError("x")).size(), 2u) << "no reason, no details";
}

}  // namespace
}  // namespace bellwire::gateway
