#ifndef BELLWIRE_REGISTRY_CHECK_CHECK_H_
#define BELLWIRE_REGISTRY_CHECK_CHECK_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/strings/string_view.h"
#include "registry/engine/kv_engine.h"

// Whether the records of a store are what docs/reference/registry_format.md says, and fit to each
// other. Below it, registry/check/store_check.h looks at the files.
namespace bellwire::registry {

// What a record is, as the report counts it. In the order of the report.
enum class RecordKind : uint8_t {
  kDevice,
  kInstalledApp,
  kSubscription,
  kRegistration,
  kMessage,
  kGapNotice,
  kScheduled,
  kNowOrNever,
  kRecallNotice,
  kLife,
  kTimeline,
  kOutbox,
  kFeed,
  kFeedBlock,
  kTeam,
  kApp,
  kKey,
  kName,
  kNetworkSlot,
  kEnrolment,
  kDeviceCount,
  kQuota,
  kTopicSubscription,
  kSubscriber,
  kTopic,
  kTopicMessage,
  kDeletion,
  kPayloadKeys,
  // Of a kind that this version does not know: a newer one may have left it, and it does no harm.
  kUnknown,
};
inline constexpr size_t kRecordKinds = static_cast<size_t>(RecordKind::kUnknown) + 1;
// "messages in mailboxes": for a person.
absl::string_view RecordKindName(RecordKind kind);

// Something that is not as it should be.
struct CheckProblem {
  // Which record or file.
  std::string where;
  // What is wrong with it.
  std::string what;
};

struct CheckReport {
  std::array<uint64_t, kRecordKinds> counts = {};
  // The first kMaxCheckProblems of them, in the order in which they were found.
  std::vector<CheckProblem> problems;
  // All of them.
  uint64_t problem_count = 0;

  uint64_t records() const;
  bool sound() const { return problem_count == 0; }
  void Count(RecordKind kind) { ++counts[static_cast<size_t>(kind)]; }
  void Add(std::string where, std::string what);
};

// Reads every record of `reader` and adds what it finds to `report`:
//   * each parses, and its key and its value say the same;
//   * the content of each message is the one that its life has the hash of;
//   * the records of a device fit to each other: the counts and numbers in its own record, apps and
//     registrations, what holds a place and where it lies, messages and their lives, gap notices,
//     recalls;
//   * the receipts of each life can follow on each other, and have one end at most;
//   * everything that will be due has its entry in the timeline, and every entry is about
//     something;
//   * every registration of an app has a team that is there: nothing is left of one that was
//     deleted;
//   * teams, apps, keys and their names belong together; a feed has no holes;
//   * what a registration is subscribed to and the subscribers of each topic are the same, and are
//     counted; a topic message has its fan-out.
// What can't be read is a problem like others; the check goes on with what can.
//
// Memory: that of the largest device's records without their payloads. `progress` is called now and
// then with the number of records read so far. Changes nothing. Not thread-safe.
void CheckRecords(const KvReader& reader, absl::FunctionRef<void(uint64_t records)> progress,
                  CheckReport* report);
// The same of one partition of a store that goes on meanwhile. What partitions are only together,
// such as the number of devices, is not judged.
void CheckPart(const KvReader& reader, absl::FunctionRef<void(uint64_t records)> progress,
               CheckReport* report);

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_CHECK_CHECK_H_
