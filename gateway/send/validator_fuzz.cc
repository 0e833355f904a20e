// Whatever a provider sends, the validator answers a listed reason, or times that make sense.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "bellwire/push/v1/push.pb.h"
#include "common/error.h"
#include "common/limits.h"
#include "gateway/send/validator.h"

namespace {

void Require(bool holds) {
  if (!holds) std::abort();
}

void RequireListedError(const absl::Status& status) {
  Require(status.code() == absl::StatusCode::kInvalidArgument);
  Require(!bellwire::ErrorReason(status).empty());
  Require(bellwire::ErrorField(status).has_value());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const bellwire::TokenSealer* const sealer = bellwire::TokenSealer::ForTesting().release();
  const absl::Time now = absl::FromUnixSeconds(1'767'225'600);
  const int64_t now_ms = absl::ToUnixMillis(now);

  bellwire::push::v1::SendRequest request;
  if (!request.ParseFromArray(data, static_cast<int>(size))) return 0;

  const auto token = bellwire::gateway::OpenToken(request.token(), *sealer);
  if (!token.ok()) RequireListedError(token.status());

  const auto valid = bellwire::gateway::ValidateSend(request, now);
  if (!valid.ok()) {
    RequireListedError(valid.status());
    return 0;
  }
  Require(valid->accepted_at_ms == now_ms);
  Require(valid->now_or_never == (valid->expires_at_ms == valid->accepted_at_ms));
  Require(valid->deliver_at_ms >= 0);
  Require(valid->expires_at_ms <=
          absl::ToUnixMillis(now + bellwire::kMaxDeliverAtAhead + bellwire::kMaxTtl) + 1);
  return 0;
}
