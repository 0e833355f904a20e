#ifndef BELLWIRE_REGISTRY_QUOTAS_QUOTA_BOOK_H_
#define BELLWIRE_REGISTRY_QUOTAS_QUOTA_BOOK_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/node_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "bellwire/admin/v1/admin.pb.h"
#include "bellwire/storage/v1/storage.pb.h"
#include "common/clock.h"
#include "ops/metrics/counter.h"
#include "ops/metrics/samples.h"
#include "registry/engine/overlay.h"
#include "registry/keys/feeds.h"
#include "registry/quotas/limits.h"
#include "registry/quotas/rate.h"

namespace bellwire::registry {

// Apps and teams whose quotas are kept in memory, some 300 bytes each: those of a full server.
// Beyond it all of them are read again.
inline constexpr size_t kMaxKnownQuotas = 64 * 1024;
// A stream of receipts that asked for nothing so long has ended: three times its longest wait.
inline constexpr absl::Duration kReceiptStreamLease = absl::Seconds(15);
// The least that a sender of too many messages a second is asked to wait. It is refused at its
// gateway meanwhile, and loses nothing: one second's worth may come at once.
inline constexpr absl::Duration kMinQuotaRetryAfter = absl::Milliseconds(100);

// Judges what teams, apps, tokens and subscriptions may use. All messages of a server pass the one
// writer, so that what it counts is exact however many gateways there are.
//
// What waits and what was sent today are counted here and, by the outbox, in records of each team
// (quota_records.h): they survive a restart. Rates and streams are kept in memory alone.
//
// Registries that share a store count for themselves, each its own devices, and add what the others
// have counted as of some seconds ago (kOthersAge). Of a rate each may use what the others leave,
// and its share in any case. What a token may send is exact: it has one registry.
//
// The team of subscriptions, which have none, is "". Not thread-safe, but for Report.
class QuotaBook {
 public:
  struct Options {
    // Not owned; outlives the book.
    const Clock* clock = nullptr;
    // Room on the store's disk. nullopt: nobody knows. May be empty.
    std::function<std::optional<uint64_t>()> free_bytes;
    // Where everybody counts.
    Feeds feeds;
    // Where registries share the store: the part of all devices that this one owns, in [0, 1].
    // Then what the others count is read again from time to time. Empty: there are no others.
    std::function<double()> share;
  };
  // How old the others' numbers may be; with many teams they are older, so that reading them takes
  // a twentieth of the writer's time at most.
  static constexpr absl::Duration kOthersAge = absl::Seconds(5);

  // A message that somebody wants to send.
  struct Message {
    // As Pending.bytes. 0: it is not going to wait.
    uint32_t bytes = 0;
    // It comes from a topic message, which was counted: it has a pace of its own.
    bool of_fan_out = false;
  };

  // Reads records through `staged`, which outlives the book.
  QuotaBook(Overlay* staged, Options options);

  // Whether the records of this team were read.
  bool Knows(absl::string_view team_id) const;
  // Reads them. REQUIRES: the outbox is relayed to its end, that of this batch too.
  absl::Status Learn(absl::string_view team_id);
  // The records may be others now: they are read again. Rates and streams stay.
  void Forget();
  void Forget(absl::string_view team_id);

  // Whether a message may be sent to this registration. REQUIRES, here and below: Knows its team.
  // `token` names it on the whole server.
  //   RESOURCE_EXHAUSTED QUOTA_EXCEEDED with RetryInfo, and metadata `quota` (the field of
  //   admin.v1.Quota) and `quota_of` (QuotaKindName)
  absl::Status Admit(const storage::v1::Registration& registration, absl::string_view token,
                     const Message& message);
  // It was sent.
  void Take(const storage::v1::Registration& registration, absl::string_view token,
            const Message& message);
  // Whether the registration has to count the messages of its days.
  bool CountsDaysOf(const storage::v1::Registration& registration) const;
  // The same for a topic message, which counts once for its team, whoever gets it.
  absl::Status AdmitTopicMessage(absl::string_view team_id);
  // Stages it.
  absl::Status TakeTopicMessage(absl::string_view team_id);
  // Whether a team that has so many topics may have one more. QUOTA_EXCEEDED
  absl::Status AdmitTopic(absl::string_view team_id, uint64_t topics);
  // A stream of receipts of the team asks, or has ended. QUOTA_EXCEEDED: it is one too many.
  absl::Status NoteStream(absl::string_view team_id, uint64_t stream, bool ended);

