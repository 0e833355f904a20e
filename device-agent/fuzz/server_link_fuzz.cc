// Whatever a server sends, in whatever pieces, the link neither crashes nor gets stuck: there is a
// session it may use, or a time at which it goes on. The first byte of the input chooses the size
// of the pieces.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <random>
#include <string>

#include "absl/strings/string_view.h"
#include "common/log.h"
#include "common/simulated_clock.h"
#include "device-agent/core/server_link.h"

namespace {

using bellwire::agent::ServerLink;

// Uses the session as the agent would, and checks the order of what it hears.
class Owner final : public ServerLink::Owner {
 public:
  void Dial(const std::string&) override {}
  void Write(absl::string_view) override {}
  void HangUp() override {}
  absl::StatusOr<bellwire::device::v1::Login> MakeLogin(const std::string&) override {
    return bellwire::device::v1::Login();
  }
  void OnLoginNumberSeen(uint64_t) override {}
  absl::Status OnWelcome(const bellwire::device::v1::Welcome&) override {
    if (in_session) abort();
    in_session = true;
    link->Beat();
    return absl::OkStatus();
  }
  absl::Status OnFrame(bellwire::device::v1::ConnectorFrame frame) override {
    if (!in_session) abort();
    if (frame.has_push() && frame.push().seq() == 0) return absl::InvalidArgumentError("no seq");
    bellwire::device::v1::AgentFrame ack;
    ack.mutable_ack()->set_up_to_seq(1);
    link->Send(ack);
    return absl::OkStatus();
  }
  void OnBeat() override {}
  void OnBeatAnswered() override {
    if (!in_session) abort();
  }
  void OnSessionEnd() override {
    if (!in_session) abort();
    in_session = false;
  }

  ServerLink* link = nullptr;
  bool in_session = false;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  bellwire::SetLogLevel(bellwire::LogLevel::kError);
  const size_t piece = data[0] == 0 ? size : data[0];
  absl::string_view stream(reinterpret_cast<const char*>(data) + 1, size - 1);

  bellwire::SimulatedClock clock;
  bellwire::agent::FixedHeartbeat policy(absl::Minutes(4));
  std::mt19937_64 random(1);
  Owner owner;
  ServerLink link({"a:1", "b:2"}, &clock, &policy, random, &owner);
  owner.link = &link;
  link.Start();
  link.OnOpen("exporter");
  while (!stream.empty()) {
    const absl::string_view chunk = stream.substr(0, piece);
    stream.remove_prefix(chunk.size());
    link.OnData(chunk);
    if (owner.in_session != (link.state() == ServerLink::State::kReady)) abort();
    if (!link.deadline().has_value()) abort();
    if (link.state() == ServerLink::State::kWaiting) {
      // It comes back within the longest wait there is.
      if (*link.deadline() - clock.Monotonic() > bellwire::kMaxGoAwayWait) abort();
      clock.Advance(std::max(absl::ZeroDuration(), *link.deadline() - clock.Monotonic()));
      link.OnDeadline();
      if (link.state() != ServerLink::State::kConnecting) abort();
      link.OnOpen("exporter");
    }
  }
  link.Stop();
  return 0;
}
