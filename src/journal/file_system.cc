#include "journal/file_system.h"

#include <cerrno>
#include <system_error>

namespace spillway::journal {

std::string errno_text(int error) { return std::generic_category().message(error); }

int write_all(File& file, std::uint64_t offset, const char* data, std::size_t size, std::size_t block) {
  while (size > 0) {
    std::size_t written = 0;
    if (const int error = file.write_at(offset, data, size, &written); error != 0) return error;
    if (written < size) written -= written % block;
    if (written == 0) return EIO;
    offset += written;
    data += written;
    size -= written;
  }
  return 0;
}

int read_all(File& file, std::uint64_t offset, char* into, std::size_t size, std::size_t* got) {
  *got = 0;
  while (*got < size) {
    std::size_t piece = 0;
    if (const int error = file.read_at(offset + *got, into + *got, size - *got, &piece); error != 0)
      return error;
    if (piece == 0) break;
    *got += piece;
  }
  return 0;
}

}  // namespace spillway::journal