  // What a transaction puts into the outbox.
  void Note(const storage::v1::Outbox& outbox);

  // As CatalogueApi. `app_ids`: the team's, in their order; `topics`: how many it has.
  absl::StatusOr<admin::v1::GetQuotaResponse> Get(absl::string_view team_id,
                                                  const std::vector<std::string>& app_ids,
                                                  uint64_t topics);
  // Of the server as a whole. REQUIRES: Knows("").
  absl::StatusOr<admin::v1::GetQuotaResponse> GetServer();

  // Thread-safe.
  void Report(metrics::Samples* samples) const;

 private:
  struct Use {
    int64_t bytes_waiting = 0;
    uint32_t day = 0;
    int64_t messages = 0;
  };
  // Somebody whom a limit is set for, and who is counted.
  struct Subject {
    Limits limits;
    // Of all registries.
    Use use;
    Rate rate;
    int64_t refused = 0;
    // Of the other registries; and how many messages a second they have taken lately, unless it is
    // too early to tell.
    Use others;
    std::optional<double> others_rate;
  };
  struct App : Subject {
    // Of each of its tokens.
    Limits token;
  };
  struct Team : Subject {
    bool known = false;
    MonotonicTime learned_at;
    MonotonicTime known_until;
    // Of each token of an app that has no limits of its own; of "": of each subscription.
    Limits token;
    // By app id. Those that were never seen have `app_limits`.
    absl::node_hash_map<std::string, App> apps;
    Limits app_limits;
    absl::flat_hash_map<uint64_t, MonotonicTime> streams;
  };
  using Kind = admin::v1::QuotaSubject::Kind;
  // What is told to whom it is too much.
  struct Refusal {
    Kind kind;
    absl::string_view field;
    int64_t limit;
    absl::Duration retry_after;
  };

  // Adds the record of a feed to a sum.
  void AddUse(const storage::v1::Usage& usage, bool other, Subject* subject) const;
  // Sums up the records of all feeds.
  absl::Status ReadUse(absl::string_view team_id, Team* team);
  // What this registry may take of a rate.
  int64_t RateOf(const Subject& subject) const;
  Team& TeamOf(absl::string_view team_id);
  const Team* FindTeam(absl::string_view team_id) const;
  App& AppOf(Team* team, absl::string_view app_id);
  const Limits& TokenLimits(const Team& team, const storage::v1::Registration& registration) const;
  // nullopt: it may.
  std::optional<Refusal> Judge(const Subject& subject, Kind kind, const Message& message) const;
  std::optional<Refusal> JudgeToken(const Limits& limits,
                                    const storage::v1::Registration& registration,
                                    absl::string_view token, const Message& message) const;
  int64_t BytesLimit(const Limits& limits) const;
  static absl::Duration RetryAfter(absl::Duration wait);
  absl::Duration UntilTomorrow() const;
  absl::Status Refuse(const Refusal& refusal, Subject* subject);
  uint32_t Today() const;
  int64_t MessagesToday(const Use& use) const;
  void DropIdleTokens();
  admin::v1::QuotaReport ReportOf(Kind kind, absl::string_view id, const admin::v1::Quota& set,
                                  const Limits& holds) const;
  void FillUsage(const Subject& subject, admin::v1::QuotaReport* report) const;

  Overlay* const staged_;
  const Options options_;
  absl::node_hash_map<std::string, Team> teams_;
  // Teams and apps.
  size_t known_ = 0;
  // Of tokens with a limit of messages a second.
  absl::flat_hash_map<std::string, Rate> tokens_;
  // When so many are in it, those that are idle go.
  size_t drop_tokens_at_ = 1024;
  // What Learn takes, on average.
  absl::Duration learn_time_;
  // Room on the disk, as it was then.
  mutable std::optional<uint64_t> free_bytes_;
  mutable std::optional<MonotonicTime> free_bytes_at_;
  std::array<metrics::Counter, admin::v1::QuotaSubject::Kind_ARRAYSIZE> refused_;
};

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_QUOTAS_QUOTA_BOOK_H_
