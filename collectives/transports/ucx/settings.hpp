// UCX's configuration of one path: the user's settings (environment, ucx.conf), narrowed.
#pragma once

#include <ucp/api/ucp.h>

#include <cstdio>
#include <functional>
#include <string>

#include "collectives/transports/ucx/fabric.hpp"
#include "kernels/base/handle.hpp"

namespace tw::ucx {

using Settings = UniqueHandle<ucp_config_t*, ucp_config_release>;

/// Throws UsageError where the user's settings leave no path.
Settings settings_for(Path path, const std::string& interface, Memory memory);

/// UCX_TLS for the network: `tls` without shared memory and its like between devices, which UCX would prefer between
/// namespaces of one machine, and without the loop to oneself, which would hide that nothing else is there; for memory
/// of the host, without what takes messages to and from devices. Empty if no way to another host is left.
std::string network_transports(const std::string& tls, Memory memory);

/// The value that UCX would use for UCX_`name`: the user's, or its default.
std::string users_setting(const std::string& name);

/// What `print` writes.
std::string printed_by(const std::function<void(std::FILE*)>& print);

}  // namespace tw::ucx
