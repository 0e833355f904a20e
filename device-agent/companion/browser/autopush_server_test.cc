#include "device-agent/companion/browser/autopush_server.h"

#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <functional>
#include <future>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "boost/asio/executor_work_guard.hpp"
#include "boost/asio/post.hpp"
#include "boost/asio/read.hpp"
#include "boost/asio/write.hpp"
#include "boost/beast/core/buffers_to_string.hpp"
#include "boost/beast/core/flat_buffer.hpp"
#include "boost/beast/websocket/stream.hpp"
#include "common/testing/temp_dir.h"
#include "device-agent/companion/testing/fake_hub.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace bellwire::companion {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace websocket = boost::beast::websocket;
using nlohmann::json;
using tcp = asio::ip::tcp;

// A browser over a real socket; blocking.
class Browser {
 public:
  // `origin` empty: none is sent.
  beast::error_code Connect(const BrowserDoor& door, std::string target, std::string host,
                            const std::string& origin) {
    beast::error_code error;
    socket_.next_layer().connect(tcp::endpoint(asio::ip::address_v4::loopback(), door.port), error);
    if (error) return error;
    socket_.set_option(websocket::stream_base::decorator([=](websocket::request_type& request) {
      if (!origin.empty()) request.set(beast::http::field::origin, origin);
      request.set(beast::http::field::sec_websocket_protocol, "push-notification");
    }));
    socket_.handshake(response_, host, target, error);
    return error;
  }
  beast::error_code Connect(const BrowserDoor& door) {
    return Connect(door, "/" + door.secret, door.host(), door.url());
  }

  void Say(const json& message) { SayText(message.dump()); }
  void SayText(const std::string& text) {
    beast::error_code error;
    socket_.write(asio::buffer(text), error);
    EXPECT_FALSE(error) << error.message();
  }
  // Null once the connection is closed; `error` says how.
  json Next() {
    beast::flat_buffer buffer;
    socket_.read(buffer, error);
    if (error) return nullptr;
    return json::parse(beast::buffers_to_string(buffer.data()));
  }
  json Hello(const std::string& uaid = "") {
    json hello = {{"messageType", "hello"}, {"use_webpush", true}};
    if (!uaid.empty()) hello["uaid"] = uaid;
    Say(hello);
    return Next();
  }
  std::string protocol() const {
    return std::string(response_[beast::http::field::sec_websocket_protocol]);
  }
  uint16_t close_code() const { return socket_.reason().code; }
  tcp::socket& tcp_socket() { return socket_.next_layer(); }

  beast::error_code error;

 private:
  asio::io_context io_;
  websocket::stream<tcp::socket> socket_{io_};
  websocket::response_type response_;
};

class AutopushServerTest : public testing::Test {
 protected:
  AutopushServerTest() : door_(LoadOrCreateBrowserDoor(dir_.path("browsers.json")).value()) {
    hub_.on_waiting = [this] { asio::post(io_, [this] { hub_.Run(); }); };
    server_ = std::make_unique<AutopushServer>(&io_, door_, getuid(), &hub_, RealClock());
    thread_ = std::thread([this] { io_.run(); });
  }
  ~AutopushServerTest() override { Stop(); }

  void Stop() {
    if (!thread_.joinable()) return;
    OnLoop([this] { server_.reset(); });
    work_.reset();
    io_.stop();
    thread_.join();
  }

  // Runs `what` where the server lives, and waits for it.
  void OnLoop(std::function<void()> what) {
    std::promise<void> done;
    asio::post(io_, [&] {
      what();
      done.set_value();
    });
    done.get_future().wait();
  }

  TempDir dir_;
  const BrowserDoor door_;
  asio::io_context io_;
  asio::executor_work_guard<asio::io_context::executor_type> work_{io_.get_executor()};
  FakeHub hub_;
  std::unique_ptr<AutopushServer> server_;
  std::thread thread_;
};

TEST_F(AutopushServerTest, ABrowserSubscribesAndGetsAMessage) {
  Browser browser;
  ASSERT_FALSE(browser.Connect(door_));
  EXPECT_EQ(browser.protocol(), "push-notification");
  const std::string uaid = browser.Hello()["uaid"];
  std::string key(kVapidKeyBytes, 'k');
  key[0] = '\x04';
  browser.Say(
      {{"messageType", "register"}, {"channelID", "c1"}, {"key", absl::WebSafeBase64Escape(key)}});
  EXPECT_EQ(browser.Next()["status"], 200);
  OnLoop([&] {
    hub_.Deliver({.instance = hub_.List(kBrowserInstancePrefix)[0].instance,
                  .message_id = "m1",
                  .payload = std::string(4096, '\xff'),
                  .encoding = "aes128gcm"});
  });
  const json notification = browser.Next();
  EXPECT_EQ(notification["version"], "m1");
  std::string payload;
  ASSERT_TRUE(absl::WebSafeBase64Unescape(std::string(notification["data"]), &payload));
  EXPECT_EQ(payload, std::string(4096, '\xff'));
  browser.Say({{"messageType", "ack"}, {"updates", {{{"channelID", "c1"}, {"version", "m1"}}}}});
  // Its answer comes after the acknowledgement was heard.
  browser.Say(json::object());
  EXPECT_EQ(browser.Next(), json::object());
  OnLoop([&] { EXPECT_EQ(hub_.acks().size(), 1u); });

  // A second connection with the same id takes over.
  Browser again;
  ASSERT_FALSE(again.Connect(door_));
  EXPECT_EQ(again.Hello(uaid)["uaid"], uaid);
  EXPECT_TRUE(browser.Next().is_null());
  EXPECT_EQ(browser.close_code(), kCloseReplaced);
}

