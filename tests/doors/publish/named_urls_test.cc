// URLs that a client names are told to apps, or refused, and nobody connects to them (no request
// forgery by the server): over real processes, through curl, with a listener behind each URL.

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/synchronization/mutex.h"
#include "common/clock.h"
#include "common/testing/temp_dir.h"
#include "crypto/p256.h"
#include "gateway/testing/jwt_for_testing.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/support/app.h"
#include "tests/support/companion.h"
#include "tests/support/encrypted_body.h"
#include "tests/support/fleet.h"

namespace bellwire::tests {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::IsSubsetOf;
using Strings = std::vector<std::string>;

constexpr char kMail[] = "com.example.mail";
constexpr char kPublicUrl[] = "https://push.example.com";

// Two ports of loopback that accept nothing. The kernel completes connections all the same and
// keeps them: whoever connects is there to see afterwards, and waits for an answer that never
// comes.
class Trap {
 public:
  Trap() {
    sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    v4_ = Listen(reinterpret_cast<sockaddr*>(&v4), sizeof(v4));
    port_ = ntohs(v4.sin_port);
    sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    v6_ = Listen(reinterpret_cast<sockaddr*>(&v6), sizeof(v6));
    v6_port_ = ntohs(v6.sin6_port);
  }
  ~Trap() {
    close(v4_);
    if (v6_ >= 0) close(v6_);
  }
  Trap(const Trap&) = delete;
  Trap& operator=(const Trap&) = delete;

  std::string host() const { return absl::StrCat("127.0.0.1:", port_); }
  std::string by_name() const { return absl::StrCat("localhost:", port_); }
  std::string v6_host() const { return absl::StrCat("[::1]:", v6_port_); }
  std::string url() const { return absl::StrCat("http://", host(), "/trap"); }
  bool touched() const {
    // Without IPv6 the second is -1, which poll passes over.
    pollfd fds[] = {{v4_, POLLIN, 0}, {v6_, POLLIN, 0}};
    return poll(fds, 2, 0) != 0;
  }
  // Shows that it would have noticed.
  void Touch() const {
    sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port_), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    EXPECT_EQ(connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    close(fd);
  }

 private:
  // -1: there is no such address here. `address` gets its port.
  static int Listen(sockaddr* address, socklen_t size) {
    const int fd = socket(address->sa_family, SOCK_STREAM, 0);
    if (fd < 0) return -1;
    if (bind(fd, address, size) != 0 || listen(fd, 64) != 0 ||
        getsockname(fd, address, &size) != 0) {
      close(fd);
      return -1;
    }
    return fd;
  }

  int v4_ = -1;
  int v6_ = -1;
  uint16_t port_ = 0;
  uint16_t v6_port_ = 0;
};

class NamedUrlsTest : public testing::TestWithParam<Deployment> {
 protected:
  struct Answer {
    int status = 0;
    std::string head;
    std::string body;
    json value() const { return json::parse(body, nullptr, false); }
    friend std::ostream& operator<<(std::ostream& os, const Answer& answer) {
      return os << answer.status << "\n" << answer.head << answer.body;
    }
  };

  void SetUp() override {
    Fleet::Options options;
    options.more_connector_arguments = {"--public_url", kPublicUrl};
    options.more_gateway_arguments = {"--public_url", kPublicUrl};
    auto fleet = Fleet::Start(GetParam(), options);
    ASSERT_TRUE(fleet.ok()) << fleet.status();
    fleet_ = std::move(*fleet);
    phone_ = std::make_unique<Phone>(*fleet_, "phone");
    ASSERT_TRUE(phone_->Start().ok());
    companion_ =
        std::make_unique<Companion>(phone_->socket_path(), Strings{"page"},
                                    [this](const std::string&, const std::string& payload) {
                                      absl::MutexLock lock(&mutex_);
                                      taken_.push_back(payload);
                                    });
    endpoint_ = companion_->WaitForEndpoint("page");
    ASSERT_TRUE(absl::StartsWith(endpoint_, absl::StrCat(kPublicUrl, "/wpush/"))) << endpoint_;
    path_ = endpoint_.substr(std::string(kPublicUrl).size());
  }

