#include "bench/send/http_backend.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <nghttp2/nghttp2.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"

namespace bellwire::bench {
namespace {

// A benchmark that can't measure ends.
[[noreturn]] void Die(const std::string& what) {
  std::fprintf(stderr, "send_load: %s\n", what.c_str());
  std::_Exit(1);
}

struct Work {
  std::string path;
  std::string body;
  LoadDriver::Done done;
};

nghttp2_nv Field(absl::string_view name, absl::string_view value) {
  const auto bytes = [](absl::string_view text) {
    return const_cast<uint8_t*>(reinterpret_cast<const uint8_t*>(text.data()));
  };
  return {bytes(name), bytes(value), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE};
}

// One connection and its thread.
class Connection {
 public:
  Connection(const Flags& flags, std::string authorization)
      : flags_(flags), authorization_(std::move(authorization)) {
    wake_ = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    Connect();
    thread_ = std::thread([this] { Run(); });
  }
  ~Connection() {
    {
      absl::MutexLock lock(&mutex_);
      stop_ = true;
    }
    Wake();
    thread_.join();
    nghttp2_session_del(session_);
    SSL_free(ssl_);
    SSL_CTX_free(context_);
    close(socket_);
    close(wake_);
  }

  void Send(Work work) {
    bool wake;
    {
      absl::MutexLock lock(&mutex_);
      wake = queue_.empty();
      queue_.push_back(std::move(work));
    }
    if (wake) Wake();
  }

 private:
  // A request until its stream is closed.
  struct Stream {
    Work work;
    size_t sent = 0;
    int status = 0;
  };

  void Wake() {
    const uint64_t one = 1;
    if (write(wake_, &one, sizeof(one)) < 0) return;  // It is awake.
  }

  void Connect() {
    const std::string& server = flags_.provider.server;
    const size_t colon = server.rfind(':');
    addrinfo* found = nullptr;
    if (getaddrinfo(server.substr(0, colon).c_str(), server.substr(colon + 1).c_str(), nullptr,
                    &found) != 0) {
      Die("no address " + server);
    }
    socket_ = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(socket_, found->ai_addr, found->ai_addrlen) != 0) Die("can't connect to " + server);
    freeaddrinfo(found);
    const int one = 1;
    setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    context_ = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_verify(context_, SSL_VERIFY_PEER, nullptr);
    if (SSL_CTX_load_verify_file(context_, flags_.provider.ca.c_str()) != 1) Die("no CA");
    constexpr unsigned char kAlpn[] = "\x02h2";
    SSL_CTX_set_alpn_protos(context_, kAlpn, sizeof(kAlpn) - 1);
    ssl_ = SSL_new(context_);
    SSL_set_fd(ssl_, socket_);
    if (SSL_connect(ssl_) != 1) Die("no TLS with " + server);
    fcntl(socket_, F_SETFL, fcntl(socket_, F_GETFL) | O_NONBLOCK);

