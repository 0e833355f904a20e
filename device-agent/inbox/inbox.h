#ifndef BELLWIRE_DEVICE_AGENT_INBOX_INBOX_H_
#define BELLWIRE_DEVICE_AGENT_INBOX_INBOX_H_

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "bellwire/device/v1/device.pb.h"
#include "common/clock.h"
#include "common/ids.h"
#include "common/limits.h"
#include "device-agent/apps/app_owner.h"
#include "device-agent/apps/subscription.h"
#include "device-agent/core/seq_tracker.h"
#include "device-agent/inbox/app_window.h"
#include "device-agent/inbox/inbox_schema.h"
#include "device-agent/inbox/server_time.h"
#include "device-agent/inbox/sqlite.h"

namespace bellwire::agent {

// What the server sent, in the order it came. Each is well-formed: message ids have 16 bytes, and
// sequence numbers and registration ids are not zero.
using Incoming = std::variant<device::v1::Push, device::v1::Gap, device::v1::Recall>;

// What happened since the last transaction.
struct InboxBatch {
  std::vector<Incoming> incoming;
  // Messages and gaps that apps acknowledged.
  struct Taken {
    std::string app_id;
    std::vector<uint64_t> delivery_ids;
  };
  std::vector<Taken> taken;

  bool empty() const { return incoming.empty() && taken.empty(); }
};

// A row for an app: a message, or a notice that messages were dropped.
struct InboxItem {
  uint64_t delivery_id = 0;
  // 0: a message; otherwise a gap of so many.
  uint32_t dropped = 0;
  std::string message_id;  // 16 bytes; empty for a gap.
  std::string payload;
  int64_t accepted_at_ms = 0;
  // Its app was given it on an earlier connection.
  bool redelivered = false;
  device::v1::Priority priority = device::v1::PRIORITY_UNSPECIFIED;
  // A device::v1::Content, serialized; empty: the payload is the app's own.
  std::string content;
};

// An app that the server knows on this device, or a subscription. What is called an app id here is
// the key of either (app_key.h, subscription.h).
struct Registration {
  // Only they may speak for the app.
  AppOwner owner;
  uint64_t registration_id = 0;
  // Of a subscription: its endpoint. Empty: the server that gave it is gone, and the present one
  // has not given another yet.
  std::string token;
  // Of a subscription: as the server was told.
  std::optional<Subscription> subscription;
  // Of an app: what the server was told as RegisterApp.owner. Empty: nothing, by an agent that was
  // older than that field.
  std::string server_owner = "";
};

// What the server is to be told of a registration that has ended here.
struct Removal {
  // 0: whichever there is.
  uint64_t registration_id = 0;
  // As Registration has it.
  std::string server_owner;
};

// An AppAck that the server has not certainly got.
struct QueuedAppAck {
  int64_t id = 0;
  device::v1::AppAck::Item item;
};

// The agent's memory: messages until their app took them, which sequence numbers were seen, the
// apps' registrations and owners, and what the server is still to be told. It is what makes
// delivery to an app exactly once: whoever acknowledges anything to anybody has committed it here
// before.
//
// Every method that changes something is one transaction, on disk when it answers OK; when it
// answers an error nothing changed, in memory neither, and it may be tried again. Errors as in
// sqlite.h, mostly RESOURCE_EXHAUSTED DISK_FULL. Blocking; single-threaded.
//
// A message that was taken, or ended otherwise, is overwritten in the database; SQLite's log may
// still hold it, and is emptied by ForgetAppAcks (which follows a heartbeat, when the phone is
// awake anyway), by Unregister, by Open, and at the end.
class Inbox {
 public:
  // Opens or makes the file. What is expired goes by the server's time (server_time.h), which
  // `clock` carries on; it must outlive the inbox. `boot_id`: see there.
  //   DATA_LOSS DATABASE_DAMAGED  the file is damaged; the message says what to do
  //   FAILED_PRECONDITION         DATABASE_IN_USE, or DATABASE_TOO_NEW: made by a later version
  static absl::StatusOr<std::unique_ptr<Inbox>> Open(const std::string& path, const Clock* clock,
                                                     std::string boot_id = "");
  ~Inbox();

  // Names this inbox: as long as it stays the same, delivery ids mean the same messages. 16 bytes.
  const std::string& inbox_id() const { return state_.inbox_id; }
  // This inbox is known to be a copy of an older state of it: what it is going to give out under
  // its next delivery ids is not what was given out under them before. It gets another id.
  absl::Status RenewInboxId();

