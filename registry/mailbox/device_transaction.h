#ifndef BELLWIRE_REGISTRY_MAILBOX_DEVICE_TRANSACTION_H_
#define BELLWIRE_REGISTRY_MAILBOX_DEVICE_TRANSACTION_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/container/node_hash_map.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "bellwire/internal/v1/internal.pb.h"
#include "bellwire/push/v1/push.pb.h"
#include "bellwire/storage/v1/storage.pb.h"
#include "common/ids.h"
#include "registry/engine/overlay.h"
#include "registry/keys/keys.h"
#include "registry/mailbox/message_life.h"
#include "registry/mailbox/retention.h"

namespace bellwire::registry {

// One operation on the records of one device: typed access to them, and what several operations
// have in common. It can't name a key of another device, which is how the rule "a transaction
// touches one device" is kept. Timeline entries belong to the device they are about.
//
// Nothing is seen outside before Finish(); a transaction that is dropped had no effect. Keeps these
// true, as the operations rely on them:
//   * a message in the mailbox or among the scheduled has an entry in its registration's `pending`,
//     and no other message has. Its life is written if that entry says so; if not, it is still
//     NewLife of the message;
//   * `mailbox_records` counts the mailbox, and nothing in it has a number up to `settled_seq`;
//   * `subscription_messages` counts what is pending for subscriptions;
//   * `waiting_bytes` of a registration is the sum of what its `pending` counts, and its team is
//     told of each change by the outbox;
//   * a subscription to a topic has its entry among the topic's subscribers, and its registration
//     counts it; whose registration has ended has an entry of kTopics in the timeline;
//   * a registration's `wake_at_ms` is its one timeline entry of kExpiry, not later than the first
//     expiry of what is pending, but for kExpiryGrace;
//   * the `wake_at_ms` of a life that holds no place is its one timeline entry, not later than
//     LatestWakeMs.
//
// Not thread-safe. Errors of all methods that read: those of KvReader.
class DeviceTransaction {
 public:
  // Over `batch`. `random` makes mailbox and registration ids. Both must outlive it.
  // `numbers_after`: as KvStore::Options.
  DeviceTransaction(Overlay* batch, const DeviceId& device, int64_t now_ms,
                    const std::function<uint64_t()>& random, uint64_t numbers_after,
                    const Retention& retention = {});
  DeviceTransaction(const DeviceTransaction&) = delete;
  DeviceTransaction& operator=(const DeviceTransaction&) = delete;

  // Reads the device's own record. Comes first. `waiting`: a route that may not have been written
  // yet (waiting_routes.h), or null. If it is newer than the record's, the device has it.
  absl::Status Load(const internal::v1::Route* waiting);

  // Writes what has changed into the batch, all but the receipts. Comes last, once.
  absl::Status Finish();
  // The receipts and what is used, for the outbox.
  storage::v1::Outbox TakeOutbox() { return std::move(outbox_); }

  const DeviceId& device_id() const { return id_; }
  int64_t now_ms() const { return now_ms_; }
  const Retention& retention() const { return retention_; }
  uint64_t Random() { return random_(); }

  // --- The device.

  // A device without a record looks like one to which nothing has happened.
  bool exists() const { return exists_; }
  // Whether anything was changed so far.
  bool has_changes() const;
  // Whether Load was given a route that the record does not have.
  bool has_unwritten_route() const { return has_unwritten_route_; }
  const storage::v1::Device& device() const { return device_; }
  // For changes. A device without a record gets one.
  storage::v1::Device& mutable_device();
  bool connected() const { return device_.has_route(); }
  // The session, if there is one.
  std::optional<internal::v1::Route> route() const;
  // Of a session that was not bound before. What came until now may have been sent by the one
  // before it.
  void SetRoute(const internal::v1::Route& route);
  // The mailbox gets another id: whatever the device remembers of its numbers is void.
  void RenewMailbox();
  // The device acknowledged what has this number.
  void NoteAcknowledged(uint64_t seq);

  // --- The end of the device (registry/devices/device_end.h).

