// The key-value store where ranks meet, run by rank 0 on a thread of its own. It listens at one address only. Strangers
// (who do not know the run id) cost a fixed slot for at most two seconds; keys, values and their sum are capped.
#pragma once

#include <array>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <tightwire/deadline.hpp>

#include "collectives/net/socket.hpp"
#include "collectives/rendezvous/store_wire.hpp"

namespace tw {

class StoreServer {
 public:
  /// Port 0 lets the system choose. Throws SystemError, e.g. if the port is in use.
  StoreServer(const Address& address, std::uint32_t ranks, std::string run_id);
  /// Clients that are still there find the connection closed, after what was to be told to them.
  ~StoreServer();
  StoreServer(const StoreServer&) = delete;
  StoreServer& operator=(const StoreServer&) = delete;

  Address address() const { return local_address(listener_); }
  /// Blocks until every rank has said goodbye or was told of a failure, or the deadline.
  void wait_until_left(Deadline deadline);

 private:
  struct Client {
    Descriptor socket;
    Deadline deadline;                  // for its hello
    std::optional<std::uint32_t> rank;  // once its hello was accepted
    std::vector<std::byte> in, out;
    std::vector<std::string> waiting;  // keys
    bool ending = false;               // once `out` is written
  };
  enum class Place : std::uint8_t { awaited, here, left };
  struct Told {
    std::uint32_t culprit;
    std::string text;
  };

  void loop();
  bool stopping();
  void turn(Deadline until);
  void admit();
  void serve(Client& client, short ready);
  bool read(Client& client);
  bool take_hello(Client& client);
  std::string objection(const StoreHello& hello, const std::string& run_id) const;
  void welcome(Client& client, std::uint32_t rank);
  bool take_request(Client& client);
  void get(Client& client, const std::string& key);
  void set(const std::string& key, std::span<const std::byte> value);
  void leave(std::uint32_t rank);
  void fail(std::uint32_t culprit, const std::string& text);
  static void reply(Client& client, StoreReply header, std::span<const std::byte> bytes);
  static void reply(Client& client, StoreReply header, const std::string& text);

  const std::string run_id_;
  Descriptor listener_, wake_;
  std::vector<Client> clients_;
  std::vector<Place> places_;  // by rank
  std::map<std::string, std::vector<std::byte>> values_;
  std::size_t value_bytes_ = 0;
  std::optional<Told> failure_;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::uint32_t left_ = 0;  // ranks that have left, guarded
  bool stopping_ = false;   // guarded
  std::thread thread_;      // last: it uses all of the above
};

}  // namespace tw
