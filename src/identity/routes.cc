#include "identity/routes.h"

#include "base/json_reader.h"
#include "base/json_writer.h"
#include "base/text.h"

namespace spillway::identity {
namespace {

constexpr std::size_t kMaxLoginBytes = 4 * 1024;

}  // namespace

void add_open_login(http::Router& router, const TokenAuthority& tokens, const Clock& clock) {
  router.add(http::Method::kPost, "/auth/login",
             [&tokens, &clock](const http::Request& request, http::Exchange exchange) {
               JsonReader body(request.body());
               const std::string user_id = body.required_string("userId", 1, limits::kMaxIdBytes);
               if (has_control_characters(user_id)) body.refuse("userId must have no control characters");
               if (Status read = body.status(); !read) return exchange.fail(read.error());

               http::Response response = http::Response::json(200, {});
               JsonWriter(response.body)
                   .open_object()
                   .member("accessToken",
                           tokens.issue(user_id, Role::kUser, clock.wall() + kAccessTokenLifetime))
                   .member("tokenType", "Bearer")
                   .member("expiresIn", kAccessTokenLifetime / kSecond)
                   .close_object();
               response.no_store = true;
               exchange.reply(std::move(response));
             },
             {.max_body_bytes = kMaxLoginBytes});
}

}  // namespace spillway::identity
