// UCX's status codes as exceptions.
#pragma once

#include <ucs/type/status.h>

#include "kernels/base/check.hpp"

/// Throws SystemError with UCX's words unless `call` returns UCS_OK.
#define TW_UCX(call)                                                                                    \
  do {                                                                                                  \
    const ucs_status_t tw_status = (call);                                                              \
    TW_CHECK(tw_status == UCS_OK, ::tw::SystemError, "UCX: " #call ": ", ucs_status_string(tw_status)); \
  } while (false)
