#include "gateway/doors/http/h2/h2_connection.h"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <optional>
#include <utility>

#include "absl/container/inlined_vector.h"
#include "absl/strings/str_cat.h"
#include "common/limits.h"
#include "gateway/doors/http/exchange_account.h"
#include "net/socket/write_buffer.h"

namespace bellwire::http {
namespace {

// What RFC 9113, 7 calls ENHANCE_YOUR_CALM.
constexpr uint32_t kEnhanceYourCalm = NGHTTP2_ENHANCE_YOUR_CALM;
// The payload of the PING whose answer says that the peer knows of the drain.
constexpr uint8_t kDrainPing[8] = {'d', 'r', 'a', 'i', 'n', 'i', 'n', 'g'};
// DATA frames that we send, each of which a peer may answer by updating two windows.
constexpr double kControlFramesPerDataFrame = 2;
constexpr size_t kMaxFieldsWithoutHeap = 12;
// For so long there is no request before a connection is drained in a pause: longer than a client
// takes to send the next of a batch once one of them is answered.
constexpr absl::Duration kPauseForDrain = absl::Milliseconds(250);

using FieldArray = absl::InlinedVector<nghttp2_nv, kMaxFieldsWithoutHeap>;

uint8_t* Bytes(absl::string_view text) {
  return reinterpret_cast<uint8_t*>(const_cast<char*>(text.data()));
}

nghttp2_nv Field(absl::string_view name, absl::string_view value) {
  return {Bytes(name), Bytes(value), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE};
}

MonotonicTime Never() { return MonotonicTime::FromNanoseconds(INT64_MAX); }

}  // namespace

// One exchange. It lives from the peer's HEADERS until nghttp2 closes the stream.
class H2Connection::Stream final : public Exchange {
 public:
  Stream(H2Connection* connection, int32_t id)
      : connection_(connection),
        id_(id),
        account_(connection->environment_.memory, connection->environment_.peer,
                 connection->environment_.proxy) {}
  ~Stream() = default;

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
    Discharge(bytes);
    nghttp2_session_consume(connection_->session_, id_, bytes);
    connection_->Changed();
  }

  void AllowPauses(bool allow) override {
    if (!allow) RestartBodyClock();
    pauses_allowed_ = allow;
    if (!allow) connection_->SetTimer(Deadline());
  }

  bool Charge(size_t bytes) override { return account_.Add(bytes); }
  void Discharge(size_t bytes) override { account_.Remove(bytes); }

  void Respond(int status, absl::Span<const HeaderView> headers) override {
    if (responded_ || reset_) return;
    responded_ = true;
    // Else one stream that always has something would hold up all others of its connection.
    const nghttp2_extpri fair = {.urgency = NGHTTP2_EXTPRI_DEFAULT_URGENCY, .inc = 1};
    nghttp2_session_change_extpri_stream_priority(connection_->session_, id_, &fair,
                                                  /*ignore_client_signal=*/1);
    nghttp2_data_provider body = {.source = {.ptr = this}, .read_callback = ReadBody};
    SubmitResponse(status, headers, &body);
  }

  void RespondOnly(int status, absl::Span<const HeaderView> headers) override {
    if (responded_ || reset_) return;
    responded_ = ended_ = true;
    EndedNow();
    SubmitResponse(status, headers, nullptr);
  }

  void Write(absl::string_view data) override {
    if (!responded_ || ended_ || reset_ || data.empty()) return;
    if (!account_.Add(data.size())) {
      // The peer has not taken what it was answered before. A short answer costs no more than its
      // request.
      if (out_.size() + data.size() > kHttpRequestBytes) return ResetWith(kEnhanceYourCalm);
      account_.AddAnyway(data.size());
    }
    out_.Append(data);
    if (out_.size() >= kHttpStreamBufferBytes) was_full_ = true;
    Resume();
  }

  size_t buffered_bytes() const override { return out_.size(); }

