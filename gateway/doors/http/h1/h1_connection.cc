#include "gateway/doors/http/h1/h1_connection.h"

#include <algorithm>
#include <boost/beast/http/status.hpp>
#include <cassert>
#include <optional>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/limits.h"
#include "gateway/doors/http/exchange_account.h"

namespace bellwire::http {
namespace {

constexpr int kRequestTimeout = 408;
constexpr int kInternal = 500;
constexpr int kUnavailable = 503;
constexpr int kNoContent = 204;
constexpr int kNotModified = 304;
constexpr absl::string_view kLineEnd = "\r\n";

MonotonicTime Never() { return MonotonicTime::FromNanoseconds(INT64_MAX); }

absl::string_view Reason(int status) {
  const boost::beast::string_view text = boost::beast::http::obsolete_reason(
      boost::beast::http::int_to_status(static_cast<unsigned>(status)));
  return absl::string_view(text.data(), text.size());
}

// What no door may say, since we do.
bool IsOurs(absl::string_view name) {
  return name == "connection" || name == "keep-alive" || name == "transfer-encoding" ||
         name == "date";
}

// A field that would end early, and begin another.
bool MaySplit(absl::string_view text) {
  return text.find_first_of(absl::string_view("\r\n\0", 3)) != absl::string_view::npos;
}

void AppendField(absl::string_view name, absl::string_view value, std::string* out) {
  absl::StrAppend(out, name, ": ", value, "\r\n");
}

}  // namespace

class H1Connection::H1Exchange final : public Exchange {
 public:
  H1Exchange(H1Connection* connection, RequestHead head)
      : connection_(connection),
        head_(std::move(head)),
        account_(connection->environment_.memory, connection->environment_.peer,
                 connection->environment_.proxy),
        is_http_1_0_(connection->reader_.is_http_1_0()),
        has_request_body_(connection->reader_.has_body()),
        is_head_(head_.method == "HEAD") {
    account_.Identify(head_.headers);
  }
  ~H1Exchange() = default;

  // --- Exchange ---

  const RequestHead& head() const override { return head_; }
  const std::string& peer() const override { return account_.peer(); }
  const std::shared_ptr<CallThread>& thread() const override {
    return connection_->environment_.thread;
  }
  MonotonicTime now() const override { return connection_->environment_.clock->Monotonic(); }

  void Consume(size_t bytes) override {
    assert(bytes <= unconsumed_);
    unconsumed_ -= bytes;
    account_.Remove(bytes);
    connection_->Changed();
  }
  void AllowPauses(bool allow) override {
    if (!allow) RestartBodyClock();
    pauses_allowed_ = allow;
    connection_->Changed();
  }
  bool Charge(size_t bytes) override { return account_.Add(bytes); }
  void Discharge(size_t bytes) override { account_.Remove(bytes); }

