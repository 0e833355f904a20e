#include "registry/networks/network_pool.h"

#include <openssl/sha.h>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/limits.h"
#include "common/status_macros.h"
#include "registry/engine/records.h"
#include "registry/keys/keys.h"

namespace bellwire::registry {
namespace {

using storage::v1::NetworkSlot;
using storage::v1::NetworkVote;
using storage::v1::PooledNetwork;

// Of a clock that was set back since: as if it were said now.
int64_t AgeMs(const NetworkVote& vote, int64_t now_ms) {
  return std::max<int64_t>(0, now_ms - vote.reported_at_ms());
}

bool IsCounted(const NetworkVote& vote, int64_t now_ms) {
  return AgeMs(vote, now_ms) < absl::ToInt64Milliseconds(kNetworkVoteRetention);
}

// Whether to write it once more, or to give its place away.
bool IsStale(const NetworkVote& vote, int64_t now_ms) {
  return AgeMs(vote, now_ms) >= absl::ToInt64Milliseconds(kNetworkVoteRefresh) ||
         vote.reported_at_ms() > now_ms;
}

template <typename Votes>
auto Oldest(Votes* votes) {
  return std::min_element(votes->begin(), votes->end(), [](const auto& a, const auto& b) {
    return a.reported_at_ms() < b.reported_at_ms();
  });
}

int64_t LatestMs(const PooledNetwork& network) {
  int64_t latest = 0;
  for (const NetworkVote& vote : network.votes()) latest = std::max(latest, vote.reported_at_ms());
  return latest;
}

bool CanHint(const PooledNetwork& network) {
  return static_cast<size_t>(network.votes_size()) >= kMinHintVotes;
}

void DropOld(NetworkSlot* slot, int64_t now_ms) {
  auto* networks = slot->mutable_networks();
  for (PooledNetwork& network : *networks) {
    auto* votes = network.mutable_votes();
    votes->erase(std::remove_if(votes->begin(), votes->end(),
                                [now_ms](const NetworkVote& v) { return !IsCounted(v, now_ms); }),
                 votes->end());
  }
  networks->erase(std::remove_if(networks->begin(), networks->end(),
                                 [](const PooledNetwork& n) { return n.votes().empty(); }),
                  networks->end());
}

// The network's place, made if there is room or somebody gives way; null if not.
PooledNetwork* PlaceFor(NetworkSlot* slot, const NetworkId& id, int64_t now_ms) {
  auto* networks = slot->mutable_networks();
  for (PooledNetwork& network : *networks) {
    if (network.network_id() == id.bytes()) return &network;
  }
  PooledNetwork* place = nullptr;
  if (static_cast<size_t>(networks->size()) < kMaxNetworksPerSlot) {
    place = networks->Add();
  } else {
    // Made-up ids are cheap: what several devices vouch for stays as long as they do.
    const auto loser = std::min_element(
        networks->begin(), networks->end(), [](const PooledNetwork& a, const PooledNetwork& b) {
          return CanHint(a) != CanHint(b) ? CanHint(b) : LatestMs(a) < LatestMs(b);
        });
    const bool in_use = CanHint(*loser) &&
                        now_ms - LatestMs(*loser) < absl::ToInt64Milliseconds(kNetworkVoteRefresh);
    if (in_use) return nullptr;
    place = &*loser;
    place->Clear();
  }
  place->set_network_id(std::string(id.bytes()));
  return place;
}

// Null: there is no room.
NetworkVote* VoteFor(PooledNetwork* network, uint64_t voter, int64_t now_ms) {
  auto* votes = network->mutable_votes();
  for (NetworkVote& vote : *votes) {
    if (vote.voter() == voter) return &vote;
  }
  if (static_cast<size_t>(votes->size()) < kMaxNetworkVotes) return votes->Add();
  // Not the oldest in any case: many made-up devices would push out the real ones.
  NetworkVote& oldest = *Oldest(votes);
  return IsStale(oldest, now_ms) ? &oldest : nullptr;
}

}  // namespace

uint64_t NetworkVoterOf(const NetworkId& network, const DeviceId& device) {
  const std::string text =
      absl::StrCat("bellwire network voter v1:", network.bytes(), device.bytes());
  uint8_t digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const uint8_t*>(text.data()), text.size(), digest);
  return ParseBigEndian64(absl::string_view(reinterpret_cast<const char*>(digest), 8));
}

absl::Duration NetworkHint(const NetworkSlot& slot, const NetworkId& network, uint64_t voter,
                           int64_t now_ms) {
  std::vector<uint32_t> said;
  for (const PooledNetwork& pooled : slot.networks()) {
    if (pooled.network_id() != network.bytes()) continue;
    for (const NetworkVote& vote : pooled.votes()) {
      if (vote.voter() != voter && IsCounted(vote, now_ms)) said.push_back(vote.interval_ms());
    }
  }
  if (said.size() < kMinHintVotes) return absl::ZeroDuration();
  std::sort(said.begin(), said.end());
  // Of an even number the lower one: a hint that is too long costs the newcomer a dead window.
  return absl::Milliseconds(said[(said.size() - 1) / 2]);
}

bool AddNetworkVote(NetworkSlot* slot, const NetworkId& network, uint64_t voter,
                    absl::Duration interval, int64_t now_ms) {
  DropOld(slot, now_ms);
  PooledNetwork* pooled = PlaceFor(slot, network, now_ms);
  if (pooled == nullptr) return false;
  NetworkVote* vote = VoteFor(pooled, voter, now_ms);
  if (vote == nullptr) return false;
  const auto interval_ms = static_cast<uint32_t>(absl::ToInt64Milliseconds(interval));
  if (vote->voter() == voter && vote->interval_ms() == interval_ms && !IsStale(*vote, now_ms)) {
    return false;
  }
  vote->set_voter(voter);
  vote->set_interval_ms(interval_ms);
  vote->set_reported_at_ms(now_ms);
  return true;
}

absl::StatusOr<absl::Duration> ReportNetwork(Overlay* overlay, const DeviceId& device,
                                             const NetworkReport& report, int64_t now_ms) {
  const std::string key = NetworkSlotKey(report.network);
  BELLWIRE_ASSIGN_OR_RETURN(std::optional<NetworkSlot> slot,
                            GetRecord<NetworkSlot>(*overlay, Family::kNames, key));
  if (!slot.has_value()) slot.emplace();
  const uint64_t voter = NetworkVoterOf(report.network, device);
  const absl::Duration hint = NetworkHint(*slot, report.network, voter, now_ms);
  if (report.interval > absl::ZeroDuration() &&
      AddNetworkVote(&*slot, report.network, voter, report.interval, now_ms)) {
    overlay->Put(Family::kNames, key, slot->SerializeAsString());
  }
  return hint;
}

}  // namespace bellwire::registry