  void End(absl::Span<const HeaderView> trailers) override {
    if (!responded_ || ended_ || reset_) return;
    ended_ = true;
    EndedNow();
    trailers_.reserve(trailers.size());
    for (const auto& [name, value] : trailers) {
      trailers_.push_back({std::string(name), std::string(value)});
    }
    Resume();
  }

  void Reset(ResetReason reason) override {
    switch (reason) {
      case ResetReason::kCancel:
        return ResetWith(NGHTTP2_CANCEL);
      case ResetReason::kInternalError:
        return ResetWith(NGHTTP2_INTERNAL_ERROR);
      case ResetReason::kRefused:
        return ResetWith(NGHTTP2_REFUSED_STREAM);
    }
  }

  bool CanPush() const override { return connection_->MaxPushes() > 0; }

  bool Push(absl::string_view path, int status, absl::Span<const HeaderView> headers) override {
    if (ended_ || reset_ || head_.authority.empty()) return false;
    if (connection_->pushes_ >= connection_->MaxPushes()) return false;
    size_t bytes = path.size() + head_.scheme.size() + head_.authority.size();
    for (const auto& [name, value] : headers) bytes += name.size() + value.size();
    if (bytes > kHttpRequestBytes / 2) return false;
    if (!connection_->environment_.memory->Add(kHttpRequestBytes)) return false;
    const nghttp2_nv request[] = {Field(":method", "GET"), Field(":scheme", head_.scheme),
                                  Field(":authority", head_.authority), Field(":path", path)};
    const int32_t promised =
        nghttp2_submit_push_promise(connection_->session_, NGHTTP2_FLAG_NONE, id_, request,
                                    std::size(request), /*promised_stream_user_data=*/nullptr);
    if (promised < 0) {
      connection_->environment_.memory->Remove(kHttpRequestBytes);
      return false;
    }
    ++connection_->pushes_;
    SubmitResponseTo(promised, status, headers, nullptr);
    return true;
  }

  void SetDeadline(MonotonicTime deadline) override {
    deadline_ = deadline;
    connection_->SetTimer(deadline);
  }

  // --- For the connection. ---

  void ResetWith(uint32_t error) {
    if (reset_) return;
    reset_ = true;
    nghttp2_submit_rst_stream(connection_->session_, NGHTTP2_FLAG_NONE, id_, error);
    connection_->Changed();
  }

  bool answered() const { return ended_ || reset_; }

  // The answer is on its way, and the request has not ended: the rest of it is of no use (RFC 9113,
  // 8.1).
  void DiscardRest() {
    discards_until_ = connection_->now_ + kH2DiscardTime;
    connection_->SetTimer(Deadline());
    if (connection_->ending_) StopDiscarding();
  }
  void StopDiscarding() {
    if (discards_until_.has_value()) ResetWith(NGHTTP2_NO_ERROR);
  }

  void RestartBodyClock() {
    body_since_ = connection_->now_;
    timed_bytes_ = 0;
  }

  // When something must be done about this stream, unless something else happens first.
  MonotonicTime Deadline() const {
    if (reset_) return Never();
    if (ended_) return discards_until_.value_or(stalled_since_ + kHttpWriteStall);
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
    if (discards_until_.has_value()) return StopDiscarding();
    if (ended_) return ResetWith(NGHTTP2_CANCEL);
    if (now >= deadline_) return TimeOut(ExchangeHandler::Timeout::kDeadline);
    // It isn't the peer that is slow as long as we don't take what came.
    if (unconsumed_ >= static_cast<size_t>(kHttpStreamWindowBytes) / 2) return RestartBodyClock();
    TimeOut(ExchangeHandler::Timeout::kSlowBody);
  }

  void TimeOut(ExchangeHandler::Timeout why) {
    if (handler_ != nullptr && !answered()) handler_->OnTimeout(why);
    if (!answered()) ResetWith(NGHTTP2_CANCEL);
  }

