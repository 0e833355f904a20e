#include "cli/doctor/facts/gather_companion.h"

#include "gtest/gtest.h"

namespace bellwire::cli {
namespace {

TEST(GatherCompanionTest, FindsTheSocketInABusAddress) {
  EXPECT_EQ(SocketOfBusAddress("unix:path=/run/user/1000/bus"), "/run/user/1000/bus");
  EXPECT_EQ(SocketOfBusAddress("unix:guid=a,path=/b;unix:path=/c"), "/b");
  EXPECT_EQ(SocketOfBusAddress("unix:abstract=/tmp/dbus-1,guid=a"), "@/tmp/dbus-1");
  EXPECT_EQ(SocketOfBusAddress("tcp:host=a,port=1"), "");
  EXPECT_EQ(SocketOfBusAddress(""), "");
}

}  // namespace
}  // namespace bellwire::cli
