#include "gateway/doors/matrix/matrix_door.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "bellwire/internal/v1/internal.pb.h"
#include "common/error.h"
#include "common/trace_context.h"
#include "gateway/doors/http/testing/h2_harness.h"
#include "gateway/testing/test_send_path.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace bellwire::gateway {
namespace {

using http::GetFields;
using http::H2TestClient;
using http::PostFields;
using nlohmann::json;

constexpr char kPath[] = "/_matrix/push/v1/notify";
constexpr char kTrace[] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

class MatrixDoorTest : public ::testing::Test {
 protected:
  struct Answer {
    std::string status;
    json body;
    std::string retry_after;
  };
  Answer Take(int32_t stream) {
    harness_.Run();
    const H2TestClient::Response& response = harness_.client.response(stream);
    return {response.Get(":status"), json::parse(response.body, nullptr, false),
            response.Get("retry-after")};
  }
  Answer Notify(const std::vector<std::string>& pushkeys) {
    json notification = {{"event_id", "$1"}, {"room_id", "!1"}};
    for (const std::string& pushkey : pushkeys) {
      notification["devices"].push_back({{"app_id", "a"}, {"pushkey", pushkey}});
    }
    return Take(
        harness_.client.Request(PostFields(kPath), json{{"notification", notification}}.dump()));
  }
  std::string Endpoint() const {
    return absl::StrCat("https://push.example.com/wpush/", path_.Token());
  }

  TestSendPath path_;
  MatrixDoor door_{&path_.engine, *PublicUrls::Parse({"https://push.example.com"})};
  http::H2Harness harness_{std::vector<http::Door*>{&door_}};
};

TEST_F(MatrixDoorTest, AnswersWhenItIsDurable) {
  path_.registry.HoldAnswers();
  const std::string body =
      json{{"notification",
            {{"event_id", "$1"}, {"devices", {{{"app_id", "a"}, {"pushkey", Endpoint()}}}}}}}
          .dump();
  const int32_t stream =
      harness_.client.Request(PostFields(kPath, {{"traceparent", kTrace}}), body);
  harness_.Run();
  EXPECT_FALSE(harness_.client.response(stream).closed);
  path_.registry.ReleaseAnswers();
  const Answer answer = Take(stream);
  EXPECT_EQ(answer.status, "200");
  EXPECT_EQ(answer.body["rejected"], json::array());
  ASSERT_EQ(path_.appended.size(), 1u);
  EXPECT_EQ(path_.appended[0].team_id(), "");
  EXPECT_TRUE(path_.appended[0].has_subscription());
  EXPECT_EQ(path_.appended[0].subscription().vapid_key(), "");
  EXPECT_EQ(path_.appended[0].message().content().door(), internal::v1::Content::MATRIX);
  EXPECT_EQ(FormatTraceparent(path_.appended[0].message().trace_context()), kTrace);
}

TEST_F(MatrixDoorTest, ForeignAndForgedEndpointsAreRejected) {
  const std::string foreign = "https://elsewhere.example.com/wpush/00ff";
  const std::string forged = "https://push.example.com/wpush/00ff";
  const Answer answer = Notify({foreign, Endpoint(), forged});
  EXPECT_EQ(answer.status, "200");
  EXPECT_EQ(answer.body["rejected"], (json{foreign, forged}));
  EXPECT_EQ(path_.appended.size(), 1u);
}

TEST_F(MatrixDoorTest, ADeadOrBoundEndpointIsRejected) {
  for (const auto& [code, reason] : std::vector<std::pair<absl::StatusCode, const char*>>{
           {absl::StatusCode::kNotFound, "UNREGISTERED"},
           {absl::StatusCode::kPermissionDenied, "VAPID_KEY_MISMATCH"}}) {
    path_.append_error = MakeError(code, reason, "x");
    const Answer answer = Notify({Endpoint()});
    EXPECT_EQ(answer.status, "200");
    EXPECT_EQ(answer.body["rejected"], json{Endpoint()}) << reason;
  }
}

TEST_F(MatrixDoorTest, ATemporaryCauseIsNoRejection) {
  path_.append_error = WithRetryAfter(
      MakeError(absl::StatusCode::kResourceExhausted, "MAILBOX_FULL", "full"), absl::Seconds(5));
  const Answer answer = Notify({"https://elsewhere.example.com/x", Endpoint()});
  EXPECT_EQ(answer.status, "503");
  EXPECT_EQ(answer.body["errcode"], "M_UNKNOWN");
  EXPECT_EQ(answer.retry_after, "5");
  // Repeated, it has the same id.
  path_.append_error = absl::OkStatus();
  EXPECT_EQ(Notify({Endpoint()}).status, "200");
  EXPECT_EQ(path_.appended[0].message().message_id(), path_.appended[1].message().message_id());
}

TEST_F(MatrixDoorTest, BadBodiesAreErrorsOfMatrix) {
  const Answer answer = Take(harness_.client.Request(PostFields(kPath), "{}"));
  EXPECT_EQ(answer.status, "400");
  EXPECT_EQ(answer.body["errcode"], "M_MISSING_PARAM");
  EXPECT_EQ(Take(harness_.client.Request(PostFields(kPath), "{")).body["errcode"], "M_NOT_JSON");
  const Answer large = Take(harness_.client.Request(
      PostFields(kPath, {{"content-length", absl::StrCat(600 * 1024)}}), "", /*open=*/true));
  EXPECT_EQ(large.status, "413");
  EXPECT_EQ(large.body["errcode"], "M_TOO_LARGE");
}

TEST_F(MatrixDoorTest, TellsUnifiedPushThatItIsHere) {
  const Answer answer = Take(harness_.client.Request(GetFields(kPath)));
  EXPECT_EQ(answer.status, "200");
  EXPECT_EQ(answer.body["unifiedpush"]["gateway"], "matrix");
}

TEST_F(MatrixDoorTest, AServerWithoutANameRejectsNobody) {
  MatrixDoor nameless(&path_.engine, PublicUrls());
  http::H2Harness harness(std::vector<http::Door*>{&nameless});
  const int32_t stream = harness.client.Request(PostFields(kPath), "{}");
  harness.Run();
  EXPECT_EQ(harness.client.response(stream).Get(":status"), "503");
}

}  // namespace
}  // namespace bellwire::gateway
