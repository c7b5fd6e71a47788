#pragma once

#include "base/audit.h"
#include "journal/engine.h"

namespace spillway::journal {

/// Where services on the embedded engine leave their audit records.
///
/// Operation: called by a service's task, in the turn in which it appended the events of an administrative
/// change, so that the change and its record are one commit: neither is ever found without the other.
/// Concurrency: the state thread.
class AuditTrail {
 public:
  virtual ~AuditTrail() = default;
  virtual void record(Turn&, const AuditEntry&) = 0;
};

}  // namespace spillway::journal
