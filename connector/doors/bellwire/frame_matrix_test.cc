// Every caller of the device port against every frame: what each may do in which state comes from
// the table of docs/reference/wire_protocol.md. A new frame without a row there fails.

#include <fstream>
#include <functional>
#include <iostream>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/error.h"
#include "connector/testing/connection_harness.h"
#include "crypto/device_key.h"
#include "gtest/gtest.h"

namespace bellwire::connector {
namespace {

using device::v1::GoAway;
using S = ConnectionState;
using H = ConnectionHarness;

constexpr S kColumns[] = {S::kAwaitingLogin, S::kBinding, S::kActive, S::kDraining};

// Frame by frame, one of each kind that there is.
std::map<std::string, device::v1::AgentFrame> Frames() {
  std::map<std::string, device::v1::AgentFrame> frames;
  frames["Login"].mutable_login();
  frames["Ack"].mutable_ack();
  frames["AppAck"].mutable_app_ack();
  frames["RegisterApp"].mutable_register_app();
  frames["RemoveApp"].mutable_remove_app();
  frames["ActivityChange"].mutable_activity_change();
  frames["NetworkReport"].mutable_network_report();
  frames["TopicChange"].mutable_topic_change();
  return frames;
}

// The table of section 4: by frame, what it says of each column.
std::map<std::string, std::vector<std::string>> Table() {
  std::ifstream file("docs/reference/wire_protocol.md");
  std::stringstream text;
  text << file.rdbuf();
  std::map<std::string, std::vector<std::string>> table;
  bool inside = false;
  for (const absl::string_view line : absl::StrSplit(text.str(), '\n')) {
    if (absl::StartsWith(line, "| frame of the agent |")) {
      inside = true;
      continue;
    }
    if (!inside || absl::StartsWith(line, "| --- |")) continue;
    if (!absl::StartsWith(line, "|")) break;
    std::vector<std::string> cells;
    for (const absl::string_view cell : absl::StrSplit(line, '|')) {
      cells.emplace_back(absl::StripAsciiWhitespace(cell));
    }
    EXPECT_EQ(cells.size(), 2 + 1 + std::size(kColumns)) << line;
    for (const absl::string_view name : absl::StrSplit(cells[1], ", ")) {
      table[std::string(name)] = {cells.begin() + 2, cells.end() - 1};
    }
  }
  return table;
}

// The frames of device.proto have no descriptors at run time (LITE_RUNTIME): what is not known here
// shows by its number.
TEST(FrameMatrixTest, EveryFrameHasARow) {
  const auto frames = Frames();
  const auto table = Table();
  // The cases of the oneof are the fields 1 to N without a hole, and the one after them is none.
  device::v1::AgentFrame after;
  const std::string unknown = {static_cast<char>((frames.size() + 1) << 3 | 2), 0};
  ASSERT_TRUE(after.ParseFromString(unknown));
  EXPECT_EQ(after.body_case(), device::v1::AgentFrame::BODY_NOT_SET)
      << "AgentFrame has a frame that this test does not know: give it a row";
  std::set<int> cases;
  for (const auto& [name, frame] : frames) {
    cases.insert(frame.body_case());
    EXPECT_TRUE(table.contains(name)) << name << " has no row in wire_protocol.md, section 4";
    EXPECT_EQ(Name(KindOf(frame)), name);
  }
  EXPECT_EQ(cases.size(), frames.size());
  EXPECT_EQ(*cases.rbegin(), static_cast<int>(frames.size()));
  EXPECT_EQ(table.size(), frames.size() + 2) << "and the heartbeat, and what is unknown";
}

TEST(FrameMatrixTest, OnlyAllowedCellsPass) {
  const auto table = Table();
  std::string printed = "| frame | AWAITING_LOGIN | BINDING | ACTIVE | DRAINING |\n";
  const auto run = [&](const std::string& name, const std::function<void(H&)>& receive) {
    ASSERT_TRUE(table.contains(name)) << name;
    absl::StrAppend(&printed, "| ", name, " |");
    for (size_t i = 0; i < std::size(kColumns); ++i) {
      H h;
      h.BringTo(kColumns[i]);
      const bool allowed = table.at(name)[i] != "error";
      receive(h);
      const bool refused =
          h.host.closed.has_value() &&
          absl::StrContains(h.host.closed->detail, absl::StrCat(" in ", Name(kColumns[i])));
      EXPECT_EQ(refused, !allowed) << name << " in " << Name(kColumns[i]);
      if (!allowed) {
        EXPECT_EQ(h.LastGoAway().reason(), GoAway::PROTOCOL_ERROR);
      }
      absl::StrAppend(&printed, allowed ? " yes |" : " - |");
    }
    absl::StrAppend(&printed, "\n");
  };
  for (const auto& [name, frame] : Frames()) {
    run(name, [&frame = frame](H& h) { h.Receive(frame); });
  }
  run("heartbeat", [](H& h) { h.ReceiveHeartbeat(); });
  std::cout << printed;
}

// What only a connector says, and fields that no frame has: skipped or an error, and nothing is
// done.
TEST(FrameMatrixTest, FramesOfTheOtherDirectionAreNobodys) {
  constexpr int kFields = 32;
  device::v1::Push push;
  push.set_seq(1);
  push.set_message_id(std::string(16, 'm'));
  push.set_payload("payload");
  for (int field = 1; field <= kFields; ++field) {
    for (const std::string& body : {std::string(), push.SerializeAsString()}) {
      // A ConnectorFrame with this message in this field.
      std::string bytes;
      uint32_t tag = static_cast<uint32_t>(field) << 3 | 2;
      for (; tag >= 0x80; tag >>= 7) bytes.push_back(static_cast<char>((tag & 0x7f) | 0x80));
      bytes.push_back(static_cast<char>(tag));
      bytes.push_back(static_cast<char>(body.size()));
      bytes += body;
      std::string frame(1, static_cast<char>(bytes.size()));
      frame += bytes;
      for (const S state : kColumns) {
        H h;
        h.BringTo(state);
        const size_t binds = h.host.binds.size();
        h.connection.OnData(frame);
        EXPECT_EQ(h.host.binds.size(), binds) << field << " in " << Name(state);
        if (h.host.closed.has_value()) {
          EXPECT_NE(h.LastGoAway().reason(), GoAway::REASON_UNSPECIFIED)
              << field << " in " << Name(state);
        }
      }
    }
  }
}

// Who knocks, and what it is told. A session begins for the first of them only.
TEST(FrameMatrixTest, WhoeverIsNotTheDeviceGetsNoSession) {
  const auto key = *DeviceKey::Generate();
  const auto other = *DeviceKey::Generate();
  const std::string exporter(kTlsExporterBytes, 'e');
  const std::string another_connection(kTlsExporterBytes, 'f');
  const auto login = [](const DeviceKey& device, const std::string& signed_exporter,
                        uint64_t number, uint64_t signed_number) {
    device::v1::AgentFrame frame;
    frame.mutable_login()->set_public_key(device.public_key_der());
    frame.mutable_login()->set_login_number(number);
    frame.mutable_login()->set_signature(*device.SignLogin(signed_exporter, signed_number));
    return frame;
  };
  const auto refused = [](absl::StatusCode code, const char* reason) {
    return [code, reason](H& h) { h.connection.OnBound(MakeError(code, reason, "no")); };
  };
  struct Caller {
    std::string name;
    device::v1::AgentFrame first_frame;
    std::string ticket;
    // What the registry answers, if it is asked.
    std::function<void(H&)> registry;
    GoAway::Reason told;
  };
  const auto welcome = [](H& h) { h.connection.OnBound(H::Bound()); };
  device::v1::AgentFrame unsigned_login = login(*key, exporter, 7, 7);
  unsigned_login.mutable_login()->clear_signature();
  device::v1::AgentFrame others_signature = login(*key, exporter, 7, 7);
  others_signature.mutable_login()->set_signature(*other->SignLogin(exporter, 7));
  device::v1::AgentFrame no_login;
  no_login.mutable_register_app()->set_app_id("com.example.mail");
  const std::vector<Caller> callers = {
      {"the device", login(*key, exporter, 7, 7), "", welcome, GoAway::REASON_UNSPECIFIED},
      {"none", no_login, "", nullptr, GoAway::PROTOCOL_ERROR},
      {"unsigned", unsigned_login, "", nullptr, GoAway::LOGIN_REFUSED},
      {"replayed from another connection", login(*key, another_connection, 7, 7), "", nullptr,
       GoAway::LOGIN_REFUSED},
      {"replayed with another number", login(*key, exporter, 8, 7), "", nullptr,
       GoAway::LOGIN_REFUSED},
      {"other device's key", others_signature, "", nullptr, GoAway::LOGIN_REFUSED},
      {"other device's ticket", unsigned_login, std::string(other->device_id().bytes()), nullptr,
       GoAway::LOGIN_REFUSED},
      {"an older login", login(*key, exporter, 7, 7), "",
       refused(absl::StatusCode::kFailedPrecondition, "STALE_LOGIN"), GoAway::REPLACED},
      {"revoked device", login(*key, exporter, 7, 7), "",
       refused(absl::StatusCode::kPermissionDenied, "DEVICE_REVOKED"), GoAway::REVOKED},
      {"not enrolled", login(*key, exporter, 7, 7), "",
       refused(absl::StatusCode::kUnauthenticated, "ENROLMENT_REQUIRED"), GoAway::NOT_ENROLLED},
      {"enrolment expired", login(*key, exporter, 7, 7), "",
       refused(absl::StatusCode::kUnauthenticated, "BAD_ENROLMENT"), GoAway::NOT_ENROLLED},
      {"one of too many", login(*key, exporter, 7, 7), "",
       refused(absl::StatusCode::kResourceExhausted, "TOO_MANY_NEW_DEVICES"),
       GoAway::NO_NEW_DEVICES},
  };
  std::string printed = "| caller at the device port | is told |\n";
  for (const Caller& caller : callers) {
    SCOPED_TRACE(caller.name);
    H h;
    h.host.exporter = exporter;
    h.host.ticket_data = caller.ticket;
    h.BringTo(S::kAwaitingLogin);
    h.Receive(caller.first_frame);
    EXPECT_EQ(h.host.binds.size(), caller.registry != nullptr ? 1u : 0u);
    if (caller.registry != nullptr && h.host.binds.size() == 1) caller.registry(h);
    EXPECT_EQ(GoAway::Reason_Name(h.LastGoAway().reason()), GoAway::Reason_Name(caller.told));
    EXPECT_EQ(h.connection.state(),
              caller.told == GoAway::REASON_UNSPECIFIED ? S::kActive : S::kClosed);
    absl::StrAppend(
        &printed, "| ", caller.name, " | ",
        caller.told == GoAway::REASON_UNSPECIFIED ? "Welcome" : GoAway::Reason_Name(caller.told),
        " |\n");
  }
  std::cout << printed;
}

}  // namespace
}  // namespace bellwire::connector
