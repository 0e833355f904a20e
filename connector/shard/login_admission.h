#ifndef BELLWIRE_CONNECTOR_SHARD_LOGIN_ADMISSION_H_
#define BELLWIRE_CONNECTOR_SHARD_LOGIN_ADMISSION_H_

#include <cstddef>
#include <cstdint>
#include <optional>

#include "absl/time/time.h"
#include "common/clock.h"
#include "common/limits.h"
#include "net/peers/by_peer.h"
#include "net/peers/peer_key.h"

namespace bellwire::connector {

// How many connections of a shard may be on their way from the start of TLS to Welcome, and who
// makes room. Whoever is not let in waits as a socket and nothing else (net/peers/waiting_room.h).
// Those let in get finished, so a crowd that comes back at once is served one after the other
// instead of all too late (docs/decisions/login_admission.md).
//
// Single-threaded.
class LoginAdmission {
 public:
  LoginAdmission() = default;
  LoginAdmission(const LoginAdmission&) = delete;
  LoginAdmission& operator=(const LoginAdmission&) = delete;

 private:
  // A connection whose peer has not logged in.
  struct Waiting {
    uint64_t session_id;
    // The start of TLS, or its end.
    MonotonicTime since;
  };
  using Line = net::ByPeer<Waiting>;

 public:
  // One connection, from the start of TLS until this is destroyed: Welcome, or its end.
  class Login {
   public:
    // `admission` outlives it. `peer` is whom the connection counts for.
    Login(LoginAdmission* admission, uint64_t session_id, const net::PeerKey& peer,
          MonotonicTime now);
    ~Login();
    Login(const Login&) = delete;
    Login& operator=(const Login&) = delete;

    // TLS is done: only the Login is missing.
    void AwaitLogin(MonotonicTime now);
    // The Login was good, and the registry is asked for the session.
    void AwaitRegistry(MonotonicTime now);

   private:
    LoginAdmission* const admission_;
    const uint64_t session_id_;
    const net::PeerKey peer_;
    // Where it waits; null: for the registry.
    Line* line_;
    Line::Entry* entry_;
  };

  // Whether another connection may come in. `ready_handshakes` wait for CPU time. While logins get
  // through, kMaxLoginsPerShard handshakes at a time are as many as can be finished; otherwise
  // those that are under way are going nowhere, and must not keep others out.
  bool HasRoom(size_t ready_handshakes, MonotonicTime now) const {
    return ready_handshakes < kMaxReadyHandshakes && at_registry_ < kMaxBindsPerShard &&
           unfinished() < kMaxUnfinishedLogins &&
           (in_tls_.size() < kMaxLoginsPerShard || !LoginsGetThrough(now));
  }
  // The session that is to make room: all places for those without a login are taken.
  std::optional<uint64_t> Overdue(MonotonicTime now) {
    return unfinished() < kMaxUnfinishedLogins ? std::nullopt : Dispensable(now);
  }
  // The session that is missed least: one that has been without a Login for kScarceLoginPause since
  // its TLS was done; or in TLS for as long, if its peer has more than a fair share of those; or in
  // TLS for kScarceLoginTimeout. Nullopt: there is none.
  std::optional<uint64_t> Dispensable(MonotonicTime now);

  // Logins in a second, or so, that are more than next to nobody.
  static constexpr int kGettingThrough = 32;

  size_t size() const { return unfinished() + at_registry_; }
  size_t at_registry() const { return at_registry_; }

 private:
  size_t unfinished() const { return in_tls_.size() + without_login_.size(); }
  bool LoginsGetThrough(MonotonicTime now) const {
    return now - second_began_ < absl::Seconds(2) &&
           logins_now_ + logins_before_ >= kGettingThrough;
  }

  Line in_tls_;
  Line without_login_;
  size_t at_registry_ = 0;
  // Good logins in the second that began then, and in the one before.
  MonotonicTime second_began_;
  int logins_now_ = 0;
  int logins_before_ = 0;
};

}  // namespace bellwire::connector

#endif  // BELLWIRE_CONNECTOR_SHARD_LOGIN_ADMISSION_H_
