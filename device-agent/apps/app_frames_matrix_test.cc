// Every caller of the agent's socket against every frame, over the hub alone: nobody but an app
// itself touches what is the app's, and nobody but root and the agent's user what is the phone's. A
// new frame without a row fails. Prints the table of docs/operate/security.md, and holds the page
// against it. The same over real sockets and as real users: other_users_test.cc.

#include <fstream>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/simulated_clock.h"
#include "common/testing/temp_dir.h"
#include "device-agent/apps/app_hub.h"
#include "device-agent/apps/app_key.h"
#include "device-agent/testing/pushes.h"
#include "gtest/gtest.h"
#include "net/simulated/simulated_loop.h"
#include "net/socket/frame_codec.h"

namespace bellwire::agent {
namespace {

constexpr char kMail[] = "com.example.mail";
constexpr char kChat[] = "com.example.chat";
constexpr char kPage[] = "page";
constexpr uid_t kAlice = 1000;
constexpr uid_t kMallory = 2001;
constexpr uid_t kAgent = 900;
constexpr char kTokenOfApp[] = "token of the app";
constexpr char kTokenOfPage[] = "token of the page";
constexpr char kDevice[] = "the device's id";
// More than the agent looks for after the last frame that there is.
constexpr int kFieldsToTry = 64;

// The hub's end of a connection. Everything is read at once.
class TestStream final : public net::Stream {
 public:
  explicit TestStream(std::vector<v1::AgentFrame>* said) : said_(said) {}
  void SetDelegate(Delegate* delegate) override { delegate_ = delegate; }
  void Write(absl::string_view data) override {
    const absl::Status status = decoder_.Feed(data, [this](absl::string_view body) {
      said_->emplace_back().ParseFromString(std::string(body));
      return true;
    });
    EXPECT_TRUE(status.ok()) << status;
  }
  size_t buffered_bytes() const override { return 0; }
  void Close() override { delegate_ = nullptr; }
  void PauseReading() override {}
  void ResumeReading() override {}
  std::string peer_name() const override { return "app"; }

  Delegate* delegate() { return delegate_; }

 private:
  std::vector<v1::AgentFrame>* const said_;
  Delegate* delegate_ = nullptr;
  net::FrameDecoder decoder_{kMaxFrameBytes};
};

v1::AppFrame HelloOf(const std::string& app_id) {
  v1::AppFrame frame;
  frame.mutable_hello()->set_app_id(app_id);
  return frame;
}
v1::AppFrame HelloOfCompanion() {
  v1::AppFrame frame;
  frame.mutable_hello()->set_companion(true);
  return frame;
}

struct Caller {
  std::string name;
  AppOwner who;
  v1::AppFrame hello;
  bool pinned_elsewhere = false;
};

std::vector<Caller> Callers() {
  return {
      {"the app", {kAlice}, HelloOf(kMail)},
      {"another app of its user", {kAlice}, HelloOf(kChat)},
      {"its user, without an app id", {kAlice}, HelloOf("")},
      {"its app id, of another user", {kMallory}, HelloOf(kMail)},
      {"its app id, in a sandbox", {kAlice, "flatpak:org.example.Evil"}, HelloOf(kMail)},
      {"its app id, pinned elsewhere", {kMallory}, HelloOf(kMail), true},
      {"its user's companion", {kAlice}, HelloOfCompanion()},
      {"another user's companion", {kMallory}, HelloOfCompanion()},
      {"a sandbox that would be a companion", {kAlice, "snap:evil"}, HelloOfCompanion()},
      {"root", {0}, HelloOf("")},
      {"the agent's user", {kAgent}, HelloOf("")},
  };
}

// Frame by frame, one of each kind: about the app's things, as far as a frame can say so.
std::map<std::string, v1::AppFrame> Frames() {
  std::map<std::string, v1::AppFrame> frames;
  frames["Hello"].mutable_hello();  // Each caller's own.
  frames["Register"].mutable_register_();
  frames["Unregister"].mutable_unregister();
  for (uint64_t id = 1; id < 100; ++id) frames["Ack"].mutable_ack()->add_delivery_ids(id);
  frames["Ack of the page"] = frames["Ack"];
  frames["Ack of the page"].mutable_ack()->set_instance(kPage);
  frames["StatusRequest"].mutable_status_request();
  frames["SetActivity"].mutable_set_activity()->set_activity(v1::IDLE);
  frames["SetNetwork"].mutable_set_network()->set_kind(v1::SetNetwork::WIFI);
  frames["SetNetwork"].mutable_set_network()->set_name("home");
  frames["Subscribe"].mutable_subscribe()->set_instance(kPage);
  frames["Subscribe"].mutable_subscribe()->set_owner("firefox");
  frames["Unsubscribe"].mutable_unsubscribe()->set_instance(kPage);
  frames["ChangeTopic"].mutable_change_topic()->set_topic("news");
  frames["ChangeTopic"].mutable_change_topic()->set_subscribed(true);
  frames["Enroll"].mutable_enroll()->set_token("a token");
  return frames;
}

// A phone with the app and the page of Alice, each with a message that waits.
class Phone final : private AppHub::Owner {
 public:
  Phone() {
    const Subscription page = {.owner = "firefox"};
    EXPECT_TRUE(inbox_->Register(kAppKey, {kAlice, 1, kTokenOfApp, std::nullopt}).ok());
    EXPECT_TRUE(inbox_->Register(kPageKey, {kAlice, 2, kTokenOfPage, page}).ok());
    InboxBatch batch;
    batch.incoming.push_back(TestPush(1, 1, clock_));
    batch.incoming.push_back(TestPush(2, 2, clock_));
    EXPECT_TRUE(inbox_->Apply(batch).ok());
  }
  ~Phone() override {
    hub_.CloseAll();
    loop_.RunUntilIdle();
  }

