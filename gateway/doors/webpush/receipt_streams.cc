#include "gateway/doors/webpush/receipt_streams.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "gateway/send/sender.h"
#include "google/protobuf/util/time_util.h"

namespace bellwire::webpush {

using google::protobuf::util::TimeUtil;
using push::v1::GetMessageResponse;

namespace {

// The message is forgotten, or its subscription tells no more.
bool ToldNoMore(const absl::Status& status) {
  return absl::IsNotFound(status) || absl::IsPermissionDenied(status);
}

}  // namespace

int ReceiptStatus(const GetMessageResponse& message) {
  if (!message.terminal()) return 0;
  return message.state() == push::v1::APP_ACKED ? 204 : 410;
}

std::string ReceiptEvents(const GetMessageResponse& message, int seen) {
  std::string events;
  for (int i = seen; i < message.receipts_size(); ++i) {
    const push::v1::Receipt& receipt = message.receipts(i);
    // Names of steps and times need no escapes.
    absl::StrAppend(&events, "event: receipt\nid: ", i, "\ndata: {\"step\":\"",
                    push::v1::Step_Name(receipt.step()), "\",\"time\":\"",
                    TimeUtil::ToString(receipt.time()), "\"");
    if (message.terminal() && i + 1 == message.receipts_size()) {
      absl::StrAppend(&events, ",\"status\":", ReceiptStatus(message));
    }
    absl::StrAppend(&events, "}\n\n");
  }
  return events;
}

ReceiptStreams::ReceiptStreams(const Options& options)
    : options_(options), thread_([this] { Run(); }) {}

ReceiptStreams::~ReceiptStreams() {
  {
    absl::MutexLock lock(&mutex_);
    ending_ = true;
  }
  thread_.join();
  // Those that are being asked about end with their answers.
  const auto none = [this]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return streams_ == 0; };
  absl::MutexLock lock(&mutex_);
  streams_ -= waiting_.size();
  waiting_.clear();
  mutex_.Await(absl::Condition(&none));
}

bool ReceiptStreams::TakeRoom() {
  absl::MutexLock lock(&mutex_);
  if (ending_ || streams_ >= options_.max_streams) return false;
  ++streams_;
  return true;
}

bool ReceiptStreams::AddPush(push::v1::GetMessageRequest name, const GetMessageResponse& message,
                             std::string path, std::optional<absl::Duration> patience,
                             http::Responder* responder) {
  if (!TakeRoom()) return false;
  auto stream = std::make_shared<Stream>();
  stream->name = std::move(name);
  stream->interval = options_.first_interval;
  stream->owed.emplace(std::move(*responder));
  stream->path = std::move(path);
  if (patience.has_value()) stream->until = options_.clock->Monotonic() + *patience;
  TellPush(stream, message);
  return true;
}

bool ReceiptStreams::Add(push::v1::GetMessageRequest name, const GetMessageResponse& message,
                         http::Responder* responder) {
  if (!TakeRoom()) return false;
  auto stream = std::make_shared<Stream>();
  stream->name = std::move(name);
  stream->interval = options_.first_interval;
  stream->seen = message.receipts_size();
  stream->reply = responder->Stream(200, {{"content-type", "text/event-stream"},
                                          {"cache-control", "no-store"},
                                          {"access-control-allow-origin", "*"}});
  stream->over = message.terminal();
  stream->reply->Write(ReceiptEvents(message, 0), [this, stream](bool ok) {
    stream->over |= !ok;
    Wait(stream);
  });
  return true;
}

void ReceiptStreams::Wait(const std::shared_ptr<Stream>& stream) {
  if (stream->over && stream->reply != nullptr) stream->reply->End();
  absl::MutexLock lock(&mutex_);
  if (stream->over || ending_) {
    --streams_;
    return;
  }
  MonotonicTime next = options_.clock->Monotonic() + stream->interval;
  if (stream->until.has_value()) next = std::min(next, *stream->until);
  waiting_.emplace(next, stream);
  stream->interval = std::min(2 * stream->interval, options_.max_interval);
}

void ReceiptStreams::Run() {
  const auto ending = [this]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return ending_; };
  while (true) {
    std::vector<std::shared_ptr<Stream>> due;
    {
      absl::MutexLock lock(&mutex_);
      // The first interval is the shortest: nothing is due before it that was not before.
      if (mutex_.AwaitWithTimeout(absl::Condition(&ending), options_.first_interval)) return;
      const auto end = waiting_.upper_bound(options_.clock->Monotonic());
      for (auto it = waiting_.begin(); it != end; ++it) due.push_back(std::move(it->second));
      waiting_.erase(waiting_.begin(), end);
    }
    for (const std::shared_ptr<Stream>& stream : due) Ask(stream);
  }
}

void ReceiptStreams::Ask(const std::shared_ptr<Stream>& stream) {
  options_.calls->GetMessage(gateway::Sender::ToSubscription("", stream->name.token()),
                             stream->name,
                             [this, stream](const absl::StatusOr<GetMessageResponse>& message) {
                               if (stream->reply != nullptr) return TellEvents(stream, message);
                               TellPush(stream, message);
                             });
}

void ReceiptStreams::TellEvents(const std::shared_ptr<Stream>& stream,
                                const absl::StatusOr<GetMessageResponse>& message) {
  std::string events;
  if (message.ok()) {
    events = ReceiptEvents(*message, stream->seen);
    stream->seen = std::max(stream->seen, message->receipts_size());
    stream->over = message->terminal();
  } else {
    stream->over = ToldNoMore(message.status());
  }
  // A comment, where there is no news.
  if (events.empty()) events = ":\n\n";
  stream->reply->Write(std::move(events), [this, stream](bool ok) {
    stream->over |= !ok;
    Wait(stream);
  });
}

void ReceiptStreams::TellPush(const std::shared_ptr<Stream>& stream,
                              const absl::StatusOr<GetMessageResponse>& message) {
  const int status = message.ok() ? ReceiptStatus(*message) : 0;
  const bool patient = !stream->until.has_value() || options_.clock->Monotonic() < *stream->until;
  if (stream->owed->over()) {
    stream->over = true;
  } else if (status != 0 || ToldNoMore(message.status()) || !patient) {
    if (status != 0) stream->owed->Push(stream->path, status);
    stream->owed->Send(options_.answer(message));
    stream->over = true;
  }
  Wait(stream);
}

}  // namespace bellwire::webpush
