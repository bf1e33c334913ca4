#include "collectives/failure.hpp"

namespace tw {

Failure Failure::current() {
  try {
    throw;
  } catch (const UsageError& error) {
    return Failure(error);
  } catch (const WireError& error) {
    return Failure(error);
  } catch (const PeerError& error) {
    return Failure(error);
  } catch (const SystemError& error) {
    return Failure(error);
  } catch (const Error& error) {
    return Failure(error);
  } catch (const std::exception& error) {
    return Failure(Error(error.what()));
  }
}

void Failure::raise() const {
  std::visit([](const auto& error) { throw error; }, error_);
  throw Error("valueless failure");  // unreachable: visit throws
}

void Failure::mark_uncertain() {
  std::visit([](Error& error) { error.mark_uncertain(); }, error_);
}

std::string Failure::message() const {
  return std::visit([](const Error& error) { return std::string(error.what()); }, error_);
}

std::optional<std::uint32_t> Failure::culprit() const {
  const auto* peer = std::get_if<PeerError>(&error_);
  return peer ? std::optional(peer->rank()) : std::nullopt;
}

}  // namespace tw