TEST_F(AutopushServerTest, RefusesPagesAndOtherHosts) {
  const std::string target = "/" + door_.secret;
  for (const std::string& origin :
       {std::string("https://example.com"), std::string("null"), "http://" + door_.host()}) {
    EXPECT_TRUE(Browser().Connect(door_, target, door_.host(), origin)) << origin;
  }
  EXPECT_TRUE(Browser().Connect(door_, target, "rebound.example", door_.url()));
  EXPECT_TRUE(Browser().Connect(door_, "/" + std::string(32, '0'), door_.host(), door_.url()));
  EXPECT_TRUE(Browser().Connect(door_, "/", door_.host(), ""));
  EXPECT_FALSE(Browser().Connect(door_, target, door_.host(), ""));
}

// What a page can do without a WebSocket: it gets nothing either, and no permission to read it.
TEST_F(AutopushServerTest, RefusesPlainHttp) {
  for (const char* method : {"GET", "POST", "OPTIONS"}) {
    asio::io_context io;
    tcp::socket socket(io);
    socket.connect(tcp::endpoint(asio::ip::address_v4::loopback(), door_.port));
    asio::write(socket, asio::buffer(absl::StrCat(method, " /", door_.secret, " HTTP/1.1\r\nHost: ",
                                                  door_.host(), "\r\n\r\n")));
    std::string answer;
    boost::system::error_code error;
    asio::read(socket, asio::dynamic_buffer(answer), error);
    EXPECT_TRUE(absl::StartsWith(answer, "HTTP/1.1 400")) << answer;
    EXPECT_FALSE(absl::StrContains(answer, "Access-Control")) << answer;
  }
}

