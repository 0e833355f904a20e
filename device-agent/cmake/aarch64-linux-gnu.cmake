# Builds for arm64 on another Debian: crossbuild-essential-arm64, and the libraries as :arm64.
#
#   cmake -S . -B build -DCMAKE_TOOLCHAIN_FILE=device-agent/cmake/aarch64-linux-gnu.cmake
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)
set(PKG_CONFIG_EXECUTABLE aarch64-linux-gnu-pkg-config)
# Multiarch: headers are shared, and libraries lie beside those of this machine.
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
