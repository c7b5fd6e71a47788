#pragma once

#include <memory>

#include "app/options.h"
#include "base/clock.h"
#include "base/result.h"
#include "intake/http_webhooks.h"
#include "intake/http_work.h"

namespace spillway::app {

/// The http worker that the options ask for; null when they ask for none. Errors name the option.
Result<std::unique_ptr<intake::HttpWork>> make_http_work(const ServeOptions&, const Clock&);

/// Who tells final states, not yet started; null when there is no secret to sign with. Errors name the
/// option.
Result<std::unique_ptr<intake::HttpWebhooks>> make_webhooks(const ServeOptions&, intake::Service&,
                                                            const Clock&, std::size_t loop_index);

}  // namespace spillway::app
