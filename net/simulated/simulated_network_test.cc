#include "net/simulated/simulated_network.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/simulated_clock.h"
#include "gtest/gtest.h"
#include "net/simulated/simulated_loop.h"
#include "net/simulated/test_peer.h"
#include "net/socket/close_reason.h"

namespace bellwire::net {
namespace {

class SimulatedNetworkTest : public testing::Test {
 protected:
  SimulatedNetworkTest() {
    network_.Listen("server:1",
                    [this](std::unique_ptr<Stream> stream) { server_.Take(std::move(stream)); });
  }
  void Connect(SimulatedNetwork::TicketSlot* ticket = nullptr) {
    client_ = TestPeer();
    server_ = TestPeer();
    client_.Take(network_.Connect("server:1", ticket));
    loop_.RunFor(absl::Seconds(1));
    ASSERT_TRUE(client_.open);
    ASSERT_TRUE(server_.open);
  }

  SimulatedClock clock_;
  SimulatedLoop loop_{&clock_};
  SimulatedNetwork network_{&loop_, 1};
  TestPeer client_;
  TestPeer server_;
};

TEST_F(SimulatedNetworkTest, CarriesBytesBothWaysWithLatency) {
  network_.set_link_options({.latency = absl::Milliseconds(10)});
  Connect();
  client_.stream->Write("hello");
  server_.stream->Write("welcome");
  EXPECT_EQ(network_.bytes_sent(), 12u);
  loop_.RunFor(absl::Milliseconds(9));
  EXPECT_EQ(server_.received, "");
  loop_.RunFor(absl::Milliseconds(1));
  EXPECT_EQ(server_.received, "hello");
  EXPECT_EQ(client_.received, "welcome");
}

TEST_F(SimulatedNetworkTest, OpensAfterTheRoundTripsOfTcpAndTls) {
  network_.set_link_options({.latency = absl::Milliseconds(10)});
  client_.Take(network_.Connect("server:1"));
  loop_.RunFor(absl::Milliseconds(39));
  EXPECT_FALSE(client_.open);
  loop_.RunFor(absl::Milliseconds(1));
  EXPECT_TRUE(client_.open);
  EXPECT_FALSE(server_.open);
  loop_.RunFor(absl::Milliseconds(10));
  EXPECT_TRUE(server_.open);
}

TEST_F(SimulatedNetworkTest, NobodyListens) {
  client_.Take(network_.Connect("server:2"));
  loop_.RunFor(absl::Seconds(1));
  EXPECT_EQ(client_.reason, kCannotConnect);
  EXPECT_EQ(network_.open_connections(), 0u);
}

TEST_F(SimulatedNetworkTest, CloseSendsTheRestAndThenAGoodbye) {
  network_.set_link_options({.buffer_bytes = 10});
  Connect();
  client_.stream->Write(std::string(25, 'x'));
  EXPECT_EQ(client_.stream->buffered_bytes(), 15u);
  client_.stream->Close();
  client_.stream.reset();
  loop_.RunFor(absl::Seconds(1));
  EXPECT_EQ(server_.received, std::string(25, 'x'));
  EXPECT_EQ(server_.reason, "OK");
  EXPECT_EQ(client_.closed, 0);
  EXPECT_EQ(network_.open_connections(), 0u);
}

TEST_F(SimulatedNetworkTest, DestroyingWithoutCloseCutsTheConnection) {
  Connect();
  client_.stream.reset();
  loop_.RunFor(absl::Seconds(1));
  EXPECT_EQ(server_.reason, kTruncated);
}

TEST_F(SimulatedNetworkTest, TheServerMayCloseBeforeTheHandshakeIsDone) {
  network_.Listen("server:1", [](std::unique_ptr<Stream> stream) { stream->Close(); });
  client_.Take(network_.Connect("server:1"));
  loop_.RunFor(absl::Seconds(1));
  EXPECT_FALSE(client_.open);
  EXPECT_EQ(client_.reason, kClosedInHandshake);
}

TEST_F(SimulatedNetworkTest, PartialReadsKeepTheOrder) {
  network_.set_link_options({.jitter = absl::Milliseconds(20), .max_read_bytes = 3});
  Connect();
  std::string sent;
  for (int i = 0; i < 50; ++i) {
    const std::string chunk = absl::StrCat("<", i, ">");
    client_.stream->Write(chunk);
    sent += chunk;
    loop_.RunFor(absl::Milliseconds(1));
  }
  loop_.RunFor(absl::Seconds(1));
  EXPECT_EQ(server_.received, sent);
  EXPECT_GT(server_.pieces, 50);
}

TEST_F(SimulatedNetworkTest, APausedReaderFillsTheSender) {
  network_.set_link_options({.buffer_bytes = 100});
  Connect();
  server_.stream->PauseReading();
  client_.stream->Write(std::string(150, 'x'));
  loop_.RunFor(absl::Minutes(1));
  EXPECT_EQ(server_.received, "");
  EXPECT_EQ(client_.stream->buffered_bytes(), 50u);
  EXPECT_EQ(client_.drained, 0);
  server_.stream->ResumeReading();
  loop_.RunFor(absl::Seconds(1));
  EXPECT_EQ(server_.received.size(), 150u);
  EXPECT_EQ(client_.stream->buffered_bytes(), 0u);
  EXPECT_EQ(client_.drained, 1);
}

TEST_F(SimulatedNetworkTest, ExportersMatchAndDifferBetweenConnections) {
  Connect();
  const std::string first = client_.stream->tls_exporter();
  EXPECT_EQ(first.size(), 32u);
  EXPECT_EQ(server_.stream->tls_exporter(), first);
  Connect();
  EXPECT_EQ(server_.stream->tls_exporter(), client_.stream->tls_exporter());
  EXPECT_NE(client_.stream->tls_exporter(), first);
}

TEST_F(SimulatedNetworkTest, TicketsCarryData) {
  SimulatedNetwork::TicketSlot ticket;
  Connect(&ticket);
  EXPECT_EQ(server_.stream->resumed_ticket_data(), "");
  server_.stream->SendTicket("device 7");
  loop_.RunFor(absl::Seconds(1));
  Connect(&ticket);
  EXPECT_EQ(server_.stream->resumed_ticket_data(), "device 7");
}

TEST_F(SimulatedNetworkTest, ACutHoldsEverythingUntilItIsMended) {
  Connect();
  network_.Cut("server:1");
  client_.stream->Write("a");
  TestPeer late, late_server;
  network_.Listen("server:1",
                  [&](std::unique_ptr<Stream> stream) { late_server.Take(std::move(stream)); });
  late.Take(network_.Connect("server:1"));
  loop_.RunFor(absl::Seconds(20));
  EXPECT_EQ(server_.received, "");
  EXPECT_FALSE(late.open);
  network_.Mend("server:1");
  loop_.RunFor(absl::Seconds(1));
  EXPECT_EQ(server_.received, "a");
  EXPECT_EQ(server_.closed + client_.closed, 0);
  EXPECT_TRUE(late.open);
}

TEST_F(SimulatedNetworkTest, ConnectingTimesOut) {
  network_.Cut("server:1");
  client_.Take(network_.Connect("server:1", nullptr, absl::Seconds(5)));
  loop_.RunFor(absl::Seconds(5));
  EXPECT_EQ(client_.reason, kConnectTimedOut);
}

TEST_F(SimulatedNetworkTest, AResetReachesBothEndsAndLosesWhatWasOnItsWay) {
  Connect();
  client_.stream->Write("lost");
  network_.Reset(client_.stream.get());
  EXPECT_EQ(client_.closed, 0) << "callbacks come from the loop";
  loop_.RunFor(absl::Seconds(1));
  EXPECT_EQ(client_.reason, kConnectionReset);
  EXPECT_EQ(server_.reason, kConnectionReset);
  EXPECT_EQ(server_.received, "");
}

TEST_F(SimulatedNetworkTest, AResetBeforeTheServerKnowsReachesTheClientAlone) {
  client_.Take(network_.Connect("server:1"));
  network_.Reset(client_.stream.get());
  loop_.RunFor(absl::Seconds(1));
  EXPECT_EQ(client_.reason, kConnectionReset);
  EXPECT_EQ(server_.stream, nullptr);
}

TEST_F(SimulatedNetworkTest, ABlackHoleTellsNobody) {
  Connect();
  network_.BlackHole(server_.stream.get());
  client_.stream->Write("x");
  server_.stream->Write("y");
  loop_.RunFor(absl::Hours(24));
  EXPECT_EQ(client_.received + server_.received, "");
  EXPECT_EQ(client_.closed + server_.closed, 0);
}

TEST_F(SimulatedNetworkTest, HalfOpen) {
  Connect();
  client_.stream->Write("last words");
  network_.Vanish(client_.stream.get());
  client_.stream->Write("of a ghost");
  server_.stream->Write("anybody?");
  loop_.RunFor(absl::Hours(1));
  client_.stream.reset();
  loop_.RunFor(absl::Hours(1));
  EXPECT_EQ(server_.received, "last words");
  EXPECT_EQ(server_.closed, 0);
  EXPECT_EQ(client_.received, "");
  EXPECT_EQ(client_.closed, 0);
}

TEST_F(SimulatedNetworkTest, StallsDelayAndResetsEndByChance) {
  network_.set_link_options({.stall_probability = 1, .stall = absl::Seconds(30)});
  Connect();
  client_.stream->Write("late");
  loop_.RunFor(absl::Seconds(29));
  EXPECT_EQ(server_.received, "");
  loop_.RunFor(absl::Seconds(1));
  EXPECT_EQ(server_.received, "late");

  network_.set_link_options({.reset_probability = 1});
  Connect();
  client_.stream->Write("never");
  loop_.RunFor(absl::Seconds(1));
  EXPECT_EQ(client_.reason, kConnectionReset);
}

TEST_F(SimulatedNetworkTest, AStreamMayBeDeletedInAnyCallback) {
  struct Quitter final : Stream::Delegate {
    void OnOpen() override {}
    void OnData(absl::string_view) override {
      ++calls;
      loop->DeleteLater(std::move(stream));
    }
    void OnClosed(const absl::Status&) override { ++calls; }
    SimulatedLoop* loop;
    std::unique_ptr<Stream> stream;
    int calls = 0;
  };
  Quitter quitter;
  quitter.loop = &loop_;
  network_.Listen("server:1", [&](std::unique_ptr<Stream> stream) {
    quitter.stream = std::move(stream);
    quitter.stream->SetDelegate(&quitter);
  });
  client_.Take(network_.Connect("server:1"));
  loop_.RunFor(absl::Seconds(1));
  client_.stream->Write("a");
  client_.stream->Write("b");
  loop_.RunFor(absl::Seconds(1));
  EXPECT_EQ(quitter.calls, 1);
  EXPECT_EQ(client_.reason, kTruncated);
}

// The promise that makes a failure of a simulated fleet repeatable.
TEST(SimulatedNetworkSeedTest, TheSameSeedGivesTheSameHistory) {
  const auto history = [](uint64_t seed) {
    SimulatedClock clock;
    SimulatedLoop loop(&clock);
    SimulatedNetwork network(&loop, seed);
    network.set_link_options({.jitter = absl::Milliseconds(50),
                              .max_read_bytes = 7,
                              .reset_probability = 0.01,
                              .stall_probability = 0.1});
    std::string log;
    struct Recorder final : Stream::Delegate {
      void OnOpen() override { Note("open"); }
      void OnData(absl::string_view data) override { Note(data); }
      void OnClosed(const absl::Status& status) override { Note(ErrorReason(status)); }
      void Note(absl::string_view what) {
        absl::StrAppend(log, name, " ", clock->Monotonic().nanoseconds(), " ", what, "\n");
      }
      std::string* log;
      const Clock* clock;
      std::string name;
      std::unique_ptr<Stream> stream;
    };
    std::vector<std::unique_ptr<Recorder>> ends;
    const auto record = [&](std::unique_ptr<Stream> stream) {
      ends.push_back(std::make_unique<Recorder>());
      Recorder& end = *ends.back();
      end.log = &log;
      end.clock = &clock;
      end.name = stream->peer_name();
      end.stream = std::move(stream);
      end.stream->SetDelegate(&end);
    };
    network.Listen("s", record);
    for (int i = 0; i < 10; ++i) record(network.Connect("s"));
    for (int round = 0; round < 50; ++round) {
      loop.RunFor(absl::Milliseconds(20));
      for (size_t i = 0; i < ends.size(); ++i) ends[i]->stream->Write(absl::StrCat(i, ".", round));
    }
    loop.RunFor(absl::Minutes(1));
    return log;
  };
  const std::string first = history(7);
  EXPECT_EQ(first, history(7));
  EXPECT_NE(first, history(8));
}

}  // namespace
}  // namespace bellwire::net
