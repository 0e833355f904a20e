#ifndef BELLWIRE_DEVICE_AGENT_APPS_APP_STARTER_H_
#define BELLWIRE_DEVICE_AGENT_APPS_APP_STARTER_H_

#include <cstddef>
#include <map>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/clock.h"

namespace bellwire::agent {

// Apps that are being started at a time: a phone that comes back to messages for fifty of them must
// not start fifty at once. The rest waits its turn.
inline constexpr size_t kMaxAppStarts = 4;
// An app that was started and took nothing is started again after the first of these at the
// earliest, then after twice as long, up to the last: an app that crashes must not cost a battery.
inline constexpr absl::Duration kAppStartWaitMin = absl::Minutes(1);
inline constexpr absl::Duration kAppStartWaitMax = absl::Hours(1);

// Decides when an app that is not running is started because messages wait for it. It wakes nobody
// for that: a start that has to wait is made when the phone is awake anyway, that is with a later
// Want() or OnEnded(). Holds only apps that are wanted, starting, or have failed to take anything.
// Pure and single-threaded.
class AppStarter {
 public:
  // Starts the app, and calls OnEnded once that is done, successful or not; not from inside. False:
  // it can't be tried now.
  using Start = absl::AnyInvocable<bool(const std::string& app_id)>;

  // The clock must outlive it.
  AppStarter(const Clock* clock, Start start) : clock_(clock), start_(std::move(start)) {}

  // Messages wait for the app, and it is not connected. Repeating it is harmless.
  void Want(absl::string_view app_id);
  // It is connected now: nothing is to be started. That it was may still be in vain.
  void OnConnected(absl::string_view app_id);
  // It took a message, or is gone for good: what was in vain is forgotten.
  void OnTook(absl::string_view app_id);
  // The start is done. Whether it helped is seen by whether the app connects.
  void OnEnded(absl::string_view app_id);

  // Starts since the app last took a message.
  int starts(absl::string_view app_id) const;
  // Apps that it holds.
  size_t size() const { return apps_.size(); }

 private:
  struct App {
    bool wanted = false;
    bool starting = false;
    int starts = 0;
    MonotonicTime not_before;
  };

  void StartWhatMay();
  void DropIfIdle(std::map<std::string, App, std::less<>>::iterator app);

  const Clock* const clock_;
  Start start_;
  std::map<std::string, App, std::less<>> apps_;
  size_t starting_ = 0;
};

}  // namespace bellwire::agent

#endif  // BELLWIRE_DEVICE_AGENT_APPS_APP_STARTER_H_
