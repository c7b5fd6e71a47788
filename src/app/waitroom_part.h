#pragma once

#include <memory>
#include <string>
#include <vector>

#include "app/waitroom_live.h"
#include "base/clock.h"
#include "http/router.h"
#include "identity/routes.h"
#include "journal/audit_trail.h"
#include "journal/engine.h"
#include "ops/routes.h"
#include "waitroom/embedded.h"
#include "waitroom/queue_keys.h"
#include "waitroom/routes.h"

namespace spillway::app {

/// The waiting room with what it needs, as a part of the process.
///
/// In this order: open(), then attach() and add_routes(), start() when the engine and the server run, stop()
/// before they do not. To be destroyed after the server. Concurrency: the main thread.
class WaitroomPart {
 public:
  /// `audit` and `clock` outlive this.
  WaitroomPart(const Clock& clock, journal::AuditTrail& audit);

  /// Reads the keys of the queue's tokens in `directory`, or makes them; empty: keys in memory alone.
  Status open(const std::string& directory);
  journal::Resident& resident() { return service_; }
  void attach(journal::Engine&);
  /// With the page that people see.
  void add_routes(http::Router&, const identity::RouteContext&, bool tls);
  void start() { streams_.start(); }
  void stop() { streams_.stop(); }
  /// Reads the keys again, and has new tickets signed with the last of them.
  void reload(std::size_t loop_index);
  ops::MetricsSource metrics();
  /// Of the sampling thread.
  WaitroomLive& live() { return live_; }

 private:
  const Clock& clock_;
  waitroom::EmbeddedService service_;
  std::unique_ptr<waitroom::QueueKeys> keys_;
  waitroom::QueueStreams streams_;
  WaitroomLive live_;
};

}  // namespace spillway::app
