#include "device-agent/core/topic_changes.h"

#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/string_view.h"
#include "common/limits.h"
#include "device-agent/apps/fair_share.h"

namespace bellwire::agent {
namespace {

using device::v1::TopicChanged;

bool IsTopicName(absl::string_view name) {
  if (name.empty() || name.size() > kMaxTopicNameChars) return false;
  for (const char c : name) {
    if (!absl::ascii_isalnum(static_cast<unsigned char>(c)) &&
        absl::string_view("-_.~%").find(c) == absl::string_view::npos) {
      return false;
    }
  }
  return true;
}

v1::TopicChanged::Outcome OutcomeOf(TopicChanged::Outcome outcome) {
  switch (outcome) {
    case TopicChanged::OK:
      return v1::TopicChanged::OK;
    case TopicChanged::BAD_TOPIC:
      return v1::TopicChanged::BAD_TOPIC;
    case TopicChanged::LIMIT_REACHED:
      return v1::TopicChanged::LIMIT_REACHED;
    case TopicChanged::UNREGISTERED:
      return v1::TopicChanged::UNREGISTERED;
    default:  // Or of a later server: not known to be done.
      return v1::TopicChanged::UNAVAILABLE;
  }
}

}  // namespace

void TopicChanges::Ask(const std::string& app_id, uid_t uid, uint64_t registration_id,
                       const v1::ChangeTopic& change) {
  const auto answer = [&](Outcome outcome) { owner_->OnTopicChanged(app_id, change, outcome); };
  if (!IsTopicName(change.topic())) return answer(v1::TopicChanged::BAD_TOPIC);
  if (!in_session_) return answer(v1::TopicChanged::NOT_CONNECTED);
  const auto own = counts_.find(uid);
  if (!MayTakePlace(kMaxTopicChanges, waiting_count_ + under_way_.size(),
                    own == counts_.end() ? 0 : own->second)) {
    return answer(v1::TopicChanged::LIMIT_REACHED);
  }
  waiting_[uid].push_back(
      {.app_id = app_id, .uid = uid, .registration_id = registration_id, .change = change});
  ++waiting_count_;
  ++counts_[uid];
  Pump();
}

void TopicChanges::Pump() {
  // Each user in turn, from the one after the last; done when nobody had anything that may be sent.
  for (size_t idle = 0; idle < waiting_.size() && under_way_.size() < kMaxTopicChangesUnderWay;) {
    auto user = waiting_.upper_bound(last_uid_);
    if (user == waiting_.end()) user = waiting_.begin();
    last_uid_ = user->first;
    if (SendOne(&user->second)) {
      if (user->second.empty()) waiting_.erase(user);
      idle = 0;
    } else {
      ++idle;
    }
  }
}

bool TopicChanges::SendOne(std::list<Change>* waiting) {
  for (auto it = waiting->begin(); it != waiting->end(); ++it) {
    if (!topics_under_way_.insert(TopicOf(*it)).second) continue;
    const uint32_t id = ++last_request_id_;
    Change& change = under_way_[id] = std::move(*it);
    waiting->erase(it);
    --waiting_count_;
    change.give_up_at = clock_->Monotonic() + kTopicChangeTimeout;
    device::v1::AgentFrame frame;
    device::v1::TopicChange* const request = frame.mutable_topic_change();
    request->set_request_id(id);
    request->set_registration_id(change.registration_id);
    request->set_topic(change.change.topic());
    request->set_subscribed(change.change.subscribed());
    owner_->SendTopicChange(frame);
    return true;
  }
  return false;
}

void TopicChanges::End(Change change, Outcome outcome) {
  const auto count = counts_.find(change.uid);
  if (--count->second == 0) counts_.erase(count);
  if (!change.forgotten) owner_->OnTopicChanged(change.app_id, change.change, outcome);
}

void TopicChanges::Forget(const std::string& app_id) {
  for (auto user = waiting_.begin(); user != waiting_.end();) {
    for (auto it = user->second.begin(); it != user->second.end();) {
      if (it->app_id != app_id) {
        ++it;
        continue;
      }
      it->forgotten = true;
      --waiting_count_;
      End(std::move(*it), v1::TopicChanged::NOT_CONNECTED);
      it = user->second.erase(it);
    }
    user = user->second.empty() ? waiting_.erase(user) : std::next(user);
  }
  for (auto& [id, change] : under_way_) {
    if (change.app_id == app_id) change.forgotten = true;
  }
}

void TopicChanges::OnSessionEnd() {
  in_session_ = false;
  std::vector<Change> all;
  for (auto& [id, change] : under_way_) all.push_back(std::move(change));
  for (auto& [uid, changes] : waiting_) {
    for (Change& change : changes) all.push_back(std::move(change));
  }
  under_way_.clear();
  topics_under_way_.clear();
  waiting_.clear();
  waiting_count_ = 0;
  for (Change& change : all) End(std::move(change), v1::TopicChanged::NOT_CONNECTED);
}

void TopicChanges::OnAnswer(const TopicChanged& answer) {
  const auto it = under_way_.find(answer.request_id());
  // It was given up before.
  if (it == under_way_.end()) return;
  Change change = std::move(it->second);
  under_way_.erase(it);
  topics_under_way_.erase(TopicOf(change));
  End(std::move(change), OutcomeOf(answer.outcome()));
  Pump();
}

std::optional<MonotonicTime> TopicChanges::deadline() const {
  if (under_way_.empty()) return std::nullopt;
  return under_way_.begin()->second.give_up_at;
}

void TopicChanges::OnDeadline() {
  const MonotonicTime now = clock_->Monotonic();
  bool any = false;
  while (!under_way_.empty() && under_way_.begin()->second.give_up_at <= now) {
    Change change = std::move(under_way_.begin()->second);
    under_way_.erase(under_way_.begin());
    topics_under_way_.erase(TopicOf(change));
    End(std::move(change), v1::TopicChanged::UNAVAILABLE);
    any = true;
  }
  if (any) Pump();
}

}  // namespace bellwire::agent
