#include "bench/load/mqtt_protocol.h"

#include <initializer_list>
#include <utility>

#include "absl/strings/str_cat.h"

namespace bellwire::bench {
namespace {

// Packet types, MQTT 3.1.1, 2.2.1, with their fixed flags.
constexpr uint8_t kConnect = 0x10;
constexpr uint8_t kConnAck = 0x20;
constexpr uint8_t kPublish = 0x30;
constexpr uint8_t kPubAck = 0x40;
constexpr uint8_t kSubscribe = 0x82;
constexpr uint8_t kSubAck = 0x90;
constexpr uint8_t kPingReq = 0xc0;
constexpr uint8_t kPingResp = 0xd0;
// A flag of CONNECT, 3.1.2.4, and one of PUBLISH, 3.3.1.1.
constexpr uint8_t kCleanSession = 0x02;
constexpr uint8_t kSentAgain = 0x08;

std::string Bytes(std::initializer_list<int> values) {
  std::string out;
  for (const int value : values) out.push_back(static_cast<char>(value));
  return out;
}

std::string Packet(uint8_t type, absl::string_view body) {
  std::string out = Bytes({type});
  size_t n = body.size();
  do {
    out.push_back(static_cast<char>((n & 0x7f) | (n > 0x7f ? 0x80 : 0)));
    n >>= 7;
  } while (n > 0);
  return absl::StrCat(out, body);
}

std::string Text(absl::string_view text) {
  return absl::StrCat(Bytes({static_cast<int>(text.size() >> 8), static_cast<int>(text.size())}),
                      text);
}

size_t TwoBytes(absl::string_view bytes) {
  return static_cast<size_t>(static_cast<uint8_t>(bytes[0])) << 8 | static_cast<uint8_t>(bytes[1]);
}

// Of the type and the length, whose last byte has no high bit; 0: it isn't complete.
size_t HeaderSize(absl::string_view bytes) {
  for (size_t i = 1; i < bytes.size(); ++i) {
    if ((static_cast<uint8_t>(bytes[i]) & 0x80) == 0) return i + 1;
  }
  return 0;
}

// Of the first packet of `bytes`; 0: it isn't complete.
size_t PacketSize(absl::string_view bytes) {
  const size_t header = HeaderSize(bytes);
  size_t length = 0;
  for (size_t i = header; i > 1; --i) {
    length = length << 7 | (static_cast<uint8_t>(bytes[i - 1]) & 0x7f);
  }
  return header > 0 && bytes.size() - header >= length ? header + length : 0;
}

}  // namespace

void MqttProtocol::OnOpen(TlsSwarm* swarm, size_t member) {
  // Level 4, no keep-alive: nothing but the bench's own traffic.
  const int flags = session_ == MqttSession::kClean ? kCleanSession : 0;
  swarm->Write(member, Packet(kConnect, absl::StrCat(Text("MQTT"), Bytes({4, flags, 0, 0}),
                                                     Text(absl::StrCat("d", member)))));
}

void MqttProtocol::OnData(TlsSwarm* swarm, size_t member, absl::string_view data) {
  std::string& received = members_[member].received;
  received.append(data.data(), data.size());
  size_t taken = 0;
  while (const size_t size = PacketSize(absl::string_view(received).substr(taken))) {
    OnPacket(swarm, member, absl::string_view(received).substr(taken, size));
    taken += size;
  }
  received.erase(0, taken);
}

void MqttProtocol::OnPacket(TlsSwarm* swarm, size_t member, absl::string_view packet) {
  const uint8_t type_and_flags = static_cast<uint8_t>(packet[0]);
  const absl::string_view body = packet.substr(HeaderSize(packet));
  Member& m = members_[member];
  switch (type_and_flags & 0xf0) {
    case kConnAck:
      swarm->Write(member,
                   Packet(kSubscribe, absl::StrCat(Bytes({0, 1}), Text(absl::StrCat("d/", member)),
                                                   Bytes({1}))));
      break;
    case kSubAck:
      swarm->Ready(member);
      break;
    case kPublish: {
      const bool acknowledged = (type_and_flags & 0x06) != 0;
      if (body.size() < 4) break;
      const size_t id_at = 2 + TwoBytes(body);
      const size_t payload_at = id_at + (acknowledged ? 2 : 0);
      if (body.size() < payload_at) break;
      if (acknowledged) swarm->Write(member, Packet(kPubAck, body.substr(id_at, 2)));
      if ((type_and_flags & kSentAgain) != 0) {
        ++counts_.repeats;
        break;
      }
      ++counts_.messages;
      if (const auto age = AgeOf(body.substr(payload_at), *clock_)) {
        counts_.message_latency.Add(*age);
      }
      break;
    }
    case kPingResp:
      if (!m.heartbeat_sent.has_value()) break;
      ++counts_.heartbeats;
      counts_.heartbeat_latency.Add(clock_->Monotonic() - *m.heartbeat_sent);
      m.heartbeat_sent.reset();
      break;
    default:
      break;
  }
}

bool MqttProtocol::SendHeartbeat(TlsSwarm* swarm, size_t member) {
  if (members_[member].heartbeat_sent.has_value()) return false;
  members_[member].heartbeat_sent = clock_->Monotonic();
  swarm->Write(member, Packet(kPingReq, ""));
  return true;
}

}  // namespace bellwire::bench
