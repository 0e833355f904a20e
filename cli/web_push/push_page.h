#ifndef BELLWIRE_CLI_WEB_PUSH_PUSH_PAGE_H_
#define BELLWIRE_CLI_WEB_PUSH_PUSH_PAGE_H_

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "boost/beast/http/message.hpp"
#include "boost/beast/http/string_body.hpp"

namespace bellwire::cli {

// A web site of one page, which subscribes to push messages, shows those that come, and says here
// what it does. Pure: what is asked, and what is answered. For one thread at a time.
class PushPage {
 public:
  using Request = boost::beast::http::request<boost::beast::http::string_body>;
  using Response = boost::beast::http::response<boost::beast::http::string_body>;

  struct Events {
    // The page was asked for.
    std::function<void()> on_opened;
    // The page has a subscription: JSON, which it says (ParsePageSubscription). Where the answer is
    // an error, the page shows its text.
    std::function<absl::Status(const std::string& json)> on_subscription;
    // The page shows this text, which came as a push, and has given its subscription back.
    std::function<void(const std::string& text)> on_shown;
    // The page can't go on.
    std::function<void(const std::string& why)> on_failed;
  };

  // `host` is "localhost:PORT", where the page is asked for; `application_server_key` the sender's
  // public key in base64url.
  PushPage(std::string host, std::string application_server_key, Events events);

  // Requests that other pages of the browser make are refused: their Host or Origin is another.
  Response Answer(const Request& request) const;

 private:
  Response AnswerPost(const Request& request, absl::string_view target) const;

  const std::string host_;
  const std::string page_;
  const Events events_;
};

}  // namespace bellwire::cli

#endif  // BELLWIRE_CLI_WEB_PUSH_PUSH_PAGE_H_
