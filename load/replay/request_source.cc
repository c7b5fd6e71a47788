#include "load/replay/request_source.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <stdexcept>

namespace spillway::load::replay {
namespace {

constexpr std::size_t kUserDigits = 9;  // ids of one length, so that all tokens have one length too

char* put(char* out, std::string_view part) {
  std::memcpy(out, part.data(), part.size());
  return out + part.size();
}

char* put_digits(char* out, std::uint64_t n) {
  for (std::size_t digit = kUserDigits; digit-- > 0; n /= 10) out[digit] = static_cast<char>('0' + n % 10);
  return out + kUserDigits;
}

void check_size(std::size_t bytes) {
  if (bytes > RequestSource::kMaxRequestBytes)
    throw std::runtime_error("a request is larger than the client's buffer");
}

std::size_t longest(const LineFile& lines) {
  std::size_t most = 0;
  for (std::size_t i = 0; i < lines.size(); ++i) most = std::max(most, lines[i].size());
  return most;
}

}  // namespace

LineFile::LineFile(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  struct stat about {};
  if (fd < 0 || ::fstat(fd, &about) != 0 || about.st_size == 0) {
    if (fd >= 0) ::close(fd);
    throw std::runtime_error("cannot read " + path + ", or it is empty");
  }
  bytes_ = static_cast<std::size_t>(about.st_size);
  void* mapped = ::mmap(nullptr, bytes_, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
  ::close(fd);
  if (mapped == MAP_FAILED) throw std::runtime_error("cannot map " + path);
  data_ = static_cast<const char*>(mapped);
  starts_.push_back(0);
  for (std::size_t at = 0; at < bytes_;) {
    const void* end = std::memchr(data_ + at, '\n', bytes_ - at);
    if (end == nullptr) break;  // an unfinished last line does not count
    at = static_cast<std::size_t>(static_cast<const char*>(end) - data_) + 1;
    starts_.push_back(at);
  }
}

LineFile::~LineFile() {
  if (data_ != nullptr) ::munmap(const_cast<char*>(data_), bytes_);
}

LoginSource::LoginSource(std::string host, std::string user_prefix, std::uint64_t count) : count_(count) {
  const std::size_t body = std::strlen("{\"userId\":\"\"}") + user_prefix.size() + kUserDigits;
  before_ = "POST /auth/login HTTP/1.1\r\nHost: " + host +
            "\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body) +
            "\r\n\r\n{\"userId\":\"" + user_prefix;
  check_size(before_.size() + kUserDigits + 2);
}

std::size_t LoginSource::write(std::uint64_t n, char* out) const {
  char* at = put(out, before_);
  at = put_digits(at, n);
  return static_cast<std::size_t>(put(at, "\"}") - out);
}

ParticipationSource::ParticipationSource(const std::string& host, const std::vector<std::string>& events,
                                         const LineFile& tokens)
    : tokens_(tokens) {
  for (const std::string& event : events) {
    heads_.push_back("POST /events/" + event + "/participations HTTP/1.1\r\nHost: " + host +
                     "\r\nContent-Length: 0\r\nAuthorization: Bearer ");
    check_size(heads_.back().size() + longest(tokens) + 4);
  }
}

std::size_t ParticipationSource::write(std::uint64_t n, char* out) const {
  const std::uint64_t round = n / tokens_.size();
  char* at = put(out, heads_[round % heads_.size()]);
  at = put(at, tokens_[n - round * tokens_.size()]);
  return static_cast<std::size_t>(put(at, "\r\n\r\n") - out);
}

RequestStatusSource::RequestStatusSource(const std::string& host, const LineFile& ids, const LineFile& tokens)
    : middle_(" HTTP/1.1\r\nHost: " + host + "\r\nAuthorization: Bearer "), ids_(ids), tokens_(tokens) {
  if (ids.size() > tokens.size()) throw std::runtime_error("more request ids than tokens");
  check_size(std::strlen("GET /requests/") + longest(ids) + middle_.size() + longest(tokens) + 4);
}

std::size_t RequestStatusSource::write(std::uint64_t n, char* out) const {
  const std::size_t which = n % ids_.size();
  char* at = put(out, "GET /requests/");
  at = put(at, ids_[which]);
  at = put(at, middle_);
  at = put(at, tokens_[which]);
  return static_cast<std::size_t>(put(at, "\r\n\r\n") - out);
}

EnterSource::EnterSource(const std::string& host, const std::vector<std::string>& concerts,
                         std::string_view user_prefix, std::uint64_t persons)
    : persons_(persons) {
  for (const std::string& concert : concerts) {
    const std::string body = "{\"concertId\":\"" + concert + "\",\"userId\":\"" + std::string(user_prefix);
    heads_.push_back("POST /api/v1/queue/enter HTTP/1.1\r\nHost: " + host +
                     "\r\nContent-Type: application/json\r\nContent-Length: " +
                     std::to_string(body.size() + kUserDigits + 2) + "\r\n\r\n" + body);
    check_size(heads_.back().size() + kUserDigits + 2);
  }
}

std::size_t EnterSource::write(std::uint64_t n, char* out) const {
  const std::uint64_t round = n / persons_;
  char* at = put(out, heads_[round % heads_.size()]);
  at = put_digits(at, n - round * persons_);
  return static_cast<std::size_t>(put(at, "\"}") - out);
}

QueueStatusSource::QueueStatusSource(const std::string& host, const LineFile& tokens)
    : head_("GET /api/v1/queue/status HTTP/1.1\r\nHost: " + host + "\r\nX-Queue-Token: "), tokens_(tokens) {
  check_size(head_.size() + longest(tokens) + 4);
}

std::size_t QueueStatusSource::write(std::uint64_t n, char* out) const {
  char* at = put(out, head_);
  at = put(at, tokens_[n % tokens_.size()]);
  return static_cast<std::size_t>(put(at, "\r\n\r\n") - out);
}

}  // namespace spillway::load::replay
