#include "tests/hostile/attacks.h"

#include <algorithm>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "bellwire/push/v1/push.pb.h"
#include "common/clock.h"
#include "common/ids.h"
#include "tests/hostile/deflate_bomb.h"
#include "tests/support/raw_device.h"

namespace bellwire::tests {

std::unique_ptr<Http2Peer> Arena::Connect(Http2Peer::Options options) const {
  options.from = options_.from;
  auto peer = Http2Peer::Connect(options_.address, options_.ca_file, options);
  return peer.ok() ? *std::move(peer) : nullptr;
}

void Arena::Flood(int peers, absl::Duration time, const std::function<bool(Http2Peer&)>& step,
                  const Http2Peer::Options& options) const {
  const MonotonicTime end = RealClock()->Monotonic() + time;
  std::vector<std::unique_ptr<Http2Peer>> all(peers);
  while (RealClock()->Monotonic() < end) {
    for (auto& peer : all) {
      if (peer == nullptr || peer->closed()) peer = Connect(options);
      if (peer != nullptr && !step(*peer)) peer.reset();
    }
  }
}

std::string OpenStream(uint32_t stream, const std::string& path, const HeaderList& more) {
  return Frame(FrameType::kHeaders, kEndHeaders, stream, HeaderBlock(GrpcHeaders(path, more)));
}

std::unique_ptr<Http2Peer> OpenMany(const Arena& arena, int streams, const std::string& path,
                                    const std::string& body, const Http2Peer::Options& options,
                                    const HeaderList& more) {
  std::unique_ptr<Http2Peer> peer = arena.Connect(options);
  if (peer == nullptr) return nullptr;
  if (options.reads) peer->Read(absl::Seconds(1));
  const int allowed = static_cast<int>(std::min<int64_t>(streams, peer->max_streams()));
  for (int i = 0; i < allowed; ++i) {
    const uint32_t stream = peer->NewStream();
    if (!peer->Write(OpenStream(stream, path, more), kImpatience)) break;
    // Flow control may leave no room: the next stream is tried all the same.
    peer->WriteBody(stream, body, absl::Milliseconds(5));
  }
  return peer;
}

bool AllEnd(const std::vector<std::unique_ptr<Http2Peer>>& peers) {
  const MonotonicTime end = RealClock()->Monotonic() + kEnds;
  for (const auto& peer : peers) {
    while (peer != nullptr && !peer->Ended(1)) {
      if (RealClock()->Monotonic() >= end) return false;
      peer->Read(absl::Milliseconds(200));
    }
  }
  return true;
}

namespace {

constexpr char kHealthWatch[] = "/grpc.health.v1.Health/Watch";
constexpr char kReflect[] = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo";

// A JWT that is well-formed and signed by nobody, of a key id that does not exist.
std::string MadeUpJwt() {
  const auto part = [](absl::string_view text) { return absl::WebSafeBase64Escape(text); };
  return absl::StrCat(part(absl::StrCat(R"({"alg":"ES256","kid":")", NewShortId(), R"("})")), ".",
                      part(absl::StrCat(R"({"iss":"team","iat":)",
                                        absl::ToUnixSeconds(RealClock()->WallNow()), "}")),
                      ".", std::string(86, 'A'));
}

// --- Attacks. ---

bool RapidReset(const Arena& arena) {
  arena.Flood(4, kFlood, [](Http2Peer& peer) {
    std::string burst;
    for (int i = 0; i < 500; ++i) {
      const uint32_t stream = peer.NewStream();
      absl::StrAppend(&burst, OpenStream(stream, kSend),
                      Frame(FrameType::kRstStream, 0, stream, BigEndian32(8)));
    }
    return peer.Write(burst, kImpatience);
  });
  return true;
}

// A header block that never ends.
bool ContinuationString(const Arena& arena) {
  const std::string fields = HeaderBlock({{"x-more", std::string(8000, 'x')}});
  const std::string more = Frame(FrameType::kContinuation, 0, 1, absl::StrCat(fields, fields));
  arena.Flood(4, kFlood, [&](Http2Peer& peer) {
    if (const uint32_t stream = peer.NewStream(); stream == 1) {
      peer.Write(Frame(FrameType::kHeaders, 0, 1, HeaderBlock(GrpcHeaders(kSend))), kImpatience);
    }
    std::string burst;
    for (int i = 0; i < 16; ++i) burst += more;
    return peer.Write(burst, kImpatience);
  });
  return true;
}

// Many short fields: what a table of references makes large again (HPACK bomb), on many streams.
bool LargeHeaders(const Arena& arena) {
  // A field of 4,000 bytes goes into the dynamic table; each further byte names it once more.
  std::string bomb = HeaderBlock(GrpcHeaders(kSend));
  bomb.push_back(0x40);
  const std::string field = HeaderBlock({{"x", std::string(3900, 'x')}});
  bomb.append(field, 1, std::string::npos);
  bomb.append(8000, static_cast<char>(0x80 | 62));
  arena.Flood(4, kFlood, [&](Http2Peer& peer) {
    return peer.Write(Frame(FrameType::kHeaders, kEndHeaders, peer.NewStream(), bomb), kImpatience);
  });
  return true;
}

bool SettingsFlood(const Arena& arena) {
  const std::string settings = Frame(FrameType::kSettings, 0, 0, "");
  std::string burst;
  for (int i = 0; i < 1000; ++i) burst += settings;
  arena.Flood(4, kFlood, [&](Http2Peer& peer) { return peer.Write(burst, kImpatience); },
              {.reads = false});
  return true;
}

bool PingFlood(const Arena& arena) {
  const std::string ping = Frame(FrameType::kPing, 0, 0, "12345678");
  std::string burst;
  for (int i = 0; i < 1000; ++i) burst += ping;
  arena.Flood(4, kFlood, [&](Http2Peer& peer) { return peer.Write(burst, kImpatience); },
              {.reads = false});
  return true;
}

bool EmptyDataFlood(const Arena& arena) {
  arena.Flood(4, kFlood, [](Http2Peer& peer) {
    std::string burst;
    const uint32_t stream = peer.NewStream();
    if (stream == 1) burst = OpenStream(1, kSend);
    for (int i = 0; i < 1000; ++i) burst += Frame(FrameType::kData, 0, 1, "");
    return peer.Write(burst, kImpatience);
  });
  return true;
}

// Calls of one message of half a MiB that inflates to 128 MiB.
bool CompressionBomb(const Arena& arena) {
  const std::string message = GrpcMessage(DeflateBomb(128 * kMiB), /*compressed=*/true);
  std::vector<std::unique_ptr<Http2Peer>> peers;
  for (int i = 0; i < 8; ++i) {
    std::unique_ptr<Http2Peer> peer = arena.Connect();
    if (peer == nullptr) continue;
    const uint32_t stream = peer->NewStream();
    peer->Write(OpenStream(stream, kSend, {{"grpc-encoding", "gzip"}}), kImpatience);
    peer->WriteBody(stream, message, kImpatience);
    peer->Write(Frame(FrameType::kData, kEndStream, stream, ""), kImpatience);
    peers.push_back(std::move(peer));
  }
  for (auto& peer : peers) {
    const MonotonicTime end = RealClock()->Monotonic() + kEnds;
    while (!peer->Ended(1) && RealClock()->Monotonic() < end) peer->Read(absl::Seconds(1));
    if (!peer->Ended(1)) return false;
  }
  return true;
}

// Batches of as many empty messages as fit in a call.
bool EmptyBatches(const Arena& arena) {
  std::string batch;
  while (batch.size() + 2 <= 6 * kMiB - 16) batch.append("\x0a\x00", 2);
  const std::string message = GrpcMessage(batch);
  std::vector<std::unique_ptr<Http2Peer>> peers;
  // All of them up to the last byte, which comes at the same time.
  for (int i = 0; i < 8; ++i) {
    std::unique_ptr<Http2Peer> peer = arena.Connect();
    if (peer == nullptr) continue;
    peer->Write(OpenStream(peer->NewStream(), kSendBatch), kImpatience);
    peer->WriteBody(1, message.substr(0, message.size() - 1), kImpatience);
    peers.push_back(std::move(peer));
  }
  for (auto& peer : peers) {
    peer->WriteBody(1, message.substr(message.size() - 1), kImpatience);
    peer->Write(Frame(FrameType::kData, kEndStream, 1, ""), kImpatience);
  }
  for (auto& peer : peers) {
    const MonotonicTime end = RealClock()->Monotonic() + kEnds;
    while (!peer->Ended(1) && RealClock()->Monotonic() < end) peer->Read(absl::Seconds(1));
    if (!peer->Ended(1)) return false;
  }
  return true;
}

// Calls whose body was begun and never ends.
bool UnfinishedBodies(const Arena& arena) {
  // The prefix promises 5 MiB.
  std::string body = GrpcMessage(std::string(64 * 1024, 'x'));
  body.replace(1, 4, BigEndian32(5 * kMiB));
  std::vector<std::unique_ptr<Http2Peer>> peers;
  for (int i = 0; i < 8; ++i) peers.push_back(OpenMany(arena, 800, kSend, body));
  return AllEnd(peers);
}

// A body that comes a byte at a time.
bool SlowBody(const Arena& arena) {
  std::unique_ptr<Http2Peer> peer = arena.Connect();
  if (peer == nullptr) return true;
  peer->Write(OpenStream(peer->NewStream(), kSend), kImpatience);
  peer->WriteBody(1, GrpcMessage(std::string(4096, 'x')).substr(0, 5), kImpatience);
  const MonotonicTime end = RealClock()->Monotonic() + kEnds;
  while (!peer->Ended(1) && RealClock()->Monotonic() < end) {
    peer->WriteBody(1, "x", kImpatience);
    peer->Read(absl::Seconds(1));
  }
  return peer->Ended(1);
}

bool ReflectionStreams(const Arena& arena) {
  // list_services: "*"
  const std::string list = GrpcMessage(std::string("\x3a\x01*", 3));
  std::vector<std::unique_ptr<Http2Peer>> peers;
  for (int i = 0; i < 4; ++i) peers.push_back(OpenMany(arena, 500, kReflect, list));
  for (auto& peer : peers) {
    if (peer != nullptr) peer->Read(absl::Seconds(1));
  }
  return true;
}

// Answers that are asked for, and never taken: the window of each stream is 0.
bool AnswersThatNobodyTakes(const Arena& arena, int connections) {
  // file_containing_symbol, the largest answer that there is, several times a stream.
  const std::string symbol = "bellwire.push.v1.PushService";
  std::string ask = absl::StrCat("\x22", std::string(1, static_cast<char>(symbol.size())), symbol);
  ask = GrpcMessage(ask);
  std::string asks;
  for (int i = 0; i < 20; ++i) asks += ask;
  std::vector<std::unique_ptr<Http2Peer>> peers;
  for (int i = 0; i < connections; ++i) {
    peers.push_back(OpenMany(arena, 20, kReflect, asks, {.initial_window = 0}));
  }
  for (auto& peer : peers) {
    if (peer != nullptr) peer->Read(absl::Milliseconds(200));
  }
  return true;
}

bool HealthWatches(const Arena& arena) {
  std::vector<std::unique_ptr<Http2Peer>> peers;
  for (int i = 0; i < 10; ++i)
    peers.push_back(OpenMany(arena, 1000, kHealthWatch, GrpcMessage("")));
  for (auto& peer : peers) {
    if (peer != nullptr) peer->Read(absl::Milliseconds(200));
  }
  return true;
}

// Connections that finish TLS and never make a call.
bool IdleConnections(const Arena& arena) {
  std::vector<std::unique_ptr<Http2Peer>> peers;
  for (int i = 0; i < 500; ++i) peers.push_back(arena.Connect());
  const MonotonicTime end = RealClock()->Monotonic() + kEnds;
  for (auto& peer : peers) {
    while (peer != nullptr && !peer->closed() && !peer->goaway()) {
      if (RealClock()->Monotonic() >= end) return false;
      peer->Read(absl::Milliseconds(200));
    }
  }
  return true;
}

// Connections that say nothing at all.
bool SilentSockets(const Arena& arena) {
  std::vector<std::unique_ptr<RawConnection>> silent;
  for (int i = 0; i < 3000; ++i) {
    auto connection = RawConnection::ConnectTcp(arena.address());
    if (connection.ok()) silent.push_back(*std::move(connection));
  }
  const MonotonicTime end = RealClock()->Monotonic() + kEnds;
  for (auto& connection : silent) {
    if (!connection->ClosedByPeer(std::max(end - RealClock()->Monotonic(), absl::Seconds(1)))) {
      return false;
    }
  }
  return true;
}

// Credentials whose key ids are made up, so that each has to be looked up.
bool MadeUpKeyIds(const Arena& arena) {
  push::v1::SendRequest request;
  request.set_token("00");
  const std::string body = GrpcMessage(request.SerializeAsString());
  arena.Flood(4, kFlood, [&](Http2Peer& peer) {
    std::string burst;
    for (int i = 0; i < 50; ++i) {
      const uint32_t stream = peer.NewStream();
      absl::StrAppend(
          &burst,
          OpenStream(stream, kSend, {{"authorization", absl::StrCat("Bearer ", MadeUpJwt())}}),
          Frame(FrameType::kData, kEndStream, stream, body));
    }
    return peer.Write(burst, kImpatience) && peer.Read(absl::Milliseconds(5));
  });
  return true;
}

}  // namespace

const std::vector<Attack>& Attacks() {
  static const auto* const attacks = new std::vector<Attack>{
      {.name = "RapidReset", .run = RapidReset},
      {.name = "ContinuationString", .run = ContinuationString},
      {.name = "LargeHeaders", .run = LargeHeaders},
      {.name = "SettingsFlood", .run = SettingsFlood},
      {.name = "PingFlood", .run = PingFlood},
      {.name = "EmptyDataFlood", .run = EmptyDataFlood},
      {.name = "CompressionBomb", .run = CompressionBomb},
      {.name = "EmptyBatches", .run = EmptyBatches},
      {.name = "UnfinishedBodies", .run = UnfinishedBodies},
      {.name = "SlowBody", .run = SlowBody},
      {.name = "ReflectionStreams", .run = ReflectionStreams},
      {.name = "AnswersThatNobodyTakes",
       .run = [](const Arena& arena) { return AnswersThatNobodyTakes(arena, 4); }},
      {.name = "AnswersOnManyConnections",
       .run = [](const Arena& arena) { return AnswersThatNobodyTakes(arena, 80); },
       .max_growth_bytes = 64 * kMiB},
      {.name = "HealthWatches", .run = HealthWatches},
      {.name = "IdleConnections", .run = IdleConnections},
      {.name = "SilentSockets", .run = SilentSockets, .max_growth_bytes = 128 * kMiB},
      {.name = "MadeUpKeyIds", .run = MadeUpKeyIds, .max_growth_bytes = 192 * kMiB},
      {.name = "MadeUpKeyIdsSeparate", .run = MadeUpKeyIds, .deployment = Deployment::kSeparate},
  };
  return *attacks;
}

}  // namespace bellwire::tests