  // --- Time.

  // The server says what time it is.
  absl::Status SetServerTime(absl::Time now);
  // The phone's clock was set: what it is off by is kept for the next boot.
  absl::Status KeepServerTime();
  absl::Time ServerNow() const { return server_time_.Now(); }
  // When DropExpired next has something to do, at the earliest.
  std::optional<absl::Time> NextExpiry() const;

  // --- Sessions. ---

  // A number greater than any answered before.
  absl::StatusOr<uint64_t> NextLoginNumber();
  // The next number will be greater than `number`: somebody else used it already.
  absl::Status RaiseLoginNumber(uint64_t number);
  // The last one. 0: none yet.
  uint64_t login_number() const { return state_.login_number; }
  // Nullopt before the first Welcome.
  const std::optional<MailboxId>& mailbox_id() const { return state_.mailbox_id; }
  // The greatest sequence number of the mailbox that was received. 0: none.
  uint64_t seen_up_to() const { return state_.seen.greatest(); }
  // The server's mailbox, and what is settled in it. A mailbox other than the one known voids every
  // sequence number and every token; true then.
  //
  // `acked_up_to_seq`: the greatest that this device ever acknowledged, as the server says; 0: it
  // does not. If this inbox has not seen it, it is an older state that was put back. It gets
  // another inbox_id, and each app a gap notice, because the messages in between may have gone with
  // the newer state.
  absl::StatusOr<bool> EnterMailbox(const MailboxId& mailbox_id, uint64_t settled_seq,
                                    uint64_t acked_up_to_seq = 0);

  // --- Messages. ---

  struct Applied {
    // Apps with something new to take.
    std::vector<std::string> apps_with_news;
    // Messages that had been received before.
    size_t duplicates = 0;
  };
  // Stores, collapses, recalls and forgets, all in one transaction. A message whose app is being
  // removed or that is expired is not stored; one of an app not known (yet) waits for its
  // registration. RESOURCE_EXHAUSTED TOO_MANY_SEEN_RANGES: kMaxSeenRanges; a new login may help.
  absl::StatusOr<Applied> Apply(const InboxBatch& batch);

  // The app's items after `after`, in order, at most `limit`. None of them is expired; those that
  // are stay until DropExpired.
  absl::StatusOr<std::vector<InboxItem>> Items(absl::string_view app_id, uint64_t after,
                                               size_t limit) const;
  // The app is connected and takes what there is for it. What there is, and what comes until
  // Release, is noted on the disk as given: a killed agent must not say RECALLED of what an app may
  // have.
  void Attach(absl::string_view app_id);
  // What the app holds. Until Release, nothing that it was given is collapsed or dropped, because
  // the app may be looking at it; what it was ever given is not recalled. Null: not registered.
  // Valid until the app is unregistered, or registered under another id.
  AppWindow* WindowOf(absl::string_view app_id);
  // The app's connection is gone.
  void Release(absl::string_view app_id);
  // Separate runs of sequence numbers that were seen.
  size_t seen_ranges() const { return state_.seen.size(); }
  // Ends what expired before now, except what the app may be looking at; whether there was
  // anything.
  absl::StatusOr<bool> DropExpired();

  // --- Registrations. ---

  // Nullptr: not registered. Valid until the next change.
  const Registration* Find(absl::string_view app_id) const;
  const std::map<std::string, Registration, std::less<>>& registrations() const {
    return state_.registrations;
  }
  // The server registered the app. What waits under its former registration id moves along; an
  // owner there was stays.
  absl::Status Register(absl::string_view app_id, const Registration& registration);
  // The server does not know the app any more: the token is void. The owner and what waits stay.
  absl::Status VoidToken(absl::string_view app_id);
  // Forgets the app and what waits for it, and notes that the server is to be told. So it notes of
  // a subscription that is not known here, because the server may have registered it without our
  // hearing of it; as long as fewer than kMaxSubscriptions are to be told.
  absl::Status Unregister(absl::string_view app_id);
  // Apps that the server is still to be told about.
  bool IsRemovalPending(absl::string_view app_id) const { return state_.removals.contains(app_id); }
  std::vector<std::string> PendingRemovals() const;
  // REQUIRES: IsRemovalPending(app_id).
  const Removal& RemovalOf(absl::string_view app_id) const {
    return state_.removals.find(app_id)->second;
  }
  // The server has removed the app.
  absl::Status FinishRemoval(absl::string_view app_id);