  void Respond(int status, absl::Span<const HeaderView> headers) override {
    if (responded_ || cut_) return;
    WriteHead(status, headers, /*has_body=*/true);
  }
  void RespondOnly(int status, absl::Span<const HeaderView> headers) override {
    if (responded_ || cut_) return;
    WriteHead(status, headers, /*has_body=*/false);
    ended_ = true;
    ended_at_ = now();
    connection_->Changed();
  }
  void Write(absl::string_view data) override {
    if (!responded_ || ended_ || cut_ || data.empty() || !has_body_) return;
    if (!chunked_ && left_.has_value()) {
      // A door that announced less than it writes: its client must not take the rest for an answer.
      data = data.substr(0, static_cast<size_t>(std::min<uint64_t>(data.size(), *left_)));
      *left_ -= data.size();
    }
    std::string chunk = chunked_ ? absl::StrCat(absl::Hex(data.size()), "\r\n") : std::string();
    const size_t written = data.size() + (chunked_ ? chunk.size() + kLineEnd.size() : 0);
    if (!account_.Add(written)) {
      // The peer has not taken what it was answered before. A short answer costs no more than its
      // request.
      if (buffered_bytes() + written > kHttpRequestBytes) {
        cut_ = true;
        return connection_->CutOff("takes_no_answers");
      }
      account_.AddAnyway(written);
    }
    out_charged_ += written;
    connection_->out_.Append(chunk);
    connection_->out_.Append(data);
    if (chunked_) connection_->out_.Append(kLineEnd);
    if (buffered_bytes() >= kHttpStreamBufferBytes) connection_->was_full_ = true;
    connection_->Changed();
  }
  size_t buffered_bytes() const override { return connection_->out_.size() - connection_->taking_; }
  void End(absl::Span<const HeaderView> trailers) override {
    if (!responded_ || ended_ || cut_) return;
    ended_ = true;
    ended_at_ = now();
    if (has_body_ && chunked_) {
      std::string last = "0\r\n";
      for (const auto& [name, value] : trailers) {
        if (!MaySplit(name) && !MaySplit(value)) AppendField(name, value, &last);
      }
      last.append("\r\n");
      connection_->out_.Append(last);
    }
    // What was announced doesn't come: only the connection's end can tell.
    if (has_body_ && left_.value_or(0) > 0) connection_->CutOff("short_answer");
    connection_->Changed();
  }
  void Reset(ResetReason reason) override {
    if (answered()) return;
    if (!responded_ && reason != ResetReason::kCancel) {
      return RespondOnly(reason == ResetReason::kRefused ? kUnavailable : kInternal,
                         {{"connection", "close"}});
    }
    cut_ = true;
    connection_->CutOff("");
  }
  void SetDeadline(MonotonicTime deadline) override {
    deadline_ = deadline;
    connection_->Changed();
  }

  // --- For the connection. ---

  bool answered() const { return ended_ || cut_; }
  bool responded() const { return responded_; }
  bool remote_ended() const { return remote_ended_; }
  // Nothing of it can be read any more; the answer goes out, and was the last.
  void AbandonBody() {
    remote_ended_ = true;
    connection_->close_ = true;
  }
  bool full() const { return unconsumed_ >= static_cast<size_t>(kHttpStreamWindowBytes); }
  // Nothing is to come of it, and the rest of its body may be left.
  bool over(MonotonicTime now) const {
    return ended_ && (remote_ended_ || waits_for_continue_ || now >= ended_at_ + kH1DiscardTime);
  }

  void OnBody(absl::string_view data) {
    waits_for_continue_ = false;
    body_bytes_ += data.size();
    if (answered()) return;
    timed_bytes_ += data.size();
    if (!account_.Add(data.size())) return TimeOut(ExchangeHandler::Timeout::kNoMemory);
    if (handler_ == nullptr) return account_.Remove(data.size());
    unconsumed_ += data.size();
    handler_->OnBody(data);
  }
  void OnBodyEnd() {
    remote_ended_ = true;
    waits_for_continue_ = false;
    if (handler_ != nullptr && !answered()) handler_->OnBodyEnd();
  }

  void RestartBodyClock() {
    body_since_ = now();
    timed_bytes_ = 0;
  }
  // When something must be done about it, unless something else happens first.
  MonotonicTime Deadline() const {
    if (cut_) return Never();
    if (ended_) return remote_ended_ ? Never() : ended_at_ + kH1DiscardTime;
    MonotonicTime deadline = deadline_;
    if (!remote_ended_ && !pauses_allowed_) {
      const absl::Duration earned =
          absl::Seconds(1) * (static_cast<double>(timed_bytes_) / kHttpBodyBytesPerSecond);
      deadline = std::min(deadline, body_since_ + kHttpBodyGrace + earned);
    }
    return deadline;
  }
  // REQUIRES: Deadline() has come.
  void OnDue(MonotonicTime now) {
    if (answered()) return;
    if (now >= deadline_) return TimeOut(ExchangeHandler::Timeout::kDeadline);
    // It isn't the peer that is slow as long as we don't take what came.
    if (unconsumed_ >= static_cast<size_t>(kHttpStreamWindowBytes) / 2) return RestartBodyClock();
    TimeOut(ExchangeHandler::Timeout::kSlowBody);
  }
  void TimeOut(ExchangeHandler::Timeout why) {
    if (handler_ != nullptr && !answered()) handler_->OnTimeout(why);
    if (!answered()) Reset(ResetReason::kCancel);
  }
  // So many bytes of the answer are on their way.
  void OnTaken(size_t bytes) {
    const size_t charged = std::min(bytes, out_charged_);
    account_.Remove(charged);
    out_charged_ -= charged;
  }