  // Whether it has no record before this transaction and one after it, or the reverse.
  bool creates_device() const { return !exists_ && device_changed_; }
  bool deletes_device() const { return deletes_device_; }
  // It may not log in any more, and its tokens are dead; it has no session. REQUIRES: exists().
  void Revoke(bool deleting);
  // Some of the lives of its messages, at most `max`, as they were before this transaction.
  absl::StatusOr<std::vector<MessageRef>> FindLives(size_t max);
  // Forgets what became of a message, and its number if it was now-or-never: one needs the other.
  // REQUIRES: its life has ended.
  absl::Status ForgetLife(const MessageRef& message, const storage::v1::MessageLife& life);
  // Forgets dead registrations, at most `max`; answers how many. REQUIRES: nothing lives, nothing
  // is pending, and no life is left.
  absl::StatusOr<size_t> ForgetEnded(size_t max);
  // Deletes the device's own record. REQUIRES: it is all that is left.
  void DeleteDevice() { deletes_device_ = true; }

  // --- Registrations. Pointers are good for as long as the transaction.

  // nullptr: there is none.
  absl::StatusOr<const storage::v1::Registration*> FindRegistration(uint64_t registration_id);
  // For changes. REQUIRES: FindRegistration found it.
  storage::v1::Registration* MutableRegistration(uint64_t registration_id);
  void AddRegistration(uint64_t registration_id, storage::v1::Registration registration);
  // REQUIRES: FindRegistration found it, and nothing is pending.
  void DeleteRegistration(uint64_t registration_id);
  // Takes away all that there is of a registration, living or dead, without a receipt: what waits
  // for it, the lives of its messages, its topics and its app. Of lives at most so many, and 64
  // topics: false says that more is left, and the rest is as it was. Nothing if there is no such
  // registration.
  absl::StatusOr<bool> EraseRegistration(uint64_t registration_id, size_t max_lives);
  // Visits all registrations of the device, as they were before this transaction.
  absl::Status ScanRegistrations(
      absl::FunctionRef<void(uint64_t registration_id, const storage::v1::Registration&)> visit);
  // The living registration of an app; 0: there is none.
  absl::StatusOr<uint64_t> FindApp(absl::string_view app_id, absl::string_view owner);
  void PutApp(absl::string_view app_id, absl::string_view owner, uint64_t registration_id);
  void DeleteApp(absl::string_view app_id, absl::string_view owner);
  // The living registration of a subscription; 0: there is none.
  absl::StatusOr<uint64_t> FindSubscription(absl::string_view instance);
  void PutSubscription(const internal::v1::Subscription& subscription, uint64_t registration_id);
  void DeleteSubscription(absl::string_view instance) {
    overlay_.Delete(Family::kDevices, SubscriptionKey(id_, instance));
  }
  // How many living subscriptions this owner has, as it was before this transaction. Reads an entry
  // of each of the device's.
  absl::StatusOr<size_t> CountSubscriptionsOf(absl::string_view owner);
  // Sees to it that what is pending is looked at by then. REQUIRES: the registration was found.
  void WakeBy(uint64_t registration_id, int64_t time_ms);

  // --- Topics of a registration.

  // nullopt: it is not subscribed.
  absl::StatusOr<std::optional<storage::v1::TopicSubscription>> FindTopic(
      uint64_t registration_id, absl::string_view topic);
  // Subscribes it now. REQUIRES: the registration was found and lives, and FindTopic did not find
  // it.
  void AddTopic(uint64_t registration_id, absl::string_view topic);
  // REQUIRES: it is subscribed. The registration itself may be forgotten.
  absl::Status RemoveTopic(uint64_t registration_id, absl::string_view team_id,
                           absl::string_view topic);
  // Visits the topics in the order of their names, until `visit` returns false.
  absl::Status ScanTopics(
      uint64_t registration_id,
      absl::FunctionRef<bool(absl::string_view topic, const storage::v1::TopicSubscription&)>
          visit);

  // --- Lives.

  // Begins the life of a message that was just stored, with its first receipts. REQUIRES: as
  // NewLife; its registration was found; it is in its place.
  void StartLife(const internal::v1::Envelope& mail);
  absl::StatusOr<std::optional<MessageLife>> FindLife(const MessageRef& message);
  // For a message that must have one: DATA_LOSS if it has not.
  absl::StatusOr<MessageLife> GetLife(const MessageRef& message);
  // Of a message that holds a place, and that was read already.
  absl::StatusOr<MessageLife> LifeOf(const internal::v1::Envelope& mail);
  // The lives of messages of these registrations that have not ended, as they were before this
  // transaction. Reads the keys of all lives of the device.
  absl::StatusOr<std::vector<MessageRef>> FindOpenLivesOf(const std::set<uint64_t>& registrations);
  // The registrations that have a message of this id which waits no more.
  absl::StatusOr<std::vector<uint64_t>> FindLivesOf(const MessageId& message_id);
  // Writes it, and sees to its timeline entry. REQUIRES: FindLife, GetLife or LifeOf found it.
  void PutLife(const MessageRef& message, MessageLife* life);
  void DeleteLife(const MessageRef& message, const MessageLife& life);

