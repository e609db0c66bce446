# SPDX-License-Identifier: Apache-2.0
# Third parties as one namespace of targets, prelude::*. What is specific to Debian 12's packages stands here:
# several of them ship a broken or no CMake package (see the comments).
find_package(PkgConfig REQUIRED)
find_package(Eigen3 REQUIRED)
find_package(fmt REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(Boost 1.74 REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(SQLite3 REQUIRED)
find_package(CLI11 CONFIG REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(pugixml REQUIRED)
if(PRELUDE_FUZZERS)  # clang's OpenMP is a package of its own, and no reader uses any: one thread
  add_library(OpenMP::OpenMP_CXX INTERFACE IMPORTED)
  file(WRITE ${CMAKE_BINARY_DIR}/one_thread/omp.h "#pragma once\ninline int omp_get_max_threads() { return 1; }\ninline void omp_set_num_threads(int) {}\n")
  target_include_directories(OpenMP::OpenMP_CXX INTERFACE ${CMAKE_BINARY_DIR}/one_thread)
else()
  find_package(OpenMP REQUIRED COMPONENTS CXX)
endif()
find_package(Threads REQUIRED)
pkg_check_modules(libzip REQUIRED IMPORTED_TARGET libzip)    # its CMake package references tools that are not installed
pkg_check_modules(systemc REQUIRED IMPORTED_TARGET systemc)  # ships no CMake package
find_path(STB_INCLUDE_DIR stb/stb_image.h REQUIRED)
find_library(DNNL_LIBRARY dnnl REQUIRED)                     # its CMake package insists on OpenCL
find_path(DNNL_INCLUDE_DIR dnnl.hpp REQUIRED)
find_file(CHART_JS chart.min.js PATHS /usr/share/javascript/chart.js NO_DEFAULT_PATH REQUIRED)

add_library(prelude_dnnl INTERFACE)
target_include_directories(prelude_dnnl SYSTEM INTERFACE ${DNNL_INCLUDE_DIR})
target_link_libraries(prelude_dnnl INTERFACE ${DNNL_LIBRARY} OpenMP::OpenMP_CXX)

# libsystemc 2.3.4 is built as C++17: its version check wants the same value here or the program does not link.
add_library(prelude_systemc INTERFACE)
target_compile_definitions(prelude_systemc INTERFACE SC_CPLUSPLUS=201703L SC_INCLUDE_FX)
target_link_libraries(prelude_systemc INTERFACE PkgConfig::systemc)
