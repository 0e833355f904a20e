#ifndef BELLWIRE_REGISTRY_SERVER_STORE_H_
#define BELLWIRE_REGISTRY_SERVER_STORE_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "bellwire/admin/v1/admin.pb.h"
#include "bellwire/admin/v1/devices.pb.h"
#include "bellwire/internal/v1/internal.pb.h"
#include "bellwire/internal/v1/topics.pb.h"
#include "bellwire/push/v1/push.pb.h"
#include "bellwire/push/v1/topics.pb.h"
#include "bellwire/storage/v1/storage.pb.h"
#include "common/clock.h"
#include "common/ids.h"
#include "registry/keys/keys.h"
#include "rpc/priority.h"

namespace bellwire::registry {

using internal::v1::ConnectorRequest;
using internal::v1::Envelope;
using internal::v1::Route;
using push::v1::Step;

using internal::v1::Subscription;

// A device token, opened, and who uses it.
struct TokenRef {
  DeviceId device;
  uint64_t registration_id = 0;
  // Empty: nobody's team, so the token has to be a subscription's.
  std::string team_id;
  // Of a subscription: the VAPID key that the sender has shown to hold; empty: none. nullopt:
  // whatever the subscription is bound to does not matter.
  std::optional<std::string> vapid_key = std::string();
};

struct AppendOptions {
  // Check everything, have no effect.
  bool validate_only = false;
  // Whoever calls has just made the message id, and calls once: it is not looked for. That it is
  // unknown is the caller's to know: one that is known would lose the life it has.
  bool message_id_is_new = false;
};

struct AppendResult {
  // The message's place in the mailbox's order; 0 while it waits for its deliver_at.
  uint64_t seq = 0;
  // As of the commit.
  std::optional<Route> route;
  // The message was accepted before, and nothing has changed.
  bool duplicate = false;
  // The latest step of the message.
  Step state = push::v1::STEP_UNSPECIFIED;
};

struct RecallResult {
  push::v1::RecallResponse::Outcome outcome = push::v1::RecallResponse::OUTCOME_UNSPECIFIED;
  // Whom to tell, if the outcome is REQUESTED and the device has a session.
  std::optional<Route> route;
  // The message's place in the mailbox's order, if the outcome is REQUESTED.
  uint64_t seq = 0;
};

// A message that was taken back and that the agent may have.
struct RecalledMessage {
  MessageId message_id;
  uint64_t registration_id = 0;
  uint64_t seq = 0;
};

// What one page is to hold, at most. At least one message comes if there is one, whatever max_bytes
// says.
struct PageBounds {
  // Of payload.
  size_t max_bytes = 0;
  size_t max_messages = 0;
  // Messages of these only.
  PrioritySet priorities = PrioritySet::All();
};

// Messages of one priority that a page left out, because it was not asked for.
struct PassedOver {
  push::v1::Priority priority = push::v1::PRIORITY_NORMAL;
  uint64_t first_seq = 0;
  uint64_t last_seq = 0;
};

struct Page {
  // In the order of seq, none expired, none now-or-never.
  std::vector<Envelope> messages;
  // Every message up to here is in this page, settled, or passed over.
  uint64_t complete_to_seq = 0;
  // Whether there is more after complete_to_seq.
  bool more = false;
  // What waits up to complete_to_seq: each priority once. Nothing expired is among the first and
  // last.
  std::vector<PassedOver> passed_over;
};

struct BindResult {
  MailboxId mailbox_id;
  uint64_t settled_seq = 0;
  Page page;
  std::optional<Route> evicted;
  // What the device's word is awaited on.
  std::vector<RecalledMessage> recalls;
  // The greatest number of this mailbox that the device ever acknowledged; 0: none.
  uint64_t acked_up_to_seq = 0;
  // Differs if the device's living registrations do.
  uint64_t registrations_xor = 0;
};

struct BindOptions {
  // What the device knows of its mailbox, and the greatest number of it that it has received. A
  // store that never gave so great a number is behind the device, which gets a new mailbox then.
  std::optional<MailboxId> mailbox_id;
  uint64_t seen_up_to_seq = 0;
  // Only if no other session of the device is bound.
  bool yields = false;
  // Of a device that is not known: as BindRequest has them.
  std::string enrolment_token;
  std::string peer;
};

// What is to become of a device.
struct DeviceEndOptions {
  // It is forgotten, and not only turned away.
  bool forget = false;
  // Only count.
  bool dry_run = false;
};

// A step of the end of a device.
struct DeviceEndStep {
  // As it was before.
  storage::v1::Device device;
  // What this step has ended, or what all of them would.
  uint32_t registrations = 0;
  uint32_t messages = 0;
  uint64_t lives = 0;
  // Nothing is left to do.
  bool done = false;
};

struct RegistrationResult {
  // 0: the app is registered no more.
  uint64_t registration_id = 0;
  // As in BindResult, after the call.
  uint64_t registrations_xor = 0;
};

struct AckItem {
  uint64_t seq = 0;
  // When it was written to the session.
  absl::Time sent_at;
};

struct AppAckItem {
  MessageId message_id;
  // 0: every message of this id that the device has acknowledged.
  uint64_t registration_id = 0;
  // APP_ACKED, EXPIRED, COLLAPSED, OVERFLOWED, RECALLED or UNREGISTERED.
  Step step = push::v1::STEP_UNSPECIFIED;
};

// One receipt in the feed of a team.
struct FeedReceipt {
  uint64_t position = 0;
  // Whose token it is about.
  DeviceId device;
  uint64_t registration_id = 0;
  std::string app_id;
  // nullopt: about the token itself, which died (UNREGISTERED).
  std::optional<MessageId> message_id;
  Step step = push::v1::STEP_UNSPECIFIED;
  absl::Time time;
  std::string detail;
};

// A place in one of a team's feeds.
struct FeedPlace {
  uint32_t feed = 0;
  uint64_t position = 0;
};

struct FeedPage {
  // In the order of position, without holes.
  std::vector<FeedReceipt> receipts;
  // How far the other feeds have to be passed on before these, which follow receipts of the same
  // messages there.
  std::vector<FeedPlace> after;
  // Read on after this one.
  uint64_t next_position = 0;
};

struct RelayResult {
  // Outbox entries.
  size_t moved = 0;
  // Those whose feeds have grown.
  std::vector<std::string> teams;
  // Whether more waits.
  bool more = false;
};

// What became of a change of a subscription to a topic.
struct SubscriptionChange {
  // It was so before.
  bool unchanged = false;
  // When it was subscribed, milliseconds since the Unix epoch; 0: never.
  int64_t created_at_ms = 0;
};

// A topic that a token is subscribed to.
struct TopicOfToken {
  std::string topic;
  int64_t created_at_ms = 0;
};

// Registrations that are subscribed to at least one of some topics, in their order.
struct SubscriberPage {
  struct Subscriber {
    SubscriberEntry entry;
    // Bit i: to the i-th of the topics. 0: only how far the page came.
    uint32_t topics = 0;
  };
  std::vector<Subscriber> subscribers;
  // Whether there are more after the last one.
  bool more = false;
};

// What a device tells of the network that it is in.
struct NetworkReport {
  NetworkId network;
  // The longest silence that it is known to allow. Zero: not known yet.
  absl::Duration interval;
};

struct SweepResult {
  // Entries of the timeline.
  size_t handled = 0;
  // Whether more is due already.
  bool more = false;
  // Whether something goes on in the background that is in no hurry: the next step is due after
  // kChorePause.
  bool chores = false;
};

// The registry's memory, at the level of the domain: what the services of bellwire.internal.v1
// promise, one method each, with typed and validated arguments. KvStore
// (registry/server/kv_store.h) is the only implementation of the logic; it runs over RocksDB or
// memory (registry/engine/kv_engine.h). An existing replicated store could take its place:
// registry/testing/store_contract.h is what it would have to pass.
//
// Staging. A method's effects are seen by every later call at once, and become durable with the
// next Commit(), all together; a method that answers an error has no effect, unless it says so.
// Whoever calls must not pass an answer on before the Commit() that covers it was OK: even a plain
// read may have seen effects that are not durable yet. This is what lets many operations share one
// sync (registry/server/group_commit.h).
//
// A Bind that answers an empty mailbox is the one exception: it may be durable only with a later
// Commit, of anything else or of a Sweep. Whatever is handed to its session is committed with it,
// or after it; and a session outlives the registry and binds again (Resume). Nor does a Commit
// that fails take it back.
//
// Ordering. Methods take effect in the order of the calls. So of an Append and a Bind of one device
// either the Bind's page holds the message, or the Append finds the new route.
//
// Scope. Each method reads and writes the records of one device, of one team or of one network,
// besides looking up who owns a name (an app id, a key id).
//
// Errors. Besides those named at each method: UNAVAILABLE REGISTRY_UNAVAILABLE (the store can't be
// read or written now) and DATA_LOSS STORE_CORRUPT (a record it needs is damaged; nothing damaged
// is ever answered).
//
// Not thread-safe: one thread at a time.
class Store {
 public:
  virtual ~Store() = default;

