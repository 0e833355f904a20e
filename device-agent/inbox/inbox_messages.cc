// What Inbox does with messages: stores, collapses, recalls, drops and gives them out. The rest of
// it is in inbox.cc.

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/algorithm/container.h"
#include "common/error.h"
#include "common/log.h"
#include "common/status_macros.h"
#include "device-agent/apps/names_in_logs.h"
#include "device-agent/inbox/inbox.h"

namespace bellwire::agent {
namespace {

using device::v1::AppAck;

// FNV-1a: each step is a bijection of the state, so no single changed byte goes unnoticed. SQLite
// checks its own structure, but not what is stored in it.
uint64_t Checksum(absl::string_view message_id, absl::string_view payload,
                  absl::string_view content) {
  uint64_t hash = 0xcbf29ce484222325;
  for (absl::string_view part : {message_id, payload, content}) {
    for (const char c : part) hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001b3;
  }
  return hash;
}

bool IsNowOrNever(const device::v1::Push& push) {
  return push.expires_at_ms() != 0 && push.expires_at_ms() == push.accepted_at_ms();
}

}  // namespace

absl::StatusOr<Inbox::Applied> Inbox::Apply(const InboxBatch& batch) {
  Applied applied;
  BELLWIRE_RETURN_IF_ERROR(Transact([&]() -> absl::Status {
    // What apps have taken first: it can't be collapsed or recalled any more.
    for (const InboxBatch::Taken& taken : batch.taken) BELLWIRE_RETURN_IF_ERROR(ApplyTaken(taken));
    for (const Incoming& incoming : batch.incoming) {
      absl::Status status;
      if (const auto* push = std::get_if<device::v1::Push>(&incoming)) {
        status = ApplyPush(*push, &applied);
      } else if (const auto* gap = std::get_if<device::v1::Gap>(&incoming)) {
        status = ApplyGap(*gap, &applied);
      } else {
        status = ApplyRecall(std::get<device::v1::Recall>(incoming));
      }
      BELLWIRE_RETURN_IF_ERROR(status);
    }
    for (const std::string& app_id : applied.apps_with_news) {
      BELLWIRE_RETURN_IF_ERROR(MarkGiven(Find(app_id)->registration_id));
    }
    return absl::OkStatus();
  }));
  for (const InboxBatch::Taken& taken : batch.taken) {
    if (AppWindow* window = WindowOf(taken.app_id)) window->Commit(taken.delivery_ids);
  }
  return applied;
}

absl::Status Inbox::ApplyPush(const device::v1::Push& push, Applied* applied) {
  BELLWIRE_ASSIGN_OR_RETURN(const bool is_new, MarkSeen(push.seq()));
  if (!is_new) {
    ++applied->duplicates;
    return absl::OkStatus();
  }
  const uint64_t registration_id = push.registration_id();
  if (!Takes(registration_id)) {
    return QueueAppAck(push.message_id(), registration_id, AppAck::UNREGISTERED);
  }
  const int64_t now_ms = NowMs();
  int64_t expires_at_ms = push.expires_at_ms();
  if (expires_at_ms == 0) {
    expires_at_ms = std::numeric_limits<int64_t>::max();
  } else if (IsNowOrNever(push)) {
    // It reached the phone in time; now it is the app's turn.
    expires_at_ms = now_ms + absl::ToInt64Milliseconds(kNowOrNeverWait);
  } else if (expires_at_ms <= now_ms) {
    return QueueAppAck(push.message_id(), registration_id, AppAck::EXPIRED);
  }
  if (!push.collapse_key().empty()) {
    BELLWIRE_RETURN_IF_ERROR(Collapse(registration_id, push.collapse_key()));
  }
  BELLWIRE_RETURN_IF_ERROR(MakeRoom(registration_id));
  const std::string content = push.content().SerializeAsString();
  Statement& insert = sql_->insert_item.Reset()
                          .BindInt(Signed(registration_id))
                          .BindBlob(push.message_id())
                          .BindInt(0)
                          .BindBlob(push.payload())
                          .BindInt(push.accepted_at_ms())
                          .BindInt(expires_at_ms);
  if (push.collapse_key().empty()) {
    insert.BindNull();
  } else {
    insert.BindText(push.collapse_key());
  }
  insert.BindInt(Signed(Checksum(push.message_id(), push.payload(), content)))
      .BindInt(push.priority())
      .BindBlob(content);
  BELLWIRE_RETURN_IF_ERROR(insert.Run());
  NoteExpiry(expires_at_ms);
  ++state_.waiting[registration_id];
  NoteNews(registration_id, applied);
  return absl::OkStatus();
}

absl::Status Inbox::ApplyGap(const device::v1::Gap& gap, Applied* applied) {
  BELLWIRE_ASSIGN_OR_RETURN(const bool is_new, MarkSeen(gap.seq()));
  if (!is_new) {
    ++applied->duplicates;
    return absl::OkStatus();
  }
  if (!Takes(gap.registration_id())) return absl::OkStatus();
  // A gap says that something is missing, even if the server lost count.
  BELLWIRE_RETURN_IF_ERROR(AddGap(gap.registration_id(), std::max<uint32_t>(1, gap.dropped())));
  NoteNews(gap.registration_id(), applied);
  return absl::OkStatus();
}

absl::Status Inbox::AddGap(uint64_t registration_id, uint32_t dropped) {
  BELLWIRE_RETURN_IF_ERROR(MakeRoom(registration_id));
  const int64_t now_ms = NowMs();
  const int64_t expires_at_ms = now_ms + absl::ToInt64Milliseconds(kMaxTtl);
  BELLWIRE_RETURN_IF_ERROR(sql_->insert_item.Reset()
                               .BindInt(Signed(registration_id))
                               .BindNull()
                               .BindInt(dropped)
                               .BindBlob("")
                               .BindInt(now_ms)
                               .BindInt(expires_at_ms)
                               .BindNull()
                               .BindInt(Signed(Checksum("", "", "")))
                               .BindInt(device::v1::PRIORITY_UNSPECIFIED)
                               .BindBlob("")
                               .Run());
  NoteExpiry(expires_at_ms);
  ++state_.waiting[registration_id];
  return absl::OkStatus();
}

void Inbox::NoteExpiry(int64_t expires_at_ms) {
  next_expiry_ms_ = std::min(next_expiry_ms_, expires_at_ms);
}

absl::Status Inbox::FindNextExpiry() {
  sql_->next_expiry.Reset().BindInt(NowMs());
  BELLWIRE_ASSIGN_OR_RETURN(const bool row, sql_->next_expiry.Step());
  next_expiry_ms_ = row && !sql_->next_expiry.IsNull(0) ? sql_->next_expiry.Int(0) : INT64_MAX;
  sql_->next_expiry.Reset();
  return absl::OkStatus();
}

absl::Status Inbox::ApplyRecall(const device::v1::Recall& recall) {
  const uint64_t registration_id = recall.registration_id();
  // What an app was ever given it may have, though it is gone without having taken it.
  const AppWindow* window = FindWindow(registration_id);
  sql_->recall.Reset()
      .BindInt(Signed(registration_id))
      .BindBlob(recall.message_id())
      .BindInt(Signed(window == nullptr ? 0 : window->given_up_to()));
  BELLWIRE_ASSIGN_OR_RETURN(const bool found, sql_->recall.Step());
  sql_->recall.Reset();
  if (found) {
    CountDown(registration_id);
  } else {
    // It came, and the app may have it, or it ended. Either way that is or will be reported.
    if (recall.seq() == 0 || state_.seen.Contains(recall.seq())) return absl::OkStatus();
    // It did not come. What is said to be recalled must never be shown, even if it comes after all.
    BELLWIRE_RETURN_IF_ERROR(MarkSeen(recall.seq()).status());
  }
  return QueueAppAck(recall.message_id(), registration_id, AppAck::RECALLED);
}

absl::Status Inbox::ApplyTaken(const InboxBatch::Taken& taken) {
  const auto it = state_.registrations.find(taken.app_id);
  // Unregistered meanwhile: its items are gone.
  if (it == state_.registrations.end()) return absl::OkStatus();
  const uint64_t registration_id = it->second.registration_id;
  for (const uint64_t delivery_id : taken.delivery_ids) {
    sql_->take_item.Reset().BindInt(Signed(delivery_id)).BindInt(Signed(registration_id));
    BELLWIRE_ASSIGN_OR_RETURN(const bool found, sql_->take_item.Step());
    if (!found) continue;
    const bool is_message = !sql_->take_item.IsNull(0);
    const std::string message_id(sql_->take_item.Bytes(0));
    sql_->take_item.Reset();
    CountDown(registration_id);
    if (is_message) {
      BELLWIRE_RETURN_IF_ERROR(QueueAppAck(message_id, registration_id, AppAck::TAKEN));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> Inbox::MarkSeen(uint64_t seq) {
  if (state_.seen.Contains(seq)) return false;
  if (state_.seen.full()) {
    return MakeError(absl::StatusCode::kResourceExhausted, "TOO_MANY_SEEN_RANGES",
                     "too many holes in the sequence numbers");
  }
  BELLWIRE_RETURN_IF_ERROR(WriteSeen(state_.seen.Insert(seq)));
  return true;
}

absl::Status Inbox::WriteSeen(const SeqTracker::Change& change) {
  for (const uint64_t first : change.erased) {
    BELLWIRE_RETURN_IF_ERROR(sql_->erase_seen.Reset().BindInt(Signed(first)).Run());
  }
  if (change.put.first == 0) return absl::OkStatus();
  return sql_->put_seen.Reset()
      .BindInt(Signed(change.put.first))
      .BindInt(Signed(change.put.last))
      .Run();
}

absl::Status Inbox::Collapse(uint64_t registration_id, absl::string_view key) {
  sql_->collapse.Reset()
      .BindInt(Signed(registration_id))
      .BindText(key)
      .BindInt(Signed(LastGiven(registration_id)));
  std::vector<std::string> collapsed;
  for (;;) {
    BELLWIRE_ASSIGN_OR_RETURN(const bool row, sql_->collapse.Step());
    if (!row) break;
    collapsed.emplace_back(sql_->collapse.Bytes(0));
  }
  for (const std::string& message_id : collapsed) {
    CountDown(registration_id);
    BELLWIRE_RETURN_IF_ERROR(QueueAppAck(message_id, registration_id, AppAck::COLLAPSED));
  }
  return absl::OkStatus();
}

// At the bound, the oldest item becomes (or is) a gap notice, and the one after it is swallowed by
// it: the app hears of the gap where it is, before what came later.
absl::Status Inbox::MakeRoom(uint64_t registration_id) {
  if (state_.waiting[registration_id] < kMaxInboxMessagesPerApp) return absl::OkStatus();
  struct Row {
    int64_t id;
    bool is_message;
    std::string message_id;
    int64_t dropped;
  };
  std::vector<Row> rows;
  sql_->oldest.Reset()
      .BindInt(Signed(registration_id))
      .BindInt(Signed(LastGiven(registration_id)))
      .BindInt(2);
  for (;;) {
    BELLWIRE_ASSIGN_OR_RETURN(const bool more, sql_->oldest.Step());
    if (!more) break;
    const Statement& row = sql_->oldest;
    rows.push_back({row.Int(0), !row.IsNull(1), std::string(row.Bytes(1)), row.Int(2)});
  }
  static_assert(kMaxInboxMessagesPerApp > kAppWindowMessages + 2,
                "there are always two that the app is not looking at");
  if (rows.size() < 2) return absl::OkStatus();
  int64_t dropped = 0;
  for (const Row& row : rows) {
    dropped += row.is_message ? 1 : row.dropped;
    if (!row.is_message) continue;
    BELLWIRE_RETURN_IF_ERROR(QueueAppAck(row.message_id, registration_id, AppAck::OVERFLOWED));
  }
  if (rows[0].is_message) {
    const auto app = state_.app_of.find(registration_id);
    LogWarning("inbox_overflow",
               {{"app", app == state_.app_of.end() ? "" : NameInLogs(app->second)}});
  }
  BELLWIRE_RETURN_IF_ERROR(sql_->erase_item.Reset().BindInt(rows[1].id).Run());
  CountDown(registration_id);
  return sql_->make_gap.Reset()
      .BindInt(std::min<int64_t>(dropped, std::numeric_limits<uint32_t>::max()))
      .BindInt(NowMs() + absl::ToInt64Milliseconds(kMaxTtl))
      .BindInt(rows[0].id)
      .Run();
}

absl::Status Inbox::QueueAppAck(absl::string_view message_id, uint64_t registration_id,
                                AppAck::Outcome outcome) {
  return sql_->queue_app_ack.Reset()
      .BindBlob(message_id)
      .BindInt(Signed(registration_id))
      .BindInt(outcome)
      .Run();
}

bool Inbox::Takes(uint64_t registration_id) const {
  if (state_.app_of.contains(registration_id)) return true;
  for (const auto& [app_id, removed] : state_.removals) {
    if (removed.registration_id == registration_id) return false;
  }
  // An app that this inbox does not know: it was damaged and replaced, and the app has not come
  // back yet. Its messages wait for it, but a server can't invent apps without end.
  return state_.waiting.contains(registration_id) || state_.waiting.size() < kMaxAppsPerDevice;
}

const AppWindow* Inbox::FindWindow(uint64_t registration_id) const {
  const auto it = windows_.find(registration_id);
  return it == windows_.end() ? nullptr : &it->second;
}

uint64_t Inbox::LastGiven(uint64_t registration_id) const {
  const AppWindow* window = FindWindow(registration_id);
  return window == nullptr ? 0 : window->last_given();
}

AppWindow* Inbox::WindowOf(absl::string_view app_id) {
  const Registration* registration = Find(app_id);
  return registration == nullptr ? nullptr : &windows_[registration->registration_id];
}

void Inbox::NoteNews(uint64_t registration_id, Applied* applied) const {
  const auto app = state_.app_of.find(registration_id);
  if (app == state_.app_of.end()) return;
  if (absl::c_linear_search(applied->apps_with_news, app->second)) return;
  applied->apps_with_news.push_back(app->second);
}

void Inbox::CountDown(uint64_t registration_id, size_t n) {
  erased_ = true;
  const auto it = state_.waiting.find(registration_id);
  it->second -= n;
  if (it->second == 0) state_.waiting.erase(it);
}

absl::StatusOr<std::vector<InboxItem>> Inbox::Items(absl::string_view app_id, uint64_t after,
                                                    size_t limit) const {
  std::vector<InboxItem> items;
  const Registration* registration = Find(app_id);
  if (registration == nullptr) return items;
  const AppWindow* window = FindWindow(registration->registration_id);
  Statement& row = sql_->items.Reset()
                       .BindInt(Signed(registration->registration_id))
                       .BindInt(Signed(after))
                       .BindInt(NowMs())
                       .BindInt(static_cast<int64_t>(limit));
  for (;;) {
    BELLWIRE_ASSIGN_OR_RETURN(const bool more, row.Step());
    if (!more) return items;
    InboxItem item;
    item.delivery_id = Unsigned(row.Int(0));
    item.message_id = std::string(row.Bytes(1));
    item.dropped = static_cast<uint32_t>(row.Int(2));
    item.payload = std::string(row.Bytes(3));
    item.accepted_at_ms = row.Int(4);
    item.redelivered = window != nullptr && window->WasGivenEarlier(item.delivery_id);
    item.priority = static_cast<device::v1::Priority>(row.Int(6));
    item.content = std::string(row.Bytes(7));
    if (item.dropped == 0 &&
        Checksum(item.message_id, item.payload, item.content) != Unsigned(row.Int(5))) {
      LogError("inbox_item_damaged",
               {{"app", NameInLogs(app_id)}, {"delivery_id", item.delivery_id}});
      item.message_id.clear();
      item.payload.clear();
      item.content.clear();
      item.dropped = 1;
    }
    items.push_back(std::move(item));
  }
}

void Inbox::Attach(absl::string_view app_id) {
  const Registration* registration = Find(app_id);
  if (registration == nullptr) return;
  const uint64_t registration_id = registration->registration_id;
  AppWindow& window = windows_[registration_id];
  window.Open();
  absl::Status marked = MarkGiven(registration_id);
  if (marked.ok() && window.unwritten()) marked = Transact([] { return absl::OkStatus(); });
  // It goes to disk with a later transaction, then; the app's acknowledgements wait for the same.
  if (!marked.ok()) {
    LogError("given_not_noted", {{"app", NameInLogs(app_id)}, {"error", marked.message()}});
  }
}

absl::Status Inbox::MarkGiven(uint64_t registration_id) {
  const auto it = windows_.find(registration_id);
  if (it == windows_.end() || !it->second.is_open()) return absl::OkStatus();
  sql_->last_item.Reset().BindInt(Signed(registration_id));
  BELLWIRE_ASSIGN_OR_RETURN(const bool row, sql_->last_item.Step());
  const uint64_t last = row ? Unsigned(sql_->last_item.Int(0)) : 0;
  sql_->last_item.Reset();
  it->second.Mark(last);
  return absl::OkStatus();
}

void Inbox::Release(absl::string_view app_id) {
  AppWindow* const window = WindowOf(app_id);
  // Some of what it held may have expired meanwhile.
  if (window != nullptr && window->Close()) next_expiry_ms_ = INT64_MIN;
}

absl::Status Inbox::WriteGiven() {
  for (auto& [registration_id, window] : windows_) {
    if (!window.unwritten()) continue;
    BELLWIRE_RETURN_IF_ERROR(sql_->set_given.Reset()
                                 .BindInt(Signed(window.marked_up_to()))
                                 .BindInt(Signed(registration_id))
                                 .Run());
    window.OnWritten();
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> Inbox::DropExpired() {
  struct Row {
    int64_t id;
    uint64_t registration_id;
    bool is_message;
    std::string message_id;
  };
  std::vector<Row> rows;
  sql_->expired.Reset().BindInt(NowMs());
  for (;;) {
    BELLWIRE_ASSIGN_OR_RETURN(const bool more, sql_->expired.Step());
    if (!more) break;
    const Statement& row = sql_->expired;
    const uint64_t registration_id = Unsigned(row.Int(1));
    const AppWindow* window = FindWindow(registration_id);
    if (window != nullptr && window->Holds(Unsigned(row.Int(0)))) continue;
    rows.push_back({row.Int(0), registration_id, !row.IsNull(2), std::string(row.Bytes(2))});
  }
  if (rows.empty()) {
    BELLWIRE_RETURN_IF_ERROR(FindNextExpiry());
    return false;
  }
  BELLWIRE_RETURN_IF_ERROR(Transact([this, &rows]() -> absl::Status {
    for (const Row& row : rows) {
      BELLWIRE_RETURN_IF_ERROR(sql_->erase_item.Reset().BindInt(row.id).Run());
      CountDown(row.registration_id);
      if (!row.is_message) continue;
      BELLWIRE_RETURN_IF_ERROR(QueueAppAck(row.message_id, row.registration_id, AppAck::EXPIRED));
    }
    return absl::OkStatus();
  }));
  BELLWIRE_RETURN_IF_ERROR(FindNextExpiry());
  return true;
}

}  // namespace bellwire::agent
