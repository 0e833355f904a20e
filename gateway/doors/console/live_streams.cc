#include "gateway/doors/console/live_streams.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "gateway/doors/grpc/drain_signal.h"
#include "gateway/doors/json/rest_error.h"

namespace bellwire::gateway {
namespace {

std::string EndEvent(const absl::Status& why) {
  if (why.ok()) return "event: end\ndata: {}\n\n";
  return absl::StrCat("event: end\ndata: ", ErrorToJson(why, HttpStatusOf(why)), "\n\n");
}

absl::Status Goes() { return ShuttingDown("Open the stream again."); }

}  // namespace

// One stream. All of it is on the loop's thread.
class LiveStreams::Stream final : public std::enable_shared_from_this<Stream> {
  using Task = absl::AnyInvocable<void(Stream* stream) &&>;

  // Runs a task on the loop's thread, from any: if the stream and the loop are still there.
  auto Poster() {
    return [weak = weak_from_this(), queue = all_->loop_->post_queue()](Task task) {
      queue->Post([weak, task = std::move(task)]() mutable {
        if (const std::shared_ptr<Stream> stream = weak.lock()) std::move(task)(stream.get());
      });
    };
  }

 public:
  Stream(LiveStreams* all, std::shared_ptr<const void> place,
         std::shared_ptr<http::ReplyStream> reply, std::unique_ptr<LiveSource> source)
      : all_(all),
        place_(std::move(place)),
        reply_(std::move(reply)),
        source_(std::move(source)),
        timer_(all->loop_->NewTimer([this] { Ask(); })),
        spoke_at_(all->clock_->Monotonic()) {}

  void Start() {
    reply_->OnClosed(
        [post = Poster()]() mutable { post([](Stream* stream) { stream->Remove(); }); });
    // So that the client knows that it is heard.
    Write(":\n\n", absl::ZeroDuration());
  }

  void End(const absl::Status& why) {
    if (ended_) return;
    ended_ = true;
    timer_->Cancel();
    end_ = EndEvent(why);
    if (!writing_) WriteEnd();
  }

 private:
  void Ask() {
    source_->Ask([post = Poster(), counted = all_->asked_.Take()](
                     absl::StatusOr<LiveSource::Answer> answer) mutable {
      post([answer = std::move(answer)](Stream* stream) mutable {
        stream->OnAnswer(std::move(answer));
      });
    });
  }

  void OnAnswer(absl::StatusOr<LiveSource::Answer> answer) {
    if (ended_) return;
    if (!answer.ok()) return End(answer.status());
    last_ = answer->last;
    if (!answer->data.empty()) {
      return Write(absl::StrCat("data: ", answer->data, "\n\n"), source_->interval());
    }
    if (last_) return End(absl::OkStatus());
    if (all_->clock_->Monotonic() - spoke_at_ >= kLiveSilence) {
      return Write(":\n\n", source_->interval());
    }
    timer_->Arm(source_->interval());
  }

  // And asks again after `then_wait`.
  void Write(std::string bytes, absl::Duration then_wait) {
    writing_ = true;
    spoke_at_ = all_->clock_->Monotonic();
    reply_->Write(std::move(bytes), [post = Poster(), then_wait](bool ok) mutable {
      post([ok, then_wait](Stream* stream) { stream->OnWritten(ok, then_wait); });
    });
  }

  void OnWritten(bool ok, absl::Duration then_wait) {
    writing_ = false;
    if (!ok) return Remove();
    if (ended_) return WriteEnd();
    if (last_) return End(absl::OkStatus());
    timer_->Arm(then_wait);
  }

  void WriteEnd() {
    reply_->Write(std::move(end_), [reply = reply_](bool) { reply->End(); });
    Remove();
  }

  // The last that it does.
  void Remove() {
    ended_ = true;
    timer_->Cancel();
    const std::shared_ptr<Stream> self = shared_from_this();
    all_->streams_.erase(self);
    // Its timer may be what calls.
    all_->loop_->DeleteLater(std::make_unique<std::shared_ptr<Stream>>(self));
  }

  LiveStreams* const all_;
  const std::shared_ptr<const void> place_;
  const std::shared_ptr<http::ReplyStream> reply_;
  const std::unique_ptr<LiveSource> source_;
  const std::unique_ptr<net::Timer> timer_;
  MonotonicTime spoke_at_;
  bool writing_ = false;
  // The source has said its last.
  bool last_ = false;
  bool ended_ = false;
  std::string end_;
};

LiveStreams::LiveStreams(const Clock* clock)
    : clock_(clock),
      loop_(std::make_unique<net::EpollLoop>(clock)),
      thread_([this] { loop_->Run(); }) {}

LiveStreams::~LiveStreams() { Stop(); }

void LiveStreams::Stop() {
  if (!thread_.joinable()) return;
  loop_->Stop();
  thread_.join();
  streams_.clear();
  // Drops what was posted: streams that have not begun.
  loop_.reset();
  asked_.AwaitNone();
}

void LiveStreams::Start(http::Responder responder, std::unique_ptr<LiveSource> source) {
  const absl::Status full =
      WithRetryAfter(MakeError(absl::StatusCode::kResourceExhausted, "OVERLOADED",
                               absl::StrCat("The console has ", kMaxLiveStreams,
                                            " live streams already: close pages that show some.")),
                     kLiveSilence);
  if (places_->fetch_add(1) >= kMaxLiveStreams) {
    places_->fetch_sub(1);
    return responder.Send(ErrorReply(full));
  }
  std::shared_ptr<const void> place(places_.get(),
                                    [places = places_](const void*) { places->fetch_sub(1); });
  std::shared_ptr<http::ReplyStream> reply =
      responder.Stream(200, {{"content-type", "text/event-stream"},
                             {"cache-control", "no-store"},
                             {"x-content-type-options", "nosniff"}});
  // What can't be posted goes, and the answer is cut off.
  loop_->Post([this, place = std::move(place), reply = std::move(reply),
               source = std::move(source)]() mutable {
    const auto stream =
        std::make_shared<Stream>(this, std::move(place), std::move(reply), std::move(source));
    streams_.insert(stream);
    if (draining_) return stream->End(Goes());
    stream->Start();
  });
}

void LiveStreams::Drain() {
  loop_->Post([this] {
    draining_ = true;
    const std::vector<std::shared_ptr<Stream>> all(streams_.begin(), streams_.end());
    for (const std::shared_ptr<Stream>& stream : all) stream->End(Goes());
  });
}

}  // namespace bellwire::gateway
