// Whatever a browser says, the front neither crashes nor lets it near another browser's
// subscription. Each line of the input is one text of the attacker; an empty line lets its hub
// speak.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "common/log.h"
#include "common/simulated_clock.h"
#include "device-agent/companion/browser/autopush_front.h"
#include "device-agent/companion/testing/fake_hub.h"

namespace {

using namespace bellwire;             // NOLINT: a program of its own.
using namespace bellwire::companion;  // NOLINT

constexpr char kVictim[] = "push:00000000000000000000000000000000:mail:00000000";

class Peer final : public AutopushPeer {
 public:
  void Send(std::string text) override {
    if (absl::StrContains(text, "victim's")) abort();
    sent_ += text.size();
    if (sent_ > 64 * 1024 * 1024) abort();
  }
  void Close(uint16_t, absl::string_view) override {}

 private:
  size_t sent_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  SetLogLevel(LogLevel::kError);
  SimulatedClock clock;
  FakeHub hub;
  // The uaid is the victim's secret: the attacker's inputs don't have it.
  if (!hub.Subscribe({.instance = kVictim, .owner = "victim", .note = "20454"}).ok()) abort();
  int ids = 0;
  AutopushFront front(&hub, &clock, [&ids](size_t bytes) {
    return absl::StrCat(std::string(2 * bytes - 4, 'a'), absl::Dec(++ids, absl::kZeroPad4));
  });
  hub.Run();
  hub.Deliver({.instance = kVictim, .message_id = "victim's", .payload = "victim's"});
  Peer peer;
  const AutopushFront::Session session = front.Open(&peer);
  const absl::string_view input(reinterpret_cast<const char*>(data), size);
  for (absl::string_view line : absl::StrSplit(input, '\n')) {
    if (!line.empty()) {
      front.OnText(session, line);
      continue;
    }
    hub.Run();
    for (const Subscription& known : hub.List("push:aaaa")) {
      hub.Deliver({.instance = known.instance, .message_id = "m", .payload = "p"});
    }
    clock.Advance(absl::Seconds(1));
    front.OnDeadline();
  }
  if (absl::StrContains(input, std::string(32, '0'))) return 0;
  for (const auto& [instance, id] : hub.acks()) {
    if (instance == kVictim) abort();
  }
  if (hub.Find(kVictim) == nullptr) abort();
  return 0;
}