  // The server has answered, and the devices have what it took.
  void ExpectUntouched() {
    EXPECT_FALSE(trap_.touched());
    ExpectNoOutwardSocket();
    // Nor later: whatever they had left to do, they have done when they are gone.
    EXPECT_TRUE(fleet_->gateway(0).Terminate().ok());
    EXPECT_TRUE(phone_->agent().Terminate().ok());
    fleet_->KillAll();
    EXPECT_FALSE(trap_.touched());
    trap_.Touch();
    EXPECT_TRUE(trap_.touched());
  }
  // Each process of the server is connected to its configured peers and to nothing else.
  void ExpectNoOutwardSocket() {
    for (Process* const process : {&fleet_->gateway(0), &fleet_->gateway(1), &fleet_->connector(0),
                                   &fleet_->connector(1), &fleet_->registry()}) {
      EXPECT_THAT(OutwardSockets(process->pid()), IsSubsetOf(fleet_->internal_addresses()));
    }
  }

  // curl's answer. `arguments` may use $URL, $HOST (of the provider port) and $CA.
  Answer Curl(const std::string& arguments) const {
    const std::string script = dir_.path("run.sh");
    std::ofstream(script) << "URL=https://" << fleet_->provider_address()
                          << "\nHOST=" << fleet_->provider_address() << "\nCA=" << fleet_->ca_file()
                          << "\ncurl -sS -m 30 --cacert $CA -D " << dir_.path("head") << " -o "
                          << dir_.path("body") << " -w '%{http_code}' " << arguments << "\n";
    EXPECT_EQ(
        system(absl::StrCat("sh ", script, " > ", dir_.path("status"), " 2> ", dir_.path("error"))
                   .c_str()),
        0)
        << arguments << ": " << Read("error");
    return {.status = atoi(Read("status").c_str()), .head = Read("head"), .body = Read("body")};
  }
  std::string Read(const std::string& name) const {
    std::ifstream file(dir_.path(name));
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
  }
  // For curl: -d @file.
  std::string Body(const std::string& bytes) const {
    const std::string path = dir_.path("sent");
    std::ofstream(path, std::ios::binary) << bytes;
    return absl::StrCat(" --data-binary @", path, " ");
  }
  Strings WaitForTaken(size_t n) {
    EXPECT_TRUE(WaitUntil([&] {
      absl::MutexLock lock(&mutex_);
      return taken_.size() >= n;
    }));
    absl::MutexLock lock(&mutex_);
    return taken_;
  }

