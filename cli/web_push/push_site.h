#ifndef BELLWIRE_CLI_WEB_PUSH_PUSH_SITE_H_
#define BELLWIRE_CLI_WEB_PUSH_PUSH_SITE_H_

#include <sys/types.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "boost/asio/io_context.hpp"
#include "boost/asio/ip/tcp.hpp"
#include "cli/web_push/push_page.h"

namespace bellwire::cli {

// Connections at a time. A browser has six.
inline constexpr size_t kMaxPageConnections = 16;
// Of a request's body, and of its head.
inline constexpr size_t kMaxPageRequestBytes = 16 * 1024;
// For a request and its answer.
inline constexpr absl::Duration kPageRequestTime = absl::Seconds(60);

// Serves a PushPage on a free port of 127.0.0.1, to one user's programs only. On the thread of
// `io`.
class PushSite {
 public:
  // `page` is made once the port is known: it gets "localhost:PORT". `io` outlives the site.
  //   UNAVAILABLE: no port is free
  static absl::StatusOr<std::unique_ptr<PushSite>> Start(
      boost::asio::io_context* io, uid_t uid,
      const std::function<std::unique_ptr<PushPage>(const std::string& host)>& make_page);
  // Takes no more connections; those that there are end with `io`.
  ~PushSite();
  PushSite(const PushSite&) = delete;
  PushSite& operator=(const PushSite&) = delete;

  // "http://localhost:PORT/".
  const std::string& url() const { return url_; }

 private:
  class Connection;

  PushSite(boost::asio::ip::tcp::acceptor acceptor, uid_t uid);
  void Accept();
  void OnAccepted(boost::asio::ip::tcp::socket socket);

  boost::asio::ip::tcp::acceptor acceptor_;
  const uid_t uid_;
  std::string url_;
  // What connections look at too, which may outlive the site.
  std::shared_ptr<PushPage> page_;
  const std::shared_ptr<size_t> connections_ = std::make_shared<size_t>(0);
  const std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace bellwire::cli

#endif  // BELLWIRE_CLI_WEB_PUSH_PUSH_SITE_H_
