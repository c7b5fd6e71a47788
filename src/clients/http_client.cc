#include "clients/http_client.h"

#include <curl/curl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <deque>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <utility>

#include "base/check.h"
#include "base/text.h"
#include "base/thread.h"

namespace spillway::clients {
namespace {

using Steady = std::chrono::steady_clock;

struct Target {
  std::string host;
  std::uint16_t port = 0;
  bool tls = false;
};

std::string part_of(CURLU* url, CURLUPart part, unsigned flags = 0) {
  char* text = nullptr;
  if (curl_url_get(url, part, &text, flags) != CURLUE_OK) return {};
  std::string out(text);
  curl_free(text);
  return out;
}

Result<Target> target_of(std::string_view text) {
  if (text.size() > limits::kHttpUrlBytes) return invalid_argument("url: longer than the limit");
  // The library would take some of these as part of a name or cut the URL there.
  if (text.find_first_of(std::string_view(" \t\r\n\0\\", 6)) != std::string_view::npos)
    return invalid_argument("url: holds a space, a backslash or a control character");
  const std::unique_ptr<CURLU, decltype(&curl_url_cleanup)> url(curl_url(), &curl_url_cleanup);
  const CURLUcode code =
      curl_url_set(url.get(), CURLUPART_URL, std::string(text).c_str(), CURLU_DISALLOW_USER);
  if (code == CURLUE_USER_NOT_ALLOWED) return invalid_argument("url: may not hold a user or a password");
  if (code != CURLUE_OK) return invalid_argument(std::string("url: ") + curl_url_strerror(code));
  const std::string scheme = part_of(url.get(), CURLUPART_SCHEME);
  if (scheme != "http" && scheme != "https") return invalid_argument("url: neither http nor https");
  Target target;
  target.tls = scheme == "https";
  target.host = part_of(url.get(), CURLUPART_HOST);
  const std::string port = part_of(url.get(), CURLUPART_PORT, CURLU_DEFAULT_PORT);
  if (target.host.empty() || port.empty()) return invalid_argument("url: without a host");
  target.port = static_cast<std::uint16_t>(std::stoul(port));
  return target;
}

Status check_request(const HttpRequest& request) {
  static constexpr std::array<std::string_view, 6> kMethods = {"GET", "HEAD",  "POST",
                                                               "PUT", "PATCH", "DELETE"};
  if (std::find(kMethods.begin(), kMethods.end(), request.method) == kMethods.end())
    return invalid_argument("method: not one of GET, HEAD, POST, PUT, PATCH, DELETE");
  if (request.body.size() > limits::kHttpRequestBytes) return invalid_argument("body: larger than the limit");
  if (request.headers.size() > limits::kMaxHeaderFields) return invalid_argument("headers: too many");
  for (const HttpHeader& header : request.headers) {
    const bool token =
        !header.name.empty() && std::all_of(header.name.begin(), header.name.end(), [](char c) {
          return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                 (c != '\0' && std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos);
        });
    if (!token) return invalid_argument("headers: the name of a field is not a token");
    if (header.value.find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos)
      return invalid_argument("headers: " + header.name + " holds a line break or NUL");
    for (const std::string_view ours :
         {"Host", "Content-Length", "Transfer-Encoding", "Connection", "Expect"})
      if (equals_ignoring_case(header.name, ours))
        return invalid_argument("headers: " + header.name + " is not the caller's");
  }
  return Ok{};
}

/// The library's global state, for as long as the process lives: other parts may use the library too.
CURLcode start_library() {
  static const CURLcode code = curl_global_init(CURL_GLOBAL_DEFAULT);
  return code;
}

struct Call {
  HttpRequest request;
  HttpClient::Callback callback;
  Target target;
  Steady::time_point taken;

