#include "registry/server/request_decoder.h"

#include <algorithm>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/error.h"
#include "common/limits.h"
#include "common/status_macros.h"
#include "common/trace_context.h"
#include "crypto/p256.h"
#include "registry/engine/store_error.h"
#include "registry/keys/keys.h"
#include "registry/mailbox/message_life.h"

namespace bellwire::registry {
namespace {

// 9999-12-31: the last that a google.protobuf.Timestamp can say.
constexpr int64_t kMaxWallMs = 253'402'300'799'000;
// An uncompressed P-256 point.
constexpr size_t kVapidKeyBytes = 65;
// As bellwire.device.v1.Subscription says.
constexpr size_t kMaxInstanceBytes = 64;
constexpr size_t kMaxOwnerBytes = 16;
// As bellwire.internal.v1.Content says.
constexpr size_t kMaxContentFieldBytes = 512;

bool IsWallTime(int64_t ms) { return ms > 0 && ms <= kMaxWallMs; }

bool IsShortId(absl::string_view id) {
  return !id.empty() && id.size() <= kMaxShortIdBytes &&
         std::all_of(id.begin(), id.end(),
                     [](char c) { return absl::ascii_isalnum(c) || c == '-' || c == '_'; });
}

constexpr size_t kSha256Bytes = 32;

// TEAM_ID/NAME, as admin.proto says of Key.ALIAS.
bool IsAliasId(absl::string_view id) {
  const size_t slash = id.find('/');
  if (slash == absl::string_view::npos || !IsShortId(id.substr(0, slash))) return false;
  return IsValidAlias(id.substr(slash + 1));
}

// The form only: the gateway has checked a signature against it.
bool IsVapidKeyOrNone(absl::string_view key) {
  return key.empty() || (key.size() == kVapidKeyBytes && key[0] == '\x04');
}

absl::Status TooManyItems() {
  return BadFieldError("items", absl::StrCat("more than ", kMaxAckItems));
}

}  // namespace

absl::StatusOr<DeviceId> DecodeDevice(absl::string_view device_id) {
  const auto id = DeviceId::FromBytes(device_id);
  if (!id.has_value()) return BadFieldError("device_id", "not 16 bytes");
  return *id;
}

absl::StatusOr<MessageId> DecodeMessageId(absl::string_view message_id) {
  const auto id = MessageId::FromBytes(message_id);
  if (!id.has_value()) return BadFieldError("message_id", "not 16 bytes");
  return *id;
}

absl::StatusOr<TokenRef> DecodeToken(absl::string_view device_id, uint64_t registration_id,
                                     absl::string_view team_id,
                                     const internal::v1::SubscriptionSender* subscription) {
  BELLWIRE_ASSIGN_OR_RETURN(const DeviceId device, DecodeDevice(device_id));
  if (registration_id == 0) return BadFieldError("registration_id", "is zero");
  if (subscription != nullptr) {
    if (!team_id.empty()) return BadFieldError("team_id", "a team and a subscription's sender");
    if (!IsVapidKeyOrNone(subscription->vapid_key())) {
      return BadFieldError("subscription.vapid_key", "no uncompressed P-256 point");
    }
    return TokenRef{device, registration_id, "", subscription->vapid_key()};
  }
  if (!IsShortId(team_id)) return BadFieldError("team_id", "no team id");
  return TokenRef{device, registration_id, std::string(team_id)};
}

absl::Status CheckMessage(const Envelope& message) {
  if (message.seq() != 0) return BadFieldError("message.seq", "the registry gives it");
  BELLWIRE_RETURN_IF_ERROR(DecodeMessageId(message.message_id()).status());
  if (message.payload().size() > kMaxPayloadBytes) {
    return BadFieldError("message.payload", absl::StrCat("more than ", kMaxPayloadBytes, " bytes"));
  }
  if (message.collapse_key().size() > kMaxCollapseKeyBytes) {
    return BadFieldError("message.collapse_key",
                         absl::StrCat("more than ", kMaxCollapseKeyBytes, " bytes"));
  }
  if (!push::v1::Priority_IsValid(message.priority())) {
    return BadFieldError("message.priority", "unknown");
  }
  if (!IsWallTime(message.accepted_at_ms())) {
    return BadFieldError("message.accepted_at_ms", "no time");
  }
  const int64_t accepted_at_ms = message.accepted_at_ms();
  const int64_t deliver_at_ms = message.deliver_at_ms();
  if (deliver_at_ms < 0 ||
      deliver_at_ms > accepted_at_ms + absl::ToInt64Milliseconds(kMaxDeliverAtAhead)) {
    return BadFieldError("message.deliver_at_ms", "too far ahead");
  }
  const int64_t from_ms = std::max(accepted_at_ms, deliver_at_ms);
  if (message.expires_at_ms() < from_ms ||
      message.expires_at_ms() > from_ms + absl::ToInt64Milliseconds(kMaxTtl)) {
    return BadFieldError("message.expires_at_ms", "outside the ttl's range");
  }
  const internal::v1::Content& content = message.content();
  if (content.encoding().size() > kMaxContentFieldBytes ||
      content.encryption().size() > kMaxContentFieldBytes ||
      content.crypto_key().size() > kMaxContentFieldBytes) {
    return BadFieldError("message.content",
                         absl::StrCat("a field has more than ", kMaxContentFieldBytes, " bytes"));
  }
  if (!message.topic_message_id().empty()) {
    BELLWIRE_RETURN_IF_ERROR(DecodeMessageId(message.topic_message_id()).status());
  }
  if (!message.trace_context().empty() && message.trace_context().size() != kTraceContextBytes) {
    return BadFieldError("message.trace_context",
                         absl::StrCat("it is not ", kTraceContextBytes, " bytes long"));
  }
  if (message.gap_dropped() != 0) {
    return BadFieldError("message.gap_dropped", "gap notices are the registry's own");
  }
  return absl::OkStatus();
}

absl::Status CheckRoute(const Route& route) {
  if (route.connector_address().empty() || route.connector_address().size() > kMaxAddressBytes) {
    return BadFieldError("route.connector_address", "empty or too long");
  }
  if (route.login_number() == 0) return BadFieldError("route.login_number", "is zero");
  return absl::OkStatus();
}

absl::StatusOr<std::vector<AckItem>> DecodeAckItems(
    const google::protobuf::RepeatedPtrField<internal::v1::AckRequest::Item>& items) {
  if (static_cast<size_t>(items.size()) > kMaxAckItems) return TooManyItems();
  std::vector<AckItem> decoded;
  decoded.reserve(items.size());
  for (const internal::v1::AckRequest::Item& item : items) {
    if (!IsWallTime(item.sent_at_ms())) return BadFieldError("items.sent_at_ms", "no time");
    decoded.push_back({item.seq(), absl::FromUnixMillis(item.sent_at_ms())});
  }
  return decoded;
}

absl::StatusOr<std::vector<AppAckItem>> DecodeAppAckItems(
    const google::protobuf::RepeatedPtrField<internal::v1::AppAckRequest::Item>& items) {
  if (static_cast<size_t>(items.size()) > kMaxAckItems) return TooManyItems();
  std::vector<AppAckItem> decoded;
  decoded.reserve(items.size());
  for (const internal::v1::AppAckRequest::Item& item : items) {
    BELLWIRE_ASSIGN_OR_RETURN(const MessageId message_id, DecodeMessageId(item.message_id()));
    // NOT_CONNECTED is the server's own finding.
    if (!IsTerminal(item.step()) || item.step() == push::v1::NOT_CONNECTED) {
      return BadFieldError("items.step", "not one that a device may say");
    }
    decoded.push_back({message_id, item.registration_id(), item.step()});
  }
  return decoded;
}

absl::StatusOr<NetworkReport> DecodeNetworkReport(const internal::v1::NetworkReport& report) {
  const auto id = NetworkId::FromBytes(report.network_id());
  if (!id.has_value()) return BadFieldError("network.network_id", "not 16 bytes");
  const absl::Duration interval = absl::Milliseconds(report.interval_ms());
  if (report.interval_ms() != 0 &&
      (interval < kMinHeartbeatInterval || interval > kMaxHeartbeatInterval)) {
    return BadFieldError("network.interval_ms", "no interval that a heartbeat may have");
  }
  return NetworkReport{*id, interval};
}

absl::Status CheckReadReceipts(const internal::v1::ReadReceiptsRequest& request) {
  if (request.max_receipts() == 0 && !request.stream_ended()) {
    return BadFieldError("max_receipts", "is zero");
  }
  if (request.wait_ms() < 0) return BadFieldError("wait_ms", "is negative");
  if (request.feed() > kMaxFeed) return BadFieldError("feed", "is greater than there are");
  return absl::OkStatus();
}

absl::Status CheckAppId(absl::string_view app_id) {
  if (IsValidAppId(app_id)) return absl::OkStatus();
  return InvalidField(
      "BAD_APP_ID", "app_id",
      "an app id is a reverse domain name such as com.example.mail: 3 to 128 characters "
      "of [a-zA-Z0-9._-] with a dot and no empty label");
}

absl::Status CheckAppOwner(absl::string_view owner) {
  if (owner.size() <= kMaxOwnerBytes) return absl::OkStatus();
  return InvalidField("BAD_APP_ID", "owner",
                      absl::StrCat("the owner of an app has at most ", kMaxOwnerBytes, " bytes"));
}

absl::Status CheckInstance(absl::string_view instance) {
  if (!instance.empty() && instance.size() <= kMaxInstanceBytes) return absl::OkStatus();
  return InvalidField("BAD_SUBSCRIPTION", "instance",
                      absl::StrCat("a subscription's name has 1 to ", kMaxInstanceBytes, " bytes"));
}

absl::Status CheckSubscription(const Subscription& subscription) {
  BELLWIRE_RETURN_IF_ERROR(CheckInstance(subscription.instance()));
  if (subscription.owner().size() > kMaxOwnerBytes) {
    return InvalidField(
        "BAD_SUBSCRIPTION", "subscription.owner",
        absl::StrCat("a subscription's owner has at most ", kMaxOwnerBytes, " bytes"));
  }
  // A key off the curve would make an endpoint that nobody can ever send to.
  if (!subscription.vapid_key().empty() && !IsP256Point(subscription.vapid_key())) {
    return InvalidField("BAD_SUBSCRIPTION", "subscription.vapid_key",
                        "a VAPID key is an uncompressed P-256 point: 65 bytes, the first one 4");
  }
  return absl::OkStatus();
}

absl::Status CheckTeamId(absl::string_view team_id) {
  return IsShortId(team_id) ? absl::OkStatus() : TeamNotFoundError("");
}

absl::Status CheckKeyId(absl::string_view key_id) {
  return IsShortId(key_id) || IsAliasId(key_id) ? absl::OkStatus() : KeyNotFoundError("");
}

absl::Status CheckTeam(const admin::v1::Team& team) {
  if (!IsShortId(team.team_id())) return BadFieldError("team_id", "no team id");
  if (team.name().empty() || team.name().size() > kMaxTeamNameBytes) {
    return InvalidField("BAD_NAME", "name",
                        absl::StrCat("a team's name has 1 to ", kMaxTeamNameBytes, " bytes"));
  }
  return absl::OkStatus();
}

absl::Status CheckApp(const admin::v1::App& app) {
  BELLWIRE_RETURN_IF_ERROR(CheckTeamId(app.team_id()));
  BELLWIRE_RETURN_IF_ERROR(CheckAppId(app.app_id()));
  if (!admin::v1::OverflowPolicy_IsValid(app.overflow_policy())) {
    return InvalidField("BAD_OVERFLOW_POLICY", "overflow_policy", "unknown");
  }
  return absl::OkStatus();
}

absl::Status CheckKey(const admin::v1::Key& key) {
  BELLWIRE_RETURN_IF_ERROR(CheckTeamId(key.team_id()));
  if (key.kind() == admin::v1::Key::ALIAS) {
    if (!IsAliasId(key.key_id())) return InvalidField("BAD_ALIAS", "key_id", "no TEAM_ID/NAME");
    // Else a team could take the name of another one's alias.
    if (key.key_id().substr(0, key.key_id().find('/')) != key.team_id()) {
      return BadFieldError("key_id", "not of this team");
    }
    if (key.device_token().empty() || key.device_token().size() > kMaxTokenChars) {
      return BadFieldError("device_token", "empty or too long");
    }
    return absl::OkStatus();
  }
  if (!IsShortId(key.key_id())) return BadFieldError("key_id", "no key id");
  if (key.kind() == admin::v1::Key::SEND_ONLY) {
    if (key.token_sha256().size() == kSha256Bytes) return absl::OkStatus();
    return BadFieldError("token_sha256", "not 32 bytes");
  }
  if (key.kind() != admin::v1::Key::SIGNING && key.kind() != admin::v1::Key::FCM) {
    return BadFieldError("kind", "unknown");
  }
  if (key.public_key_pem().empty() || key.public_key_pem().size() > kMaxPublicKeyPemBytes) {
    return InvalidField("BAD_PUBLIC_KEY", "public_key_pem", "empty or too long");
  }
  return absl::OkStatus();
}

}  // namespace bellwire::registry
