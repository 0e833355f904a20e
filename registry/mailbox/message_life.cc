#include "registry/mailbox/message_life.h"

#include <openssl/evp.h>

#include <algorithm>
#include <cassert>
#include <cstdlib>

#include "common/limits.h"
#include "registry/keys/keys.h"

namespace bellwire::registry {

using push::v1::Step;

bool IsTerminal(Step step) {
  switch (step) {
    case push::v1::APP_ACKED:
    case push::v1::EXPIRED:
    case push::v1::COLLAPSED:
    case push::v1::OVERFLOWED:
    case push::v1::RECALLED:
    case push::v1::UNREGISTERED:
    case push::v1::NOT_CONNECTED:
      return true;
    default:
      return false;
  }
}

Step StateOf(const MessageLife& life) {
  assert(life.receipts_size() > 0);
  return life.receipts(life.receipts_size() - 1).step();
}

bool HoldsPlace(const MessageLife& life) {
  return life.place() == MessageLife::MAILBOX || life.place() == MessageLife::SCHEDULED;
}

bool AddReceipt(MessageLife* life, Step step, int64_t time_ms, absl::string_view detail) {
  assert(life->place() != MessageLife::ENDED);
  // ACCEPTED, STORED, AGENT_ACKED and the end come once each, SENT as often as the device comes
  // back.
  constexpr int kMaxUntilSent = static_cast<int>(kMaxReceiptsPerMessage) - 2;
  storage::v1::StoredReceipt* receipt = nullptr;
  if (step == push::v1::SENT && life->receipts_size() > 0) {
    storage::v1::StoredReceipt* last = life->mutable_receipts(life->receipts_size() - 1);
    const bool last_is_sent = last->step() == push::v1::SENT;
    if (last_is_sent && last->time_ms() == time_ms) return false;
    if (last_is_sent && life->receipts_size() >= kMaxUntilSent) receipt = last;
  }
  if (receipt == nullptr) receipt = life->add_receipts();
  receipt->set_step(step);
  receipt->set_time_ms(time_ms);
  receipt->set_detail(std::string(detail));
  if (IsTerminal(step)) life->set_place(MessageLife::ENDED);
  return true;
}

MessageLife NewLife(const internal::v1::Envelope& mail) {
  MessageLife life;
  if (IsNowOrNever(mail)) {
    life.set_place(MessageLife::NOW_OR_NEVER);
  } else {
    life.set_place(mail.seq() != 0 ? MessageLife::MAILBOX : MessageLife::SCHEDULED);
  }
  life.set_seq(mail.seq());
  life.set_content_hash(ContentHash(mail));
  life.set_accepted_at_ms(mail.accepted_at_ms());
  life.set_expires_at_ms(mail.expires_at_ms());
  life.set_deliver_at_ms(mail.deliver_at_ms());
  life.set_topic_message_id(mail.topic_message_id());
  life.set_trace_context(mail.trace_context());
  life.set_priority(mail.priority() == push::v1::PRIORITY_UNSPECIFIED ? push::v1::PRIORITY_NORMAL
                                                                      : mail.priority());
  AddReceipt(&life, push::v1::ACCEPTED, mail.accepted_at_ms(), "");
  AddReceipt(&life, push::v1::STORED, mail.stored_at_ms(), "");
  return life;
}

int64_t NextWakeMs(const MessageLife& life, const Retention& retention) {
  switch (life.place()) {
    case MessageLife::RECALLING:
      return life.expires_at_ms();
    case MessageLife::DEVICE:
      return life.expires_at_ms() + absl::ToInt64Milliseconds(kDeviceReportGrace);
    case MessageLife::ENDED:
      return life.receipts(life.receipts_size() - 1).time_ms() +
             absl::ToInt64Milliseconds(retention.receipts);
    default:
      return 0;
  }
}

int64_t LatestWakeMs(const MessageLife& life, const Retention& retention) {
  const int64_t slack =
      life.place() == MessageLife::ENDED ? absl::ToInt64Milliseconds(kReceiptRetentionSlack) : 0;
  return NextWakeMs(life, retention) + slack;
}

bool IsNowOrNever(const internal::v1::Envelope& message) {
  return message.expires_at_ms() == message.accepted_at_ms() && message.deliver_at_ms() == 0;
}

std::string ContentHash(const internal::v1::Envelope& message) {
  // Lengths go first, so that no two contents run into the same bytes. The ttl, and not the time at
  // which it ends, is what a retry repeats.
  const int64_t from = std::max(message.accepted_at_ms(), message.deliver_at_ms());
  std::string content;
  content.reserve(4 * sizeof(uint64_t) + message.payload().size() + message.collapse_key().size());
  AppendBigEndian64(message.payload().size(), &content);
  content += message.payload();
  AppendBigEndian64(message.collapse_key().size(), &content);
  content += message.collapse_key();
  AppendBigEndian64(static_cast<uint64_t>(message.priority()), &content);
  AppendBigEndian64(static_cast<uint64_t>(message.expires_at_ms() - from), &content);
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  // Fetched once: to look for the algorithm takes longer than to hash.
  static const EVP_MD* const sha256 = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  // Fails only without memory.
  if (EVP_Digest(content.data(), content.size(), digest, &size, sha256, nullptr) != 1) abort();
  return std::string(reinterpret_cast<const char*>(digest), 16);
}

uint32_t ShortHash(const MessageId& message_id) {
  const absl::string_view bytes = message_id.bytes();
  const uint64_t folded = ParseBigEndian64(bytes.substr(0, 8)) ^ ParseBigEndian64(bytes.substr(8));
  return static_cast<uint32_t>(folded >> 32) ^ static_cast<uint32_t>(folded);
}

bool IsRetry(const MessageLife& life, const internal::v1::Envelope& message, int64_t now_ms) {
  // The same text is never encrypted to the same bytes twice.
  if (!message.content().encoding().empty()) return true;
  // A deliver_at that has passed means now.
  const bool same_time = message.deliver_at_ms() == life.deliver_at_ms() ||
                         (message.deliver_at_ms() <= now_ms && life.deliver_at_ms() <= now_ms);
  return same_time && ContentHash(message) == life.content_hash();
}

}  // namespace bellwire::registry
