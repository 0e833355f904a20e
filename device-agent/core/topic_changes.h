#ifndef BELLWIRE_DEVICE_AGENT_CORE_TOPIC_CHANGES_H_
#define BELLWIRE_DEVICE_AGENT_CORE_TOPIC_CHANGES_H_

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "absl/time/time.h"
#include "bellwire/agent/v1/agent.pb.h"
#include "bellwire/device/v1/device.pb.h"
#include "common/clock.h"

namespace bellwire::agent {

// Changes of all apps that the server has not answered. Users share them (fair_share.h); each has
// up to a kilobyte of name.
inline constexpr size_t kMaxTopicChanges = 1024;
// Of these, sent to the server at a time; the rest waits here. A connector takes as many app
// requests.
inline constexpr size_t kMaxTopicChangesUnderWay = 32;
// A connector that knows no topics never answers.
inline constexpr absl::Duration kTopicChangeTimeout = absl::Minutes(1);

// Passes on to the server what apps change about their topics, and its answers back. Of one topic
// of an app one change is under way at a time, so that none overtakes another; users take turns.
// Nothing is kept: without a session the answer is NOT_CONNECTED at once. Pure and single-threaded.
class TopicChanges {
 public:
  using Outcome = v1::TopicChanged::Outcome;

  class Owner {
   public:
    virtual ~Owner() = default;
    // To the server; there is a session.
    virtual void SendTopicChange(const device::v1::AgentFrame& frame) = 0;
    // The answer to a change.
    virtual void OnTopicChanged(const std::string& app_id, const v1::ChangeTopic& change,
                                Outcome outcome) = 0;
  };

  // Both must outlive this.
  TopicChanges(const Clock* clock, Owner* owner) : clock_(clock), owner_(owner) {}

  // The app of this user, whose registration this is, changes a topic. OnTopicChanged follows,
  // maybe from inside, unless the app is forgotten before.
  void Ask(const std::string& app_id, uid_t uid, uint64_t registration_id,
           const v1::ChangeTopic& change);
  // Its connection has gone: nobody waits for its answers any more.
  void Forget(const std::string& app_id);

  void OnSessionStart() { in_session_ = true; }
  // All are answered NOT_CONNECTED: some may have come to the server.
  void OnSessionEnd();
  void OnAnswer(const device::v1::TopicChanged& answer);

  // When the oldest one has waited for too long.
  std::optional<MonotonicTime> deadline() const;
  void OnDeadline();

 private:
  struct Change {
    std::string app_id;
    uid_t uid = 0;
    uint64_t registration_id = 0;
    v1::ChangeTopic change;
    // Nobody waits for the answer.
    bool forgotten = false;
    MonotonicTime give_up_at;
  };
  using Topic = std::pair<std::string, std::string>;

  static Topic TopicOf(const Change& change) { return {change.app_id, change.change.topic()}; }
  // Sends what may be sent now.
  void Pump();
  // Of one user, the first that may be sent. False: there is none.
  bool SendOne(std::list<Change>* waiting);
  void End(Change change, Outcome outcome);

  const Clock* const clock_;
  Owner* const owner_;
  bool in_session_ = false;
  uint32_t last_request_id_ = 0;
  // Not sent yet, by user. No list is empty.
  std::map<uid_t, std::list<Change>> waiting_;
  size_t waiting_count_ = 0;
  // Whose turn was the last one.
  uid_t last_uid_ = 0;
  // By request id, which is the order of sending.
  std::map<uint32_t, Change> under_way_;
  std::set<Topic> topics_under_way_;
  // Of both, by user. None is 0.
  std::map<uid_t, size_t> counts_;
};

}  // namespace bellwire::agent

#endif  // BELLWIRE_DEVICE_AGENT_CORE_TOPIC_CHANGES_H_
