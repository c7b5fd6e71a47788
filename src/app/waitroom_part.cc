#include "app/waitroom_part.h"

#include "app/wait_page.h"
#include "base/log.h"
#include "base/prometheus.h"
#include "base/random.h"
#include "base/wait_loop.h"

namespace spillway::app {

WaitroomPart::WaitroomPart(const Clock& clock, journal::AuditTrail& audit)
    : clock_(clock),
      service_(waitroom::MachineConfig{}, &audit),
      streams_(service_, clock),
      live_(clock, service_) {}

Status WaitroomPart::open(const std::string& directory) {
  auto keys = waitroom::QueueKeys::open(directory.empty() ? "" : directory + "/queue.keys", clock_.wall());
  if (!keys) return keys.error();
  keys_ = std::move(*keys);
  return Ok{};
}

void WaitroomPart::attach(journal::Engine& engine) {
  service_.attach(engine, random_bytes<16>(), keys_->signing().id);
}

void WaitroomPart::add_routes(http::Router& router, const identity::RouteContext& people, bool tls) {
  const waitroom::RouteContext context{service_, *keys_, streams_, people.gate, clock_, people.mode};
  waitroom::add_routes(router, context);
  add_waitroom_live_routes(router, live_, people.gate);
  add_wait_page(router, {context, people, tls});
}

void WaitroomPart::reload(std::size_t loop_index) {
  if (Status read = keys_->reload(clock_.wall()); !read) {
    log::error("the queue's keys stay as they are", {{"why", read.error().message}});
    return;
  }
  WaitLoop loop(loop_index);
  bool done = false;
  loop.run_until([&done] { return done; }, -1,
                 [&] {
                   service_.take_key(keys_->signing().id, {"SIGHUP", ""}, [&done](Result<Ok> taken) {
                     if (!taken)
                       log::error("the queue's new key is not in use", {{"why", taken.error().message}});
                     done = true;
                   });
                 });
}

ops::MetricsSource WaitroomPart::metrics() {
  return [this](UniqueFunction<void(std::string)> done) {
    service_.metrics([this, done = std::move(done)](Result<waitroom::Metrics> metrics) mutable {
      std::string out;
      if (metrics) waitroom::append_metrics(out, *metrics);
      append_metric(out, "spillway_waitroom_listeners", "gauge", "Streams of people in a line.",
                    streams_.listeners());
      done(std::move(out));
    });
  };
}

}  // namespace spillway::app