  // Some of what was written, into a frame.
  ssize_t Read(uint8_t* buffer, size_t size, uint32_t* flags) {
    const size_t n = std::min(size, out_.size());
    if (n > 0) {
      memcpy(buffer, out_.data().data(), n);
      out_.Take(n);
      Discharge(n);
      stalled_since_ = connection_->now_;
    }
    if (was_full_ && out_.size() < kHttpStreamBufferBytes / 2) {
      was_full_ = false;
      drained_ = connection_->any_drained_ = true;
    }
    if (!out_.empty()) return static_cast<ssize_t>(n);
    if (ended_) {
      *flags |= NGHTTP2_DATA_FLAG_EOF;
      if (!trailers_.empty()) {
        *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
        FieldArray fields;
        for (const Header& trailer : trailers_) {
          fields.push_back(Field(trailer.name, trailer.value));
        }
        nghttp2_submit_trailer(connection_->session_, id_, fields.data(), fields.size());
      }
    } else if (n == 0) {
      deferred_ = true;
      return NGHTTP2_ERR_DEFERRED;
    }
    return static_cast<ssize_t>(n);
  }

  void EndedNow() {
    stalled_since_ = connection_->environment_.clock->Monotonic();
    connection_->SetTimer(Deadline());
  }

  void SubmitResponse(int status, absl::Span<const HeaderView> headers,
                      const nghttp2_data_provider* body) {
    SubmitResponseTo(id_, status, headers, body);
  }
  void SubmitResponseTo(int32_t stream_id, int status, absl::Span<const HeaderView> headers,
                        const nghttp2_data_provider* body) {
    const std::string status_text = absl::StrCat(status);
    FieldArray fields;
    fields.push_back(Field(":status", status_text));
    for (const auto& [name, value] : headers) fields.push_back(Field(name, value));
    nghttp2_submit_response(connection_->session_, stream_id, fields.data(), fields.size(), body);
    connection_->Changed();
  }

  void Resume() {
    if (!std::exchange(deferred_, false)) return;
    nghttp2_session_resume_data(connection_->session_, id_);
    connection_->Changed();
  }

  H2Connection* const connection_;
  const int32_t id_;
  ExchangeAccount account_;
  Streams::iterator self_;
  // Until the head is complete.
  std::unique_ptr<RequestHeadReader> reader_ = std::make_unique<RequestHeadReader>();
  RequestHead head_;
  // Null: nobody wants to hear of it.
  std::unique_ptr<ExchangeHandler> handler_;

  // The request.
  bool remote_ended_ = false;
  bool pauses_allowed_ = false;
  uint64_t body_bytes_ = 0;
  size_t unconsumed_ = 0;
  // For its rate: since when, and what came since.
  MonotonicTime body_since_ = connection_->now_;
  uint64_t timed_bytes_ = 0;
  MonotonicTime deadline_ = Never();

  // The answer.
  bool responded_ = false;
  bool ended_ = false;
  bool reset_ = false;
  // nghttp2 asked for more of it and there was none.
  bool deferred_ = false;
  bool was_full_ = false;
  bool drained_ = false;
  net::WriteBuffer out_;
  HeaderList trailers_;
  MonotonicTime stalled_since_;
  // Set once the peer has nothing to do but to end its request.
  std::optional<MonotonicTime> discards_until_;
};

H2Connection::H2Connection(Environment environment, Host* host)
    : environment_(std::move(environment)),
      host_(host),
      now_(environment_.clock->Monotonic()),
      session_(NewSession(this)),
      resets_(kHttpResetBurst, kHttpResetsPerSecond, now_),
      control_frames_(kHttpControlFrameBurst, kHttpControlFramesPerSecond, now_),
      began_at_(now_),
      received_at_(now_),
      idle_since_(now_),
      next_deadline_(now_ + kHttpHandshakeTimeout) {
  const nghttp2_settings_entry settings[] = {
      {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, kMaxHttpStreams},
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, static_cast<uint32_t>(kHttpStreamWindowBytes)},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, static_cast<uint32_t>(kMaxHttpHeadBytes)},
      {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
  };
  nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings, std::size(settings));
  nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, /*stream_id=*/0,
                                        kHttpConnectionWindowBytes);
}

