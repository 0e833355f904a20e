#include "registry/testing/store_model.h"

#include <algorithm>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/limits.h"
#include "registry/mailbox/message_life.h"

namespace bellwire::registry {
namespace {

int64_t Ms(absl::Duration d) { return absl::ToInt64Milliseconds(d); }

}  // namespace

uint64_t DeviceModel::Register(int app, admin::v1::OverflowPolicy policy, uint64_t fresh) {
  for (const auto& [id, registration] : registrations_) {
    if (registration.app == app && registration.alive) return id;
  }
  registrations_[fresh] = {app, policy, true};
  return fresh;
}

void DeviceModel::Remove(int app, int64_t now_ms) {
  for (auto& [id, registration] : registrations_) {
    if (registration.app != app || !registration.alive) continue;
    for (Life* life : Holding(id)) End(life, push::v1::UNREGISTERED, now_ms);
    gaps_.erase(id);
    registration.alive = false;
  }
}

DeviceModel::Appended DeviceModel::Append(const Message& message, int64_t now_ms) {
  now_ms_ = now_ms;
  const auto registration = registrations_.find(message.registration);
  if (registration == registrations_.end() || !registration->second.alive) {
    return {.error = "UNREGISTERED"};
  }
  if (const Life* earlier = Find(message.registration, message.id)) {
    const Message& m = earlier->message;
    const auto ttl = [](const Message& x) {
      return x.expires_ms - std::max(x.accepted_ms, x.deliver_at_ms);
    };
    const bool same_time = m.deliver_at_ms == message.deliver_at_ms ||
                           std::max(m.deliver_at_ms, message.deliver_at_ms) <= now_ms;
    if (m.payload != message.payload || m.collapse_key != message.collapse_key ||
        ttl(m) != ttl(message) || !same_time) {
      return {.error = "MESSAGE_ID_REUSED"};
    }
    return {.seq = earlier->seq,
            .duplicate = true,
            .state = earlier->steps.back(),
            .connected = bound_login_ != 0};
  }
  ReleaseDue(now_ms);
  Life life{.message = message, .place = Place::kMailbox};
  life.steps = {push::v1::ACCEPTED, push::v1::STORED};
  if (message.expires_ms == message.accepted_ms) {
    life.place = Place::kNowOrNever;
    life.resolvable_until_ms = now_ms + Ms(kNowOrNeverWait + kResolveGrace);
    life.unresolved_until_ms = now_ms + Ms(kIdempotencyWindow);
  } else {
    for (Life* other : Holding(message.registration)) {
      if (!message.collapse_key.empty() && other->message.collapse_key == message.collapse_key) {
        End(other, push::v1::COLLAPSED, now_ms);
      }
    }
    if (Holding(message.registration).size() >= kMaxMailboxMessagesPerApp) {
      for (Life* other : Holding(message.registration)) {
        if (ExpiryMs(*other) <= now_ms) End(other, push::v1::EXPIRED, now_ms);
      }
    }
    std::vector<Life*> holding = Holding(message.registration);
    if (holding.size() >= kMaxMailboxMessagesPerApp) {
      switch (registration->second.policy) {
        case admin::v1::REFUSE_NEWEST:
          if (!gaps_.contains(message.registration)) AddGap(message.registration, 1);
          return {.error = "MAILBOX_FULL"};
        case admin::v1::DROP_ALL:
          holding = NotOnTheirWay(holding, now_ms);
          for (Life* other : holding) End(other, push::v1::OVERFLOWED, now_ms);
          AddGap(message.registration, static_cast<uint32_t>(holding.size()));
          break;
        default:
          End(NotOnTheirWay(holding, now_ms).front(), push::v1::OVERFLOWED, now_ms);
          AddGap(message.registration, 1);
      }
    }
    if (message.deliver_at_ms > now_ms) life.place = Place::kScheduled;
    int64_t& wake_ms = registration->second.wake_ms;
    if (wake_ms == 0 || message.expires_ms < wake_ms) wake_ms = message.expires_ms;
  }
  if (life.place != Place::kScheduled) {
    life.seq = ++last_seq_;
    if (bound_login_ != 0) life.handed_ms = now_ms;
  }
  lives_.push_back(life);
  return {.seq = life.seq, .state = push::v1::STORED, .connected = bound_login_ != 0};
}

bool DeviceModel::Bind(uint64_t login, int64_t now_ms) {
  const bool is_new = login != bound_login_;
  if (is_new && login <= last_login_) return false;
  // For its page.
  ReleaseDue(now_ms);
  if (is_new) {
    if (bound_login_ != 0) last_seq_of_earlier_sessions_ = last_seq_;
    bound_login_ = last_login_ = login;
  }
  return true;
}

void DeviceModel::HandOver(uint64_t seq, int64_t now_ms) {
  for (Life& life : lives_) {
    if (life.seq == seq && life.place == Place::kMailbox) life.handed_ms = now_ms;
  }
}

void DeviceModel::Unbind(uint64_t login) {
  if (login != bound_login_ || login == 0) return;
  bound_login_ = 0;
  last_seq_of_earlier_sessions_ = last_seq();
}

void DeviceModel::Acknowledge(uint64_t seq) {
  for (auto it = gaps_.begin(); it != gaps_.end(); ++it) {
    if (it->second.seq == seq) {
      const auto [registration, gap] = *it;
      gaps_.erase(it);
      if (gap.untold != 0) AddGap(registration, gap.untold);
      return;
    }
  }
  for (Life& life : lives_) {
    if (life.seq != seq || seq == 0) continue;
    if (life.place != Place::kMailbox && life.place != Place::kNowOrNever) continue;
    life.steps.push_back(push::v1::SENT);
    life.steps.push_back(push::v1::AGENT_ACKED);
    life.place = Place::kDevice;
    Arm(&life, now_ms_);
  }
}

void DeviceModel::AppAcknowledge(uint64_t registration, int id, Step step) {
  Life* life = Find(registration, id);
  if (life == nullptr || life->place == Place::kScheduled || life->place == Place::kEnded) return;
  if (life->place == Place::kMailbox && life->seq > last_seq_of_earlier_sessions_) return;
  if (life->place != Place::kDevice && step != push::v1::RECALLED) {
    life->steps.push_back(push::v1::AGENT_ACKED);
    life->place = Place::kDevice;
    Arm(life, now_ms_);
  }
  End(life, step, now_ms_);
}

std::optional<DeviceModel::Step> DeviceModel::Resolve(uint64_t seq) {
  for (Life& life : lives_) {
    if (life.seq != seq || life.resolvable_until_ms == 0) continue;
    if (life.place == Place::kNowOrNever) End(&life, push::v1::NOT_CONNECTED, now_ms_);
    return life.steps.back();
  }
  return std::nullopt;
}

std::optional<push::v1::RecallResponse::Outcome> DeviceModel::Recall(uint64_t registration,
                                                                     int id) {
  Life* life = Find(registration, id);
  if (life == nullptr) return std::nullopt;
  if (life->place == Place::kEnded) return push::v1::RecallResponse::TOO_LATE;
  if (life->place == Place::kScheduled || (life->place == Place::kMailbox && bound_login_ == 0 &&
                                           life->seq > last_seq_of_earlier_sessions_)) {
    End(life, push::v1::RECALLED, now_ms_);
    return push::v1::RecallResponse::RECALLED;
  }
  if (life->place == Place::kMailbox) {
    life->place = Place::kRecalling;
    Arm(life, now_ms_);
  }
  return push::v1::RecallResponse::REQUESTED;
}

void DeviceModel::Sweep(int64_t now_ms) {
  now_ms_ = now_ms;
  ReleaseDue(now_ms);
  for (auto& [id, registration] : registrations_) SweepPending(id, &registration, now_ms);
  for (Life& life : lives_) {
    if (life.place == Place::kNowOrNever && life.resolvable_until_ms <= now_ms) {
      life.resolvable_until_ms = life.unresolved_until_ms;
    }
    if (life.resolvable_until_ms != 0 && life.resolvable_until_ms <= now_ms) {
      if (life.place == Place::kNowOrNever) End(&life, push::v1::NOT_CONNECTED, now_ms);
      life.resolvable_until_ms = 0;
    }
    if (life.wake_ms == 0 || life.wake_ms > now_ms) continue;
    life.wake_ms = 0;
    if (NextWakeMs(life) > now_ms) {
      Arm(&life, now_ms);
    } else if (life.place == Place::kEnded) {
      life.forgotten = true;
    } else {
      const bool alive = registrations_[life.message.registration].alive;
      End(&life,
          life.place == Place::kRecalling || alive ? push::v1::EXPIRED : push::v1::UNREGISTERED,
          now_ms);
    }
  }
  std::erase_if(lives_, [](const Life& life) { return life.forgotten; });
}

void DeviceModel::SweepPending(uint64_t id, Registration* registration, int64_t now_ms) {
  if (registration->wake_ms == 0 || registration->wake_ms > now_ms) return;
  registration->wake_ms = 0;
  for (Life* life : Holding(id)) {
    const int64_t due_ms = ExpiryMs(*life);
    if (due_ms <= now_ms) {
      End(life, push::v1::EXPIRED, now_ms);
    } else if (registration->wake_ms == 0 || due_ms < registration->wake_ms) {
      registration->wake_ms = due_ms;
    }
  }
}

int64_t DeviceModel::NextWakeMs(const Life& life) {
  switch (life.place) {
    case Place::kRecalling:
      return life.message.expires_ms;
    case Place::kDevice:
      return life.message.expires_ms + Ms(kDeviceReportGrace);
    case Place::kEnded:
      return life.ended_ms + Ms(kReceiptRetention);
    default:
      return 0;
  }
}

void DeviceModel::Arm(Life* life, int64_t now_ms) {
  const int64_t slack_ms = Ms(kReceiptRetentionSlack);
  const int64_t next_ms = NextWakeMs(*life);
  const int64_t latest_ms = next_ms + (life->place == Place::kEnded ? slack_ms : 0);
  if (life->wake_ms != 0 && life->wake_ms <= latest_ms) return;
  life->wake_ms = std::min(next_ms, now_ms + Ms(kReceiptRetention) + slack_ms);
}

std::vector<std::string> DeviceModel::Mailbox(int64_t now_ms) {
  ReleaseDue(now_ms);
  std::map<uint64_t, std::string> mail;
  for (const auto& [registration, gap] : gaps_) {
    mail[gap.seq] = absl::StrCat(gap.seq, " gap ", gap.dropped);
  }
  for (const Life& life : lives_) {
    if (life.place == Place::kMailbox && life.message.expires_ms > now_ms) {
      mail[life.seq] = absl::StrCat(life.seq, " ", life.message.payload);
    }
  }
  std::vector<std::string> lines;
  for (const auto& [seq, line] : mail) lines.push_back(line);
  return lines;
}

std::optional<std::vector<DeviceModel::Step>> DeviceModel::Steps(uint64_t registration,
                                                                 int id) const {
  for (const Life& life : lives_) {
    if (life.message.registration == registration && life.message.id == id) return life.steps;
  }
  return std::nullopt;
}

uint64_t DeviceModel::settled_seq() const {
  uint64_t settled = last_seq_;
  for (const auto& [registration, gap] : gaps_) settled = std::min(settled, gap.seq - 1);
  for (const Life& life : lives_) {
    if (life.place == Place::kMailbox || life.place == Place::kRecalling ||
        life.resolvable_until_ms != 0) {
      settled = std::min(settled, life.seq - 1);
    }
  }
  return settled;
}

DeviceModel::Life* DeviceModel::Find(uint64_t registration, int id) {
  for (Life& life : lives_) {
    if (life.message.registration == registration && life.message.id == id) return &life;
  }
  return nullptr;
}

void DeviceModel::End(Life* life, Step step, int64_t now_ms) {
  life->steps.push_back(step);
  life->place = Place::kEnded;
  life->ended_ms = now_ms;
  Arm(life, now_ms);
}

void DeviceModel::ReleaseDue(int64_t now_ms) {
  std::vector<Life*> due;
  for (Life& life : lives_) {
    if (life.place == Place::kScheduled && life.message.deliver_at_ms <= now_ms) {
      due.push_back(&life);
    }
  }
  // Of those due at the same time, in the order of their ids.
  std::sort(due.begin(), due.end(), [](const Life* a, const Life* b) {
    return std::tie(a->message.deliver_at_ms, a->message.id, a->message.registration) <
           std::tie(b->message.deliver_at_ms, b->message.id, b->message.registration);
  });
  for (Life* life : due) {
    if (life->message.expires_ms <= now_ms) {
      End(life, push::v1::EXPIRED, now_ms);
      continue;
    }
    life->seq = ++last_seq_;
    life->place = Place::kMailbox;
    if (bound_login_ != 0) life->handed_ms = now_ms;
  }
}

void DeviceModel::AddGap(uint64_t registration, uint32_t dropped) {
  const auto it = gaps_.find(registration);
  if (it != gaps_.end()) {
    if (bound_login_ != 0 || it->second.seq <= last_seq_of_earlier_sessions_) {
      it->second.untold += dropped;
      return;
    }
    dropped += it->second.dropped;
  }
  gaps_[registration] = {++last_seq_, dropped, 0};
}

std::vector<DeviceModel::Life*> DeviceModel::NotOnTheirWay(std::vector<Life*> holding,
                                                           int64_t now_ms) const {
  std::stable_sort(holding.begin(), holding.end(), [](const Life* a, const Life* b) {
    if ((a->seq == 0) != (b->seq == 0)) return a->seq != 0;
    return a->seq != 0 ? a->seq < b->seq : a->message.deliver_at_ms < b->message.deliver_at_ms;
  });
  // No more than a window's worth of them.
  size_t on_their_way = 0;
  std::vector<Life*> rest;
  for (Life* life : holding) {
    const bool on_its_way = bound_login_ != 0 && life->seq != 0 && life->handed_ms != 0 &&
                            now_ms < life->handed_ms + Ms(kHandOverGrace);
    if (on_its_way && on_their_way < kSessionWindowMessages) {
      ++on_their_way;
    } else {
      rest.push_back(life);
    }
  }
  return rest;
}

std::vector<DeviceModel::Life*> DeviceModel::Holding(uint64_t registration) {
  std::vector<Life*> holding;
  for (Life& life : lives_) {
    if (life.message.registration == registration &&
        (life.place == Place::kMailbox || life.place == Place::kScheduled)) {
      holding.push_back(&life);
    }
  }
  return holding;
}

int64_t DeviceModel::ExpiryMs(const Life& life) const {
  return life.message.expires_ms + (bound_login_ != 0 ? Ms(kExpiryGrace) : 0);
}

}  // namespace bellwire::registry
