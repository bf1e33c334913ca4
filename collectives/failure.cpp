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
  } catch (const CudaError& error) {
    return Failure(error);
  } catch (const NcclError& error) {
    return Failure(error);
  } catch (const Error& error) {
    return Failure(error);
  } catch (const std::exception& error) {
    return Failure(Error(error.what()));
  }
}

void Failure::raise() const {
  raise_(*this);
  throw Error(message_);  // unreachable: raise_ throws
}

}  // namespace tw
