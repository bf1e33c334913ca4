// The part of the contract of transports that is about ranks that leave, fail or give up.
#include <thread>

#include <tightwire/error.hpp>

#include "tests/collectives/transport_contract.hpp"

namespace tw::test {
namespace {

TEST_P(TransportContract, DeliversWhatWasDoneBeforeItsSenderLeft) {
  auto transports = connect(2);
  Bytes message = pattern(100'000, 5), room(100'000);
  std::jthread receiver;
  {
    Speaker sender(*transports[0]);
    const Request send = sender.send(1, 1, message);
    receiver = std::jthread([&] {
      Speaker speaker(*transports[1]);
      EXPECT_NO_THROW(speaker.finish(speaker.receive(0, 1, room)));
    });
    sender.finish(send);
    transports[0].reset();
  }
  receiver.join();
  EXPECT_EQ(room, message);
}

TEST_P(TransportContract, NamesARankThatLeftWhileWaitedFor) {
  auto transports = connect(3);
  on_ranks(3, [&](std::uint32_t rank) {
    if (rank == 1) return transports[1].reset();
    Speaker speaker(*transports[rank]);
    Bytes room(100);
    std::string message;
    try {
      speaker.finish(speaker.receive(1, 1, room));
      ADD_FAILURE() << "received what was never sent";
    } catch (const PeerError& error) {
      EXPECT_EQ(error.rank(), 1u) << error.what();
      message = error.what();
    }
    EXPECT_NE(message.find("rank 1"), std::string::npos) << message;
    expect_same_error_again(*transports[rank], message);
  });
}

TEST_P(TransportContract, LetsARankLeaveThatNobodyWaitsFor) {
  auto transports = connect(3);
  on_ranks(3, [&](std::uint32_t rank) {
    if (rank == 2) return transports[2].reset();
    Speaker speaker(*transports[rank]);
    for (std::uint32_t i = 0; i < 50; ++i) {
      Bytes message = pattern(2000, i), room(2000);
      const Request receive = speaker.receive(1 - rank, i, room);
      speaker.finish(speaker.send(1 - rank, i, message));
      speaker.finish(receive);
      EXPECT_EQ(room, message);
    }
  });
}

TEST_P(TransportContract, NeverHangsOnASendToARankThatLeft) {
  auto transports = connect(2);
  transports[1].reset();
  Speaker speaker(*transports[0]);
  Bytes message = pattern(8u << 20, 1);
  try {  // done, where the system below had taken it already, or an error: never neither
    speaker.finish(speaker.send(1, 1, message));
  } catch (const PeerError& error) {
    EXPECT_EQ(error.rank(), 1u) << error.what();
  }
}

TEST_P(TransportContract, AnAbortReachesAllAndNamesTheCulprit) {
  auto transports = connect(4);
  on_ranks(4, [&](std::uint32_t rank) {
    Speaker speaker(*transports[rank]);
    if (rank == 2) {
      for (const std::uint32_t peer : {0u, 1u, 3u}) speaker.hear(peer, kReady);
      transports[2]->abort(1, "it sent nonsense");
      return;
    }
    Bytes room(100);
    const Request receive = speaker.receive(2, 1, room);
    std::string message;
    try {
      speaker.tell(2, kReady);  // heard, it may bring the abort about before it is done
      speaker.run_until_failure();
    } catch (const PeerError& error) {
      EXPECT_EQ(error.rank(), 1u) << error.what();
      message = error.what();
    }
    EXPECT_NE(message.find("it sent nonsense"), std::string::npos) << message;
    expect_same_error_again(*transports[rank], message);
  });
}

TEST_P(OrderlyAbort, CountsMoreThanLeaving) {
  auto transports = connect(3);
  transports[2]->abort(1, "it sent nonsense");
  transports[2].reset();
  Speaker speaker(*transports[0]);
  Bytes message = pattern(100, 1), room(100);
  try {
    const Request send = speaker.send(2, 1, message), receive = speaker.receive(2, 1, room);
    speaker.run_until_failure();
  } catch (const PeerError& error) {
    EXPECT_EQ(error.rank(), 1u) << error.what();
  }
}

TEST_P(TransportContract, EndsWithMessagesUnderWay) {
  auto transports = connect(2);
  std::vector<Bytes> messages(2, pattern(4u << 20, 9)), rooms(2, Bytes(4u << 20));
  std::vector<std::vector<Request>> requests(2);
  for (std::uint32_t rank = 0; rank < 2; ++rank) {
    Speaker speaker(*transports[rank]);
    requests[rank].push_back(speaker.receive(1 - rank, 1, rooms[rank]));
    requests[rank].push_back(speaker.send(1 - rank, 1, messages[rank]));
    transports[rank]->progress(Deadline::in(0));
  }
  transports.clear();  // nothing may hang, nor touch the buffers later
}

}  // namespace
}  // namespace tw::test
