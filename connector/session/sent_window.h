#ifndef BELLWIRE_CONNECTOR_SESSION_SENT_WINDOW_H_
#define BELLWIRE_CONNECTOR_SESSION_SENT_WINDOW_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/functional/function_ref.h"
#include "bellwire/device/v1/device.pb.h"
#include "bellwire/internal/v1/internal.pb.h"
#include "common/limits.h"
#include "connector/session/gauge.h"
#include "connector/session/idle_vector.h"

namespace bellwire::connector {

// What one session has sent and not got off its hands: an entry is born when a push or gap is
// written, acknowledged by the device, handed to the registry, and gone when the registry has it.
// It is what bounds a session: bytes count until the device acknowledges, entries until the
// registry has taken the acknowledgement, so a registry that is away closes the window rather than
// growing a list.
//
// Once all sessions of a connector have kMaxBytesInFlight together, each has one message at a time.
// So devices that take nothing cost that much, and not a window each.
//
// Thread-compatible. Holds no heap memory while empty.
class SentWindow {
 public:
  // A thousand full windows.
  static constexpr int64_t kMaxBytesInFlight = int64_t{64} * 1024 * 1024;

  // `bytes_in_flight` counts the bytes of all sessions; must outlive this object.
  explicit SentWindow(Gauge* bytes_in_flight) : unacked_bytes_(bytes_in_flight) {}

  // Room for one more message that waits its turn …
  bool HasRoom(size_t payload_bytes) const;
  // … and for a now-or-never one (kMaxNowOrNeverInFlight).
  bool HasRoomForNowOrNever() const { return now_or_never_ < kMaxNowOrNeverInFlight; }
  // Whether a pull may bring something: one more message fits, whatever its size. Never more than
  // that is asked for, because a device need not acknowledge anything before it gets what there is
  // room for.
  bool HasRoomForPage() const { return HasRoom(kMaxPayloadBytes); }
  // The room left, for a page: never zero if HasRoomForPage().
  uint32_t free_bytes() const;
  uint32_t free_messages() const;

  void Add(uint64_t seq, size_t payload_bytes, int64_t sent_at_ms, bool now_or_never);
  // Whether `seq` was sent and the device has not acknowledged it.
  bool IsUnacked(uint64_t seq) const;
  // The now-or-never ones of which the device has said nothing.
  std::vector<uint64_t> UnackedNowOrNever() const;

  // The device acknowledges. `on_acked` hears of each seq for the first time only; what was not
  // sent in this session is ignored. REQUIRES: the ranges are valid (first <= last).
  void Acknowledge(const device::v1::Ack& ack,
                   absl::FunctionRef<void(uint64_t seq, bool now_or_never)> on_acked);

  // Whether the device acknowledged something that the registry was not told.
  bool HasNews() const { return news_ > 0; }
  // Moves the news into `items`: told, but not taken.
  void TellRegistry(google::protobuf::RepeatedPtrField<internal::v1::AckRequest::Item>* items);
  // The registry answered: it has what it was told …
  void RegistryTook();
  // … or does not: it is news again.
  void RegistryFailed();

  // Called in steps of kReportSentAfter: appends what has been unacknowledged for at least one
  // whole step and was not reported yet. True while there is something left to look at in a further
  // step.
  bool ReportSlow(google::protobuf::RepeatedPtrField<internal::v1::AckRequest::Item>* items);

  bool empty() const { return entries_.empty(); }
  size_t size() const { return entries_.size(); }
  int64_t unacked_bytes() const { return unacked_bytes_.amount(); }

 private:
  // Whether all sessions together have as much as they may.
  bool Scarce() const { return unacked_bytes_.total() >= kMaxBytesInFlight; }

  enum class Progress : uint8_t { kUnacked, kAcked, kTold };
  enum class Report : uint8_t { kFresh, kAged, kDone };
  struct Entry {
    uint64_t seq;
    int64_t sent_at_ms;
    uint32_t bytes;
    Progress progress;
    Report report;
    bool now_or_never;
    // Sent in its turn: `up_to_seq` of an Ack speaks for it.
    bool in_turn;
  };

  // In the order of sending.
  IdleVector<Entry> entries_;
  GaugeShare unacked_bytes_;
  // The greatest that was sent in this session, now-or-never ones aside.
  uint64_t greatest_seq_ = 0;
  // Of entries_: now-or-never ones, and those in kAcked.
  uint32_t now_or_never_ = 0;
  uint32_t news_ = 0;
};

}  // namespace bellwire::connector

#endif  // BELLWIRE_CONNECTOR_SESSION_SENT_WINDOW_H_
