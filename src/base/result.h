#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "base/check.h"

namespace spillway {

/// The closed set of reasons why something asked for was not done. Clients branch on the text of the code
/// (`error_info(code).code`) and on nothing else, so a code's text never changes once released.
enum class ErrorCode : std::uint8_t {
  kMalformedRequest,
  kInvalidArgument,
  kUnauthenticated,
  kForbidden,
  kNotFound,
  kMethodNotAllowed,
  kRequestTimeout,
  kEventNotOpen,
  kEventClosed,
  kCapacityBelowTaken,
  kPayloadTooLarge,
  kUnsupportedMediaType,
  kTooManyRequests,
  kHeadersTooLarge,
  kInternal,
  kNotImplemented,
  kOverloaded,
  kDraining,
  kOutcomeUnknown,
  kStorageFull,
  kUriTooLong,
  kExpectationFailed,
  kVersionNotSupported,
  kInvalidCredentials,
  kLastAdmin,
  kRedriveRunning,
  kIdentityUnavailable,
  kRateLimited,
  kQueueTokenInvalid,
  kNotYourTurn,
  kTicketLeft,
  kTicketExpired,
  kNotAdmitted,
  kQueuePaused,
  kQueueFull,
};

struct ErrorInfo {
  std::string_view code;   ///< stable, for programs
  std::string_view title;  ///< for people; the same for every occurrence (RFC 9457, 3.1.3)
  int http_status;
};

/// The one table from codes to HTTP.
const ErrorInfo& error_info(ErrorCode code);

struct Error {
  ErrorCode code = ErrorCode::kInternal;
  std::string message;          ///< for people, about this occurrence; names the field that is wrong
  int retry_after_s = 0;        ///< seconds; 0: say nothing
  std::string request_id = {};  ///< the request this is about, where there is one
};

/// A value or an Error.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}      // NOLINT: implicit by design
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT: implicit by design

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }

  T& value() & {
    CHECK(ok());
    return std::get<0>(state_);
  }
  const T& value() const& {
    CHECK(ok());
    return std::get<0>(state_);
  }
  T&& value() && {
    CHECK(ok());
    return std::get<0>(std::move(state_));
  }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }

  const Error& error() const& {
    CHECK(!ok());
    return std::get<1>(state_);
  }
  Error&& error() && {
    CHECK(!ok());
    return std::get<1>(std::move(state_));
  }

 private:
  std::variant<T, Error> state_;
};

struct Ok {};
using Status = Result<Ok>;

inline Error invalid_argument(std::string message) {
  return {ErrorCode::kInvalidArgument, std::move(message)};
}
inline Error not_found(std::string message) { return {ErrorCode::kNotFound, std::move(message)}; }

}  // namespace spillway
