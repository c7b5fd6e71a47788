#include "http/chunk_decoder.h"

#include <algorithm>
#include <cstring>

#include "http/characters.h"

namespace spillway::http {
namespace {

constexpr Refusal kBadChunk{ErrorCode::kMalformedRequest, "the chunked body is not valid"};
constexpr Refusal kTooLarge{ErrorCode::kPayloadTooLarge, "the body is larger than this route takes"};
constexpr Refusal kLongTrailer{ErrorCode::kHeadersTooLarge, "the trailer is longer than 16 KiB"};

}  // namespace

ChunkDecoder::State ChunkDecoder::decode(const char* in, std::size_t size, char* out) {
  consumed_ = written_ = 0;
  while (consumed_ < size && at_ != At::kDone) {
    if (at_ == At::kData) {
      const auto n = static_cast<std::size_t>(std::min<std::uint64_t>(left_, size - consumed_));
      std::memmove(out + written_, in + consumed_, n);
      written_ += n;
      consumed_ += n;
      left_ -= n;
      if (left_ == 0) at_ = At::kDataCr;
    } else if (!step(in[consumed_++])) {
      if (refusal_ == nullptr) refusal_ = &kBadChunk;
      return State::kRefused;
    }
  }
  return at_ == At::kDone ? State::kDone : State::kMore;
}

bool ChunkDecoder::step(char c) {
  switch (at_) {
    case At::kSize:
    case At::kMoreSize:
    case At::kSpace:
    case At::kExtension:
    case At::kQuoted:
    case At::kEscaped:
    case At::kSizeLf:
      return step_size(c);
    case At::kDataCr:
      at_ = At::kDataLf;
      return c == '\r';
    case At::kDataLf:
      at_ = At::kSize;
      space_ = false;
      return c == '\n';
    case At::kData:
    case At::kDone:
      return false;
    default:
      return step_trailer(c);
  }
}

bool ChunkDecoder::extension_byte() { return ++extension_bytes_ <= limits::kMaxChunkExtensionBytes; }

bool ChunkDecoder::step_size(char c) {
  switch (at_) {
    case At::kSize:
    case At::kMoreSize: {
      const int digit = c >= '0' && c <= '9'   ? c - '0'
                        : c >= 'a' && c <= 'f' ? c - 'a' + 10
                        : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                               : -1;
      if (digit >= 0) {
        // Leading zeros count as extension, so that they are bounded too.
        if (at_ == At::kMoreSize && left_ == 0 && !extension_byte()) return false;
        if (left_ > (UINT64_MAX >> 4)) return false;
        left_ = left_ * 16 + static_cast<unsigned>(digit);
        at_ = At::kMoreSize;
        return true;
      }
      if (at_ == At::kSize) return false;
      at_ = At::kSpace;
      [[fallthrough]];
    }
    case At::kSpace:  // after the size: BWS is allowed before a ';' only
      if (c == ' ' || c == '\t') {
        space_ = true;
        return extension_byte();
      }
      if (c == ';') {
        space_ = false;
        at_ = At::kExtension;
        return extension_byte();
      }
      at_ = At::kSizeLf;
      return c == '\r' && !space_;
    case At::kExtension:
      if (c == '\r') {
        at_ = At::kSizeLf;
        return true;
      }
      if (c == '"') at_ = At::kQuoted;
      return fits(Place::kText, c) && extension_byte();
    case At::kQuoted:
      if (c == '"') at_ = At::kExtension;
      if (c == '\\') at_ = At::kEscaped;
      return fits(Place::kText, c) && extension_byte();
    case At::kEscaped:
      at_ = At::kQuoted;
      return fits(Place::kText, c) && extension_byte();
    default:  // kSizeLf
      if (c != '\n') return false;
      if (left_ == 0) {
        at_ = At::kTrailerStart;
      } else if (left_ > max_ - total_) {
        refusal_ = &kTooLarge;
        return false;
      } else {
        total_ += static_cast<std::size_t>(left_);
        at_ = At::kData;
      }
      return true;
  }
}

bool ChunkDecoder::step_trailer(char c) {
  if (++trailer_bytes_ > limits::kMaxHeaderBytes) {
    refusal_ = &kLongTrailer;
    return false;
  }
  switch (at_) {
    case At::kTrailerStart:
      if (c == '\r') {
        at_ = At::kEndLf;
        return true;
      }
      at_ = At::kTrailerName;
      return fits(Place::kToken, c);
    case At::kTrailerName:
      if (c == ':') {
        at_ = At::kTrailerValue;
        return true;
      }
      return fits(Place::kToken, c);
    case At::kTrailerValue:
      if (c == '\r') {
        at_ = At::kTrailerLf;
        return true;
      }
      return fits(Place::kText, c);
    case At::kTrailerLf:
      at_ = At::kTrailerStart;
      return c == '\n';
    default:  // kEndLf
      at_ = At::kDone;
      return c == '\n';
  }
}

}  // namespace spillway::http
