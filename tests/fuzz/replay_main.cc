// Stands in for libFuzzer where the compiler is not clang: runs a fuzz target over every file of the
// directories given, and over mutations of them. No coverage guides it, so it finds less; it keeps the
// targets compiling, the corpus harmless, and the obvious from coming back. What was found is in
// `crash-input`, and replays from there.

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

constexpr std::size_t kMaxInputBytes = 64 * 1024;
constexpr const char* kCrashFile = "crash-input";

std::string current;  // what the target is looking at, for the signal handler

void on_crash(int signal) {
  // Only what may be called from a handler (POSIX.1-2017, 2.4.3).
  const int file = ::open(kCrashFile, O_CREAT | O_TRUNC | O_WRONLY, 0644);
  if (file >= 0) {
    const ssize_t written = ::write(file, current.data(), current.size());
    ::close(file);
    constexpr char kMessage[] = "replay: the input is in ./crash-input\n";
    if (written >= 0 && ::write(STDERR_FILENO, kMessage, sizeof kMessage - 1) < 0) std::_Exit(1);
  }
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

void run(const std::string& input) {
  current = input;
  // A copy of exactly its size on the heap: a read past the end is then seen by the sanitizers.
  const std::vector<std::uint8_t> bytes(input.begin(), input.end());
  LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
}

std::vector<std::string> read_all(const std::filesystem::path& path) {
  std::vector<std::filesystem::path> files;
  if (std::filesystem::is_directory(path)) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(path)) {
      if (entry.is_regular_file()) files.push_back(entry.path());
    }
  } else if (std::filesystem::exists(path)) {
    files.push_back(path);
  }
  std::sort(files.begin(), files.end());
  std::vector<std::string> inputs;
  for (const auto& file : files) {
    std::ifstream in(file, std::ios::binary);
    inputs.emplace_back(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
  }
  return inputs;
}

class Mutator {
 public:
  explicit Mutator(const std::vector<std::string>& corpus) : corpus_(corpus) {}

  std::string next() {
    std::string input = corpus_[below(corpus_.size())];
    for (std::size_t times = 1 + below(4); times > 0; --times) mutate(input);
    if (input.size() > kMaxInputBytes) input.resize(kMaxInputBytes);
    return input;
  }

 private:
  std::size_t below(std::size_t limit) { return limit == 0 ? 0 : random_() % limit; }
  char byte() {
    // Half of them bytes on which parsers turn.
    static constexpr char kTurning[] = {0,   '\r', '\n', ' ', ':',    '\t',   '"',
                                        '{', '}',  '%',  '/', '\x7f', '\x80', '\xff'};
    return below(2) == 0 ? kTurning[below(sizeof kTurning)] : static_cast<char>(below(256));
  }
  void mutate(std::string& input) {
    const std::size_t at = below(input.size() + 1);
    switch (below(6)) {
      case 0:
        if (at < input.size()) input[at] = static_cast<char>(input[at] ^ (1 << below(8)));
        break;
      case 1:
        if (at < input.size()) input[at] = byte();
        break;
      case 2:
        input.insert(at, 1 + below(3), byte());
        break;
      case 3:
        input.erase(at, 1 + below(16));
        break;
      case 4:
        input.resize(at);
        break;
      default: {
        const std::string& other = corpus_[below(corpus_.size())];
        input.insert(at, other, below(other.size() + 1), below(64));
      }
    }
  }

  const std::vector<std::string>& corpus_;
  std::mt19937_64 random_{20'260'101};  // fixed: a failure must come back
};

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> corpus;
  for (int i = 1; i < argc; ++i) {
    for (std::string& input : read_all(argv[i])) corpus.push_back(std::move(input));
  }
  if (corpus.empty()) {
    std::fprintf(stderr, "replay: no inputs: a fuzz target has a corpus\n");
    return 1;
  }
  for (const int signal : {SIGABRT, SIGSEGV, SIGFPE, SIGILL, SIGBUS}) std::signal(signal, on_crash);
  for (const std::string& input : corpus) run(input);
  const char* wanted = std::getenv("SPILLWAY_FUZZ_ROUNDS");
  const long rounds = wanted != nullptr ? std::atol(wanted) : 20'000;
  Mutator mutator(corpus);
  for (long i = 0; i < rounds; ++i) run(mutator.next());
  std::printf("replay: %zu inputs and %ld mutations\n", corpus.size(), rounds);
  return 0;
}
