#ifndef BELLWIRE_REGISTRY_CHECK_CHECK_TOPICS_H_
#define BELLWIRE_REGISTRY_CHECK_CHECK_TOPICS_H_

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "bellwire/storage/v1/storage.pb.h"
#include "registry/check/check.h"
#include "registry/check/teams_key.h"
#include "registry/engine/kv_engine.h"

namespace bellwire::registry {

// Whether what teams have of topics fits together, and to what devices have. Takes the records of
// Family::kTopics in the order of their keys; counts of topics without remembering them. Not
// thread-safe.
class TopicsCheck {
 public:
  // Both outlive it. `feeds`: where subscribers are counted (registry/keys/feeds.h). None: `reader`
  // has a part of the subscribers only, so that their number says nothing.
  TopicsCheck(const KvReader* reader, CheckReport* report, std::vector<uint32_t> feeds)
      : reader_(*reader), report_(*report), feeds_(std::move(feeds)) {}

  // What is in the outbox, before all records.
  void NotePending(const storage::v1::Outbox& outbox);
  void Take(absl::string_view key, absl::string_view value);
  // After the last one. Once.
  void Judge();

 private:
  struct Kept {
    uint64_t found = 0;
    uint64_t said = 0;
  };

  void TakeOpen(absl::string_view key);
  void TakeSubscriber(const TeamsKey& key, absl::string_view value);
  void TakeCount(const TeamsKey& key, absl::string_view value);
  void TakeKept(const TeamsKey& key, absl::string_view value);
  void TakeMessage(const TeamsKey& key, absl::string_view value);
  void TakeFanOut(const TeamsKey& key, absl::string_view value);
  // Of the topic whose subscribers were seen last.
  void JudgeCount();
  int64_t PendingOf(const std::string& team_id, absl::string_view topic) const;
  bool Exists(Family family, absl::string_view key) const;

  const KvReader& reader_;
  CheckReport& report_;
  const std::vector<uint32_t> feeds_;
  // By team and topic: changes that the outbox holds.
  std::map<std::pair<std::string, std::string>, int64_t> pending_;
  // By team.
  std::map<std::string, Kept> kept_;
  std::string team_id_;
  std::string topic_;
  int64_t subscribers_ = 0;
};

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_CHECK_CHECK_TOPICS_H_
