#include "device-agent/inbox/inbox.h"

#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/log.h"
#include "common/status_macros.h"

namespace bellwire::agent {
namespace {

using device::v1::AppAck;

absl::Status Damaged(const std::string& path, const absl::Status& cause) {
  return MakeError(
      absl::StatusCode::kDataLoss, "DATABASE_DAMAGED",
      absl::StrCat(path, " is damaged (", cause.message(),
                   "). Move it away, with its -wal file, and start again: device.key keeps"
                   " the tokens of all apps; messages that waited in this file are lost"));
}

}  // namespace

Inbox::Inbox(std::unique_ptr<Database> db, std::unique_ptr<InboxStatements> statements,
             const Clock* clock, std::string boot_id)
    : db_(std::move(db)), sql_(std::move(statements)), server_time_(clock, std::move(boot_id)) {}

Inbox::~Inbox() {
  // So that `redelivered` is right after an orderly stop. Nothing depends on it.
  Transact([] { return absl::OkStatus(); }).IgnoreError();
}

absl::StatusOr<std::unique_ptr<Inbox>> Inbox::Open(const std::string& path, const Clock* clock,
                                                   std::string boot_id) {
  auto open = [&]() -> absl::StatusOr<std::unique_ptr<Inbox>> {
    BELLWIRE_ASSIGN_OR_RETURN(std::unique_ptr<Database> db, Database::Open(path));
    BELLWIRE_RETURN_IF_ERROR(PrepareInboxSchema(db.get()));
    BELLWIRE_ASSIGN_OR_RETURN(std::unique_ptr<InboxStatements> statements,
                              InboxStatements::Prepare(db.get()));
    std::unique_ptr<Inbox> inbox(
        new Inbox(std::move(db), std::move(statements), clock, std::move(boot_id)));
    BELLWIRE_RETURN_IF_ERROR(inbox->Load());
    inbox->server_time_.Restore(inbox->state_.server_time);
    inbox->Scrub();
    return inbox;
  };
  absl::StatusOr<std::unique_ptr<Inbox>> inbox = open();
  if (absl::IsDataLoss(inbox.status())) return Damaged(path, inbox.status());
  return inbox;
}

absl::Status Inbox::Load() {
  State state;
  auto each = [](Statement& statement, auto row) -> absl::Status {
    statement.Reset();
    for (;;) {
      BELLWIRE_ASSIGN_OR_RETURN(const bool more, statement.Step());
      if (!more) return absl::OkStatus();
      row(statement);
    }
  };
  BELLWIRE_RETURN_IF_ERROR(each(sql_->all_meta, [&state](const Statement& row) {
    if (row.Bytes(0) == "inbox_id") state.inbox_id = std::string(row.Bytes(1));
    if (row.Bytes(0) == "server_time") state.server_time = std::string(row.Bytes(1));
    if (row.Bytes(0) == "login_number") state.login_number = Unsigned(row.Int(1));
    if (row.Bytes(0) == "registrations_tag") state.registrations_tag = Unsigned(row.Int(1));
    if (row.Bytes(0) == "mailbox_id") state.mailbox_id = MailboxId::FromBytes(row.Bytes(1));
  }));
  std::vector<SeqTracker::Range> seen;
  BELLWIRE_RETURN_IF_ERROR(each(sql_->all_seen, [&seen](const Statement& row) {
    seen.push_back({Unsigned(row.Int(0)), Unsigned(row.Int(1))});
  }));
  absl::c_sort(seen, [](const auto& a, const auto& b) { return a.first < b.first; });
  for (const SeqTracker::Range& range : seen) state.seen.Restore(range);
  BELLWIRE_RETURN_IF_ERROR(each(sql_->all_apps, [this, &state](const Statement& row) {
    const std::string app_id(row.Bytes(0));
    Registration registration{AppOwner(static_cast<uid_t>(row.Int(1)), std::string(row.Bytes(5))),
                              Unsigned(row.Int(2)), std::string(row.Bytes(3))};
    if (IsSubscriptionKey(app_id)) {
      registration.subscription = Subscription{.owner = std::string(row.Bytes(6)),
                                               .vapid_key = std::string(row.Bytes(7)),
                                               .receipts = row.Int(8) != 0};
    }
    registration.server_owner = std::string(row.Bytes(9));
    const uint64_t given = Unsigned(row.Int(4));
    windows_.try_emplace(registration.registration_id, given);
    state.app_of.emplace(registration.registration_id, app_id);
    state.registrations.emplace(app_id, std::move(registration));
  }));
  BELLWIRE_RETURN_IF_ERROR(each(sql_->all_removals, [&state](const Statement& row) {
    state.removals.emplace(std::string(row.Bytes(0)),
                           Removal{Unsigned(row.Int(1)), std::string(row.Bytes(2))});
  }));
  BELLWIRE_RETURN_IF_ERROR(each(sql_->count_items, [&state](const Statement& row) {
    state.waiting.emplace(Unsigned(row.Int(0)), static_cast<size_t>(row.Int(1)));
  }));
  state_ = std::move(state);
  // The next DropExpired finds out.
  next_expiry_ms_ = state_.waiting.empty() ? INT64_MAX : INT64_MIN;
  loaded_ = true;
  return absl::OkStatus();
}

absl::Status Inbox::Transact(absl::FunctionRef<absl::Status()> change) {
  if (!loaded_) BELLWIRE_RETURN_IF_ERROR(Load());
  absl::Status status = [&]() -> absl::Status {
    BELLWIRE_ASSIGN_OR_RETURN(Transaction transaction, Transaction::Begin(db_.get()));
    BELLWIRE_RETURN_IF_ERROR(change());
    BELLWIRE_RETURN_IF_ERROR(WriteGiven());
    return transaction.Commit();
  }();
  if (status.ok()) return status;
  for (auto& [registration_id, window] : windows_) window.OnWriteFailed();
  loaded_ = false;
  if (absl::Status reload = Load(); !reload.ok()) {
    LogError("inbox_unreadable", {{"error", reload.message()}});
  }
  return status;
}

// --- Sessions. ---

absl::StatusOr<uint64_t> Inbox::NextLoginNumber() {
  BELLWIRE_RETURN_IF_ERROR(RaiseLoginNumber(state_.login_number + 1));
  return state_.login_number;
}

absl::Status Inbox::RaiseLoginNumber(uint64_t number) {
  if (number <= state_.login_number) return absl::OkStatus();
  return Transact([this, number]() -> absl::Status {
    state_.login_number = number;
    return sql_->put_meta.Reset().BindText("login_number").BindInt(Signed(number)).Run();
  });
}

absl::Status Inbox::RenewInboxId() {
  return Transact([this] { return WriteNewInboxId(); });
}

absl::Status Inbox::WriteNewInboxId() {
  state_.inbox_id = std::string(NewMessageId().bytes());
  return sql_->put_meta.Reset().BindText("inbox_id").BindBlob(state_.inbox_id).Run();
}

absl::Status Inbox::SetRegistrationsTag(uint64_t tag) {
  if (tag == state_.registrations_tag) return absl::OkStatus();
  return Transact([this, tag] {
    state_.registrations_tag = tag;
    return sql_->put_meta.Reset().BindText("registrations_tag").BindInt(Signed(tag)).Run();
  });
}

absl::Status Inbox::SetServerTime(absl::Time now) {
  server_time_.Set(now);
  return KeepServerTime();
}

absl::Status Inbox::KeepServerTime() {
  if (!server_time_.IsNews(state_.server_time)) return absl::OkStatus();
  return Transact([this] {
    state_.server_time = server_time_.Save();
    return sql_->put_meta.Reset().BindText("server_time").BindText(state_.server_time).Run();
  });
}

std::optional<absl::Time> Inbox::NextExpiry() const {
  if (next_expiry_ms_ == INT64_MAX) return std::nullopt;
  return absl::FromUnixMillis(next_expiry_ms_);
}

absl::StatusOr<bool> Inbox::EnterMailbox(const MailboxId& mailbox_id, uint64_t settled_seq,
                                         uint64_t acked_up_to_seq) {
  const bool changed = state_.mailbox_id != mailbox_id;
  BELLWIRE_RETURN_IF_ERROR(Transact([&]() -> absl::Status {
    if (!changed && acked_up_to_seq > state_.seen.greatest()) {
      LogWarning("inbox_is_an_older_state",
                 {{"seen_up_to", state_.seen.greatest()}, {"acknowledged_up_to", acked_up_to_seq}});
      BELLWIRE_RETURN_IF_ERROR(WriteNewInboxId());
      for (const auto& [app_id, registration] : state_.registrations) {
        BELLWIRE_RETURN_IF_ERROR(AddGap(registration.registration_id, 1));
      }
    }
    if (changed) {
      state_.mailbox_id = mailbox_id;
      BELLWIRE_RETURN_IF_ERROR(
          sql_->put_meta.Reset().BindText("mailbox_id").BindBlob(mailbox_id.bytes()).Run());
      state_.seen.Clear();
      BELLWIRE_RETURN_IF_ERROR(sql_->clear_seen.Reset().Run());
      for (auto& [app_id, registration] : state_.registrations) registration.token.clear();
      BELLWIRE_RETURN_IF_ERROR(sql_->void_tokens.Reset().Run());
    }
    return WriteSeen(state_.seen.Settle(settled_seq));
  }));
  return changed;
}

// --- Registrations. ---

const Registration* Inbox::Find(absl::string_view app_id) const {
  const auto it = state_.registrations.find(app_id);
  return it == state_.registrations.end() ? nullptr : &it->second;
}

absl::Status Inbox::Register(absl::string_view app_id, const Registration& registration) {
  const auto other = state_.app_of.find(registration.registration_id);
  if (other != state_.app_of.end() && other->second != app_id) {
    return MakeError(absl::StatusCode::kInvalidArgument, "REGISTRATION_ID_TAKEN",
                     "the server gave two apps the same registration id");
  }
  return Transact([&]() -> absl::Status {
    Registration now = registration;
    if (const Registration* before = Find(app_id); before != nullptr) {
      now.owner = before->owner;
      const uint64_t old_id = before->registration_id;
      if (old_id != now.registration_id) {
        BELLWIRE_RETURN_IF_ERROR(sql_->move_items.Reset()
                                     .BindInt(Signed(now.registration_id))
                                     .BindInt(Signed(old_id))
                                     .Run());
        if (const auto it = state_.waiting.find(old_id); it != state_.waiting.end()) {
          const size_t moved = it->second;
          state_.waiting.erase(it);
          state_.waiting[now.registration_id] += moved;
        }
        if (auto node = windows_.extract(old_id); !node.empty()) {
          windows_.erase(now.registration_id);
          node.key() = now.registration_id;
          windows_.insert(std::move(node));
        }
        state_.app_of.erase(old_id);
      }
    }
    const AppWindow& window = windows_[now.registration_id];
    const Subscription subscription = now.subscription.value_or(Subscription());
    BELLWIRE_RETURN_IF_ERROR(sql_->put_app.Reset()
                                 .BindText(app_id)
                                 .BindInt(now.owner.uid)
                                 .BindInt(Signed(now.registration_id))
                                 .BindText(now.token)
                                 .BindInt(Signed(window.marked_up_to()))
                                 .BindText(now.owner.sandbox)
                                 .BindText(subscription.owner)
                                 .BindBlob(subscription.vapid_key)
                                 .BindInt(subscription.receipts ? 1 : 0)
                                 .BindBlob(now.server_owner)
                                 .Run());
    state_.app_of[now.registration_id] = std::string(app_id);
    state_.registrations[std::string(app_id)] = std::move(now);
    return absl::OkStatus();
  });
}

absl::Status Inbox::VoidToken(absl::string_view app_id) {
  const auto it = state_.registrations.find(app_id);
  if (it == state_.registrations.end() || it->second.token.empty()) return absl::OkStatus();
  return Transact([&]() -> absl::Status {
    it->second.token.clear();
    return sql_->void_token.Reset().BindText(app_id).Run();
  });
}

absl::Status Inbox::Unregister(absl::string_view app_id) {
  const Registration* registration = Find(app_id);
  if (registration == nullptr) {
    if (!IsSubscriptionKey(app_id) || IsRemovalPending(app_id) ||
        state_.removals.size() >= kMaxSubscriptions) {
      return absl::OkStatus();
    }
    return Transact([&] { return PutRemoval(app_id, {}); });
  }
  const uint64_t registration_id = registration->registration_id;
  const Removal removal = {registration_id, registration->server_owner};
  BELLWIRE_RETURN_IF_ERROR(Transact([&]() -> absl::Status {
    std::vector<std::string> messages;
    size_t dropped = 0;
    sql_->drop_items.Reset().BindInt(Signed(registration_id));
    for (;;) {
      BELLWIRE_ASSIGN_OR_RETURN(const bool row, sql_->drop_items.Step());
      if (!row) break;
      ++dropped;
      if (!sql_->drop_items.IsNull(0)) messages.emplace_back(sql_->drop_items.Bytes(0));
    }
    if (dropped > 0) CountDown(registration_id, dropped);
    for (const std::string& message_id : messages) {
      BELLWIRE_RETURN_IF_ERROR(QueueAppAck(message_id, registration_id, AppAck::UNREGISTERED));
    }
    BELLWIRE_RETURN_IF_ERROR(sql_->erase_app.Reset().BindText(app_id).Run());
    state_.app_of.erase(registration_id);
    state_.registrations.erase(state_.registrations.find(app_id));
    return PutRemoval(app_id, removal);
  }));
  windows_.erase(registration_id);
  Scrub();
  return absl::OkStatus();
}

absl::Status Inbox::PutRemoval(absl::string_view app_id, Removal removal) {
  const Removal& put = state_.removals[std::string(app_id)] = std::move(removal);
  return sql_->put_removal.Reset()
      .BindText(app_id)
      .BindInt(Signed(put.registration_id))
      .BindBlob(put.server_owner)
      .Run();
}

std::vector<std::string> Inbox::PendingRemovals() const {
  std::vector<std::string> result;
  for (const auto& [app_id, removal] : state_.removals) result.push_back(app_id);
  return result;
}

absl::Status Inbox::FinishRemoval(absl::string_view app_id) {
  return Transact([&]() -> absl::Status {
    if (const auto it = state_.removals.find(app_id); it != state_.removals.end()) {
      state_.removals.erase(it);
    }
    return sql_->erase_removal.Reset().BindText(app_id).Run();
  });
}

// --- What the server is to be told. ---

absl::StatusOr<std::vector<QueuedAppAck>> Inbox::AppAcks(int64_t after, size_t limit) const {
  std::vector<QueuedAppAck> result;
  Statement& row = sql_->app_acks.Reset().BindInt(after).BindInt(static_cast<int64_t>(limit));
  for (;;) {
    BELLWIRE_ASSIGN_OR_RETURN(const bool more, row.Step());
    if (!more) return result;
    QueuedAppAck ack;
    ack.id = row.Int(0);
    ack.item.set_message_id(std::string(row.Bytes(1)));
    ack.item.set_registration_id(Unsigned(row.Int(2)));
    ack.item.set_outcome(static_cast<AppAck::Outcome>(row.Int(3)));
    result.push_back(std::move(ack));
  }
}

absl::Status Inbox::ForgetAppAcks(int64_t id) {
  BELLWIRE_RETURN_IF_ERROR(
      Transact([&] { return sql_->forget_app_acks.Reset().BindInt(id).Run(); }));
  Scrub();
  return absl::OkStatus();
}

void Inbox::Scrub() {
  if (!erased_) return;
  const absl::Status emptied = db_->EmptyLog();
  erased_ = !emptied.ok();
  if (erased_) LogWarning("inbox_log_not_emptied", {{"error", emptied.message()}});
}

// --- For people. ---

size_t Inbox::waiting(absl::string_view app_id) const {
  const Registration* registration = Find(app_id);
  if (registration == nullptr) return 0;
  const auto it = state_.waiting.find(registration->registration_id);
  return it == state_.waiting.end() ? 0 : it->second;
}

size_t Inbox::waiting() const {
  size_t sum = 0;
  for (const auto& [registration_id, n] : state_.waiting) sum += n;
  return sum;
}

}  // namespace bellwire::agent