  CURL* easy = nullptr;
  const AddressPolicy* policy = nullptr;
  std::size_t max_body = 0, max_header = 0;
  curl_slist* fields = nullptr;
  HttpAnswer answer;
  std::size_t header_bytes = 0;
  bool too_large = false;
  bool enough = false;          ///< says on_piece
  std::string refused_address;  ///< the last address that the policy did not allow
  bool allowed_address = false;
  char error[CURL_ERROR_SIZE] = "";

  ~Call() { curl_slist_free_all(fields); }
};

int status_of(CURL* easy) {
  long status = 0;
  curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
  return static_cast<int>(status);
}

std::size_t on_body(char* bytes, std::size_t size, std::size_t count, void* self) {
  Call& call = *static_cast<Call*>(self);
  const std::size_t n = size * count;
  if (call.request.on_piece && status_of(call.easy) / 100 == 2) {
    call.enough = !call.request.on_piece({bytes, n});
    return call.enough ? (n == 0 ? 1 : 0) : n;
  }
  if (call.answer.body.size() + n > call.max_body) {
    call.too_large = true;
    return n == 0 ? 1 : 0;
  }
  call.answer.body.append(bytes, n);
  return n;
}

std::size_t on_header(char* bytes, std::size_t size, std::size_t count, void* self) {
  Call& call = *static_cast<Call*>(self);
  const std::size_t n = size * count;
  std::string_view line(bytes, n);
  call.header_bytes += n;
  if (call.header_bytes > call.max_header || call.answer.headers.size() >= limits::kMaxHeaderFields) {
    call.too_large = true;
    return n == 0 ? 1 : 0;
  }
  // The final answer's fields only: those of a 1xx before it are dropped here.
  if (line.starts_with("HTTP/")) {
    call.answer.headers.clear();
    return n;
  }
  const auto trim = [](std::string_view text) {
    const std::size_t first = text.find_first_not_of(" \t\r\n");
    if (first == std::string_view::npos) return std::string();
    return std::string(text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1));
  };
  const std::size_t colon = line.find(':');
  if (colon != std::string_view::npos)
    call.answer.headers.push_back({std::string(line.substr(0, colon)), trim(line.substr(colon + 1))});
  return n;
}

curl_socket_t on_open_socket(void* self, curlsocktype, curl_sockaddr* address) {
  Call& call = *static_cast<Call*>(self);
  if (!call.policy->allows_address(call.target.host, call.target.port, address->addr)) {
    call.refused_address = address_text(address->addr);
    return CURL_SOCKET_BAD;
  }
  call.allowed_address = true;
  return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

HttpFailure failure_of(CURLcode code) {
  switch (code) {
    case CURLE_OK:
      return HttpFailure::kNone;
    case CURLE_OPERATION_TIMEDOUT:
      return HttpFailure::kTimeout;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
      return HttpFailure::kUnresolved;
    case CURLE_COULDNT_CONNECT:
      return HttpFailure::kRefused;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_SSL_CACERT_BADFILE:
      return HttpFailure::kTls;
    default:
      return HttpFailure::kBroken;
  }
}

}  // namespace

struct HttpClient::Impl {
  HttpClientOptions options;
  AddressPolicy policy;
  CURLM* multi = nullptr;
  curl_slist* resolve = nullptr;
  std::thread thread;

  std::mutex mutex;
  std::deque<std::unique_ptr<Call>> waiting;  ///< in the order in which they were taken
  bool stopping = false;
  std::once_flag stopped;

  // The client's thread only.
  std::unordered_map<CURL*, std::unique_ptr<Call>> running;
  std::vector<CURL*> idle;  ///< handles for the next calls

  ~Impl() {
    for (CURL* easy : idle) curl_easy_cleanup(easy);
    if (multi != nullptr) curl_multi_cleanup(multi);
    curl_slist_free_all(resolve);
  }

