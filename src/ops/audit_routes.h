#pragma once

#include "http/server.h"
#include "identity/gate.h"
#include "ops/audit_log.h"

namespace spillway::ops {

/// `GET /admin/audit`, for operators and admins. All of these outlive the router.
void add_audit_routes(http::Router&, AuditLog&, const identity::Gate&);

}  // namespace spillway::ops
