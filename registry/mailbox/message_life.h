#ifndef BELLWIRE_REGISTRY_MAILBOX_MESSAGE_LIFE_H_
#define BELLWIRE_REGISTRY_MAILBOX_MESSAGE_LIFE_H_

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "bellwire/internal/v1/internal.pb.h"
#include "bellwire/push/v1/push.pb.h"
#include "bellwire/storage/v1/storage.pb.h"
#include "common/ids.h"
#include "registry/mailbox/retention.h"

// The life of one message, as a state machine over its record. Pure functions: they decide and
// change the record they are given, nothing else. The places and the ways between them:
//
//   (append) ─▶ SCHEDULED ──due──▶ MAILBOX ──ack──▶ DEVICE ──app ack, device's word──▶ ENDED
//   (append) ─────────────────────▶   │    ──recall, may be on its way──▶ RECALLING ─────▲
//   (append) ─▶ NOW_OR_NEVER ──ack──▶ DEVICE           │                                 │
//                    └──resolve──▶ ENDED               └──device's word, ttl─────────────┤
//   every place: expiry, collapse, overflow, recall, removal of the app ─────────────────┘
namespace bellwire::registry {

using storage::v1::MessageLife;

// Whether a step ends a life. The only list of terminal steps.
bool IsTerminal(push::v1::Step step);

// The latest step. REQUIRES: the life has a receipt.
push::v1::Step StateOf(const MessageLife& life);

// Whether the message waits in the mailbox or for its deliver_at.
bool HoldsPlace(const MessageLife& life);

// Adds a receipt; every one of every message passes here. Keeps the list within
// kMaxReceiptsPerMessage: of many SENTs the first ones and the last stay. The same SENT twice is
// one: false says that nothing was news. A terminal step moves the life to ENDED.
// REQUIRES: the life is not ENDED.
bool AddReceipt(MessageLife* life, push::v1::Step step, int64_t time_ms, absl::string_view detail);

// The life of a message that was just stored, from the message alone: `mail` has its registration,
// its number unless it is scheduled, and `stored_at_ms`.
MessageLife NewLife(const internal::v1::Envelope& mail);

// When something becomes due in this life even if nothing happens to it: expiry, or the end of its
// retention. 0: nothing does that this life has to see to (what waits expires with its
// registration's entry, and a now-or-never message has one of its own).
int64_t NextWakeMs(const MessageLife& life, const Retention& retention = {});

// Until when the timeline entry of this life may come: receipts may be kept longer than promised, a
// little. 0: as NextWakeMs.
int64_t LatestWakeMs(const MessageLife& life, const Retention& retention = {});

// Whether `message` is to be delivered now or never.
bool IsNowOrNever(const internal::v1::Envelope& message);

// A hash of what the provider asked for, except deliver_at.
std::string ContentHash(const internal::v1::Envelope& message);

// Pending.message_id_hash: the four words of the id, XORed. Whatever part of an id its maker left
// to chance is in it.
uint32_t ShortHash(const MessageId& message_id);

// Whether `message`, of the same id, is a retry of the one that lives here: the same content, and
// the same deliver_at or one that means the same by now.
bool IsRetry(const MessageLife& life, const internal::v1::Envelope& message, int64_t now_ms);

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_MAILBOX_MESSAGE_LIFE_H_
