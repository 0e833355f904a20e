// Runs a fuzz target over its corpus as an ordinary test, where there is no libFuzzer: every file
// as it is, and seeded mutations of each. `REPLAY_SEED=N` repeats a run; without it the seed is
// fixed, so that a test that passed passes again.
//
// Arguments: corpus files. None, or a file that can't be read, is a failure: a corpus that got lost
// must not look like a parser without faults.

#include <unistd.h>

#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

constexpr int kMutationsPerFile = 2000;
constexpr uint64_t kDefaultSeed = 20260101;

// What is running, for the report if it brings the process down.
char current[512] = "";

void ReportAndDie(int signal_number) {
  (void)!write(STDERR_FILENO, current, std::strlen(current));
  std::signal(signal_number, SIG_DFL);
  std::raise(signal_number);
}

void Run(const std::string& input) {
  // A copy of exactly this size on the heap, so that AddressSanitizer sees a read past its end.
  const std::vector<uint8_t> bytes(input.begin(), input.end());
  LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
}

std::string Mutate(std::string input, const std::vector<std::string>& corpus,
                   std::mt19937_64& random) {
  const int changes = 1 + static_cast<int>(random() % 4);
  for (int i = 0; i < changes; ++i) {
    const size_t at = input.empty() ? 0 : random() % input.size();
    switch (random() % 6) {
      case 0:  // Flip a bit.
        if (!input.empty()) input[at] = static_cast<char>(input[at] ^ (1 << random() % 8));
        break;
      case 1:  // A byte from the edges of its range.
        if (!input.empty()) input[at] = "\x00\x01\x7f\x80\xff"[random() % 5];
        break;
      case 2:  // Truncate.
        input.resize(at);
        break;
      case 3: {  // Repeat a piece.
        const std::string piece = input.substr(at, 1 + random() % 64);
        input.insert(at, piece);
        break;
      }
      case 4:  // Drop a piece.
        input.erase(at, 1 + random() % 16);
        break;
      case 5: {  // Go on with another file's end.
        const std::string& other = corpus[random() % corpus.size()];
        if (!other.empty()) input = input.substr(0, at) + other.substr(random() % other.size());
        break;
      }
    }
  }
  return input;
}

}  // namespace

int main(int argc, char** argv) {
  uint64_t seed = kDefaultSeed;
  if (const char* text = std::getenv("REPLAY_SEED")) seed = std::strtoull(text, nullptr, 10);
  std::printf("REPLAY_SEED=%llu, %d files, %d mutations of each\n",
              static_cast<unsigned long long>(seed), argc - 1, kMutationsPerFile);
  std::fflush(stdout);
  if (argc < 2) {
    std::fprintf(stderr, "the corpus is empty\n");
    return 1;
  }
  std::vector<std::string> corpus;
  for (int i = 1; i < argc; ++i) {
    std::ifstream file(argv[i], std::ios::binary);
    if (!file) {
      std::fprintf(stderr, "cannot read %s\n", argv[i]);
      return 1;
    }
    corpus.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  for (const int signal_number : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL}) {
    std::signal(signal_number, ReportAndDie);
  }
  for (size_t i = 0; i < corpus.size(); ++i) {
    std::snprintf(current, sizeof(current), "died on %s as it is\n", argv[i + 1]);
    Run(corpus[i]);
  }
  for (size_t i = 0; i < corpus.size(); ++i) {
    std::mt19937_64 random(seed + i);
    for (int n = 0; n < kMutationsPerFile; ++n) {
      std::snprintf(current, sizeof(current), "died on mutation %d of %s, REPLAY_SEED=%llu\n", n,
                    argv[i + 1], static_cast<unsigned long long>(seed));
      Run(Mutate(corpus[i], corpus, random));
    }
  }
  return 0;
}
