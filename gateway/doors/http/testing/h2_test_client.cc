#include "gateway/doors/http/testing/h2_test_client.h"

#include <algorithm>
#include <cstring>

namespace bellwire::http {
namespace {

std::vector<nghttp2_nv> NameValues(const Fields& fields) {
  std::vector<nghttp2_nv> result;
  for (const auto& [name, value] : fields) {
    result.push_back({reinterpret_cast<uint8_t*>(const_cast<char*>(name.data())),
                      reinterpret_cast<uint8_t*>(const_cast<char*>(value.data())), name.size(),
                      value.size(), NGHTTP2_NV_FLAG_NONE});
  }
  return result;
}

// The prefix integer of RFC 7541, 5.1, with a prefix of 7 bits.
std::string HpackString(absl::string_view text) {
  std::string out;
  size_t rest = text.size();
  if (rest < 127) {
    out.push_back(static_cast<char>(rest));
  } else {
    out.push_back(127);
    for (rest -= 127; rest >= 128; rest >>= 7) out.push_back(static_cast<char>(rest % 128 + 128));
    out.push_back(static_cast<char>(rest));
  }
  return out.append(text.data(), text.size());
}

}  // namespace

std::string H2TestClient::Response::Get(absl::string_view name) const {
  for (const Fields* fields : {&headers, &trailers}) {
    for (const auto& [key, value] : *fields) {
      if (key == name) return value;
    }
  }
  return "";
}

H2TestClient::H2TestClient(const Options& options) {
  nghttp2_session_callbacks* callbacks;
  nghttp2_session_callbacks_new(&callbacks);
  nghttp2_session_callbacks_set_on_header_callback(
      callbacks, [](nghttp2_session*, const nghttp2_frame* frame, const uint8_t* name, size_t n,
                    const uint8_t* value, size_t m, uint8_t, void* self) {
        auto* const client = static_cast<H2TestClient*>(self);
        const auto add = [&](Fields* fields) {
          fields->emplace_back(std::string(reinterpret_cast<const char*>(name), n),
                               std::string(reinterpret_cast<const char*>(value), m));
          return 0;
        };
        if (frame->hd.type == NGHTTP2_PUSH_PROMISE) return add(&client->promises_.back().request);
        auto& response = client->responses_[frame->hd.stream_id];
        return add(frame->headers.cat == NGHTTP2_HCAT_HEADERS ? &response.trailers
                                                              : &response.headers);
      });
  nghttp2_session_callbacks_set_on_begin_headers_callback(
      callbacks, [](nghttp2_session*, const nghttp2_frame* frame, void* self) {
        if (frame->hd.type != NGHTTP2_PUSH_PROMISE) return 0;
        static_cast<H2TestClient*>(self)->promises_.push_back(
            {.stream = frame->push_promise.promised_stream_id, .of_stream = frame->hd.stream_id});
        return 0;
      });
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(
      callbacks,
      [](nghttp2_session*, uint8_t, int32_t stream, const uint8_t* data, size_t size, void* self) {
        static_cast<H2TestClient*>(self)->responses_[stream].body.append(
            reinterpret_cast<const char*>(data), size);
        return 0;
      });
  nghttp2_session_callbacks_set_on_stream_close_callback(
      callbacks, [](nghttp2_session*, int32_t stream, uint32_t error, void* self) {
        auto& response = static_cast<H2TestClient*>(self)->responses_[stream];
        response.closed = true;
        response.error = error;
        return 0;
      });
  nghttp2_session_callbacks_set_on_frame_recv_callback(
      callbacks, [](nghttp2_session*, const nghttp2_frame* frame, void* opaque) {
        auto* const self = static_cast<H2TestClient*>(opaque);
        if (frame->hd.type == NGHTTP2_GOAWAY) self->goaway_ = frame->goaway.error_code;
        if (frame->hd.type == NGHTTP2_PING) {
          ++((frame->hd.flags & NGHTTP2_FLAG_ACK) != 0 ? self->pings_answered_ : self->pings_);
        }
        return 0;
      });
  nghttp2_option* option;
  nghttp2_option_new(&option);
  nghttp2_option_set_no_auto_window_update(option, options.initial_window < 65535 ? 1 : 0);
  nghttp2_option_set_peer_max_concurrent_streams(option, 100'000);
  nghttp2_option_set_no_http_messaging(option, 1);
  nghttp2_session_client_new2(&session_, callbacks, this, option);
  nghttp2_option_del(option);
  nghttp2_session_callbacks_del(callbacks);
  std::vector<nghttp2_settings_entry> settings = {
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, options.initial_window}};
  // What is not said is on.
  if (!options.enable_push) settings.push_back({NGHTTP2_SETTINGS_ENABLE_PUSH, 0});
  if (options.max_concurrent_streams.has_value()) {
    settings.push_back({NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, *options.max_concurrent_streams});
  }
  nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings.data(), settings.size());
}

