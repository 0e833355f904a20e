#ifndef BELLWIRE_REGISTRY_CHECK_CHECK_DEVICE_H_
#define BELLWIRE_REGISTRY_CHECK_CHECK_DEVICE_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "bellwire/internal/v1/internal.pb.h"
#include "bellwire/storage/v1/storage.pb.h"
#include "common/ids.h"
#include "registry/check/check.h"
#include "registry/engine/kv_engine.h"
#include "registry/keys/keys.h"

namespace bellwire::registry {

// Registrations that have ended and still have topics.
using EndingTopics = std::set<std::pair<DeviceId, uint64_t>>;

// Whether the records of one device fit to each other. Takes them one by one, in any order, and
// judges when all are there. Not thread-safe.
class DeviceCheck {
 public:
  // Reads the lives, and looks into the timeline and the teams, through `reader`. What it finds for
  // `ending` must have an entry in the timeline. All outlive it.
  DeviceCheck(const DeviceId& device, const KvReader* reader, CheckReport* report,
              EndingTopics* ending)
      : device_(device), reader_(*reader), report_(*report), ending_(*ending) {}

  // A record of Family::kDevices. REQUIRES: the key begins with the device's id and has a kind.
  void Take(absl::string_view key, absl::string_view value);
  // After the last one. Once.
  void Judge();

 private:
  // A message or gap notice, without its payload.
  struct Mail {
    internal::v1::Envelope envelope;
    std::string content_hash;
  };

  void TakeLives();
  void TakeMessage(absl::string_view rest, absl::string_view value, bool scheduled);
  void TakeLife(absl::string_view key, absl::string_view value);

  void JudgeDevice();
  void JudgeApps();
  void JudgeSubscriptions();
  void JudgeTopics();
  // That the device's entry of its name leads to a living registration, and what it says of its
  // app.
  void JudgeApp(uint64_t id, const storage::v1::Registration& registration);
  void JudgeSubscription(uint64_t id, const storage::v1::Registration& registration);
  void JudgeRegistration(uint64_t id, const storage::v1::Registration& registration);
  void JudgeWake(uint64_t id, const storage::v1::Registration& registration);
  void JudgePending(uint64_t id, const storage::v1::Registration& registration);
  void JudgeMail(uint64_t seq, const Mail& mail);
  void JudgeScheduled(const MessageRef& ref, const Mail& mail);
  void JudgeNowOrNever(uint64_t seq, const MessageRef& ref);
  void JudgeRecall(const MessageRef& ref, uint64_t seq);
  void JudgeLife(const MessageRef& ref, const storage::v1::MessageLife& life);
  void JudgeReceipts(const std::string& where, const storage::v1::MessageLife& life);
  // Of a message that holds a place: what its registration lists and its life says of it.
  void JudgePlace(const std::string& where, const MessageRef& ref, const Mail& mail,
                  storage::v1::MessageLife::Place place);

  bool InTimeline(TimelineEntry entry) const;
  void Problem(absl::string_view where, std::string what);
  // "device 00…, message 00…-…": for a person.
  std::string NameOf(const MessageRef& ref) const;
  static std::string NameOf(uint64_t registration_id);

  const DeviceId device_;
  const KvReader& reader_;
  CheckReport& report_;
  EndingTopics& ending_;

  std::optional<storage::v1::Device> record_;
  std::map<std::string, uint64_t> apps_;
  struct NamedSubscription {
    uint64_t registration_id = 0;
    std::string owner;
  };
  // By instance.
  std::map<std::string, NamedSubscription> subscriptions_;
  std::map<uint64_t, storage::v1::Registration> registrations_;
  // By registration.
  std::map<uint64_t, std::set<std::string>> topics_;
  std::map<uint64_t, Mail> mail_;
  std::map<MessageRef, Mail> scheduled_;
  std::map<uint64_t, MessageRef> now_or_never_;
  std::map<MessageRef, storage::v1::MessageLife> lives_;
  // The numbers that recall notices name.
  std::map<MessageRef, uint64_t> recalls_;
  // What registrations list, by number and by message: how often.
  std::map<uint64_t, size_t> pending_seqs_;
  std::map<MessageRef, size_t> pending_scheduled_;
  // Those that wait and that registrations say to have a life.
  std::set<MessageRef> waiting_lives_;
};

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_CHECK_CHECK_DEVICE_H_
