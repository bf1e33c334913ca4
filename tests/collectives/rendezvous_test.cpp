// Ranks (threads here) that meet at the store of rank 0, and whom it turns away.
#include <gtest/gtest.h>

#include <atomic>
#include <barrier>
#include <thread>

#include <tightwire/connect.hpp>
#include <tightwire/error.hpp>

#include "collectives/rendezvous/callback_bootstrap.hpp"
#include "collectives/rendezvous/store_bootstrap.hpp"
#include "collectives/rendezvous/store_server.hpp"
#include "collectives/transport.hpp"
#include "tests/support/messages.hpp"
#include "tests/support/net.hpp"
#include "tests/support/ranks.hpp"

namespace tw {
namespace {

using test::Bytes;
using test::on_ranks;
using test::pattern;

LaunchInfo launch_of(std::uint32_t rank, std::uint32_t ranks, std::uint16_t port = 0) {
  LaunchInfo launch;
  launch.rank = rank;
  launch.ranks = ranks;
  launch.master_port = port;
  launch.run_id = "this run";
  return launch;
}

StoreBootstrap meet(const StoreServer& server, const LaunchInfo& launch, double seconds = 30) {
  return {launch, server.address(), Deadline::in(seconds)};
}

template <class ErrorType, class Call>
std::string error_of(const Call& call) {
  try {
    call();
  } catch (const ErrorType& error) {
    return error.what();
  }
  return "";
}

TEST(Rendezvous, GathersBlobsOfAnySizeByRank) {
  constexpr std::uint32_t kRanks = 4;
  StoreServer server(test::loopback(), kRanks, "this run");
  on_ranks(kRanks, [&](std::uint32_t rank) {
    StoreBootstrap bootstrap = meet(server, launch_of(rank, kRanks));
    EXPECT_EQ(bootstrap.local_host(), "127.0.0.1");
    const auto size_of = [](std::uint32_t r, std::uint32_t round) { return std::size_t{r} * round * 100'000; };
    for (std::uint32_t round = 0; round < 4; ++round) {
      const auto gathered = bootstrap.all_gather(pattern(size_of(rank, round), rank), "test", Deadline::in(30));
      ASSERT_EQ(gathered.size(), kRanks);
      for (std::uint32_t r = 0; r < kRanks; ++r) EXPECT_EQ(gathered[r], pattern(size_of(r, round), r));
    }
    bootstrap.leave(Deadline::in(30));
  });
  server.wait_until_left(Deadline::in(30));
}

TEST(Rendezvous, NamesARankThatDoesNotCome) {
  StoreServer server(test::loopback(), 3, "this run");
  on_ranks(2, [&](std::uint32_t rank) {
    StoreBootstrap bootstrap = meet(server, launch_of(rank, 3));
    try {
      bootstrap.all_gather({}, "roll call", Deadline::in(0.2));
      ADD_FAILURE() << "rank 2 never came";
    } catch (const PeerError& error) {
      EXPECT_EQ(error.rank(), 2u);
      const std::string expected = "rank 2 of 3 did not come to the roll call at " + server.address().text();
      EXPECT_NE(std::string(error.what()).find(expected), std::string::npos) << error.what();
      bootstrap.fail(error.rank(), error.what());
    }
  });
}

TEST(Rendezvous, OneRanksFailureIsToldToAll) {
  StoreServer server(test::loopback(), 3, "this run");
  on_ranks(2, [&](std::uint32_t rank) {
    if (rank == 1) return meet(server, launch_of(rank, 3)).fail(2, "rank 2 is not worth waiting for");
    const std::string error = error_of<PeerError>([&] {  // on entering, or on waiting
      meet(server, launch_of(rank, 3)).all_gather({}, "roll call", Deadline::in(30));
    });
    EXPECT_EQ(error, "rank 2 is not worth waiting for");
  });
}

TEST(Rendezvous, NamesARankThatDiesThere) {
  StoreServer server(test::loopback(), 2, "this run");
  StoreBootstrap bootstrap = meet(server, launch_of(0, 2));
  { const StoreBootstrap dies = meet(server, launch_of(1, 2)); }
  const std::string error = error_of<PeerError>([&] { bootstrap.all_gather({}, "roll call", Deadline::in(30)); });
  EXPECT_EQ(error, "rank 1 left the rendezvous before all were connected");
}

TEST(Rendezvous, RefusesWhoeverDoesNotBelongHere) {
  StoreServer server(test::loopback(), 2, "this run");
  const StoreBootstrap first = meet(server, launch_of(1, 2));
  const auto refusal = [&](const LaunchInfo& launch) { return error_of<UsageError>([&] { meet(server, launch); }); };
  const std::string begin = "the rendezvous at " + server.address().text() + " refuses rank ";
  EXPECT_EQ(refusal(launch_of(1, 2)),
            begin + "1: another process is rank 1 already; every process needs a rank of its own");
  EXPECT_EQ(refusal(launch_of(2, 3)), begin + "2: this process was started with 3 ranks, rank 0 with 2");
  EXPECT_EQ(refusal(launch_of(7, 2)), begin + "7: rank 7 of 2 cannot be");
  LaunchInfo foreign = launch_of(0, 2);
  foreign.run_id = "that run";
  EXPECT_EQ(refusal(foreign),
            begin + "0: another run meets here: its run id is not 'that run'; choose another MASTER_PORT");
}

TEST(Rendezvous, ALateStarterFindsThePreviousMeetingOverAndWaitsForTheNext) {
  const std::uint16_t port = test::free_port();
  std::optional<StoreServer> server(std::in_place, test::loopback(port), 2u, "this run");
  meet(*server, launch_of(1, 2)).leave(Deadline::in(30));
  std::jthread again([&] {
    StoreBootstrap bootstrap(launch_of(1, 2), test::loopback(port), Deadline::in(30));
    bootstrap.all_gather({}, "second meeting", Deadline::in(30));
    bootstrap.leave(Deadline::in(30));
  });
  server.reset();
  server.emplace(test::loopback(port), 2u, "this run");
  StoreBootstrap bootstrap = meet(*server, launch_of(0, 2));
  EXPECT_EQ(bootstrap.all_gather({}, "second meeting", Deadline::in(30)).size(), 2u);
  bootstrap.leave(Deadline::in(30));
  server->wait_until_left(Deadline::in(30));
}

TEST(Rendezvous, SaysThatNobodyOpenedIt) {
  const std::string place = "127.0.0.1:" + std::to_string(test::free_port());
  const std::uint16_t port = static_cast<std::uint16_t>(std::stoi(place.substr(10)));
  EXPECT_EQ(error_of<PeerError>([&] { StoreBootstrap(launch_of(1, 2), test::loopback(port), Deadline::in(0.1)); }),
            "rank 0 did not open the rendezvous at " + place + " by the deadline: rank 1 could not meet it there");
}

TEST(Rendezvous, SaysThatItsPortIsInUse) {
  const Descriptor other = listen_at(test::loopback(), 1);
  LaunchInfo launch = launch_of(0, 2, local_address(other).port());
  const std::string error = error_of<SystemError>([&] { connect(launch, {}); });
  EXPECT_NE(error.find(local_address(other).text() + ": Address already in use"), std::string::npos) << error;
  EXPECT_NE(error.find("MASTER_PORT"), std::string::npos) << error;
}

TEST(Rendezvous, DropsStrangersAndOversizedClaims) {
  StoreServer server(test::loopback(), 2, "this run");
  StoreHello long_id;
  long_id.run_id_bytes = 0xffffffff;
  for (const std::string& junk : {std::string("GET / HTTP/1.1\r\n\r\n"), std::string(400, 'x'),
                                  std::string(reinterpret_cast<const char*>(&long_id), sizeof long_id)}) {
    const Descriptor socket = test::stranger(server.address(), junk);
    EXPECT_TRUE(test::closed_by(socket, Deadline::in(30)));
  }
  // A member that claims a value of 4 GiB is cut off, and nothing is allocated for it.
  StoreHello hello;
  hello.rank = 1;
  hello.ranks = 2;
  hello.run_id_bytes = 8;
  const StoreRequest huge{StoreVerb::set, 1, 0xffffffff, 0};
  std::string bytes(reinterpret_cast<const char*>(&hello), sizeof hello);
  bytes.append("this run").append(reinterpret_cast<const char*>(&huge), sizeof huge);
  StoreBootstrap bootstrap = meet(server, launch_of(0, 2));
  const Descriptor socket = test::stranger(server.address(), bytes);
  EXPECT_TRUE(test::closed_by(socket, Deadline::in(30)));
  EXPECT_EQ(error_of<PeerError>([&] { bootstrap.all_gather({}, "roll call", Deadline::in(30)); }),
            "rank 1 left the rendezvous before all were connected");
}

TEST(Rendezvous, MembersMeetInAFloodOfStrangers) {
  StoreServer server(test::loopback(), 2, "this run");
  std::vector<Descriptor> flood;
  for (int i = 0; i < 200; ++i) flood.push_back(test::stranger(server.address(), ""));
  on_ranks(2, [&](std::uint32_t rank) {
    StoreBootstrap bootstrap = meet(server, launch_of(rank, 2));
    EXPECT_EQ(bootstrap.all_gather({}, "roll call", Deadline::in(30)).size(), 2u);
    bootstrap.leave(Deadline::in(30));
  });
}

// An all-gather as a user would bring it.
class UsersGather {
 public:
  explicit UsersGather(std::uint32_t ranks) : blobs_(ranks), barrier_(ranks) {}
  AllGatherCallback of(std::uint32_t rank) {
    return [this, rank](std::span<const std::byte> in, std::span<std::byte> out) {
      blobs_[rank].assign(in.begin(), in.end());
      barrier_.arrive_and_wait();
      auto to = out.begin();
      for (const Bytes& blob : blobs_) to = std::copy(blob.begin(), blob.end(), to);
      barrier_.arrive_and_wait();
    };
  }

 private:
  std::vector<Bytes> blobs_;
  std::barrier<> barrier_;
};

TEST(CallbackBootstrap, GathersBlobsOfAnySize) {
  UsersGather gather(3);
  on_ranks(3, [&](std::uint32_t rank) {
    CallbackBootstrap bootstrap(rank, 3, gather.of(rank));
    for (const std::size_t unit : {std::size_t{1000}, std::size_t{0}}) {
      const auto gathered = bootstrap.all_gather(pattern(rank * unit, rank), "test", Deadline::in(1));
      for (std::uint32_t r = 0; r < 3; ++r) EXPECT_EQ(gathered[r], pattern(r * unit, r));
    }
  });
}

TEST(CallbackBootstrap, RefusesAnAllGatherThatPutsBytesElsewhere) {
  CallbackBootstrap bootstrap(1, 2, [](std::span<const std::byte> in, std::span<std::byte> out) {
    std::fill(out.begin(), out.end(), std::byte{0});
    std::copy(in.begin(), in.end(), out.begin());
  });
  EXPECT_THROW(bootstrap.all_gather(pattern(5, 1), "test", Deadline::in(1)), UsageError);
}

// Everybody says its rank to everybody.
void say_ranks(Transport& transport) {
  test::Speaker speaker(transport);
  for (std::uint32_t peer = 0; peer < transport.ranks(); ++peer) {
    Bytes own(1, static_cast<std::byte>(transport.rank())), room(1);
    const Request receive = speaker.receive(peer, 1, room);
    speaker.finish(speaker.send(peer, 1, own));
    speaker.finish(receive);
    EXPECT_EQ(room[0], static_cast<std::byte>(peer));
  }
}

TEST(Connect, ByALaunch) {
  constexpr std::uint32_t kRanks = 3;
  const std::uint16_t port = test::free_port();
  for (int communicator = 0; communicator < 2; ++communicator)  // one after another at the same port
    on_ranks(kRanks, [&](std::uint32_t rank) { say_ranks(*connect(launch_of(rank, kRanks, port), {})); });
}

TEST(Connect, ByAUsersAllGather) {
  UsersGather gather(3);
  on_ranks(3, [&](std::uint32_t rank) { say_ranks(*connect(rank, 3, gather.of(rank), {.interface = "lo"})); });
}

TEST(Connect, OneRankNeedsNobody) { say_ranks(*connect(LaunchInfo{}, {})); }

TEST(Connect, RefusesAnUnknownInterfaceOnAllRanks) {
  const std::uint16_t port = test::free_port();
  on_ranks(2, [&](std::uint32_t rank) {
    const std::string error = error_of<Error>([&] { connect(launch_of(rank, 2, port), {.interface = "nowhere0"}); });
    EXPECT_NE(error.find("no network interface 'nowhere0' with an IP address; there are: "), std::string::npos)
        << error;
  });
}

TEST(Connect, RefusesAHostWithoutAddress) {
  LaunchInfo launch = launch_of(1, 2, 1);
  launch.master_addr = "no.such.host.invalid";
  EXPECT_NE(error_of<UsageError>([&] { connect(launch, {}); }).find("no.such.host.invalid"), std::string::npos);
}

}  // namespace
}  // namespace tw
