#include "bench/load/device_protocol.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/limits.h"

namespace bellwire::bench {

using device::v1::AgentFrame;
using device::v1::ConnectorFrame;

namespace {

void Send(TlsSwarm* swarm, size_t member, const AgentFrame& frame) {
  std::string bytes;
  net::AppendFrame(frame.SerializeAsString(), &bytes);
  swarm->Write(member, bytes);
}

}  // namespace

void DeviceProtocol::Resize(size_t members) {
  while (members_.size() < members) {
    members_.emplace_back();
    // OpenSSL makes keys, or there is no bench.
    members_.back().key = std::move(DeviceKey::Generate().value());
  }
}

void DeviceProtocol::OnOpen(TlsSwarm* swarm, size_t member) {
  Member& m = members_[member];
  m.frames = std::make_unique<net::FrameDecoder>(kMaxFrameBytes);
  AgentFrame frame;
  device::v1::Login& login = *frame.mutable_login();
  login.set_public_key(m.key->public_key_der());
  login.set_login_number(++m.login_number);
  login.set_mailbox_id(m.mailbox_id);
  login.set_agent_version("device_load/1");
  if (!swarm->resumed(member)) {
    login.set_signature(m.key->SignLogin(swarm->Exporter(member), m.login_number).value());
  }
  Send(swarm, member, frame);
}

void DeviceProtocol::OnClosed(size_t member) {
  Member& m = members_[member];
  m.frames.reset();
  m.heartbeat_sent.reset();
}

void DeviceProtocol::OnData(TlsSwarm* swarm, size_t member, absl::string_view data) {
  Outcome outcome;
  const absl::Status fed = members_[member].frames->Feed(data, [&](absl::string_view body) {
    OnFrame(swarm, member, body, &outcome);
    return outcome.failure.empty();
  });
  if (!fed.ok()) outcome.failure = std::string(fed.message());
  if (!outcome.failure.empty()) return swarm->Fail(member, outcome.failure);
  if (outcome.ack_up_to == 0 && outcome.ack_single.empty()) return;
  AgentFrame frame;
  frame.mutable_ack()->set_up_to_seq(outcome.ack_up_to);
  for (const uint64_t seq : outcome.ack_single) {
    device::v1::SeqRange& range = *frame.mutable_ack()->add_ranges();
    range.set_first(seq);
    range.set_last(seq);
  }
  Send(swarm, member, frame);
}

void DeviceProtocol::OnFrame(TlsSwarm* swarm, size_t member, absl::string_view body,
                             Outcome* outcome) {
  Member& m = members_[member];
  if (body.empty()) {
    if (!m.heartbeat_sent.has_value()) return;
    ++counts_.heartbeats;
    counts_.heartbeat_latency.Add(clock_->Monotonic() - *m.heartbeat_sent);
    m.heartbeat_sent.reset();
    return;
  }
  ConnectorFrame frame;
  if (!frame.ParseFromArray(body.data(), static_cast<int>(body.size()))) {
    outcome->failure = "not a ConnectorFrame";
    return;
  }
  switch (frame.body_case()) {
    case ConnectorFrame::kWelcome:
      m.greatest_seq = 0;
      if (frame.welcome().mailbox_id() != m.mailbox_id) {
        m.mailbox_id = frame.welcome().mailbox_id();
        m.seen_up_to = 0;
        m.seen.clear();
      }
      m.seen_up_to = std::max<uint64_t>(m.seen_up_to, frame.welcome().settled_seq());
      swarm->Ready(member);
      break;
    case ConnectorFrame::kPush:
      OnPush(&m, frame.push(), outcome);
      break;
    case ConnectorFrame::kGap:
      Acknowledge(&m, frame.gap().seq(), /*now_or_never=*/false, outcome);
      break;
    case ConnectorFrame::kAppRegistered:
      m.token = frame.app_registered().token();
      break;
    case ConnectorFrame::kGoAway:
      ++counts_.go_aways;
      m.retry_after = absl::Milliseconds(frame.go_away().retry_after_ms());
      outcome->failure = absl::StrCat("GoAway ", static_cast<int>(frame.go_away().reason()), " ",
                                      frame.go_away().detail());
      break;
    default:
      break;
  }
}

void DeviceProtocol::Acknowledge(Member* member, uint64_t seq, bool now_or_never,
                                 Outcome* outcome) {
  if (now_or_never || seq < member->greatest_seq) return outcome->ack_single.push_back(seq);
  outcome->ack_up_to = member->greatest_seq = seq;
}

void DeviceProtocol::OnPush(Member* member, const device::v1::Push& push, Outcome* outcome) {
  const bool now_or_never = push.expires_at_ms() == push.accepted_at_ms();
  Acknowledge(member, push.seq(), now_or_never, outcome);
  if (push.seq() <= member->seen_up_to || !member->seen.insert(push.seq()).second) {
    ++counts_.repeats;
    return;
  }
  while (member->seen.erase(member->seen_up_to + 1) > 0) ++member->seen_up_to;
  if (!member->message_ids.insert(push.message_id()).second) {
    ++counts_.doubled;
    return;
  }
  ++counts_.messages;
  if (const auto age = AgeOf(push.payload(), *clock_)) counts_.message_latency.Add(*age);
}

bool DeviceProtocol::SendHeartbeat(TlsSwarm* swarm, size_t member) {
  if (members_[member].heartbeat_sent.has_value()) return false;
  members_[member].heartbeat_sent = clock_->Monotonic();
  std::string bytes;
  net::AppendFrame("", &bytes);
  swarm->Write(member, bytes);
  return true;
}

std::optional<absl::Duration> DeviceProtocol::TakeRetryAfter(size_t member) {
  return std::exchange(members_[member].retry_after, std::nullopt);
}

void DeviceProtocol::RegisterApp(TlsSwarm* swarm, size_t member, const std::string& app_id) {
  AgentFrame frame;
  frame.mutable_register_app()->set_app_id(app_id);
  AskForToken(swarm, member, std::move(frame));
}

void DeviceProtocol::RegisterSubscription(TlsSwarm* swarm, size_t member,
                                          const std::string& vapid_key) {
  AgentFrame frame;
  device::v1::Subscription* const wanted = frame.mutable_register_app()->mutable_subscription();
  wanted->set_instance("bench");
  wanted->set_vapid_key(vapid_key);
  AskForToken(swarm, member, std::move(frame));
}

void DeviceProtocol::AskForToken(TlsSwarm* swarm, size_t member, AgentFrame frame) {
  // It may have one of another app.
  members_[member].token.clear();
  frame.mutable_register_app()->set_request_id(1);
  Send(swarm, member, frame);
}

}  // namespace bellwire::bench