  // Whether reads are round trips, so that Prefetch is worth its while.
  virtual bool prefetches() const { return false; }
  // The next operations are about these devices; one may come twice. Reads what is not in memory of
  // them at once. What fails is left to the operations.
  virtual void Prefetch(const std::vector<DeviceId>& devices) { (void)devices; }

  // Makes what is staged durable, all or nothing; free if nothing is. On an error nothing of it is
  // seen any more, and it is unknown whether it will be after a restart: UNAVAILABLE.
  virtual absl::Status Commit() = 0;
  // Calls `then` with the outcome of the next Commit, after what the operations until now hand over
  // and before what later ones do.
  virtual void AfterCommit(absl::AnyInvocable<void(const absl::Status& committed) &&> then) = 0;
  // Of the device's owner: greater than that of every owner before. 0: it has none.
  virtual uint64_t epoch(const DeviceId& device) const = 0;

  // --- Messages. Errors of the first three about the token:
  //   NOT_FOUND UNREGISTERED (metadata `unregistered_at`, RFC 3339, if the token is dead; a token
  //   that never lived here, or was forgotten, has none) · PERMISSION_DENIED TOKEN_NOT_FOR_TEAM (a
  //   team's call for a subscription, and the reverse, too)

  // Takes a message (without seq). If its id is unknown for this token: replaces a pending message
  // of its collapse key, makes room as the app's policy says, gives it the next seq, and records
  // ACCEPTED and STORED. If the id is known and the content the same (receipts tell, for at least
  // kIdempotencyWindow), answers `duplicate` and what has become of it.
  //   ALREADY_EXISTS MESSAGE_ID_REUSED: known id, different content.
  //   RESOURCE_EXHAUSTED MAILBOX_FULL: the policy is REFUSE_NEWEST. The app still gets a gap
  //   notice, which is the one effect of this error. A subscription gets none: its policy is
  //   REFUSE_NEWEST. RESOURCE_EXHAUSTED QUOTA_EXCEEDED: kMaxSubscriptionMessagesPerDevice
  //   PERMISSION_DENIED VAPID_KEY_MISMATCH: the subscription is bound to another key
  virtual absl::StatusOr<AppendResult> Append(const TokenRef& token, const Envelope& message,
                                              const AppendOptions& options) = 0;
  // The life of a message.
  //   NOT_FOUND MESSAGE_NOT_FOUND · PERMISSION_DENIED RECEIPTS_OFF: of a subscription without
  //   receipts
  virtual absl::StatusOr<push::v1::GetMessageResponse> GetMessage(const TokenRef& token,
                                                                  const MessageId& message) = 0;
  // Takes a message back. One that can't have reached the device ends RECALLED; one that may have
  // leaves the mailbox, and the device's word on it is awaited (REQUESTED): each Bind names it
  // until then. The first end that the registry hears of stands: what the app has taken ends
  // APP_ACKED though it was recalled.
  //   NOT_FOUND MESSAGE_NOT_FOUND · RESOURCE_EXHAUSTED LIMIT_REACHED (kMaxRecallNotices; nothing
  //   happened)
  virtual absl::StatusOr<RecallResult> Recall(const TokenRef& token, const MessageId& message) = 0;
  // Ends a now-or-never message as NOT_CONNECTED, if the device has not acknowledged it first, and
  // answers its latest step, which is settled then. Repeatable for a while after kNowOrNeverWait.
  //   NOT_FOUND MESSAGE_NOT_FOUND
  virtual absl::StatusOr<Step> Resolve(const DeviceId& device, uint64_t seq) = 0;

