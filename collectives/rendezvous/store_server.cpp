#include "collectives/rendezvous/store_server.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>

#include "kernels/base/check.hpp"

namespace tw {
namespace {

constexpr double kHelloSeconds = 2;        // what a stranger has to say who it is
constexpr std::size_t kMaxStrangers = 64;  // at once; the oldest goes
constexpr double kFarewellSeconds = 1;     // to tell everybody how it ended
constexpr std::size_t kReadBytes = 64 * 1024;

template <class T>
T front_of(const std::vector<std::byte>& bytes) {
  T value;
  std::memcpy(&value, bytes.data(), sizeof value);
  return value;
}

std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

StoreServer::StoreServer(const Address& address, std::uint32_t ranks, std::string run_id)
    : run_id_(std::move(run_id)),
      listener_(listen_at(address, 1024)),
      wake_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
      places_(ranks, Place::awaited),
      thread_([this] { loop(); }) {}

StoreServer::~StoreServer() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  const std::uint64_t once = 1;
  [[maybe_unused]] const ssize_t written = ::write(wake_.get(), &once, sizeof once);
  thread_.join();
}

void StoreServer::wait_until_left(Deadline deadline) {
  std::unique_lock lock(mutex_);
  changed_.wait_until(lock, deadline.at(), [&] { return left_ == places_.size(); });
}

bool StoreServer::stopping() {
  const std::lock_guard lock(mutex_);
  return stopping_;
}

void StoreServer::loop() {
  try {
    while (!stopping()) turn(Deadline(Deadline::Clock::time_point::max()));
    const Deadline farewell = Deadline::in(kFarewellSeconds);
    const auto unheard = [](const Client& client) { return client.rank && !client.out.empty(); };
    turn(Deadline::in(0));  // what was said before the end is heard
    while (!farewell.passed() && std::any_of(clients_.begin(), clients_.end(), unheard)) turn(farewell);
  } catch (const std::exception&) {  // the system refuses: clients find their connections closed
  }
  clients_.clear();
}

void StoreServer::turn(Deadline until) {
  std::vector<Wanted> wanted{{&wake_, POLLIN}, {&listener_, POLLIN}};
  for (const Client& client : clients_) {
    wanted.push_back({&client.socket, static_cast<short>(client.out.empty() ? POLLIN : POLLIN | POLLOUT)});
    if (!client.rank) until = std::min(until, client.deadline);
  }
  wait_any(wanted, until);
  std::uint64_t times = 0;
  [[maybe_unused]] const ssize_t woken = ::read(wake_.get(), &times, sizeof times);
  for (std::size_t i = 0; i < clients_.size(); ++i) serve(clients_[i], wanted[i + 2].ready);
  std::erase_if(clients_, [](const Client& client) { return !client.socket.open(); });
  if (wanted[1].ready != 0) admit();
}

void StoreServer::admit() {
  for (Descriptor socket = accept_from(listener_); socket.open(); socket = accept_from(listener_)) {
    const auto stranger = [](const Client& client) { return !client.rank; };
    if (std::count_if(clients_.begin(), clients_.end(), stranger) >= std::ptrdiff_t{kMaxStrangers})
      clients_.erase(std::find_if(clients_.begin(), clients_.end(), stranger));
    set_no_delay(socket);
    clients_.push_back({std::move(socket), Deadline::in(kHelloSeconds), {}, {}, {}, {}, false});
  }
}

void StoreServer::serve(Client& client, short ready) {
  if (!client.rank && client.deadline.passed()) return client.socket.close();
  const bool open = (ready & (POLLIN | POLLHUP | POLLERR)) == 0 || read(client);
  if (!client.out.empty()) {
    const auto written = write_some(client.socket, client.out);
    if (written) client.out.erase(client.out.begin(), client.out.begin() + static_cast<std::ptrdiff_t>(*written));
    if (!written) client.out.clear();
  }
  if (open && !(client.ending && client.out.empty())) return;
  client.socket.close();
  if (client.rank && places_[*client.rank] == Place::here) {
    fail(*client.rank, detail::concat("rank ", *client.rank, " left the rendezvous before all were connected"));
    leave(*client.rank);
  }
}

// Reads what is there and serves whole requests. False once the connection has ended, or is to be.
bool StoreServer::read(Client& client) {
  // Before its hello a stranger gets no more room than that takes.
  const std::size_t room = client.rank ? kReadBytes : sizeof(StoreHello) + kMaxRunIdBytes - client.in.size();
  const std::size_t before = client.in.size();
  client.in.resize(before + room);
  const auto got = read_some(client.socket, std::span(client.in).subspan(before));
  client.in.resize(before + got.value_or(0));
  if (!got) return false;
  try {
    if (!client.rank && !client.ending && !take_hello(client)) return true;
    while (!client.ending && take_request(client)) {
    }
    if (client.ending) client.in.clear();
  } catch (const WireError&) {
    return false;
  }
  return true;
}

// True once the hello was whole and accepted.
bool StoreServer::take_hello(Client& client) {
  StoreHello hello;
  const std::size_t known = std::min(client.in.size(), sizeof hello.magic);
  TW_CHECK(std::memcmp(client.in.data(), hello.magic, known) == 0, WireError, "a stranger");
  if (client.in.size() < sizeof hello) return false;
  hello = front_of<StoreHello>(client.in);
  TW_CHECK(hello.run_id_bytes <= kMaxRunIdBytes, WireError, "a run id of ", hello.run_id_bytes, " bytes");
  const std::size_t whole = sizeof hello + hello.run_id_bytes;
  if (client.in.size() < whole) return false;
  const std::string why = objection(hello, text_of(std::span(client.in).subspan(sizeof hello, hello.run_id_bytes)));
  client.in.erase(client.in.begin(), client.in.begin() + static_cast<std::ptrdiff_t>(whole));
  if (why.empty()) {
    welcome(client, hello.rank);
    return client.rank.has_value();
  }
  reply(client, {StoreAnswer::refused, 0, 0, 0}, why);
  client.ending = true;
  return false;
}

std::string StoreServer::objection(const StoreHello& hello, const std::string& run_id) const {
  if (hello.version != kStoreVersion)
    return detail::concat("rank 0 speaks version ", kStoreVersion, " of the rendezvous, this process version ",
                          hello.version);
  if (run_id != run_id_)
    return detail::concat("another run meets here: its run id is not '", run_id, "'; choose another MASTER_PORT");
  if (hello.ranks != places_.size())
    return detail::concat("this process was started with ", hello.ranks, " ranks, rank 0 with ", places_.size());
  if (hello.rank >= hello.ranks) return detail::concat("rank ", hello.rank, " of ", hello.ranks, " cannot be");
  if (places_[hello.rank] == Place::here)
    return detail::concat("another process is rank ", hello.rank, " already; every process needs a rank of its own");
  return "";
}

void StoreServer::welcome(Client& client, std::uint32_t rank) {
  if (failure_) {
    reply(client, {StoreAnswer::failed, 0, failure_->culprit, 0}, failure_->text);
    client.ending = true;
  } else if (places_[rank] == Place::left) {
    reply(client, {StoreAnswer::again, 0, 0, 0}, "");
    client.ending = true;
  } else {
    places_[rank] = Place::here;
    client.rank = rank;
    reply(client, {}, "");
  }
}

// False if the next request is not whole yet.
bool StoreServer::take_request(Client& client) {
  if (client.in.size() < sizeof(StoreRequest)) return false;
  const auto request = front_of<StoreRequest>(client.in);
  TW_CHECK(request.key_bytes <= kMaxKeyBytes && request.value_bytes <= kMaxValueBytes, WireError, "a key of ",
           request.key_bytes, " bytes, a value of ", request.value_bytes);
  const std::size_t whole = sizeof request + request.key_bytes + request.value_bytes;
  if (client.in.size() < whole) return false;
  const auto rest = std::span(client.in).subspan(sizeof request);
  const std::string key = text_of(rest.first(request.key_bytes));
  const auto value = rest.subspan(request.key_bytes, request.value_bytes);
  switch (request.verb) {
    case StoreVerb::set:
      set(key, value);
      break;
    case StoreVerb::get:
      get(client, key);
      break;
    case StoreVerb::fail:
      TW_CHECK(request.culprit < places_.size(), WireError, "a culprit ", request.culprit);
      fail(request.culprit, text_of(value));
      [[fallthrough]];
    case StoreVerb::bye:
      leave(*client.rank);
      client.ending = true;
      break;
    default:
      TW_FAIL(WireError, "a request ", static_cast<std::uint32_t>(request.verb));
  }
  client.in.erase(client.in.begin(), client.in.begin() + static_cast<std::ptrdiff_t>(whole));
  return true;
}

void StoreServer::get(Client& client, const std::string& key) {
  const auto found = values_.find(key);
  if (found == values_.end())
    client.waiting.push_back(key);
  else
    reply(client, {StoreAnswer::value, 0, 0, 0}, found->second);
}

void StoreServer::set(const std::string& key, std::span<const std::byte> value) {
  TW_CHECK(values_.size() < kMaxStoreKeys && value_bytes_ + value.size() <= kMaxStoreBytes, WireError,
           "more than the store may hold");
  value_bytes_ += value.size();
  if (!values_.emplace(key, std::vector(value.begin(), value.end())).second) return;  // the first one counts
  for (Client& client : clients_) {
    const auto waits = std::count(client.waiting.begin(), client.waiting.end(), key);
    for (std::ptrdiff_t i = 0; i < waits; ++i) reply(client, {StoreAnswer::value, 0, 0, 0}, value);
    std::erase(client.waiting, key);
  }
}

void StoreServer::leave(std::uint32_t rank) {
  if (places_[rank] == Place::left) return;
  places_[rank] = Place::left;
  const std::lock_guard lock(mutex_);
  ++left_;
  changed_.notify_all();
}

void StoreServer::fail(std::uint32_t culprit, const std::string& text) {
  if (failure_) return;
  failure_ = Told{culprit, text};
  for (Client& client : clients_)
    if (client.rank && places_[*client.rank] == Place::here) reply(client, {StoreAnswer::failed, 0, culprit, 0}, text);
}

void StoreServer::reply(Client& client, StoreReply header, std::span<const std::byte> bytes) {
  header.bytes = static_cast<std::uint32_t>(bytes.size());
  const auto begin = std::as_bytes(std::span(&header, 1));
  client.out.insert(client.out.end(), begin.begin(), begin.end());
  client.out.insert(client.out.end(), bytes.begin(), bytes.end());
}

void StoreServer::reply(Client& client, StoreReply header, const std::string& text) {
  reply(client, header, std::as_bytes(std::span(text)));
}

}  // namespace tw
