#include "device-agent/apps/peer_identity.h"

#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "gtest/gtest.h"

extern "C" {  // Which glibc 2.36 forgets.
#include <sys/pidfd.h>
}

namespace bellwire::agent {
namespace {

constexpr char kUser[] = "0::/user.slice/user-1000.slice/user@1000.service/app.slice/";

TEST(SandboxOfCgroupTest, KnowsThoseWhoKeepAppsApart) {
  EXPECT_EQ(SandboxOfCgroup(std::string(kUser) + "app-flatpak-org.example.Mail-4711.scope\n"),
            "flatpak:org.example.Mail");
  EXPECT_EQ(SandboxOfCgroup(std::string(kUser) + "app-flatpak-org.my-app.Mail-1.scope/below"),
            "flatpak:org.my-app.Mail");
  EXPECT_EQ(SandboxOfCgroup(std::string(kUser) + "snap.mail.gui-0123-4567.scope"), "snap:mail");
  EXPECT_EQ(SandboxOfCgroup("0::/system.slice/snap.mail.daemon.service"), "snap:mail");
  EXPECT_EQ(SandboxOfCgroup("0::/system.slice/system-bellwire\\x2dapp.slice/"
                            "bellwire-app@com.example.mail.service"),
            "unit:bellwire-app@com.example.mail");
  EXPECT_EQ(SandboxOfCgroup("12:cpu:/x\n1:name=systemd:/user.slice/app-flatpak-a.b-2.scope\n"),
            "flatpak:a.b");
}

TEST(SandboxOfCgroupTest, WhateverElseIsNone) {
  for (const char* cgroup :
       {"", "0::/", "nonsense", "0::/user.slice/user-1000.slice/session-3.scope",
        "0::/x/app-gnome-org.example.Mail-12.scope", "0::/x/app-flatpak-org.example.Mail.scope",
        "0::/x/app-flatpak--1.scope", "0::/x/app-flatpak-a.b-1x.scope", "0::/x/snap..scope",
        "12:cpu:/app-flatpak-a.b-2.scope"}) {
    EXPECT_EQ(SandboxOfCgroup(cgroup), "") << cgroup;
  }
  EXPECT_EQ(SandboxOfCgroup(std::string(kUser) + "bellwire-app@com.example.mail.service"), "")
      << "any user can name a unit of his own so";
}

TEST(SandboxOfFlatpakInfoTest, IsItsApplication) {
  EXPECT_EQ(SandboxOfFlatpakInfo("[Application]\nname=org.example.Mail\nruntime=x\n"),
            "flatpak:org.example.Mail");
  EXPECT_EQ(SandboxOfFlatpakInfo("[Instance]\nname=org.example.Mail\n[Application]\n"), "");
  EXPECT_EQ(SandboxOfFlatpakInfo("[Runtime]\nname=org.example.Platform\n"), "");
  EXPECT_EQ(SandboxOfFlatpakInfo(""), "");
}

TEST(IdentifyPeerTest, ALivingProcessIsWhoItIs) {
  const int fd = pidfd_open(getpid(), 0);
  ASSERT_GE(fd, 0);
  const auto peer = IdentifyPeer({.uid = 1000, .gid = 1000, .pid = getpid(), .pidfd = fd});
  ASSERT_TRUE(peer.ok()) << peer.status();
  EXPECT_EQ(peer->owner.uid, 1000u);
  EXPECT_EQ(peer->executable, std::filesystem::read_symlink("/proc/self/exe"));
  close(fd);
}

TEST(IdentifyPeerTest, OneThatIsGoneIsNobody) {
  const pid_t pid = fork();
  if (pid == 0) _exit(0);
  const int fd = pidfd_open(pid, 0);
  ASSERT_GE(fd, 0);
  ASSERT_EQ(waitpid(pid, nullptr, 0), pid);
  // Its number may be another's by now.
  EXPECT_FALSE(IdentifyPeer({.uid = 1000, .gid = 1000, .pid = getpid(), .pidfd = fd}).ok());
  close(fd);
  EXPECT_FALSE(IdentifyPeer({.uid = 1000, .gid = 1000, .pid = pid, .pidfd = -1}).ok())
      << "an old kernel knows that much too";
}

TEST(IdentifyPeerTest, OfAnotherNamespaceTheUserIsAllThatIsKnown) {
  const auto peer = IdentifyPeer({.uid = 1000, .gid = 1000, .pid = 0, .pidfd = -1});
  ASSERT_TRUE(peer.ok()) << peer.status();
  EXPECT_EQ(peer->owner, AppOwner(1000));
  EXPECT_EQ(peer->executable, "");
}

}  // namespace
}  // namespace bellwire::agent