  // --- Sessions.

  // Makes `route` the device's route if its login number is greater than any that was ever bound,
  // and answers the first page. The very route that is bound already only gets the page again.
  //   FAILED_PRECONDITION STALE_LOGIN (metadata `winning_login_number`), also if `options.yields`
  //   to a session
  //   FAILED_PRECONDITION LOGIN_NUMBER_TOO_GREAT (metadata `winning_login_number`: the last one):
  //   more than
  //   kMaxLoginNumberStep above it
  //   PERMISSION_DENIED DEVICE_REVOKED
  // A device that is not known comes in as the store's policy says (registry/devices/):
  //   UNAUTHENTICATED ENROLMENT_REQUIRED, BAD_ENROLMENT · RESOURCE_EXHAUSTED TOO_MANY_NEW_DEVICES,
  //   TOO_MANY_DEVICES
  virtual absl::StatusOr<BindResult> Bind(const DeviceId& device, const Route& route,
                                          const PageBounds& bounds, const BindOptions& options) = 0;
  // For a session that was bound before, and does not know what it was handed since. Binds it again
  // if a crash has taken that back. `registrations_xor`: as the session knows it from BindResult
  // and RegistrationResult; nullopt: it does not. True: something is in the mailbox after
  // `after_seq`.
  //   FAILED_PRECONDITION SESSION_FORGOTTEN: the device is not known, or has other registrations
  //   FAILED_PRECONDITION STALE_LOGIN: as Bind
  virtual absl::StatusOr<bool> Resume(const DeviceId& device, const Route& route,
                                      std::optional<uint64_t> registrations_xor,
                                      uint64_t after_seq) = 0;
  // Clears the route if it is this very one (address, incarnation, session, login); otherwise
  // nothing.
  virtual absl::Status Unbind(const DeviceId& device, const Route& route) = 0;
  // The page after `after_seq`.
  virtual absl::StatusOr<Page> Pull(const DeviceId& device, uint64_t after_seq,
                                    const PageBounds& bounds) = 0;
  // These are on the device's disk: they leave the mailbox. Unknown numbers are settled already.
  //   FAILED_PRECONDITION STALE_LOGIN: `route` is not the bound one. Has its effect all the same.
  virtual absl::Status Acknowledge(const DeviceId& device, const Route& route,
                                   const std::vector<AckItem>& items) = 0;
  // How these messages ended on the device. What has ended before stays as it is, and so does a
  // message of the mailbox that was not acknowledged, unless a session before the one of now may
  // have sent it: then the acknowledgement was lost, and this speaks for it.
  virtual absl::Status AppAcknowledge(const DeviceId& device,
                                      const std::vector<AppAckItem>& items) = 0;
  // These were written to a session and not acknowledged soon.
  virtual absl::Status ReportSent(const DeviceId& device, const std::vector<AckItem>& items) = 0;

