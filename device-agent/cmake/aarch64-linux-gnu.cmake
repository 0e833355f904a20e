# Builds for arm64 on another Debian: crossbuild-essential-arm64, and the libraries as :arm64.
#
#   cmake -S . -B build -DCMAKE_TOOLCHAIN_FILE=device-agent/cmake/aarch64-linux-gnu.cmake
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64-static)
set(ENV{PKG_CONFIG_LIBDIR} /usr/lib/aarch64-linux-gnu/pkgconfig:/usr/share/pkgconfig)
# Multiarch: headers are shared, and libraries lie beside those of this machine.
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
