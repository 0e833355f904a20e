// What somebody can do who has a team and a good credential.

#include "absl/strings/str_cat.h"
#include "bellwire/push/v1/push.pb.h"
#include "common/clock.h"
#include "common/limits.h"
#include "tests/hostile/attacks.h"
#include "tests/hostile/deflate_bomb.h"

namespace bellwire::tests {
namespace {

constexpr size_t kMostOfACall = kMaxProviderRequestBytes - 16;

push::v1::SendRequest Message(const Arena& arena, size_t payload_bytes) {
  push::v1::SendRequest request;
  request.set_token(arena.token());
  request.set_payload(std::string(payload_bytes, 'x'));
  return request;
}

// `connections` connections bring the same call up to its last byte, and then that byte together.
// True: all were answered.
bool CallTogether(const Arena& arena, int connections, const std::string& path,
                  const std::string& message, HeaderList more = {}) {
  more.push_back(arena.Credential().front());
  std::vector<std::unique_ptr<Http2Peer>> peers;
  for (int i = 0; i < connections; ++i) {
    std::unique_ptr<Http2Peer> peer = arena.Connect();
    if (peer == nullptr) continue;
    peer->Write(OpenStream(peer->NewStream(), path, more), kImpatience);
    peer->WriteBody(1, absl::string_view(message).substr(0, message.size() - 1), kImpatience);
    peers.push_back(std::move(peer));
  }
  for (auto& peer : peers) {
    peer->WriteBody(1, absl::string_view(message).substr(message.size() - 1), kImpatience);
    peer->Write(Frame(FrameType::kData, kEndStream, 1, ""), kImpatience);
  }
  return AllEnd(peers);
}

// Millions of empty messages in a call.
bool EmptyBatches(const Arena& arena) {
  std::string batch;
  while (batch.size() + 2 <= kMostOfACall) batch.append("\x0a\x00", 2);
  return CallTogether(arena, 32, kSendBatch, GrpcMessage(batch));
}

// Batches as large as they may be, all of which are served or refused one by one.
bool FullBatches(const Arena& arena) {
  push::v1::SendBatchRequest batch;
  const push::v1::SendRequest message = Message(arena, kMaxPayloadBytes);
  while (batch.requests_size() < static_cast<int>(kMaxBatchMessages)) {
    *batch.add_requests() = message;
  }
  const std::string bytes = GrpcMessage(batch.SerializeAsString());
  return CallTogether(arena, 32, kSendBatch, bytes);
}

// Fields that nobody knows: each costs several times its bytes when it is parsed.
bool UnknownFields(const Arena& arena) {
  std::string request;
  while (request.size() + 3 <= kMostOfACall) request.append("\xa0\x06\x00", 3);
  return CallTogether(arena, 16, kSend, GrpcMessage(request)) &&
         CallTogether(arena, 16, kSendBatch, GrpcMessage(request));
}

// Messages that inflate to all that a call may have, and to more.
bool Bombs(const Arena& arena) {
  for (const size_t bytes : {kMostOfACall, 128 * kMiB}) {
    const std::string bomb = GrpcMessage(DeflateBomb(bytes), /*compressed=*/true);
    if (!CallTogether(arena, 64, kSendBatch, bomb, {{"grpc-encoding", "gzip"}})) return false;
  }
  return true;
}

// Calls whose body was begun and never ends. The credential is good, so their service reads them.
bool UnfinishedBodies(const Arena& arena) {
  std::string body = GrpcMessage(std::string(64 * 1024, 'x'));
  body.replace(1, 4, BigEndian32(5 * kMiB));
  std::vector<std::unique_ptr<Http2Peer>> peers;
  for (int i = 0; i < 8; ++i) {
    peers.push_back(OpenMany(arena, 800, kSendBatch, body, {}, arena.Credential()));
  }
  return AllEnd(peers);
}

// Streams that send and take no result.
bool ResultsThatNobodyTakes(const Arena& arena) {
  push::v1::SendStreamRequest request;
  request.set_correlation_id(1);
  request.mutable_request()->set_token("00");
  std::string bodies;
  for (size_t i = 0; i < kMaxSendStreamInFlight; ++i) {
    bodies += GrpcMessage(request.SerializeAsString());
  }
  std::vector<std::unique_ptr<Http2Peer>> peers;
  for (int i = 0; i < 16; ++i) {
    peers.push_back(
        OpenMany(arena, 1000, kSendStream, bodies, {.initial_window = 0}, arena.Credential()));
  }
  // The streams may stay as long as the team likes, and cost next to nothing.
  for (auto& peer : peers) {
    if (peer != nullptr) peer->Read(absl::Seconds(1));
  }
  return true;
}

// The receipts of all that was done, on as many streams as there may be, and taken by nobody.
bool ReceiptsThatNobodyTakes(const Arena& arena) {
  const std::string from_now_on = GrpcMessage("");
  std::vector<std::unique_ptr<Http2Peer>> peers;
  for (int i = 0; i < 8; ++i) {
    peers.push_back(OpenMany(arena, 200, kWatchReceipts, from_now_on, {.initial_window = 0},
                             arena.Credential()));
  }
  return FullBatches(arena);
}

// Single messages on thousands of streams, whose answers nobody takes.
bool AnswersOfSendsThatNobodyTakes(const Arena& arena) {
  const std::string body = GrpcMessage(Message(arena, 100).SerializeAsString());
  arena.Flood(16, kFlood,
              [&](Http2Peer& peer) {
                std::string burst;
                for (int i = 0; i < 50; ++i) {
                  const uint32_t stream = peer.NewStream();
                  absl::StrAppend(&burst, OpenStream(stream, kSend, arena.Credential()),
                                  Frame(FrameType::kData, kEndStream, stream, body));
                }
                return peer.Write(burst, kImpatience) && peer.Read(absl::Milliseconds(5));
              },
              {.initial_window = 0});
  return true;
}

}  // namespace

const std::vector<Attack>& AttacksOfATeam() {
  static const auto* const attacks = new std::vector<Attack>{
      {.name = "EmptyBatches", .run = EmptyBatches},
      {.name = "FullBatches", .run = FullBatches, .max_growth_bytes = 192 * kMiB},
      {.name = "UnknownFields", .run = UnknownFields, .max_growth_bytes = 192 * kMiB},
      {.name = "Bombs", .run = Bombs},
      {.name = "UnfinishedBodies", .run = UnfinishedBodies, .max_growth_bytes = 128 * kMiB},
      {.name = "ResultsThatNobodyTakes", .run = ResultsThatNobodyTakes},
      {.name = "ReceiptsThatNobodyTakes",
       .run = ReceiptsThatNobodyTakes,
       .max_growth_bytes = 192 * kMiB},
      {.name = "AnswersOfSendsThatNobodyTakes", .run = AnswersOfSendsThatNobodyTakes},
  };
  return *attacks;
}

}  // namespace bellwire::tests
