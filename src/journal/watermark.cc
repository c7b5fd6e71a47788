#include "journal/watermark.h"

#include "journal/segment.h"

namespace spillway::journal {
namespace {

constexpr std::size_t kFileBytes = 2 * kWatermarkSlotDistance;

}  // namespace

Result<Watermark> read_watermark(FileSystem& files, const std::string& dir) {
  std::unique_ptr<File> file;
  if (const int error = files.open(in_directory(dir, kWatermarkName), {}, &file); error != 0) {
    return cannot("open", dir, kWatermarkName, error);
  }
  char bytes[kFileBytes];
  std::size_t got = 0;
  if (const int error = read_all(*file, 0, bytes, sizeof bytes, &got); error != 0) {
    return cannot("read", dir, kWatermarkName, error);
  }
  std::optional<Watermark> newest;
  std::uint32_t unknown = 0;
  for (std::size_t slot = 0; slot < 2; ++slot) {
    const std::size_t at = slot * kWatermarkSlotDistance;
    if (at >= got) break;
    const std::string_view text = std::string_view(bytes, got).substr(at);
    const auto mark = decode_watermark(text);
    if (!mark && unknown == 0) unknown = unknown_version(text);
    if (mark && (!newest || newest->generation < mark->generation)) newest = mark;
  }
  if (unknown != 0) {
    return damage(dir, kWatermarkName, 0,
                  "format version " + std::to_string(unknown) + " is not known to this program");
  }
  if (!newest) return damage(dir, kWatermarkName, 0, "neither of the two slots of the watermark is sound");
  return *newest;
}

Status create_watermark(FileSystem& files, const std::string& dir) {
  const std::string temporary = in_directory(dir, kWatermarkTemporaryName);
  std::unique_ptr<File> file;
  if (const int error = files.open(temporary, {.create = true, .write = true}, &file); error != 0) {
    return cannot("create", dir, kWatermarkTemporaryName, error);
  }
  std::string bytes(kFileBytes, '\0');
  encode_watermark({.generation = 0}, bytes.data());
  encode_watermark({.generation = 1}, bytes.data() + kWatermarkSlotDistance);
  int error = write_all(*file, 0, bytes.data(), bytes.size());
  if (error == 0) error = file->sync();
  if (error == 0) error = files.rename(temporary, in_directory(dir, kWatermarkName));
  if (error == 0) error = files.sync_directory(dir);
  if (error != 0) return cannot("write", dir, kWatermarkName, error);
  return Ok{};
}

Result<std::unique_ptr<WatermarkWriter>> WatermarkWriter::open(FileSystem& files, const std::string& dir,
                                                               std::uint64_t generation) {
  std::unique_ptr<File> file;
  if (const int error = files.open(in_directory(dir, kWatermarkName), {.write = true}, &file); error != 0) {
    return cannot("open", dir, kWatermarkName, error);
  }
  return std::unique_ptr<WatermarkWriter>(new WatermarkWriter(std::move(file), generation));
}

int WatermarkWriter::write(std::uint64_t sequence, std::uint64_t segment, std::uint64_t offset) {
  mark_ = {mark_.generation + 1, sequence, segment, offset};
  char bytes[kWatermarkSlotBytes];
  encode_watermark(mark_, bytes);
  return write_all(*file_, mark_.generation % 2 * kWatermarkSlotDistance, bytes, sizeof bytes);
}

int WatermarkWriter::seal() {
  if (mark_.sequence != 0) {
    if (const int error = write(mark_.sequence, mark_.segment, mark_.offset); error != 0) return error;
  }
  return file_->sync();
}

}  // namespace spillway::journal