  // Adds a receipt to a life and writes it, and puts it on its way to the team's feed. Every
  // receipt of the registry passes here. A terminal step takes the message out of the place it
  // holds. `time_ms`: when it happened, if not now.
  absl::Status Record(const MessageRef& message, MessageLife* life, push::v1::Step step,
                      absl::string_view detail, std::optional<int64_t> time_ms = std::nullopt);
  // The same for a step that others follow: the life is not written. REQUIRES: `step` is not
  // terminal, and Record comes next.
  absl::Status Note(const MessageRef& message, MessageLife* life, push::v1::Step step,
                    int64_t time_ms);

  // Sees to it that every session is told of the recall, until the life ends: Record takes the
  // notice away. Nothing if there is one already. `life` is changed and written.
  //   RESOURCE_EXHAUSTED LIMIT_REACHED: kMaxRecallNotices of this device wait for its word
  absl::Status AddRecallNotice(const MessageRef& message, MessageLife* life);
  struct Recalled {
    MessageRef message;
    uint64_t seq = 0;
  };
  absl::StatusOr<std::vector<Recalled>> RecallNotices();

  // A step that this transaction recorded, and how long after the message was accepted, or after
  // its deliver_at, it was taken.
  struct StepTaken {
    push::v1::Step step;
    absl::Duration after;
  };
  // In the order in which they were recorded; for metrics.
  absl::Span<const StepTaken> steps() const { return steps_; }

  // Tells the team's feed, if there is one, that the token of this registration died now. REQUIRES:
  // it was found.
  void RecordDeadToken(uint64_t registration_id, absl::string_view detail);

  // --- The mailbox.

  // The next number of the mailbox's order.
  uint64_t TakeSeq();
  // nullopt: settled, or never was.
  absl::StatusOr<std::optional<internal::v1::Envelope>> FindMail(uint64_t seq);
  // REQUIRES: mail.seq() is from TakeSeq.
  void AddMail(const internal::v1::Envelope& mail);
  void RemoveMail(uint64_t seq);
  // Visits mail after `after_seq` in order, until `visit` returns false.
  absl::Status ScanMail(
      uint64_t after_seq,
      absl::FunctionRef<absl::StatusOr<bool>(const internal::v1::Envelope&)> visit);

  void AddScheduled(const internal::v1::Envelope& message);
  // Gives scheduled messages that are due their place in the mailbox's order, and ends those that
  // have expired since: at most kMaxReleasesPerTransaction.
  absl::Status ReleaseDue();
  // The session of now, if there is one, is to be handed this message or gap notice. REQUIRES: its
  // number is greater than those of all before.
  void HandOver(internal::v1::Envelope mail) { to_hand_over_.push_back(std::move(mail)); }
  // All of them, in order.
  std::vector<internal::v1::Envelope> TakeToHandOver() { return std::move(to_hand_over_); }

  // A message was accepted for this registration: its team and app count it for `day` (days since
  // the Unix epoch). REQUIRES: the registration was found.
  void CountAccepted(uint64_t registration_id, uint32_t day);
  // Lists a message in its registration's `pending`. REQUIRES: the registration was found.
  void AddPending(const internal::v1::Envelope& mail);
  // Takes the message out of the mailbox or from among the scheduled, and its entry from the
  // registration's `pending`; `life` is not changed. REQUIRES: HoldsPlace(life).
  absl::Status LeavePlace(const MessageRef& message, const MessageLife& life);
  // Records a terminal step of a message that holds a place.
  absl::Status EndPending(uint64_t registration_id, const storage::v1::Pending& pending,
                          push::v1::Step step, absl::string_view detail);
  // Ends what holds a place though its ttl is over. Answers when the next of the rest is to be
  // ended, INT64_MAX if nothing is left. REQUIRES: the registration was found.
  absl::StatusOr<int64_t> EndExpired(uint64_t registration_id);

  // The message is in a page for a session. REQUIRES: it is in the mailbox.
  absl::Status NoteHandedOver(const internal::v1::Envelope& mail);
  // Whether the session of now may have sent the message, so that the device has it or is about to.
  bool MayBeOnItsWay(const storage::v1::Pending& pending) const;

