// docs/reference/wire_protocol.md is true: its worked login verifies, its varints and its frames
// are what the code reads and writes.

#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "bellwire/device/v1/device.pb.h"
#include "common/ids.h"
#include "common/limits.h"
#include "connector/doors/bellwire/login.h"
#include "crypto/device_key.h"
#include "crypto/enrolment_token.h"
#include "gtest/gtest.h"
#include "net/socket/frame_codec.h"

namespace bellwire::connector {
namespace {

std::string Page() {
  std::ifstream file("docs/reference/wire_protocol.md");
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

// The lines between "```name" and "```".
std::vector<std::string> Block(absl::string_view name) {
  std::vector<std::string> lines;
  bool inside = false;
  for (absl::string_view line : absl::StrSplit(Page(), '\n')) {
    if (line == absl::StrCat("```", name)) {
      inside = true;
    } else if (line == "```") {
      inside = false;
    } else if (inside) {
      lines.emplace_back(line);
    }
  }
  return lines;
}

// "name  hex", continued on lines that start with a space.
std::map<std::string, std::string> LoginExample() {
  constexpr size_t kNameWidth = 14;
  std::map<std::string, std::string> fields;
  std::string name;
  for (const std::string& line : Block("login")) {
    if (line[0] != ' ') {
      name = std::string(absl::StripTrailingAsciiWhitespace(line.substr(0, kNameWidth)));
    }
    fields[name] += absl::HexStringToBytes(line.substr(kNameWidth));
  }
  return fields;
}

struct FrameExample {
  std::string sender;
  std::string body_name;
  std::string bytes;
};

std::vector<FrameExample> FrameExamples() {
  std::vector<FrameExample> examples;
  for (const std::string& line : Block("frames")) {
    if (line[0] == ' ') {
      examples.back().bytes +=
          absl::HexStringToBytes(std::string(absl::StripLeadingAsciiWhitespace(line)));
      continue;
    }
    const std::vector<std::string> words = absl::StrSplit(line, absl::ByAnyChar(" :"));
    examples.push_back(FrameExample{words[0], words[1], ""});
  }
  return examples;
}

std::string BodyOf(const std::string& frame) {
  net::FrameDecoder decoder(kMaxFrameBytes);
  std::string body;
  int count = 0;
  EXPECT_TRUE(decoder
                  .Feed(frame,
                        [&](absl::string_view b) {
                          body = std::string(b);
                          ++count;
                          return true;
                        })
                  .ok());
  EXPECT_EQ(count, 1);
  EXPECT_EQ(decoder.buffered_bytes(), 0u);
  return body;
}

std::string NameOfBody(const device::v1::AgentFrame& frame) {
  if (frame.has_login()) return "Login";
  if (frame.has_ack()) return "Ack";
  if (frame.has_app_ack()) return "AppAck";
  if (frame.has_register_app()) return "RegisterApp";
  if (frame.has_remove_app()) return "RemoveApp";
  if (frame.has_activity_change()) return "ActivityChange";
  if (frame.has_network_report()) return "NetworkReport";
  if (frame.has_topic_change()) return "TopicChange";
  return "";
}

std::string NameOfBody(const device::v1::ConnectorFrame& frame) {
  if (frame.has_welcome()) return "Welcome";
  if (frame.has_push()) return "Push";
  if (frame.has_gap()) return "Gap";
  if (frame.has_recall()) return "Recall";
  if (frame.has_app_registered()) return "AppRegistered";
  if (frame.has_app_removed()) return "AppRemoved";
  if (frame.has_go_away()) return "GoAway";
  if (frame.has_heartbeat_bounds()) return "HeartbeatBounds";
  if (frame.has_topic_changed()) return "TopicChanged";
  return "";
}

// Parses as Frame, and nothing in it is unknown or written otherwise.
template <typename Frame>
Frame ParseExactly(const FrameExample& example) {
  const std::string body = BodyOf(example.bytes);
  Frame frame;
  EXPECT_TRUE(frame.ParseFromString(body));
  EXPECT_EQ(NameOfBody(frame), example.body_name);
  EXPECT_EQ(frame.SerializeAsString(), body) << example.body_name;
  return frame;
}

TEST(WireProtocolTest, TheWorkedLoginVerifies) {
  std::map<std::string, std::string> fields = LoginExample();
  ASSERT_EQ(fields.size(), 7u);
  const absl::StatusOr<DeviceId> device_id = DeviceIdOf(fields["public_key"]);
  ASSERT_TRUE(device_id.ok()) << device_id.status();
  EXPECT_EQ(device_id->bytes(), fields["device id"]);
  EXPECT_EQ(fields["login_number"], absl::string_view("\0\0\0\0\0\0\0\7", 8));
  EXPECT_EQ(fields["signed bytes"], std::string("bellwire login v1") + std::string(1, '\0') +
                                        fields["exporter"] + fields["login_number"]);
  EXPECT_EQ(fields["signed bytes"].size(), 58u);
  EXPECT_TRUE(VerifyLogin(fields["public_key"], fields["exporter"], 7, fields["signature"]).ok());
}

TEST(WireProtocolTest, EveryFrameIsThereAndReads) {
  std::map<std::string, int> seen;
  std::set<device::v1::GoAway::Reason> reasons;
  int enrolments = 0;
  for (const FrameExample& example : FrameExamples()) {
    SCOPED_TRACE(example.body_name);
    ++seen[example.body_name];
    if (example.sender == "agent") {
      const auto frame = ParseExactly<device::v1::AgentFrame>(example);
      if (!frame.has_login()) continue;
      // The login of the worked example.
      const absl::StatusOr<CheckedLogin> checked =
          CheckLogin(frame.login(), LoginExample()["exporter"], /*resumed_ticket_data=*/"");
      EXPECT_TRUE(checked.ok()) << checked.status();
      if (!frame.login().enrolment_token().empty()) {
        ++enrolments;
        EXPECT_TRUE(IdOfEnrolmentToken(frame.login().enrolment_token()).has_value());
      }
    } else {
      EXPECT_EQ(example.sender, "connector");
      const auto frame = ParseExactly<device::v1::ConnectorFrame>(example);
      if (frame.has_go_away()) reasons.insert(frame.go_away().reason());
    }
  }
  EXPECT_EQ(enrolments, 1);
  for (const auto reason : {device::v1::GoAway::NOT_ENROLLED, device::v1::GoAway::REVOKED,
                            device::v1::GoAway::NO_NEW_DEVICES}) {
    EXPECT_TRUE(reasons.contains(reason)) << device::v1::GoAway::Reason_Name(reason);
  }
  EXPECT_EQ(seen.size(), 17u);
}

TEST(WireProtocolTest, VarintsOfLengths) {
  int rows = 0;
  for (absl::string_view line : absl::StrSplit(Page(), '\n')) {
    // | 300 | `ac02` |
    const std::vector<std::string> cells = absl::StrSplit(line, absl::ByAnyChar("|`"));
    size_t length = 0;
    if (cells.size() != 6 || !absl::SimpleAtoi(cells[1], &length)) continue;
    ++rows;
    std::string frame;
    net::AppendFrame(std::string(length, 'x'), &frame);
    EXPECT_EQ(absl::BytesToHexString(frame.substr(0, frame.size() - length)), cells[3]);
  }
  EXPECT_EQ(rows, 7);
}

TEST(WireProtocolTest, BoundsAreThoseOfTheCode) {
  EXPECT_EQ(kMaxFrameBytes, 16384u);
  EXPECT_EQ(kMaxPreLoginBytes, 8192u);
  EXPECT_EQ(kLoginTimeout, absl::Seconds(8));
  EXPECT_EQ(kScarceLoginTimeout, absl::Seconds(3));
  EXPECT_EQ(kScarceLoginPause, absl::Seconds(1));
  EXPECT_EQ(kMaxHandshakeBytes, 32u * 1024);
  EXPECT_EQ(kMaxPreLoginPieces, 512u);
  EXPECT_EQ(kMaxTlsKeyUpdates, 32);
  EXPECT_EQ(kSilenceGrace, absl::Seconds(60));
  EXPECT_EQ(kMinHeartbeatInterval, absl::Seconds(10));
  EXPECT_EQ(kMaxHeartbeatInterval, absl::Minutes(60));
  EXPECT_EQ(kMaxHeartbeatDelay, absl::Seconds(30));
  EXPECT_EQ(kSessionWindowMessages, 64u);
  EXPECT_EQ(kSessionWindowBytes, 64u * 1024);
  EXPECT_EQ(kMaxNowOrNeverInFlight, 16u);
  EXPECT_EQ(kMaxAckRangesPerFrame, 256u);
  EXPECT_EQ(kMaxAppAcksPerFrame, 256u);
  EXPECT_EQ(kPauseAtAppAcks, 205u);
  EXPECT_EQ(kBindTimeout, absl::Seconds(10));
  EXPECT_EQ(kNowOrNeverWait, absl::Seconds(10));
  EXPECT_EQ(kMaxRecallNotices, 512u);
  EXPECT_EQ(kMaxLoginNumberStep, uint64_t{1} << 53);
  EXPECT_EQ(kMaxEnrolmentTokenBytes, 4096u);
  EXPECT_EQ(kMaxAppsPerDevice, 512u);
  EXPECT_EQ(kMaxDeadRegistrationsPerApp, 64u);
  EXPECT_EQ(kMaxRegistrationsPerDevice, 2048u);
  EXPECT_EQ(kDeadTokenRetention, absl::Hours(36 * 24));
  EXPECT_EQ(kMaxPendingAppRequests, 64u);
  EXPECT_EQ(kMaxTopicsPerRegistration, 2000u);
  EXPECT_EQ(kMaxTopicNameChars, 900u);
  EXPECT_EQ(kMaxNetworkReports, 16);
  EXPECT_EQ(kMaxSessionWriteBytes, 256u * 1024);
  EXPECT_EQ(kGoAwayLinger, absl::Seconds(2));
}

}  // namespace
}  // namespace bellwire::connector