H2TestClient::~H2TestClient() { nghttp2_session_del(session_); }

int32_t H2TestClient::Request(const Fields& headers, absl::string_view body, bool open) {
  const std::vector<nghttp2_nv> fields = NameValues(headers);
  nghttp2_data_provider provider = {};
  provider.read_callback = [](nghttp2_session*, int32_t stream, uint8_t* buffer, size_t size,
                              uint32_t* flags, nghttp2_data_source*, void* self) -> ssize_t {
    Body& b = static_cast<H2TestClient*>(self)->bodies_[stream];
    const size_t n = std::min(size, b.bytes.size());
    memcpy(buffer, b.bytes.data(), n);
    b.bytes.erase(0, n);
    if (b.bytes.empty() && !b.open) {
      *flags |= NGHTTP2_DATA_FLAG_EOF;
    } else if (n == 0) {
      b.deferred = true;
      return NGHTTP2_ERR_DEFERRED;
    }
    return static_cast<ssize_t>(n);
  };
  const bool has_body = open || !body.empty();
  const int32_t stream = nghttp2_submit_request(session_, nullptr, fields.data(), fields.size(),
                                                has_body ? &provider : nullptr, nullptr);
  bodies_[stream] = {.bytes = std::string(body), .open = open};
  return stream;
}

void H2TestClient::AppendBody(int32_t stream, absl::string_view body) {
  bodies_[stream].bytes.append(body.data(), body.size());
  if (std::exchange(bodies_[stream].deferred, false)) nghttp2_session_resume_data(session_, stream);
}

void H2TestClient::EndBody(int32_t stream) {
  bodies_[stream].open = false;
  if (std::exchange(bodies_[stream].deferred, false)) nghttp2_session_resume_data(session_, stream);
}

void H2TestClient::Reset(int32_t stream) {
  nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, stream, NGHTTP2_CANCEL);
}

void H2TestClient::Ping() { nghttp2_submit_ping(session_, NGHTTP2_FLAG_NONE, nullptr); }

void H2TestClient::Consume(int32_t stream, size_t bytes) {
  nghttp2_session_consume(session_, stream, bytes);
}

std::string H2TestClient::Output() {
  std::string out;
  for (;;) {
    const uint8_t* data = nullptr;
    const ssize_t size = nghttp2_session_mem_send(session_, &data);
    if (size <= 0) return out;
    out.append(reinterpret_cast<const char*>(data), static_cast<size_t>(size));
  }
}

bool H2TestClient::Input(absl::string_view bytes) {
  const ssize_t taken = nghttp2_session_mem_recv(
      session_, reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
  return taken == static_cast<ssize_t>(bytes.size());
}

Fields GetFields(absl::string_view path, const Fields& more) {
  Fields fields = {{":method", "GET"},
                   {":scheme", "https"},
                   {":authority", "localhost"},
                   {":path", std::string(path)}};
  fields.insert(fields.end(), more.begin(), more.end());
  return fields;
}

Fields PostFields(absl::string_view path, const Fields& more) {
  Fields fields = GetFields(path, more);
  fields[0].second = "POST";
  return fields;
}

std::string RawFrame(uint8_t type, uint8_t flags, uint32_t stream, absl::string_view payload) {
  std::string frame;
  const auto size = static_cast<uint32_t>(payload.size());
  for (const int shift : {16, 8, 0}) frame.push_back(static_cast<char>(size >> shift));
  frame.push_back(static_cast<char>(type));
  frame.push_back(static_cast<char>(flags));
  for (const int shift : {24, 16, 8, 0}) frame.push_back(static_cast<char>(stream >> shift));
  return frame.append(payload.data(), payload.size());
}

std::string RawFields(const Fields& fields) {
  std::string block;
  for (const auto& [name, value] : fields) {
    block.push_back(0);
    block += HpackString(name) + HpackString(value);
  }
  return block;
}

}  // namespace bellwire::http