TEST_F(AutopushServerTest, RefusesAnotherUser) {
  if (getuid() != 0) GTEST_SKIP() << "SKIPPED: becoming another user needs root";
  const pid_t stranger = fork();
  if (stranger == 0) {
    if (setresuid(12345, 12345, 12345) != 0) _exit(2);
    // Closed without a byte, though it knows the secret.
    _exit(Browser().Connect(door_) ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(waitpid(stranger, &status, 0), stranger);
  EXPECT_EQ(status, 0);
  EXPECT_FALSE(Browser().Connect(door_));
}

TEST_F(AutopushServerTest, RefusesLargeMessagesAndNonsense) {
  Browser large;
  ASSERT_FALSE(large.Connect(door_));
  large.SayText(std::string(kMaxAutopushMessageBytes + 1, ' '));
  EXPECT_TRUE(large.Next().is_null());
  Browser nonsense;
  ASSERT_FALSE(nonsense.Connect(door_));
  nonsense.SayText("hello");
  EXPECT_TRUE(nonsense.Next().is_null());
  EXPECT_EQ(nonsense.close_code(), kCloseProtocolError);
}

TEST_F(AutopushServerTest, ConnectionsAreBounded) {
  std::vector<std::unique_ptr<Browser>> browsers;
  for (size_t i = 0; i < kMaxBrowserConnections; ++i) {
    browsers.push_back(std::make_unique<Browser>());
    ASSERT_FALSE(browsers.back()->Connect(door_)) << i;
    ASSERT_EQ(browsers.back()->Hello()["status"], 200);
  }
  EXPECT_TRUE(Browser().Connect(door_));
  browsers.back()->tcp_socket().close();
  // The place is free as soon as the end is noticed.
  bool connected = false;
  for (int i = 0; i < 1000 && !connected; ++i) connected = !Browser().Connect(door_);
  EXPECT_TRUE(connected);
  EXPECT_EQ(browsers.front()->Hello().is_null(), true);
}

TEST_F(AutopushServerTest, EndsWithItsConnections) {
  Browser browser;
  ASSERT_FALSE(browser.Connect(door_));
  ASSERT_EQ(browser.Hello()["status"], 200);
  asio::io_context io;
  tcp::socket silent(io);
  silent.connect(tcp::endpoint(asio::ip::address_v4::loopback(), door_.port));
  Stop();
  EXPECT_TRUE(browser.Next().is_null());
}

// Who may say what once it is let in: profiles of one user are kept apart, and nobody says anything
// before hello. Who is let in at all: RefusesPagesAndOtherHosts, RefusesAnotherUser.
TEST_F(AutopushServerTest, OnlyAllowedCellsOfTheMatrixPass) {
  static_assert(std::variant_size_v<AutopushRequest> == 7,
                "a new message has no row here: say who may send it");
  struct Row {
    std::string name;
    json message;
    // Whoever says it a second time is closed.
    bool others_are_closed;
  };
  std::string vapid_key(kVapidKeyBytes, 'k');
  vapid_key[0] = '\x04';
  const json registration = {{"messageType", "register"},
                             {"channelID", "c1"},
                             {"key", absl::WebSafeBase64Escape(vapid_key)}};
  const std::vector<Row> rows = {
      {"register", registration, false},
      {"unregister", {{"messageType", "unregister"}, {"channelID", "c1"}}, false},
      {"ack",
       {{"messageType", "ack"}, {"updates", {{{"channelID", "c1"}, {"version", "m1"}}}}},
       false},
      {"nack", {{"messageType", "nack"}, {"version", "m1"}, {"code", 301}}, false},
      {"broadcast_subscribe", {{"messageType", "broadcast_subscribe"}}, false},
      {"hello", {{"messageType", "hello"}, {"uaid", std::string(32, '0')}}, true},
  };
  // The profile that is attacked: it has a channel, and a message that it has not acknowledged.
  Browser owner;
  ASSERT_FALSE(owner.Connect(door_));
  ASSERT_EQ(owner.Hello()["status"], 200);
  owner.Say(registration);
  ASSERT_EQ(owner.Next()["status"], 200);
  std::string instance;
  OnLoop([&] {
    instance = hub_.List(kBrowserInstancePrefix)[0].instance;
    hub_.Deliver({.instance = instance, .message_id = "m1", .payload = "p"});
  });
  ASSERT_EQ(owner.Next()["version"], "m1");

  std::string table =
      "| message of a browser | before hello | another profile | the profile |\n"
      "| --- | --- | --- | --- |\n";
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    // Before hello: nothing but hello and a ping.
    Browser stranger;
    ASSERT_FALSE(stranger.Connect(door_));
    stranger.Say(row.message);
    const json answer = stranger.Next();
    if (row.name == "hello") {
      EXPECT_NE(answer["uaid"], std::string(32, '0')) << "nobody chooses an id";
    } else {
      EXPECT_TRUE(answer.is_null());
      EXPECT_EQ(stranger.close_code(), kCloseProtocolError);
    }
    // Another profile of the same user, with the same names.
    Browser other;
    ASSERT_FALSE(other.Connect(door_));
    ASSERT_EQ(other.Hello()["status"], 200);
    other.Say(row.message);
    other.Say(json::object());
    json last;
    // The answer, if there is one, and that of the ping.
    while (!(last = other.Next()).is_null() && !last.empty()) {
    }
    EXPECT_EQ(last.is_null(), row.others_are_closed);
    OnLoop([&] {
      EXPECT_TRUE(hub_.acks().empty()) << "the message is the owner's to acknowledge";
      EXPECT_NE(hub_.Find(instance), nullptr) << "and the subscription its to end";
    });
    absl::StrAppend(&table, "| ", row.name, " | ", row.name == "hello" ? "own" : "-", " | ",
                    row.others_are_closed ? "-" : "own", " | ", row.others_are_closed ? "-" : "yes",
                    " |\n");
  }
  // The owner itself: its second hello would end its connection, the rest does what it says.
  owner.Say(rows[2].message);
  owner.Say(json::object());
  EXPECT_EQ(owner.Next(), json::object());
  OnLoop([&] { EXPECT_EQ(hub_.acks().size(), 1u); });
  owner.Say(rows[1].message);
  EXPECT_EQ(owner.Next()["status"], 200);
  OnLoop([&] { EXPECT_EQ(hub_.Find(instance), nullptr); });
  std::ifstream file("docs/operate/security.md");
  std::stringstream page;
  page << file.rdbuf();
  EXPECT_TRUE(absl::StrContains(page.str(), table)) << table;
  std::cout << table;
}

TEST(AutopushServer, WaitsForItsPort) {
  TempDir dir;
  const BrowserDoor door = LoadOrCreateBrowserDoor(dir.path("browsers.json")).value();
  asio::io_context io;
  tcp::acceptor other(io, tcp::endpoint(asio::ip::address_v4::loopback(), door.port));
  FakeHub hub;
  AutopushServer server(&io, door, getuid(), &hub, RealClock());
  EXPECT_FALSE(server.is_listening());
}

}  // namespace
}  // namespace bellwire::companion
