// Whatever an app sends, in whatever pieces, the hub neither crashes nor lets it near another app.
// The first byte of the input chooses the size of the pieces.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "bellwire/agent/v1/agent.pb.h"
#include "common/log.h"
#include "common/simulated_clock.h"
#include "common/testing/temp_dir.h"
#include "device-agent/apps/app_hub.h"
#include "device-agent/inbox/inbox.h"
#include "net/simulated/simulated_loop.h"
#include "net/socket/frame_codec.h"

namespace {

using namespace bellwire;         // NOLINT: a program of its own.
using namespace bellwire::agent;  // NOLINT

constexpr char kVictim[] = "com.example.mail";
constexpr uid_t kVictimUid = 1000;
constexpr char kVictimSubscription[] = "sub:1000:mail";
constexpr uid_t kAttackerUid = 1001;

// The agent's end of an app's connection: looks at everything the hub says to the attacker.
class Stream final : public net::Stream {
 public:
  void SetDelegate(Delegate* delegate) override { delegate_ = delegate; }
  void Write(absl::string_view data) override {
    written_ += data.size();
    if (written_ > 64 * 1024 * 1024) abort();
    const absl::Status status = decoder_.Feed(data, [](absl::string_view body) {
      v1::AgentFrame frame;
      if (!frame.ParseFromString(std::string(body))) abort();
      if (frame.has_delivery() || frame.has_gap()) abort();
      if (frame.has_registered() || frame.has_subscribed()) abort();
      for (const auto& app : frame.status().apps()) {
        if (app.app_id() == kVictim) abort();
      }
      if (frame.status().subscriptions_size() > 0) abort();
      return true;
    });
    if (!status.ok()) abort();
  }
  size_t buffered_bytes() const override { return 0; }
  void Close() override { delegate_ = nullptr; }
  void PauseReading() override {}
  void ResumeReading() override {}
  std::string peer_name() const override { return "app"; }

  Delegate* delegate() const { return delegate_; }

 private:
  Delegate* delegate_ = nullptr;
  size_t written_ = 0;
  net::FrameDecoder decoder_{kMaxFrameBytes};
};

class Owner final : public AppHub::Owner {
 public:
  void WantToken(const std::string& app_id, const AppOwner& owner,
                 std::optional<Subscription>) override {
    RefuseVictim(app_id);
    if (owner.uid != kAttackerUid) abort();
  }
  void UnwantToken(const std::string&) override {}
  void OnAppConnected(const std::string& app_id) override { RefuseVictim(app_id); }
  void OnAppLeft(const std::string& app_id) override { RefuseVictim(app_id); }
  int StartsOf(const std::string&) override { return 0; }
  absl::Status Unregister(const std::string& app_id) override {
    RefuseVictim(app_id);
    return absl::OkStatus();
  }
  void OnTaken(const std::string& app_id, std::vector<uint64_t>) override { RefuseVictim(app_id); }
  // Nothing is registered here for whoever speaks.
  void ChangeTopic(const std::string&, const AppOwner&, uint64_t,
                   const v1::ChangeTopic&) override {
    abort();
  }
  void ForgetTopicChanges(const std::string& app_id) override { RefuseVictim(app_id); }
  // Not for an app, whatever it sends.
  void SetActivity(v1::Activity) override { abort(); }
  absl::Status SetNetwork(const v1::SetNetwork&) override { abort(); }
  absl::StatusOr<bool> Enroll(const std::string&) override { abort(); }
  void FillStatus(v1::Status*) override {}

 private:
  static void RefuseVictim(const std::string& app_id) {
    if (app_id == kVictim || app_id == kVictimSubscription) abort();
  }
};

// One inbox for all runs: what an app may do here writes nothing to it.
struct Phone {
  Phone() {
    inbox = *Inbox::Open(dir.path("inbox.db"), &clock);
    if (!inbox->Register(kVictim, {kVictimUid, 1, "token"}).ok()) abort();
    const Subscription subscription{.owner = "org.example.Mail"};
    if (!inbox->Register(kVictimSubscription, {kVictimUid, 2, "https://push.example", subscription})
             .ok()) {
      abort();
    }
  }
  TempDir dir;
  SimulatedClock clock;
  std::unique_ptr<Inbox> inbox;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static Phone phone;
  if (size == 0) return 0;
  SetLogLevel(LogLevel::kError);
  const size_t piece = data[0] == 0 ? size : data[0];
  absl::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);

  net::SimulatedLoop loop(&phone.clock);
  Owner owner;
  AppHub hub(&loop, phone.inbox.get(), /*agent_uid=*/900, &owner);
  auto owned = std::make_unique<Stream>();
  Stream* const stream = owned.get();
  hub.Accept(std::move(owned), kAttackerUid);
  stream->delegate()->OnOpen();
  // A closed stream lives until the loop has run.
  while (!bytes.empty() && stream->delegate() != nullptr) {
    const absl::string_view chunk = bytes.substr(0, piece);
    bytes.remove_prefix(chunk.size());
    stream->delegate()->OnData(chunk);
  }
  if (hub.connections() != (stream->delegate() != nullptr ? 1u : 0u)) abort();
  return 0;
}