    nghttp2_session_callbacks* callbacks = nullptr;
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, OnHeader);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, OnClose);
    nghttp2_session_client_new(&session_, callbacks, this);
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, nullptr, 0);
  }

  static int OnHeader(nghttp2_session* session, const nghttp2_frame* frame, const uint8_t* name,
                      size_t name_size, const uint8_t* value, size_t value_size, uint8_t, void*) {
    if (absl::string_view(reinterpret_cast<const char*>(name), name_size) == ":status") {
      auto* stream =
          static_cast<Stream*>(nghttp2_session_get_stream_user_data(session, frame->hd.stream_id));
      if (stream != nullptr &&
          !absl::SimpleAtoi(absl::string_view(reinterpret_cast<const char*>(value), value_size),
                            &stream->status)) {
        stream->status = 0;
      }
    }
    return 0;
  }
  static int OnClose(nghttp2_session* session, int32_t id, uint32_t, void*) {
    auto* stream = static_cast<Stream*>(nghttp2_session_get_stream_user_data(session, id));
    if (stream == nullptr) return 0;
    const bool ok = stream->status / 100 == 2;
    if (!ok) std::fprintf(stderr, "send_load: HTTP status %d\n", stream->status);
    std::move(stream->work.done)(ok ? 1 : 0, ok ? 0 : 1);
    delete stream;
    return 0;
  }
  static ssize_t ReadBody(nghttp2_session*, int32_t, uint8_t* buffer, size_t size, uint32_t* flags,
                          nghttp2_data_source* source, void*) {
    auto* stream = static_cast<Stream*>(source->ptr);
    const size_t n = std::min(size, stream->work.body.size() - stream->sent);
    std::memcpy(buffer, stream->work.body.data() + stream->sent, n);
    stream->sent += n;
    if (stream->sent == stream->work.body.size()) *flags |= NGHTTP2_DATA_FLAG_EOF;
    return static_cast<ssize_t>(n);
  }

  void Submit(Work work) {
    auto* stream = new Stream{.work = std::move(work)};
    std::vector<nghttp2_nv> fields = {Field(":method", "POST"), Field(":scheme", "https"),
                                      Field(":authority", flags_.provider.server),
                                      Field(":path", stream->work.path)};
    if (flags_.mode == "json") {
      fields.push_back(Field("content-type", "application/json"));
      fields.push_back(Field("authorization", authorization_));
    } else {
      fields.push_back(Field("ttl", "2419200"));
      fields.push_back(Field("urgency", "high"));
      fields.push_back(Field("content-encoding", "aes128gcm"));
      fields.push_back(Field("authorization", authorization_));
    }
    nghttp2_data_provider body = {.source = {.ptr = stream}, .read_callback = ReadBody};
    nghttp2_submit_request(session_, nullptr, fields.data(), fields.size(), &body, stream);
  }

  void Run() {
    while (true) {
      std::deque<Work> queue;
      {
        absl::MutexLock lock(&mutex_);
        if (stop_) return;
        queue.swap(queue_);
      }
      for (Work& work : queue) Submit(std::move(work));
      WriteOut();
      pollfd fds[] = {{socket_, static_cast<int16_t>(POLLIN | (out_.empty() ? 0 : POLLOUT)), 0},
                      {wake_, POLLIN, 0}};
      bool more;
      {
        absl::MutexLock lock(&mutex_);
        more = !queue_.empty();
      }
      if (poll(fds, 2, more ? 0 : -1) < 0 && errno != EINTR) Die("poll");
      uint64_t count;
      if ((fds[1].revents & POLLIN) != 0 && read(wake_, &count, sizeof(count)) < 0) continue;
      ReadIn();
    }
  }

  void ReadIn() {
    uint8_t buffer[16 * 1024];
    for (;;) {
      const int n = SSL_read(ssl_, buffer, sizeof(buffer));
      if (n <= 0) {
        const int error = SSL_get_error(ssl_, n);
        if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) return;
        Die("the server closed the connection");
      }
      if (nghttp2_session_mem_recv(session_, buffer, static_cast<size_t>(n)) < 0) Die("no HTTP/2");
    }
  }

  void WriteOut() {
    for (;;) {
      // Many small frames in one record, as clients that care do.
      while (out_.size() < 16 * 1024) {
        const uint8_t* data = nullptr;
        const ssize_t n = nghttp2_session_mem_send(session_, &data);
        if (n <= 0) break;
        out_.append(reinterpret_cast<const char*>(data), static_cast<size_t>(n));
      }
      if (out_.empty()) return;
      const int n = SSL_write(ssl_, out_.data(), static_cast<int>(out_.size()));
      if (n <= 0) {
        if (SSL_get_error(ssl_, n) == SSL_ERROR_WANT_WRITE) return;
        Die("the server closed the connection");
      }
      out_.erase(0, static_cast<size_t>(n));
    }
  }

  const Flags& flags_;
  const std::string authorization_;
  int socket_ = -1;
  int wake_ = -1;
  SSL_CTX* context_ = nullptr;
  SSL* ssl_ = nullptr;
  nghttp2_session* session_ = nullptr;
  std::string out_;
  absl::Mutex mutex_;
  bool stop_ ABSL_GUARDED_BY(mutex_) = false;
  std::deque<Work> queue_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

class HttpBackend final : public Backend {
 public:
  HttpBackend(const Flags& flags, const Provider& provider, Requests* requests)
      : Backend(flags, provider, requests) {
    for (int i = 0; i < flags.channels; ++i) {
      connections_.push_back(std::make_unique<Connection>(
          flags, flags.mode == "json" ? authorization_ : provider.vapid));
    }
  }

  void Start(MonotonicTime began, LoadDriver::Done done) override {
    push::v1::SendRequest request;
    requests_->Fill(began, &request);
    Work work{.done = std::move(done)};
    if (flags_.mode == "json") {
      work.path = "/v1/messages";
      work.body = absl::StrCat(R"({"token":")", request.token(), R"(","priority":"PRIORITY_HIGH",)",
                               R"("payload":")", absl::Base64Escape(request.payload()), "\"}");
    } else {
      work.path = absl::StrCat("/wpush/", request.token());
      work.body = std::move(*request.mutable_payload());
      // The head of aes128gcm (RFC 8188, 2.1) behind the salt: record size, key length, key.
      if (work.body.size() > 22) {
        work.body.replace(16, 6, std::string("\0\0\x10\0\x41\x04", 6));
      }
    }
    connections_[next_.fetch_add(1, std::memory_order_relaxed) % connections_.size()]->Send(
        std::move(work));
  }
  void Finish() override { connections_.clear(); }

 private:
  std::vector<std::unique_ptr<Connection>> connections_;
  std::atomic<size_t> next_{0};
};

}  // namespace

std::unique_ptr<Backend> NewHttpBackend(const Flags& flags, const Provider& provider,
                                        Requests* requests) {
  return std::make_unique<HttpBackend>(flags, provider, requests);
}

}  // namespace bellwire::bench