  // What the frame comes to: "yes" touches what is the app's or the page's, "own" something of the
  // caller's own, "the phone" all of it; "-": nothing, or an error.
  std::string OutcomeOf(const Caller& caller, const std::string& name, const v1::AppFrame& frame) {
    if (caller.pinned_elsewhere) {
      auto policy = AppPolicy::Parse(absl::StrCat(kMail, " uid=", kAlice, "\n"));
      EXPECT_TRUE(policy.ok()) << policy.status();
      if (policy.ok()) hub_.SetPolicy(*std::move(policy));
    }
    auto owned = std::make_unique<TestStream>(&said_);
    stream_ = owned.get();
    hub_.Accept(std::move(owned), caller.who);
    Hear(caller.hello);
    if (name == "Hello") {
      if (HasError()) return "-";
      return hub_.IsConnected(kAppKey) || hub_.IsConnected(kPageKey) ? "yes" : "own";
    }
    // Whatever the frame needs before it.
    if (name != "Register" && name != "Subscribe" && !HasError()) {
      const std::string wanted = caller.hello.hello().companion()         ? "Subscribe"
                                 : !caller.hello.hello().app_id().empty() ? "Register"
                                                                          : "";
      if (!wanted.empty()) Hear(Frames().at(wanted));
    }
    said_.clear();
    touched_.clear();
    phone_ = false;
    Hear(frame);
    return Outcome();
  }

 private:
  static constexpr char kAppKey[] = "app:1000::com.example.mail";
  static constexpr char kPageKey[] = "sub:1000:page";

  void Hear(const v1::AppFrame& frame) {
    if (stream_->delegate() == nullptr) return;  // Closed before.
    std::string bytes;
    net::AppendFrame(frame.SerializeAsString(), &bytes);
    stream_->delegate()->OnData(bytes);
  }
  bool HasError() const {
    for (const v1::AgentFrame& frame : said_) {
      if (frame.has_error()) return true;
    }
    return false;
  }
  std::string Outcome() const {
    bool of_the_app = false;
    for (const std::string& key : touched_) of_the_app |= key == kAppKey || key == kPageKey;
    for (const v1::AgentFrame& frame : said_) {
      of_the_app |= frame.has_delivery() || frame.has_gap() ||
                    frame.registered().token() == kTokenOfApp ||
                    frame.subscribed().endpoint() == kTokenOfPage;
      for (const auto& app : frame.status().apps()) of_the_app |= app.uid() == kAlice;
      for (const auto& page : frame.status().subscriptions()) of_the_app |= page.uid() == kAlice;
      if (frame.status().device_id() == kDevice) return "the phone";
    }
    if (phone_) return "the phone";
    if (of_the_app) return "yes";
    if (HasError()) return "-";
    return said_.empty() && touched_.empty() ? "-" : "own";
  }

  void WantToken(const std::string& key, const AppOwner&, std::optional<Subscription>) override {
    touched_.push_back(key);
  }
  void UnwantToken(const std::string&) override {}
  void OnAppConnected(const std::string&) override {}
  void OnAppLeft(const std::string&) override {}
  int StartsOf(const std::string&) override { return 0; }
  absl::Status Unregister(const std::string& key) override {
    touched_.push_back(key);
    return absl::OkStatus();
  }
  void OnTaken(const std::string& key, std::vector<uint64_t>) override { touched_.push_back(key); }
  void ChangeTopic(const std::string& key, const AppOwner&, uint64_t,
                   const v1::ChangeTopic&) override {
    touched_.push_back(key);
  }
  void ForgetTopicChanges(const std::string&) override {}
  void SetActivity(v1::Activity) override { phone_ = true; }
  absl::Status SetNetwork(const v1::SetNetwork&) override {
    phone_ = true;
    return absl::OkStatus();
  }
  absl::StatusOr<bool> Enroll(const std::string&) override {
    phone_ = true;
    return false;
  }
  void FillStatus(v1::Status* status) override { status->set_device_id(kDevice); }

