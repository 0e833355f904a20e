#ifndef BELLWIRE_DEVICE_AGENT_APPS_APP_CONNECTION_H_
#define BELLWIRE_DEVICE_AGENT_APPS_APP_CONNECTION_H_

#include <sys/types.h>

#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "bellwire/agent/v1/agent.pb.h"
#include "device-agent/apps/app_channel.h"
#include "device-agent/apps/app_owner.h"
#include "net/loop/event_loop.h"
#include "net/socket/frame_codec.h"
#include "net/socket/stream.h"

namespace bellwire::agent {

// One app's or companion's connection to the agent: frames in and out, and where the conversation
// stands (kNew ──Hello──▶ kNamed, and any error ──▶ kClosed). What is allowed and what it means is
// AppHub's business. Single-threaded.
class AppConnection final : public net::Stream::Delegate {
 public:
  enum class State { kNew, kNamed, kClosed };

  class Owner {
   public:
    virtual ~Owner() = default;
    // From now on it can be sent something.
    virtual void OnAppOpen(AppConnection* connection) = 0;
    virtual void OnAppFrame(AppConnection* connection, const v1::AppFrame& frame) = 0;
    // What was written is gone: there is room again.
    virtual void OnAppDrained(AppConnection* connection) = 0;
    // It is told what is wrong and closed: for the log.
    virtual void OnAppRefused(const AppConnection& connection, v1::Error::Code code,
                              absl::string_view why) = 0;
    // The last call, once; the connection must not be destroyed inside.
    virtual void OnAppClosed(AppConnection* connection) = 0;
  };

  // `who` is who the kernel says the app is, and `executable` what it runs, if that is known
  // (peer_identity.h). It is closed if it doesn't name itself within kLoginTimeout. The others must
  // outlive the connection.
  AppConnection(std::unique_ptr<net::Stream> stream, AppOwner who, std::string executable,
                net::EventLoop* loop, Owner* owner);

  void Send(const v1::AgentFrame& frame);
  // Tells the app what is wrong, of a subscription if one is named; the connection stays.
  void SendError(v1::Error::Code code, absl::string_view message, const std::string& instance = "");
  // The same, and closes.
  void Fail(v1::Error::Code code, absl::string_view message);
  // Closes without a word.
  void Close();

  // Hello: from now on it speaks for the app with this key (app_key.h), or is the companion with
  // this key (subscription.h). Empty: for none, it only wants the status.
  void Name(absl::string_view key);

  State state() const { return state_; }
  const AppOwner& who() const { return who_; }
  const std::string& executable() const { return executable_; }
  const std::string& key() const { return key_; }
  // Whether the app has read what it was sent, as far as we can tell. While it hasn't, it is given
  // nothing and its requests wait: in the kernel, but for the few that were read already.
  bool has_room() const { return stream_->buffered_bytes() == 0; }

  // By key: an app's only one, or those of a companion that it has subscribed to. Each is at the
  // same place in memory as long as it is there.
  std::map<std::string, AppChannel, std::less<>> channels;
  // Those that are due (AppChannel::due), next one first.
  std::deque<AppChannel*> due;
  // ChangeTopics whose answers it was not sent yet, and the answers that wait for room.
  size_t open_topic_changes = 0;
  std::deque<v1::AgentFrame> topic_answers;

 private:
  void OnOpen() override { owner_->OnAppOpen(this); }
  void OnData(absl::string_view data) override;
  void OnDrained() override;
  void OnClosed(const absl::Status& status) override;
  // Hands the frames in `data` to the owner, or holds them until there is room.
  void TakeFrames(net::FrameDecoder* decoder, absl::string_view data);

  const std::unique_ptr<net::Stream> stream_;
  const AppOwner who_;
  const std::string executable_;
  Owner* const owner_;
  const std::unique_ptr<net::Timer> hello_timer_;
  net::FrameDecoder decoder_;
  State state_ = State::kNew;
  std::string key_;
  // Frames that were read and wait for room. Reading is paused while there are any.
  std::string held_;
};

}  // namespace bellwire::agent

#endif  // BELLWIRE_DEVICE_AGENT_APPS_APP_CONNECTION_H_
