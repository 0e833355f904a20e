#ifndef BELLWIRE_REGISTRY_NETWORKS_NETWORK_POOL_H_
#define BELLWIRE_REGISTRY_NETWORKS_NETWORK_POOL_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "bellwire/storage/v1/storage.pb.h"
#include "common/ids.h"
#include "registry/engine/overlay.h"
#include "registry/server/store.h"

namespace bellwire::registry {

// What devices learned about networks, pooled (docs/internals/heartbeat.md): each has one vote on
// each network, and a newcomer is hinted a low median of the votes of others, so that it takes half
// of the voters to move a hint. Anonymous: a vote has no device in it, only a digest that tells
// voters apart.
//
// A table of kNetworkSlots slots with kMaxNetworksPerSlot places each: nothing a device says makes
// it grow beyond that. In a full slot a network of which too few have told for a hint gives way
// first.

// Tells the voters of one network apart.
uint64_t NetworkVoterOf(const NetworkId& network, const DeviceId& device);

// What others than `voter` learned on the network; zero: fewer than kMinHintVotes of them told,
// within kNetworkVoteRetention. Pure.
absl::Duration NetworkHint(const storage::v1::NetworkSlot& slot, const NetworkId& network,
                           uint64_t voter, int64_t now_ms);
// Notes the vote, and lets go of what is too old. False: nothing is worth writing: the vote is
// there already, or there is no room for it. Pure.
bool AddNetworkVote(storage::v1::NetworkSlot* slot, const NetworkId& network, uint64_t voter,
                    absl::Duration interval, int64_t now_ms);

// Store::ReportNetwork: reads, and mostly does not write, the record of one slot. Staged in the
// overlay.
absl::StatusOr<absl::Duration> ReportNetwork(Overlay* overlay, const DeviceId& device,
                                             const NetworkReport& report, int64_t now_ms);

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_NETWORKS_NETWORK_POOL_H_
