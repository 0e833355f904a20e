#ifndef BELLWIRE_CONNECTOR_SHARD_LOGIN_ADMISSION_H_
#define BELLWIRE_CONNECTOR_SHARD_LOGIN_ADMISSION_H_

#include <cstddef>
#include <cstdint>
#include <list>
#include <optional>

#include "common/clock.h"
#include "common/limits.h"

namespace bellwire::connector {

// How many connections of a shard may be on their way from the start of TLS to Welcome. Who is not let in waits
// as a socket and nothing else (net/tls/tls_server.h), and no deadline of ours runs. What is let in gets finished, so
// a crowd that comes back at once is served one after the other instead of all too late
// (docs/decisions/login_admission.md).
//
// Single-threaded.
class LoginAdmission {
 public:
  LoginAdmission() = default;
  LoginAdmission(const LoginAdmission&) = delete;
  LoginAdmission& operator=(const LoginAdmission&) = delete;

  // A connection whose peer has not logged in.
  struct Waiting {
    uint64_t session_id;
    MonotonicTime since;
  };

  // One connection, from the start of TLS until this is destroyed: Welcome, or its end.
  class Login {
   public:
    // `admission` outlives it.
    Login(LoginAdmission* admission, uint64_t session_id, MonotonicTime now);
    ~Login();
    Login(const Login&) = delete;
    Login& operator=(const Login&) = delete;

    // The Login was good, and the registry is asked for the session.
    void AwaitRegistry(MonotonicTime now);

   private:
    LoginAdmission* const admission_;
    // Its own, until the registry is asked.
    std::list<Waiting>::iterator waiting_;
    bool at_registry_ = false;
  };

  // Whether another connection may come in. `ready_handshakes` wait for CPU time.
  bool HasRoom(size_t ready_handshakes) const {
    return ready_handshakes < kMaxReadyHandshakes && size() < kMaxLoginsPerShard &&
           at_registry_ < kMaxBindsPerShard;
  }
  // The session that is to make room for others: it is full, next to nobody gets through, and no other has kept its
  // place for longer without logging in, for more than kScarceLoginTimeout. So connections that are opened and left
  // alone can't keep everybody else out; and peers that are slow, all of them, are not sent away to come back.
  std::optional<uint64_t> Overdue(MonotonicTime now) const;
  // Logins in a second, or so, that are more than next to nobody.
  static constexpr int kGettingThrough = 32;

  size_t size() const { return at_peers_.size() + at_registry_; }
  size_t at_registry() const { return at_registry_; }

 private:
  // Wait for their peer, or for CPU time; the oldest first.
  std::list<Waiting> at_peers_;
  size_t at_registry_ = 0;
  // Good logins in the second that began then, and in the one before.
  MonotonicTime second_began_;
  int logins_now_ = 0;
  int logins_before_ = 0;
};

}  // namespace bellwire::connector

#endif  // BELLWIRE_CONNECTOR_SHARD_LOGIN_ADMISSION_H_