  // Tells the app that `dropped` more of its messages were dropped. Each is counted in one notice:
  // a notice that no session was handed is replaced by one that counts all; behind any other they
  // wait (`gap_untold`) until it is acknowledged. A new notice takes the next number, and is handed
  // over.
  absl::Status AddGap(uint64_t registration_id, uint32_t dropped);
  // The device has the notice. What was not told yet gets the next one.
  absl::Status AcknowledgeGap(uint64_t registration_id, uint64_t seq);

  absl::StatusOr<std::optional<storage::v1::NowOrNever>> FindNowOrNever(uint64_t seq);
  // Kept, and its message awaited, until `until_ms`.
  void AddNowOrNever(uint64_t seq, const MessageRef& message, int64_t until_ms);
  void DeleteNowOrNever(uint64_t seq);

  // --- Time.

  // `entry.device` is filled in.
  void PutTimeline(TimelineEntry entry);
  void DeleteTimeline(TimelineEntry entry);

 private:
  struct LoadedRegistration {
    storage::v1::Registration record;
    bool changed = false;
  };

  // The message that an entry of `pending` is about.
  absl::StatusOr<internal::v1::Envelope> ReadPending(uint64_t registration_id,
                                                     const storage::v1::Pending& pending);
  // Parts of EraseRegistration. REQUIRES: the registration was found.
  void EraseWaiting(uint64_t registration_id);
  absl::Status EraseNowOrNever(uint64_t registration_id);
  // The number of a now-or-never message, and when it would be forgotten.
  void EraseNumber(uint64_t seq, const storage::v1::MessageLife& life);
  absl::Status EraseRecalls(uint64_t registration_id);
  // Whether none is left. `settled_only`: those of messages that the device has, or that have
  // ended.
  absl::StatusOr<bool> EraseLives(uint64_t registration_id, bool settled_only, size_t max_lives);
  absl::StatusOr<bool> EraseTopics(uint64_t registration_id);
  void CountSubscriptionMessage(int more);
  // The outbox's entry about what the registration's app uses.
  storage::v1::OutboxUsage* UsageOf(const storage::v1::Registration& registration);
  // `waiting_bytes` of a registration is true again, and the outbox says by how much it changed.
  void SettleWaitingBytes(storage::v1::Registration* registration);
  absl::Status ReceiptsMissing(const MessageRef& message) const;
  // The life's own record.
  absl::StatusOr<std::optional<MessageLife>> ReadLife(const MessageRef& message);
  absl::StatusOr<MessageLife> LifeOf(const internal::v1::Envelope& mail,
                                     const storage::v1::Pending& pending);
  void MoveWake(const MessageRef& message, MessageLife* life, int64_t wake_at_ms);
  void SetNewMailboxId();
  absl::Status UpdateSettled();
  // The first number in the mailbox, if the registrations that were loaded account for all of it:
  // as good as always, and cheaper than to look.
  std::optional<uint64_t> FirstLoadedMail() const;
  // The first number that was taken back before the device acknowledged it, and that the device
  // said nothing of since: were it settled, the device could not tell whether it has had it.
  // UINT64_MAX: there is none.
  absl::StatusOr<uint64_t> FirstRecalling();
  absl::Status TakeReceipt(const MessageRef& message, MessageLife* life, push::v1::Step step,
                           absl::string_view detail, int64_t time_ms);
  // To the outbox, unless it is a subscription's, which has no feed. `message_id`: empty for the
  // token itself. `topic_message_id`: as in OutboxReceipt.
  void Publish(const storage::v1::Registration& registration, uint64_t registration_id,
               absl::string_view message_id, push::v1::Step step, int64_t time_ms,
               absl::string_view detail, absl::string_view topic_message_id);
  void CountTopic(absl::string_view team_id, absl::string_view topic, int change);

  Overlay* const batch_;
  Overlay overlay_;
  const DeviceId id_;
  const int64_t now_ms_;
  const std::function<uint64_t()>& random_;
  const uint64_t numbers_after_;
  const Retention retention_;

  storage::v1::Device device_;
  bool exists_ = false;
  bool device_changed_ = false;
  bool has_unwritten_route_ = false;
  bool deletes_device_ = false;
  bool settled_may_grow_ = false;
  absl::node_hash_map<uint64_t, LoadedRegistration> registrations_;
  std::vector<internal::v1::Envelope> to_hand_over_;
  absl::InlinedVector<StepTaken, 4> steps_;
  storage::v1::Outbox outbox_;
};

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_MAILBOX_DEVICE_TRANSACTION_H_