H2Connection::~H2Connection() {
  busy_ = true;
  for (const std::unique_ptr<Stream>& stream : exchanges_) {
    stream->reset_ = true;
    if (stream->handler_ != nullptr) stream->handler_->OnClosed();
  }
  environment_.memory->Remove(pushes_ * kHttpRequestBytes);
  nghttp2_session_del(session_);
}

nghttp2_session* H2Connection::NewSession(H2Connection* connection) {
  static const nghttp2_session_callbacks* const callbacks = [] {
    nghttp2_session_callbacks* c;
    nghttp2_session_callbacks_new(&c);
    nghttp2_session_callbacks_set_on_begin_frame_callback(c, OnBeginFrame);
    nghttp2_session_callbacks_set_on_begin_headers_callback(c, OnBeginHeaders);
    nghttp2_session_callbacks_set_on_header_callback(c, OnHeader);
    nghttp2_session_callbacks_set_on_frame_recv_callback(c, OnFrame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(c, OnData);
    nghttp2_session_callbacks_set_on_frame_send_callback(c, OnFrameSent);
    nghttp2_session_callbacks_set_on_stream_close_callback(c, OnStreamClosed);
    return c;
  }();
  static const nghttp2_option* const options = [] {
    nghttp2_option* o;
    nghttp2_option_new(&o);
    nghttp2_option_set_no_auto_window_update(o, 1);
    nghttp2_option_set_no_http_messaging(o, 1);
    nghttp2_option_set_no_closed_streams(o, 1);
    nghttp2_option_set_max_continuations(o, kMaxHttpContinuations);
    nghttp2_option_set_max_settings(o, kMaxHttpSettings);
    nghttp2_option_set_max_outbound_ack(o, kMaxHttpOutboundAcks);
    // Ours counts what we reset too, and goes by the clock that is passed in.
    nghttp2_option_set_stream_reset_rate_limit(o, UINT32_MAX, UINT32_MAX);
    return o;
  }();
  nghttp2_session* session;
  // It only fails without memory, which ends the process anyway.
  nghttp2_session_server_new2(&session, callbacks, connection, options);
  return session;
}

size_t H2Connection::Receive(absl::string_view bytes) {
  if (failed_ || terminating_) return bytes.size();
  now_ = received_at_ = environment_.clock->Monotonic();
  keepalive_sent_ = false;
  requests_in_turn_ = 0;
  busy_ = true;
  const ssize_t taken = nghttp2_session_mem_recv(
      session_, reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
  if (taken < 0) {
    switch (taken) {
      case NGHTTP2_ERR_BAD_CLIENT_MAGIC:
        failed_ = true;
        end_reason_ = "not_http2";
        break;
      case NGHTTP2_ERR_FLOODED:
        Abuse("unread_acks");
        break;
      default:
        // Of nghttp2's, whose names differ between its versions: too many CONTINUATIONs.
        if (nghttp2_is_fatal(static_cast<int>(taken)) != 0) Abuse("continuations");
    }
  }
  busy_ = false;
  return taken < 0 || terminating_ ? bytes.size() : static_cast<size_t>(taken);
}

absl::string_view H2Connection::TakeOutput() {
  if (failed_) return absl::string_view();
  busy_ = true;
  now_ = environment_.clock->Monotonic();
  const uint8_t* data = nullptr;
  const ssize_t size = nghttp2_session_mem_send(session_, &data);
  busy_ = false;
  if (size < 0) failed_ = true;
  if (size <= 0) {
    changed_ = false;
    return absl::string_view();
  }
  return absl::string_view(reinterpret_cast<const char*>(data), static_cast<size_t>(size));
}

void H2Connection::NotifyDrained() {
  if (!std::exchange(any_drained_, false)) return;
  for (const std::unique_ptr<Stream>& stream : exchanges_) {
    if (!std::exchange(stream->drained_, false)) continue;
    if (stream->handler_ != nullptr && !stream->answered()) stream->handler_->OnDrained();
  }
}

bool H2Connection::done() const {
  return failed_ ||
         (nghttp2_session_want_read(session_) == 0 && nghttp2_session_want_write(session_) == 0);
}

void H2Connection::SetBlocked(bool blocked) {
  if (blocked == blocked_) return;
  blocked_ = blocked;
  if (!blocked) return;
  blocked_at_ = environment_.clock->Monotonic();
  SetTimer(blocked_at_ + kHttpWriteStall);
}

void H2Connection::OnTimer() {
  now_ = environment_.clock->Monotonic();
  busy_ = true;
  next_deadline_ = Never();
  if (!greeted_ && now_ >= began_at_ + kHttpHandshakeTimeout) {
    Terminate(NGHTTP2_SETTINGS_TIMEOUT, "no_settings");
  }
  if (blocked_ && now_ >= blocked_at_ + kHttpWriteStall) {
    failed_ = true;
    end_reason_ = "reads_nothing";
  }
  if (drain_in_pause_ && !draining_ && exchanges_.empty() && now_ >= PauseDeadline()) BeginDrain();
  if (draining_ && !drain_noticed_ && now_ >= drain_at_) FinishDrain();
  if (exchanges_.empty() && !draining_ && greeted_ && now_ >= IdleDeadline()) {
    draining_ = true;
    FinishDrain();
  }
  if (keepalive_sent_ && now_ >= received_at_ + kHttpKeepaliveInterval + kHttpKeepaliveTimeout) {
    failed_ = true;
    end_reason_ = "silent";
  } else if (!keepalive_sent_ && greeted_ && now_ >= received_at_ + kHttpKeepaliveInterval) {
    keepalive_sent_ = true;
    nghttp2_submit_ping(session_, NGHTTP2_FLAG_NONE, nullptr);
  }
  for (const std::unique_ptr<Stream>& stream : exchanges_) {
    if (stream->reader_ != nullptr) continue;
    if (now_ >= stream->Deadline()) stream->OnDue(now_);
    SetTimer(stream->Deadline());
  }
  if (!greeted_) SetTimer(began_at_ + kHttpHandshakeTimeout);
  if (blocked_) SetTimer(blocked_at_ + kHttpWriteStall);
  if (draining_ && !drain_noticed_) SetTimer(drain_at_);
  if (drain_in_pause_ && !draining_ && exchanges_.empty()) SetTimer(PauseDeadline());
  if (exchanges_.empty() && !draining_) SetTimer(IdleDeadline());
  SetTimer(received_at_ + kHttpKeepaliveInterval +
           (keepalive_sent_ ? kHttpKeepaliveTimeout : absl::ZeroDuration()));
  busy_ = false;
}

void H2Connection::Drain() {
  if (draining_ || terminating_ || failed_) return;
  now_ = environment_.clock->Monotonic();
  drain_in_pause_ = goaway_hurts_;
  if (!drain_in_pause_) return BeginDrain();
  if (exchanges_.empty()) SetTimer(PauseDeadline());
}

void H2Connection::BeginDrain() {
  draining_ = true;
  if (!greeted_) return Terminate(NGHTTP2_NO_ERROR, "draining");
  nghttp2_submit_shutdown_notice(session_);
  nghttp2_submit_ping(session_, NGHTTP2_FLAG_NONE, kDrainPing);
  drain_at_ = now_ + kHttpDrainNotice;
  SetTimer(drain_at_);
  Changed();
}

void H2Connection::FinishDrain() {
  if (drain_noticed_) return;
  drain_noticed_ = true;
  nghttp2_submit_goaway(session_, NGHTTP2_FLAG_NONE,
                        nghttp2_session_get_last_proc_stream_id(session_), NGHTTP2_NO_ERROR,
                        nullptr, 0);
  Changed();
}

void H2Connection::EndExchanges() {
  if (failed_) return;
  now_ = environment_.clock->Monotonic();
  draining_ = ending_ = true;
  busy_ = true;
  for (const std::unique_ptr<Stream>& stream : exchanges_) {
    stream->TimeOut(ExchangeHandler::Timeout::kShutdown);
    stream->StopDiscarding();
  }
  FinishDrain();
  busy_ = false;
  Changed();
}

// --- What nghttp2 reports. ---

MonotonicTime H2Connection::IdleDeadline() const {
  return idle_since_ + (served_ ? kHttpIdleTimeout : kHttpFirstRequestTimeout);
}

MonotonicTime H2Connection::PauseDeadline() const { return idle_since_ + kPauseForDrain; }

H2Connection::Stream* H2Connection::Find(int32_t stream_id) const {
  return static_cast<Stream*>(nghttp2_session_get_stream_user_data(session_, stream_id));
}

size_t H2Connection::MaxPushes() const {
  if (failed_ || terminating_ ||
      nghttp2_session_get_remote_settings(session_, NGHTTP2_SETTINGS_ENABLE_PUSH) != 1) {
    return 0;
  }
  const size_t streams =
      nghttp2_session_get_remote_settings(session_, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
  return std::min(streams, kMaxHttpPushes);
}

int H2Connection::OnBeginFrame(nghttp2_session*, const nghttp2_frame_hd* header, void* self) {
  auto* const connection = static_cast<H2Connection*>(self);
  switch (header->type) {
    case NGHTTP2_HEADERS:
    case NGHTTP2_RST_STREAM:
    case NGHTTP2_GOAWAY:
      return 0;
    case NGHTTP2_DATA:
      if (header->length > 0 || (header->flags & NGHTTP2_FLAG_END_STREAM) != 0) return 0;
      break;
    default:
      break;
  }
  if (!connection->control_frames_.Take(connection->now_)) connection->Abuse("control_frames");
  return 0;
}

int H2Connection::OnBeginHeaders(nghttp2_session* session, const nghttp2_frame* frame, void* self) {
  auto* const connection = static_cast<H2Connection*>(self);
  connection->trailers_.reset();
  if (frame->headers.cat != NGHTTP2_HCAT_REQUEST) {
    connection->trailers_ = std::make_unique<RequestHeadReader>(/*trailers=*/true);
    return 0;
  }
  connection->served_ = true;
  ++connection->requests_in_turn_;
  connection->control_frames_.Earn(kHttpControlFramesPerRequest);
  const int32_t id = frame->hd.stream_id;
  auto stream = std::make_unique<Stream>(connection, id);
  if (connection->terminating_ || !stream->Charge(kHttpRequestBytes)) {
    connection->trailers_ = std::make_unique<RequestHeadReader>(/*trailers=*/true);
    nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, id, NGHTTP2_REFUSED_STREAM);
    return 0;
  }
  nghttp2_session_set_stream_user_data(session, id, stream.get());
  connection->exchanges_.push_back(std::move(stream));
  connection->exchanges_.back()->self_ = std::prev(connection->exchanges_.end());
  return 0;
}

int H2Connection::OnHeader(nghttp2_session*, const nghttp2_frame* frame, const uint8_t* name,
                           size_t name_size, const uint8_t* value, size_t value_size, uint8_t,
                           void* self) {
  auto* const connection = static_cast<H2Connection*>(self);
  RequestHeadReader* reader = connection->trailers_.get();
  if (reader == nullptr) {
    Stream* const stream = connection->Find(frame->hd.stream_id);
    if (stream == nullptr) return 0;
    reader = stream->reader_.get();
  }
  if (!reader->Add(absl::string_view(reinterpret_cast<const char*>(name), name_size),
                   absl::string_view(reinterpret_cast<const char*>(value), value_size))) {
    connection->Abuse("head_bytes");
  }
  // Others have their turn before this request and those after it.
  return connection->requests_in_turn_ > kMaxHttpRequestsPerTurn ? NGHTTP2_ERR_PAUSE : 0;
}

int H2Connection::OnFrame(nghttp2_session*, const nghttp2_frame* frame, void* self) {
  auto* const connection = static_cast<H2Connection*>(self);
  Stream* const stream = frame->hd.stream_id > 0 ? connection->Find(frame->hd.stream_id) : nullptr;
  switch (frame->hd.type) {
    case NGHTTP2_SETTINGS:
      connection->greeted_ = true;
      break;
    case NGHTTP2_PING:
      if ((frame->hd.flags & NGHTTP2_FLAG_ACK) != 0 && connection->draining_ &&
          memcmp(frame->ping.opaque_data, kDrainPing, sizeof(kDrainPing)) == 0) {
        connection->FinishDrain();
      }
      break;
    case NGHTTP2_RST_STREAM:
      if (!connection->resets_.Take(connection->now_)) connection->Abuse("resets");
      break;
    case NGHTTP2_HEADERS:
      if (stream != nullptr) connection->OnHeadersEnd(stream, frame);
      break;
    case NGHTTP2_DATA:
      if (stream != nullptr && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) {
        connection->OnRemoteEnd(stream);
      }
      break;
    default:
      break;
  }
  return 0;
}

void H2Connection::OnHeadersEnd(Stream* stream, const nghttp2_frame* frame) {
  const bool end = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
  if (frame->headers.cat != NGHTTP2_HCAT_REQUEST) {
    // Trailers end the request (RFC 9113, 8.1).
    const bool good = trailers_ != nullptr && trailers_->Finish();
    trailers_.reset();
    if (!end || !good) return Malformed(stream);
    return OnRemoteEnd(stream);
  }
  const size_t head_bytes = stream->reader_->bytes();
  const bool good = stream->reader_->Finish();
  if (good) stream->head_ = stream->reader_->Take();
  stream->reader_.reset();
  // A body that was announced and doesn't come.
  const bool short_body = end && stream->head_.content_length.value_or(0) > 0;
  if (!good || short_body) return Malformed(stream);
  stream->account_.Identify(stream->head_.headers);
  if (!stream->Charge(head_bytes)) return stream->ResetWith(NGHTTP2_REFUSED_STREAM);
  stream->RestartBodyClock();
  OpenExchange(stream);
  if (end) {
    OnRemoteEnd(stream);
  } else {
    SetTimer(stream->Deadline());
  }
}

void H2Connection::OpenExchange(Stream* stream) {
  for (Door* const door : *environment_.doors) {
    if (!door->Matches(stream->head_)) continue;
    goaway_hurts_ = goaway_hurts_ || door->GoAwayFailsRequests();
    stream->handler_ = door->Open(stream);
    if (stream->handler_ == nullptr && !stream->answered()) {
      stream->ResetWith(NGHTTP2_INTERNAL_ERROR);
    }
    return;
  }
  AnswerUnmatched(stream);
}

void H2Connection::OnRemoteEnd(Stream* stream) {
  if (stream->remote_ended_) return;
  stream->remote_ended_ = true;
  // What came after the answer was not counted, and a reset would take the answer away.
  if (stream->answered()) return;
  const auto& length = stream->head_.content_length;
  if (length.has_value() && *length != stream->body_bytes_) return Malformed(stream);
  if (stream->handler_ != nullptr) stream->handler_->OnBodyEnd();
}

int H2Connection::OnData(nghttp2_session* session, uint8_t, int32_t stream_id, const uint8_t* data,
                         size_t size, void* self) {
  auto* const connection = static_cast<H2Connection*>(self);
  Stream* const stream = connection->Find(stream_id);
  if (stream != nullptr && !stream->answered()) {
    stream->body_bytes_ += size;
    stream->timed_bytes_ += size;
    const auto& length = stream->head_.content_length;
    if (length.has_value() && stream->body_bytes_ > *length) {
      connection->Malformed(stream);
    } else if (!stream->Charge(size)) {
      stream->TimeOut(ExchangeHandler::Timeout::kNoMemory);
    } else if (stream->handler_ != nullptr) {
      stream->unconsumed_ += size;
      stream->handler_->OnBody(absl::string_view(reinterpret_cast<const char*>(data), size));
      return 0;
    } else {
      stream->Discharge(size);
    }
  }
  nghttp2_session_consume_connection(session, size);
  return 0;
}

int H2Connection::OnFrameSent(nghttp2_session*, const nghttp2_frame* frame, void* self) {
  auto* const connection = static_cast<H2Connection*>(self);
  if (frame->hd.type == NGHTTP2_RST_STREAM) {
    // Whoever makes us reset streams costs as much as whoever resets them.
    if (frame->rst_stream.error_code != NGHTTP2_NO_ERROR &&
        !connection->resets_.Take(connection->now_)) {
      connection->Abuse("resets");
    }
    return 0;
  }
  if (frame->hd.type != NGHTTP2_DATA && frame->hd.type != NGHTTP2_HEADERS) return 0;
  if (frame->hd.type == NGHTTP2_DATA) connection->control_frames_.Earn(kControlFramesPerDataFrame);
  if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0) return 0;
  Stream* const stream = connection->Find(frame->hd.stream_id);
  if (stream != nullptr && !stream->remote_ended_) stream->DiscardRest();
  return 0;
}

int H2Connection::OnStreamClosed(nghttp2_session* session, int32_t stream_id, uint32_t error,
                                 void* self) {
  auto* const connection = static_cast<H2Connection*>(self);
  // Of an answer; a push earns nothing, since a peer may reset it too.
  if (error == NGHTTP2_NO_ERROR && stream_id % 2 != 0) connection->resets_.Earn(1);
  // Only pushes have streams that we opened.
  if (stream_id % 2 == 0) {
    --connection->pushes_;
    connection->environment_.memory->Remove(kHttpRequestBytes);
    return 0;
  }
  Stream* const stream = connection->Find(stream_id);
  if (stream == nullptr) return 0;
  nghttp2_session_set_stream_user_data(session, stream_id, nullptr);
  stream->reset_ = true;
  const std::unique_ptr<Stream> gone = std::move(*stream->self_);
  connection->exchanges_.erase(gone->self_);
  if (gone->unconsumed_ > 0) nghttp2_session_consume_connection(session, gone->unconsumed_);
  if (gone->handler_ != nullptr) gone->handler_->OnClosed();
  if (connection->exchanges_.empty()) {
    connection->idle_since_ = connection->now_;
    if (connection->drain_in_pause_) connection->SetTimer(connection->PauseDeadline());
  }
  return 0;
}

ssize_t H2Connection::ReadBody(nghttp2_session*, int32_t, uint8_t* buffer, size_t size,
                               uint32_t* flags, nghttp2_data_source* source, void*) {
  return static_cast<Stream*>(source->ptr)->Read(buffer, size, flags);
}

// --- Ends, and the way out. ---

void H2Connection::Malformed(Stream* stream) { stream->ResetWith(NGHTTP2_PROTOCOL_ERROR); }

void H2Connection::Abuse(const char* reason) { Terminate(kEnhanceYourCalm, reason); }

void H2Connection::Terminate(uint32_t error, const char* reason) {
  if (terminating_) return;
  terminating_ = true;
  end_reason_ = reason;
  nghttp2_session_terminate_session(session_, error);
  Changed();
}

void H2Connection::Changed() {
  if (busy_ || std::exchange(changed_, true)) return;
  host_->OnChanged();
}

void H2Connection::SetTimer(MonotonicTime at) {
  if (at >= next_deadline_) return;
  next_deadline_ = at;
  Changed();
}

}  // namespace bellwire::http