  // --- Registrations.

  // The living registration of this owner's app on the device, made if there is none. Forgets the
  // oldest dead registrations early, if there are too many (kMaxDeadRegistrationsPerApp,
  // kMaxRegistrationsPerDevice): one app's loop costs no other app its place.
  //   NOT_FOUND UNKNOWN_APP · RESOURCE_EXHAUSTED LIMIT_REACHED (kMaxAppsPerDevice, and what the
  //   policy allows) · PERMISSION_DENIED DEVICE_REVOKED · FAILED_PRECONDITION SESSION_FORGOTTEN:
  //   the device is not known, where only known ones may have apps
  virtual absl::StatusOr<RegistrationResult> RegisterApp(const DeviceId& device,
                                                         absl::string_view app_id,
                                                         absl::string_view owner) = 0;
  // The owner that is not named.
  absl::StatusOr<RegistrationResult> RegisterApp(const DeviceId& device, absl::string_view app_id) {
    return RegisterApp(device, app_id, "");
  }
  // Ends this registration of the app (0: whichever it has): its token dies, its waiting messages
  // end UNREGISTERED. None, or another one, which stays: OK.
  virtual absl::StatusOr<RegistrationResult> RemoveApp(const DeviceId& device,
                                                       absl::string_view app_id,
                                                       absl::string_view owner,
                                                       uint64_t registration_id) = 0;
  absl::StatusOr<RegistrationResult> RemoveApp(const DeviceId& device, absl::string_view app_id,
                                               uint64_t registration_id) {
    return RemoveApp(device, app_id, "", registration_id);
  }

