#include "tests/simulation/app.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/limits.h"

namespace bellwire::simulation {

using agent::v1::AgentFrame;
using agent::v1::AppFrame;

App::App(net::EventLoop* loop, net::SimulatedNetwork* network, Model* model, AppName name,
         std::string address, uint64_t seed)
    : loop_(loop),
      network_(network),
      model_(model),
      name_(name),
      address_(std::move(address)),
      random_(seed, absl::StrCat("app ", name.app), static_cast<uint64_t>(name.device)),
      returns_(loop),
      decoder_(kMaxFrameBytes) {}

void App::Connect() {
  agent_is_there_ = true;
  if (away_) return;
  if (random_.Chance(0.5)) return Dial();
  DialLater();
}

void App::Disconnect() {
  agent_is_there_ = false;
  HangUp();
}

void App::Leave(absl::Duration time) {
  if (away_) return;
  away_ = true;
  model_->rules().OnAppAway(name_.device);
  HangUp();
  returns_.After(time, [this] {
    away_ = false;
    model_->rules().OnAppBack(name_.device);
    if (agent_is_there_) Dial();
  });
}

void App::Dial() {
  HangUp();
  plans_ = std::make_unique<Scheduler>(loop_);
  decoder_ = net::FrameDecoder(kMaxFrameBytes);
  stream_ = network_->Connect(address_);
  stream_->SetDelegate(this);
}

void App::DialLater() {
  plans_ = std::make_unique<Scheduler>(loop_);
  plans_->After(random_.Between(absl::Milliseconds(100), absl::Seconds(20)), [this] { Dial(); });
}

void App::HangUp() {
  open_ = false;
  plans_.reset();
  stream_.reset();
}

void App::Unregister() {
  if (!open_ || unregistering_ || !model_->TokenOf(name_).has_value()) return;
  unregistering_ = true;
  model_->OnUnregister(name_);
  AppFrame frame;
  frame.mutable_unregister();
  Send(frame);
}

void App::OnOpen() {
  open_ = true;
  AppFrame hello;
  hello.mutable_hello()->set_app_id(AppIdOf(name_.app));
  Send(hello);
  AppFrame frame;
  // Whoever does not know whether it has unregistered does it again.
  if (unregistering_) {
    frame.mutable_unregister();
  } else {
    frame.mutable_register_();
  }
  Send(frame);
}

void App::OnClosed(const absl::Status&) {
  open_ = false;
  loop_->DeleteLater(std::move(stream_));
  DialLater();
}

void App::OnData(absl::string_view data) {
  const absl::Status status = decoder_.Feed(data, [this](absl::string_view body) {
    AgentFrame frame;
    if (!frame.ParseFromArray(body.data(), static_cast<int>(body.size()))) {
      model_->Violate(name_.device, "the agent sent what is no frame");
    }
    OnFrame(frame);
    return stream_ != nullptr;
  });
  if (!status.ok()) model_->Violate(name_.device, "the agent sent what is no frame");
}

void App::OnFrame(const AgentFrame& frame) {
  if (frame.has_hello_ok()) handled_.Enter(frame.hello_ok().inbox_id());
  if (frame.has_registered() && !unregistering_) {
    model_->OnToken(name_, frame.registered().token());
  }
  if (frame.has_unregistered()) {
    unregistering_ = false;
    model_->OnUnregistered(name_);
    AppFrame again;
    again.mutable_register_();
    // Installed again soon, or later.
    const absl::Duration most = random_.Chance(0.8) ? absl::Minutes(5) : absl::Hours(2);
    plans_->After(random_.Between(absl::Seconds(1), most), [this, again] { Send(again); });
  }
  if (frame.has_delivery()) {
    const uint64_t id = frame.delivery().delivery_id();
    if (Take(id, frame.delivery().message_id())) model_->OnShown(name_, frame.delivery().payload());
    Acknowledge(id);
  }
  if (frame.has_gap()) {
    if (Take(frame.gap().delivery_id(), "")) model_->OnGap(name_, frame.gap().dropped());
    Acknowledge(frame.gap().delivery_id());
  }
}

bool App::Take(uint64_t delivery_id, const std::string& message_id) {
  if (handled_.Give(delivery_id, message_id)) return false;
  const auto [it, is_new] = taken_.try_emplace(delivery_id, message_id);
  return is_new || std::exchange(it->second, message_id) != message_id;
}

void App::Acknowledge(uint64_t delivery_id) {
  if (!random_.Chance(0.3)) return SendAck(delivery_id);
  plans_->After(random_.Between(absl::ZeroDuration(), absl::Seconds(5)),
                [this, delivery_id] { SendAck(delivery_id); });
}

// The library remembers the last of those that were acknowledged, the app what it still works on.
void App::SendAck(uint64_t delivery_id) {
  handled_.Handle(delivery_id);
  taken_.erase(delivery_id);
  AppFrame frame;
  frame.mutable_ack()->add_delivery_ids(delivery_id);
  Send(frame);
}

void App::Send(const AppFrame& frame) {
  std::string bytes;
  net::AppendFrame(frame.SerializeAsString(), &bytes);
  stream_->Write(bytes);
}

}  // namespace bellwire::simulation
