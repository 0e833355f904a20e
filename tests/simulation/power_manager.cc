#include "tests/simulation/power_manager.h"

#include <utility>

#include "bellwire/agent/v1/agent.pb.h"
#include "common/limits.h"

namespace bellwire::simulation {
namespace {

// The mean time that somebody uses a phone, and that nobody does.
constexpr absl::Duration kUse = absl::Minutes(10);
constexpr absl::Duration kRest = absl::Minutes(40);

}  // namespace

PowerManager::PowerManager(net::EventLoop* loop, net::SimulatedNetwork* network, Model* model,
                           int device, std::string address, uint64_t seed)
    : loop_(loop),
      network_(network),
      model_(model),
      device_(device),
      address_(std::move(address)),
      random_(seed, "power manager", static_cast<uint64_t>(device)),
      changes_(std::make_unique<Scheduler>(loop)),
      decoder_(kMaxFrameBytes) {
  ChangeLater();
}

void PowerManager::ChangeLater() {
  // Sometimes somebody only looks at the clock.
  const absl::Duration mean = in_use_ ? kUse : kRest;
  const absl::Duration time =
      random_.Chance(0.1) ? random_.Until(absl::Seconds(3)) : random_.Until(mean);
  changes_->After(time, [this] {
    in_use_ = !in_use_;
    ChangeLater();
    if (plans_ != nullptr) Say();
  });
}

void PowerManager::UseForGood() {
  changes_.reset();
  in_use_ = true;
  if (plans_ != nullptr) Say();
}

void PowerManager::Connect() {
  plans_ = std::make_unique<Scheduler>(loop_);
  if (random_.Chance(0.5)) return Say();
  plans_->After(random_.Between(absl::ZeroDuration(), absl::Minutes(1)), [this] { Say(); });
}

void PowerManager::Disconnect() {
  plans_.reset();
  stream_.reset();
}

// A newer word takes the place of one that is under way.
void PowerManager::Say() {
  if (stream_ != nullptr) loop_->DeleteLater(std::move(stream_));
  model_->rules().OnActivityAsked(device_);
  decoder_ = net::FrameDecoder(kMaxFrameBytes);
  stream_ = network_->Connect(address_);
  stream_->SetDelegate(this);
}

void PowerManager::OnOpen() {
  agent::v1::AppFrame frame;
  frame.mutable_set_activity()->set_activity(in_use_ ? agent::v1::ACTIVE : agent::v1::IDLE);
  std::string bytes;
  net::AppendFrame(frame.SerializeAsString(), &bytes);
  stream_->Write(bytes);
}

void PowerManager::OnData(absl::string_view data) {
  bool heard = false;
  const absl::Status status = decoder_.Feed(data, [&heard](absl::string_view body) {
    agent::v1::AgentFrame frame;
    heard = frame.ParseFromArray(body.data(), static_cast<int>(body.size())) &&
            frame.has_activity_set();
    return false;
  });
  if (!status.ok() || !heard) {
    return model_->Violate(device_, "the agent does not want to know whether it is used");
  }
  model_->OnActivity(device_, in_use_);
  loop_->DeleteLater(std::move(stream_));
}

void PowerManager::OnClosed(const absl::Status&) {
  loop_->DeleteLater(std::move(stream_));
  plans_->After(random_.Between(absl::Milliseconds(100), absl::Seconds(10)), [this] {
    if (stream_ == nullptr) Say();
  });
}

}  // namespace bellwire::simulation
