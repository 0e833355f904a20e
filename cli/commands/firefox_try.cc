#include "cli/commands/firefox_try.h"

#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <memory>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "boost/asio/io_context.hpp"
#include "boost/asio/ip/tcp.hpp"
#include "boost/asio/signal_set.hpp"
#include "boost/asio/steady_timer.hpp"
#include "cli/web_push/page_subscription.h"
#include "cli/web_push/push_page.h"
#include "cli/web_push/push_site.h"
#include "cli/web_push/trial_firefox.h"
#include "cli/web_push/web_push_sender.h"
#include "common/printable.h"
#include "common/status_macros.h"
#include "crypto/encryption/aes128gcm.h"
#include "crypto/p256.h"
#include "ops/main_support.h"

namespace bellwire::cli {
namespace {

namespace asio = boost::asio;

constexpr char kPackagedCa[] = "/etc/bellwire/ca.pem";
// A certificate authority's push service may write there; ours does not.
constexpr char kSubject[] = "mailto:webmaster@localhost";
constexpr auto kTick = std::chrono::milliseconds(100);

// Whether somebody listens at the companion's door.
absl::Status CheckCompanion(const companion::BrowserDoor& door) {
  asio::io_context io;
  asio::ip::tcp::socket socket(io);
  boost::system::error_code error;
  socket.connect({asio::ip::address_v4::loopback(), door.port}, error);
  if (!error) return absl::OkStatus();
  return WithHint(
      absl::FailedPreconditionError(absl::StrCat("no companion listens at ", door.host())),
      "start it: systemctl --user start bellwire-companion");
}

// One trial, on one thread.
class Trial {
 public:
  Trial(const FirefoxTryFlags& flags, CommandContext* context)
      : flags_(flags), context_(*context), tick_(io_), signals_(io_, SIGINT, SIGTERM) {}

  absl::Status Run(const companion::BrowserDoor& door) {
    BELLWIRE_ASSIGN_OR_RETURN(const EvpPkeyPtr key, GenerateP256Key());
    sender_ = {.signer = {.private_key_pem = PrivateKeyPem(key.get()), .subject = kSubject},
               .ca_file = flags_.ca_file,
               .clock = context_.clock};
    const std::string public_key = absl::WebSafeBase64Escape(PointOf(key.get()));
    BELLWIRE_ASSIGN_OR_RETURN(
        const std::unique_ptr<PushSite> site,
        PushSite::Start(&io_, getuid(), [this, &public_key](const std::string& host) {
          return std::make_unique<PushPage>(host, public_key, Events());
        }));
    BELLWIRE_ASSIGN_OR_RETURN(firefox_, TrialFirefox::Start({.program = flags_.firefox,
                                                             .directory = flags_.state_dir,
                                                             .push_server = door.url(),
                                                             .url = site->url(),
                                                             .clock = context_.clock}));
    Say("started", absl::StrCat("started ", firefox_->program(), " with a profile of its own"));
    deadline_ = context_.clock->Monotonic() + kFirefoxTryPatience;
    signals_.async_wait([this](boost::system::error_code error, int) {
      if (!error) End(shown_ ? absl::OkStatus() : absl::CancelledError("stopped"));
    });
    Tick();
    io_.run();
    return result_;
  }

 private:
  PushPage::Events Events() {
    return {.on_opened = [this] { opened_ = true; },
            .on_subscription = [this](const std::string& json) { return OnSubscription(json); },
            .on_shown = [this](const std::string& text) { OnShown(text); },
            .on_failed =
                [this](const std::string& why) {
                  End(failure_.ok()
                          ? WithHint(absl::FailedPreconditionError(absl::StrCat(
                                         "the page in Firefox can't subscribe: ", Printable(why))),
                                     "bellwire doctor says what is wrong")
                          : failure_);
                }};
  }

  absl::Status OnSubscription(const std::string& json) {
    failure_ = Push(json);
    return failure_;
  }
  absl::Status Push(const std::string& json) {
    BELLWIRE_ASSIGN_OR_RETURN(const PageSubscription subscription, ParsePageSubscription(json));
    Say("subscribed", absl::StrCat("a page in Firefox is subscribed at ", subscription.origin));
    sent_at_ = context_.clock->Monotonic();
    BELLWIRE_RETURN_IF_ERROR(SendWebPush(sender_, subscription, flags_.text));
    Say("sent", "the server has taken a push to it");
    sent_ = true;
    return absl::OkStatus();
  }

  void OnShown(const std::string& text) {
    if (text != flags_.text) {
      return End(absl::FailedPreconditionError(
          absl::StrCat("Firefox shows something else: ", Printable(text))));
    }
    shown_ = true;
    const double ms = absl::ToDoubleMilliseconds(context_.clock->Monotonic() - sent_at_);
    Say("shown", absl::StrFormat("Firefox shows: %s (after %.0f ms)", Printable(text), ms));
    if (flags_.close) return End(absl::OkStatus());
    if (!context_.terminal->json()) {
      context_.terminal->Line(
          "Close Firefox to end. To have it in your own profile: "
          "bellwire companion firefox on");
    }
  }

  void Say(const char* step, const std::string& text) {
    if (context_.terminal->json()) {
      context_.terminal->Json({{"step", step}, {"text", text}});
    } else {
      context_.terminal->Line(absl::StrCat(context_.terminal->Good("ok"), "  ", text));
    }
  }

  void Tick() {
    if (!firefox_->running()) {
      if (shown_) return End(absl::OkStatus());
      return End(absl::FailedPreconditionError(absl::StrCat(
          firefox_->program(), " ended before it showed a push: ", firefox_->LastWords())));
    }
    if (!shown_ && context_.clock->Monotonic() >= deadline_) return End(TooLate());
    tick_.expires_after(kTick);
    tick_.async_wait([this](boost::system::error_code error) {
      if (!error) Tick();
    });
  }

  absl::Status TooLate() const {
    const char* const what = !opened_ ? "Firefox did not ask for its page"
                             : !sent_ ? "the page in Firefox has no subscription"
                                      : "Firefox does not show the push, which the server took";
    return WithHint(
        absl::DeadlineExceededError(
            absl::StrCat(what, " within ", absl::FormatDuration(kFirefoxTryPatience))),
        "bellwire doctor says what is wrong; so does journalctl --user -u bellwire-companion");
  }

  void End(absl::Status result) {
    result_ = std::move(result);
    io_.stop();
  }

  const FirefoxTryFlags& flags_;
  CommandContext& context_;
  asio::io_context io_;
  asio::steady_timer tick_;
  asio::signal_set signals_;
  WebPushSender sender_;
  std::unique_ptr<TrialFirefox> firefox_;
  MonotonicTime deadline_;
  MonotonicTime sent_at_;
  bool opened_ = false;
  bool sent_ = false;
  bool shown_ = false;
  // Why nothing was sent: the page is told, and says that it failed.
  absl::Status failure_;
  absl::Status result_;
};

}  // namespace

std::string DefaultPushCaFile() { return access(kPackagedCa, R_OK) == 0 ? kPackagedCa : ""; }

absl::Status TryFirefox(const FirefoxTryFlags& flags, const companion::BrowserDoor& door,
                        CommandContext* context) {
  BELLWIRE_RETURN_IF_ERROR(CheckCompanion(door));
  return Trial(flags, context).Run(door);
}

}  // namespace bellwire::cli