  // Null: nobody wants to hear of it.
  std::unique_ptr<ExchangeHandler> handler_;
  // The client sends its body when it is told to.
  bool waits_for_continue_ = false;

 private:
  void WriteHead(int status, absl::Span<const HeaderView> headers, bool has_body) {
    responded_ = true;
    H1Connection& connection = *connection_;
    std::string out = absl::StrCat("HTTP/1.1 ", status, " ", Reason(status), "\r\n");
    bool has_length = false;
    for (const auto& [name, value] : headers) {
      if (MaySplit(name) || MaySplit(value)) continue;
      if (name == "connection" && value == "close") connection.close_ = true;
      if (IsOurs(name)) continue;
      if (name == "content-length") {
        uint64_t length = 0;
        has_length = absl::SimpleAtoi(value, &length);
        if (!has_length) continue;
        if (has_body) left_ = length;
      }
      AppendField(name, value, &out);
    }
    const bool may_have_body = status >= 200 && status != kNoContent && status != kNotModified;
    has_body_ = has_body && may_have_body && !is_head_;
    if (may_have_body && !has_length && !is_head_) {
      if (!has_body_) {
        AppendField("content-length", "0", &out);
      } else if (!is_http_1_0_) {
        chunked_ = true;
        AppendField("transfer-encoding", "chunked", &out);
      } else {
        connection.close_ = true;  // Its end is the answer's end.
      }
    }
    AppendField("date",
                absl::FormatTime("%a, %d %b %Y %H:%M:%S GMT",
                                 connection.environment_.clock->WallNow(), absl::UTCTimeZone()),
                &out);
    if (connection.draining_ || !RestIsShort()) connection.close_ = true;
    if (connection.close_) {
      AppendField("connection", "close", &out);
    } else if (is_http_1_0_) {
      AppendField("connection", "keep-alive", &out);
    }
    out.append("\r\n");
    account_.AddAnyway(out.size());
    out_charged_ += out.size();
    connection.out_.Append(out);
    connection.Changed();
  }

  // Of the request's body: whether it is worth reading for the sake of the next request.
  bool RestIsShort() const {
    if (!has_request_body_ || remote_ended_) return true;
    if (waits_for_continue_ || !head_.content_length.has_value()) return false;
    return *head_.content_length - body_bytes_ <= kMaxH1DiscardBytes;
  }

  H1Connection* const connection_;
  const RequestHead head_;
  ExchangeAccount account_;
  const bool is_http_1_0_;
  const bool has_request_body_;
  const bool is_head_;

  // The request.
  bool remote_ended_ = false;
  bool pauses_allowed_ = false;
  size_t unconsumed_ = 0;
  uint64_t body_bytes_ = 0;
  // For its rate: since when, and what came since.
  MonotonicTime body_since_ = now();
  uint64_t timed_bytes_ = 0;
  MonotonicTime deadline_ = Never();