  // The living registration of the subscription of this name (`wanted.instance`) on the device,
  // made if there is none, or if it is bound to another key: that one ends then. Owner and receipts
  // become what `wanted` says. Forgets dead ones as RegisterApp does, by their owner instead of
  // their app.
  //   RESOURCE_EXHAUSTED LIMIT_REACHED (kMaxSubscriptionsPerDevice, kMaxSubscriptionsPerOwner), and
  //   as RegisterApp
  virtual absl::StatusOr<RegistrationResult> RegisterSubscription(const DeviceId& device,
                                                                  const Subscription& wanted) = 0;
  // As RemoveApp.
  virtual absl::StatusOr<RegistrationResult> RemoveSubscription(const DeviceId& device,
                                                                absl::string_view instance,
                                                                uint64_t registration_id) = 0;

  // --- Who may be a device (registry/devices/).

  // Keeps a token that lets new devices in. Repeating it is harmless.
  //   ALREADY_EXISTS ENROLMENT_EXISTS · RESOURCE_EXHAUSTED LIMIT_REACHED
  virtual absl::StatusOr<admin::v1::Enrolment> PutEnrolment(
      const admin::v1::Enrolment& enrolment) = 0;
  // In the order of their ids.
  virtual absl::StatusOr<std::vector<admin::v1::Enrolment>> ListEnrolments() = 0;
  //   NOT_FOUND ENROLMENT_NOT_FOUND
  virtual absl::StatusOr<admin::v1::Enrolment> DeleteEnrolment(absl::string_view enrolment_id) = 0;
  // At most `max` devices after this one, and kMaxDevicesPerPage.
  virtual absl::StatusOr<admin::v1::ListDevicesResponse> ListDevices(
      const std::optional<DeviceId>& after, size_t max) = 0;
  //   NOT_FOUND DEVICE_NOT_FOUND
  virtual absl::StatusOr<admin::v1::GetDeviceResponse> GetDevice(const DeviceId& device) = 0;
  // A bounded step of the end of a device; the first one turns it away, and ends its session.
  // Repeat it until `done`.
  //   NOT_FOUND DEVICE_NOT_FOUND
  virtual absl::StatusOr<DeviceEndStep> EndDevice(const DeviceId& device,
                                                  const DeviceEndOptions& options) = 0;

  // --- Teams. Putting the very same record again is OK and changes nothing (a retry).

