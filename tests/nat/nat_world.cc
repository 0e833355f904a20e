#include "tests/nat/nat_world.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

namespace bellwire::tests {
namespace {

struct Addresses {
  // For ip(8).
  const char* family;
  const char* phone;
  const char* other_phone;
  // How the router's sides are called, and who is on the far one.
  const char* lan;
  const char* wan;
  const char* server;
  const char* prefix;
  const char* forwarding;
  // Where the server has to know the way to; empty: the router translates.
  const char* phone_network;
};
constexpr Addresses kV4 = {"-4",
                           "192.0.2.7",
                           "192.0.2.8",
                           "192.0.2.1",
                           "198.51.100.254",
                           "198.51.100.1",
                           "/24",
                           "/proc/sys/net/ipv4/ip_forward",
                           ""};
constexpr Addresses kV6 = {"-6",
                           "2001:db8:1::7",
                           "2001:db8:1::8",
                           "2001:db8:1::1",
                           "2001:db8:2::254",
                           "2001:db8:2::1",
                           "/64",
                           "/proc/sys/net/ipv6/conf/all/forwarding",
                           "2001:db8:1::/64"};

const Addresses& AddressesOf(Ip ip) { return ip == Ip::kV4 ? kV4 : kV6; }

std::string PathOf(pid_t holder) { return absl::StrCat("/proc/", holder, "/ns/net"); }

absl::Status Shell(const std::string& command) {
  FILE* const pipe = popen(absl::StrCat("exec 2>&1; ", command).c_str(), "re");
  if (pipe == nullptr) return absl::ErrnoToStatus(errno, "popen");
  std::string output;
  char buffer[4096];
  while (fgets(buffer, sizeof(buffer), pipe) != nullptr) output += buffer;
  const int status = pclose(pipe);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return absl::OkStatus();
  return absl::InternalError(absl::StrCat(command, ": ", output));
}

// No duplicate address detection: until it is over, a second or two after a link comes up, an
// interface has no address to ask for its neighbours with. Of interfaces that are made later.
constexpr char kNoDuplicateDetection[] = "echo 0 > /proc/sys/net/ipv6/conf/default/accept_dad";

// In the namespace of the caller.
int DeleteAllMappings() {
  const int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
  if (fd < 0) return errno;
  struct {
    nlmsghdr header;
    nfgenmsg body;
  } request = {};
  request.header.nlmsg_len = sizeof(request);
  request.header.nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_DELETE;
  request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
  request.body.nfgen_family = AF_UNSPEC;
  request.body.version = NFNETLINK_V0;
  struct {
    nlmsghdr header;
    nlmsgerr body;
  } answer = {};
  if (send(fd, &request, sizeof(request), 0) < 0 || recv(fd, &answer, sizeof(answer), 0) < 0) {
    return errno;
  }
  close(fd);
  return -answer.body.error;
}

}  // namespace

absl::StatusOr<std::unique_ptr<NetworkNamespace>> NetworkNamespace::New() {
  int ready[2];
  if (pipe2(ready, O_CLOEXEC) != 0) return absl::ErrnoToStatus(errno, "pipe");
  const pid_t pid = fork();
  if (pid < 0) return absl::ErrnoToStatus(errno, "fork");
  if (pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    const char ok = unshare(CLONE_NEWNET) == 0;
    if (write(ready[1], &ok, 1) == 1 && ok) {
      while (true) pause();
    }
    _exit(1);
  }
  close(ready[1]);
  char ok = 0;
  const bool told = read(ready[0], &ok, 1) == 1;
  close(ready[0]);
  std::unique_ptr<NetworkNamespace> made(new NetworkNamespace(pid));
  if (!told || !ok) return absl::PermissionDeniedError("unshare(CLONE_NEWNET) is refused");
  return made;
}

NetworkNamespace::~NetworkNamespace() {
  kill(holder_, SIGKILL);
  waitpid(holder_, nullptr, 0);
}

std::vector<std::string> NetworkNamespace::Launcher() const {
  return {"/usr/bin/nsenter", absl::StrCat("--net=", PathOf(holder_)), "--"};
}

absl::Status NetworkNamespace::Run(const std::string& command) const {
  return Shell(absl::StrCat("nsenter --net=", PathOf(holder_), " -- sh -ec '", command, "'"));
}

absl::Status EnterServerNamespace() {
  // Bazel's PATH for tests has them, a user's may not.
  setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
  for (const char* tool : {"ip", "nft", "nsenter"}) {
    if (!Shell(absl::StrCat("command -v ", tool)).ok()) {
      return absl::NotFoundError(absl::StrCat("the program \"", tool, "\" is missing"));
    }
  }
  if (unshare(CLONE_NEWNET) != 0) {
    return absl::PermissionDeniedError(
        absl::StrCat("unshare(CLONE_NEWNET): ", strerror(errno), " (CAP_SYS_ADMIN is needed)"));
  }
  if (absl::Status s = Shell("ip link set lo up"); !s.ok()) return s;
  // Some kernels have no NAT.
  return Shell(
      "nft 'add table ip probe; add chain ip probe post { type nat hook postrouting priority 100; "
      "}; "
      "add rule ip probe post masquerade; delete table ip probe'");
}

std::string NatWorld::ServerHost(Ip ip) {
  return ip == Ip::kV4 ? kV4.server : absl::StrCat("[", kV6.server, "]");
}

absl::Status NatWorld::Nft(const std::string& commands) const {
  // The family is written as $ip.
  return router_->Run(absl::StrCat(
      "nft \"", absl::StrReplaceAll(commands, {{"$ip", ip_ == Ip::kV4 ? "ip" : "ip6"}}), "\""));
}

std::string NatWorld::Settle(const std::string& address) const {
  const Addresses& addresses = AddressesOf(ip_);
  return absl::StrCat("\nip address replace ", address, addresses.prefix, " dev wlan0\nip ",
                      addresses.family, " route replace default via ", addresses.lan);
}

absl::StatusOr<std::unique_ptr<NatWorld>> NatWorld::New(Ip ip, absl::Duration nat_timeout) {
  std::unique_ptr<NatWorld> world(new NatWorld(ip));
  const Addresses& addresses = AddressesOf(ip);
  for (auto* part : {&world->router_, &world->phone_}) {
    auto made = NetworkNamespace::New();
    if (!made.ok()) return made.status();
    *part = std::move(*made);
  }
  const pid_t router = world->router_->holder();
  const pid_t phone = world->phone_->holder();
  absl::Status s;
  if (ip == Ip::kV6) {
    s = Shell(kNoDuplicateDetection);
    for (const auto* part : {&world->router_, &world->phone_}) {
      if (s.ok()) s = (*part)->Run(kNoDuplicateDetection);
    }
  }
  if (!s.ok()) return s;
  s = Shell(absl::StrCat(
      "ip link add internet type veth peer name wan netns ", router, " && ip address add ",
      addresses.server, addresses.prefix, " dev internet && ip link set internet up",
      // What was translated comes from the router itself.
      ip == Ip::kV6 ? absl::StrCat(" && ip -6 route add ", kV6.phone_network, " via ", kV6.wan)
                    : ""));
  if (!s.ok()) return s;
  s = world->router_->Run(absl::StrCat(
      "ip link add lan type veth peer name wlan0 netns ", phone, "\nip address add ", addresses.lan,
      addresses.prefix, " dev lan\nip link set lan up\nip address add ", addresses.wan,
      addresses.prefix, " dev wan\nip link set wan up\necho 1 > ", addresses.forwarding,
      "\ncd /proc/sys/net/netfilter\necho 0 > nf_conntrack_tcp_loose\necho ",
      absl::ToInt64Seconds(nat_timeout), " > nf_conntrack_tcp_timeout_established"));
  if (!s.ok()) return s;
  // ct state invalid: the middle of a connection that the router knows nothing of.
  s = world->Nft(
      "add table $ip filter"
      "; add chain $ip filter forward { type filter hook forward priority 0; }"
      "; add rule $ip filter forward ct state invalid drop"
      "; add table $ip hole");
  if (!s.ok()) return s;
  s = ip == Ip::kV4
          // Whatever is for the router itself was for a mapping that is gone.
          ? world->Nft(
                "add table ip nat"
                "; add chain ip nat post { type nat hook postrouting priority 100; }"
                "; add rule ip nat post oifname wan masquerade"
                "; add chain ip filter input { type filter hook input priority 0; }"
                "; add rule ip filter input iifname wan drop")
          : world->Nft("add rule ip6 filter forward iifname wan ct state new drop");
  if (!s.ok()) return s;
  s = world->phone_->Run(
      absl::StrCat("ip link set lo up\nip link set wlan0 up", world->Settle(addresses.phone)));
  if (!s.ok()) return s;
  return world;
}

NatWorld::~NatWorld() { Shell("ip link delete internet").IgnoreError(); }

absl::Status NatWorld::ForgetMappings() {
  const pid_t pid = fork();
  if (pid < 0) return absl::ErrnoToStatus(errno, "fork");
  if (pid == 0) {
    const int fd = open(PathOf(router_->holder()).c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0 || setns(fd, CLONE_NEWNET) != 0) _exit(255);
    _exit(DeleteAllMappings());
  }
  int status = 0;
  waitpid(pid, &status, 0);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return absl::OkStatus();
  return absl::InternalError(absl::StrCat("the router's mappings stay: ", status));
}

absl::Status NatWorld::BecomeBlackHole() {
  return Nft(
      "add chain $ip hole forward { type filter hook forward priority -1; }"
      "; add rule $ip hole forward drop");
}

absl::Status NatWorld::Recover() { return Nft("delete chain $ip hole forward"); }

absl::Status NatWorld::ChangeAddress() {
  const Addresses& addresses = AddressesOf(ip_);
  return phone_->Run(absl::StrCat("ip address del ", addresses.phone, addresses.prefix,
                                  " dev wlan0", Settle(addresses.other_phone)));
}

absl::Status NatWorld::LinkDown() { return phone_->Run("ip link set wlan0 down"); }

absl::Status NatWorld::LinkUp() {
  return phone_->Run(absl::StrCat("ip link set wlan0 up", Settle(AddressesOf(ip_).phone)));
}

}  // namespace bellwire::tests
