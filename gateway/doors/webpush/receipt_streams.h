#ifndef BELLWIRE_GATEWAY_DOORS_WEBPUSH_RECEIPT_STREAMS_H_
#define BELLWIRE_GATEWAY_DOORS_WEBPUSH_RECEIPT_STREAMS_H_

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "bellwire/push/v1/push.pb.h"
#include "common/clock.h"
#include "gateway/doors/http/whole_body.h"
#include "gateway/send/message_calls.h"

namespace bellwire::webpush {

// The HTTP status by which RFC 8030, 6.3 tells of a message: 204, the user agent has acknowledged
// it; 410, it ended otherwise. 0: it has not ended.
int ReceiptStatus(const push::v1::GetMessageResponse& message);

// The receipts of one message that `message` has beyond the first `seen`, as server-sent events:
//
//   event: receipt
//   id: 1
//   data: {"step":"STORED","time":"2026-01-01T00:00:00.123Z"}
//
// The last one says {"status":204} (ReceiptStatus) beside.
std::string ReceiptEvents(const push::v1::GetMessageResponse& message, int seen);

// Tells the readers of receipt resources what becomes of their messages, as server-sent events or
// by a server push, until each message has ended. Subscriptions have no feed that could tell, so it
// asks the registry: soon at first, then at greater intervals.
//
// Thread-safe.
class ReceiptStreams {
 public:
  struct Options {
    // Not owned; they outlive the streams.
    const gateway::MessageCalls* calls = nullptr;
    const Clock* clock = nullptr;
    // How a receipt resource answers a GET once nothing more is waited for.
    std::function<http::Reply(const absl::StatusOr<push::v1::GetMessageResponse>&)> answer;
    // When a stream is asked about, after its start: doubled each time.
    absl::Duration first_interval = absl::Seconds(1);
    // Also how long a stream may be without a byte, so that nobody in between takes it for dead.
    absl::Duration max_interval = absl::Seconds(15);
    // All of a gateway's.
    size_t max_streams = 1024;
  };

  explicit ReceiptStreams(const Options& options);
  // Ends the streams.
  ~ReceiptStreams();
  ReceiptStreams(const ReceiptStreams&) = delete;
  ReceiptStreams& operator=(const ReceiptStreams&) = delete;

  // Answers with the events of `message`, and goes on if it has not ended. `name`: how to ask for
  // it. False: there is no room for another stream, and nothing was done.
  bool Add(push::v1::GetMessageRequest name, const push::v1::GetMessageResponse& message,
           http::Responder* responder);

  // Waits until the message has ended, then promises a GET of `path`, the message's resource, and
  // answers that by ReceiptStatus (RFC 8030, 6.3). The request itself is answered after that, by
  // Options::answer; and after `patience` without a push. Otherwise as Add.
  bool AddPush(push::v1::GetMessageRequest name, const push::v1::GetMessageResponse& message,
               std::string path, std::optional<absl::Duration> patience,
               http::Responder* responder);

 private:
  struct Stream {
    push::v1::GetMessageRequest name;
    // Of events; null: it is told by a push.
    std::shared_ptr<http::ReplyStream> reply;
    // Receipts that were told.
    int seen = 0;
    // Of a push.
    std::optional<http::Responder> owed;
    std::string path;
    std::optional<MonotonicTime> until;

    absl::Duration interval;
    bool over = false;
  };

  void Run();
  bool TakeRoom();
  void TellEvents(const std::shared_ptr<Stream>& stream,
                  const absl::StatusOr<push::v1::GetMessageResponse>& message);
  void TellPush(const std::shared_ptr<Stream>& stream,
                const absl::StatusOr<push::v1::GetMessageResponse>& message);
  void Ask(const std::shared_ptr<Stream>& stream);
  // Puts it back among those that wait, unless it is over.
  void Wait(const std::shared_ptr<Stream>& stream);

  const Options options_;
  absl::Mutex mutex_;
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
  size_t streams_ ABSL_GUARDED_BY(mutex_) = 0;
  // By when they are asked about next.
  std::multimap<MonotonicTime, std::shared_ptr<Stream>> waiting_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace bellwire::webpush

#endif  // BELLWIRE_GATEWAY_DOORS_WEBPUSH_RECEIPT_STREAMS_H_