  SimulatedClock clock_;
  net::SimulatedLoop loop_{&clock_};
  TempDir dir_;
  std::unique_ptr<Inbox> inbox_ = *Inbox::Open(dir_.path("inbox.db"), &clock_);
  std::vector<v1::AgentFrame> said_;
  std::vector<std::string> touched_;
  bool phone_ = false;
  AppHub hub_{&loop_, inbox_.get(), kAgent, this};
  // The hub's.
  TestStream* stream_ = nullptr;
};

// What is allowed. A frame without a row is nobody's.
std::string Allowed(const std::string& frame, const std::string& caller) {
  static const auto* const kRows = new std::map<std::string, std::map<std::string, std::string>>{
      {"Hello",
       {{"the app", "yes"},
        {"another app of its user", "own"},
        {"its user, without an app id", "own"},
        {"its app id, of another user", "own"},
        {"its app id, in a sandbox", "own"},
        {"its user's companion", "yes"},
        {"another user's companion", "own"},
        {"root", "own"},
        {"the agent's user", "own"}}},
      {"Register",
       {{"the app", "yes"},
        {"another app of its user", "own"},
        {"its app id, of another user", "own"},
        {"its app id, in a sandbox", "own"}}},
      {"Unregister",
       {{"the app", "yes"},
        {"another app of its user", "own"},
        {"its app id, of another user", "own"},
        {"its app id, in a sandbox", "own"}}},
      {"Ack", {{"the app", "yes"}}},
      {"Ack of the page", {{"the app", "yes"}, {"its user's companion", "yes"}}},
      {"StatusRequest",
       {{"the app", "yes"},
        {"another app of its user", "yes"},
        {"its user, without an app id", "yes"},
        {"its app id, of another user", "own"},
        {"its app id, in a sandbox", "own"},
        {"its user's companion", "yes"},
        {"another user's companion", "own"},
        {"root", "the phone"},
        {"the agent's user", "the phone"}}},
      {"SetActivity", {{"root", "the phone"}, {"the agent's user", "the phone"}}},
      {"SetNetwork", {{"root", "the phone"}, {"the agent's user", "the phone"}}},
      {"Enroll", {{"root", "the phone"}, {"the agent's user", "the phone"}}},
      {"Subscribe", {{"its user's companion", "yes"}, {"another user's companion", "own"}}},
      {"Unsubscribe", {{"its user's companion", "yes"}, {"another user's companion", "own"}}},
      {"ChangeTopic",
       {{"the app", "yes"},
        {"another app of its user", "own"},
        {"its app id, of another user", "own"},
        {"its app id, in a sandbox", "own"}}},
  };
  const auto row = kRows->find(frame);
  if (row == kRows->end()) return "no row";
  const auto cell = row->second.find(caller);
  return cell == row->second.end() ? "-" : cell->second;
}

// agent.proto has no descriptors at run time (LITE_RUNTIME): a frame shows by its number.
TEST(AppFramesMatrixTest, EveryFrameHasARow) {
  std::map<int, std::string> known;
  for (const auto& [name, frame] : Frames()) {
    EXPECT_NE(Allowed(name, "the app"), "no row") << name;
    known[frame.body_case()] = name;
  }
  for (int field = 1; field <= kFieldsToTry; ++field) {
    // An empty message in this field: tag of wire type 2, and length 0.
    const uint32_t tag = static_cast<uint32_t>(field) << 3 | 2;
    std::string bytes;
    if (tag >= 0x80) bytes.push_back(static_cast<char>((tag & 0x7f) | 0x80));
    bytes.push_back(static_cast<char>(tag >= 0x80 ? tag >> 7 : tag));
    bytes.push_back('\0');
    v1::AppFrame frame;
    ASSERT_TRUE(frame.ParseFromString(bytes));
    if (frame.body_case() == v1::AppFrame::BODY_NOT_SET) continue;
    EXPECT_TRUE(known.contains(frame.body_case()))
        << "AppFrame has a frame with the number " << field << " that this test does not know";
  }
}

TEST(AppFramesMatrixTest, OnlyAllowedCellsPass) {
  std::ifstream file("docs/operate/security.md");
  std::stringstream page;
  page << file.rdbuf();
  std::string table;
  const auto add = [&](const std::string& line) {
    EXPECT_TRUE(absl::StrContains(page.str(), line))
        << "docs/operate/security.md doesn't say " << line;
    absl::StrAppend(&table, line);
  };
  const auto frames = Frames();
  std::string head = "| caller at the agent's socket |";
  for (const auto& [name, frame] : frames) absl::StrAppend(&head, " ", name, " |");
  add(absl::StrCat(head, "\n"));
  for (const Caller& caller : Callers()) {
    std::string line = absl::StrCat("| ", caller.name, " |");
    for (const auto& [name, frame] : frames) {
      Phone phone;
      const std::string outcome = phone.OutcomeOf(caller, name, frame);
      EXPECT_EQ(outcome, Allowed(name, caller.name)) << caller.name << " says " << name;
      absl::StrAppend(&line, " ", outcome, " |");
    }
    add(absl::StrCat(line, "\n"));
  }
  std::cout << table;
}

}  // namespace
}  // namespace bellwire::agent
