// For LD_PRELOAD: a machine whose clock is BELLWIRE_TEST_CLOCK_SHIFT seconds ahead.
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>

extern "C" {

// The name under which programs call it.
int ShiftedClock(clockid_t clock, timespec* time) noexcept __asm__("clock_gettime");

int ShiftedClock(clockid_t clock, timespec* time) noexcept {
  using Function = int (*)(clockid_t, timespec*);
  static const auto real = reinterpret_cast<Function>(dlsym(RTLD_NEXT, "clock_gettime"));
  const int result = real(clock, time);
  const char* const shift = getenv("BELLWIRE_TEST_CLOCK_SHIFT");
  if (result == 0 && clock == CLOCK_REALTIME && shift != nullptr) time->tv_sec += atol(shift);
  return result;
}

// OpenSSL asks this one.
time_t ShiftedSeconds(time_t* seconds) noexcept __asm__("time");

time_t ShiftedSeconds(time_t* seconds) noexcept {
  timespec now = {};
  ShiftedClock(CLOCK_REALTIME, &now);
  if (seconds != nullptr) *seconds = now.tv_sec;
  return now.tv_sec;
}
}