  // What the server called the state of this device's registrations when all of them here were as
  // there. 0: never told.
  uint64_t registrations_tag() const { return state_.registrations_tag; }
  absl::Status SetRegistrationsTag(uint64_t tag);

  // --- What the server is to be told. ---

  // AppAcks with ids above `after`, in order, at most `limit`.
  absl::StatusOr<std::vector<QueuedAppAck>> AppAcks(int64_t after, size_t limit) const;
  // The server has all up to `id`. Empties SQLite's log if messages have gone since it was emptied.
  absl::Status ForgetAppAcks(int64_t id);

  // --- For people. ---

  size_t waiting(absl::string_view app_id) const;
  size_t waiting() const;

  // For tests of a full disk.
  Database* database() { return db_.get(); }

 private:
  // What is in memory as well as on disk; read back after a failed transaction.
  struct State {
    std::string inbox_id;
    // ServerTime::Save.
    std::string server_time;
    uint64_t login_number = 0;
    uint64_t registrations_tag = 0;
    std::optional<MailboxId> mailbox_id;
    SeqTracker seen{kMaxSeenRanges};
    std::map<std::string, Registration, std::less<>> registrations;
    // Of registrations, back to the app.
    absl::flat_hash_map<uint64_t, std::string> app_of;
    std::map<std::string, Removal, std::less<>> removals;
    // Items by registration id, also of apps not known.
    absl::flat_hash_map<uint64_t, size_t> waiting;
  };
  Inbox(std::unique_ptr<Database> db, std::unique_ptr<InboxStatements> statements,
        const Clock* clock, std::string boot_id);

  absl::Status Load();
  // Runs `change` in a transaction, with what else is to be written; on an error the memory follows
  // the disk again.
  absl::Status Transact(absl::FunctionRef<absl::Status()> change);

  absl::Status ApplyPush(const device::v1::Push& push, Applied* applied);
  absl::Status ApplyGap(const device::v1::Gap& gap, Applied* applied);
  absl::Status AddGap(uint64_t registration_id, uint32_t dropped);
  absl::Status WriteNewInboxId();
  absl::Status ApplyRecall(const device::v1::Recall& recall);
  absl::Status ApplyTaken(const InboxBatch::Taken& taken);
  // False: it was seen before.
  absl::StatusOr<bool> MarkSeen(uint64_t seq);
  absl::Status WriteSeen(const SeqTracker::Change& change);
  absl::Status Collapse(uint64_t registration_id, absl::string_view key);
  absl::Status MakeRoom(uint64_t registration_id);
  absl::Status QueueAppAck(absl::string_view message_id, uint64_t registration_id,
                           device::v1::AppAck::Outcome outcome);
  absl::Status PutRemoval(absl::string_view app_id, Removal removal);
  // Whether items of this registration may be stored.
  bool Takes(uint64_t registration_id) const;
  // Null: no app was given anything of it.
  const AppWindow* FindWindow(uint64_t registration_id) const;
  // On the present connection. 0: nothing.
  uint64_t LastGiven(uint64_t registration_id) const;
  void NoteNews(uint64_t registration_id, Applied* applied) const;
  void CountDown(uint64_t registration_id, size_t n = 1);
  // Everything there is for an app that is attached counts as given from the next transaction on.
  absl::Status MarkGiven(uint64_t registration_id);
  absl::Status WriteGiven();
  int64_t NowMs() const { return absl::ToUnixMillis(server_time_.Now()); }
  // Something is stored that expires then.
  void NoteExpiry(int64_t expires_at_ms);
  absl::Status FindNextExpiry();
  // Sees to it that no message which is gone can be read in the files.
  void Scrub();

  const std::unique_ptr<Database> db_;
  const std::unique_ptr<InboxStatements> sql_;
  ServerTime server_time_;
  State state_;
  // False after a failed transaction whose effects on the memory could not be undone yet.
  bool loaded_ = false;
  // By registration id. They stay where they are.
  std::map<uint64_t, AppWindow> windows_;
  // Nothing expires before that, but for what an app is looking at. INT64_MAX: nothing does.
  int64_t next_expiry_ms_ = INT64_MAX;
  // SQLite's log may hold messages that are gone. After a crash nobody knows.
  bool erased_ = true;
};

}  // namespace bellwire::agent

#endif  // BELLWIRE_DEVICE_AGENT_INBOX_INBOX_H_
