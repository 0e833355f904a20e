#ifndef BELLWIRE_REGISTRY_TESTING_STORE_MODEL_H_
#define BELLWIRE_REGISTRY_TESTING_STORE_MODEL_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "bellwire/admin/v1/admin.pb.h"
#include "bellwire/push/v1/push.pb.h"

namespace bellwire::registry {

// What one device's part of a Store should do, written down a second time as simply as can be:
// lists that are searched from end to end, no keys, no indexes, no disk. store_model_test compares
// the two over random operations. Message ids are small numbers here; times are milliseconds.
class DeviceModel {
 public:
  using Step = push::v1::Step;

  struct Message {
    uint64_t registration = 0;
    int id = 0;
    std::string payload;
    std::string collapse_key;
    int64_t accepted_ms = 0;
    int64_t expires_ms = 0;
    // 0: at once.
    int64_t deliver_at_ms = 0;
  };
  struct Registration {
    int app = 0;
    admin::v1::OverflowPolicy policy = admin::v1::DROP_OLDEST;
    bool alive = true;
    // When a sweep looks at what holds a place. 0: nothing does.
    int64_t wake_ms = 0;
  };
  struct Appended {
    // Empty: accepted, or accepted before.
    std::string error;
    uint64_t seq = 0;
    bool duplicate = false;
    Step state = push::v1::STEP_UNSPECIFIED;
    bool connected = false;
  };

  // The living registration of the app, or `fresh`, which it now is.
  uint64_t Register(int app, admin::v1::OverflowPolicy policy, uint64_t fresh);
  void Remove(int app, int64_t now_ms);
  Appended Append(const Message& message, int64_t now_ms);
  bool Bind(uint64_t login, int64_t now_ms);
  // A page has it.
  void HandOver(uint64_t seq, int64_t now_ms);
  void Unbind(uint64_t login);
  void Acknowledge(uint64_t seq);
  void AppAcknowledge(uint64_t registration, int id, Step step);
  // nullopt: no such number.
  std::optional<Step> Resolve(uint64_t seq);
  // nullopt: unknown.
  std::optional<push::v1::RecallResponse::Outcome> Recall(uint64_t registration, int id);
  // Everything that is due has been done.
  void Sweep(int64_t now_ms);
  // "7 payload" for a message, "9 gap 2" for a notice: what pages hold, in order.
  std::vector<std::string> Mailbox(int64_t now_ms);
  // nullopt: unknown.
  std::optional<std::vector<Step>> Steps(uint64_t registration, int id) const;
  uint64_t settled_seq() const;
  uint64_t last_seq() const { return last_seq_; }
  // 0: no session.
  uint64_t bound_login() const { return bound_login_; }

 private:
  enum class Place { kMailbox, kScheduled, kNowOrNever, kRecalling, kDevice, kEnded };
  struct Life {
    Message message;
    Place place;
    uint64_t seq = 0;
    std::vector<Step> steps;
    int64_t ended_ms = 0;
    int64_t resolvable_until_ms = 0;
    // ... and if nobody does, it ends then.
    int64_t unresolved_until_ms = 0;
    // When a sweep looks at it, once it holds no place any more. 0: never.
    int64_t wake_ms = 0;
    bool forgotten = false;
    // To a session, as far as is known. 0: never.
    int64_t handed_ms = 0;
  };
  struct Gap {
    uint64_t seq;
    uint32_t dropped;
    // Dropped since, while the device may have had this notice.
    uint32_t untold;
  };

  Life* Find(uint64_t registration, int id);
  void End(Life* life, Step step, int64_t now_ms);
  static int64_t NextWakeMs(const Life& life);
  void Arm(Life* life, int64_t now_ms);
  void SweepPending(uint64_t id, Registration* registration, int64_t now_ms);
  void ReleaseDue(int64_t now_ms);
  void AddGap(uint64_t registration, uint32_t dropped);
  std::vector<Life*> Holding(uint64_t registration);
  // What a full mailbox may drop, in this order.
  std::vector<Life*> NotOnTheirWay(std::vector<Life*> holding, int64_t now_ms) const;
  int64_t ExpiryMs(const Life& life) const;

  std::map<uint64_t, Registration> registrations_;
  // In the order of acceptance.
  std::vector<Life> lives_;
  std::map<uint64_t, Gap> gaps_;
  uint64_t last_seq_ = 0;
  uint64_t bound_login_ = 0;
  // Nothing after it was ever handed to a session, but for the one of now.
  uint64_t last_seq_of_earlier_sessions_ = 0;
  uint64_t last_login_ = 0;
  int64_t now_ms_ = 0;
};

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_TESTING_STORE_MODEL_H_
