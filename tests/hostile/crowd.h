#ifndef BELLWIRE_TESTS_HOSTILE_CROWD_H_
#define BELLWIRE_TESTS_HOSTILE_CROWD_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "tests/support/fleet.h"

// Crowds of made-up devices and of teams that overdo it, for tests of whole servers. Their threads
// have a low priority (nice), so that on one machine the server has the processor that it would
// have to itself if they came over a network.
namespace bellwire::tests {

struct DeviceCrowd {
  // How many there are, from how many addresses (127.x.y.z), on how many threads.
  int devices = 0;
  int addresses = 1;
  int threads = 4;
};

struct DeviceCrowdReport {
  int64_t let_in = 0;
  // GoAway(NO_NEW_DEVICES).
  int64_t turned_away = 0;
  // Refused otherwise, or no connection.
  int64_t other = 0;
  absl::Duration took;
};

// Each device has a new key, makes one whole TLS handshake and login, and is gone. Blocks.
DeviceCrowdReport RunDeviceCrowd(const Fleet& fleet, const DeviceCrowd& crowd);

struct TeamCrowdReport {
  int64_t offered = 0;
  int64_t accepted = 0;
  // QUOTA_EXCEEDED, and MAILBOX_FULL.
  int64_t over_quota = 0;
  // OVERLOADED.
  int64_t overloaded = 0;
  // Calls with made-up credentials, and how many of them were refused for it.
  int64_t made_up = 0;
  int64_t made_up_refused = 0;
  // None of these; and what the last one was answered.
  int64_t other = 0;
  std::string last_error;
  absl::Duration took;
};

// Teams with an app, a key and one device token each, whose devices never come to fetch. Not
// thread-safe.
class TeamCrowd {
 public:
  // Through the admin API and the device port of `fleet`, which outlives it.
  static absl::StatusOr<std::unique_ptr<TeamCrowd>> Make(const Fleet& fleet, int teams);

  // Each team sends `batches` batches of 100 messages of 1,000 bytes to its token, and as many
  // calls with a credential that was made up. Blocks.
  TeamCrowdReport Abuse(int batches, int threads) const;

  size_t size() const { return teams_.size(); }

 private:
  struct Team {
    std::string app_id;
    std::string token;
    // "Bearer JWT", of its key, and of a key that there is not.
    std::string authorization;
    std::string made_up;
  };

  explicit TeamCrowd(const Fleet& fleet) : fleet_(fleet) {}

  const Fleet& fleet_;
  std::vector<Team> teams_;
};

}  // namespace bellwire::tests

#endif  // BELLWIRE_TESTS_HOSTILE_CROWD_H_
