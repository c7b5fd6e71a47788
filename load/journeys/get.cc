// One GET, of any server: to see what a page bears, and what the generator costs.

#include <memory>
#include <string>

#include "load/engine/journey.h"

namespace spillway::load {
namespace {

class Get final : public Journey {
 public:
  explicit Get(const JourneyContext& context) {
    SettingsReader settings(context.scenario);
    path_ = settings.text("path", "/");
    think_s_ = settings.seconds("think", 0);
    settings.path("path", path_);
    settings_ = settings.status();
  }

  Status check_settings() const override { return settings_; }

  Task<> iterate(User& user) override {
    const Request request{0, path_};
    const Reply reply = co_await user.ask(request);
    static_cast<void>(reply);  // http_req_failed has it
    co_await user.pause(think_s_ * 2 * user.random());
  }

 private:
  std::string path_;
  double think_s_ = 0;
  Status settings_ = Ok{};
};

const JourneyRegistration kRegistration({
    "get",
    "one GET (any server)",
    {{"get", "GET"}},
    {{"get", "GET"}},
    {{"path", "of the page (/)"}, {"think", "pause after each, on average (0)"}},
    {"server_cpu", "server_memory_mb"},
    {},
    [](const JourneyContext& context) -> std::unique_ptr<Journey> { return std::make_unique<Get>(context); },
});

}  // namespace
}  // namespace spillway::load