  const Trap trap_;
  const TempDir dir_;
  std::unique_ptr<Fleet> fleet_;
  std::unique_ptr<Phone> phone_;
  absl::Mutex mutex_;
  Strings taken_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<Companion> companion_;
  std::string endpoint_;
  // Of the endpoint.
  std::string path_;
};

TEST_P(NamedUrlsTest, APushkeyElsewhereIsRejected) {
  // Each has a good token, and would be ours for somebody who reads URLs carelessly.
  Strings foreign;
  for (const std::string& origin : Strings{
           absl::StrCat("http://", trap_.host()),
           absl::StrCat("https://", trap_.host()),
           absl::StrCat("https://", trap_.by_name()),
           absl::StrCat("https://", trap_.v6_host()),
           absl::StrCat("//", trap_.host()),
           absl::StrCat(kPublicUrl, "@", trap_.host()),
           absl::StrCat(kPublicUrl, ":443@", trap_.host()),
           absl::StrCat(kPublicUrl, ".", trap_.host()),
           absl::StrCat(kPublicUrl, "#@", trap_.host()),
           absl::StrCat(kPublicUrl, "?@", trap_.host()),
           absl::StrCat(kPublicUrl, "\\@", trap_.host()),
           absl::StrCat(kPublicUrl, "/..//", trap_.host()),
           absl::StrCat(kPublicUrl, "\r\n", "https://", trap_.host()),
           absl::StrCat(" https://", trap_.host()),
           absl::StrCat("https://me@", std::string(kPublicUrl).substr(8)),
           absl::StrCat("http://", std::string(kPublicUrl).substr(8)),
           absl::StrCat(kPublicUrl, ":7443"),
       }) {
    foreign.push_back(origin + path_);
  }
  for (const std::string& url :
       {trap_.url(), absl::StrCat("ftp://", trap_.host(), path_), std::string("file:///etc/passwd"),
        absl::StrCat(endpoint_, "?next=", trap_.url()), absl::StrCat(endpoint_, "#", trap_.url()),
        absl::StrCat(endpoint_, "/../", trap_.url()), path_}) {
    foreign.push_back(url);
  }
  json notification = {{"event_id", "$1"},
                       {"room_id", "!r:example.com"},
                       {"sender", absl::StrCat("@me:", trap_.host())},
                       {"prio", "high"},
                       {"url", trap_.url()},
                       {"content", {{"msgtype", "m.image"}, {"url", trap_.url()}}}};
  for (const std::string& pushkey : foreign) {
    notification["devices"].push_back(
        {{"app_id", "a"}, {"pushkey", pushkey}, {"data", {{"url", trap_.url()}, {"format", "x"}}}});
  }
  notification["devices"].push_back(
      {{"app_id", "a"}, {"pushkey", endpoint_}, {"data", {{"url", trap_.url()}}}});
  const Answer answer = Curl(absl::StrCat("$URL/_matrix/push/v1/notify",
                                          Body(json{{"notification", notification}}.dump())));
  EXPECT_EQ(answer.status, 200) << answer;
  EXPECT_EQ(answer.value()["rejected"], json(foreign)) << answer;
  const Strings taken = WaitForTaken(1);
  ASSERT_EQ(taken.size(), 1u);
  EXPECT_EQ(json::parse(taken[0])["notification"]["content"]["url"], trap_.url());
  ExpectUntouched();
}

TEST_P(NamedUrlsTest, WhatAWebPushNamesIsNotAsked) {
  const EvpPkeyPtr key = *GenerateP256Key();
  // As if the key, and who sends, were there to fetch.
  const std::string jwt = gateway::SignJwtForTesting(
      {.extra_headers_json =
           json{{"jku", trap_.url()}, {"x5u", trap_.url()}, {"kid", trap_.url()}}.dump(),
       .extra_claims_json =
           json{{"aud", kPublicUrl},
                {"iss", trap_.url()},
                {"sub", trap_.url()},
                {"exp", absl::ToUnixSeconds(RealClock()->WallNow() + absl::Hours(1))}}
               .dump()},
      PrivateKeyPem(key.get()));
  const std::string fields = absl::StrReplaceAll(
      "-H 'ttl: 60' -H 'content-encoding: aes128gcm' -H 'prefer: respond-async' "
      "-H 'link: <TRAP>; rel=\"urn:ietf:params:push:receipt\"' -H 'push-receipt: <TRAP>' "
      "-H 'location: TRAP' -H 'content-location: TRAP' -H 'referer: TRAP' -H 'origin: TRAP' "
      "-H 'callback: TRAP' -H 'crypto-key: keyid=TRAP' -H 'forwarded: for=\"HOST\";host=\"HOST\"' "
      "-H 'x-forwarded-host: HOST' -H 'x-forwarded-for: 127.0.0.1' ",
      {{"TRAP", trap_.url()}, {"HOST", trap_.host()}});
  const std::string credential =
      absl::StrCat("-H 'authorization: vapid t=", jwt,
                   ", k=", absl::WebSafeBase64Escape(PublicKeyDer(key.get()).substr(26)), "' ");
  int sent = 0;
  for (const std::string& more : {std::string("--http2 "), std::string("--http1.1 "), credential,
                                  absl::StrCat("--http1.1 -H 'host: ", trap_.host(), "' "),
                                  absl::StrCat("--http2 -H 'host: ", trap_.by_name(), "' ")}) {
    const Answer answer = Curl(absl::StrCat(more, fields, Body(Encrypted("x")), "$URL", path_));
    EXPECT_EQ(answer.status, 201) << more << answer;
    // Nor is what the client says of our name repeated to anybody.
    EXPECT_THAT(answer.head, HasSubstr(absl::StrCat("ocation: ", kPublicUrl, "/wpush/m/"))) << more;
    EXPECT_THAT(answer.head, testing::Not(HasSubstr(trap_.host())));
    ++sent;
  }
  EXPECT_EQ(WaitForTaken(sent).size(), static_cast<size_t>(sent));
  // No proxy either. The authority of a target in absolute form is whom the client means by us.
  const Answer pushed = Curl(absl::StrCat("-x $URL --proxy-cacert $CA --http1.1 ", fields,
                                          Body(Encrypted("x")), "http://", trap_.host(), path_));
  EXPECT_EQ(pushed.status, 201) << pushed;
  const Answer fetched = Curl(absl::StrCat("-x $URL --proxy-cacert $CA ", trap_.url()));
  EXPECT_EQ(fetched.status, 404) << fetched;
  for (const char* version : {"--http1.1", "--http2"}) {
    const Answer tunnel = Curl(absl::StrCat("--path-as-is -X CONNECT ", version,
                                            " --request-target ", trap_.host(), " $URL || true"));
    EXPECT_NE(tunnel.status / 100, 2) << tunnel;
  }
  ExpectUntouched();
}

TEST_P(NamedUrlsTest, WhatAPublisherNamesIsForTheApp) {
  auto provider = Provider::Create(*fleet_, {kMail});
  ASSERT_TRUE(provider.ok()) << provider.status();
  App app(phone_->socket_path(), kMail);
  const std::string token = app.WaitForToken();
  ASSERT_NE(token, "");
  ASSERT_EQ(system(absl::StrCat("cli/bellwire alias create ", provider->team_id(), " phone ", token,
                                " --server ", fleet_->provider_address(), " --data_dir ",
                                fleet_->data_dir(), " > ", dir_.path("alias"))
                       .c_str()),
            0);
  const std::string authorization =
      absl::StrCat("-H 'authorization: ", provider->authorization(), "' ");
  const std::string url = trap_.url();
  const json actions = {{{"action", "http"}, {"label", "Do"}, {"url", url}, {"method", "GET"}},
                        {{"action", "view"}, {"label", "See"}, {"url", url}}};
  const auto expect_told = [&](const Answer& answer) {
    ASSERT_EQ(answer.status, 200) << answer;
    const json value = answer.value();
    EXPECT_EQ(value["click"], url);
    EXPECT_EQ(value["icon"], url);
    EXPECT_EQ(value["attachment"]["url"], url);
    EXPECT_EQ(value["actions"][0]["url"], url);
    EXPECT_EQ(value["actions"][1]["url"], url);
    // Its size, type and end are known to whoever has fetched it.
    EXPECT_EQ(value["attachment"].size(), 2u) << value;
  };
  expect_told(Curl(absl::StrCat(authorization, "-H 'click: ", url, "' -H 'icon: ", url,
                                "' -H 'attach: ", url, "' -H 'actions: ", actions.dump(),
                                "' -d hello $URL/ntfy/phone")));
  expect_told(Curl(absl::StrCat(authorization, "-H 'actions: http, Do, ", url, "; view, See, ", url,
                                "' -d hello \"$URL/ntfy/phone?click=", url, "&icon=", url,
                                "&attach=", url, "\"")));
  expect_told(Curl(absl::StrCat(authorization,
                                Body(json{{"topic", "phone"},
                                          {"message", "hello"},
                                          {"click", url},
                                          {"icon", url},
                                          {"attach", url},
                                          {"actions", actions}}
                                         .dump()),
                                "$URL/ntfy")));
  // What it would have to send somewhere itself is refused.
  for (const char* field : {"email: me@localhost", "call: yes"}) {
    EXPECT_EQ(Curl(absl::StrCat(authorization, "-H '", field, "' -d x $URL/ntfy/phone")).status,
              400)
        << field;
  }
  // A JWT that says where its key is.
  const std::string forged =
      gateway::SignJwtForTesting({.key_id = url,
                                  .team_id = provider->team_id(),
                                  .issued_at = RealClock()->WallNow(),
                                  .extra_headers_json = json{{"jku", url}, {"x5u", url}}.dump()},
                                 PrivateKeyPem(GenerateP256Key()->get()));
  EXPECT_EQ(Curl(absl::StrCat("-H 'authorization: Bearer ", forged, "' ",
                              Body(json{{"token", token}, {"payload", "aGk="}}.dump()),
                              "$URL/v1/messages"))
                .status,
            401);
  EXPECT_EQ(Curl(absl::StrCat(authorization, "-H 'host: ", trap_.host(), "' -H 'callback: ", url,
                              "' ", Body(json{{"token", token}, {"payload", "aGk="}}.dump()),
                              "$URL/v1/messages"))
                .status,
            200);
  EXPECT_TRUE(app.WaitForTaken(4));
  ExpectUntouched();
}

TEST_P(NamedUrlsTest, AServerConnectsToItsPeersAndAPhoneToItsServer) {
  ExpectNoOutwardSocket();
  const Strings of_phone = OutwardSockets(phone_->agent().pid());
  // So the look at the sockets sees what there is.
  ASSERT_EQ(of_phone.size(), 1u);
  EXPECT_THAT(of_phone, IsSubsetOf({fleet_->device_address(0), fleet_->device_address(1)}));
  if (GetParam() == Deployment::kEmbedded) {
    EXPECT_THAT(OutwardSockets(fleet_->gateway(0).pid()), IsEmpty());
  } else {
    EXPECT_THAT(OutwardSockets(fleet_->connector(0).pid()), testing::Not(IsEmpty()));
  }
}

INSTANTIATE_TEST_SUITE_P(Deployments, NamedUrlsTest,
                         testing::Values(Deployment::kEmbedded, Deployment::kSeparate),
                         [](const auto& info) { return DeploymentName(info.param); });

}  // namespace
}  // namespace bellwire::tests