  void run();
  void start_waiting();
  void start(std::unique_ptr<Call>);
  void set_up(CURL* easy, Call& call);
  void take_finished();
  void fail_all();
  static void fail(std::unique_ptr<Call> call, HttpFailure failure, std::string reason);
  static void conclude(Call& call, CURL* easy, CURLcode code);
  /// Until somebody who waits has waited too long; at most a second.
  int patience_ms();
};

void HttpClient::Impl::fail(std::unique_ptr<Call> call, HttpFailure failure, std::string reason) {
  HttpAnswer answer;
  answer.failure = failure;
  answer.reason = std::move(reason);
  call->callback(std::move(answer));
}

void HttpClient::Impl::set_up(CURL* easy, Call& call) {
  const HttpRequest& request = call.request;
  const auto set = [easy](CURLoption option, auto value) {
    const CURLcode code = curl_easy_setopt(easy, option, value);
    CHECK(code == CURLE_OK);  // out of memory, or a library without what the build was made for
  };
  set(CURLOPT_URL, request.url.c_str());
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  set(CURLOPT_FOLLOWLOCATION, 0L);
  set(CURLOPT_PROXY, "");  // not the environment's either: the address that is checked must be the server's
  set(CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_QUICK_EXIT, 1L);  // a name service that does not answer must not hold up the other calls
  set(CURLOPT_USERAGENT, options.user_agent.c_str());
  set(CURLOPT_ERRORBUFFER, call.error);
  set(CURLOPT_WRITEFUNCTION, &on_body);
  set(CURLOPT_WRITEDATA, static_cast<void*>(&call));
  set(CURLOPT_HEADERFUNCTION, &on_header);
  set(CURLOPT_HEADERDATA, static_cast<void*>(&call));
  set(CURLOPT_OPENSOCKETFUNCTION, &on_open_socket);
  set(CURLOPT_OPENSOCKETDATA, static_cast<void*>(&call));
  set(CURLOPT_SSL_VERIFYPEER, 1L);
  set(CURLOPT_SSL_VERIFYHOST, 2L);
  set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  if (!options.ca_file.empty()) {
    set(CURLOPT_CAINFO, options.ca_file.c_str());
    set(CURLOPT_CAPATH, static_cast<char*>(nullptr));
  }
  if (resolve != nullptr) set(CURLOPT_RESOLVE, resolve);
  if (request.max_silence_us > 0) {
    set(CURLOPT_LOW_SPEED_LIMIT, 1L);
    set(CURLOPT_LOW_SPEED_TIME, static_cast<long>(std::max<Micros>(request.max_silence_us / kSecond, 1)));
  } else {
    const Micros timeout = request.timeout_us > 0 ? request.timeout_us : options.timeout_us;
    set(CURLOPT_TIMEOUT_MS, static_cast<long>(std::max<Micros>(timeout / kMillisecond, 1)));
  }
  set(CURLOPT_CONNECTTIMEOUT_MS,
      static_cast<long>(std::max<Micros>(options.connect_timeout_us / kMillisecond, 1)));

  const bool carries = !request.body.empty() || request.method == "POST" || request.method == "PUT" ||
                       request.method == "PATCH";
  if (carries) {
    set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
    set(CURLOPT_POSTFIELDS, request.body.c_str());
  }
  if (request.method == "HEAD")
    set(CURLOPT_NOBODY, 1L);
  else
    set(CURLOPT_CUSTOMREQUEST, request.method.c_str());

  bool has_type = false;
  const auto add = [&call](const std::string& line) {
    curl_slist* longer = curl_slist_append(call.fields, line.c_str());
    CHECK(longer != nullptr);
    call.fields = longer;
  };
  for (const HttpHeader& header : request.headers) {
    has_type = has_type || equals_ignoring_case(header.name, "Content-Type");
    add(header.value.empty() ? header.name + ";" : header.name + ": " + header.value);
  }
  add("Expect:");
  if (carries && !has_type) add("Content-Type:");
  set(CURLOPT_HTTPHEADER, call.fields);
}

void HttpClient::Impl::start(std::unique_ptr<Call> call) {
  CURL* easy = nullptr;
  if (!idle.empty()) {
    easy = idle.back();
    idle.pop_back();
  } else {
    easy = curl_easy_init();
  }
  CHECK(easy != nullptr);
  call->easy = easy;
  call->policy = &policy;
  call->max_body = options.max_body_bytes;
  call->max_header = options.max_header_bytes;
  set_up(easy, *call);
  const CURLMcode code = curl_multi_add_handle(multi, easy);
  CHECK(code == CURLM_OK);
  running.emplace(easy, std::move(call));
}

void HttpClient::Impl::start_waiting() {
  std::deque<std::unique_ptr<Call>> ready, late;
  {
    const std::lock_guard lock(mutex);
    const auto now = Steady::now();
    while (!waiting.empty() && running.size() + ready.size() < options.max_running) {
      ready.push_back(std::move(waiting.front()));
      waiting.pop_front();
    }
    while (!waiting.empty() &&
           now - waiting.front()->taken >= std::chrono::microseconds(options.max_wait_us)) {
      late.push_back(std::move(waiting.front()));
      waiting.pop_front();
    }
  }
  for (auto& call : ready) start(std::move(call));
  for (auto& call : late)
    fail(std::move(call), HttpFailure::kTimeout, "waited too long for another call to end");
}

void HttpClient::Impl::conclude(Call& call, CURL* easy, CURLcode code) {
  HttpAnswer& answer = call.answer;
  if (code == CURLE_OK) {
    answer.status = status_of(easy);
    return;
  }
  answer.headers.clear();
  answer.body.clear();
  answer.failure = failure_of(code);
  answer.reason = call.error[0] != '\0' ? call.error : curl_easy_strerror(code);
  if (call.enough) {
    answer.failure = HttpFailure::kStopped;
    answer.reason = "the caller had enough of the answer";
  } else if (call.too_large) {
    answer.failure = HttpFailure::kTooLarge;
    answer.reason = "the answer is larger than the limit";
  } else if (!call.refused_address.empty() && !call.allowed_address) {
    answer.failure = HttpFailure::kAddress;
    answer.reason = call.target.host + " is at " + call.refused_address +
                    ", which is not a public address, and is not listed as one that may be";
  }
}

void HttpClient::Impl::take_finished() {
  int left = 0;
  while (CURLMsg* message = curl_multi_info_read(multi, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    CURL* easy = message->easy_handle;
    const CURLcode code = message->data.result;  // gone with the handle
    const auto found = running.find(easy);
    CHECK(found != running.end());
    std::unique_ptr<Call> call = std::move(found->second);
    running.erase(found);
    curl_multi_remove_handle(multi, easy);
    conclude(*call, easy, code);
    curl_easy_reset(easy);  // forgets where the call's buffers are
    idle.push_back(easy);
    call->callback(std::move(call->answer));
  }
}

void HttpClient::Impl::fail_all() {
  for (auto& [easy, call] : running) {
    curl_multi_remove_handle(multi, easy);
    curl_easy_cleanup(easy);
    fail(std::move(call), HttpFailure::kStopped, "the client was stopped");
  }
  running.clear();
  std::deque<std::unique_ptr<Call>> rest;
  {
    const std::lock_guard lock(mutex);
    rest.swap(waiting);
  }
  for (auto& call : rest) fail(std::move(call), HttpFailure::kStopped, "the client was stopped");
}

int HttpClient::Impl::patience_ms() {
  const std::lock_guard lock(mutex);
  if (waiting.empty()) return 1000;
  if (running.size() < options.max_running) return 0;
  const auto until = waiting.front()->taken + std::chrono::microseconds(options.max_wait_us) - Steady::now();
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(until).count() + 1;
  return static_cast<int>(std::clamp<std::int64_t>(ms, 0, 1000));
}

void HttpClient::Impl::run() {
  name_this_thread(options.thread_name.c_str());
  while (true) {
    {
      const std::lock_guard lock(mutex);
      if (stopping) break;
    }
    start_waiting();
    int active = 0;
    CURLMcode code = curl_multi_perform(multi, &active);
    CHECK(code == CURLM_OK);
    take_finished();
    code = curl_multi_poll(multi, nullptr, 0, patience_ms(), nullptr);
    CHECK(code == CURLM_OK);
  }
  fail_all();
}

HttpClient::HttpClient(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
HttpClient::~HttpClient() { stop(); }

Result<std::unique_ptr<HttpClient>> HttpClient::make(HttpClientOptions options, AddressPolicy policy) {
  if (options.max_running == 0 || options.max_waiting == 0 || options.timeout_us <= 0 ||
      options.connect_timeout_us <= 0 || options.max_wait_us <= 0)
    return invalid_argument("an http client with a limit of 0 does nothing");
  if (!options.ca_file.empty() && access(options.ca_file.c_str(), R_OK) != 0)
    return invalid_argument("cannot read the certificates in " + options.ca_file);
  if (start_library() != CURLE_OK) return Error{ErrorCode::kInternal, "libcurl does not start"};
  auto impl = std::make_unique<Impl>();
  impl->multi = curl_multi_init();
  if (impl->multi == nullptr) return Error{ErrorCode::kInternal, "libcurl does not start"};
  curl_multi_setopt(impl->multi, CURLMOPT_MAXCONNECTS, static_cast<long>(options.max_running));
  for (const std::string& entry : options.resolve) {
    curl_slist* longer = curl_slist_append(impl->resolve, entry.c_str());
    CHECK(longer != nullptr);
    impl->resolve = longer;
  }
  impl->options = std::move(options);
  impl->policy = std::move(policy);
  impl->thread = std::thread([raw = impl.get()] { raw->run(); });
  return std::unique_ptr<HttpClient>(new HttpClient(std::move(impl)));
}

Status HttpClient::check(std::string_view url) const {
  const auto target = target_of(url);
  if (!target.ok()) return target.error();
  if (!impl_->policy.allows_host(target->host, target->port))
    return Error{ErrorCode::kForbidden, "url: " + target->host + ":" + std::to_string(target->port) +
                                            " is not one of the hosts that may be called"};
  return Ok{};
}

Status HttpClient::check_confidential(std::string_view url) const {
  if (Status allowed = check(url); !allowed.ok()) return allowed;
  const Target target = *target_of(url);
  if (target.tls || impl_->policy.allows_inside(target.host, target.port)) return Ok{};
  return invalid_argument("url: must be https, for " + target.host + " is not one of the hosts inside");
}

Status HttpClient::call(HttpRequest request, Callback callback) {
  if (const Status allowed = check(request.url); !allowed.ok()) return allowed;
  if (const Status sound = check_request(request); !sound.ok()) return sound;
  auto call = std::make_unique<Call>();
  call->target = *target_of(request.url);
  call->request = std::move(request);
  call->callback = std::move(callback);
  call->taken = Steady::now();
  {
    const std::lock_guard lock(impl_->mutex);
    if (impl_->stopping) return Error{ErrorCode::kDraining, "the http client was stopped"};
    if (impl_->waiting.size() >= impl_->options.max_waiting)
      return Error{ErrorCode::kOverloaded, "too many calls wait", 1};
    impl_->waiting.push_back(std::move(call));
  }
  curl_multi_wakeup(impl_->multi);
  return Ok{};
}

void HttpClient::stop() {
  std::call_once(impl_->stopped, [this] {
    {
      const std::lock_guard lock(impl_->mutex);
      impl_->stopping = true;
    }
    curl_multi_wakeup(impl_->multi);
    impl_->thread.join();
  });
}

}  // namespace spillway::clients
