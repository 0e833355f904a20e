#ifndef BELLWIRE_REGISTRY_ENGINE_POSTGRES_TESTING_POSTGRES_SERVER_H_
#define BELLWIRE_REGISTRY_ENGINE_POSTGRES_TESTING_POSTGRES_SERVER_H_

#include <sys/types.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"

struct pg_conn;

namespace bellwire::registry {

// A real PostgreSQL with a data directory of its own, in /tmp (a socket's path is short). It
// listens on a socket there. It refuses to run as root: then it runs as the user postgres, or
// nobody.
//
// Everything that fails ends the test program with the server's log.
//
// Not thread-safe.
class PostgresServer {
 public:
  struct Options {
    // Names it as a standby.
    std::string name = "primary";
    // A copy of this one, which follows it. Null: a new database.
    PostgresServer* primary = nullptr;
    // Whether it syncs its files.
    bool fsync = false;
    // NAME=VALUE.
    std::vector<std::string> settings;
    // It listens on a free port of 127.0.0.1, too.
    bool tcp = false;
  };

  PostgresServer() : PostgresServer(Options()) {}
  explicit PostgresServer(Options options);
  // Ends it at once, and removes its files.
  ~PostgresServer();
  PostgresServer(const PostgresServer&) = delete;
  PostgresServer& operator=(const PostgresServer&) = delete;

  // The directory of its socket, which is a `host` for libpq.
  const std::string& host() const { return directory_; }
  std::string data() const { return directory_ + "/data"; }
  // A connection string.
  std::string Database(absl::string_view name) const;
  // Of Options::tcp.
  int port() const { return port_; }
  // A new and empty one: its connection string.
  std::string NewDatabase();

  // A connection that stays, of the superuser.
  class Session {
   public:
    Session(PostgresServer& server, absl::string_view database_name);
    ~Session();
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;
    // Answers the first column of the first row.
    std::string Run(const std::string& sql);

   private:
    PostgresServer& server_;
    pg_conn* const conn_;
  };

  // Runs it as the superuser, and answers the first column of the first row.
  std::string Sql(absl::string_view database_name, const std::string& sql);
  // In the database "postgres".
  std::string Sql(const std::string& sql) { return Sql("postgres", sql); }
  // Sets a setting for good, and waits until the server has it.
  void Set(const std::string& name, const std::string& value);

  // Writes a file into the data directory that nobody but the server reads: its name is a path for
  // settings.
  void WriteFile(const std::string& name, const std::string& text);
  // Replaces pg_hba.conf.
  void UseHba(const std::string& text);

  // SIGKILL to the postmaster; its children notice.
  void Kill();
  // Disconnects everybody and ends, as after `pg_ctl stop -m fast`.
  void Stop();
  // Starts it again.
  void Start();
  bool is_running() const { return pid_ != 0; }
  // Makes a primary of a standby.
  void Promote();

  // Waits until the log has this text since the last start.
  void WaitForLog(absl::string_view text);
  // Waits until the statement answers "t".
  void WaitUntil(const std::string& sql);

 private:
  void Run(const std::vector<std::string>& arguments);
  // What a program has written.
  struct Output {
    absl::Mutex mutex;
    std::string text ABSL_GUARDED_BY(mutex);
    bool ended ABSL_GUARDED_BY(mutex) = false;
  };
  // Starts a program as the server's user, and makes its output the last one.
  pid_t Spawn(const std::vector<std::string>& arguments);
  int Wait(pid_t pid);
  // Waits for it, or until the server has ended.
  bool LogHas(absl::string_view text);
  [[noreturn]] void Fail(absl::string_view what);

  const Options options_;
  std::string directory_;
  uid_t uid_ = 0;
  gid_t gid_ = 0;
  pid_t pid_ = 0;
  int port_ = 5432;
  int databases_ = 0;
  std::vector<std::unique_ptr<Output>> outputs_;
  // Of the server that runs.
  Output* log_ = nullptr;
  std::vector<std::thread> readers_;
};

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_ENGINE_POSTGRES_TESTING_POSTGRES_SERVER_H_
