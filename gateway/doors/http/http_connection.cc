#include "gateway/doors/http/http_connection.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/limits.h"
#include "net/tls/tls_context.h"

namespace bellwire::http {
namespace {

// How HTTP/2 begins (RFC 9113, 3.4), as far as no request of HTTP/1 does.
constexpr absl::string_view kHttp2Opening = "PRI ";

constexpr absl::string_view kHttp1Body =
    "This port serves HTTP/2 only, such as gRPC. Use a client that speaks HTTP/2 over TLS.\n";

}  // namespace

HttpConnection::HttpConnection(const Shared* shared, uint64_t id,
                               std::unique_ptr<net::Stream> stream, const net::PeerKey& peer,
                               std::unique_ptr<FairShares::Member> place)
    : shared_(shared),
      id_(id),
      peer_(peer),
      stream_(std::move(stream)),
      place_(std::move(place)),
      memory_(shared->memory, peer),
      timer_(shared->loop->NewTimer([this] { OnTimer(); })),
      timer_at_(shared->loop->clock().Monotonic() + kHttpHandshakeTimeout),
      more_(shared->loop, [this](uint32_t) { Flush(); }) {
  memory_.AddAnyway(kHttpConnectionBytes);
  stream_->SetDelegate(this);
  timer_->Arm(kHttpHandshakeTimeout);
}

void HttpConnection::OnOpen() {
  const std::string alpn = stream_->alpn();
  if (alpn == net::kAlpnHttp2) {
    StartHttp2();
    Flush();
  } else if (alpn == net::kAlpnHttp1) {
    protocol_ = Protocol::kHttp1;
  }
}

void HttpConnection::OnData(absl::string_view data) {
  if (ended_) return;
  if (protocol_ == Protocol::kUnknown) return Recognise(data);
  if (protocol_ == Protocol::kHttp1) return RefuseHttp1();
  Feed(data);
}

void HttpConnection::Recognise(absl::string_view data) {
  pending_.append(data.data(), data.size());
  const size_t known = std::min(pending_.size(), kHttp2Opening.size());
  if (pending_.compare(0, known, std::string(kHttp2Opening.substr(0, known))) != 0) {
    return RefuseHttp1();
  }
  if (known < kHttp2Opening.size()) return;
  StartHttp2();
  Feed(std::exchange(pending_, std::string()));
}

void HttpConnection::StartHttp2() {
  protocol_ = Protocol::kHttp2;
  http2_ =
      std::make_unique<H2Connection>(H2Connection::Environment{.clock = &shared_->loop->clock(),
                                                               .doors = shared_->doors,
                                                               .memory = &memory_,
                                                               .thread = shared_->thread,
                                                               .peer = stream_->peer_name()},
                                     this);
}

void HttpConnection::RefuseHttp1() {
  stream_->Write(absl::StrCat("HTTP/1.1 505 HTTP Version Not Supported\r\n",
                              "content-type: text/plain\r\ncontent-length: ", kHttp1Body.size(),
                              "\r\nconnection: close\r\n\r\n", kHttp1Body));
  End("http1");
}

void HttpConnection::Feed(absl::string_view data) {
  const absl::Duration began = ThreadCpuTime();
  const size_t taken = http2_->Receive(data);
  SettleOnce();
  Flush();
  if (ended_) return;
  const bool within = shared_->thread->turns()->Charge(&used_, ThreadCpuTime() - began);
  if (taken < data.size()) pending_.assign(data.data() + taken, data.size() - taken);
  if (taken < data.size() || !within) StandInLine();
}

void HttpConnection::StandInLine() {
  stream_->PauseReading();
  place_in_line_ = shared_->thread->Stand([this] { OnTurn(); });
}

void HttpConnection::OnTurn() {
  place_in_line_ = 0;
  if (!pending_.empty()) Feed(std::exchange(pending_, std::string()));
  if (!ended_ && place_in_line_ == 0) stream_->ResumeReading();
}

void HttpConnection::SettleOnce() {
  if (settled_ || !http2_->served()) return;
  settled_ = true;
  shared_->owner->Settle(this);
}

void HttpConnection::Flush() {
  if (ended_ || http2_ == nullptr) return;
  flushing_ = true;
  size_t budget = kMaxHttpBytesPerTurn;
  while (stream_->buffered_bytes() < kHttpWriteBufferBytes) {
    const absl::string_view output = http2_->TakeOutput();
    if (output.empty()) break;
    stream_->Write(output);
    if (output.size() >= budget) {
      more_.Wake();
      break;
    }
    budget -= output.size();
  }
  // What they write leaves in the next turn.
  http2_->NotifyDrained();
  http2_->SetBlocked(stream_->buffered_bytes() > 0);
  flushing_ = false;
  if (http2_->done()) return End(http2_->end_reason());
  ArmTimer();
}

void HttpConnection::OnDrained() {
  if (ended_ || http2_ == nullptr) return;
  // Else one that is always busy would seem to take nothing.
  http2_->SetBlocked(false);
  Flush();
}

void HttpConnection::OnChanged() {
  if (ended_) return;
  if (flushing_) {
    more_.Wake();
  } else {
    shared_->owner->FlushSoon(this);
  }
}

void HttpConnection::OnTimer() {
  if (ended_) return;
  if (http2_ == nullptr) return End("no_request");
  http2_->OnTimer();
  timer_at_ = MonotonicTime::FromNanoseconds(INT64_MAX);
  Flush();
}

void HttpConnection::ArmTimer() {
  const MonotonicTime at = http2_->next_deadline();
  // One that fires too early finds nothing to do and looks again.
  if (timer_->armed() && timer_at_ <= at) return;
  timer_at_ = at;
  timer_->Arm(std::max(absl::ZeroDuration(), at - shared_->loop->clock().Monotonic()));
}

void HttpConnection::Drain() {
  if (ended_) return;
  // Nothing was asked for yet.
  if (http2_ == nullptr) return Close();
  http2_->Drain();
  Flush();
}

void HttpConnection::EndExchanges() {
  if (ended_) return;
  if (http2_ == nullptr) return Close();
  http2_->EndExchanges();
  Flush();
}

void HttpConnection::Close() { End(""); }

void HttpConnection::OnClosed(const absl::Status& status) {
  const bool in_handshake = protocol_ == Protocol::kUnknown && !status.ok();
  End(in_handshake ? ErrorReason(status) : "");
}

void HttpConnection::End(absl::string_view reason) {
  if (std::exchange(ended_, true)) return;
  timer_->Cancel();
  shared_->thread->turns()->Leave(place_in_line_);
  stream_->Close();
  shared_->owner->Remove(this, reason);
}

}  // namespace bellwire::http
