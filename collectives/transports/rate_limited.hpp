// rate_limited:gbit=1,burst=131072,inner=(...): every rank behind a link of its own, held to a rate both ways, as a
// token bucket filter would. Where no real network can be shaped, this stands in for one.
//
// A message is handed down when its last byte would have left (messages leave one after another, whatever their peer),
// and shows at the receiver when its last byte would have come in: at once on an idle link, else behind what comes in
// already. A late call of progress delays messages but wastes no capacity of the sender's link.
#pragma once

#include <chrono>
#include <cstdint>

#include <tightwire/deadline.hpp>

#include "collectives/transports/table.hpp"
#include "compress/params.hpp"

namespace tw {

/// One direction of a link: `burst` bytes pass at once after a pause, then `rate` bytes a second.
class TokenBucket {
 public:
  using Time = Deadline::Clock::time_point;
  TokenBucket(double bytes_per_second, double burst_bytes) : rate_(bytes_per_second), burst_(burst_bytes) {}

  /// Books a message that comes to the link at `now`, never earlier than the ones before; when its last byte is
  /// through.
  Time pass(Time now, std::size_t bytes);
  Deadline::Clock::duration seconds_of(double bytes) const;

 private:
  double rate_, burst_;
  Time empty_since_{};  // when the bucket held no token; in the future: what is booked but not through
};

struct RateParams {
  double gbit = 1;
  std::uint64_t burst = 128 * 1024;

  static void declare(RateParams& p, ParamVisitor& v);
};

TransportPtr connect_rate_limited(Bootstrap& bootstrap, const SpecTerm& term, const ConnectOptions& options);

}  // namespace tw
