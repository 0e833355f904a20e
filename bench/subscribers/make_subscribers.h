#ifndef BELLWIRE_BENCH_SUBSCRIBERS_MAKE_SUBSCRIBERS_H_
#define BELLWIRE_BENCH_SUBSCRIBERS_MAKE_SUBSCRIBERS_H_

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "common/clock.h"
#include "common/ids.h"

// Fills the store of a registry with devices that have one app each, subscribed to one topic, for
// benches that need more devices than agents can be run. The program make-subscribers calls it:
//
//   bellwire serve --data_dir DIR           # stopped: the store is opened by one process at a time
//   make-subscribers --data_dir DIR --team TEAM_ID --app com.example.news --topic news --count
//   1000000
//   bellwire registry check --data_dir DIR  # finds nothing wrong
//
// Makes the team and the app if they do not exist. Such a team has no key; `bellwire key create`
// makes one. The devices never log in, since nobody has their keys, so messages wait in their
// mailboxes. A second run with another --first adds devices. With the same --first it subscribes
// the same devices to its --topic.
namespace bellwire::bench {

struct SubscribersWanted {
  // DATA_DIR/registry; made if it does not exist.
  std::string store;
  std::string team_id;
  std::string app_id;
  std::string topic;
  // Devices `first` to `first + count - 1`.
  uint64_t first = 0;
  uint64_t count = 0;
};

// The n-th device. Spread over all ids, so that the store sees what real ones do to it.
DeviceId SubscriberDevice(uint64_t n);

// Makes them; `progress` is told how many there are, now and then. Memory: that of some thousands.
// Errors: those of the store (registry/server/store.h), STORE_LOCKED if a server runs on it.
absl::Status MakeSubscribers(const SubscribersWanted& wanted, const Clock& clock,
                             const std::function<void(uint64_t made)>& progress);

}  // namespace bellwire::bench

#endif  // BELLWIRE_BENCH_SUBSCRIBERS_MAKE_SUBSCRIBERS_H_