  //   ALREADY_EXISTS TEAM_EXISTS · RESOURCE_EXHAUSTED LIMIT_REACHED (kMaxTeams)
  virtual absl::StatusOr<admin::v1::Team> PutTeam(const admin::v1::Team& team) = 0;
  //   NOT_FOUND TEAM_NOT_FOUND · ALREADY_EXISTS APP_EXISTS · RESOURCE_EXHAUSTED LIMIT_REACHED
  virtual absl::StatusOr<admin::v1::App> PutApp(const admin::v1::App& app) = 0;
  //   NOT_FOUND TEAM_NOT_FOUND · ALREADY_EXISTS KEY_EXISTS · RESOURCE_EXHAUSTED LIMIT_REACHED
  virtual absl::StatusOr<admin::v1::Key> PutKey(const admin::v1::Key& key) = 0;
  //   NOT_FOUND TEAM_NOT_FOUND
  virtual absl::StatusOr<admin::v1::Team> UpdateTeam(
      const admin::v1::UpdateTeamRequest& request) = 0;
  // Lists are always in the same order.
  virtual absl::StatusOr<std::vector<admin::v1::Team>> ListTeams() = 0;
  //   NOT_FOUND TEAM_NOT_FOUND
  virtual absl::StatusOr<std::vector<admin::v1::App>> ListApps(absl::string_view team_id) = 0;
  //   NOT_FOUND TEAM_NOT_FOUND
  virtual absl::StatusOr<std::vector<admin::v1::Key>> ListKeys(absl::string_view team_id) = 0;
  // Revoked keys too. With the settings of its team.
  //   NOT_FOUND KEY_NOT_FOUND
  virtual absl::StatusOr<admin::v1::Key> GetKey(absl::string_view key_id) = 0;
  // Sets revoke_time, once.
  //   NOT_FOUND KEY_NOT_FOUND
  virtual absl::StatusOr<admin::v1::Key> RevokeKey(absl::string_view key_id) = 0;
  // Sets delete_time and deletes the team's apps (DeleteApp) and keys. The team is found no more.
  // Its record stays, for the receipts that still come.
  //   NOT_FOUND TEAM_NOT_FOUND
  virtual absl::StatusOr<admin::v1::Team> DeleteTeam(absl::string_view team_id) = 0;
  // Its tokens are dead: Append answers UNREGISTERED. Touches no device: messages that wait end as
  // they would have. An app that is put under the same id later is another app.
  //   NOT_FOUND UNKNOWN_APP
  virtual absl::StatusOr<admin::v1::App> DeleteApp(absl::string_view app_id) = 0;
  // A part of what there is of a team or an app (registry/deletion/count_records.h).
  virtual absl::StatusOr<internal::v1::CountRecordsResponse> CountRecords(
      const internal::v1::CountRecordsRequest& request) = 0;

  // --- Quotas (registry/quotas). Append, Publish and ChangeSubscription answer RESOURCE_EXHAUSTED
  // QUOTA_EXCEEDED for what is too much, with RetryInfo, and metadata `quota` and `quota_of`.

  // Of a team; empty: of the server.
  //   NOT_FOUND TEAM_NOT_FOUND
  virtual absl::StatusOr<admin::v1::GetQuotaResponse> GetQuota(absl::string_view team_id) = 0;
  // Answers what holds from now on. REQUIRES: CheckSetQuota took the request.
  //   NOT_FOUND TEAM_NOT_FOUND, UNKNOWN_APP · INVALID_ARGUMENT BAD_QUOTA: the id is of another kind
  virtual absl::StatusOr<admin::v1::QuotaReport> SetQuota(
      const admin::v1::SetQuotaRequest& request) = 0;
  // A stream of receipts asks, or has ended.
  //   RESOURCE_EXHAUSTED QUOTA_EXCEEDED: it is one too many
  virtual absl::Status NoteReceiptStream(absl::string_view team_id, uint64_t stream,
                                         bool ended) = 0;

  // --- Topics. Of a registration: errors about the token as above, `team_id` empty for the device
  // itself; names are valid (rpc/topic_name.h).

