#include "registry/mailbox/append.h"

#include <algorithm>
#include <cassert>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/error.h"
#include "common/limits.h"
#include "common/status_macros.h"
#include "registry/mailbox/token.h"

namespace bellwire::registry {
namespace {

using storage::v1::Pending;
using storage::v1::Registration;

// A newer message takes the place of the pending one with its collapse key.
absl::Status Collapse(DeviceTransaction& tx, const Registration& registration,
                      uint64_t registration_id, const std::string& collapse_key) {
  if (collapse_key.empty()) return absl::OkStatus();
  for (const Pending& pending : registration.pending()) {
    if (pending.collapse_key() != collapse_key) continue;
    // At most one: this is what keeps it so. A copy, as ending it changes the list.
    return tx.EndPending(registration_id, Pending(pending), push::v1::COLLAPSED,
                         "a newer message has the same collapse key");
  }
  return absl::OkStatus();
}

// Which to drop for a newer one, in this order: what has waited longest first, and scheduled
// messages only if nothing waits. A reminder for next week is not old news. What may be on its way
// to the device is left out: no more than a window's worth can be, so something always remains.
std::vector<Pending> Droppable(const DeviceTransaction& tx, const Registration& registration) {
  std::vector<Pending> all(registration.pending().begin(), registration.pending().end());
  const auto age = [](const Pending& p) {
    return std::make_pair(p.seq() == 0,
                          p.seq() == 0 ? p.deliver_at_ms() : static_cast<int64_t>(p.seq()));
  };
  std::stable_sort(all.begin(), all.end(),
                   [&](const Pending& a, const Pending& b) { return age(a) < age(b); });
  size_t on_their_way = 0;
  std::erase_if(all, [&](const Pending& pending) {
    return tx.MayBeOnItsWay(pending) && ++on_their_way <= kSessionWindowMessages;
  });
  return all;
}

// The subscriptions of a device share a quota beside the places of each.
absl::Status CheckQuota(const DeviceTransaction& tx, const Registration& registration) {
  if (!registration.has_subscription() ||
      tx.device().subscription_messages() < kMaxSubscriptionMessagesPerDevice) {
    return absl::OkStatus();
  }
  return WithRetryAfter(
      MakeError(absl::StatusCode::kResourceExhausted, "QUOTA_EXCEEDED",
                absl::StrCat(kMaxSubscriptionMessagesPerDevice,
                             " messages wait for the subscriptions of this device already")),
      kMailboxFullRetryAfter);
}

// Sees to a place for one more message, as the app's policy says. Not OK inside: refused.
absl::StatusOr<absl::Status> MakeRoom(DeviceTransaction& tx, const Registration& registration,
                                      uint64_t registration_id) {
  const auto full = [&] {
    return registration.pending_size() >= static_cast<int>(kMaxMailboxMessagesPerApp);
  };
  if (!full()) return CheckQuota(tx, registration);
  // The sweeper may not have come to them yet.
  BELLWIRE_RETURN_IF_ERROR(tx.EndExpired(registration_id).status());
  if (!full()) return CheckQuota(tx, registration);
  switch (registration.overflow_policy()) {
    case admin::v1::REFUSE_NEWEST: {
      // One notice is enough while it waits; that a refused Send is tried again is no news. The
      // apps of subscriptions know no notice.
      if (registration.gap_seq() == 0 && !registration.has_subscription()) {
        BELLWIRE_RETURN_IF_ERROR(tx.AddGap(registration_id, 1));
      }
      return WithRetryAfter(
          MakeError(absl::StatusCode::kResourceExhausted, "MAILBOX_FULL",
                    absl::StrCat(kMaxMailboxMessagesPerApp,
                                 " messages of this app wait for the device already, and the app's "
                                 "policy is REFUSE_NEWEST")),
          kMailboxFullRetryAfter);
    }
    case admin::v1::DROP_ALL: {
      const std::vector<Pending> all = Droppable(tx, registration);
      for (const Pending& pending : all) {
        BELLWIRE_RETURN_IF_ERROR(tx.EndPending(registration_id, pending, push::v1::OVERFLOWED,
                                               "the mailbox was full; policy DROP_ALL"));
      }
      BELLWIRE_RETURN_IF_ERROR(tx.AddGap(registration_id, static_cast<uint32_t>(all.size())));
      return absl::OkStatus();
    }
    default: {
      BELLWIRE_RETURN_IF_ERROR(tx.EndPending(registration_id, Droppable(tx, registration).front(),
                                             push::v1::OVERFLOWED,
                                             "the mailbox was full; policy DROP_OLDEST"));
      BELLWIRE_RETURN_IF_ERROR(tx.AddGap(registration_id, 1));
      return absl::OkStatus();
    }
  }
}

}  // namespace

absl::StatusOr<AppendOutcome> Append(DeviceTransaction& tx, const TokenRef& token,
                                     const Envelope& message, bool message_id_is_new,
                                     AdmitByQuota admit) {
  BELLWIRE_ASSIGN_OR_RETURN(const Registration* registration, FindLivingToken(tx, token));
  const MessageRef ref{*MessageId::FromBytes(message.message_id()), token.registration_id};

  std::optional<MessageLife> earlier;
  if (message_id_is_new) {
    // The dearest question of an append (docs/decisions/message_ids.md).
    assert(!tx.FindLife(ref).value_or(std::nullopt).has_value());
  } else {
    BELLWIRE_ASSIGN_OR_RETURN(earlier, tx.FindLife(ref));
  }
  if (earlier.has_value()) {
    if (!IsRetry(*earlier, message, tx.now_ms())) {
      return MakeError(absl::StatusCode::kAlreadyExists, "MESSAGE_ID_REUSED",
                       "another message was sent to this token under this message id");
    }
    if (earlier->place() == MessageLife::NOW_OR_NEVER) {
      // A crash may have come before it was handed over, and no page has it.
      Envelope again = message;
      again.set_registration_id(token.registration_id);
      again.set_seq(earlier->seq());
      tx.HandOver(std::move(again));
    }
    return AppendOutcome{.result = {.seq = earlier->seq(),
                                    .route = tx.route(),
                                    .duplicate = true,
                                    .state = StateOf(*earlier)}};
  }
  BELLWIRE_RETURN_IF_ERROR(admit(*registration));
  // What was due before comes before.
  BELLWIRE_RETURN_IF_ERROR(tx.ReleaseDue());

  const bool now_or_never = IsNowOrNever(message);
  const bool scheduled = message.deliver_at_ms() > tx.now_ms();
  // A now-or-never message holds no place, and must not cost the device one that waits for it.
  if (!now_or_never) {
    BELLWIRE_RETURN_IF_ERROR(
        Collapse(tx, *registration, token.registration_id, message.collapse_key()));
    BELLWIRE_ASSIGN_OR_RETURN(absl::Status refused,
                              MakeRoom(tx, *registration, token.registration_id));
    if (!refused.ok()) return AppendOutcome{.refused = std::move(refused)};
  }

  Envelope mail = message;
  mail.set_registration_id(token.registration_id);
  mail.set_stored_at_ms(tx.now_ms());
  // After MakeRoom: a gap notice takes its number first.
  if (!scheduled) mail.set_seq(tx.TakeSeq());
  if (now_or_never) {
    // By this clock, not the gateway's: the gateway is given its whole wait whatever its clock
    // says.
    tx.AddNowOrNever(mail.seq(), ref,
                     tx.now_ms() + absl::ToInt64Milliseconds(kNowOrNeverWait + kResolveGrace));
  } else {
    tx.AddPending(mail);
    if (scheduled) {
      tx.AddScheduled(mail);
    } else {
      tx.AddMail(mail);
    }
  }
  tx.StartLife(mail);
  AppendOutcome outcome{
      .result = {.seq = mail.seq(), .route = tx.route(), .state = push::v1::STORED}};
  if (!scheduled) tx.HandOver(std::move(mail));
  return outcome;
}

}  // namespace bellwire::registry
