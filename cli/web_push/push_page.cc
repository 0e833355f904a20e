#include "cli/web_push/push_page.h"

#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "boost/beast/http/field.hpp"
#include "boost/beast/http/status.hpp"
#include "boost/beast/http/verb.hpp"

namespace bellwire::cli {
namespace {

namespace http = boost::beast::http;

constexpr char kPage[] = R"html(<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Bellwire: a push in Firefox</title>
<style>
  body { font: 20px sans-serif; margin: 3em; }
  li { margin: .4em 0; }
  #state { color: #666; overflow-wrap: anywhere; }
</style>
<h1>A push in Firefox</h1>
<p id="state">subscribing</p>
<ul id="messages"></ul>
<script>
  const state = document.getElementById('state');
  const post = (path, body) => fetch(path, {method: 'POST', body});
  const failed = why => {
    state.textContent = String(why);
    return post('/failed', String(why));
  };
  let subscription;
  navigator.serviceWorker.addEventListener('message', async event => {
    const item = document.createElement('li');
    item.textContent = event.data;
    document.getElementById('messages').append(item);
    state.textContent = 'It came through this machine’s agent.';
    await subscription.unsubscribe().catch(() => {});
    await post('/shown', item.textContent);
  });
  navigator.serviceWorker.startMessages();
  // A Firefox that has just started loses what a page asks of push before that part of it is there:
  // who gets no answer asks again.
  async function subscribe(manager) {
    for (;;) {
      const asked =
          manager.subscribe({userVisibleOnly: true, applicationServerKey: '@KEY@'});
      const late = new Promise(done => setTimeout(done, 3000, null));
      const got = await Promise.race([asked, late]);
      if (got) return got;
    }
  }
  async function run() {
    await navigator.serviceWorker.register('/worker.js');
    const registration = await navigator.serviceWorker.ready;
    subscription = await subscribe(registration.pushManager);
    state.textContent = 'subscribed: ' + subscription.endpoint;
    const answer = await post('/subscription', JSON.stringify(subscription));
    if (!answer.ok) await failed(await answer.text());
  }
  run().catch(failed);
</script>
</html>
)html";

constexpr char kWorker[] = R"js(self.addEventListener('install', () => self.skipWaiting());
self.addEventListener('activate', event => event.waitUntil(self.clients.claim()));
async function show(text) {
  // Without a desktop there is nothing to show a notification on.
  await self.registration.showNotification('Bellwire', {body: text}).catch(() => {});
  const pages = await self.clients.matchAll({includeUncontrolled: true, type: 'window'});
  for (const page of pages) page.postMessage(text);
}
self.addEventListener('push', event => event.waitUntil(show(event.data.text())));
)js";

PushPage::Response Reply(http::status status, absl::string_view type, std::string body) {
  PushPage::Response response(status, /*version=*/11);
  if (!type.empty()) {
    response.set(http::field::content_type, absl::StrCat(type, "; charset=utf-8"));
  }
  response.set(http::field::cache_control, "no-store");
  response.set(http::field::connection, "close");
  response.body() = std::move(body);
  response.prepare_payload();
  return response;
}

PushPage::Response Refuse(http::status status, absl::string_view why) {
  return Reply(status, "text/plain", absl::StrCat(why, "\n"));
}

// The only field of this name has this value.
bool Is(const PushPage::Request& request, http::field name, absl::string_view value) {
  const auto [first, end] = request.equal_range(name);
  return first != end && std::next(first) == end &&
         absl::string_view(first->value().data(), first->value().size()) == value;
}

}  // namespace

PushPage::PushPage(std::string host, std::string application_server_key, Events events)
    : host_(std::move(host)),
      page_(absl::StrReplaceAll(kPage, {{"@KEY@", application_server_key}})),
      events_(std::move(events)) {}

PushPage::Response PushPage::Answer(const Request& request) const {
  if (!Is(request, http::field::host, host_)) {
    return Refuse(http::status::misdirected_request, "another host");
  }
  const absl::string_view target(request.target().data(), request.target().size());
  if (request.method() == http::verb::post) return AnswerPost(request, target);
  if (request.method() != http::verb::get) {
    return Refuse(http::status::method_not_allowed, "GET and POST only");
  }
  if (target == "/") {
    events_.on_opened();
    return Reply(http::status::ok, "text/html", page_);
  }
  if (target == "/worker.js") return Reply(http::status::ok, "text/javascript", kWorker);
  return Refuse(http::status::not_found, "there is one page: /");
}

PushPage::Response PushPage::AnswerPost(const Request& request, absl::string_view target) const {
  // A page of another site may send, but its browser says whose it is.
  if (!Is(request, http::field::origin, absl::StrCat("http://", host_))) {
    return Refuse(http::status::forbidden, "another origin");
  }
  if (target == "/subscription") {
    const absl::Status taken = events_.on_subscription(request.body());
    if (!taken.ok()) return Refuse(http::status::bad_gateway, taken.message());
  } else if (target == "/shown") {
    events_.on_shown(request.body());
  } else if (target == "/failed") {
    events_.on_failed(request.body());
  } else {
    return Refuse(http::status::not_found, "nothing takes that");
  }
  return Reply(http::status::no_content, "", "");
}

}  // namespace bellwire::cli
