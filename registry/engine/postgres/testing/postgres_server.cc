#include "registry/engine/postgres/testing/postgres_server.h"

#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <postgresql/libpq-fe.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <system_error>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/clock.h"

namespace bellwire::registry {
namespace {

constexpr char kPrograms[] = "/usr/lib/postgresql/15/bin/";
constexpr absl::Duration kPatience = absl::Seconds(60);
constexpr char kUser[] = "bellwire";

// PostgreSQL takes no port 0.
int FreePort() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  if (bind(fd, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    abort();
  }
  close(fd);
  return ntohs(address.sin_port);
}

}  // namespace

PostgresServer::PostgresServer(Options options) : options_(std::move(options)) {
  if (options_.tcp) port_ = FreePort();
  uid_ = getuid();
  gid_ = getgid();
  if (uid_ == 0) {
    const passwd* user = getpwnam("postgres");
    if (user == nullptr) user = getpwnam("nobody");
    if (user == nullptr) Fail("there is no user but root");
    uid_ = user->pw_uid;
    gid_ = user->pw_gid;
  }
  std::string path = "/tmp/bellwire-pg.XXXXXX";
  if (mkdtemp(path.data()) == nullptr) Fail("mkdtemp failed");
  directory_ = path;
  if (chown(path.c_str(), uid_, gid_) != 0) Fail("chown failed");
  if (options_.primary == nullptr) {
    Run({absl::StrCat(kPrograms, "initdb"), "-D", data(), "-U", kUser, "-A", "trust", "-E", "UTF8",
         "--locale=C", "--no-sync", "--no-instructions"});
  } else {
    Run({absl::StrCat(kPrograms, "pg_basebackup"), "-D", data(), "-d",
         options_.primary->Database("postgres"), "-R", "-X", "stream", "-c", "fast", "--no-sync"});
  }
  Start();
}

PostgresServer::~PostgresServer() {
  if (pid_ != 0) {
    kill(pid_, SIGQUIT);
    Wait(std::exchange(pid_, 0));
  }
  for (std::thread& reader : readers_) reader.join();
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

std::string PostgresServer::Database(absl::string_view name) const {
  // On a machine with other work beside.
  return absl::StrCat("connect_timeout=60 host=", directory_, " port=", port_, " user=",
                      kUser, " dbname=", name);
}

std::string PostgresServer::NewDatabase() {
  const std::string name = absl::StrCat("d", ++databases_);
  Sql("CREATE DATABASE " + name);
  return Database(name);
}

void PostgresServer::Start() {
  // After a kill its children may still be about to notice.
  const MonotonicTime deadline = RealClock()->Monotonic() + kPatience;
  while (true) {
    std::vector<std::string> arguments = {absl::StrCat(kPrograms, "postgres"), "-D", data()};
    std::vector<std::string> settings = {
        options_.tcp ? "listen_addresses=127.0.0.1" : "listen_addresses=",
        absl::StrCat("port=", port_), "unix_socket_directories=" + directory_,
        "max_connections=30", "shared_buffers=16MB", "cluster_name=" + options_.name,
        absl::StrCat("fsync=", options_.fsync ? "on" : "off"),
        // What is replicated to a new standby at once, and quick to find when a primary is gone.
        "wal_receiver_status_interval=1", "wal_retrieve_retry_interval=100ms"};
    settings.insert(settings.end(), options_.settings.begin(), options_.settings.end());
    for (const std::string& setting : settings) {
      arguments.push_back("-c");
      arguments.push_back(setting);
    }
    pid_ = Spawn(arguments);
    log_ = outputs_.back().get();
    if (LogHas("database system is ready to accept")) return;
    Wait(std::exchange(pid_, 0));
    if (RealClock()->Monotonic() > deadline) Fail("the server doesn't start");
  }
}

void PostgresServer::Kill() {
  kill(pid_, SIGKILL);
  Wait(std::exchange(pid_, 0));
}

void PostgresServer::Stop() {
  kill(pid_, SIGINT);
  Wait(std::exchange(pid_, 0));
}

void PostgresServer::Promote() {
  Run({absl::StrCat(kPrograms, "pg_ctl"), "promote", "-D", data(), "-w"});
}

PostgresServer::Session::Session(PostgresServer& server, absl::string_view database_name)
    : server_(server), conn_(PQconnectdb(server.Database(database_name).c_str())) {
  if (PQstatus(conn_) != CONNECTION_OK) server_.Fail(PQerrorMessage(conn_));
}

PostgresServer::Session::~Session() { PQfinish(conn_); }

std::string PostgresServer::Session::Run(const std::string& sql) {
  PGresult* const result = PQexec(conn_, sql.c_str());
  const ExecStatusType status = PQresultStatus(result);
  if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
    server_.Fail(absl::StrCat(sql, ": ", PQerrorMessage(conn_)));
  }
  std::string value = PQntuples(result) > 0 ? PQgetvalue(result, 0, 0) : "";
  PQclear(result);
  return value;
}

std::string PostgresServer::Sql(absl::string_view database_name, const std::string& sql) {
  return Session(*this, database_name).Run(sql);
}

void PostgresServer::Set(const std::string& name, const std::string& value) {
  Sql(absl::StrCat("ALTER SYSTEM SET ", name, " = '", value, "'"));
  Sql("SELECT pg_reload_conf()");
  WaitUntil(absl::StrCat("SELECT current_setting('", name, "') = '", value, "'"));
}

void PostgresServer::WriteFile(const std::string& name, const std::string& text) {
  const std::string path = data() + "/" + name;
  std::ofstream(path) << text;
  if (chmod(path.c_str(), 0600) != 0 || chown(path.c_str(), uid_, gid_) != 0) Fail("chmod failed");
}

void PostgresServer::UseHba(const std::string& text) {
  std::ofstream(data() + "/pg_hba.conf") << text;
  Sql("SELECT pg_reload_conf()");
  WaitForLog("received SIGHUP, reloading configuration files");
}

void PostgresServer::WaitUntil(const std::string& sql) {
  const MonotonicTime deadline = RealClock()->Monotonic() + kPatience;
  while (Sql(sql) != "t") {
    if (RealClock()->Monotonic() > deadline) Fail(absl::StrCat("it doesn't become true: ", sql));
  }
}

void PostgresServer::WaitForLog(absl::string_view text) {
  if (!LogHas(text)) Fail(absl::StrCat("the log doesn't say: ", text));
}

bool PostgresServer::LogHas(absl::string_view text) {
  absl::MutexLock lock(&log_->mutex);
  const auto has = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(log_->mutex) {
    return absl::StrContains(log_->text, text) || log_->ended;
  };
  log_->mutex.AwaitWithTimeout(absl::Condition(&has), kPatience);
  return absl::StrContains(log_->text, text);
}

void PostgresServer::Run(const std::vector<std::string>& arguments) {
  if (Wait(Spawn(arguments)) != 0) Fail(absl::StrCat(arguments[0], " failed"));
}

pid_t PostgresServer::Spawn(const std::vector<std::string>& arguments) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) Fail("pipe2 failed");
  std::vector<char*> argv;
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  const bool change_user = getuid() == 0;
  const pid_t pid = fork();
  if (pid == 0) {
    if (change_user && (setgroups(0, nullptr) != 0 || setgid(gid_) != 0 || setuid(uid_) != 0)) {
      _exit(126);
    }
    // It goes with this program, however that ends.
    prctl(PR_SET_PDEATHSIG, SIGQUIT);
    dup2(ends[1], STDOUT_FILENO);
    dup2(ends[1], STDERR_FILENO);
    if (chdir("/") != 0) _exit(126);
    execv(argv[0], argv.data());
    _exit(127);
  }
  close(ends[1]);
  if (pid < 0) Fail("fork failed");
  Output* const output = outputs_.emplace_back(std::make_unique<Output>()).get();
  readers_.emplace_back([output, fd = ends[0]] {
    char buffer[4096];
    ssize_t size = 0;
    while ((size = read(fd, buffer, sizeof(buffer))) > 0) {
      absl::MutexLock lock(&output->mutex);
      output->text.append(buffer, static_cast<size_t>(size));
    }
    close(fd);
    absl::MutexLock lock(&output->mutex);
    output->ended = true;
  });
  return pid;
}

int PostgresServer::Wait(pid_t pid) {
  int status = 0;
  waitpid(pid, &status, 0);
  return status;
}

void PostgresServer::Fail(absl::string_view what) {
  fprintf(stderr, "PostgreSQL of the test: %s\n", std::string(what).c_str());
  for (const auto& output : outputs_) {
    absl::MutexLock lock(&output->mutex);
    fprintf(stderr, "%s\n", output->text.c_str());
  }
  if (pid_ != 0) kill(pid_, SIGQUIT);
  abort();
}

}  // namespace bellwire::registry
