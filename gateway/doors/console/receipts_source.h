#ifndef BELLWIRE_GATEWAY_DOORS_CONSOLE_RECEIPTS_SOURCE_H_
#define BELLWIRE_GATEWAY_DOORS_CONSOLE_RECEIPTS_SOURCE_H_

#include <cstddef>
#include <memory>
#include <string>
#include <utility>

#include "absl/time/time.h"
#include "common/clock.h"
#include "gateway/call/method_table.h"
#include "gateway/doors/console/live_sources.h"
#include "gateway/doors/console/live_streams.h"
#include "gateway/doors/http/call_thread.h"

namespace bellwire::gateway {

// A page gets at most so many receipts in one event. With kReceiptsInterval this bounds what a page
// costs, however much its team sends: 320 receipts a second.
inline constexpr size_t kMaxReceiptsAtOnce = 64;
inline constexpr absl::Duration kReceiptsInterval = absl::Milliseconds(200);
// Turns that the service takes for one event: it reads from the registry in each, however little
// there is.
inline constexpr int kReceiptTurnsAtOnce = 4;
// A page that is behind by more than this goes on from now, and is told that some were left out.
inline constexpr absl::Duration kMaxReceiptsLag = absl::Seconds(3);

// The receipts of a team, as SupportService/WatchReceipts tells them:
//
//   {"receipts":[...],"cursor":"...","left_out":true}
//
// `cursor` is where a new stream goes on. `left_out`, if it is there: what came right after these
// is left out, and what follows is from then on.
class ReceiptsSource final : public LiveSource {
 public:
  struct Options {
    std::string team_id;
    // Empty: from now on.
    std::string cursor;
    // Of the client, for logs.
    std::string peer;
    // Where the service takes its turns.
    std::shared_ptr<http::CallThread> thread;
    // Not owned; they outlive the source and its calls.
    const MethodTable* methods = nullptr;
    const Clock* clock = nullptr;
    StillLoggedIn still_logged_in;
    // Held until the source's calls are over, which may be later than the source.
    std::shared_ptr<const void> counted;
  };

  explicit ReceiptsSource(Options options) : options_(std::move(options)) {}
  // Ends the call.
  ~ReceiptsSource() override;

  void Ask(Then then) override;
  absl::Duration interval() const override { return kReceiptsInterval; }

 private:
  class Call;

  const Options options_;
  std::shared_ptr<Call> call_;
  // The first call begins at Options::cursor, others now.
  bool begun_ = false;
};

}  // namespace bellwire::gateway

#endif  // BELLWIRE_GATEWAY_DOORS_CONSOLE_RECEIPTS_SOURCE_H_
