#ifndef BELLWIRE_TESTS_HOSTILE_DEFLATE_BOMB_H_
#define BELLWIRE_TESTS_HOSTILE_DEFLATE_BOMB_H_

#include <cstddef>
#include <cstdint>
#include <string>

namespace bellwire::tests {

// A gzip stream (RFC 1951, 1952) of about `inflated_bytes` zeros: some 160 times smaller, in one
// block of fixed Huffman codes. Its checksum is wrong, which a reader sees only after all of it.
inline std::string DeflateBomb(size_t inflated_bytes) {
  std::string out("\x1f\x8b\x08\0\0\0\0\0\0\xff", 10);
  uint32_t bits = 0;
  int count = 0;
  const auto put = [&](uint32_t value, int size) {
    bits |= value << count;
    for (count += size; count >= 8; count -= 8, bits >>= 8) out.push_back(static_cast<char>(bits));
  };
  put(1, 1);     // The last block,
  put(1, 2);     // with fixed codes.
  put(0x0c, 8);  // The literal 0: code 00110000, whose first bit goes first.
  // Length 258 is code 11000101, distance 1 is 00000: 258 bytes more of the same.
  for (size_t n = 0; n < inflated_bytes; n += 258) {
    put(0xa3, 8);
    put(0, 5);
  }
  put(0, 7);  // The end.
  put(0, 7);
  out.append(8, '\0');
  return out;
}

}  // namespace bellwire::tests

#endif  // BELLWIRE_TESTS_HOSTILE_DEFLATE_BOMB_H_