  // Subscribes the registration to a topic of its team, or ends that.
  //   RESOURCE_EXHAUSTED LIMIT_REACHED (kMaxTopicsPerRegistration)
  virtual absl::StatusOr<SubscriptionChange> ChangeSubscription(const DeviceId& device,
                                                                uint64_t registration_id,
                                                                absl::string_view team_id,
                                                                absl::string_view topic,
                                                                bool subscribed) = 0;
  // In the order of the names.
  virtual absl::StatusOr<std::vector<TopicOfToken>> ListSubscriptions(
      const DeviceId& device, uint64_t registration_id, absl::string_view team_id) = 0;
  // Registrations of `app_id` (empty: of any of the team's apps) that are subscribed to some of 1
  // to kMaxConditionTopics topics, after `after`: at most `max`, and kMaxPageSubscribers. One that
  // has ended just now may be among them.
  virtual absl::StatusOr<SubscriberPage> PageSubscribers(
      absl::string_view team_id, const std::vector<std::string>& topics,
      const std::optional<SubscriberEntry>& after, size_t max, absl::string_view app_id) = 0;
  // The topics after this name, at most `max` and kMaxListedTopics: those with a subscriber, and
  // those that PutTopic made; or only these.
  virtual absl::StatusOr<internal::v1::ListTopicsResponse> ListTopics(absl::string_view team_id,
                                                                      absl::string_view after,
                                                                      size_t max,
                                                                      bool kept_only) = 0;
  //   NOT_FOUND TOPIC_NOT_FOUND, TEAM_NOT_FOUND · RESOURCE_EXHAUSTED LIMIT_REACHED
  //   (kMaxKeptTopicsPerTeam)
  virtual absl::StatusOr<internal::v1::KeptTopic> PutTopic(
      const internal::v1::PutTopicRequest& request) = 0;
  // Takes a topic message, whose fan-out waits from now on. True: it was accepted before, with the
  // same content.
  //   ALREADY_EXISTS MESSAGE_ID_REUSED · RESOURCE_EXHAUSTED LIMIT_REACHED (kMaxOpenFanOutsPerTeam)
  //   · NOT_FOUND TEAM_NOT_FOUND
  virtual absl::StatusOr<bool> Publish(const internal::v1::PublishTopicRequest& request) = 0;
  // Gives the caller a fan-out that nobody has a claim on. nullopt: there is none.
  virtual absl::StatusOr<std::optional<internal::v1::ClaimResponse>> Claim(
      const std::string& gateway, absl::Duration lease) = 0;
  // Notes how far a fan-out is. True: it is to be recalled as soon as it is given back.
  //   FAILED_PRECONDITION CLAIM_LOST
  virtual absl::StatusOr<bool> Advance(const internal::v1::AdvanceRequest& request) = 0;
  //   NOT_FOUND MESSAGE_NOT_FOUND
  virtual absl::StatusOr<push::v1::TopicMessage> GetTopicMessage(absl::string_view team_id,
                                                                 const MessageId& message) = 0;
  //   NOT_FOUND MESSAGE_NOT_FOUND · RESOURCE_EXHAUSTED LIMIT_REACHED (kMaxOpenFanOutsPerTeam)
  virtual absl::StatusOr<push::v1::TopicMessage> RecallTopicMessage(absl::string_view team_id,
                                                                    const MessageId& message) = 0;

  // --- Receipts. Every receipt of a message, and the death of every token, goes to the feed of its
  // team, if it has one:
  // at least once, those of one message in their order, kept for kReceiptRetention.

  // At most `max_receipts` (not zero) after position `after`, oldest first. nullopt: none, but
  // where the feed ends now.
  //   OUT_OF_RANGE CURSOR_TOO_OLD: some of them have been forgotten
  //   INVALID_ARGUMENT BAD_CURSOR: no feed can have come so far
  virtual absl::StatusOr<FeedPage> ReadReceipts(absl::string_view team_id, uint32_t feed,
                                                std::optional<uint64_t> after,
                                                size_t max_receipts) = 0;
  // Of feed 0, which is the only one unless registries share a store.
  absl::StatusOr<FeedPage> ReadReceipts(absl::string_view team_id, std::optional<uint64_t> after,
                                        size_t max_receipts) {
    return ReadReceipts(team_id, 0, after, max_receipts);
  }
  // Takes what at most `max_entries` transactions of devices have left on their way into the feeds,
  // and into what topics and topic messages count.
  virtual absl::StatusOr<RelayResult> RelayReceipts(size_t max_entries) = 0;

  // --- Networks.

  // Notes what the device has learned about a network, if it has: one vote per device and network,
  // which counts for kNetworkVoteRetention. Answers what other devices learned there; zero: fewer
  // than kMinHintVotes of them told. What is kept of it is bounded, whatever devices tell.
  virtual absl::StatusOr<absl::Duration> ReportNetwork(const DeviceId& device,
                                                       const NetworkReport& report) = 0;

  // --- Time.

  // Does what is due by now, oldest first: messages expire or come into their mailbox, receipts and
  // dead tokens are forgotten. At most `max_entries` entries of the timeline, and no further one
  // after so many receipts were made. Stages as many Binds that were not written. Each entry is a
  // transaction of its own device; one that fails is logged and left for later.
  virtual absl::StatusOr<SweepResult> Sweep(size_t max_entries) = 0;
};

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_SERVER_STORE_H_