  // The answer.
  bool responded_ = false;
  bool has_body_ = false;
  bool chunked_ = false;
  bool ended_ = false;
  bool cut_ = false;
  MonotonicTime ended_at_;
  // Of what content-length announced.
  std::optional<uint64_t> left_;
  size_t out_charged_ = 0;
};

H1Connection::H1Connection(Environment environment, Host* host)
    : environment_(std::move(environment)),
      host_(host),
      reader_(environment_.scheme),
      now_(environment_.clock->Monotonic()),
      idle_since_(now_) {}

H1Connection::~H1Connection() {
  busy_ = true;
  if (exchange_ != nullptr && exchange_->handler_ != nullptr) exchange_->handler_->OnClosed();
  exchange_.reset();
  environment_.memory->Remove(buffer_charged_);
}

// --- Input. ---

bool H1Connection::MayProcess() const {
  if (closing_ || failed_) return false;
  if (exchange_ == nullptr) return !close_;
  // The next request waits until this one has its answer.
  return !exchange_->remote_ended() && !exchange_->full();
}

bool H1Connection::wants_input() const {
  if (closing_ || failed_) return true;  // To be dropped.
  // While an exchange runs, one read's bytes of the next request: so that its end is seen too.
  return MayProcess() || reader_.buffered_bytes() == 0;
}

size_t H1Connection::Receive(absl::string_view bytes) {
  if (closing_ || failed_) return bytes.size();
  if (!wants_input()) return 0;
  now_ = environment_.clock->Monotonic();
  busy_ = true;
  reader_.Feed(bytes);
  ChargeBuffer();
  Process();
  busy_ = false;
  return bytes.size();
}

void H1Connection::ChargeBuffer() {
  if (closing_ || failed_) return;
  const size_t bytes = reader_.buffered_bytes();
  if (bytes > buffer_charged_) {
    if (!environment_.memory->Add(bytes - buffer_charged_)) {
      return Refuse(kUnavailable, "too many bytes of requests wait here", "no_memory");
    }
  } else {
    environment_.memory->Remove(buffer_charged_ - bytes);
  }
  buffer_charged_ = bytes;
}

void H1Connection::Process() {
  while (MayProcess()) {
    switch (reader_.Next()) {
      case H1Reader::Event::kMore:
        if (reader_.in_head() && !std::exchange(head_begun_, true)) head_since_ = now_;
        return ChargeBuffer();
      case H1Reader::Event::kHead:
        head_begun_ = false;
        Open();
        break;
      case H1Reader::Event::kBody:
        exchange_->OnBody(reader_.body());
        break;
      case H1Reader::Event::kEnd:
        exchange_->OnBodyEnd();
        break;
      case H1Reader::Event::kError:
        return Refuse(reader_.error_status(), reader_.error(), "malformed");
    }
  }
  ChargeBuffer();
}

void H1Connection::Open() {
  served_ = true;
  if (!reader_.keep_alive()) close_ = true;
  exchange_ = std::make_unique<H1Exchange>(this, reader_.take_head());
  H1Exchange& exchange = *exchange_;
  size_t head_bytes = kHttpRequestBytes;
  for (const Header& header : exchange.head().headers) {
    head_bytes += header.name.size() + header.value.size();
  }
  if (!exchange.Charge(head_bytes)) {
    return exchange.RespondOnly(kUnavailable, {{"retry-after", "1"}, {"connection", "close"}});
  }
  exchange.waits_for_continue_ = reader_.expects_continue();
  for (Door* const door : *environment_.doors) {
    if (!door->Matches(exchange.head())) continue;
    exchange.handler_ = door->Open(&exchange);
    if (exchange.handler_ == nullptr && !exchange.answered()) {
      exchange.Reset(Exchange::ResetReason::kInternalError);
    }
    if (exchange.waits_for_continue_ && !exchange.responded() && !exchange.answered()) {
      exchange.waits_for_continue_ = false;
      out_.Append("HTTP/1.1 100 Continue\r\n\r\n");
    }
    return;
  }
  AnswerUnmatched(&exchange);
}

void H1Connection::Refuse(int status, absl::string_view why, const char* end_reason) {
  end_reason_ = end_reason;
  if (exchange_ != nullptr) {
    if (exchange_->answered()) return exchange_->AbandonBody();
    if (exchange_->responded()) return CutOff(end_reason);
    if (exchange_->handler_ != nullptr) exchange_->handler_->OnClosed();
    exchange_.reset();
  }
  const std::string body = absl::StrCat("This request has ", why, ".\n");
  out_.Append(absl::StrCat("HTTP/1.1 ", status, " ", Reason(status),
                           "\r\ncontent-type: text/plain\r\ncontent-length: ", body.size(),
                           "\r\nconnection: close\r\n\r\n", body));
  CloseSoon();
}

void H1Connection::CloseSoon() {
  closing_ = true;
  Changed();
}

void H1Connection::CutOff(const char* end_reason) {
  failed_ = true;
  end_reason_ = end_reason;
  Changed();
}

// --- Output. ---

absl::string_view H1Connection::TakeOutput() {
  busy_ = true;
  now_ = environment_.clock->Monotonic();
  if (taking_ > 0) {
    const size_t taken = std::exchange(taking_, 0);
    out_.Take(taken);
    if (exchange_ != nullptr) exchange_->OnTaken(taken);
  }
  if (was_full_ && out_.size() < kHttpStreamBufferBytes / 2) {
    was_full_ = false;
    drained_ = true;
  }
  while (!failed_ && out_.empty() && exchange_ != nullptr && exchange_->over(now_)) {
    FinishExchange();
  }
  // It may have been full, and was emptied.
  if (!failed_) Process();
  busy_ = false;
  if (failed_ || out_.empty()) {
    changed_ = false;
    return absl::string_view();
  }
  taking_ = out_.size();
  return out_.data();
}

void H1Connection::FinishExchange() {
  const bool complete = exchange_->remote_ended();
  const std::unique_ptr<H1Exchange> gone = std::move(exchange_);
  if (gone->handler_ != nullptr) gone->handler_->OnClosed();
  was_full_ = drained_ = false;
  idle_since_ = now_;
  if (close_ || draining_ || !complete) return CloseSoon();
  if (reader_.buffered_bytes() > 0) head_since_ = now_;
  Process();
}

void H1Connection::NotifyDrained() {
  if (!std::exchange(drained_, false) || exchange_ == nullptr) return;
  if (exchange_->handler_ != nullptr && !exchange_->answered()) exchange_->handler_->OnDrained();
}

bool H1Connection::done() const {
  return failed_ || (closing_ && exchange_ == nullptr && out_.size() == taking_);
}

void H1Connection::Changed() {
  if (busy_ || std::exchange(changed_, true)) return;
  host_->OnChanged();
}

// --- Time. ---

MonotonicTime H1Connection::IdleDeadline() const {
  if (head_begun_) return head_since_ + kH1HeadTimeout;
  return idle_since_ + (served_ ? kH1IdleTimeout : kHttpFirstRequestTimeout);
}

MonotonicTime H1Connection::next_deadline() const {
  MonotonicTime deadline = Never();
  if (blocked_) deadline = std::min(deadline, blocked_at_ + kHttpWriteStall);
  if (closing_ || failed_) return deadline;
  if (exchange_ == nullptr) return std::min(deadline, IdleDeadline());
  // TakeOutput sees to what is answered once that is on its way.
  if (exchange_->answered() && !out_.empty()) return deadline;
  return std::min(deadline, exchange_->Deadline());
}

void H1Connection::OnTimer() {
  now_ = environment_.clock->Monotonic();
  busy_ = true;
  if (blocked_ && now_ >= blocked_at_ + kHttpWriteStall) {
    CutOff("reads_nothing");
  } else if (closing_ || failed_) {
    // It is on its way.
  } else if (exchange_ != nullptr) {
    // TakeOutput ends what is over.
    if (now_ >= exchange_->Deadline()) exchange_->OnDue(now_);
  } else if (now_ >= IdleDeadline()) {
    if (head_begun_) {
      Refuse(kRequestTimeout, "not come in time", "slow_head");
    } else {
      CloseSoon();
    }
  }
  busy_ = false;
}

void H1Connection::SetBlocked(bool blocked) {
  if (blocked == blocked_) return;
  blocked_ = blocked;
  if (blocked) blocked_at_ = environment_.clock->Monotonic();
}

// --- The end. ---

void H1Connection::Drain() {
  if (draining_) return;
  draining_ = true;
  // A request whose first bytes are here is served yet.
  if (exchange_ == nullptr && reader_.buffered_bytes() == 0) CloseSoon();
}

void H1Connection::EndExchanges() {
  draining_ = true;
  if (failed_ || closing_) return;
  now_ = environment_.clock->Monotonic();
  busy_ = true;
  if (exchange_ != nullptr) {
    exchange_->TimeOut(ExchangeHandler::Timeout::kShutdown);
    close_ = true;
  } else {
    closing_ = true;
  }
  busy_ = false;
  Changed();
}

}  // namespace bellwire::http
