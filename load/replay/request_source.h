#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace spillway::load::replay {

/// The lines of a file, mapped into memory so that a million and a half tokens cost nothing to load.
class LineFile {
 public:
  LineFile() = default;
  /// Throws std::runtime_error with a sentence when the file cannot be read or is empty.
  explicit LineFile(const std::string& path);
  LineFile(const LineFile&) = delete;
  LineFile& operator=(const LineFile&) = delete;
  ~LineFile();

  std::size_t size() const { return starts_.empty() ? 0 : starts_.size() - 1; }
  std::string_view operator[](std::size_t n) const {
    return {data_ + starts_[n], static_cast<std::size_t>(starts_[n + 1] - starts_[n] - 1)};
  }

 private:
  const char* data_ = nullptr;
  std::size_t bytes_ = 0;
  std::vector<std::uint64_t> starts_;  // one more than there are lines
};

/// Makes the n-th request of a run, from parts that lie ready: no formatting in the measured time.
class RequestSource {
 public:
  static constexpr std::size_t kMaxRequestBytes = 4096;

  virtual ~RequestSource() = default;
  /// Writes the request at `out`, which has room for kMaxRequestBytes, and answers its size.
  virtual std::size_t write(std::uint64_t n, char* out) const = 0;
  /// How many different ones there are.
  virtual std::uint64_t size() const = 0;
};

/// POST /auth/login of person n, counted from `first`.
class LoginSource final : public RequestSource {
 public:
  LoginSource(std::string host, std::string user_prefix, std::uint64_t count);
  std::size_t write(std::uint64_t n, char* out) const override;
  std::uint64_t size() const override { return count_; }

 private:
  std::string before_;
  std::uint64_t count_;
};

/// POST /events/{event}/participations, every one by another person; when the persons are used up, at the
/// next event.
class ParticipationSource final : public RequestSource {
 public:
  ParticipationSource(const std::string& host, const std::vector<std::string>& events,
                      const LineFile& tokens);
  std::size_t write(std::uint64_t n, char* out) const override;
  std::uint64_t size() const override { return heads_.size() * tokens_.size(); }

 private:
  std::vector<std::string> heads_;  // up to "Bearer "
  const LineFile& tokens_;
};

/// GET /requests/{id}, each by its owner, over and over.
class RequestStatusSource final : public RequestSource {
 public:
  RequestStatusSource(const std::string& host, const LineFile& ids, const LineFile& tokens);
  std::size_t write(std::uint64_t n, char* out) const override;
  std::uint64_t size() const override { return ~0ULL; }

 private:
  std::string middle_;
  const LineFile& ids_;
  const LineFile& tokens_;
};

/// POST /api/v1/queue/enter under open login, every one by another person; when the persons are used up, at
/// the next concert.
class EnterSource final : public RequestSource {
 public:
  EnterSource(const std::string& host, const std::vector<std::string>& concerts, std::string_view user_prefix,
              std::uint64_t persons);
  std::size_t write(std::uint64_t n, char* out) const override;
  std::uint64_t size() const override { return heads_.size() * persons_; }

 private:
  std::vector<std::string> heads_;  // up to the person's digits
  std::uint64_t persons_;
};

/// GET /api/v1/queue/status with each of the tokens, over and over.
class QueueStatusSource final : public RequestSource {
 public:
  QueueStatusSource(const std::string& host, const LineFile& tokens);
  std::size_t write(std::uint64_t n, char* out) const override;
  std::uint64_t size() const override { return ~0ULL; }

 private:
  std::string head_;
  const LineFile& tokens_;
};

}  // namespace spillway::load::replay
