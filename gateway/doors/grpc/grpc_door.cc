#include "gateway/doors/grpc/grpc_door.h"

#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/error.h"
#include "common/limits.h"
#include "gateway/doors/grpc/grpc_call.h"
#include "gateway/doors/grpc/grpc_headers.h"
#include "gateway/doors/grpc/message_codec.h"

namespace bellwire::gateway {
namespace {

constexpr absl::Duration kLongestTimeout = absl::Hours(24 * 365);
constexpr int kOk = 200;
constexpr int kMethodNotAllowed = 405;
constexpr int kUnsupportedMediaType = 415;

bool IsGrpc(const http::RequestHead& head) {
  const std::string* const type = http::FindHeader(head.headers, "content-type");
  return type != nullptr && IsGrpcContentType(*type);
}

// An error without a call: gRPC's "trailers only".
void Refuse(http::Exchange* exchange, const absl::Status& status) {
  const http::HeaderList trailers = StatusTrailers(status);
  std::vector<http::HeaderView> fields = {{"content-type", "application/grpc"}};
  if (status.code() == absl::StatusCode::kUnimplemented) {
    fields.emplace_back("grpc-accept-encoding", kAcceptedEncodings);
  }
  for (const http::Header& trailer : trailers) fields.emplace_back(trailer.name, trailer.value);
  exchange->RespondOnly(kOk, fields);
}

}  // namespace

bool GrpcDoor::Matches(const http::RequestHead& head) const {
  return IsGrpc(head) || methods_->Find(head.path) != nullptr;
}

std::unique_ptr<http::ExchangeHandler> GrpcDoor::Open(http::Exchange* exchange) {
  const http::RequestHead& head = exchange->head();
  if (head.truncated) {
    Refuse(exchange, MakeError(absl::StatusCode::kResourceExhausted, "METADATA_TOO_LARGE",
                               absl::StrCat("The call's metadata is longer than ",
                                            kMaxHttpHeadBytes, " bytes.")));
    return nullptr;
  }
  if (!IsGrpc(head)) {
    exchange->RespondOnly(kUnsupportedMediaType, {});
    return nullptr;
  }
  if (head.method != "POST") {
    exchange->RespondOnly(kMethodNotAllowed, {{"allow", "POST"}});
    return nullptr;
  }
  const Method* const method = methods_->Find(head.path);
  if (method == nullptr) {
    Refuse(exchange, MakeError(absl::StatusCode::kUnimplemented, "NO_SUCH_METHOD",
                               "This server has no such method."));
    return nullptr;
  }
  const std::string* const encoding_name = http::FindHeader(head.headers, "grpc-encoding");
  const std::optional<MessageEncoding> encoding =
      encoding_name == nullptr ? MessageEncoding::kIdentity : ParseMessageEncoding(*encoding_name);
  if (!encoding.has_value()) {
    Refuse(exchange, MakeError(absl::StatusCode::kUnimplemented, "UNKNOWN_ENCODING",
                               absl::StrCat("The grpc-encoding of the call is none of ",
                                            kAcceptedEncodings, ".")));
    return nullptr;
  }
  if (const std::string* text = http::FindHeader(head.headers, "grpc-timeout")) {
    const std::optional<absl::Duration> timeout = ParseGrpcTimeout(*text);
    if (!timeout.has_value()) {
      Refuse(exchange, MakeError(absl::StatusCode::kInternal, "BAD_TIMEOUT",
                                 "The call's grpc-timeout can't be read."));
      return nullptr;
    }
    // Longer ones come to the same, and beyond what a clock can count.
    if (*timeout < kLongestTimeout) exchange->SetDeadline(exchange->now() + *timeout);
  }
  std::shared_ptr<const void> alive;
  if (method->open_to_all) {
    alive = TakeOpenPlace(exchange->peer());
    if (alive == nullptr) {
      Refuse(exchange,
             WithRetryAfter(
                 MakeError(absl::StatusCode::kResourceExhausted, "TOO_MANY_STREAMS",
                           absl::StrCat("A connection may have ", kMaxOpenStreamsPerConnection,
                                        " streams of this method and its like.")),
                 kOverloadedRetryAfter));
      return nullptr;
    }
  } else {
    alive = CountCall();
  }
  auto call = std::make_shared<GrpcCall>(exchange, method, *encoding, std::move(alive));
  std::unique_ptr<http::ExchangeHandler> handler = call->NewHandler();
  method->start(std::move(call));
  return handler;
}

std::shared_ptr<const void> GrpcDoor::CountCall() {
  absl::MutexLock lock(&mutex_);
  ++calls_;
  return std::shared_ptr<const void>(this, [this](const void*) {
    absl::MutexLock unlock(&mutex_);
    --calls_;
  });
}

std::shared_ptr<const void> GrpcDoor::TakeOpenPlace(const std::string& connection) {
  absl::MutexLock lock(&mutex_);
  size_t& streams = open_streams_[connection];
  if (streams >= kMaxOpenStreamsPerConnection) return nullptr;
  ++streams;
  ++calls_;
  return std::shared_ptr<const void>(this, [this, connection](const void*) {
    absl::MutexLock unlock(&mutex_);
    --calls_;
    const auto it = open_streams_.find(connection);
    if (--it->second == 0) open_streams_.erase(it);
  });
}

void GrpcDoor::AwaitNoCalls() {
  const auto none = [this]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return calls_ == 0; };
  absl::MutexLock lock(&mutex_);
  mutex_.Await(absl::Condition(&none));
}

}  // namespace bellwire::gateway
